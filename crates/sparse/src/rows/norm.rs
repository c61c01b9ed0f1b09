//! Batch normalisation: each column shifted and scaled by its moments.

use super::{put, same, whole};
use crate::act::Act;
use crate::parallel::Executor;
use crate::scalar::Scalar;

/// Moments of the columns, and what the normalised columns are scaled and shifted by: `[width]` each.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a, T> {
    /// Mean of each column.
    pub mean: &'a [T],
    /// Biased variance of each column.
    pub var: &'a [T],
    /// Factor of each column.
    pub weight: &'a [T],
    /// Shift of each column.
    pub bias: &'a [T],
    /// Added to the variance, so that a constant column divides by more than 0.
    pub eps: T,
}

impl<T: Scalar> Norm<'_, T> {
    fn check(&self, kernel: &str, width: usize) {
        for (name, got) in [
            ("mean", self.mean.len()),
            ("var", self.var.len()),
            ("weight", self.weight.len()),
            ("bias", self.bias.len()),
        ] {
            assert_eq!(got, width, "rows::{kernel}: `norm.{name}` must be [{width}]");
        }
    }

    /// One over the deviation of a column.
    fn inverse(&self, column: usize) -> T {
        T::ONE / (self.var[column] + self.eps).sqrt()
    }
}

/// `y = act((x − mean) / √(var + eps) · weight + bias)`
///
/// # Shapes
///
/// `x, y: [n, width]`, those of `norm: [width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn normalize<T: Scalar>(
    exec: &dyn Executor,
    width: usize,
    x: &[T],
    norm: &Norm<'_, T>,
    act: Act,
    y: &mut [T],
) {
    same("normalize", x.len(), &[y.len()]);
    norm.check("normalize", width);
    let Some(grid) = whole("normalize", width, x.len()) else { return };
    let mean = grid.tiled(|column| norm.mean[column]);
    let scale = grid.tiled(|column| norm.inverse(column) * norm.weight[column]);
    let bias = grid.tiled(|column| norm.bias[column]);
    grid.map(exec, [x], [&mean, &scale, &bias], y, |[x], [mean, scale, bias]| {
        act.of((x - mean) * scale + bias)
    });
}

/// Gradients of [`normalize`] when the moments are those of `x` itself, as in training.
///
/// With `g = grad act'`, `x̂ = (x − mean) / √(var + eps)`: `dbias = Σ g`, `dweight = Σ g x̂`,
/// `dx = weight / √(var + eps) · (g − dbias / n − x̂ dweight / n)`. `y` is the output of [`normalize`].
///
/// # Shapes
///
/// `x, y, grad, dx: [n, width]`, `dweight, dbias` and those of `norm: [width]`.
///
/// # Complexity
///
/// O(n · width) in two passes: the sums are needed before the first row of `dx`.
///
/// # Panics
///
/// On a slice of another length.
#[expect(clippy::too_many_arguments, reason = "the operands of the equation")]
pub fn normalize_backward<T: Scalar>(
    exec: &dyn Executor,
    width: usize,
    x: &[T],
    y: &[T],
    grad: &[T],
    norm: &Norm<'_, T>,
    act: Act,
    dx: &mut [T],
    dweight: &mut [T],
    dbias: &mut [T],
) {
    same("normalize_backward", x.len(), &[y.len(), grad.len(), dx.len()]);
    norm.check("normalize_backward", width);
    assert_eq!(dweight.len(), width, "rows::normalize_backward: `dweight` must be [{width}]");
    assert_eq!(dbias.len(), width, "rows::normalize_backward: `dbias` must be [{width}]");
    let Some(grid) = whole("normalize_backward", width, x.len()) else { return };
    let mean = grid.tiled(|column| norm.mean[column]);
    let inverse = grid.tiled(|column| norm.inverse(column));
    let columns = [&mean[..], &inverse];
    let [shift, scale] = grid.total(exec, (), |block, [shift, scale], ()| {
        grid.sum_block(block, [y, grad], [], shift, |[y, grad], []| act.gradient(y, grad));
        grid.sum_block(block, [x, y, grad], columns, scale, |[x, y, grad], [mean, inverse]| {
            act.gradient(y, grad) * ((x - mean) * inverse)
        });
    });
    put(&shift, dbias);
    put(&scale, dweight);
    let rows = grid.rows().max(1) as f64;
    let factor = grid.tiled(|column| norm.weight[column] * norm.inverse(column));
    let shift = grid.tiled(|column| T::from_f64(shift[column] / rows));
    let slope = grid.tiled(|column| T::from_f64(scale[column] / rows) * norm.inverse(column));
    grid.map(
        exec,
        [x, y, grad],
        [&mean, &factor, &shift, &slope],
        dx,
        |[x, y, grad], [mean, factor, shift, slope]| {
            factor * (act.gradient(y, grad) - shift - (x - mean) * slope)
        },
    );
}

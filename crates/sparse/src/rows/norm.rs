//! Batch normalisation: each column shifted and scaled by its moments.

use super::{same, whole};
use crate::act::{Act, by_act};
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

/// The activation beside a normalisation, and on which side of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// `norm(act(x))`
    Before(Act),
    /// `act(norm(x))`
    Behind(Act),
}

impl Beside {
    /// What comes before, and what behind.
    pub fn sides(self) -> (Act, Act) {
        match self {
            Self::Before(act) => (act, Act::Identity),
            Self::Behind(act) => (Act::Identity, act),
        }
    }
}

/// Runs the body once for the activation at hand on its side, both as constants, of which one is none.
macro_rules! by_side {
    ($beside:expr, $B:ident, $A:ident => $body:expr) => {
        match $beside {
            Beside::Before(act) => by_act!(act, $B => {
                const $A: Act = Act::Identity;
                $body
            }),
            Beside::Behind(act) => by_act!(act, $A => {
                const $B: Act = Act::Identity;
                $body
            }),
        }
    };
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

/// `y = act((x − mean) / √(var + eps) · weight + bias)`, or `(act(x) − mean) / √(var + eps) · weight + bias`.
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
    beside: Beside,
    y: &mut [T],
) {
    same("normalize", x.len(), &[y.len()]);
    norm.check("normalize", width);
    let Some(grid) = whole("normalize", width, x.len()) else { return };
    let mean = grid.tiled(|column| norm.mean[column]);
    let scale = grid.tiled(|column| norm.inverse(column) * norm.weight[column]);
    let bias = grid.tiled(|column| norm.bias[column]);
    by_side!(beside, B, A => grid.map(exec, [x], [&mean, &scale, &bias], y, |[x], [mean, scale, bias]| {
        A.of((B.of(x) - mean) * scale + bias)
    }));
}

/// What the gradients of [`normalize`] need to know of all rows: sums over them, column by column.
///
/// Those of several parts of one batch are added before [`normalize_backward`].
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    /// Rows summed over.
    pub rows: f64,
    /// `Σ g`, the gradient of `bias`: `[width]`.
    pub bias: Vec<f64>,
    /// `Σ g x̂`, the gradient of `weight`: `[width]`.
    pub weight: Vec<f64>,
}

/// Gradients of `weight` and `bias` of [`normalize`], and what that of `x` needs.
///
/// With `g = grad act'` and `x̂ = (x − mean) / √(var + eps)`: `Σ g` and `Σ g x̂`. `y` is the output of [`normalize`]. Where the activation
/// comes before, `g = grad` and `x̂` is of `act(x)`.
///
/// # Shapes
///
/// `x, y, grad: [n, width]`, those of `norm: [width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn normalize_sums<T: Scalar>(
    exec: &dyn Executor,
    width: usize,
    x: &[T],
    y: &[T],
    grad: &[T],
    norm: &Norm<'_, T>,
    beside: Beside,
) -> Sums {
    same("normalize_sums", x.len(), &[y.len(), grad.len()]);
    norm.check("normalize_sums", width);
    let Some(grid) = whole("normalize_sums", width, x.len()) else {
        return Sums { rows: 0.0, bias: Vec::new(), weight: Vec::new() };
    };
    let mean = grid.tiled(|column| norm.mean[column]);
    let inverse = grid.tiled(|column| norm.inverse(column));
    let columns = [&mean[..], &inverse];
    let [bias, weight] = by_side!(beside, B, A => grid.total(exec, (), |block, sums, ()| {
        grid.sum_block(block, [x, y, grad], columns, sums, |[x, y, grad], [mean, inverse]| {
            let g = A.gradient(y, grad);
            [g, g * ((B.of(x) - mean) * inverse)]
        });
    }));
    Sums { rows: grid.rows() as f64, bias, weight }
}

/// Gradient of `x` of [`normalize`] when the moments are those of `x` itself, as in training.
///
/// `dx = weight / √(var + eps) · (g − Σ g / n − x̂ Σ g x̂ / n)` with `g` and `x̂` of [`normalize_sums`], which gives the sums;
/// they run over all rows that the moments are of, which may be more than are here. Where the activation comes before, this is the gradient of `act(x)`,
/// and `dx` that times `act'`.
///
/// # Shapes
///
/// `x, y, grad, dx: [n, width]`, those of `norm` and `sums: [width]`.
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
    beside: Beside,
    sums: &Sums,
    dx: &mut [T],
) {
    same("normalize_backward", x.len(), &[y.len(), grad.len(), dx.len()]);
    norm.check("normalize_backward", width);
    assert_eq!(sums.weight.len(), width, "rows::normalize_backward: `sums.weight` must be [{width}]");
    assert_eq!(sums.bias.len(), width, "rows::normalize_backward: `sums.bias` must be [{width}]");
    let Some(grid) = whole("normalize_backward", width, x.len()) else { return };
    let rows = sums.rows.max(1.0);
    let mean = grid.tiled(|column| norm.mean[column]);
    let factor = grid.tiled(|column| norm.weight[column] * norm.inverse(column));
    let shift = grid.tiled(|column| T::from_f64(sums.bias[column] / rows));
    let slope = grid.tiled(|column| T::from_f64(sums.weight[column] / rows) * norm.inverse(column));
    by_side!(beside, B, A => grid.map(
        exec,
        [x, y, grad],
        [&mean, &factor, &shift, &slope],
        dx,
        |[x, y, grad], [mean, factor, shift, slope]| {
            let x = B.of(x);
            B.gradient(x, factor * (A.gradient(y, grad) - shift - (x - mean) * slope))
        },
    ));
}

//! Rows onto two vectors: a product with a matrix too narrow for a library's products.

use pulp::{Simd, WithSimd};

use super::{put, same, whole};
use crate::lanes::dispatch;
use crate::parallel::{Executor, Rows, over};
use crate::scalar::Scalar;
use crate::sums::dot;

/// `y_i = (⟨x_i, v_0⟩, ⟨x_i, v_1⟩)`.
///
/// # Shapes
///
/// `x: [n, width]`, `vectors: [2, width]`, `y: [n, 2]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn project<T: Scalar>(exec: &dyn Executor, width: usize, x: &[T], vectors: &[T], y: &mut [T]) {
    assert_eq!(vectors.len(), 2 * width, "rows::project: `vectors` must be [2, {width}]");
    if whole("project", width, x.len()).is_none() {
        return y.fill(T::ZERO);
    }
    same("project", 2 * (x.len() / width), &[y.len()]);
    over(
        exec,
        x.len() / width,
        |row| 2 * row * width,
        Rows { data: y, width: 2 },
        |rows, y| {
            dispatch(Forward { width, x: &x[rows.start * width..rows.end * width], vectors, y: y.data });
        },
    );
}

/// Gradients of [`project`]: `dx_i = g_i0 v_0 + g_i1 v_1` and `dv_k = Σ_i g_ik x_i`.
///
/// # Shapes
///
/// `x, dx: [n, width]`, `vectors, d_vectors: [2, width]`, `grad: [n, 2]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn project_backward<T: Scalar>(
    exec: &dyn Executor,
    width: usize,
    (x, vectors): (&[T], &[T]),
    grad: &[T],
    dx: &mut [T],
    d_vectors: &mut [T],
) {
    assert_eq!(
        [vectors.len(), d_vectors.len()],
        [2 * width; 2],
        "rows::project_backward: vectors of {width}"
    );
    same("project_backward", x.len(), &[dx.len()]);
    let Some(grid) = whole("project_backward", width, x.len()) else { return };
    same("project_backward", 2 * grid.rows(), &[grad.len()]);
    let [dv, dw] = grid.total(exec, grid.pieces(dx), |block, [dv, dw], dx| {
        let numbers = grid.block(block);
        let grad = &grad[2 * numbers.start / width..2 * numbers.end / width];
        dispatch(Backward { width, x: &x[numbers], vectors, grad, dx: dx.data, dv, dw });
    });
    let (v, w) = d_vectors.split_at_mut(width);
    put(&dv, v);
    put(&dw, w);
}

struct Forward<'a, T> {
    width: usize,
    x: &'a [T],
    vectors: &'a [T],
    y: &'a mut [T],
}

impl<T: Scalar> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (v, w) = self.vectors.split_at(self.width);
        for (x, y) in self.x.chunks_exact(self.width).zip(self.y.chunks_exact_mut(2)) {
            (y[0], y[1]) = (dot(x, v), dot(x, w));
        }
    }
}

struct Backward<'a, T> {
    width: usize,
    x: &'a [T],
    vectors: &'a [T],
    grad: &'a [T],
    dx: &'a mut [T],
    dv: &'a mut [T],
    dw: &'a mut [T],
}

impl<T: Scalar> WithSimd for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { width, x, vectors, grad, dx, dv, dw } = self;
        let (v, w) = vectors.split_at(width);
        let rows = x.chunks_exact(width).zip(dx.chunks_exact_mut(width));
        for ((x, dx), grad) in rows.zip(grad.chunks_exact(2)) {
            let (g, h) = (grad[0], grad[1]);
            for ((dx, &v), &w) in dx.iter_mut().zip(v).zip(w) {
                *dx = g * v + h * w;
            }
            for ((&x, dv), dw) in x.iter().zip(&mut *dv).zip(&mut *dw) {
                *dv += g * x;
                *dw += h * x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::tests::{machines, on};
    use crate::parallel::Serial;

    #[test]
    fn a_product_and_its_gradients_on_every_machine() {
        // Blocks hold some 8000 numbers.
        let (n, width) = (3503, 5);
        let x: Vec<f64> = (0..n * width).map(|at| (at * 7 % 13) as f64 - 6.0).collect();
        let vectors: Vec<f64> = (0..2 * width).map(|at| at as f64 - 3.0).collect();
        let grad: Vec<f64> = (0..2 * n).map(|at| (at * 5 % 11) as f64 - 5.0).collect();
        for machine in machines() {
            let [y, dx, dv] = on(machine, || {
                let [mut y, mut dx, mut dv] = [vec![0.0; 2 * n], vec![0.0; x.len()], vec![0.0; 2 * width]];
                project(&Serial, width, &x, &vectors, &mut y);
                project_backward(&Serial, width, (&x, &vectors), &grad, &mut dx, &mut dv);
                [y, dx, dv]
            });
            let whole =
                |k: usize, i: usize| (0..width).map(|c| x[i * width + c] * vectors[k * width + c]).sum();
            assert!((0..2 * n).all(|at| y[at] == whole(at % 2, at / 2)));
            let of_row = |i: usize, c: usize| grad[2 * i] * vectors[c] + grad[2 * i + 1] * vectors[width + c];
            assert!((0..n * width).all(|at| dx[at] == of_row(at / width, at % width)));
            let of_vector = |k: usize, c: usize| (0..n).map(|i| grad[2 * i + k] * x[i * width + c]).sum();
            assert!((0..2 * width).all(|at| dv[at] == of_vector(at / width, at % width)));
        }
    }
}

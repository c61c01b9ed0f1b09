//! Rows onto two vectors: a product with a matrix too narrow for a library's products.

use pulp::{Simd, WithSimd};

use super::{same, whole};
use crate::lanes::dispatch;
use crate::parallel::{Executor, Rows, over};
use crate::scalar::Scalar;
use crate::sums::dot;

/// Rows whose share of a vector's gradient is added up by one task: a fixed number, so that sums depend on no executor.
const BLOCK: usize = 256;

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
    if whole("project_backward", width, x.len()).is_none() {
        return;
    }
    let n = x.len() / width;
    same("project_backward", 2 * n, &[grad.len()]);
    let blocks = n.div_ceil(BLOCK);
    let mut partial = vec![T::ZERO; blocks * 2 * width];
    let dx = Blocks { data: dx, numbers: BLOCK * width };
    let cost = |block: usize| n.min(block * BLOCK) * 4 * width;
    over(exec, blocks, cost, (dx, Rows { data: &mut partial, width: 2 * width }), |range, (dx, partial)| {
        let first = range.start * BLOCK;
        let rows = dx.data.len() / width;
        let (x, grad) = (&x[first * width..][..rows * width], &grad[2 * first..][..2 * rows]);
        dispatch(Backward { width, x, vectors, grad, dx: dx.data, partial: partial.data });
    });
    for (at, d) in d_vectors.iter_mut().enumerate() {
        *d = T::from_f64(partial.iter().skip(at).step_by(2 * width).map(|x| x.to_f64()).sum());
    }
}

/// Item `i` owns `numbers` of them, the last perhaps fewer.
struct Blocks<'a, T> {
    data: &'a mut [T],
    numbers: usize,
}

impl<T: Send> crate::parallel::Pieces for Blocks<'_, T> {
    fn split(self, items: usize) -> (Self, Self) {
        let numbers = self.numbers;
        let (head, tail) = self.data.split_at_mut(self.data.len().min(items * numbers));
        (Self { data: head, numbers }, Self { data: tail, numbers })
    }
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
    /// `[blocks, 2, width]`
    partial: &'a mut [T],
}

impl<T: Scalar> WithSimd for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { width, x, vectors, grad, dx, partial } = self;
        let (v, w) = vectors.split_at(width);
        let blocks = x.chunks(BLOCK * width).zip(dx.chunks_mut(BLOCK * width)).zip(grad.chunks(2 * BLOCK));
        for (((x, dx), grad), partial) in blocks.zip(partial.chunks_exact_mut(2 * width)) {
            let (dv, dw) = partial.split_at_mut(width);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::tests::{machines, on};
    use crate::parallel::Serial;

    #[test]
    fn a_product_and_its_gradients_on_every_machine() {
        let (n, width) = (2 * BLOCK + 3, 5);
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

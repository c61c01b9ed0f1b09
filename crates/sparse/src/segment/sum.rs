//! Sum and mean of each segment.

use super::{check, cost, rows_of};
use crate::parallel::{Executor, Rows, Spans, over};
use crate::scalar::Scalar;

/// Sum of each segment; an empty one gives 0.
///
/// # Shapes
///
/// `x: [n, width]`, `out: [segments, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn sum<T: Scalar>(exec: &dyn Executor, ptr: &[u32], x: &[T], width: usize, out: &mut [T]) {
    let segments = check("sum", ptr, width, &[x.len()], &[out.len()]);
    reduce(exec, ptr, segments, x, width, out, |_| T::ONE);
}

/// Gradient of [`sum`]: each row gets its segment's.
///
/// # Shapes
///
/// `grad: [segments, width]`, `out: [n, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn sum_backward<T: Scalar>(exec: &dyn Executor, ptr: &[u32], grad: &[T], width: usize, out: &mut [T]) {
    let segments = check("sum_backward", ptr, width, &[out.len()], &[grad.len()]);
    spread(exec, ptr, segments, grad, width, out, |_| T::ONE);
}

/// Mean of each segment; an empty one gives 0.
///
/// # Shapes
///
/// `x: [n, width]`, `out: [segments, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn mean<T: Scalar>(exec: &dyn Executor, ptr: &[u32], x: &[T], width: usize, out: &mut [T]) {
    let segments = check("mean", ptr, width, &[x.len()], &[out.len()]);
    reduce(exec, ptr, segments, x, width, out, share);
}

/// Gradient of [`mean`]: each row gets its segment's, divided by the rows of the segment.
///
/// # Shapes
///
/// `grad: [segments, width]`, `out: [n, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn mean_backward<T: Scalar>(exec: &dyn Executor, ptr: &[u32], grad: &[T], width: usize, out: &mut [T]) {
    let segments = check("mean_backward", ptr, width, &[out.len()], &[grad.len()]);
    spread(exec, ptr, segments, grad, width, out, share);
}

/// One over a number of rows; the sum of no rows is 0 and stays so.
fn share<T: Scalar>(rows: usize) -> T {
    T::ONE / T::from_count(rows.max(1))
}

/// `out_s = scale(rows of s) Σ x_r`.
fn reduce<T: Scalar>(
    exec: &dyn Executor,
    ptr: &[u32],
    segments: usize,
    x: &[T],
    width: usize,
    out: &mut [T],
    scale: impl Fn(usize) -> T + Sync,
) {
    if width == 0 {
        return;
    }
    over(exec, segments, cost(ptr, width), Rows { data: out, width }, |range, piece| {
        for (segment, out) in range.zip(piece.data.chunks_exact_mut(width)) {
            out.fill(T::ZERO);
            let rows = rows_of(x, ptr, segment, width).chunks_exact(width);
            let scale = scale(rows.len());
            for row in rows {
                for (out, &x) in out.iter_mut().zip(row) {
                    *out += x;
                }
            }
            for out in out {
                *out *= scale;
            }
        }
    });
}

/// `out_r = scale(rows of s) grad_s`.
fn spread<T: Scalar>(
    exec: &dyn Executor,
    ptr: &[u32],
    segments: usize,
    grad: &[T],
    width: usize,
    out: &mut [T],
    scale: impl Fn(usize) -> T + Sync,
) {
    if width == 0 {
        return;
    }
    over(exec, segments, cost(ptr, width), Spans { data: out, ptr, width }, |range, mut piece| {
        for (segment, out) in range.zip(piece.each()) {
            let grad = &grad[segment * width..][..width];
            let scale = scale(out.len() / width);
            for row in out.chunks_exact_mut(width) {
                for (out, &grad) in row.iter_mut().zip(grad) {
                    *out = grad * scale;
                }
            }
        }
    });
}

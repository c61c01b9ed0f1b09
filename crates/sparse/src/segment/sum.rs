//! Sum and mean of each segment.

use std::ops::Range;

use super::{Loop, check, cost, rows_of, wide};
use crate::lanes::{array, array_mut, each, strips};
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
        wide(width, Reduce { ptr, range, x, out: piece.data, scale: &scale });
    });
}

struct Reduce<'a, T, F> {
    ptr: &'a [u32],
    range: Range<usize>,
    x: &'a [T],
    out: &'a mut [T],
    scale: F,
}

impl<T: Scalar, F: Fn(usize) -> T> Loop for Reduce<'_, T, F> {
    #[inline(always)]
    fn run(self, width: usize) {
        for (segment, out) in self.range.zip(self.out.chunks_exact_mut(width)) {
            let rows = rows_of(self.x, self.ptr, segment, width).chunks_exact(width);
            let scale = (self.scale)(rows.len());
            strips!(width, at, N in [32, 8, 4, 1] => {
                let mut sum = [T::ZERO; N];
                for row in rows.clone() {
                    for (sum, &x) in sum.iter_mut().zip(array::<T, N>(row, at)) {
                        *sum += x;
                    }
                }
                *array_mut(out, at) = each::<T, N>(|lane| sum[lane] * scale);
            });
        }
    }
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
    over(exec, segments, cost(ptr, width), Spans { data: out, ptr, width }, |range, out| {
        wide(width, Spread { range, grad, out, scale: &scale });
    });
}

struct Spread<'a, T, F> {
    range: Range<usize>,
    grad: &'a [T],
    out: Spans<'a, T>,
    scale: F,
}

impl<T: Scalar, F: Fn(usize) -> T> Loop for Spread<'_, T, F> {
    #[inline(always)]
    fn run(mut self, width: usize) {
        for (segment, out) in self.range.zip(self.out.each()) {
            let grad = &self.grad[segment * width..][..width];
            let scale = (self.scale)(out.len() / width);
            strips!(width, at, N in [32, 8, 4, 1] => {
                           let grad = array::<T, N>(grad, at);
            let grad: [T; N] = each(|lane| grad[lane] * scale);
                           for row in out.chunks_exact_mut(width) {
                               *array_mut(row, at) = grad;
                           }
                       });
        }
    }
}

//! Softmax over each segment, column by column.

use std::ops::Range;

use super::{Loop, check, cost, rows_of, wide};
use crate::lanes::{array, array_mut, each, strips};
use crate::parallel::{Executor, Pieces, Spans, over};
use crate::scalar::Scalar;

/// `out_r = exp(x_r − m_s) / Σ_{r' in s} exp(x_r' − m_s)` with `m_s` the largest of the segment, for each column.
///
/// A column of a segment that holds a NaN or +∞, or −∞ alone, gives NaN there.
///
/// # Shapes
///
/// `x, out: [n, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn softmax<T: Scalar>(exec: &dyn Executor, ptr: &[u32], x: &[T], width: usize, out: &mut [T]) {
    let segments = check("softmax", ptr, width, &[x.len(), out.len()], &[]);
    if width == 0 {
        return;
    }
    over(exec, segments, cost(ptr, width), Spans { data: out, ptr, width }, |range, out| {
        wide(width, Forward { ptr, range, x, out });
    });
}

struct Forward<'a, T> {
    ptr: &'a [u32],
    range: Range<usize>,
    x: &'a [T],
    out: Spans<'a, T>,
}

impl<T: Scalar> Loop for Forward<'_, T> {
    #[inline(always)]
    fn run(self, width: usize) {
        let Self { ptr, range, x, out: mut rest } = self;
        for start in range.clone().step_by(GROUP) {
            let (mut group, tail) = rest.split(GROUP.min(range.end - start));
            rest = tail;
            for (segment, out) in (start..).zip(group.each()) {
                subtract_largest(rows_of(x, ptr, segment, width), out, width);
            }
            for out in &mut *group.data {
                *out = out.exp();
            }
            for out in group.each() {
                divide_by_sum(out, width);
            }
        }
    }
}

/// Segments whose exponentials are taken in one go: many numbers for a vectorised loop, few enough to stay in cache.
const GROUP: usize = 64;

/// `out_r = x_r − m` with `m` the largest of each column.
#[inline(always)]
fn subtract_largest<T: Scalar>(x: &[T], out: &mut [T], width: usize) {
    let rows = x.chunks_exact(width);
    if rows.len() == 0 {
        return;
    }
    strips!(width, at, N in [32, 8, 4, 1] => {
        let mut largest = *array::<T, N>(x, at);
        for row in rows.clone() {
            for (largest, &x) in largest.iter_mut().zip(array::<T, N>(row, at)) {
                *largest = if x > *largest { x } else { *largest };
            }
        }
        for (out, x) in out.chunks_exact_mut(width).zip(rows.clone()) {
            let x = array::<T, N>(x, at);
            *array_mut(out, at) = each::<T, N>(|lane| x[lane] - largest[lane]);
        }
    });
}

/// Divides each column by its sum.
#[inline(always)]
fn divide_by_sum<T: Scalar>(out: &mut [T], width: usize) {
    strips!(width, at, N in [32, 8, 4, 1] => {
        let mut sum = [T::ZERO; N];
        for row in out.chunks_exact(width) {
            for (sum, &x) in sum.iter_mut().zip(array::<T, N>(row, at)) {
                *sum += x;
            }
        }
        for row in out.chunks_exact_mut(width) {
            let out = array_mut::<T, N>(row, at);
            *out = each(|lane| out[lane] / sum[lane]);
        }
    });
}

/// Gradient of [`softmax`]: `out_r = y_r (grad_r − Σ_{r' in s} y_r' grad_r')`.
///
/// # Shapes
///
/// `y` (the result of the forward)`, grad, out: [n, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn softmax_backward<T: Scalar>(
    exec: &dyn Executor,
    ptr: &[u32],
    y: &[T],
    grad: &[T],
    width: usize,
    out: &mut [T],
) {
    let segments = check("softmax_backward", ptr, width, &[y.len(), grad.len(), out.len()], &[]);
    if width == 0 {
        return;
    }
    over(exec, segments, cost(ptr, width), Spans { data: out, ptr, width }, |range, out| {
        wide(width, Backward { ptr, range, y, grad, out });
    });
}

struct Backward<'a, T> {
    ptr: &'a [u32],
    range: Range<usize>,
    y: &'a [T],
    grad: &'a [T],
    out: Spans<'a, T>,
}

impl<T: Scalar> Loop for Backward<'_, T> {
    #[inline(always)]
    fn run(self, width: usize) {
        let Self { ptr, range, y, grad, mut out } = self;
        for (segment, out) in range.zip(out.each()) {
            let (y, grad) = (rows_of(y, ptr, segment, width), rows_of(grad, ptr, segment, width));
            let rows = y.chunks_exact(width).zip(grad.chunks_exact(width));
            strips!(width, at, N in [32, 8, 4, 1] => {
                let mut inner = [T::ZERO; N];
                for (y, grad) in rows.clone() {
                    let (y, grad) = (array::<T, N>(y, at), array::<T, N>(grad, at));
                    for lane in 0..N {
                        inner[lane] += y[lane] * grad[lane];
                    }
                }
                for (out, (y, grad)) in out.chunks_exact_mut(width).zip(rows.clone()) {
                    let (y, grad) = (array::<T, N>(y, at), array::<T, N>(grad, at));
                    *array_mut(out, at) = each::<T, N>(|lane| y[lane] * (grad[lane] - inner[lane]));
                }
            });
        }
    }
}

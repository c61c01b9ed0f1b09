//! Softmax over each segment, column by column.

use super::{check, cost, rows_of};
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
    over(exec, segments, cost(ptr, width), Spans { data: out, ptr, width }, |range, mut rest| {
        let mut space = vec![T::ZERO; width];
        for start in range.clone().step_by(GROUP) {
            let (mut group, tail) = rest.split(GROUP.min(range.end - start));
            rest = tail;
            for (segment, out) in (start..).zip(group.each()) {
                subtract_largest(rows_of(x, ptr, segment, width), &mut space, out);
            }
            for out in &mut *group.data {
                *out = out.exp();
            }
            for out in group.each() {
                divide_by_sum(out, &mut space);
            }
        }
    });
}

/// Segments whose exponentials are taken in one go: many numbers for a vectorised loop, few enough to stay in cache.
const GROUP: usize = 64;

/// `out_r = x_r − m` with `m` the largest of each column, kept in `largest`.
fn subtract_largest<T: Scalar>(x: &[T], largest: &mut [T], out: &mut [T]) {
    let width = largest.len();
    let Some(first) = x.get(..width) else { return };
    largest.copy_from_slice(first);
    for row in x.chunks_exact(width) {
        for (largest, &x) in largest.iter_mut().zip(row) {
            *largest = if x > *largest { x } else { *largest };
        }
    }
    for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
        for ((out, &x), &largest) in out.iter_mut().zip(x).zip(&*largest) {
            *out = x - largest;
        }
    }
}

/// Divides each column by its sum, kept in `sum`.
fn divide_by_sum<T: Scalar>(out: &mut [T], sum: &mut [T]) {
    let width = sum.len();
    sum.fill(T::ZERO);
    for row in out.chunks_exact(width) {
        for (sum, &x) in sum.iter_mut().zip(row) {
            *sum += x;
        }
    }
    for row in out.chunks_exact_mut(width) {
        for (out, &sum) in row.iter_mut().zip(&*sum) {
            *out /= sum;
        }
    }
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
    over(exec, segments, cost(ptr, width), Spans { data: out, ptr, width }, |range, mut piece| {
        let mut inner = vec![T::ZERO; width];
        for (segment, out) in range.zip(piece.each()) {
            let (y, grad) = (rows_of(y, ptr, segment, width), rows_of(grad, ptr, segment, width));
            let rows = || y.chunks_exact(width).zip(grad.chunks_exact(width));
            inner.fill(T::ZERO);
            for (y, grad) in rows() {
                for ((inner, &y), &grad) in inner.iter_mut().zip(y).zip(grad) {
                    *inner += y * grad;
                }
            }
            for (out, (y, grad)) in out.chunks_exact_mut(width).zip(rows()) {
                for (((out, &y), &grad), &inner) in out.iter_mut().zip(y).zip(grad).zip(&inner) {
                    *out = y * (grad - inner);
                }
            }
        }
    });
}

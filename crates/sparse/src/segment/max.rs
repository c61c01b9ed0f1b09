//! Largest row of each segment, column by column.

use super::{check, cost, rows_of};
use crate::parallel::{Executor, Rows, Spans, over};
use crate::scalar::Scalar;

/// The `argmax` of an empty segment.
pub const NO_ROW: u32 = u32::MAX;

/// Largest number of each segment and column, and the row it stands in; of equal ones the first.
///
/// An empty segment gives 0 and [`NO_ROW`]. A NaN wins over every number, so that it is not lost.
///
/// # Shapes
///
/// `x: [n, width]`, `out, argmax: [segments, width]`; `argmax` holds rows of `x`.
///
/// # Panics
///
/// On a slice of another length.
pub fn max<T: Scalar>(
    exec: &dyn Executor,
    ptr: &[u32],
    x: &[T],
    width: usize,
    out: &mut [T],
    argmax: &mut [u32],
) {
    let segments = check("max", ptr, width, &[x.len()], &[out.len(), argmax.len()]);
    if width == 0 {
        return;
    }
    let pieces = (Rows { data: out, width }, Rows { data: argmax, width });
    over(exec, segments, cost(ptr, width), pieces, |range, (out, argmax)| {
        let outs = out.data.chunks_exact_mut(width).zip(argmax.data.chunks_exact_mut(width));
        for (segment, (out, argmax)) in range.zip(outs) {
            let mut rows = (ptr[segment]..).zip(rows_of(x, ptr, segment, width).chunks_exact(width));
            let Some((first, values)) = rows.next() else {
                out.fill(T::ZERO);
                argmax.fill(NO_ROW);
                continue;
            };
            out.copy_from_slice(values);
            argmax.fill(first);
            for (row, values) in rows {
                for ((out, argmax), &x) in out.iter_mut().zip(argmax.iter_mut()).zip(values) {
                    let wins = (x > *out) | (x.is_nan() & !out.is_nan());
                    *out = if wins { x } else { *out };
                    *argmax = if wins { row } else { *argmax };
                }
            }
        }
    });
}

/// Gradient of [`max`]: a segment's goes to the row that won, 0 to the others.
///
/// # Shapes
///
/// `grad, argmax: [segments, width]`, `out: [n, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn max_backward<T: Scalar>(
    exec: &dyn Executor,
    ptr: &[u32],
    grad: &[T],
    argmax: &[u32],
    width: usize,
    out: &mut [T],
) {
    let segments = check("max_backward", ptr, width, &[out.len()], &[grad.len(), argmax.len()]);
    if width == 0 {
        return;
    }
    over(exec, segments, cost(ptr, width), Spans { data: out, ptr, width }, |range, mut piece| {
        for (segment, out) in range.zip(piece.each()) {
            out.fill(T::ZERO);
            if out.is_empty() {
                continue;
            }
            let place = segment * width..(segment + 1) * width;
            for (column, (&grad, &row)) in grad[place.clone()].iter().zip(&argmax[place]).enumerate() {
                out[(row - ptr[segment]) as usize * width + column] = grad;
            }
        }
    });
}

//! Largest row of each segment, column by column.

use std::ops::Range;

use super::{Loop, check, cost, rows_of, wide};
use crate::lanes::{array, array_mut, strips};
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
        wide(width, Largest { ptr, range, x, out: out.data, argmax: argmax.data });
    });
}

struct Largest<'a, T> {
    ptr: &'a [u32],
    range: Range<usize>,
    x: &'a [T],
    out: &'a mut [T],
    argmax: &'a mut [u32],
}

impl<T: Scalar> Loop for Largest<'_, T> {
    #[inline(always)]
    fn run(self, width: usize) {
        let outs = self.out.chunks_exact_mut(width).zip(self.argmax.chunks_exact_mut(width));
        for (segment, (out, argmax)) in self.range.zip(outs) {
            let (first, x) = (self.ptr[segment], rows_of(self.x, self.ptr, segment, width));
            if x.is_empty() {
                out.fill(T::ZERO);
                argmax.fill(NO_ROW);
                continue;
            }
            strips!(width, at, N in [32, 8, 4, 1] => columns::<T, N>(first, x, at, out, argmax));
        }
    }
}

/// The largest of columns `at..at + N` of rows `first..`, and their rows.
#[inline(always)]
fn columns<T: Scalar, const N: usize>(first: u32, x: &[T], at: usize, out: &mut [T], argmax: &mut [u32]) {
    let width = out.len();
    let mut rows = x.chunks_exact(width).map(|row| array::<T, N>(row, at));
    let Some(&start) = rows.next() else { return };
    let (mut largest, mut winner) = (start, [first; N]);
    for (row, values) in (first + 1..).zip(rows) {
        for lane in 0..N {
            let (x, best) = (values[lane], largest[lane]);
            // A NaN beats every number, and no NaN.
            let wins = (x > best) | (x.is_nan() & !best.is_nan());
            largest[lane] = if wins { x } else { best };
            winner[lane] = if wins { row } else { winner[lane] };
        }
    }
    *array_mut(out, at) = largest;
    *array_mut(argmax, at) = winner;
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

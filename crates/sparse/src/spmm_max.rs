//! Largest value over the columns of a row: max aggregation and max pooling.

use std::ops::Range;

use crate::csr::Csr;
use crate::lanes::{array, array_mut, strips};
use crate::parallel::{Executor, Rows, over};
use crate::pattern::Pattern;
use crate::scalar::Scalar;
use crate::segment::{Loop, NO_ROW, wide};

/// `y_i = max_j x_j` over the columns `j` of row `i`, number by number, and the column each maximum came from; of equal ones
/// the first.
///
/// An empty row gives 0 and [`NO_ROW`]. A NaN wins over every number, so that it is not lost.
///
/// # Shapes
///
/// `x: [cols, width]`, `y, argmax: [rows, width]`.
///
/// # Complexity
///
/// O(nnz · width).
///
/// # Panics
///
/// On a slice of another length.
pub fn spmm_max<T: Scalar>(
    exec: &dyn Executor,
    a: &Csr,
    x: &[T],
    width: usize,
    y: &mut [T],
    argmax: &mut [u32],
) {
    assert_eq!(x.len(), a.cols() * width, "spmm_max: `x` must be [{}, {width}]", a.cols());
    assert_eq!(y.len(), a.rows() * width, "spmm_max: `y` must be [{}, {width}]", a.rows());
    assert_eq!(argmax.len(), y.len(), "spmm_max: `argmax` must be [{}, {width}]", a.rows());
    if width == 0 {
        return;
    }
    let ptr = a.row_ptr();
    let pieces = (Rows { data: y, width }, Rows { data: argmax, width });
    over(
        exec,
        a.rows(),
        |row| (ptr[row] as usize + row) * width,
        pieces,
        |rows, (y, argmax)| {
            wide(width, Largest { a, rows, x, y: y.data, argmax: argmax.data });
        },
    );
}

struct Largest<'a, T> {
    a: &'a Csr,
    rows: Range<usize>,
    x: &'a [T],
    y: &'a mut [T],
    argmax: &'a mut [u32],
}

impl<T: Scalar> Loop for Largest<'_, T> {
    #[inline(always)]
    fn run(self, width: usize) {
        let outs = self.y.chunks_exact_mut(width).zip(self.argmax.chunks_exact_mut(width));
        for (row, (y, argmax)) in self.rows.zip(outs) {
            let cols = self.a.row(row);
            if cols.is_empty() {
                y.fill(T::ZERO);
                argmax.fill(NO_ROW);
                continue;
            }
            strips!(width, at, N in [32, 8, 4, 1] => columns::<T, N>(cols, self.x, at, y, argmax));
        }
    }
}

/// The largest of columns `at..at + N` of the rows `cols` of `x`, and which they are.
#[inline(always)]
fn columns<T: Scalar, const N: usize>(cols: &[u32], x: &[T], at: usize, y: &mut [T], argmax: &mut [u32]) {
    let width = y.len();
    let row = |col: u32| array::<T, N>(&x[col as usize * width..][..width], at);
    let Some((&first, rest)) = cols.split_first() else { return };
    let (mut largest, mut winner) = (*row(first), [first; N]);
    for &col in rest {
        let values = row(col);
        for lane in 0..N {
            let (x, best) = (values[lane], largest[lane]);
            // A NaN beats every number, and no NaN.
            let wins = (x > best) | (x.is_nan() & !best.is_nan());
            largest[lane] = if wins { x } else { best };
            winner[lane] = if wins { col } else { winner[lane] };
        }
    }
    *array_mut(y, at) = largest;
    *array_mut(argmax, at) = winner;
}

/// Gradient of [`spmm_max`] for `x`: each number of `grad` goes to the column it came from.
///
/// # Shapes
///
/// `grad, argmax: [rows, width]`, `dx: [cols, width]`.
///
/// # Complexity
///
/// O(nnz · width).
///
/// # Panics
///
/// On a slice of another length.
pub fn spmm_max_backward<T: Scalar>(
    exec: &dyn Executor,
    a: &Pattern,
    grad: &[T],
    argmax: &[u32],
    width: usize,
    dx: &mut [T],
) {
    let senders = a.transpose();
    assert_eq!(grad.len(), a.rows() * width, "spmm_max_backward: `grad` must be [{}, {width}]", a.rows());
    assert_eq!(argmax.len(), grad.len(), "spmm_max_backward: `argmax` must be [{}, {width}]", a.rows());
    assert_eq!(dx.len(), a.cols() * width, "spmm_max_backward: `dx` must be [{}, {width}]", a.cols());
    if width == 0 {
        return;
    }
    let ptr = senders.row_ptr();
    over(
        exec,
        senders.rows(),
        |col| (ptr[col] as usize + col) * width,
        Rows { data: dx, width },
        |cols, piece| {
            for (col, dx) in cols.zip(piece.data.chunks_exact_mut(width)) {
                dx.fill(T::ZERO);
                for &row in senders.row(col) {
                    let place = row as usize * width..(row as usize + 1) * width;
                    for ((dx, &grad), &from) in dx.iter_mut().zip(&grad[place.clone()]).zip(&argmax[place]) {
                        *dx += if from as usize == col { grad } else { T::ZERO };
                    }
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Serial;

    #[test]
    fn maxima_and_where_they_came_from() {
        // Row 0 receives from 1 and 2, row 1 from nobody, row 2 from 1.
        let a = Pattern::new(Csr::from_edges(3, 3, [(0, 1), (0, 2), (2, 1)]).unwrap());
        let x = [9.0, 9.0, 1.0, f64::NAN, 1.0, 5.0];
        let (mut y, mut argmax) = ([7.0; 6], [7; 6]);
        spmm_max(&Serial, a.csr(), &x, 2, &mut y, &mut argmax);
        assert_eq!((y[0], y[2], y[3], y[4]), (1.0, 0.0, 0.0, 1.0));
        assert!(y[1].is_nan() && y[5].is_nan());
        assert_eq!(argmax, [1, 1, NO_ROW, NO_ROW, 1, 1]);
        let mut dx = [7.0; 6];
        spmm_max_backward(&Serial, &a, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0], &argmax, 2, &mut dx);
        assert_eq!(dx, [0.0, 0.0, 17.0, 34.0, 0.0, 0.0]);
    }
}

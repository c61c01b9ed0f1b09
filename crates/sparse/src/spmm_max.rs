//! Largest value over the columns of a row: max aggregation and max pooling.

use std::ops::Range;

use crate::csr::Csr;
use crate::lanes::{array, array_mut, strips};
use crate::parallel::{Executor, Rows, Spans, over};
use crate::pattern::Pattern;
use crate::scalar::Scalar;
use crate::segment::{Loop, NO_ROW, wide};

/// Sums of products that are added up side by side.
const LANES: usize = 8;

/// `y_i = max_j a_ij x_j` over the columns `j` of row `i`, number by number, and the column each maximum came from; of equal
/// ones the first. Without values, all are 1.
///
/// An empty row gives 0 and [`NO_ROW`]. A NaN wins over every number, so that it is not lost.
///
/// # Shapes
///
/// `values: [nnz]`, `x: [cols, width]`, `y, argmax: [rows, width]`.
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
    values: Option<&[T]>,
    x: &[T],
    width: usize,
    y: &mut [T],
    argmax: &mut [u32],
) {
    check_values("spmm_max", a, values);
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
        |rows, (y, argmax)| match values {
            None => wide(width, Largest { a, rows, x, send: |_, x| x, y: y.data, argmax: argmax.data }),
            Some(values) => {
                let send = |edge: usize, x| values[edge] * x;
                wide(width, Largest { a, rows, x, send, y: y.data, argmax: argmax.data });
            }
        },
    );
}

fn check_values<T>(kernel: &str, a: &Csr, values: Option<&[T]>) {
    if let Some(values) = values {
        assert_eq!(values.len(), a.nnz(), "{kernel}: `values` must hold one number per edge");
    }
}

/// `send` is what an edge makes of a number.
struct Largest<'a, T, F> {
    a: &'a Csr,
    rows: Range<usize>,
    x: &'a [T],
    send: F,
    y: &'a mut [T],
    argmax: &'a mut [u32],
}

impl<T: Scalar, F: Fn(usize, T) -> T + Copy> Loop for Largest<'_, T, F> {
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
            let edges = self.a.range(row);
            strips!(width, at, N in [32, 8, 4, 1] => {
                columns::<T, _, N>(cols, |edge, x| (self.send)(edges.start + edge, x), self.x, at, y, argmax);
            });
        }
    }
}

/// The largest of columns `at..at + N` of what the rows `cols` of `x` send, and which they are.
#[inline(always)]
fn columns<T: Scalar, F: Fn(usize, T) -> T, const N: usize>(
    cols: &[u32],
    send: F,
    x: &[T],
    at: usize,
    y: &mut [T],
    argmax: &mut [u32],
) {
    let width = y.len();
    let row = |col: u32| array::<T, N>(&x[col as usize * width..][..width], at);
    let Some((&first, rest)) = cols.split_first() else { return };
    let (mut largest, mut winner) = (*row(first), [first; N]);
    for x in &mut largest {
        *x = send(0, *x);
    }
    for (edge, &col) in (1..).zip(rest) {
        let values = row(col);
        for lane in 0..N {
            let (x, best) = (send(edge, values[lane]), largest[lane]);
            // A NaN beats every number, and no NaN.
            let wins = (x > best) | (x.is_nan() & !best.is_nan());
            largest[lane] = if wins { x } else { best };
            winner[lane] = if wins { col } else { winner[lane] };
        }
    }
    *array_mut(y, at) = largest;
    *array_mut(argmax, at) = winner;
}

/// Gradient of [`spmm_max`] for `x`: each number of `grad`, times the edge's value, goes to the column it came from.
///
/// # Shapes
///
/// `values: [nnz]` in the edge order of `A`, `grad, argmax: [rows, width]`, `dx: [cols, width]`.
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
    values: Option<&[T]>,
    grad: &[T],
    argmax: &[u32],
    width: usize,
    dx: &mut [T],
) {
    check_values("spmm_max_backward", a.csr(), values);
    match values {
        None => backward(exec, a, |_| T::ONE, grad, argmax, width, dx),
        Some(values) => {
            let edges = a.transposed_edge();
            backward(exec, a, |at| values[edges[at] as usize], grad, argmax, width, dx);
        }
    }
}

/// `value` is that of an entry of the transpose.
fn backward<T: Scalar>(
    exec: &dyn Executor,
    a: &Pattern,
    value: impl Fn(usize) -> T + Sync,
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
                for (at, &row) in senders.range(col).zip(senders.row(col)) {
                    let place = row as usize * width..(row as usize + 1) * width;
                    let value = value(at);
                    for ((dx, &grad), &from) in dx.iter_mut().zip(&grad[place.clone()]).zip(&argmax[place]) {
                        let sent = value * grad;
                        *dx += if from as usize == col { sent } else { T::ZERO };
                    }
                }
            }
        },
    );
}

/// Gradient of [`spmm_max`] for the values: `out_ij = Σ grad_i x_j` over the numbers of row `i` that came from `j`.
///
/// # Shapes
///
/// `grad, argmax: [rows, width]`, `x: [cols, width]`, `out: [nnz]`.
///
/// # Complexity
///
/// O(nnz · width).
///
/// # Panics
///
/// On a slice of another length.
pub fn spmm_max_values<T: Scalar>(
    exec: &dyn Executor,
    a: &Csr,
    grad: &[T],
    argmax: &[u32],
    x: &[T],
    width: usize,
    out: &mut [T],
) {
    assert_eq!(x.len(), a.cols() * width, "spmm_max_values: `x` must be [{}, {width}]", a.cols());
    assert_eq!(grad.len(), a.rows() * width, "spmm_max_values: `grad` must be [{}, {width}]", a.rows());
    assert_eq!(argmax.len(), grad.len(), "spmm_max_values: `argmax` must be [{}, {width}]", a.rows());
    assert_eq!(out.len(), a.nnz(), "spmm_max_values: `out` must hold one number per edge");
    let ptr = a.row_ptr();
    let out = Spans { data: out, ptr, width: 1 };
    over(
        exec,
        a.rows(),
        |row| ptr[row] as usize * width + row,
        out,
        |rows, mut out| {
            for (row, out) in rows.zip(out.each()) {
                let place = row * width..(row + 1) * width;
                let (grad, argmax) = (&grad[place.clone()], &argmax[place]);
                for (out, &col) in out.iter_mut().zip(a.row(row)) {
                    let x = &x[col as usize * width..][..width];
                    *out = products_from(col, argmax, grad, x);
                }
            }
        },
    );
}

/// Sum of `grad · x` over the numbers that came from `col`.
#[inline(always)]
fn products_from<T: Scalar>(col: u32, argmax: &[u32], grad: &[T], x: &[T]) -> T {
    let product = |from: u32, grad: T, x: T| {
        let product = grad * x;
        if from == col { product } else { T::ZERO }
    };
    let mut sums = [T::ZERO; LANES];
    let (from, grads, xs) = (argmax.chunks_exact(LANES), grad.chunks_exact(LANES), x.chunks_exact(LANES));
    let rest = from.remainder().iter().zip(grads.remainder()).zip(xs.remainder());
    let mut sum = T::ZERO;
    for ((&from, &grad), &x) in rest {
        sum += product(from, grad, x);
    }
    for ((from, grad), x) in from.zip(grads).zip(xs) {
        for lane in 0..LANES {
            sums[lane] += product(from[lane], grad[lane], x[lane]);
        }
    }
    for partial in sums {
        sum += partial;
    }
    sum
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
        spmm_max(&Serial, a.csr(), None, &x, 2, &mut y, &mut argmax);
        assert_eq!((y[0], y[2], y[3], y[4]), (1.0, 0.0, 0.0, 1.0));
        assert!(y[1].is_nan() && y[5].is_nan());
        assert_eq!(argmax, [1, 1, NO_ROW, NO_ROW, 1, 1]);
        let mut dx = [7.0; 6];
        spmm_max_backward(&Serial, &a, None, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0], &argmax, 2, &mut dx);
        assert_eq!(dx, [0.0, 0.0, 17.0, 34.0, 0.0, 0.0]);
    }
    #[test]
    fn values_scale_before_the_maximum() {
        // Row 0 receives −1·x₁ and 2·x₂, row 2 receives 3·x₁.
        let a = Pattern::new(Csr::from_edges(3, 3, [(0, 1), (0, 2), (2, 1)]).unwrap());
        let (values, x) = ([-1.0, 2.0, 3.0], [9.0, 9.0, 5.0, -4.0, 1.0, 1.0]);
        let (mut y, mut argmax) = ([7.0; 6], [7; 6]);
        spmm_max(&Serial, a.csr(), Some(&values), &x, 2, &mut y, &mut argmax);
        assert_eq!(y, [2.0, 4.0, 0.0, 0.0, 15.0, -12.0]);
        assert_eq!(argmax, [2, 1, NO_ROW, NO_ROW, 1, 1]);
        let (grad, mut dx, mut dvalues) = ([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], [7.0; 6], [7.0; 3]);
        spmm_max_backward(&Serial, &a, Some(&values), &grad, &argmax, 2, &mut dx);
        assert_eq!(dx, [0.0, 0.0, 48.0, 94.0, 2.0, 0.0]);
        spmm_max_values(&Serial, a.csr(), &grad, &argmax, &x, 2, &mut dvalues);
        assert_eq!(dvalues, [-8.0, 1.0, -48.0]);
    }
}

//! Sparse times dense: one row of the result at a time, edges in order.
//!
//! A row is summed in registers, finished there (bias, activation, the row itself, a mean) and written once. Rows of `x`
//! that are far from the processor are asked for a few edges ahead.

mod fused;
pub(crate) mod walk;

pub use fused::{
    spmm_act, spmm_beside, spmm_beside_backward, spmm_halves, spmm_halves_backward, spmm_own,
    spmm_own_transposed,
};

use crate::csr::Csr;
use crate::parallel::Executor;
use crate::pattern::Pattern;
use crate::scalar::Scalar;
use walk::{Finish, Start, Table, Walk, Weights};

/// `y = A x`: `y_i = Σ_j a_ij x_j`. Without values, all are 1.
///
/// # Shapes
///
/// `values: [nnz]`, `x: [cols, width]`, `y: [rows, width]`.
///
/// # Complexity
///
/// O(nnz · width), no allocation beyond the list of tasks.
///
/// # Panics
///
/// On a slice of another length.
pub fn spmm<T: Scalar>(
    exec: &dyn Executor,
    a: &Csr,
    values: Option<&[T]>,
    x: &[T],
    width: usize,
    y: &mut [T],
) {
    check("spmm", a, values, x, width, y);
    plain(a, Weights::of(values), x, width).run(exec, y);
}

/// `y = Aᵀ x` through the stored transpose: `y_j = Σ_i a_ij x_i`. The backward of [`spmm`] for `x`.
///
/// # Shapes
///
/// `values: [nnz]` in the edge order of `A`, `x: [rows, width]`, `y: [cols, width]`.
///
/// # Complexity
///
/// O(nnz · width), no allocation beyond the list of tasks.
///
/// # Panics
///
/// On a slice of another length.
pub fn spmm_transposed<T: Scalar>(
    exec: &dyn Executor,
    a: &Pattern,
    values: Option<&[T]>,
    x: &[T],
    width: usize,
    y: &mut [T],
) {
    check("spmm_transposed", a.transpose(), values, x, width, y);
    plain(a.transpose(), Weights::transposed(a, values), x, width).run(exec, y);
}

/// Mean over the columns of a row: `y_i = Σ_j x_j / |row i|`; an empty row gives 0.
///
/// # Shapes
///
/// `x: [cols, width]`, `y: [rows, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn spmm_mean<T: Scalar>(exec: &dyn Executor, a: &Csr, x: &[T], width: usize, y: &mut [T]) {
    check("spmm_mean", a, None, x, width, y);
    Walk { finish: Finish::Mean, ..plain(a, Weights::One, x, width) }.run(exec, y);
}

/// Gradient of [`spmm_mean`] for `x`: `out_j = Σ_i grad_i / |row i|` over the rows that hold `j`.
///
/// # Shapes
///
/// `grad: [rows, width]`, `out: [cols, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn spmm_mean_backward<T: Scalar>(
    exec: &dyn Executor,
    a: &Pattern,
    grad: &[T],
    width: usize,
    out: &mut [T],
) {
    check("spmm_mean_backward", a.transpose(), None, grad, width, out);
    plain(a.transpose(), Weights::Share(a.csr()), grad, width).run(exec, out);
}

/// Sum of the values of each row; without values, its number of entries.
///
/// Its backward, a copy of the gradient of row `i` to the edges of row `i`, is
/// [`segment::sum_backward`](crate::segment::sum_backward) over [`Csr::row_ptr`].
///
/// # Shapes
///
/// `values: [nnz]`, `out: [rows]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn row_sums<T: Scalar>(exec: &dyn Executor, a: &Csr, values: Option<&[T]>, out: &mut [T]) {
    if let Some(values) = values {
        return crate::segment::sum(exec, a.row_ptr(), values, 1, out);
    }
    assert_eq!(out.len(), a.rows(), "row_sums: `out` must hold one number per row");
    for (row, out) in out.iter_mut().enumerate() {
        *out = T::from_count(a.range(row).len());
    }
}

fn check<T>(kernel: &str, a: &Csr, values: Option<&[T]>, x: &[T], width: usize, y: &[T]) {
    if let Some(values) = values {
        assert_eq!(values.len(), a.nnz(), "{kernel}: `values` must hold one number per edge");
    }
    assert_eq!(x.len(), a.cols() * width, "{kernel}: `x` must be [{}, {width}]", a.cols());
    assert_eq!(y.len(), a.rows() * width, "{kernel}: `y` must be [{}, {width}]", a.rows());
}

/// `Σ_edges weight x_col`, nothing before or after.
pub(crate) fn plain<'a, T: Scalar>(
    a: &'a Csr,
    weights: Weights<'a, T>,
    x: &'a [T],
    width: usize,
) -> Walk<'a, T> {
    let (start, finish) = (Start::Zero, Finish::Keep);
    Walk { a, weights, x: Table::new(x, width), width, start, finish, beside: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Serial;

    /// 0 <- 1, 0 <- 2, 2 <- 1; row 1 is empty.
    fn small() -> Pattern {
        Pattern::new(Csr::from_edges(3, 3, [(0, 1), (0, 2), (2, 1)]).unwrap())
    }

    #[test]
    fn mean_leaves_an_empty_row_at_zero() {
        let a = small();
        let mut y = [7.0; 6];
        spmm_mean(&Serial, a.csr(), &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, &mut y);
        assert_eq!(y, [4.0, 5.0, 0.0, 0.0, 3.0, 4.0]);
        let mut dx = [7.0; 3];
        spmm_mean_backward(&Serial, &a, &[1.0, 10.0, 100.0], 1, &mut dx);
        assert_eq!(dx, [0.0, 100.5, 0.5]);
    }

    #[test]
    fn degrees_and_weighted_degrees() {
        let mut sums = [0.0; 3];
        row_sums(&Serial, small().csr(), None, &mut sums);
        assert_eq!(sums, [2.0, 0.0, 1.0]);
        row_sums(&Serial, small().csr(), Some(&[0.5, 0.25, -1.0]), &mut sums);
        assert_eq!(sums, [0.75, 0.0, -1.0]);
    }

    #[test]
    #[should_panic(expected = "spmm: `x` must be [3, 2]")]
    fn a_wrong_length_is_named() {
        spmm(&Serial, small().csr(), None, &[0.0; 5], 2, &mut [0.0; 6]);
    }
}

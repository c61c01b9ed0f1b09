//! Sparse times dense: one row of the result at a time, edges in order.
//!
//! The columns are taken in blocks that stay in registers while the edges of the row are walked; each number of the
//! result is a sum in edge order whatever the block.

use crate::csr::Csr;
use crate::parallel::{Executor, Rows, over};
use crate::pattern::Pattern;
use crate::scalar::Scalar;

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
    match values {
        Some(values) => product(exec, a, |edge, _| values[edge], |_| T::ONE, x, width, y),
        None => product(exec, a, |_, _| T::ONE, |_| T::ONE, x, width, y),
    }
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
    let (transpose, map) = (a.transpose(), a.transposed_edge());
    check("spmm_transposed", transpose, values, x, width, y);
    match values {
        Some(values) => {
            product(exec, transpose, |edge, _| values[map[edge] as usize], |_| T::ONE, x, width, y);
        }
        None => product(exec, transpose, |_, _| T::ONE, |_| T::ONE, x, width, y),
    }
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
    product(exec, a, |_, _| T::ONE, |row| share(a, row), x, width, y);
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
    let (a, transpose) = (a.csr(), a.transpose());
    check("spmm_mean_backward", transpose, None, grad, width, out);
    product(exec, transpose, |_, row| share(a, row as usize), |_| T::ONE, grad, width, out);
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

/// One over the number of entries of a row. An empty row has sum 0, which stays 0.
fn share<T: Scalar>(a: &Csr, row: usize) -> T {
    T::ONE / T::from_count(a.range(row).len().max(1))
}

fn check<T>(kernel: &str, a: &Csr, values: Option<&[T]>, x: &[T], width: usize, y: &[T]) {
    if let Some(values) = values {
        assert_eq!(values.len(), a.nnz(), "{kernel}: `values` must hold one number per edge");
    }
    assert_eq!(x.len(), a.cols() * width, "{kernel}: `x` must be [{}, {width}]", a.cols());
    assert_eq!(y.len(), a.rows() * width, "{kernel}: `y` must be [{}, {width}]", a.rows());
}

/// `y_i = scale(i) Σ_edges weight(edge, col) x_col`.
fn product<T: Scalar>(
    exec: &dyn Executor,
    a: &Csr,
    weight: impl Fn(usize, u32) -> T + Sync,
    scale: impl Fn(usize) -> T + Sync,
    x: &[T],
    width: usize,
    y: &mut [T],
) {
    if width == 0 {
        return;
    }
    let ptr = a.row_ptr();
    over(
        exec,
        a.rows(),
        |row| (ptr[row] as usize + row) * width,
        Rows { data: y, width },
        |rows, piece| {
            for (row, y) in rows.zip(piece.data.chunks_exact_mut(width)) {
                let (first, cols) = (a.range(row).start, a.row(row));
                combine(cols, |k| weight(first + k, cols[k]), scale(row), x, y);
            }
        },
    );
}

/// Edges whose weights are looked up together, once for all blocks of columns.
const GROUP: usize = 32;

/// `y = scale Σ_k weight(k) x_cols[k]`, `k` ascending.
#[inline]
fn combine<T: Scalar>(cols: &[u32], weight: impl Fn(usize) -> T, scale: T, x: &[T], y: &mut [T]) {
    y.fill(T::ZERO);
    let mut weights = [T::ZERO; GROUP];
    for (group, cols) in cols.chunks(GROUP).enumerate() {
        for (k, weight_of_k) in (group * GROUP..).zip(&mut weights[..cols.len()]) {
            *weight_of_k = weight(k);
        }
        let terms = Terms { cols, weights: &weights[..cols.len()], x, width: y.len() };
        let at = terms.add::<32>(y, 0);
        let at = terms.add::<8>(y, at);
        terms.add::<1>(y, at);
    }
    for y in y {
        *y *= scale;
    }
}

/// Weighted rows of `x`.
struct Terms<'a, T> {
    cols: &'a [u32],
    weights: &'a [T],
    x: &'a [T],
    width: usize,
}

impl<T: Scalar> Terms<'_, T> {
    /// Adds them to `y` from column `at` on, by whole blocks, and says where it stopped.
    #[inline]
    fn add<const N: usize>(&self, y: &mut [T], mut at: usize) -> usize {
        let (blocks, _) = y[at..].as_chunks_mut::<N>();
        for block in blocks {
            let mut sum = *block;
            for (&col, &weight) in self.cols.iter().zip(self.weights) {
                let terms = &self.x[col as usize * self.width + at..][..N];
                for (sum, &term) in sum.iter_mut().zip(terms) {
                    *sum += weight * term;
                }
            }
            *block = sum;
            at += N;
        }
        at
    }
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

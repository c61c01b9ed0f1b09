//! Sparse times sparse: a symbolic phase that fixes the pattern of `C = A B`, and a numeric phase that may be repeated.
//!
//! A pooled adjacency `Sᵀ A S` is two products: `T = A S`, then `Sᵀ T` with the stored
//! [transpose](crate::Pattern::transpose) of `S` as the left factor. Its values come from
//! [`transpose_values`](crate::Pattern::transpose_values), and their gradient goes back through
//! [`untranspose_values`](crate::Pattern::untranspose_values).

mod backward;
mod seen;

use std::sync::{Mutex, PoisonError};

use crate::csr::{Csr, accumulate};
use crate::error::{Error, index};
use crate::parallel::{Executor, Rows, Spaces, Spans, over};
use crate::scalar::Scalar;
use seen::Seen;

/// `C = A B` and its values, at once. Values left out are all 1.
///
/// # Shapes
///
/// `av: [nnz of A]`, `bv: [nnz of B]`.
///
/// # Errors
///
/// More than `u32::MAX` entries of `C`.
///
/// # Panics
///
/// If the shapes do not chain, or on a slice of another length.
pub fn multiply<T: Scalar>(
    exec: &dyn Executor,
    a: &Csr,
    av: Option<&[T]>,
    b: &Csr,
    bv: Option<&[T]>,
) -> Result<(Csr, Vec<T>), Error> {
    let product = Product::new(exec, a, b)?;
    let mut values = vec![T::ZERO; product.csr().nnz()];
    product.values(exec, a, av, b, bv, &mut values);
    Ok((product.into_csr(), values))
}

/// The pattern of `C = A B`: an entry wherever some `k` has both `(i, k)` and `(k, j)`, whatever the values.
///
/// The factors are not kept; each method takes those it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    csr: Csr,
}

impl Product {
    /// Finds the pattern.
    ///
    /// # Complexity
    ///
    /// O(F + nnz of C · log) for F = Σ over entries `(i, k)` of `A` of the length of row `k` of `B`; work space of one
    /// bit per column of `B` and thread, and the columns of `C` once more.
    ///
    /// # Errors
    ///
    /// More than `u32::MAX` entries.
    ///
    /// # Panics
    ///
    /// If `A` has not as many columns as `B` rows.
    pub fn new(exec: &dyn Executor, a: &Csr, b: &Csr) -> Result<Self, Error> {
        assert_eq!(a.cols(), b.rows(), "spgemm: A must have as many columns as B rows");
        let work = work_before(a, b);
        let seen = Spaces::new(|| Seen::nothing(b.cols()));
        let mut lengths = vec![0_u32; a.rows()];
        let counts = Rows { data: &mut lengths, width: 1 };
        // The columns of each range of rows, and its first row.
        let parts = Mutex::new(Vec::new());
        over(
            exec,
            a.rows(),
            |row| work[row],
            counts,
            |rows, piece| {
                let (mut seen, mut cols, start) = (seen.lend(), Vec::new(), rows.start);
                for (row, length) in rows.zip(piece.data) {
                    let before = cols.len();
                    seen.columns(a, b, row, work[row + 1] - work[row], &mut cols);
                    *length = (cols.len() - before) as u32;
                }
                parts.lock().unwrap_or_else(PoisonError::into_inner).push((start, cols));
            },
        );
        let entries = lengths.iter().map(|&length| length as usize).sum();
        index("entries", entries)?;
        let mut row_ptr = Vec::with_capacity(a.rows() + 1);
        row_ptr.push(0);
        row_ptr.extend(lengths);
        accumulate(&mut row_ptr);
        let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        parts.sort_unstable_by_key(|part| part.0);
        let mut parts = parts.into_iter().map(|part| part.1);
        let mut col = parts.next().unwrap_or_default();
        col.reserve_exact(entries - col.len());
        parts.for_each(|part| col.extend(part));
        Ok(Self { csr: Csr::trusted(b.cols(), row_ptr, col) })
    }

    /// The pattern of `C`.
    pub fn csr(&self) -> &Csr {
        &self.csr
    }

    /// The pattern of `C`, without the rest.
    pub fn into_csr(self) -> Csr {
        self.csr
    }

    /// Values of `C`: `c_ij = Σ_k a_ik b_kj`, `k` ascending. Values left out are all 1.
    ///
    /// # Shapes
    ///
    /// `av: [nnz of A]`, `bv: [nnz of B]`, `out: [nnz of C]`.
    ///
    /// # Complexity
    ///
    /// O(F + nnz of C), F as in [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// On factors of another shape than those the pattern was made from, or a slice of another length.
    pub fn values<T: Scalar>(
        &self,
        exec: &dyn Executor,
        a: &Csr,
        av: Option<&[T]>,
        b: &Csr,
        bv: Option<&[T]>,
        out: &mut [T],
    ) {
        let c = &self.csr;
        self.check("values", a, av, b, bv, out.len());
        let work = work_before(a, b);
        let sums = Spaces::new(|| vec![T::ZERO; b.cols()]);
        let spans = Spans { data: out, ptr: c.row_ptr(), width: 1 };
        over(
            exec,
            a.rows(),
            |row| work[row],
            spans,
            |rows, mut piece| {
                let mut sums = sums.lend();
                let sums = sums.as_mut_slice();
                for (row, out) in rows.zip(piece.each()) {
                    for &col in c.row(row) {
                        sums[col as usize] = T::ZERO;
                    }
                    for (left, &middle) in a.range(row).zip(a.row(row)) {
                        let weight = value(av, left);
                        each_entry(b, bv, middle as usize, |col, value| sums[col] += weight * value);
                    }
                    for (out, &col) in out.iter_mut().zip(c.row(row)) {
                        *out = sums[col as usize];
                    }
                }
            },
        );
    }

    fn check<T>(&self, kernel: &str, a: &Csr, av: Option<&[T]>, b: &Csr, bv: Option<&[T]>, entries: usize) {
        let c = &self.csr;
        assert_eq!(
            (a.rows(), a.cols(), b.cols()),
            (c.rows(), b.rows(), c.cols()),
            "spgemm {kernel}: A and B must be the factors of the pattern"
        );
        let check = |what, len, nnz| {
            assert_eq!(len, nnz, "spgemm {kernel}: the values of {what} must be one per edge");
        };
        check("A", av.map_or(a.nnz(), <[T]>::len), a.nnz());
        check("B", bv.map_or(b.nnz(), <[T]>::len), b.nnz());
        check("C", entries, c.nnz());
    }
}

/// The value of an edge.
#[inline]
fn value<T: Scalar>(values: Option<&[T]>, edge: usize) -> T {
    values.map_or(T::ONE, |values| values[edge])
}

/// Multiply–adds (and one for the row itself) before each row of `A`.
fn work_before(a: &Csr, b: &Csr) -> Vec<usize> {
    let mut work = Vec::with_capacity(a.rows() + 1);
    work.push(0);
    for row in 0..a.rows() {
        let products: usize = a.row(row).iter().map(|&middle| b.range(middle as usize).len()).sum();
        work.push(work[row] + 1 + products);
    }
    work
}

/// `add(col, value)` for the entries of a row.
#[inline(always)]
fn each_entry<T: Scalar>(b: &Csr, bv: Option<&[T]>, row: usize, mut add: impl FnMut(usize, T)) {
    match bv {
        Some(bv) => {
            for (&col, &value) in b.row(row).iter().zip(&bv[b.range(row)]) {
                add(col as usize, value);
            }
        }
        None => b.row(row).iter().for_each(|&col| add(col as usize, T::ONE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Serial;
    use crate::pattern::Pattern;

    #[test]
    fn a_path_pooled_into_two_pairs() {
        // 0 - 1 - 2 - 3 with weights 2, 3, 4, pooled as {0, 1}, {2, 3}: 2 + 2 inside, 3 across, 4 + 4 inside.
        let a = Csr::from_edges(4, 4, [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]).unwrap();
        let s = Pattern::new(Csr::from_edges(4, 2, [(0, 0), (1, 0), (2, 1), (3, 1)]).unwrap());
        let weights = [2.0, 2.0, 3.0, 3.0, 4.0, 4.0];
        let (half, values) = multiply(&Serial, &a, Some(&weights), s.csr(), None).unwrap();
        let (pooled, values) = multiply(&Serial, s.transpose(), None, &half, Some(&values)).unwrap();
        assert_eq!(pooled.entries().collect::<Vec<_>>(), [(0, 0), (0, 1), (1, 0), (1, 1)]);
        assert_eq!(values, [4.0, 3.0, 3.0, 8.0]);
    }

    #[test]
    fn backward_of_one_row_times_two() {
        // C = [a b] [[c 0] [d e]] = [ac + bd, be].
        let a = Pattern::new(Csr::from_edges(1, 2, [(0, 0), (0, 1)]).unwrap());
        let b = Csr::from_edges(2, 2, [(0, 0), (1, 0), (1, 1)]).unwrap();
        let (av, bv, grad) = ([2.0, 3.0], [5.0, 7.0, 11.0], [1.0, 10.0]);
        let product = Product::new(&Serial, a.csr(), &b).unwrap();
        let (mut da, mut db) = ([0.0; 2], [0.0; 3]);
        product.backward_left(&Serial, a.csr(), &b, Some(&bv), &grad, &mut da);
        product.backward_right(&Serial, &a, Some(&av), &b, &grad, &mut db);
        assert_eq!(da, [5.0, 7.0 + 110.0]);
        assert_eq!(db, [2.0, 3.0, 30.0]);
    }

    #[test]
    fn an_entry_that_cancels_stays_in_the_pattern() {
        let a = Csr::from_edges(1, 2, [(0, 0), (0, 1)]).unwrap();
        let b = Csr::from_edges(2, 1, [(0, 0), (1, 0)]).unwrap();
        let (c, values) = multiply(&Serial, &a, Some(&[1.0, -1.0]), &b, None).unwrap();
        assert_eq!((c.nnz(), values), (1, vec![0.0]));
    }
}

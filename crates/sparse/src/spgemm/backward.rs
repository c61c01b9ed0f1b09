//! Gradients of a product's values for the values of its factors; the patterns are constants.

use super::{Product, value, work_before};
use crate::csr::Csr;
use crate::parallel::{Executor, Spaces, Spans, over};
use crate::pattern::Pattern;
use crate::scalar::Scalar;

impl Product {
    /// Gradient for the values of `A`: `da_ik = Σ_j dc_ij b_kj`, `j` ascending.
    ///
    /// # Shapes
    ///
    /// `bv: [nnz of B]`, `grad: [nnz of C]`, `out: [nnz of A]`.
    ///
    /// # Complexity
    ///
    /// O(F + nnz of C), F as in [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// On factors of another shape than those the pattern was made from, or a slice of another length.
    pub fn backward_left<T: Scalar>(
        &self,
        exec: &dyn Executor,
        a: &Csr,
        b: &Csr,
        bv: Option<&[T]>,
        grad: &[T],
        out: &mut [T],
    ) {
        let c = &self.csr;
        self.check("backward_left", a, Some(&*out), b, bv, grad.len());
        let work = work_before(a, b);
        let incoming = Spaces::new(|| vec![T::ZERO; b.cols()]);
        let spans = Spans { data: out, ptr: a.row_ptr(), width: 1 };
        over(
            exec,
            a.rows(),
            |row| work[row],
            spans,
            |rows, mut piece| {
                let mut incoming = incoming.lend();
                let incoming = incoming.as_mut_slice();
                for (row, out) in rows.zip(piece.each()) {
                    for (edge, &col) in c.range(row).zip(c.row(row)) {
                        incoming[col as usize] = grad[edge];
                    }
                    for (out, &middle) in out.iter_mut().zip(a.row(row)) {
                        let edges = b.range(middle as usize).zip(b.row(middle as usize));
                        *out = edges.fold(T::ZERO, |sum, (edge, &col)| {
                            sum + incoming[col as usize] * value(bv, edge)
                        });
                    }
                }
            },
        );
    }

    /// Gradient for the values of `B`: `db_kj = Σ_i a_ik dc_ij`, `i` ascending.
    ///
    /// # Shapes
    ///
    /// `av: [nnz of A]`, `grad: [nnz of C]`, `out: [nnz of B]`.
    ///
    /// # Complexity
    ///
    /// O(F log L) for L the longest row of `C`, F as in [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// On factors of another shape than those the pattern was made from, or a slice of another length.
    pub fn backward_right<T: Scalar>(
        &self,
        exec: &dyn Executor,
        a: &Pattern,
        av: Option<&[T]>,
        b: &Csr,
        grad: &[T],
        out: &mut [T],
    ) {
        let c = &self.csr;
        self.check("backward_right", a.csr(), av, b, Some(&*out), grad.len());
        let (at, map) = (a.transpose(), a.transposed_edge());
        let mut work = Vec::with_capacity(b.rows() + 1);
        work.push(0);
        for row in 0..b.rows() {
            work.push(work[row] + 1 + at.range(row).len() * b.range(row).len());
        }
        let spans = Spans { data: out, ptr: b.row_ptr(), width: 1 };
        over(
            exec,
            b.rows(),
            |row| work[row],
            spans,
            |rows, mut piece| {
                for (row, out) in rows.zip(piece.each()) {
                    out.fill(T::ZERO);
                    for (left, &from) in at.range(row).zip(at.row(row)) {
                        let weight = value(av, map[left] as usize);
                        let mut place = c.range(from as usize).start;
                        let end = c.range(from as usize).end;
                        for (out, &col) in out.iter_mut().zip(b.row(row)) {
                            place += ahead(&c.col()[place..end], col);
                            *out += weight * grad[place];
                        }
                    }
                }
            },
        );
    }
}

/// Short rows are walked, longer ones bisected.
const WALK: usize = 16;

/// Where `col`, which is there, stands in `cols`.
#[inline]
fn ahead(cols: &[u32], col: u32) -> usize {
    let near = cols.len().min(WALK);
    match cols[..near].iter().position(|&other| other >= col) {
        Some(place) => place,
        None => near + cols[near..].partition_point(|&other| other < col),
    }
}

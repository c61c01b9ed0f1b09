//! Gradients of a product's values for the values of its factors; the patterns are constants.

use std::ops::Range;

use super::{Product, each_entry, value, work_before};
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
                    each_entry(c, Some(grad), row, |col, grad| incoming[col] = grad);
                    for (out, &middle) in out.iter_mut().zip(a.row(row)) {
                        let mut sum = T::ZERO;
                        each_entry(b, bv, middle as usize, |col, value| sum += incoming[col] * value);
                        *out = sum;
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
    /// O(F + nnz of C), F as in [`new`](Self::new); each of up to four tasks reads `C`.
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
        let (a, at) = (a.csr(), a.transpose());
        let mut work = Vec::with_capacity(b.rows() + 1);
        work.push(0);
        for row in 0..b.rows() {
            work.push(work[row] + 1 + at.range(row).len() * b.range(row).len());
        }
        let incoming = Spaces::new(|| vec![T::ZERO; b.cols()]);
        let spans = Spans { data: out, ptr: b.row_ptr(), width: 1 };
        // Each task reads all rows of `C` that meet its rows of `B`: few tasks, then.
        let few = Few { exec, task_cost: exec.task_cost().max(work[b.rows()] / MOST_READS + 1) };
        over(
            &few,
            b.rows(),
            |row| work[row],
            spans,
            |rows, piece| {
                piece.data.fill(T::ZERO);
                let mut incoming = incoming.lend();
                let incoming = incoming.as_mut_slice();
                let first = b.row_ptr()[rows.start] as usize;
                for from in 0..a.rows() {
                    let start = a.row(from).partition_point(|&middle| (middle as usize) < rows.start);
                    let met = a.row(from)[start..].iter().take_while(|&&middle| (middle as usize) < rows.end);
                    let mut met = (a.range(from).start + start..).zip(met).peekable();
                    if met.peek().is_none() {
                        continue;
                    }
                    each_entry(c, Some(grad), from, |col, grad| incoming[col] = grad);
                    for (left, &middle) in met {
                        let (weight, edges) = (value(av, left), b.range(middle as usize));
                        let out = &mut piece.data[edges.start - first..edges.end - first];
                        for (out, &col) in out.iter_mut().zip(b.row(middle as usize)) {
                            *out += weight * incoming[col as usize];
                        }
                    }
                }
            },
        );
    }
}

/// Tasks of [`Product::backward_right`], hence reads of `C`.
const MOST_READS: usize = 4;

/// An executor asked for larger tasks.
struct Few<'a> {
    exec: &'a dyn Executor,
    task_cost: usize,
}

impl Executor for Few<'_> {
    fn run(&self, n: usize, grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) {
        self.exec.run(n, grain, body);
    }

    fn task_cost(&self) -> usize {
        self.task_cost
    }
}

//! A sparse structure together with its transpose.

use crate::csr::{Csr, accumulate};
use crate::error::Error;
use crate::scalar::Scalar;

/// A [`Csr`] `A`, its transpose, and which edge of `A` each edge of `Aᵀ` is. Built once, then shared and immutable.
///
/// A symmetric structure is kept once: [`transpose`](Self::transpose) then is [`csr`](Self::csr). The map between edges
/// is not the identity even so, because edge `(i, j)` of `Aᵀ` carries the value of edge `(j, i)` of `A`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    csr: Csr,
    transpose: Option<Csr>,
    transposed_edge: Vec<u32>,
}

impl Pattern {
    /// Builds the transpose.
    ///
    /// # Complexity
    ///
    /// One counting sort: O(rows + cols + nnz); a symmetric structure is recognised on the way.
    pub fn new(csr: Csr) -> Self {
        if let Some(transposed_edge) = reverse_edges(&csr) {
            return Self { csr, transpose: None, transposed_edge };
        }
        let (transpose, transposed_edge) = transposed(&csr);
        Self { csr, transpose: Some(transpose), transposed_edge }
    }

    /// The diagonal of `[n, n]`.
    ///
    /// # Errors
    ///
    /// `n` above `u32::MAX`.
    pub fn identity(n: usize) -> Result<Self, Error> {
        Csr::identity(n).map(Self::new)
    }

    /// `A`.
    pub fn csr(&self) -> &Csr {
        &self.csr
    }

    /// `Aᵀ`.
    pub fn transpose(&self) -> &Csr {
        self.transpose.as_ref().unwrap_or(&self.csr)
    }

    /// The edge of `A` behind each edge of `Aᵀ`: `[nnz]`.
    pub fn transposed_edge(&self) -> &[u32] {
        &self.transposed_edge
    }

    /// Is the structure (not necessarily the values) symmetric?
    pub fn is_symmetric(&self) -> bool {
        self.transpose.is_none()
    }

    /// Rows of `A`.
    pub fn rows(&self) -> usize {
        self.csr.rows()
    }

    /// Columns of `A`.
    pub fn cols(&self) -> usize {
        self.csr.cols()
    }

    /// Entries of `A`.
    pub fn nnz(&self) -> usize {
        self.csr.nnz()
    }

    /// The pattern of `Aᵀ`, whose transpose is `A`.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let Some(transpose) = &self.transpose else { return self.clone() };
        let mut back = vec![0; self.nnz()];
        for (edge, &old) in self.transposed_edge.iter().enumerate() {
            back[old as usize] = edge as u32;
        }
        Self { csr: transpose.clone(), transpose: Some(self.csr.clone()), transposed_edge: back }
    }

    /// Values of `A` (edge order of `A`) as values of `Aᵀ` (edge order of `Aᵀ`).
    ///
    /// # Shapes
    ///
    /// `values, out: [nnz]`.
    ///
    /// # Panics
    ///
    /// On a length other than `nnz`.
    pub fn transpose_values<T: Scalar>(&self, values: &[T], out: &mut [T]) {
        assert_eq!(values.len(), self.nnz(), "transpose_values: one value per edge");
        assert_eq!(out.len(), self.nnz(), "transpose_values: one output per edge");
        for (out, &edge) in out.iter_mut().zip(&self.transposed_edge) {
            *out = values[edge as usize];
        }
    }

    /// Values of `Aᵀ` as values of `A`: the inverse, and the backward, of [`transpose_values`](Self::transpose_values).
    ///
    /// # Shapes
    ///
    /// `values, out: [nnz]`.
    ///
    /// # Panics
    ///
    /// On a length other than `nnz`.
    pub fn untranspose_values<T: Scalar>(&self, values: &[T], out: &mut [T]) {
        assert_eq!(values.len(), self.nnz(), "untranspose_values: one value per edge");
        assert_eq!(out.len(), self.nnz(), "untranspose_values: one output per edge");
        for (&value, &edge) in values.iter().zip(&self.transposed_edge) {
            out[edge as usize] = value;
        }
    }
}

impl From<Csr> for Pattern {
    fn from(csr: Csr) -> Self {
        Self::new(csr)
    }
}

/// For each edge `(i, j)` the edge `(j, i)`, if all have one.
///
/// Walking the rows in order meets the entries of each column by ascending row: in a symmetric structure, exactly the
/// columns of the row of that number, one after the other.
fn reverse_edges(a: &Csr) -> Option<Vec<u32>> {
    if a.rows() != a.cols() {
        return None;
    }
    let mut next = a.row_ptr().to_vec();
    let mut reverse = vec![0; a.nnz()];
    for row in 0..a.rows() {
        for edge in a.range(row) {
            let col = a.col()[edge] as usize;
            let place = next[col] as usize;
            if place == a.row_ptr()[col + 1] as usize || a.col()[place] as usize != row {
                return None;
            }
            reverse[place] = edge as u32;
            next[col] += 1;
        }
    }
    Some(reverse)
}

/// `Aᵀ`, and the edge of `A` behind each of its edges.
fn transposed(a: &Csr) -> (Csr, Vec<u32>) {
    let mut row_ptr = vec![0; a.cols() + 1];
    for &col in a.col() {
        row_ptr[col as usize + 1] += 1;
    }
    accumulate(&mut row_ptr);
    let mut next = row_ptr.clone();
    let (mut rows, mut edges) = (vec![0; a.nnz()], vec![0; a.nnz()]);
    for row in 0..a.rows() {
        for edge in a.range(row) {
            let place = &mut next[a.col()[edge] as usize];
            rows[*place as usize] = row as u32;
            edges[*place as usize] = edge as u32;
            *place += 1;
        }
    }
    (Csr::trusted(a.rows(), row_ptr, rows), edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_their_edges() {
        // [[. 1 2] [. . .] [. 3 .]] and its transpose [[. . .] [1 . 3] [2 . .]].
        let pattern = Pattern::new(Csr::from_edges(3, 3, [(0, 1), (0, 2), (2, 1)]).unwrap());
        assert!(!pattern.is_symmetric());
        assert_eq!(pattern.transpose().entries().collect::<Vec<_>>(), [(1, 0), (1, 2), (2, 0)]);
        let mut values = [0.0; 3];
        pattern.transpose_values(&[1.0, 2.0, 3.0], &mut values);
        assert_eq!(values, [1.0, 3.0, 2.0]);
    }

    #[test]
    fn symmetric_structure_still_moves_values() {
        let pattern = Pattern::new(Csr::from_edges(3, 3, [(0, 1), (1, 0), (1, 2), (2, 1)]).unwrap());
        assert!(pattern.is_symmetric());
        assert_eq!(pattern.transposed_edge(), [1, 0, 3, 2]);
        assert!(Pattern::identity(4).unwrap().is_symmetric());
    }
}

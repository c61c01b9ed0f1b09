//! New structures from old ones: induced, filtered, with or without the diagonal.
//!
//! Each comes with the old index of every new edge, so that values and attributes follow by a gather (and gradients by
//! the scatter that undoes it).

use crate::csr::Csr;
use crate::error::{Error, index};

/// Not among the kept nodes.
const DROPPED: u32 = u32::MAX;

/// Rows counted through rather than bisected.
const SHORT: usize = 16;

impl Csr {
    /// The edges among `kept` nodes, relabelled by position in `kept`, and the old index of each.
    ///
    /// # Shapes
    ///
    /// Square `[n, n]` to `[kept.len(), kept.len()]`.
    ///
    /// # Complexity
    ///
    /// O(n + edges of kept rows); a row whose new columns come out of order is sorted.
    ///
    /// # Panics
    ///
    /// If the structure is not square, or `kept` names a node twice or out of range.
    ///
    /// # Examples
    ///
    /// ```
    /// # use coarsen_sparse::Csr;
    /// let path = Csr::from_edges(3, 3, [(0, 1), (1, 0), (1, 2), (2, 1)])?;
    /// let (kept, edges) = path.induced(&[2, 1]);
    /// assert_eq!(kept, Csr::from_edges(2, 2, [(0, 1), (1, 0)])?);
    /// assert_eq!(edges, [3, 2]); // (2, 1), then (1, 2)
    /// # Ok::<(), coarsen_sparse::Error>(())
    /// ```
    pub fn induced(&self, kept: &[u32]) -> (Self, Vec<u32>) {
        assert_eq!(self.rows(), self.cols(), "induced: the structure must be square");
        let mut place = vec![DROPPED; self.rows()];
        for (new, &old) in kept.iter().enumerate() {
            let place = &mut place[old as usize];
            assert_eq!(*place, DROPPED, "induced: node {old} is kept twice");
            *place = new as u32;
        }
        let mut row_ptr = Vec::with_capacity(kept.len() + 1);
        row_ptr.push(0);
        let (mut cols, mut edges) = (Vec::new(), Vec::new());
        let mut row: Vec<(u32, u32)> = Vec::new();
        for &old in kept {
            row.clear();
            for edge in self.range(old as usize) {
                let col = place[self.col()[edge] as usize];
                if col != DROPPED {
                    row.push((col, edge as u32));
                }
            }
            if !row.is_sorted() {
                row.sort_unstable();
            }
            cols.extend(row.iter().map(|entry| entry.0));
            edges.extend(row.iter().map(|entry| entry.1));
            row_ptr.push(cols.len() as u32);
        }
        (Self::trusted(kept.len(), row_ptr, cols), edges)
    }

    /// Rows in the given order, all columns, and the old index of each edge. A row may be named more than once.
    ///
    /// # Shapes
    ///
    /// `[n, m]` to `[rows.len(), m]`.
    ///
    /// # Errors
    ///
    /// More than `u32::MAX` rows or entries (possible only when rows repeat).
    ///
    /// # Panics
    ///
    /// If a row is out of range.
    pub fn select_rows(&self, rows: &[u32]) -> Result<(Self, Vec<u32>), Error> {
        index("rows", rows.len())?;
        let entries = rows.iter().map(|&row| self.row(row as usize).len()).sum();
        index("entries", entries)?;
        let mut row_ptr = Vec::with_capacity(rows.len() + 1);
        row_ptr.push(0);
        let (mut cols, mut edges) = (Vec::with_capacity(entries), Vec::with_capacity(entries));
        for &row in rows {
            cols.extend_from_slice(self.row(row as usize));
            edges.extend(self.range(row as usize).map(|edge| edge as u32));
            row_ptr.push(cols.len() as u32);
        }
        Ok((Self::trusted(self.cols(), row_ptr, cols), edges))
    }

    /// The edges for which `keep(edge, row, col)` holds, in a structure of the same shape, and the old index of each.
    pub fn filter(&self, mut keep: impl FnMut(usize, u32, u32) -> bool) -> (Self, Vec<u32>) {
        let mut row_ptr = Vec::with_capacity(self.rows() + 1);
        row_ptr.push(0);
        let (mut cols, mut edges) = (Vec::with_capacity(self.nnz()), Vec::with_capacity(self.nnz()));
        for row in 0..self.rows() {
            for (edge, &col) in self.range(row).zip(self.row(row)) {
                if keep(edge, row as u32, col) {
                    cols.push(col);
                    edges.push(edge as u32);
                }
            }
            row_ptr.push(cols.len() as u32);
        }
        (Self::trusted(self.cols(), row_ptr, cols), edges)
    }

    /// Without the entries `(i, i)`, and the old index of each edge left.
    pub fn without_diagonal(&self) -> (Self, Vec<u32>) {
        self.filter(|_, row, col| row != col)
    }

    /// With every entry `(i, i)`, and for each edge its old index, `None` for an inserted one.
    ///
    /// # Errors
    ///
    /// More than `u32::MAX` entries.
    pub fn with_diagonal(&self) -> Result<(Self, Vec<Option<u32>>), Error> {
        let diagonal = self.rows().min(self.cols());
        let most = self.nnz() + diagonal;
        let mut row_ptr = Vec::with_capacity(self.rows() + 1);
        row_ptr.push(0);
        let (mut cols, mut edges) = (Vec::with_capacity(most), Vec::with_capacity(most));
        for row in 0..self.rows() {
            let (range, columns) = (self.range(row), self.row(row));
            let before = if columns.len() <= SHORT {
                columns.iter().filter(|&&col| (col as usize) < row).count()
            } else {
                columns.partition_point(|&col| (col as usize) < row)
            };
            let old = |range: std::ops::Range<usize>| range.map(|edge| Some(edge as u32));
            cols.extend_from_slice(&columns[..before]);
            edges.extend(old(range.start..range.start + before));
            if row < diagonal && columns.get(before).is_none_or(|&col| col as usize != row) {
                cols.push(row as u32);
                edges.push(None);
            }
            cols.extend_from_slice(&columns[before..]);
            edges.extend(old(range.start + before..range.end));
            row_ptr.push(cols.len() as u32);
        }
        index("entries", cols.len())?;
        Ok((Self::trusted(self.cols(), row_ptr, cols), edges))
    }

    /// The edge `(i, i)` of each row, if it has one: `[min(rows, cols)]`.
    pub fn diagonal(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        (0..self.rows().min(self.cols())).map(|i| self.find(i, i as u32))
    }
}

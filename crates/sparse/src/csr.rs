//! The structure of a sparse matrix in compressed rows.

use std::ops::Range;

use crate::error::{Error, index};

/// Structure of a sparse matrix: for each row its columns, strictly ascending. Values live beside it, in edge order.
///
/// An *edge* is an entry `(row, col)`; its index is its position, rows first, columns ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csr {
    cols: usize,
    row_ptr: Vec<u32>,
    col: Vec<u32>,
}

impl Csr {
    /// Checks and takes the arrays.
    ///
    /// # Shapes
    ///
    /// `row_ptr: [rows + 1]`, `col: [row_ptr[rows]]`.
    ///
    /// # Errors
    ///
    /// A wrong length, a row pointer that does not start at 0 or descends, a column out of range or not ascending, more
    /// than `u32::MAX` rows, columns or entries.
    pub fn new(rows: usize, cols: usize, row_ptr: Vec<u32>, col: Vec<u32>) -> Result<Self, Error> {
        sizes(rows, cols, col.len())?;
        if row_ptr.len() != rows + 1 {
            return Err(Error::PointerLength { rows, got: row_ptr.len() });
        }
        if row_ptr[0] != 0 {
            return Err(Error::PointerStart { got: row_ptr[0] });
        }
        check(&row_ptr, &col, cols)?;
        Ok(Self { cols, row_ptr, col })
    }

    /// The matrix with these entries, given in any order; an entry named twice counts once.
    ///
    /// # Complexity
    ///
    /// Two counting sorts: O(entries + rows + cols).
    ///
    /// # Errors
    ///
    /// A row or column out of range, more than `u32::MAX` rows, columns or entries.
    pub fn from_edges(
        rows: usize,
        cols: usize,
        edges: impl IntoIterator<Item = (u32, u32)>,
    ) -> Result<Self, Error> {
        let edges: Vec<(u32, u32)> = edges.into_iter().collect();
        sizes(rows, cols, edges.len())?;
        for &(row, col) in &edges {
            if row as usize >= rows {
                return Err(Error::RowOutOfRange { row, rows });
            }
            if col as usize >= cols {
                return Err(Error::ColumnOutOfRange { row: row as usize, col, cols });
            }
        }
        let by_col = counting_sort(&edges, cols, |edge| edge.1);
        let sorted = counting_sort(&by_col, rows, |edge| edge.0);
        let mut col = Vec::with_capacity(sorted.len());
        let mut row_ptr = vec![0; rows + 1];
        let mut previous = None;
        for edge in sorted {
            if previous.replace(edge) != Some(edge) {
                col.push(edge.1);
                row_ptr[edge.0 as usize + 1] += 1;
            }
        }
        accumulate(&mut row_ptr);
        Ok(Self::trusted(cols, row_ptr, col))
    }

    /// No entries.
    ///
    /// # Errors
    ///
    /// More than `u32::MAX` rows or columns.
    pub fn empty(rows: usize, cols: usize) -> Result<Self, Error> {
        sizes(rows, cols, 0)?;
        Ok(Self::trusted(cols, vec![0; rows + 1], Vec::new()))
    }

    /// The diagonal of `[n, n]`.
    ///
    /// # Errors
    ///
    /// `n` above `u32::MAX`.
    pub fn identity(n: usize) -> Result<Self, Error> {
        let n32 = index("rows", n)?;
        Ok(Self::trusted(n, (0..=n32).collect(), (0..n32).collect()))
    }

    /// Takes arrays that are right by construction.
    pub(crate) fn trusted(cols: usize, row_ptr: Vec<u32>, col: Vec<u32>) -> Self {
        debug_assert_eq!(row_ptr.first(), Some(&0));
        debug_assert_eq!(check(&row_ptr, &col, cols), Ok(()));
        Self { cols, row_ptr, col }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.row_ptr.len() - 1
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Number of entries.
    pub fn nnz(&self) -> usize {
        self.col.len()
    }

    /// Where each row starts among the entries, and the end: `[rows + 1]`.
    pub fn row_ptr(&self) -> &[u32] {
        &self.row_ptr
    }

    /// The column of each entry: `[nnz]`.
    pub fn col(&self) -> &[u32] {
        &self.col
    }

    /// The edges of a row.
    #[inline]
    pub fn range(&self, row: usize) -> Range<usize> {
        self.row_ptr[row] as usize..self.row_ptr[row + 1] as usize
    }

    /// The columns of a row, ascending.
    #[inline]
    pub fn row(&self, row: usize) -> &[u32] {
        &self.col[self.range(row)]
    }

    /// The edge at `(row, col)`, if there is one.
    ///
    /// # Complexity
    ///
    /// O(log length of the row).
    pub fn find(&self, row: usize, col: u32) -> Option<usize> {
        let range = self.range(row);
        self.col[range.clone()].binary_search(&col).ok().map(|place| range.start + place)
    }

    /// All entries `(row, col)` in edge order.
    pub fn entries(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..self.rows()).flat_map(|row| self.row(row).iter().map(move |&col| (row as u32, col)))
    }

    /// The row of each entry: `[nnz]`.
    pub fn row_of_edges(&self) -> Vec<u32> {
        let mut rows = Vec::with_capacity(self.nnz());
        for row in 0..self.rows() {
            rows.resize(self.row_ptr[row + 1] as usize, row as u32);
        }
        rows
    }
}

/// Refuses counts that do not fit in 32 bits.
pub(crate) fn sizes(rows: usize, cols: usize, entries: usize) -> Result<(), Error> {
    index("rows", rows)?;
    index("columns", cols)?;
    index("entries", entries)?;
    Ok(())
}

/// Checks pointers and columns; `row_ptr` is not empty.
fn check(row_ptr: &[u32], col: &[u32], cols: usize) -> Result<(), Error> {
    for (row, ends) in row_ptr.windows(2).enumerate() {
        let (start, end) = (ends[0] as usize, ends[1] as usize);
        if end < start {
            return Err(Error::PointerDescends { row, start, end });
        }
        let Some(columns) = col.get(start..end) else { break };
        if let Some(pair) = columns.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(Error::ColumnsNotAscending { row, previous: pair[0], col: pair[1] });
        }
        if let Some(&last) = columns.last().filter(|&&last| last as usize >= cols) {
            return Err(Error::ColumnOutOfRange { row, col: last, cols });
        }
    }
    let span = row_ptr[row_ptr.len() - 1] as usize;
    if span == col.len() { Ok(()) } else { Err(Error::PointerEnd { span, got: col.len() }) }
}

/// `edges` by ascending key below `keys`, equal keys in the order they came.
fn counting_sort(edges: &[(u32, u32)], keys: usize, key: impl Fn(&(u32, u32)) -> u32) -> Vec<(u32, u32)> {
    let mut next = vec![0; keys + 1];
    for edge in edges {
        next[key(edge) as usize + 1] += 1;
    }
    accumulate(&mut next);
    let mut sorted = vec![(0, 0); edges.len()];
    for edge in edges {
        let place = &mut next[key(edge) as usize];
        sorted[*place as usize] = *edge;
        *place += 1;
    }
    sorted
}

/// Running sums in place.
pub(crate) fn accumulate(counts: &mut [u32]) {
    let mut sum = 0;
    for count in counts {
        sum += *count;
        *count = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_three_nodes() {
        let path = Csr::from_edges(3, 3, [(1, 2), (0, 1), (2, 1), (1, 0), (0, 1)]).unwrap();
        assert_eq!((path.row_ptr(), path.col()), (&[0, 1, 3, 4][..], &[1, 0, 2, 1][..]));
        assert_eq!((path.find(1, 2), path.find(1, 1)), (Some(2), None));
        assert_eq!(path.row_of_edges(), [0, 1, 1, 2]);
    }

    #[test]
    fn each_rule_is_checked() {
        let refused =
            |row_ptr: &[u32], col: &[u32]| Csr::new(2, 3, row_ptr.to_vec(), col.to_vec()).unwrap_err();
        assert_eq!(refused(&[0, 1], &[0]), Error::PointerLength { rows: 2, got: 2 });
        assert_eq!(refused(&[1, 1, 1], &[0]), Error::PointerStart { got: 1 });
        assert_eq!(refused(&[0, 2, 1], &[0, 1]), Error::PointerDescends { row: 1, start: 2, end: 1 });
        assert_eq!(refused(&[0, 1, 3], &[0, 1]), Error::PointerEnd { span: 3, got: 2 });
        assert_eq!(refused(&[0, 1, 1], &[0, 1]), Error::PointerEnd { span: 1, got: 2 });
        assert_eq!(refused(&[0, 1, 2], &[0, 3]), Error::ColumnOutOfRange { row: 1, col: 3, cols: 3 });
        assert_eq!(refused(&[0, 2, 2], &[1, 1]), Error::ColumnsNotAscending { row: 0, previous: 1, col: 1 });
        assert_eq!(Csr::from_edges(2, 3, [(2, 0)]), Err(Error::RowOutOfRange { row: 2, rows: 2 }));
        assert_eq!(Csr::from_edges(2, 3, [(1, 3)]), Err(Error::ColumnOutOfRange { row: 1, col: 3, cols: 3 }));
        let large = u32::MAX as usize + 1;
        assert_eq!(Csr::identity(large), Err(Error::TooLarge { what: "rows", got: large }));
    }

    #[test]
    fn messages_name_the_rule_and_the_value() {
        let error = Csr::from_edges(2, 3, [(1, 7)]).unwrap_err();
        assert_eq!(error.to_string(), "sparse structure: a column must be below 3, got 7 in row 1");
        let error = Csr::new(2, 3, vec![0], vec![]).unwrap_err();
        assert_eq!(error.to_string(), "sparse structure: `row_ptr` of 2 rows must have 3 numbers, got 1");
    }
}

//! Block-diagonal concatenation: many small structures as one.

use crate::csr::{Csr, sizes};
use crate::error::Error;

mod sealed {
    pub trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for usize {}
}

/// An offset of a row pointer: `u32` or `usize`.
pub trait Offset: sealed::Sealed + Copy {
    /// As a place in an array.
    fn place(self) -> usize;
}

impl Offset for u32 {
    fn place(self) -> usize {
        self as usize
    }
}

impl Offset for usize {
    fn place(self) -> usize {
        self
    }
}

/// One block: borrowed arrays of a structure whose row pointer may start anywhere.
///
/// Row `i` holds `col[row_ptr[i] - row_ptr[0]..row_ptr[i + 1] - row_ptr[0]]`, strictly ascending.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a, P> {
    row_ptr: &'a [P],
    col: &'a [u32],
    cols: usize,
}

impl<'a, P: Offset> Block<'a, P> {
    /// A block of as many columns as rows.
    pub fn square(row_ptr: &'a [P], col: &'a [u32]) -> Self {
        Self { row_ptr, col, cols: row_ptr.len().saturating_sub(1) }
    }

    /// A block of `cols` columns.
    pub fn with_cols(row_ptr: &'a [P], col: &'a [u32], cols: usize) -> Self {
        Self { row_ptr, col, cols }
    }

    /// Checks what costs no more than the copy: the lengths and the largest column.
    fn check(&self) -> Result<(), Error> {
        let (Some(first), Some(last)) = (self.row_ptr.first(), self.row_ptr.last()) else {
            return Err(Error::PointerLength { rows: 0, got: 0 });
        };
        let span = last.place().wrapping_sub(first.place());
        if span != self.col.len() {
            return Err(Error::PointerEnd { span, got: self.col.len() });
        }
        match self.col.iter().copied().max() {
            Some(col) if col as usize >= self.cols => {
                let edge = self.col.iter().position(|&other| other == col).unwrap_or_default();
                let row = self.row_ptr[1..].partition_point(|end| end.place() - first.place() <= edge);
                Err(Error::ColumnOutOfRange { row, col, cols: self.cols })
            }
            _ => Ok(()),
        }
    }
}

impl<'a> From<&'a Csr> for Block<'a, u32> {
    fn from(csr: &'a Csr) -> Self {
        Self { row_ptr: csr.row_ptr(), col: csr.col(), cols: csr.cols() }
    }
}

/// The blocks along the diagonal, in order.
///
/// The order of columns within a row, and of a row pointer within itself, is the caller's promise: it is checked in
/// debug builds only, because a block comes from a structure that was checked when it was made.
///
/// # Complexity
///
/// O(rows + entries): slices copied with an added offset.
///
/// # Errors
///
/// A row pointer that does not span its columns, a column out of range of its block, or more than `u32::MAX` rows,
/// columns or entries in all.
///
/// # Examples
///
/// ```
/// use coarsen_sparse::{Block, Csr, block_diagonal};
///
/// // A pair and a loop, cut from a longer array: the second block's offsets start at 2.
/// let blocks = [Block::square(&[0_usize, 1, 2], &[1, 0]), Block::square(&[2, 3], &[0])];
/// assert_eq!(block_diagonal(&blocks)?, Csr::from_edges(3, 3, [(0, 1), (1, 0), (2, 2)])?);
/// # Ok::<(), coarsen_sparse::Error>(())
/// ```
pub fn block_diagonal<P: Offset>(blocks: &[Block<'_, P>]) -> Result<Csr, Error> {
    let (mut rows, mut cols, mut entries) = (0, 0, 0);
    for block in blocks {
        block.check()?;
        rows += block.row_ptr.len() - 1;
        cols += block.cols;
        entries += block.col.len();
    }
    sizes(rows, cols, entries)?;
    let (mut row_ptr, mut col) = (Vec::with_capacity(rows + 1), Vec::with_capacity(entries));
    row_ptr.push(0);
    let mut first_col = 0;
    for block in blocks {
        let (base, first_edge) = (block.row_ptr[0].place(), col.len());
        row_ptr.extend(block.row_ptr[1..].iter().map(|end| (end.place() - base + first_edge) as u32));
        col.extend(block.col.iter().map(|&col| col + first_col));
        first_col += block.cols as u32;
    }
    Ok(Csr::trusted(cols, row_ptr, col))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_empty_blocks() {
        assert_eq!(block_diagonal::<u32>(&[]), Csr::empty(0, 0));
        let blocks = [Block::square(&[5_usize], &[]), Block::square(&[9, 9, 9], &[])];
        assert_eq!(block_diagonal(&blocks), Csr::empty(2, 2));
    }

    #[test]
    fn bad_blocks_are_refused() {
        let refused =
            |row_ptr: &[usize], col: &[u32]| block_diagonal(&[Block::square(row_ptr, col)]).unwrap_err();
        assert_eq!(refused(&[], &[]), Error::PointerLength { rows: 0, got: 0 });
        assert_eq!(refused(&[3, 4, 6], &[0, 1]), Error::PointerEnd { span: 3, got: 2 });
        assert_eq!(refused(&[3, 4, 6], &[0, 0, 2]), Error::ColumnOutOfRange { row: 1, col: 2, cols: 2 });
    }
}

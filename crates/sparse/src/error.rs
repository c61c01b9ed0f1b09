//! What a checked constructor refuses.

/// A structure that breaks a rule of [`Csr`](crate::Csr), or does not fit in 32-bit indices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A count does not fit in 32 bits.
    #[error("sparse structure: {what} must be at most {}, got {got}", u32::MAX)]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        got: usize,
    },
    /// The row pointer has the wrong length.
    #[error("sparse structure: `row_ptr` of {rows} rows must have {} numbers, got {got}", .rows + 1)]
    PointerLength {
        /// Rows of the matrix.
        rows: usize,
        /// Length found.
        got: usize,
    },
    /// The row pointer starts elsewhere than at 0.
    #[error("sparse structure: `row_ptr` must start at 0, got {got}")]
    PointerStart {
        /// First number found.
        got: u32,
    },
    /// The row pointer descends.
    #[error(
        "sparse structure: `row_ptr` must not descend, but row {row} starts at {start} and ends at {end}"
    )]
    PointerDescends {
        /// Row with a negative length.
        row: usize,
        /// Where it starts.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// The row pointer's span is not the number of columns given.
    #[error("sparse structure: `row_ptr` spans {span} entries, but `col` has {got}")]
    PointerEnd {
        /// Last minus first number of the row pointer.
        span: usize,
        /// Length of the column array.
        got: usize,
    },
    /// A row index is outside the matrix.
    #[error("sparse structure: a row must be below {rows}, got {row}")]
    RowOutOfRange {
        /// Row found.
        row: u32,
        /// Rows of the matrix.
        rows: usize,
    },
    /// A column index is outside the matrix.
    #[error("sparse structure: a column must be below {cols}, got {col} in row {row}")]
    ColumnOutOfRange {
        /// Row of the entry.
        row: usize,
        /// Column found.
        col: u32,
        /// Columns of the matrix.
        cols: usize,
    },
    /// The columns of a row are not strictly ascending.
    #[error(
        "sparse structure: columns must ascend strictly in a row, but {col} follows {previous} in row {row}"
    )]
    ColumnsNotAscending {
        /// Row of the entry.
        row: usize,
        /// Column before it.
        previous: u32,
        /// Column found.
        col: u32,
    },
}

/// `count` as a 32-bit number.
pub(crate) fn index(what: &'static str, count: usize) -> Result<u32, Error> {
    u32::try_from(count).map_err(|_| Error::TooLarge { what, got: count })
}

//! What can go wrong at the doors of this crate.

/// An error of `coarsen-tensor`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// LibTorch refused to record a [`Function`](crate::Function).
    #[error("{function}: cannot be recorded for the backward pass: {message}")]
    Attach {
        /// The function's name.
        function: String,
        /// LibTorch's words.
        message: String,
    },
    /// LibTorch refused a call of ours.
    #[error("{what}: LibTorch refused: {message}")]
    Libtorch {
        /// What was asked of it.
        what: &'static str,
        /// LibTorch's words.
        message: String,
    },
}

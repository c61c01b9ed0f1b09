//! Sparse arithmetic in pure Rust: patterns, products, segments; deterministic and parallel.
//!
//! A matrix is a structure ([`Csr`], or [`Pattern`] when its transpose is needed too) and, beside it, a plain slice of
//! values in edge order; dense operands are row-major slices `[rows, width]`. Every kernel is generic over [`Scalar`]
//! (`f32`, `f64`), writes into a slice the caller owns, and takes an [`Executor`] that says where row ranges run.
//!
//! A result is a function of the operands alone: each row is reduced by one task in edge order, and a sum over all rows
//! goes over blocks of a fixed size, so any executor and any number of threads give the same bits. The instruction set
//! (AVX-512, AVX2 or neither, chosen at run time) does not show either: products are rounded before they are added.
//!
//! This crate must not know graphs (nodes, labels, data sets) nor LibTorch.
//!
//! | module | holds |
//! | --- | --- |
//! | [`csr`] | [`Csr`]: checked structure, look-up, induced sub-matrix, diagonal |
//! | [`pattern`] | [`Pattern`]: a [`Csr`] with its transpose and the map between their edges |
//! | [`mod@spmm`] | `A x`, `Aᵀ x`, mean over neighbours, row sums; with bias and activation, own row, or side by side |
//! | [`rows`] | bias, activation, moments and normalisation of dense rows; rows of length 1, weighed sums of rows |
//! | [`act`] | [`Act`] |
//! | [`mod@spmm_max`] | largest value over the columns of a row |
//! | [`mod@sddmm`] | inner products at the edges: the gradient of `A x` for `A`'s values |
//! | [`spgemm`] | `A B` of two sparse matrices, with the gradients of both values |
//! | [`segment`] | sum, mean, max, softmax and a query's attention over contiguous rows, each with its backward; the best rows of each |
//! | [`attention`] | softmax over a row's edges and the sum it weighs, by heads, in one pass |
//! | [`sharpen`] | likeness of points to centres, and how far it is from a sharper copy of itself |
//! | [`gaussian`] | how far a Gaussian is from the standard one |
//! | [`sums`] | sums and inner products of slices, in an order that depends on no machine |
//! | [`mod@concat`] | block-diagonal concatenation |
//! | [`parallel`] | [`Executor`], [`Serial`], `Rayon` (feature `rayon`) |
//! | [`scalar`] | [`Scalar`] |
//! | [`error`] | [`Error`] |
//!
//! # Examples
//!
//! ```
//! use coarsen_sparse::{Csr, Pattern, Serial, spmm, spmm_transposed};
//!
//! // 0 <- 1, 0 <- 2, 2 <- 1
//! let a = Pattern::new(Csr::from_edges(3, 3, [(0, 1), (0, 2), (2, 1)])?);
//! let (values, x) = ([1.0, 0.5, 2.0], [1.0, 10.0, 100.0]);
//! let mut y = [0.0; 3];
//! spmm(&Serial, a.csr(), Some(&values), &x, 1, &mut y);
//! assert_eq!(y, [60.0, 0.0, 20.0]);
//! spmm_transposed(&Serial, &a, Some(&values), &x, 1, &mut y);
//! assert_eq!(y, [0.0, 201.0, 0.5]);
//! # Ok::<(), coarsen_sparse::Error>(())
//! ```
#![forbid(unsafe_code)]
// What is not inlined into a loop is compiled for the oldest machine, whatever the loop is compiled for.
#![allow(clippy::inline_always)]
#![cfg_attr(test, allow(clippy::float_cmp))] // numbers worked by hand are exact

pub mod act;
pub mod attention;
pub mod concat;
mod contract;
pub mod csr;
mod edit;
pub mod error;
mod gaussian;
mod lanes;
pub mod parallel;
pub mod pattern;
#[cfg(test)]
mod portable;
pub mod rows;
pub mod scalar;
pub mod sddmm;
pub mod segment;
mod sharpen;
pub mod spgemm;
pub mod spmm;
pub mod spmm_max;
pub mod sums;

pub use act::Act;
pub use concat::{Block, Offset, block_diagonal};
pub use csr::Csr;
pub use error::Error;
pub use gaussian::{gaussian, gaussian_backward};
#[cfg(feature = "rayon")]
pub use parallel::Rayon;
pub use parallel::{Executor, Serial};
pub use pattern::Pattern;
pub use scalar::Scalar;
pub use sddmm::sddmm;
pub use sharpen::sharpen;
pub use spgemm::Product;
pub use spmm::{
    row_sums, spmm, spmm_act, spmm_beside, spmm_beside_backward, spmm_halves, spmm_halves_backward,
    spmm_mean, spmm_mean_backward, spmm_own, spmm_own_transposed, spmm_transposed,
};
pub use spmm_max::{spmm_max, spmm_max_backward, spmm_max_values};

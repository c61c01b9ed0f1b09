//! Layers on pairs of nodes: `[B, C, n, n]`, graphs of one size, no padding.
//!
//! | module | holds |
//! | --- | --- |
//! | `ppgn` | [`Ppgn`]: two maps of pairs, multiplied as matrices (Maron et al.) |
//! | `squares` | [`squares()`]: the graphs of a batch as such tensors, one for every size |
//! | `suffix` | [`diagonal_maxima`]: one vector per graph |

mod ppgn;
mod squares;
mod suffix;

use std::fmt::Debug;

use tch::Tensor;

pub use ppgn::{Ppgn, PpgnConfig};
pub use squares::{PairEdges, Squares, squares};
pub use suffix::diagonal_maxima;

/// A layer from features of pairs of nodes to new ones.
///
/// It is equivariant: renumbering the nodes of the input, rows and columns alike, renumbers the output, and nothing else. No graph
/// of a batch sees another.
pub trait PairLayer: Debug + Send {
    /// The new features of every pair.
    ///
    /// # Shapes
    ///
    /// `[B, C, n, n]` → `[B, out_features, n, n]`.
    fn forward(&self, t: &Tensor) -> Tensor;

    /// Channels of what goes out.
    fn out_features(&self) -> i64;
}

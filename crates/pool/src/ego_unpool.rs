//! The way back from hyper-nodes to their members.

use coarsen_tensor::Assignment;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// How features come back from hyper-nodes to their members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unpool {
    /// `S H`, as printed.
    #[default]
    Product,
    /// The mean of `S_ji h_i` over the hyper-nodes `i` of a node `j`, as released.
    Mean,
}

impl Unpool {
    /// Features back on the nodes that were pooled.
    ///
    /// # Shapes
    ///
    /// `[K, F]` → `[N, F]`.
    ///
    /// # Complexity
    ///
    /// Time O(entries of S · F).
    pub fn lift(self, x: &Tensor, s: &Assignment) -> Tensor {
        match (self, s) {
            (Self::Mean, Assignment::Entries(entries)) => {
                Assignment::Entries(entries.averaging((x.kind(), x.device()))).lift(x)
            }
            _ => s.lift(x),
        }
    }
}

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
        let lifted = s.lift(x);
        match (self, s) {
            (Self::Mean, Assignment::Entries(entries)) => {
                let ptr = entries.relation.csr().row_ptr();
                let share = ptr.windows(2).map(|ends| 1.0 / f64::from((ends[1] - ends[0]).max(1)));
                let share = Tensor::from_slice(&share.collect::<Vec<f64>>()).unsqueeze(1);
                lifted * share.to_kind(x.kind()).to_device(x.device())
            }
            _ => lifted,
        }
    }
}

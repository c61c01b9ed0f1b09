//! Means over neighbours.

use coarsen_tensor::{Adjacency, Norm};
use serde::{Deserialize, Serialize};

/// How a mean over neighbours treats edge weights. All agree on graphs whose edges weigh 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Averaging {
    /// `Σ wᵢⱼ xⱼ / Σ wᵢⱼ`: the weighted mean, right for pooled graphs.
    #[default]
    Weighted,
    /// `Σ wᵢⱼ xⱼ / max(Σ wᵢⱼ, 1)`: PyG's dense layers; not a mean where the weights sum to less than 1.
    Floored,
    /// `Σ wᵢⱼ xⱼ / |N(i)|`: PyG's `GraphConv`, and its `SAGEConv` of 1.4, on edges with weights.
    Count,
    /// `Σ xⱼ / |N(i)|`: weights are ignored.
    Unweighted,
}

impl Averaging {
    /// The edges as the mean weighs them: rows of `A` divided.
    pub(super) fn of(self, adj: &Adjacency) -> Adjacency {
        match self {
            Self::Weighted => adj.normalized(Norm::Row { floor: 0.0 }),
            Self::Floored => adj.normalized(Norm::Row { floor: 1.0 }),
            Self::Count => adj.scaled_rows(&adj.unweighted().degree().clamp_min(1.0).reciprocal()),
            Self::Unweighted => adj.unweighted().normalized(Norm::Row { floor: 0.0 }),
        }
    }
}

//! Top-k pooling: keep the nodes with the largest projection (Gao and Ji 2019; Cangea et al. 2018), as in PyG.

use coarsen_nn::{Config, ConfigError, Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Assignment, Layout, Level};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use crate::keep::Keep;
use crate::pool::{Pool, Scores, Selection};
use crate::registry::{Invariance, PoolSpec};
use crate::steps::{Preset, Steps};

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec::of::<TopKConfig>(
    "Gao & Ji 2019, eq. 2",
    Invariance::UpToTies,
    Steps {
        connect: "`A[idx, idx]`",
        lift: "rows of `X'` back in their places",
        ..Steps::textbook(
            "the best of each graph: `idx = top(y)`, `y = X p / ‖p‖`, `S = I[:, idx] tanh(y[idx])`",
        )
    },
    "time `O(N F + N log N + E)`, memory `O(N + E)`",
)
.with_presets(&[Preset { name: "PyG's example on PROTEINS", fields: || json!({"keep": {"ratio": 0.8}}) }]);

/// Which nodes that stay are joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Those with an edge between them.
    #[default]
    One,
    /// Those at most two steps apart, by the number of walks: PyG's U-Net.
    Two,
}

/// Configuration of [`TopK`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopKConfig {
    /// How many nodes of each graph stay.
    pub keep: Keep,
    /// Kept features are multiplied by this, beside their gate; positive.
    pub multiplier: f64,
    /// Which nodes that stay are joined.
    pub reach: Reach,
}

impl Default for TopKConfig {
    fn default() -> Self {
        Self { keep: Keep::default(), multiplier: 1.0, reach: Reach::One }
    }
}

impl Config for TopKConfig {
    type Module = TopK;
    const NAME: &'static str = "top-k";

    fn check(&self) -> Result<(), ConfigError> {
        self.keep.check(Self::NAME)?;
        let positive = self.multiplier.is_finite() && self.multiplier > 0.0;
        ConfigError::require(positive, Self::NAME, "multiplier", "positive", self.multiplier)
    }

    fn init(&self, p: &Params, dims: &Dims) -> TopK {
        TopK {
            p: p.fan_in("p", &[dims.features], dims.features),
            keep: self.keep,
            multiplier: self.multiplier,
            reach: self.reach,
        }
    }
}

/// Keeps the best nodes of each graph, by a learned projection.
///
/// `y = X p / ‖p‖`, `gate = tanh(y)`, `idx = top(y)`, `X' = X[idx] ⊙ gate[idx]`, `A' = A[idx, idx]`.
///
/// With [`Reach::Two`] it is `A' = (A + I)²[idx, idx]` without its diagonal, `A` without its loops.
///
/// With [`Keep::MinScore`] the score is `X p` and the gate its softmax over the graph.
///
/// The new nodes are in the order of their graphs and, within a graph, of falling score (rising index for [`Keep::MinScore`]);
/// equal scores keep the order of the nodes.
///
/// # Complexity
///
/// Time `O(N F + N log N + E)`, memory `O(N + E)`; with [`Reach::Two`] beside it what the products of [`Sparse::walks`](coarsen_tensor::Sparse::walks) take.
///
/// # Paper and code
///
/// The paper gates by a sigmoid and connects by `A²` ([`GPool`](crate::GPool)); this follows PyG, as the tables that name TopKPool do. Edge weights are kept and
/// not multiplied by the gate.
#[derive(Debug)]
pub struct TopK {
    p: Tensor,
    keep: Keep,
    multiplier: f64,
    reach: Reach,
}

impl Pool for TopK {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nodes
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        let projection = g.x.mv(&self.p);
        match self.keep {
            Keep::MinScore(_) => projection,
            Keep::Ratio(_) | Keep::Count(_) => projection / self.p.norm(),
        }
    }

    fn select(&self, g: &Level, y: &Tensor, _: Ctx) -> Selection {
        let graphs = g.segments();
        let gate = self.keep.gate(y, &graphs);
        let kept = self.keep.choose(y, &gate, &graphs);
        let weight = gate.index_select(0, &kept) * self.multiplier;
        Assignment::kept(&kept, Some(&weight), g).into()
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        let sizes: Vec<u32> = dims.sizes.iter().map(|&n| self.keep.most(n)).collect();
        dims.with_edge_features(0).with_sizes(sizes)
    }

    fn connect(&self, g: &Level, sel: &Selection) -> Adjacency {
        let s = sel.s.unweighted();
        match (self.reach, &g.adj, &s) {
            (Reach::Two, Adjacency::Sparse(a), Assignment::Entries(s)) => Adjacency::Sparse(a.walks(s)),
            _ => g.adj.coarsen(&s),
        }
    }

    /// Puts the rows back where they came from, without the gate (gUnpool).
    fn lift(&self, x: &Tensor, sel: &Selection) -> Tensor {
        sel.s.unweighted().lift(x)
    }
}

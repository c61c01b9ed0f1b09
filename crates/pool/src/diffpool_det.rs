//! DiffPool-Det (Ying et al. 2018, § 4.1): the assignment of a deterministic clustering in the place of a learned one.

use coarsen_nn::{Activation, ConfigError, Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Assignment, Layout, Level, heavy_edge};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Tensor;

use crate::keep::Keep;
use crate::pool::{Pool, RowSums, Scores, Selection};
use crate::registry::{Invariance, PoolSpec, fields};
use crate::stack::{Ending, Join, NormAt, Stack, StackConfig};
use crate::steps::{Preset, Steps};

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec {
    name: NAME,
    paper: "Ying et al. 2018, § 4.1; Dhillon et al. 2007",
    invariance: Invariance::Seeded,
    steps: Steps {
        reduce: "`Sᵀ Z`, `Z = GNN_embed(A, X)`",
        ..Steps::textbook("clusters along heavy edges, `⌈ratio · n⌉` of a graph of `n` nodes")
    },
    cost: "time `O(rounds · E log E + N F)`, memory `O(E + N F)`, beside the convolutions",
    presets: &[Preset { name: "two poolings, the paper's", fields: || json!({"ratio": 0.25}) }],
    example: || {
        let mut example = json!(DiffPoolDetConfig::default());
        example["kind"] = NAME.into();
        example
    },
    depth: |config| Ok(fields::<DiffPoolDetConfig>(NAME, config)?.layers),
    build: |config, p, dims| Ok(Box::new(fields::<DiffPoolDetConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "diffpool-det";

/// Configuration of [`DiffPoolDet`]; the default is that of [`DiffPoolConfig`](crate::DiffPoolConfig), its embedding network alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiffPoolDetConfig {
    /// A graph of `n` nodes becomes `⌈ratio · n⌉` clusters; in (0, 1].
    pub ratio: f64,
    /// Convolutions of the embedding network.
    pub layers: usize,
    /// Width of each.
    pub hidden: i64,
    /// The convolution, a row of [`CONVS`](coarsen_nn::CONVS).
    pub conv: Value,
    /// Batch norm over the nodes of the batch, in each layer.
    pub norm: NormAt,
    /// What stands behind the last convolution.
    pub ending: Ending,
}

impl Default for DiffPoolDetConfig {
    fn default() -> Self {
        Self {
            ratio: 0.1,
            layers: 2,
            hidden: 64,
            conv: json!({"kind": "sage", "normalize": true}),
            norm: NormAt::After,
            ending: Ending::Whole,
        }
    }
}

impl DiffPoolDetConfig {
    /// Makes the operator.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, the convolution's included.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<DiffPoolDet, ConfigError> {
        let in_unit = self.ratio > 0.0 && self.ratio <= 1.0;
        ConfigError::require(in_unit, NAME, "ratio", "in (0, 1]", self.ratio)?;
        ConfigError::require(self.layers >= 1, NAME, "layers", "at least 1", self.layers)?;
        let stack = StackConfig {
            operator: NAME,
            conv: &self.conv,
            layers: self.layers,
            hidden: self.hidden,
            last: None,
            activation: Activation::Relu,
            norm: self.norm,
            dropout: 0.0,
            join: Join::Cat,
            ending: self.ending,
        };
        Ok(DiffPoolDet { embed: stack.build(&p.sub("embed"), dims)?, most: Keep::Ratio(self.ratio) })
    }
}

/// `Z = GNN_embed(A, X)`, `X' = Sᵀ Z`, `A' = Sᵀ A S` (eqs. 3–5) with the `S` of a clustering: a 1 for each node.
///
/// Neighbours at the ends of heavy edges are merged, round after round, until `⌈ratio · n⌉` clusters are left
/// ([`heavy_edge`](coarsen_tensor::heavy_edge())). Nothing is learned about `S`, and there is no auxiliary loss. Every graph
/// has the number of clusters of its own size, so the pooled level is sparse; padded, the clusters that a smaller graph does not
/// have are masked, as its nodes were. A second one clusters the clusters by the edges between them, whose weights have been added.
///
/// Which of equally good neighbours is taken depends on the order of the nodes.
///
/// # Shapes
///
/// `[N, F]` → `[K, layers · hidden]`, `K` the sum of `⌈ratio · n⌉` over the graphs.
///
/// Parameters those of the convolutions below `embed`.
///
/// # Complexity
///
/// Time `O(rounds · E log E + N F)` beside the convolutions; the clustering is made on the host in every pass. Most graphs take
/// `log₂ 1/ratio` rounds and a few; a star takes one for each leaf.
///
/// # Paper and code
///
/// The paper says "a deterministic graph clustering algorithm" and cites Graclus; no code was released. Its refinement by kernel
/// k-means is left out here.
#[derive(Debug)]
pub struct DiffPoolDet {
    embed: Stack,
    most: Keep,
}

impl Pool for DiffPoolDet {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nothing
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        Tensor::zeros([0], g.options())
    }

    fn select(&self, g: &Level, _: &Tensor, ctx: Ctx) -> Selection {
        let Adjacency::Sparse(a) = &g.adj else { unreachable!("`pool` converts at the door") };
        let s = Assignment::clusters(&heavy_edge(a, |n| self.most.most(n)), g);
        Selection { z: Some(self.embed.forward(g, ctx)), ..s.into() }
    }

    fn row_sums(&self) -> RowSums {
        RowSums::One
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        let sizes: Vec<u32> = dims.sizes.iter().map(|&n| self.most.most(n)).collect();
        dims.with_features(self.embed.out_features()).with_edge_features(0).with_sizes(sizes)
    }

    fn embeds(&self) -> Option<i64> {
        Some(self.embed.out_features())
    }
}

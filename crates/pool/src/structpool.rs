//! `StructPool` (Yuan and Ji 2020): a conditional random field over the assignments of nodes.

use coarsen_nn::{Activation, ConfigError, Ctx, Dims, Params};
use coarsen_tensor::grouped::{contract, expand};
use coarsen_tensor::{Adjacency, Layout, Level, segment};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Tensor;

use crate::clusters::Clusters;
use crate::diffpool::soft_assignment;
use crate::pool::{Pool, RowSums, Scores, Selection};
use crate::registry::{Invariance, PoolSpec, fields};
use crate::stack::{Ending, Join, NormAt, Stack, StackConfig};
use crate::steps::Steps;

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec {
    name: NAME,
    paper: "Yuan & Ji 2020, algorithm 1",
    invariance: Invariance::Exact,
    steps: Steps::textbook("`softmax` of the mean field of `GNN(A, X)`"),
    cost: "time `O(iterations · N F K + E K)`, memory `O(iterations · (N K + B F K))`, beside the convolutions",
    presets: &[],
    example: || {
        let mut example = json!(StructPoolConfig::default());
        example["kind"] = NAME.into();
        example
    },
    depth: |_| Ok(0),
    build: |config, p, dims| Ok(Box::new(fields::<StructPoolConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "struct-pool";

/// Configuration of [`StructPool`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StructPoolConfig {
    /// The number of clusters.
    pub clusters: Clusters,
    /// Convolutions that give the unary logits, the last as wide as there are clusters and without ReLU.
    pub layers: usize,
    /// Width of the others.
    pub hidden: i64,
    /// The convolution, a row of [`CONVS`](coarsen_nn::CONVS).
    pub conv: Value,
    /// Steps of mean-field inference; with none the assignment is the softmax of the unary logits.
    pub iterations: u32,
}

impl Default for StructPoolConfig {
    fn default() -> Self {
        Self {
            clusters: Clusters::Percentile(0.6),
            layers: 3,
            hidden: 48,
            conv: json!({"kind": "gcn"}),
            iterations: 5,
        }
    }
}

impl StructPoolConfig {
    /// Makes the operator.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, the convolution's included, or `clusters` needs sizes and none are known.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<StructPool, ConfigError> {
        dims.check(NAME)?;
        ConfigError::require(self.layers >= 1, NAME, "layers", "at least 1", self.layers)?;
        let clusters = self.clusters.of(NAME, dims)?;
        let stack = StackConfig {
            operator: NAME,
            conv: &self.conv,
            layers: self.layers,
            hidden: self.hidden,
            last: Some(clusters),
            activation: Activation::Relu,
            norm: NormAt::None,
            dropout: 0.0,
            join: Join::Last,
            ending: Ending::Plain,
        };
        Ok(StructPool { unary: stack.build(&p.sub("unary"), dims)?, clusters, iterations: self.iterations })
    }
}

/// `S = softmax(q)` after some steps `q ← U + W softmax(q) / Σ_j W_ij` with `W = X Xᵀ` without its diagonal, `X' = Sᵀ X`, `A' = Sᵀ A S`.
///
/// `U` are the unary logits of a stack of convolutions; nodes with similar features are drawn to the same cluster. There is no
/// auxiliary loss. Over a sparse level `S` stays ragged, `[N, K]`; the pooled level is dense, `[B, K, ·]`, with every slot a node.
///
/// # Shapes
///
/// `x: [N, F]` or `[B, N, F]` → `[B, K, F]`; edges → `[B, K, K]`.
///
/// Parameters `unary.conv0…` as the convolution names them.
///
/// # Complexity
///
/// Beside the convolutions, over a sparse level: time `O(iterations · N F K + E K)`, memory `O(iterations · (N K + B F K))`; the
/// N × N matrix `W` has rank `F` and is never made.
///
/// # Paper and code
///
/// The paper learns how compatible two clusters are; in the release both matrices are constants, `I` and `−I`, which is the step above. The
/// divisor is signed and may be 0, as for a node without others, where the release gives NaN and this nothing ([`mean_field`]). The release flattens the pooled features and has convolutions over them; that is the network's affair.
#[derive(Debug)]
pub struct StructPool {
    unary: Stack,
    clusters: i64,
    iterations: u32,
}

/// Weights whose sum is smaller than this cancel.
const GUARD: f64 = 1e-6;

/// The logits `q` after mean-field inference from the unary logits `u`.
///
/// Each step computes `W Q` as `X (Xᵀ Q) − ‖x_i‖² Q_i` and the row sums of `W` as `x_i · Σ_j x_j − ‖x_i‖²`. A node
/// alone in its graph receives nothing, nor does one whose row sums to less than 1e-6: there the weights cancel, their mean is no
/// mean, and the sign of its divisor would be that of a rounding error.
///
/// # Shapes
///
/// `u: [N, K]` over a sparse level, `[B, N, K]` over a dense one; kept.
pub fn mean_field(g: &Level, u: &Tensor, iterations: u32) -> Tensor {
    let total = |x: &Tensor, over: i64, keep| x.sum_dim_intlist([over].as_slice(), keep, None);
    let own = total(&g.x.square(), -1, true);
    let summed = match &g.adj {
        Adjacency::Sparse(a) => {
            let graphs = a.pattern.graphs();
            segment::sum(&g.x, graphs).index_select(0, &graphs.index(g.x.device()))
        }
        Adjacency::Dense(_) => total(&g.x, 1, true),
    };
    let divisor: Tensor = total(&(&g.x * summed), -1, true) - &own;
    let cancels = divisor.abs().lt(GUARD);
    let scale = divisor.masked_fill(&cancels, 1.0).reciprocal().masked_fill(&cancels, 0.0) * accompanied(g);
    let mut q = u.shallow_clone();
    for _ in 0..iterations {
        let s = q.softmax(-1, None);
        let received = match &g.adj {
            Adjacency::Sparse(a) => {
                let graphs = a.pattern.graphs();
                expand(&g.x, &contract(&g.x, &s, graphs), graphs)
            }
            Adjacency::Dense(_) => g.x.matmul(&g.x.transpose(1, 2).matmul(&s)),
        };
        q = u + (received - &own * s) * &scale;
    }
    q
}

/// 0 for a node alone in its graph, 1 for any other, one column wide.
fn accompanied(g: &Level) -> Tensor {
    let more: Vec<f64> = g.segments().sizes().map(|n| f64::from(u8::from(n > 1))).collect();
    let more = Tensor::from_slice(&more).to_kind(g.x.kind()).to_device(g.x.device());
    match &g.adj {
        Adjacency::Sparse(a) => more.index_select(0, &a.pattern.graphs().index(g.x.device())).unsqueeze(1),
        Adjacency::Dense(_) => more.view([-1, 1, 1]),
    }
}

impl Pool for StructPool {
    fn layouts(&self, given: Layout) -> (Layout, Layout) {
        (given, Layout::Dense)
    }

    fn scores(&self) -> Scores {
        Scores::Clusters(self.clusters)
    }

    fn score(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.unary.forward(g, ctx)
    }

    fn select(&self, g: &Level, unary: &Tensor, _: Ctx) -> Selection {
        soft_assignment(g, &mean_field(g, unary, self.iterations)).into()
    }

    fn row_sums(&self) -> RowSums {
        RowSums::One
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.with_sizes(vec![self.clusters as u32; dims.sizes.len()])
    }
}

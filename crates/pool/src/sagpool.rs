//! Self-attention pooling: keep the nodes that a graph convolution scores highest (Lee, Lee and Kang 2019).

use coarsen_nn::{ConfigError, Conv, Ctx, Dims, Params, conv};
use coarsen_tensor::{Adjacency, Assignment, Layout, Level, Sparse};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tch::Tensor;

use crate::keep::Keep;
use crate::pool::{Pool, Scores, Selection};
use crate::registry::{Invariance, PoolSpec, fields};
use crate::steps::{Preset, Steps};

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec {
    name: NAME,
    paper: "Lee, Lee & Kang 2019, eq. 3-6",
    invariance: Invariance::UpToTies,
    steps: Steps {
        connect: "`A[idx, idx]`",
        lift: "rows of `X'` back in their places",
        ..Steps::textbook(
            "the best of each graph: `idx = top(y)`, `y = GNN(A, X)`, `S = I[:, idx] tanh(y[idx])`",
        )
    },
    cost: "time `O(N F + N log N + E)`, memory `O(N F + E)`",
    presets: &[Preset { name: "PyG's", fields: || json!({"conv": {"kind": "graph-conv"}, "form": "pyg"}) }],
    example: || {
        let mut example = json!(SagPoolConfig::default());
        example["kind"] = NAME.into();
        example
    },
    depth: |_| Ok(0),
    build: |config, p, dims| Ok(Box::new(fields::<SagPoolConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "sagpool";

/// What the convolution's answer goes through before nodes are ranked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Nothing: nodes are ranked by the score itself.
    #[default]
    Official,
    /// The sign of one more parameter, `select`, then the gate: nodes are ranked by `± score`.
    Pyg,
}

/// Configuration of [`SagPool`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SagPoolConfig {
    /// The score network, a row of [`CONVS`](coarsen_nn::CONVS).
    pub conv: Value,
    /// How many nodes of each graph stay.
    pub keep: Keep,
    /// Whose ranking it is.
    pub form: Form,
}

impl Default for SagPoolConfig {
    fn default() -> Self {
        Self { conv: json!({"kind": "gcn"}), keep: Keep::default(), form: Form::Official }
    }
}

impl SagPoolConfig {
    /// Makes the operator.
    ///
    /// # Errors
    ///
    /// When `keep` breaks its rule, or the convolution's configuration does.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<SagPool, ConfigError> {
        dims.check(NAME)?;
        self.keep.check(NAME)?;
        Ok(SagPool {
            conv: conv(&self.conv, &p.sub("score"), &dims.with_outputs(1))?,
            select: match self.form {
                Form::Official => None,
                Form::Pyg => Some(p.fan_in("select", &[1], 1)),
            },
            keep: self.keep,
        })
    }
}

/// Keeps the best nodes of each graph, by the score of a graph convolution.
///
/// `y = GNN(A, X)`, `idx = top(y)`, `X' = X[idx] ⊙ tanh(y[idx])`, `A' = A[idx, idx]` (eq. 3, 5 and 6).
///
/// With [`Keep::MinScore`] the gate is the softmax of `y` over the graph, and nodes above the least score stay. Used once behind all
/// convolutions it is the paper's global form, between them its hierarchical one; the network around it decides.
///
/// The new nodes are in the order of their graphs and, within a graph, of falling score (rising index for [`Keep::MinScore`]).
///
/// Parameters: those of the convolution below `score`, and `select` in PyG's form.
///
/// # Shapes
///
/// `[N, F]` → `[K, F]`, `K` the sum of ⌈ratio · n⌉ over the graphs.
///
/// # Complexity
///
/// Time `O(N F + N log N + E)`, memory `O(N F + E)`: the GCN scores with rows of width 1.
///
/// # Paper and code
///
/// The released code and PyG do not tell the score network of edge weights, which stay with the kept edges; so it is here. PyG (2.8)
/// divides the score by the norm of a parameter of one number, which is multiplication by its sign: its gradient is 0, and a negative draw
/// reverses the ranking. [`Form::Official`] has nothing of the kind. PyG's default score network is `GraphConv`, the paper's the GCN.
#[derive(Debug)]
pub struct SagPool {
    conv: Box<dyn Conv>,
    select: Option<Tensor>,
    keep: Keep,
}

impl Pool for SagPool {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nodes
    }

    fn score(&self, g: &Level, ctx: Ctx) -> Tensor {
        let y = self.conv.forward(&unweighted(g), ctx).squeeze_dim(-1);
        match (&self.select, self.keep) {
            (Some(w), Keep::Ratio(_) | Keep::Count(_)) => y * (w / w.norm()),
            (Some(w), Keep::MinScore(_)) => y * w,
            (None, _) => y,
        }
    }

    fn select(&self, g: &Level, y: &Tensor, _: Ctx) -> Selection {
        let graphs = g.segments();
        let gate = self.keep.gate(y, &graphs);
        let kept = self.keep.choose(y, &gate, &graphs);
        Assignment::kept(&kept, Some(&gate.index_select(0, &kept)), g).into()
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.with_sizes(dims.sizes.iter().map(|&n| self.keep.most(n)).collect::<Vec<_>>())
    }

    fn connect(&self, g: &Level, sel: &Selection) -> Adjacency {
        g.adj.coarsen(&sel.s.unweighted())
    }

    /// Puts the rows back where they came from, without the gate.
    fn lift(&self, x: &Tensor, sel: &Selection) -> Tensor {
        sel.s.unweighted().lift(x)
    }
}

/// The level as the score network sees it.
fn unweighted(g: &Level) -> Level {
    let x = g.x.shallow_clone();
    match &g.adj {
        Adjacency::Sparse(a) => {
            Level::new(x, Adjacency::Sparse(Sparse::new(Arc::clone(&a.pattern), None, a.options)))
        }
        Adjacency::Dense(_) => g.with_x(x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_sparse::Csr;
    use coarsen_tensor::{Pattern, Segments};
    use tch::{Device, Kind, nn::VarStore, no_grad};

    /// A path of four with features 1, 0, 2, 0: with unit weights and no bias the GCN scores
    /// `½`, `1/√6 + 2/3`, `2/3`, `2/√6`.
    fn path() -> Level {
        let csr = Csr::new(4, 4, vec![0, 1, 3, 5, 6], vec![1, 0, 2, 1, 3, 2]).expect("a path");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 4]))));
        let adj = Sparse::new(pattern, None, (Kind::Double, Device::Cpu));
        Level::new(Tensor::from_slice2(&[[1f64], [0.], [2.], [0.]]), Adjacency::Sparse(adj))
    }

    #[test]
    fn the_best_half_of_a_path_by_hand() {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let pool = SagPoolConfig::default().build(&Params::new(&store.root(), 1), &Dims::new(1, 1));
        let pool = pool.expect("a configuration");
        no_grad(|| {
            for (name, mut value) in store.variables() {
                let _ = value.fill_(if name.ends_with("weight") { 1.0 } else { 0.0 });
            }
        });
        let pooled = pool.pool(&path(), Ctx::eval());
        let score = [0.5, 1.0 / 6f64.sqrt() + 2.0 / 3.0, 2.0 / 3.0, 2.0 / 6f64.sqrt()];
        assert!(pooled.score.allclose(&Tensor::from_slice(&score), 1e-12, 1e-12, false));
        // Nodes 1 and 3 stay, whose features are 0; they are not joined.
        assert!(pooled.level.x.equal(&Tensor::zeros([2, 1], (Kind::Double, Device::Cpu))));
        let Adjacency::Sparse(a) = &pooled.level.adj else { panic!("sparse") };
        assert_eq!(a.pattern.edges(), 0);
        let lifted = pool.lift(&Tensor::from_slice2(&[[5f64], [7.]]), &pooled.selection);
        assert_eq!(Vec::<f64>::try_from(lifted.view(-1)).unwrap(), [0., 5., 0., 7.]);
    }
}

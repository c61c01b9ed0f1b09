//! Adaptive structure aware pooling: neighbourhoods as clusters, the fittest kept (Ranjan, Sanyal and Talukdar 2020).

use std::sync::Arc;

use coarsen_nn::{ConfigError, Conv, Ctx, Dims, Linear, Params, conv, dropout};
use coarsen_tensor::neighbourhood::Scores as Attention;
use coarsen_tensor::{Adjacency, Layout, Level, Loops, Segments, Sparse};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Tensor;

use crate::keep::Keep;
use crate::pool::{Pool, Pooled, SELECT, Scores, Selection};
use crate::registry::{Invariance, PoolSpec, fields};
use crate::steps::{Preset, Steps};

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec {
    name: NAME,
    paper: "Ranjan, Sanyal & Talukdar 2020, eq. 3-9",
    invariance: Invariance::UpToTies,
    steps: Steps {
        reduce: "`φ ⊙ Sᵀ X`",
        connect: "`Sᵀ A S` with a diagonal of ones",
        ..Steps::textbook("the fittest neighbourhoods: `top(φ)`, `φ = sigmoid(LEConv(x^c))`, `S_ji = α_ij`")
    },
    cost: "time `O(E F + N F²)` and `Sᵀ A S`; memory `O(N F + E)`",
    presets: &[Preset {
        name: "PyG's",
        fields: || json!({"intra": null, "fitness": "pyg", "loops": "drop"}),
    }],
    example: || {
        let mut example = json!(AsapConfig::default());
        example["kind"] = NAME.into();
        example
    },
    depth: |_| Ok(0),
    build: |config, p, dims| Ok(Box::new(fields::<AsapConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "asap";
/// Slope of the leaky ReLU in the attention.
const SLOPE: f64 = 0.2;

/// Whose `LEConv` scores the clusters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fitness {
    /// `A x w + deg ⊙ (x w₁ + b₁) + (x w₂ + b₂)`, with unit edges and without self-loops.
    #[default]
    Official,
    /// `A (x w₁ + b₁) − deg ⊙ x w₂ + (x w₃ + b₃)`, with self-loops.
    Pyg,
}

/// The diagonal of the pooled graph.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewLoops {
    /// Ones, whatever `Sᵀ A S` has there: the released code.
    #[default]
    Unit,
    /// What `Sᵀ A S` has there, ones where it has nothing: PyG with `add_self_loops`.
    Fill,
    /// Nothing: PyG.
    Drop,
}

impl From<NewLoops> for Loops {
    fn from(loops: NewLoops) -> Self {
        match loops {
            NewLoops::Unit => Self::Overwrite(1.0),
            NewLoops::Fill => Self::Fill(1.0),
            NewLoops::Drop => Self::Remove,
        }
    }
}

/// Configuration of [`Asap`]; the default is the released code, `{"intra": null, "fitness": "pyg", "loops": "drop"}` PyG's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AsapConfig {
    /// How many clusters of each graph stay: a ratio or a count.
    pub keep: Keep,
    /// The convolution that the attention looks at nodes through, a row of [`CONVS`](coarsen_nn::CONVS); `null`: at nodes as they are.
    pub intra: Option<Value>,
    /// What scores clusters.
    pub fitness: Fitness,
    /// Self-loops of the pooled graph.
    pub loops: NewLoops,
    /// Probability of dropping a weight of the attention, in [0, 1).
    pub dropout: f64,
}

impl Default for AsapConfig {
    fn default() -> Self {
        Self {
            keep: Keep::default(),
            intra: Some(json!({"kind": "gcn"})),
            fitness: Fitness::default(),
            loops: NewLoops::default(),
            dropout: 0.0,
        }
    }
}

impl AsapConfig {
    /// Makes the operator.
    ///
    /// # Errors
    ///
    /// When `keep` or `dropout` breaks its rule, or the convolution's configuration does.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<Asap, ConfigError> {
        dims.check(NAME)?;
        self.keep.check(NAME)?;
        if let Keep::MinScore(least) = self.keep {
            return Err(ConfigError::value(NAME, "keep", "a ratio or a count", format!("min-score {least}")));
        }
        let drops = (0.0..1.0).contains(&self.dropout);
        ConfigError::require(drops, NAME, "dropout", "in [0, 1)", self.dropout)?;
        let width = dims.features;
        let intra = |config| conv(config, &p.sub("intra"), &dims.with_outputs(width));
        let score = p.sub("score");
        let degree = score.sub("degree");
        Ok(Asap {
            intra: self.intra.as_ref().map(intra).transpose()?,
            query: Linear::new(&p.sub("query"), width, width),
            attention: Linear::new(&p.sub("attention"), 2 * width, 1),
            neighbour: match self.fitness {
                Fitness::Official => Linear::unbiased(&score.sub("neighbour"), width, 1),
                Fitness::Pyg => Linear::new(&score.sub("neighbour"), width, 1),
            },
            degree: match self.fitness {
                Fitness::Official => Linear::new(&degree, width, 1),
                Fitness::Pyg => Linear::unbiased(&degree, width, 1),
            },
            own: Linear::new(&score.sub("own"), width, 1),
            config: self.clone(),
        })
    }
}

/// Every closed neighbourhood is a cluster; attention weighs its members, and the fittest clusters of each graph stay.
///
/// With self-loops of weight 1 where there are none, `x̂ = GNN(A, X)`, `M_i = W max_j x̂_j + q` over the members `j` of cluster `i`,
/// `α_ij = softmax_j leaky(v · [M_i ‖ x̂_j] + b)` and `x^c_i = Σ_j α_ij x_j` (eq. 3–5). `φ = sigmoid(LEConv(x^c))` (eq. 6),
/// `idx = top(φ)`, `X' = φ[idx] ⊙ x^c[idx]` (eq. 7–8), `S_ji = α_ij` for `i` in `idx`, `A' = Sᵀ A S` (eq. 9) with another diagonal.
///
/// The new nodes are in the order of their graphs and, within a graph, of falling fitness. No gradient passes through `S` into
/// `A'`. Dropped weights of the attention are missing in `S` as well. The attention's share of a receiving node is
/// `(Wᵀ v₁) · max_j x̂_j + v₁ · q + b`, so that no product of all rows with `W` is made.
///
/// Parameters `intra.*`, `query.{weight, bias}`, `attention.{weight, bias}`, and `score.{neighbour, degree, own}.{weight, bias}`.
///
/// # Shapes
///
/// `[N, F]` → `[K, F]`, `K` the sum of ⌈ratio · n⌉ over the graphs.
///
/// # Complexity
///
/// Time `O(E F + N F²)` with a GCN inside (`O(E F)` without, and `O(F²)` once), and the products of `A' = Sᵀ A S` over the kept
/// columns alone. Memory `O(N F + E)`: no matrix of edges by features, none of nodes by nodes.
///
/// # Paper and code
///
/// Neither the released code nor PyG tells `LEConv` of edge weights: every edge weighs 1 there, and here. Of both, the GCN inside and
/// `A'` know them. The two share the clusters and differ in the fitness ([`Fitness`]), in the diagonal of the pooled graph
/// ([`NewLoops`]), and in the default for `intra`. PyG multiplies the fitness by the sign of a parameter of one number before it ranks;
/// there is nothing of the kind here. Under a random control the fitness is the sigmoid of random numbers; clusters are still attended.
#[derive(Debug)]
pub struct Asap {
    config: AsapConfig,
    intra: Option<Box<dyn Conv>>,
    query: Linear,
    attention: Linear,
    neighbour: Linear,
    degree: Linear,
    own: Linear,
}

/// The neighbourhoods of a level.
struct Neighbourhoods {
    /// With self-loops: row `i` lists the members of cluster `i`.
    adj: Adjacency,
    /// `[E]`, without a gradient.
    alpha: Tensor,
    /// `[N, F]`.
    x: Tensor,
}

impl Asap {
    fn neighbourhoods(&self, g: &Level, ctx: Ctx) -> Neighbourhoods {
        let adj = g.adj.with_self_loops(Loops::Fill(1.0));
        let members = sparse(&adj);
        let looked_at = match &self.intra {
            Some(conv) => conv.forward(g, ctx.child(0)),
            None => g.x.shallow_clone(),
        };
        let shares = self.attention.weight.chunk(2, 1);
        let bias = self.attention.bias.as_ref().map_or_else(|| shares[0].zeros_like(), Tensor::shallow_clone);
        let bias = self.query.bias.as_ref().map_or_else(|| bias.shallow_clone(), |q| &bias + shares[0].mv(q));
        let receiving = Linear { weight: shares[0].matmul(&self.query.weight), bias: Some(bias) };
        let sending = Linear { weight: shares[1].contiguous(), bias: None };
        let row = receiving.forward(&members.max(&looked_at)).squeeze_dim(-1);
        let col = sending.forward(&looked_at).squeeze_dim(-1);
        let dropped = (ctx.train && self.config.dropout > 0.0).then(|| {
            let ones = Tensor::ones([members.pattern.edges()], g.options());
            dropout(&ones, self.config.dropout, ctx.child(1))
        });
        let scores = Attention { row: &row, col: &col, slope: SLOPE, keep: dropped.as_ref() };
        let (x, alpha) = members.attend(&scores, &g.x);
        Neighbourhoods { adj, alpha, x }
    }

    /// `LEConv(1[A ≠ 0], x^c)`, `[N]`.
    fn fitness(&self, of: &Neighbourhoods) -> Tensor {
        let of_column = |linear: &Linear| linear.forward(&of.x).squeeze_dim(-1);
        let [neighbour, degree, own] = [&self.neighbour, &self.degree, &self.own].map(of_column);
        let members = sparse(&of.adj);
        let unit = Adjacency::Sparse(Sparse::new(Arc::clone(&members.pattern), None, members.options));
        match self.config.fitness {
            Fitness::Official => {
                let adj = unit.with_self_loops(Loops::Remove);
                adj.matmul(&neighbour) + adj.degree() * degree + own
            }
            Fitness::Pyg => unit.matmul(&neighbour) - unit.degree() * degree + own,
        }
    }

    fn decide(&self, g: &Level, of: &Neighbourhoods, fitness: &Tensor) -> Selection {
        let graphs = g.segments();
        let gate = fitness.sigmoid();
        let kept = self.config.keep.choose(fitness, &gate, &graphs);
        let x = of.x.index_select(0, &kept) * gate.index_select(0, &kept).unsqueeze(1);
        let sizes = graphs.sizes().map(|n| self.config.keep.most(n));
        let s = sparse(&of.adj).neighbourhoods(&of.alpha, &kept, Arc::new(Segments::of_sizes(sizes)));
        let coarse = of.adj.coarsen(&s).with_self_loops(self.config.loops.into());
        Selection { coarse: Some(coarse), reduced: Some(x), ..s.into() }
    }
}

fn sparse(adj: &Adjacency) -> &Sparse {
    match adj {
        Adjacency::Sparse(a) => a,
        Adjacency::Dense(_) => unreachable!("`pool` converts at the door"),
    }
}

impl Pool for Asap {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nodes
    }

    fn score(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.fitness(&self.neighbourhoods(g, ctx))
    }

    fn select(&self, g: &Level, fitness: &Tensor, ctx: Ctx) -> Selection {
        self.decide(g, &self.neighbourhoods(g, ctx), fitness)
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.with_sizes(dims.sizes.iter().map(|&n| self.config.keep.most(n)).collect::<Vec<_>>())
    }

    /// The default makes the neighbourhoods once for the score and once to select; here they are made once.
    fn pool(&self, g: &Level, ctx: Ctx) -> Pooled {
        let g = g.to_layout(Layout::Sparse);
        let of = self.neighbourhoods(&g, ctx.child(SELECT));
        let score = self.fitness(&of);
        let selection = self.decide(&g, &of, &score);
        let level = Level::new(self.reduce(&g, &selection, ctx), self.connect(&g, &selection));
        Pooled { level, score, selection }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_sparse::Csr;
    use coarsen_tensor::Pattern;
    use tch::{Device, Kind, nn::VarStore, no_grad};

    /// With all parameters 0 the attention is even and the fitness ½: two nodes of a path 0 — 1 — 2 stay, the first of equals.
    #[test]
    fn even_attention_on_a_path_by_hand() {
        let csr = Csr::new(3, 3, vec![0, 1, 3, 4], vec![1, 0, 2, 1]).expect("a path");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 3]))));
        let adj = Adjacency::Sparse(Sparse::new(pattern, None, (Kind::Double, Device::Cpu)));
        let g = Level::new(Tensor::from_slice2(&[[1f64], [2.], [6.]]), adj);
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let pool = AsapConfig::default().build(&Params::new(&store.root(), 1), &Dims::new(1, 1));
        let pool = pool.expect("a configuration");
        no_grad(|| store.variables().into_values().for_each(|mut v| drop(v.zero_())));

        let pooled = pool.pool(&g, Ctx::eval());
        // ½ · (1 + 2)/2 and ½ · (1 + 2 + 6)/3.
        assert!(pooled.level.x.allclose(&Tensor::from_slice2(&[[0.75f64], [1.5]]), 1e-12, 1e-12, false));
        // S = [½ ⅓; ½ ⅓; 0 ⅓], A with loops: (Sᵀ A S)_01 = ½ (row 0 + row 1 of A S)_1 = ½ (⅔ + 1).
        let Adjacency::Sparse(a) = &pooled.level.adj else { panic!("sparse") };
        let weight = a.weights();
        let want = Tensor::from_slice(&[1.0, 5.0 / 6.0, 5.0 / 6.0, 1.0]);
        assert!(weight.allclose(&want, 1e-12, 1e-12, false), "{weight}");
        let separately = pool.select(&g, &pool.score(&g, Ctx::eval()), Ctx::eval());
        assert!(separately.reduced.expect("made to select").equal(&pooled.level.x));
    }

    #[test]
    fn a_least_score_is_refused() {
        let config = AsapConfig { keep: Keep::MinScore(0.1), ..AsapConfig::default() };
        let store = VarStore::new(Device::Cpu);
        let error = config.build(&Params::new(&store.root(), 1), &Dims::new(1, 1)).expect_err("refused");
        assert_eq!(error.to_string(), "asap: `keep` must be a ratio or a count, got min-score 0.1");
    }
}

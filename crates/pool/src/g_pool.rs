//! gPool and gUnpool of Graph U-Nets (Gao and Ji 2019), as their authors released and as they printed them.

use coarsen_nn::{Config, ConfigError, Ctx, Dims, Linear, Params, dropout};
use coarsen_tensor::top_k::top_k;
use coarsen_tensor::{Adjacency, Assignment, Layout, Level, Norm};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use crate::pool::{Pool, Scores, Selection};
use crate::registry::{Invariance, PoolSpec};
use crate::steps::{Preset, Steps};

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec::of::<GPoolConfig>(
    "Gao & Ji 2019, § 3.1 to 3.3",
    Invariance::UpToTies,
    Steps {
        select: "the best of each graph: `idx = top(y)`, `y = σ(X w + b)`, `S = I[:, idx] y[idx]`",
        connect: "`[(A + I)² ≠ 0][idx, idx]`",
        lift: "rows of `X'` back in their places",
        ..Steps::textbook("")
    },
    "time `O(N F + N log N + Σ d_k)` over the edges `(i, k)` of kept nodes, memory `O(N + E')`",
)
.with_presets(&[Preset { name: "as printed", fields: || json!({"scorer": "projection", "edges": "walks"}) }]);

/// What the edges of the pooled graph weigh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edges {
    /// 1, loops included: a convolution behind scales them as it does its input's.
    #[default]
    Unit,
    /// Divided by the vector of row sums along the columns, as released: not symmetric.
    Columns,
    /// As many as there are walks, without loops: the paper's `A²` of a graph with loops, and PyG's.
    Walks,
}

/// How nodes are scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scorer {
    /// `X w + b`, as released.
    #[default]
    Linear,
    /// `X p / ‖p‖`, as printed (eq. 2).
    Projection,
}

/// Configuration of [`GPool`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GPoolConfig {
    /// The ⌊ratio · n⌋ best of n nodes stay, and at least two where there are two; in (0, 1].
    pub ratio: f64,
    /// Probability of dropping a feature before it is scored, in [0, 1).
    pub dropout: f64,
    /// How nodes are scored.
    pub scorer: Scorer,
    /// What the edges of the pooled graph weigh.
    pub edges: Edges,
}

impl Default for GPoolConfig {
    fn default() -> Self {
        Self { ratio: 0.5, dropout: 0.0, scorer: Scorer::default(), edges: Edges::default() }
    }
}

impl Config for GPoolConfig {
    type Module = GPool;
    const NAME: &'static str = "g-pool";

    fn check(&self) -> Result<(), ConfigError> {
        let kept = self.ratio > 0.0 && self.ratio <= 1.0;
        ConfigError::require(kept, Self::NAME, "ratio", "in (0, 1]", self.ratio)?;
        let drops = (0.0..1.0).contains(&self.dropout);
        ConfigError::require(drops, Self::NAME, "dropout", "in [0, 1)", self.dropout)
    }

    fn init(&self, p: &Params, dims: &Dims) -> GPool {
        let features = dims.features;
        GPool {
            weights: match self.scorer {
                Scorer::Linear => Weights::Linear(Linear::glorot(&p.sub("score"), features, 1)),
                Scorer::Projection => Weights::Projection(p.fan_in("p", &[features], features)),
            },
            ratio: self.ratio,
            dropout: self.dropout,
            edges: self.edges,
        }
    }
}

/// Keeps the best nodes of each graph and joins those at most two steps apart.
///
/// `y = dropout(X) w + b`, `gate = σ(y)`, `idx = top(y)`, `X' = X[idx] ⊙ gate[idx]`, `B = [(A + I)² ≠ 0][idx, idx]`, and `A'` is `B`,
/// `B diag(B 1)⁻¹` or `(A + I)²[idx, idx]` without its diagonal, by [`Edges`]. [`lift`](Pool::lift) is gUnpool: the rows go back to
/// `idx`, the others are zero.
///
/// Of `n` nodes `max(2, ⌊ratio · n⌋)` stay, all where `n < 2`; in the order of their graphs and, within a graph, of falling score, where
/// equal scores keep the order of the nodes.
///
/// Parameters `score.weight` (`[1, F]`, Glorot) and `score.bias` (starts at 0), or `p` (`[F]`, U(±1/√F)).
///
/// # Shapes
///
/// `[N, F]` → `[K, F]`, `K` the sum of `max(2, ⌊ratio · n⌋)` over the graphs.
///
/// # Complexity
///
/// Time `O(N F + N log N + Σ_{(i,k), i kept} d_k)`, memory `O(N + E')` for the `E'` edges of the pooled graphs. Weights of
/// edges are used by [`Edges::Walks`] alone.
///
/// # Paper and code
///
/// The paper scores by `X p / ‖p‖` ([`Scorer::Projection`]), takes `A²` as a sum over walks ([`Edges::Walks`]) and scales it on both
/// sides, which a convolution does here; the rest is the release, whose division by the vector of row sums runs along the columns. The
/// release squares graphs that have their loops already: loops that are missing are added here, so that an edge survives. PyG's U-Net has
/// another operator, Top-k with [`Reach::Two`](crate::Reach).
#[derive(Debug)]
pub struct GPool {
    weights: Weights,
    ratio: f64,
    dropout: f64,
    edges: Edges,
}

#[derive(Debug)]
enum Weights {
    Linear(Linear),
    Projection(Tensor),
}

impl GPool {
    fn most(&self, n: usize) -> usize {
        ((self.ratio * n as f64).floor() as usize).max(2).min(n)
    }
}

impl Pool for GPool {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nodes
    }

    fn score(&self, g: &Level, ctx: Ctx) -> Tensor {
        let x = dropout(&g.x, self.dropout, ctx);
        match &self.weights {
            Weights::Linear(linear) => linear.forward(&x).squeeze_dim(-1),
            Weights::Projection(p) => x.mv(p) / p.norm(), // eq. 2
        }
    }

    fn select(&self, g: &Level, y: &Tensor, _: Ctx) -> Selection {
        let gate = y.sigmoid();
        let kept = top_k(y, &g.segments(), |n| self.most(n));
        Assignment::kept(&kept, Some(&gate.index_select(0, &kept)), g).into()
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        let sizes: Vec<u32> = dims.sizes.iter().map(|&n| self.most(n as usize) as u32).collect();
        dims.with_edge_features(0).with_sizes(sizes)
    }

    fn connect(&self, g: &Level, sel: &Selection) -> Adjacency {
        let (Adjacency::Sparse(a), Assignment::Entries(s)) = (&g.adj, &sel.s) else {
            unreachable!("`pool` converts at the door")
        };
        match self.edges {
            Edges::Unit => Adjacency::Sparse(a.within_two(s)),
            Edges::Columns => Adjacency::Sparse(a.within_two(s)).normalized(Norm::Column { floor: 0.0 }),
            Edges::Walks => match sel.s.unweighted() {
                Assignment::Entries(s) => Adjacency::Sparse(a.walks(&s)),
                _ => unreachable!("entries stay entries"),
            },
        }
    }

    /// Puts the rows back where they came from, without the gate (gUnpool).
    fn lift(&self, x: &Tensor, sel: &Selection) -> Tensor {
        sel.s.unweighted().lift(x)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use coarsen_tensor::{Pattern, Segments, Sparse};
    use tch::{Device, Kind, nn::VarStore};

    use super::*;

    /// The path 0 – 1 – 2 – 3 with one feature, of which 1 and 3 are the best.
    fn path() -> Level {
        let options = (Kind::Double, Device::Cpu);
        let csr = coarsen_sparse::Csr::new(4, 4, vec![0, 1, 3, 5, 6], vec![1, 0, 2, 1, 3, 2]).unwrap();
        let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 4])));
        let x = Tensor::from_slice(&[-1f64, 2., 0., 1.]).view([4, 1]);
        Level::new(x, Adjacency::Sparse(Sparse::new(Arc::new(pattern), None, options)))
    }

    #[test]
    fn values_by_hand() {
        let store = VarStore::new(Device::Cpu);
        let config = GPoolConfig { edges: Edges::Columns, ..GPoolConfig::default() };
        let mut pool = config.init(&Params::new(&store.root(), 0), &Dims::new(1, 1));
        let bias = Some(Tensor::from_slice(&[0f64]));
        pool.weights = Weights::Linear(Linear { weight: Tensor::from_slice2(&[[1f64]]), bias });
        let pooled = pool.pool(&path(), Ctx::eval());
        let sigmoid = |y: f64| 1.0 / (1.0 + (-y).exp());
        let x = Vec::<f64>::try_from(pooled.level.x.view(-1)).unwrap();
        assert!((x[0] - 2.0 * sigmoid(2.0)).abs() < 1e-12 && (x[1] - sigmoid(1.0)).abs() < 1e-12, "{x:?}");
        // 1 and 3 are two steps apart: with the loops every degree is 2.
        let Adjacency::Dense(a) = pooled.level.to_layout(Layout::Dense).adj else { panic!("dense") };
        assert!(a.a.equal(&(a.a.ones_like() * 0.5)));
        let lifted = pool.lift(&pooled.level.x, &pooled.selection);
        assert_eq!(Vec::<f64>::try_from(lifted.view(-1)).unwrap(), [0.0, x[0], 0.0, x[1]]);
    }

    #[test]
    fn the_printed_form_by_hand() {
        let store = VarStore::new(Device::Cpu);
        let config =
            GPoolConfig { edges: Edges::Walks, scorer: Scorer::Projection, ..GPoolConfig::default() };
        let mut pool = config.init(&Params::new(&store.root(), 0), &Dims::new(1, 1));
        pool.weights = Weights::Projection(Tensor::from_slice(&[3f64]));
        let pooled = pool.pool(&path(), Ctx::eval());
        assert_eq!(Vec::<f64>::try_from(&pooled.score).unwrap(), [-1.0, 2.0, 0.0, 1.0]);
        // From 1 to 3 there is one walk, over 2.
        let Adjacency::Dense(a) = pooled.level.to_layout(Layout::Dense).adj else { panic!("dense") };
        assert_eq!(Vec::<f64>::try_from(a.a.view(-1)).unwrap(), [0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn at_least_two_stay_and_a_ratio_rounds_down() {
        let store = VarStore::new(Device::Cpu);
        let config = GPoolConfig { ratio: 0.4, ..GPoolConfig::default() };
        let pool = config.init(&Params::new(&store.root(), 0), &Dims::new(1, 1));
        assert_eq!([0, 1, 2, 4, 9, 10].map(|n| pool.most(n)), [0, 1, 2, 2, 3, 4]);
        let refusal = GPoolConfig { ratio: 0.0, ..config }.check().expect_err("refused").to_string();
        assert_eq!(refusal, "g-pool: `ratio` must be in (0, 1], got 0");
    }
}

//! gPool and gUnpool of Graph U-Nets (Gao and Ji 2019), as their authors released them.

use std::sync::Arc;

use coarsen_nn::{Config, ConfigError, Ctx, Dims, Linear, Params, dropout};
use coarsen_tensor::top_k::top_k;
use coarsen_tensor::{Adjacency, Assignment, Layout, Level, Sparse};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::pool::{Pool, Scores, Selection};
use crate::registry::{Invariance, PoolSpec};

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec::of::<GPoolConfig>("Gao & Ji 2019, § 3.1 to 3.3", Invariance::UpToTies);

/// What the edges of the pooled graph weigh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edges {
    /// 1: a convolution behind scales them as it does its input's.
    #[default]
    Unit,
    /// Divided by the vector of row sums along the columns, as released: not symmetric.
    Columns,
}

/// Configuration of [`GPool`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GPoolConfig {
    /// The ⌊ratio · n⌋ best of n nodes stay, and at least two where there are two; in (0, 1].
    pub ratio: f64,
    /// Probability of dropping a feature before it is scored, in [0, 1).
    pub dropout: f64,
    /// What the edges of the pooled graph weigh.
    pub edges: Edges,
}

impl Default for GPoolConfig {
    fn default() -> Self {
        Self { ratio: 0.5, dropout: 0.0, edges: Edges::default() }
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
        GPool {
            linear: Linear::glorot(&p.sub("score"), dims.features, 1),
            ratio: self.ratio,
            dropout: self.dropout,
            edges: self.edges,
        }
    }
}

/// Keeps the best nodes of each graph and joins those at most two steps apart.
///
/// `y = dropout(X) w + b`, `gate = σ(y)`, `idx = top(gate)`, `X' = X[idx] ⊙ gate[idx]`, `B = [(A + I)² ≠ 0][idx, idx]`,
/// `A' = B`, or
/// `B diag(B 1)⁻¹` with [`Edges::Columns`]. [`lift`](Pool::lift) is gUnpool: the rows go back to `idx`, the others are zero.
///
/// Of `n` nodes `max(2, ⌊ratio · n⌋)` stay, all where `n < 2`; in the order of their graphs and, within a graph, of falling gate, where
/// equal gates keep the order of the nodes.
///
/// # Complexity
///
/// Time `O(N F + N log N + Σ_{(i,k), i kept} d_k)`, memory `O(N + E')` for the `E'` edges of the pooled graphs. Weights of
/// edges are not used.
///
/// # Paper and code
///
/// The paper scores by `X p / ‖p‖` and keeps ⌊ratio · n⌋ nodes; this is the release. Its division by the vector of row sums runs along
/// the columns. It squares graphs that have their loops already: loops that are missing are added here, so that an edge survives.
#[derive(Debug)]
pub struct GPool {
    linear: Linear,
    ratio: f64,
    dropout: f64,
    edges: Edges,
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
        self.linear.forward(&dropout(&g.x, self.dropout, ctx)).squeeze_dim(-1)
    }

    fn select(&self, g: &Level, y: &Tensor, _: Ctx) -> Selection {
        let gate = y.sigmoid();
        let kept = top_k(&gate, &g.segments(), |n| self.most(n));
        Assignment::kept(&kept, Some(&gate.index_select(0, &kept)), g).into()
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.with_sizes(dims.sizes.iter().map(|&n| self.most(n as usize) as u32).collect::<Vec<_>>())
    }

    fn connect(&self, g: &Level, sel: &Selection) -> Adjacency {
        let (Adjacency::Sparse(a), Assignment::Entries(s)) = (&g.adj, &sel.s) else {
            unreachable!("`pool` converts at the door")
        };
        let near = a.within_two(s);
        if self.edges == Edges::Unit {
            return Adjacency::Sparse(near);
        }
        let (pattern, options) = (Arc::clone(&near.pattern), near.options);
        let scale = Adjacency::Sparse(near).degree().reciprocal(); // a node has its loop
        let weight = scale.index_select(0, &pattern.col(options.1));
        Adjacency::Sparse(Sparse::new(pattern, Some(weight), options))
    }

    /// Puts the rows back where they came from, without the gate (gUnpool).
    fn lift(&self, x: &Tensor, sel: &Selection) -> Tensor {
        sel.s.unweighted().lift(x)
    }
}

#[cfg(test)]
mod tests {
    use coarsen_tensor::{Pattern, Segments};
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
        pool.linear =
            Linear { weight: Tensor::from_slice2(&[[1f64]]), bias: Some(Tensor::from_slice(&[0f64])) };
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
    fn at_least_two_stay_and_a_ratio_rounds_down() {
        let store = VarStore::new(Device::Cpu);
        let config = GPoolConfig { ratio: 0.4, ..GPoolConfig::default() };
        let pool = config.init(&Params::new(&store.root(), 0), &Dims::new(1, 1));
        assert_eq!([0, 1, 2, 4, 9, 10].map(|n| pool.most(n)), [0, 1, 2, 2, 3, 4]);
        let refusal = GPoolConfig { ratio: 0.0, ..config }.check().expect_err("refused").to_string();
        assert_eq!(refusal, "g-pool: `ratio` must be in (0, 1], got 0");
    }
}

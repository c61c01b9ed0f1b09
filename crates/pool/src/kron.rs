//! The coarsening of edge-conditioned networks: one side of the largest eigenvector stays, joined by Kron reduction.

use coarsen_nn::{Config, ConfigError, Ctx, Dims, Params};
use coarsen_tensor::kron::{eigenvector, not_negative, reduced};
use coarsen_tensor::{Adjacency, Assignment, Laplacian, Layout, Level, Reduction, Sparse};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::pool::{PlanSpec, Pool, Scores, Selection};
use crate::registry::{Invariance, PoolSpec};
use crate::steps::Steps;

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec::of::<KronConfig>(
    "Simonovsky and Komodakis 2017, § 3.3; Shuman et al. 2016; as in Errica et al. 2020",
    Invariance::Seeded,
    Steps {
        connect: "`−offdiag(L₊₊ − L₊₋ L₋₋⁻¹ L₋₊)`",
        ..Steps::textbook(
            "one side of the largest eigenvector: `S = I[:, idx]`, `idx = {i : vᵢ ≥ 0}`, `L v = λ_max v`",
        )
    },
    "time `O(E + N)` for each step of Lanczos' method and `O(d²)` for each node of degree `d` taken out, memory `O(E + N F)`",
);

/// Configuration of [`Kron`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KronConfig {
    /// The Laplacian that is divided and reduced.
    pub laplacian: Laplacian,
    /// Edges of the pooled graph that weigh less are dropped.
    pub least: f64,
}

impl Config for KronConfig {
    type Module = Kron;
    const NAME: &'static str = "kron";

    fn check(&self) -> Result<(), ConfigError> {
        let sound = self.least >= 0.0 && self.least.is_finite();
        ConfigError::require(sound, Self::NAME, "least", "at least 0", self.least)
    }

    fn init(&self, _: &Params, _: &Dims) -> Kron {
        Kron { rule: Reduction { laplacian: self.laplacian, least: self.least } }
    }
}

/// Keeps the nodes on one side of the Laplacian's largest eigenvector, and joins them by Kron reduction. Nothing is learned.
///
/// `v` with `L v = λ_max v`, in each connected component; `V₊ = {i : vᵢ ≥ 0}`; `X' = X[V₊]`;
/// `A' = −offdiag(L₊₊ − L₊₋ L₋₋⁻¹ L₋₊)`, entries below `least` dropped. Neighbours tend to have opposite signs, so that about every
/// other node stays. Weights that are not positive count for nothing, of the two directions of an edge the mean.
///
/// All of it is done on the host, ahead of the network where the loader can ([`PlanSpec::Kron`]); no gradient reaches the weights `A`. The
/// score is `v`, or under a plan 1 for what stays and −1 for the others. Under a random control nodes of negative score go: half of
/// them for `normal`, nobody for `uniform` and `bernoulli`, whose scores are not negative. A graph without a score ≥ 0 stays whole.
///
/// # Ties
///
/// The sign of `v` makes its entry of largest magnitude positive. Where several are as large (two nodes joined by an edge), or
/// `λ_max` is a multiple eigenvalue (a triangle), the order of the nodes decides which side stays; hence
/// [`Seeded`](Invariance::Seeded), though nothing is drawn.
///
/// # Complexity
///
/// `O(64 E + 64² N)` time for each of at most 30 restarts of Lanczos' method, and `O(d²)` for the `d` neighbours that each node has when it is taken out. Pooled graphs grow
/// dense: `least` is what keeps their edges few.
///
/// # Paper and code
///
/// The authors follow Shuman et al.: the combinatorial Laplacian, edges sparsified by sampling them by effective resistance, features the
/// maximum over the nodes around a kept one. Only their code for point clouds, which pools on a grid, is released. Errica et al. take
/// the normalised Laplacian, features of the kept nodes alone and no sampling, which is followed here; their `v` comes from 30 power
/// iterations from a random vector, whose sign is thus random, and their edges keep the sign of `L'` and its diagonal, where here
/// weights are positive and without loops. On D&D their code drops the entries of `L'` below 1e-4, signs included, which leaves its
/// diagonal; `least` means magnitudes.
#[derive(Debug, Clone, Copy)]
pub struct Kron {
    rule: Reduction,
}

fn edges(g: &Level) -> &Sparse {
    match &g.adj {
        Adjacency::Sparse(a) => a,
        Adjacency::Dense(_) => unreachable!("`pool` converts at the door"),
    }
}

impl Pool for Kron {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nodes
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        match g.plan.first().map(|planned| &planned.s) {
            Some(s @ Assignment::Entries(entries)) => {
                let kept = Tensor::ones([entries.clusters.rows() as i64, 1], g.options());
                s.lift(&kept).squeeze_dim(-1) * 2.0 - 1.0
            }
            _ => eigenvector(edges(g), self.rule.laplacian),
        }
    }

    fn select(&self, g: &Level, v: &Tensor, _: Ctx) -> Selection {
        if let Some(planned) = g.plan.first() {
            let coarse = planned.adj.as_ref().map(Adjacency::shallow_clone);
            return Selection { coarse, ..planned.s.shallow_clone().into() };
        }
        let kept = not_negative(v, &g.segments());
        let s = Assignment::kept(&kept, None, g);
        let coarse = Some(Adjacency::Sparse(reduced(edges(g), &s, self.rule)));
        Selection { coarse, ..s.into() }
    }

    /// A node without edges stays, so the sizes that are known stay an upper bound.
    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.with_edge_features(0)
    }

    fn plan(&self) -> Option<PlanSpec> {
        Some(PlanSpec::Kron(self.rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_not_negative() {
        for least in [-0.1, f64::NAN, f64::INFINITY] {
            let message =
                KronConfig { least, ..KronConfig::default() }.check().expect_err("refused").to_string();
            assert_eq!(message, format!("kron: `least` must be at least 0, got {least}"));
        }
    }
}

//! Graclus pooling: clusters of one or two nodes by a random maximal matching, as Rethinking (Mesquita et al. 2020) uses it, and its
//! control, the same on the complement graph.

use coarsen_nn::{Config, ConfigError, Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Among, Assignment, Layout, Level, matching};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::pool::{PlanSpec, Pool, RowSums, Scores, Selection};
use crate::registry::{Invariance, PoolSpec};
use crate::steps::Steps;

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec::of::<GraclusConfig>(
    "Dhillon et al. 2007; as in Mesquita et al. 2020, supplement",
    Invariance::Seeded,
    Steps { select: "pairs of neighbours, by a random maximal matching", ..STEPS },
    "time `O(E + N F)`, memory `O(E + N F)`",
);

/// The row of the control, which pairs nodes that no edge joins.
pub const COMPLEMENT: PoolSpec = PoolSpec::of::<ComplementConfig>(
    "Mesquita et al. 2020, § 4.1",
    Invariance::Seeded,
    Steps { select: "pairs of strangers, by a random maximal matching", ..STEPS },
    "time `O(Σ n² + N F)`, memory `O(E + N F)`",
);

const STEPS: Steps = Steps {
    reduce: "largest value of each feature among the members",
    connect: "the pattern of `Sᵀ A S` without its diagonal",
    ..Steps::textbook("")
};

/// How the features of a cluster are made of its members'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduce {
    /// Largest value of each feature.
    #[default]
    Max,
    /// Mean of each feature.
    Mean,
}

/// Configuration of [`Graclus`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GraclusConfig {
    /// How features are reduced.
    pub reduce: Reduce,
}

impl Config for GraclusConfig {
    type Module = Graclus;
    const NAME: &'static str = "graclus";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, _: &Params, _: &Dims) -> Graclus {
        Graclus { reduce: self.reduce, among: Among::Neighbours }
    }
}

/// Configuration of [`Graclus`] on the complement of each graph.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ComplementConfig {
    /// How features are reduced.
    pub reduce: Reduce,
}

impl Config for ComplementConfig {
    type Module = Graclus;
    const NAME: &'static str = "complement";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, _: &Params, _: &Dims) -> Graclus {
        Graclus { reduce: self.reduce, among: Among::Strangers }
    }
}

/// Merges matched neighbours, or matched strangers under the control `complement`. Nothing is learned.
///
/// The matching is the level's plan, where the loader prepared one ([`PlanSpec::Graclus`]), else it is drawn here on the host,
/// from the seed of the pass. Clusters are numbered by their smallest member. Features: maximum or mean of the members. Edges: the
/// pattern of `Sᵀ A S` without its diagonal, weights dropped, as the reference does.
///
/// # Complexity
///
/// Time `O(E + N F)`, memory `O(E + N F)`; the matching of strangers takes `O(Σ n²)` on the host, graph by graph.
#[derive(Debug, Clone, Copy)]
pub struct Graclus {
    reduce: Reduce,
    among: Among,
}

impl Pool for Graclus {
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
        match g.plan.first() {
            Some(planned) => Selection {
                coarse: planned.adj.as_ref().map(Adjacency::shallow_clone),
                ..planned.s.shallow_clone().into()
            },
            None => match &g.adj {
                Adjacency::Sparse(a) => {
                    Assignment::clusters(&matching(&a.pattern, self.among, ctx.seed), g).into()
                }
                Adjacency::Dense(_) => unreachable!("`pool` converts at the door"),
            },
        }
    }

    /// A maximal matching may leave nearly every node alone (a star), so the sizes that are known stay an upper bound.
    fn row_sums(&self) -> RowSums {
        RowSums::One
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.with_edge_features(0)
    }

    fn plan(&self) -> Option<PlanSpec> {
        Some(match self.among {
            Among::Neighbours => PlanSpec::Graclus,
            Among::Strangers => PlanSpec::Complement,
        })
    }

    fn reduce(&self, g: &Level, sel: &Selection, _: Ctx) -> Tensor {
        match self.reduce {
            Reduce::Max => sel.s.reduce_max(&g.x),
            Reduce::Mean => {
                let s = sel.s.unweighted();
                let ones = Tensor::ones([g.x.size()[0], 1], g.options());
                s.reduce(&g.x) / s.reduce(&ones)
            }
        }
    }

    fn connect(&self, g: &Level, sel: &Selection) -> Adjacency {
        if let Some(coarse) = &sel.coarse {
            return coarse.shallow_clone();
        }
        match g.adj.coarsen(&sel.s.unweighted()) {
            Adjacency::Sparse(a) => Adjacency::Sparse(a.binary()),
            dense @ Adjacency::Dense(_) => dense,
        }
    }
}

//! The neutral operator: every node its own cluster.

use coarsen_nn::{Config, ConfigError, Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Assignment, Layout, Level};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::pool::{Pool, RowSums, Scores, Selection};
use crate::registry::{Invariance, PoolSpec};
use crate::steps::Steps;

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec =
    PoolSpec::of::<IdentityConfig>("no pooling: S = I", Invariance::Exact, Steps::textbook("`I`"), "none");

/// Nothing to choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {}

impl Config for IdentityConfig {
    type Module = Identity;
    const NAME: &'static str = "identity";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, _: &Params, _: &Dims) -> Identity {
        Identity
    }
}

/// `S = I`: the pooled level is the level.
#[derive(Debug, Clone, Copy)]
pub struct Identity;

impl Pool for Identity {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nothing
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        Tensor::zeros([0], g.options())
    }

    fn select(&self, g: &Level, _: &Tensor, _: Ctx) -> Selection {
        let own: Vec<u32> = (0..g.segments().rows() as u32).collect();
        Assignment::clusters(&own, g).into()
    }

    fn row_sums(&self) -> RowSums {
        RowSums::One
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.clone()
    }

    fn reduce(&self, g: &Level, _: &Selection, _: Ctx) -> Tensor {
        g.x.shallow_clone()
    }

    fn connect(&self, g: &Level, _: &Selection) -> Adjacency {
        g.adj.shallow_clone()
    }
}

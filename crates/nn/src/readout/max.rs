//! Largest value of each feature over the nodes.

use coarsen_tensor::{Adjacency, Level, segment};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Readout;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::params::Params;

/// The configuration of a [`Max`]: nothing to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxConfig {}

/// The largest value of each feature over the nodes of each graph, `maxᵢ xᵢ`; 0 for a graph without nodes.
///
/// # Complexity
///
/// Time O(N · F) sparse, O(B · N · F) dense.
///
/// # Paper and code
///
/// Where nodes share the largest value, which of them receives the gradient is the kernel's choice.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, readout::{MaxConfig, Readout}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = MaxConfig {}.init(&Params::new(&store.root(), 1), &Dims::new(64, 64));
/// assert_eq!(layer.out_features(), 64);
/// ```
#[derive(Debug)]
pub struct Max {
    features: i64,
}

impl Config for MaxConfig {
    type Module = Max;
    const NAME: &'static str = "max";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, _p: &Params, dims: &Dims) -> Max {
        Max { features: dims.features }
    }
}

impl Readout for Max {
    fn forward(&self, g: &Level, _ctx: Ctx) -> Tensor {
        match (&g.adj, g.mask()) {
            (Adjacency::Sparse(s), _) => segment::max(&g.x, s.pattern.graphs()),
            (Adjacency::Dense(_), _) if g.x.size()[1] == 0 => {
                Tensor::zeros([g.graphs(), self.features], g.options())
            }
            (Adjacency::Dense(_), None) => g.x.max_dim(1, false).0,
            (Adjacency::Dense(_), Some(mask)) => {
                let padding = mask.eq(0.0);
                let largest = g.x.masked_fill(&padding.unsqueeze(-1), f64::NEG_INFINITY).max_dim(1, false).0;
                let no_nodes = padding.all_dim(1, true);
                largest.masked_fill(&no_nodes, 0.0)
            }
        }
    }

    fn out_features(&self) -> i64 {
        self.features
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readout::by_hand::check;

    #[test]
    fn values_by_hand() {
        check(&Max { features: 2 }, &[3.0, -2.0, 0.0, 0.0, -4.0, 7.0]);
    }
}

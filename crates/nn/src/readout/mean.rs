//! Mean over the nodes.

use coarsen_tensor::{Adjacency, Level, segment};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Readout;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::params::Params;

/// The configuration of a [`Mean`]: nothing to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeanConfig {}

/// The mean over the nodes of each graph, `(1/n) Σᵢ xᵢ`; 0 for a graph without nodes.
///
/// # Complexity
///
/// Time O(N · F) sparse, O(B · N · F) dense.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, readout::{MeanConfig, Readout}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = MeanConfig {}.init(&Params::new(&store.root(), 1), &Dims::new(64, 64));
/// assert_eq!(layer.out_features(), 64);
/// ```
#[derive(Debug)]
pub struct Mean {
    features: i64,
}

impl Config for MeanConfig {
    type Module = Mean;
    const NAME: &'static str = "mean";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, _p: &Params, dims: &Dims) -> Mean {
        Mean { features: dims.features }
    }
}

impl Readout for Mean {
    fn forward(&self, g: &Level, _ctx: Ctx) -> Tensor {
        let over_nodes = [1_i64].as_slice();
        match (&g.adj, g.mask()) {
            (Adjacency::Sparse(s), _) => segment::mean(&g.x, s.pattern.graphs()),
            (Adjacency::Dense(_), None) => {
                let nodes = g.x.size()[1].max(1) as f64;
                g.x.sum_dim_intlist(over_nodes, false, g.x.kind()) / nodes
            }
            (Adjacency::Dense(_), Some(mask)) => {
                let mask = mask.unsqueeze(-1);
                let sum = (&g.x * &mask).sum_dim_intlist(over_nodes, false, g.x.kind());
                sum / mask.sum_dim_intlist(over_nodes, false, g.x.kind()).clamp_min(1.0)
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
        check(&Mean { features: 2 }, &[1.0, -2.5, 0.0, 0.0, -4.0, 7.0]);
    }
}

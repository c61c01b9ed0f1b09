//! Sum over the nodes.

use coarsen_tensor::{Adjacency, Level, segment};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Readout;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::params::Params;

/// The configuration of a [`Sum`]: nothing to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SumConfig {}

/// The sum over the nodes of each graph, `Σᵢ xᵢ`; 0 for a graph without nodes.
///
/// # Complexity
///
/// Time O(N · F) sparse, O(B · N · F) dense.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, readout::{Readout, SumConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = SumConfig {}.init(&Params::new(&store.root(), 1), &Dims::new(64, 64));
/// assert_eq!(layer.out_features(), 64);
/// ```
#[derive(Debug)]
pub struct Sum {
    features: i64,
}

impl Config for SumConfig {
    type Module = Sum;
    const NAME: &'static str = "sum";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, _p: &Params, dims: &Dims) -> Sum {
        Sum { features: dims.features }
    }
}

impl Readout for Sum {
    fn forward(&self, g: &Level, _ctx: Ctx) -> Tensor {
        match &g.adj {
            Adjacency::Sparse(s) => segment::sum(&g.x, s.pattern.graphs()),
            Adjacency::Dense(_) => {
                g.mask_rows(g.x.shallow_clone()).sum_dim_intlist([1_i64].as_slice(), false, g.x.kind())
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
        check(&Sum { features: 2 }, &[2.0, -5.0, 0.0, 0.0, -4.0, 7.0]);
    }
}

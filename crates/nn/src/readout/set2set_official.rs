//! Set2Set as DiffPool's authors released it.

use coarsen_tensor::{Layout, Level};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Readout;
use super::reader::Reader;
use crate::activation::Activation;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of a [`Set2SetOfficial`]: nothing to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set2SetOfficialConfig {}

/// `ReLU(W q* + b)` of the `q*` of [`Set2Set`](super::Set2Set), with as many steps as a graph of the *padded* batch has rows.
///
/// Padded rows take part in the softmax (their score is 0), so the answer for a graph depends on the batch it is in, and a graph
/// without nodes does not give 0. It is here because DiffPool's table has numbers of it; use `set2set` otherwise.
///
/// Parameters those of [`Set2Set`](super::Set2Set), and `pred.weight` `[F, 2F]`, `pred.bias` `[F]`.
///
/// # Shapes
///
/// `[…, F]` → `[B, F]`; a sparse level is padded at the door.
///
/// # Complexity
///
/// Time O(B · N² · F + B · N · F²) with `N` the largest graph of the batch.
///
/// # Paper and code
///
/// RexYing/diffpool, `set2set.py`; the paper only names the readout.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, readout::{Readout, Set2SetOfficialConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = Set2SetOfficialConfig {}.init(&Params::new(&store.root(), 1), &Dims::new(64, 64));
/// assert_eq!(layer.out_features(), 64);
/// ```
#[derive(Debug)]
pub struct Set2SetOfficial {
    reader: Reader,
    pred: Linear,
}

impl Config for Set2SetOfficialConfig {
    type Module = Set2SetOfficial;
    const NAME: &'static str = "set2set-official";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, p: &Params, dims: &Dims) -> Set2SetOfficial {
        let f = dims.features;
        Set2SetOfficial { reader: Reader::new(p, f), pred: Linear::new(&p.sub("pred"), 2 * f, f) }
    }
}

impl Readout for Set2SetOfficial {
    fn forward(&self, g: &Level, _ctx: Ctx) -> Tensor {
        let g = g.to_layout(Layout::Dense);
        let attend = |q: &Tensor| {
            let a = g.x.matmul(&q.unsqueeze(-1)).softmax(1, None);
            a.transpose(1, 2).matmul(&g.x).squeeze_dim(1)
        };
        let q_star = self.reader.read(g.x.size()[1] as usize, g.graphs(), attend);
        self.pred.activated(&q_star, Activation::Relu)
    }

    fn out_features(&self) -> i64 {
        self.pred.out_features()
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, nn::VarStore, no_grad};

    use super::*;
    use crate::readout::by_hand::level;

    /// Queries of 0 read the mean over the slots, of which the largest graph has two.
    #[test]
    fn padding_counts_in_the_mean() {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let layer = Set2SetOfficialConfig {}.init(&Params::new(&store.root(), 0), &Dims::new(2, 2));
        no_grad(|| {
            store.trainable_variables().iter_mut().for_each(|p| drop(p.zero_()));
            // What comes out is what was read, without its negative part.
            let read = Tensor::from_slice2(&[[0.0_f64, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]);
            layer.pred.weight.shallow_clone().copy_(&read);
        });
        let y = layer.forward(&level(), Ctx::eval()).reshape([-1]);
        assert_eq!(Vec::<f64>::try_from(y).expect("double precision"), [1.0, 0.0, 0.0, 0.0, 0.0, 3.5]);
    }
}

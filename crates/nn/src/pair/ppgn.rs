//! Products of maps of pairs.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::PairLayer;
use crate::activation::Activation;
use crate::config::Config;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of a [`Ppgn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpgnConfig {
    /// Layers of each of the two maps; at least 1.
    pub depth: usize,
    /// What stands behind the last map: nothing in the authors' PyTorch code, a ReLU in their TensorFlow code.
    pub last: Activation,
}

impl Default for PpgnConfig {
    fn default() -> Self {
        Self { depth: 2, last: Activation::Identity }
    }
}

/// The block of provably powerful graph networks (Maron et al. 2019, sec. 6):
/// `T' = W [T ‖ m₁(T) · m₂(T)] + b`, the product one of matrices, channel by channel.
///
/// `m₁` and `m₂` are maps of single pairs: `depth` layers `ReLU(W t + b)` each.
///
/// Parameters `mlp1.i.{weight, bias}`, `mlp2.i.{weight, bias}`, `skip.{weight, bias}`; matrices start with Glorot's law, biases at 0.
///
/// # Shapes
///
/// `[B, in, n, n]` → `[B, out, n, n]`.
///
/// # Complexity
///
/// Time O(B · out · n³ + B · n² · out · (in + depth · out)), memory O(B · n² · (in + depth · out)).
///
/// # Paper and code
///
/// The authors' two codes differ in the activation behind the last map, see [`PpgnConfig::last`].
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, pair::{PairLayer, PpgnConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let block = PpgnConfig::default().init(&Params::new(&store.root(), 1), &Dims::new(8, 80));
/// assert_eq!(block.out_features(), 80);
/// ```
#[derive(Debug)]
pub struct Ppgn {
    left: Vec<Linear>,
    right: Vec<Linear>,
    skip: Linear,
    last: Activation,
}

impl Config for PpgnConfig {
    type Module = Ppgn;
    const NAME: &'static str = "ppgn";

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::require(self.depth >= 1, Self::NAME, "depth", "at least 1", self.depth)
    }

    fn init(&self, p: &Params, dims: &Dims) -> Ppgn {
        let outputs = dims.outputs;
        let map = |name: &str| {
            let layer = |l: usize| {
                let inputs = if l == 0 { dims.features } else { outputs };
                Linear::glorot(&p.sub(name).sub(l), inputs, outputs)
            };
            (0..self.depth).map(layer).collect()
        };
        Ppgn {
            left: map("mlp1"),
            right: map("mlp2"),
            skip: Linear::glorot(&p.sub("skip"), dims.features + outputs, outputs),
            last: self.last,
        }
    }
}

impl PairLayer for Ppgn {
    fn forward(&self, t: &Tensor) -> Tensor {
        let map = |layers: &[Linear]| {
            layers.iter().fold(t.shallow_clone(), |t, layer| of_channels(layer, &t).relu())
        };
        let product = map(&self.left).matmul(&map(&self.right));
        self.last.apply(&of_channels(&self.skip, &Tensor::cat(&[t, &product], 1)))
    }

    fn out_features(&self) -> i64 {
        self.skip.out_features()
    }
}

/// The affine map of the channels of every pair.
fn of_channels(linear: &Linear, t: &Tensor) -> Tensor {
    let size = t.size();
    let (graphs, nodes) = (size[0], size[3]);
    let weight = linear.weight.unsqueeze(0).expand([graphs, -1, -1], false);
    let y = weight.bmm(&t.reshape([graphs, size[1], nodes * nodes]));
    let y = match &linear.bias {
        Some(bias) => y + bias.unsqueeze(1),
        None => y,
    };
    y.view([graphs, linear.out_features(), nodes, nodes])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_hand() {
        let linear = |weight: &[f64], bias: f64| Linear {
            weight: Tensor::from_slice(weight).view([1, -1]),
            bias: Some(Tensor::from_slice(&[bias])),
        };
        let block = Ppgn {
            left: vec![linear(&[1.0], 0.0)],
            right: vec![linear(&[2.0], 1.0)],
            skip: linear(&[10.0, 1.0], 0.5),
            last: Activation::Identity,
        };
        // [[1, 2], [0, 0]] · [[3, 5], [0, 1]] = [[3, 7], [0, 0]]; the negative entry counts in the skip alone.
        let t = Tensor::from_slice(&[1.0_f64, 2.0, -1.0, 0.0]).view([1, 1, 2, 2]);
        let y = Vec::<f64>::try_from(block.forward(&t).view(-1)).expect("double precision");
        assert_eq!(y, [13.5, 27.5, -9.5, 0.5]);
    }

    #[test]
    fn no_layer_is_refused() {
        let message = PpgnConfig { depth: 0, ..PpgnConfig::default() }.check().unwrap_err().to_string();
        assert_eq!(message, "ppgn: `depth` must be at least 1, got 0");
    }
}

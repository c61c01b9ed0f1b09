//! The convolution of DiffPool's released code.

use std::cmp::Ordering;

use coarsen_tensor::{Adjacency, Level, unit_rows};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Conv, sending};
use crate::activation::Activation;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of a [`Raw`].
///
/// The defaults are the layer as DiffPool's code runs it, which concatenates the outputs of its layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    /// Whether a node counts as a neighbour of itself, on top of self-loops that are there.
    pub add_self: bool,
    /// Whether each row of the output is divided by its Euclidean norm; up to a norm of 1e-12 it becomes 0.
    pub normalize: bool,
    /// Whether there is a bias.
    pub bias: bool,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self { add_self: false, normalize: true, bias: true }
    }
}

/// The sum over neighbours and nothing else: `X' = A X W + b` (the released code of Ying et al. 2018).
///
/// No degree divides it and no self-loop is added, unless asked for: `X' = (A + I) X W + b`. By default each row is then divided
/// by its Euclidean norm. Edge weights count, and have a gradient.
///
/// Parameters `weight` (`Wᵀ`, `[out, in]`, Glorot's law times √2) and `bias` (starts at 0).
///
/// # Complexity
///
/// Time O(N · in · out + E · min(in, out)); dense, O(B · N² · min(in, out)) for the second part. The product that makes the
/// rows narrower comes first.
///
/// # Paper and code
///
/// The text says mean-GraphSAGE; the released code is this layer, so a node's own features do not enter the output of the first
/// one. Its padded rows become the (normalised) bias; here they stay 0.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, RawConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = RawConfig::default().init(&Params::new(&store.root(), 1), &Dims::new(7, 30));
/// assert_eq!(layer.out_features(), 30);
/// ```
#[derive(Debug)]
pub struct Raw {
    linear: Linear,
    add_self: bool,
    normalize: bool,
}

impl Config for RawConfig {
    type Module = Raw;
    const NAME: &'static str = "raw";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, p: &Params, dims: &Dims) -> Raw {
        let (inputs, outputs) = (dims.features, dims.outputs);
        let limit = (12.0 / (inputs + outputs) as f64).sqrt();
        Raw {
            linear: Linear {
                weight: p.uniform("weight", &[outputs, inputs], limit),
                bias: self.bias.then(|| p.constant("bias", &[outputs], 0.0)),
            },
            add_self: self.add_self,
            normalize: self.normalize,
        }
    }
}

impl Raw {
    fn sum(&self, adj: &Adjacency, x: &Tensor) -> Tensor {
        if self.add_self { adj.matmul_own(1.0, x) } else { adj.matmul(x) }
    }
}

impl Conv for Raw {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.activated(g, Activation::Identity, ctx)
    }

    fn activated(&self, g: &Level, act: Activation, _ctx: Ctx) -> Tensor {
        let inner = if self.normalize { Activation::Identity } else { act };
        let y = if sending(&g.x, self.out_features()) == Ordering::Less {
            self.linear.activated(&self.sum(&g.adj, &g.x), inner)
        } else {
            inner.apply(&self.linear.shift(self.sum(&g.adj, &self.linear.multiply(&g.x))))
        };
        g.mask_rows(if self.normalize { act.apply(&unit_rows(&y)) } else { y })
    }

    fn out_features(&self) -> i64 {
        self.linear.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{check, pair_and_single};

    /// `x ↦ 2 x − 1`.
    fn raw(add_self: bool, normalize: bool) -> Raw {
        let (weight, bias) = (Tensor::from_slice2(&[[2.0_f64]]), Some(Tensor::from_slice(&[-1.0_f64])));
        Raw { linear: Linear { weight, bias }, add_self, normalize }
    }

    #[test]
    fn sums_by_hand() {
        // x = 1, 3 | 5, the pair's edges weigh ½.
        let level = pair_and_single(0.5);
        check(&raw(false, false), &level, &[2.0, 0.0, -1.0]);
        check(&raw(true, false), &level, &[4.0, 6.0, 9.0]);
        check(&raw(false, true), &level, &[1.0, 0.0, -1.0]);
    }

    #[test]
    fn both_orders_of_the_products_agree() {
        let weight = Tensor::from_slice2(&[[2.0_f64], [-1.0]]);
        let wide = Raw { linear: Linear { weight, bias: None }, ..raw(true, false) };
        let y = wide.forward(&pair_and_single(1.0), Ctx::eval());
        let want = Tensor::from_slice2(&[[8.0_f64, -4.0], [8.0, -4.0], [10.0, -5.0]]);
        assert!(y.allclose(&want, 1e-12, 1e-12, false));
    }
}

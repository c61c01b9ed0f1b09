//! Mean over a node and its neighbours, the bias included.

use std::cmp::Ordering;

use coarsen_tensor::{Level, Loops, Norm, affine};
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

/// The configuration of a [`Dgcnn`]: nothing to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DgcnnConfig {}

/// The convolution of DGCNN: `X' = D̃⁻¹ (Ã X W + b)` (Zhang et al. 2018, eq. 1, before its tanh).
///
/// `Ã = A + I`, and `D̃ᵢᵢ = Σⱼ Ãᵢⱼ` its degree at the receiving node. The bias is divided by the degree too. Edge weights count,
/// and have a gradient.
///
/// Parameters `weight` (`Wᵀ`, `[out, in]`, Glorot) and `bias` (starts at 0).
///
/// # Complexity
///
/// Time O(N · in · out + E · min(in, out)); dense, O(B · N² · min(in, out)) for the second part.
///
/// # Paper and code
///
/// Eq. 1 has no bias; the authors' code adds one before it divides by the degree, so that hubs hardly see it.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, DgcnnConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = DgcnnConfig {}.init(&Params::new(&store.root(), 1), &Dims::new(7, 32));
/// assert_eq!(layer.out_features(), 32);
/// ```
#[derive(Debug)]
pub struct Dgcnn {
    linear: Linear,
}

impl Config for DgcnnConfig {
    type Module = Dgcnn;
    const NAME: &'static str = "dgcnn";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, p: &Params, dims: &Dims) -> Dgcnn {
        Dgcnn { linear: Linear::glorot(p, dims.features, dims.outputs) }
    }
}

impl Conv for Dgcnn {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.activated(g, Activation::Identity, ctx)
    }

    fn activated(&self, g: &Level, act: Activation, _ctx: Ctx) -> Tensor {
        let summed = g.adj.with_self_loops(Loops::Add(1.0));
        let degree = summed.degree();
        let share = (&degree + degree.eq(0.0)).reciprocal().unsqueeze(-1); // of the bias; padding has degree 0
        let averaged = summed.normalized(Norm::Row { floor: 0.0 });
        let Linear { weight, bias } = &self.linear;
        let bias = bias.as_ref().expect("made with a bias").unsqueeze(1);
        let y = if sending(&g.x, self.out_features()) == Ordering::Greater {
            let narrow = averaged.matmul(&self.linear.multiply(&g.x));
            act.apply(&(narrow + share * bias.squeeze_dim(1)))
        } else {
            let x = averaged.matmul(&g.x);
            act.after(|act| affine(&[(&x, weight), (&share, &bias)], None, act))
        };
        g.mask_rows(y)
    }

    fn out_features(&self) -> i64 {
        self.linear.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{check, pair_and_single};

    #[test]
    fn the_bias_is_averaged_away() {
        let layer = Dgcnn {
            linear: Linear {
                weight: Tensor::from_slice2(&[[2.0_f64]]),
                bias: Some(Tensor::from_slice(&[1.0_f64])),
            },
        };
        // x = 1, 3 | 5: the pair's sums are 4, of degree 2; the single node has degree 1.
        check(&layer, &pair_and_single(1.0), &[4.5, 4.5, 11.0]);
        // Edges of weight 3: sums 10 and 6, of degree 4.
        check(&layer, &pair_and_single(3.0), &[5.25, 3.25, 11.0]);
    }

    #[test]
    fn both_orders_of_the_products_agree() {
        let x = Tensor::from_slice2(&[[1.0_f64, 2.0], [3.0, -1.0], [5.0, 4.0]]);
        let layer = |columns: i64| Dgcnn {
            linear: Linear {
                weight: Tensor::from_slice2(&[[2.0_f64, 1.0]]).repeat([columns, 1]),
                bias: Some(Tensor::from_slice(&[1.0_f64]).repeat([columns])),
            },
        };
        let level = pair_and_single(1.0).with_x(x);
        let wide = layer(5).forward(&level, Ctx::eval()).narrow(1, 0, 1);
        assert!(layer(1).forward(&level, Ctx::eval()).allclose(&wide, 1e-12, 1e-12, false));
    }
}

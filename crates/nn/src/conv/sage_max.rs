//! GraphSAGE with the maximum of the neighbours.

use coarsen_tensor::{Level, affine, unit_rows};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Conv;
use crate::activation::Activation;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of a [`SageMax`].
///
/// The defaults are the paper's layer; PyG's `SAGEConv(aggr="max")` is `{"project": false}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SageMaxConfig {
    /// Whether the maximum is of `ReLU(W_p xⱼ + b_p)`, as wide as `xⱼ`, in place of `xⱼ`.
    pub project: bool,
    /// Whether each row of the output is divided by its Euclidean norm; up to a norm of 1e-12 it becomes 0.
    pub normalize: bool,
    /// Whether there is a bias beside `W_l`.
    pub bias: bool,
}

impl Default for SageMaxConfig {
    fn default() -> Self {
        Self { project: true, normalize: false, bias: true }
    }
}

/// GraphSAGE with the max-pooling aggregator: `x'ᵢ = W_l maxⱼ ReLU(W_p xⱼ + b_p) + b + W_r xᵢ` (Hamilton et al. 2017, algorithm 1
/// with eq. 3).
///
/// The maximum is taken number by number; over no neighbours it is 0. Its gradient goes to the first neighbour that holds it. Edge
/// weights do not count and have no gradient: an edge is there or not.
///
/// Parameters `project.weight` (`W_p`), `project.bias`, `neighbour.weight` (`W_l`), `neighbour.bias`, `root.weight` (`W_r`), all
/// drawn by [`Params::fan_in`].
///
/// # Complexity
///
/// Time O(N · in · (in + out) + E · in); no message is kept for an edge. A dense level's edges are listed on the host.
///
/// # Paper and code
///
/// The paper concatenates own and received features before one weight, which is the sum of two weights. PyG leaves the projection
/// out unless asked.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, SageMaxConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = SageMaxConfig::default().init(&Params::new(&store.root(), 1), &Dims::new(7, 64));
/// assert_eq!(layer.out_features(), 64);
/// ```
#[derive(Debug)]
pub struct SageMax {
    project: Option<Linear>,
    neighbour: Linear,
    root: Linear,
    normalize: bool,
}

impl Config for SageMaxConfig {
    type Module = SageMax;
    const NAME: &'static str = "sage-max";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, p: &Params, dims: &Dims) -> SageMax {
        let make = if self.bias { Linear::new } else { Linear::unbiased };
        let (inputs, outputs) = (dims.features, dims.outputs);
        SageMax {
            project: self.project.then(|| Linear::new(&p.sub("project"), inputs, inputs)),
            neighbour: make(&p.sub("neighbour"), inputs, outputs),
            root: Linear::unbiased(&p.sub("root"), inputs, outputs),
            normalize: self.normalize,
        }
    }
}

impl Conv for SageMax {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.activated(g, Activation::Identity, ctx)
    }

    fn activated(&self, g: &Level, act: Activation, _ctx: Ctx) -> Tensor {
        let adj = g.adj.unweighted();
        let received = match &self.project {
            Some(project) => adj.max(&project.activated(&g.x, Activation::Relu)), // eq. 3
            None => adj.max(&g.x),
        };
        let Linear { weight, bias } = &self.neighbour;
        let terms = [(&received, weight), (&g.x, &self.root.weight)];
        let inner = if self.normalize { Activation::Identity } else { act };
        let y = inner.after(|act| affine(&terms, bias.as_ref(), act));
        g.mask_rows(if self.normalize { act.apply(&unit_rows(&y)) } else { y }) // line 7
    }

    fn out_features(&self) -> i64 {
        self.root.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{check, pair_and_single};

    fn scale(by: f64) -> Linear {
        Linear { weight: Tensor::from_slice2(&[[by]]), bias: None }
    }

    fn layer(project: Option<Linear>) -> SageMax {
        SageMax { project, neighbour: scale(10.0), root: scale(1.0), normalize: false }
    }

    #[test]
    fn maxima_by_hand() {
        // x = 1, 3 | 5; the weights of the pair's edges do not count.
        let level = pair_and_single(-0.5);
        check(&layer(None), &level, &[31.0, 13.0, 5.0]);
        let project = Linear { bias: Some(Tensor::from_slice(&[2.0_f64])), ..scale(-1.0) };
        check(&layer(Some(project)), &level, &[1.0, 13.0, 5.0]); // ReLU(2 − 3) = 0, ReLU(2 − 1) = 1
    }

    #[test]
    fn rows_of_length_one() {
        let unit = SageMax { normalize: true, ..layer(None) };
        check(&unit, &pair_and_single(1.0), &[1.0, 1.0, 1.0]);
    }
}

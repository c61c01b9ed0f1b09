//! The convolution of higher-order networks, at order one.

use coarsen_tensor::{Level, affine};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Averaging, Conv};
use crate::activation::Activation;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of a [`GraphConv`].
///
/// | layer of PyG | configuration |
/// | --- | --- |
/// | `GraphConv(aggr="add")`, `DenseGraphConv(aggr="add")` | the default |
/// | `GraphConv(aggr="mean")` | `{"aggregation": {"mean": "count"}}` |
/// | `DenseGraphConv(aggr="mean")` | `{"aggregation": {"mean": "floored"}}` |
/// | `GraphConv(aggr="max")` | `{"aggregation": "max"}` |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphConvConfig {
    /// What becomes of the neighbours.
    pub aggregation: Aggregation,
    /// Whether there is a bias.
    pub bias: bool,
}

impl Default for GraphConvConfig {
    fn default() -> Self {
        Self { aggregation: Aggregation::Sum, bias: true }
    }
}

/// What becomes of a node's neighbours; written `"sum"`, `{"mean": "weighted"}` or `"max"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregation {
    /// `Σ wᵢⱼ xⱼ`.
    Sum,
    /// A mean, which treats edge weights so.
    Mean(Averaging),
    /// `max wᵢⱼ xⱼ`, number by number.
    Max,
}

/// The graph convolution of k-GNN, k = 1: `x'ᵢ = W₂ aggⱼ wᵢⱼ xⱼ + b + W₁ xᵢ` (Morris et al. 2019, eq. 5).
///
/// The aggregation is a sum (the paper's), a mean or a maximum; over no neighbours it is 0. Edge weights count, and have a
/// gradient.
///
/// Parameters `neighbour.weight` (`W₂`), `neighbour.bias`, `root.weight` (`W₁`), all drawn by [`Params::fan_in`].
///
/// # Complexity
///
/// Time O(N · in · out + E · in); dense, O(B · N² · in) for the second part. No message is kept for an edge. The maximum on a
/// dense level lists its edges on the host.
///
/// # Paper and code
///
/// The paper has neither edge weights nor another aggregation than the sum. PyG 1.4 kept the bias beside the root's weight: the
/// same function. PyG's sparse maximum is of `wᵢⱼ xⱼ`, as here in both layouts; its dense one ignores weights, and takes it over
/// columns of `A` where its sums go over rows.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Aggregation, Conv, GraphConvConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let config = GraphConvConfig { aggregation: Aggregation::Max, ..GraphConvConfig::default() };
/// assert_eq!(config.init(&Params::new(&store.root(), 1), &Dims::new(7, 64)).out_features(), 64);
/// ```
#[derive(Debug)]
pub struct GraphConv {
    neighbour: Linear,
    root: Linear,
    aggregation: Aggregation,
}

impl Config for GraphConvConfig {
    type Module = GraphConv;
    const NAME: &'static str = "graph-conv";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, p: &Params, dims: &Dims) -> GraphConv {
        let make = if self.bias { Linear::new } else { Linear::unbiased };
        GraphConv {
            neighbour: make(&p.sub("neighbour"), dims.features, dims.outputs),
            root: Linear::unbiased(&p.sub("root"), dims.features, dims.outputs),
            aggregation: self.aggregation,
        }
    }
}

impl Conv for GraphConv {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.activated(g, Activation::Identity, ctx)
    }

    fn activated(&self, g: &Level, act: Activation, _ctx: Ctx) -> Tensor {
        let (Linear { weight, bias }, root) = (&self.neighbour, &self.root.weight);
        let y = act.after(|act| match self.aggregation {
            Aggregation::Sum => g.adj.affine(&g.x, weight, root, bias.as_ref(), act), // eq. 5
            Aggregation::Mean(averaging) => {
                averaging.of(&g.adj).affine(&g.x, weight, root, bias.as_ref(), act)
            }
            Aggregation::Max => affine(&[(&g.adj.max(&g.x), weight), (&g.x, root)], bias.as_ref(), act),
        });
        g.mask_rows(y)
    }

    fn out_features(&self) -> i64 {
        self.root.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{check, pair_and_single};

    /// `10 agg + 1 + x`.
    fn layer(aggregation: Aggregation) -> GraphConv {
        let linear = |by: f64| Linear { weight: Tensor::from_slice2(&[[by]]), bias: None };
        let bias = Some(Tensor::from_slice(&[1.0_f64]));
        GraphConv { neighbour: Linear { bias, ..linear(10.0) }, root: linear(1.0), aggregation }
    }

    #[test]
    fn aggregations_by_hand() {
        // x = 1, 3 | 5, the pair's edges weigh ½.
        let level = pair_and_single(0.5);
        check(&layer(Aggregation::Sum), &level, &[17.0, 9.0, 6.0]);
        check(&layer(Aggregation::Mean(Averaging::Weighted)), &level, &[32.0, 14.0, 6.0]);
        check(&layer(Aggregation::Mean(Averaging::Count)), &level, &[17.0, 9.0, 6.0]);
        check(&layer(Aggregation::Max), &level, &[17.0, 9.0, 6.0]);
    }

    #[test]
    fn a_maximum_below_zero_stays_below_zero() {
        // The only neighbour sends −3 and −1; the single node has none and gets 0.
        check(&layer(Aggregation::Max), &pair_and_single(-1.0), &[-28.0, -6.0, 6.0]);
    }
}

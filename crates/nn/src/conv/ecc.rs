//! Edge-conditioned convolution.

use std::sync::Arc;

use coarsen_tensor::{Adjacency, Level, Norm, Sparse, affine};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Conv, SelfLoops, on_edges, propagate};
use crate::activation::Activation;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of an [`Ecc`].
///
/// PyG's `NNConv(aggr="mean", root_weight=False)` is `{"loops": "none"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EccConfig {
    /// Width `K` of the filter network's hidden layer.
    pub hidden: i64,
    /// What happens to self-loops; a new one weighs 1, and its attributes are 0.
    pub loops: SelfLoops,
    /// Whether there is a bias.
    pub bias: bool,
}

impl Default for EccConfig {
    fn default() -> Self {
        Self { hidden: 16, loops: SelfLoops::Fill, bias: true }
    }
}

/// Edge-conditioned convolution: `x'ᵢ = 1/|N(i)| Σⱼ Θ(eᵢⱼ) xⱼ + b` (Simonovsky and Komodakis 2017, eq. 1).
///
/// The filter network `Θ(e) = U ReLU(V e + c) + d` gives a matrix `[in, out]` for each edge. `e` are the edge's attributes where the layer
/// was made for some, and its weight otherwise: 1 on an input graph, a sum of weights on a pooled one. Of a level without the attributes
/// that the layer was made for (pooled and dense ones) they count as 0. `N(i)` holds `i` itself, whose loop is filled in; without
/// loops a node that receives nothing gets the bias.
///
/// Parameters `filter.0.weight` (`V`, `[K, D]`), `filter.0.bias`, `filter.1.weight` (`U`, `[in · out, K]`, rows counted by input, then
/// output), `filter.1.bias`, by [`Params::fan_in`], and `bias` (starts at 0).
///
/// # Shapes
///
/// `[…, F]` → `[…, out]`; attributes `[E, D]`. A dense level is made sparse at the door.
///
/// # Complexity
///
/// Time O(E · K · (D + in) + N · K · in · out), memory O(E · K + N · K · in). The last layer of the filter network is linear, so that
/// `Σⱼ Θ(eᵢⱼ) xⱼ = Σₖ (Aₖ x)ᵢ Θₖ` with the hidden unit `k` of each edge as weights of `Aₖ`: a matrix for each edge, O(E · in · out),
/// is never made. Where all edges are alike there is one matrix, and the layer costs what a mean does.
///
/// # Paper and code
///
/// The authors' layer has no bias, since batch norm follows, and starts the filter network from orthogonal matrices; *A fair comparison
/// of graph neural networks* (Errica et al. 2020) starts it as PyTorch does, as here, and takes a hidden layer of 16 and the edge weight for
/// `e` on graphs without attributes.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, EccConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let dims = Dims::new(7, 32).with_edge_features(4);
/// assert_eq!(EccConfig::default().init(&Params::new(&store.root(), 1), &dims).out_features(), 32);
/// assert_eq!(store.variables()["filter.1.weight"].size(), [7 * 32, 16]);
/// ```
#[derive(Debug)]
pub struct Ecc {
    /// From attributes to hidden units.
    units: Linear,
    /// From hidden units to matrices.
    matrices: Linear,
    bias: Option<Tensor>,
    loops: SelfLoops,
    /// Width of the attributes; with 0 the weight is the one.
    edge_features: i64,
    outputs: i64,
}

impl Config for EccConfig {
    type Module = Ecc;
    const NAME: &'static str = "ecc";

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::require(self.hidden >= 1, Self::NAME, "hidden", "at least 1", self.hidden)
    }

    fn init(&self, p: &Params, dims: &Dims) -> Ecc {
        let filter = p.sub("filter");
        Ecc {
            units: Linear::new(&filter.sub(0), dims.edge_features.max(1), self.hidden),
            matrices: Linear::new(&filter.sub(1), self.hidden, dims.features * dims.outputs),
            bias: self.bias.then(|| p.constant("bias", &[dims.outputs], 0.0)),
            loops: self.loops,
            edge_features: dims.edge_features,
            outputs: dims.outputs,
        }
    }
}

/// What the filter network sees of the edges.
enum Seen {
    /// `[E, D]`.
    Each(Tensor),
    /// The same of all, `[1, D]`.
    Alike(Tensor),
}

impl Ecc {
    fn over(&self, adj: &Sparse, x: &Tensor, act: Activation) -> Tensor {
        let unit = Adjacency::Sparse(Sparse::new(Arc::clone(&adj.pattern), None, adj.options));
        let mean = unit.normalized(Norm::Row { floor: 0.0 });
        match self.seen(adj) {
            Seen::Alike(edge) => propagate(&mean, x, &self.linear(&edge, x.size()[1]), act),
            Seen::Each(edges) => self.filtered(&mean, &edges, x, act),
        }
    }

    fn seen(&self, adj: &Sparse) -> Seen {
        match (self.edge_features, &adj.attr, &adj.weight) {
            (0, _, Some(weight)) => Seen::Each(weight.unsqueeze(1)),
            (0, _, None) => Seen::Alike(Tensor::ones([1, 1], adj.options)),
            (_, Some(attr), _) => Seen::Each(attr.shallow_clone()),
            (width, None, _) => Seen::Alike(Tensor::zeros([1, width], adj.options)),
        }
    }

    /// `Θ(e)` of the one attribute there is, and the bias behind it.
    fn linear(&self, edge: &Tensor, inputs: i64) -> Linear {
        let theta = self.matrices.forward(&self.units.activated(edge, Activation::Relu));
        Linear { weight: self.matrix(&theta, inputs), bias: self.bias.as_ref().map(Tensor::shallow_clone) }
    }

    /// `[out, in]` from numbers counted by input, then output.
    fn matrix(&self, numbers: &Tensor, inputs: i64) -> Tensor {
        numbers.view([inputs, self.outputs]).transpose(0, 1)
    }

    fn filtered(&self, mean: &Adjacency, edges: &Tensor, x: &Tensor, act: Activation) -> Tensor {
        let received = Tensor::cat(&self.received(mean, edges, x), 1);
        let (inputs, hidden) = (x.size()[1], self.units.out_features());
        let matrices = self.matrices.weight.view([inputs, self.outputs, hidden]).permute([1, 2, 0]);
        let mut columns = vec![matrices.reshape([self.outputs, hidden * inputs])];
        columns.extend(self.matrices.bias.as_ref().map(|bias| self.matrix(bias, inputs)));
        act.after(|act| affine(&[(&received, &Tensor::cat(&columns, 1))], self.bias.as_ref(), act)) // eq. 1
    }

    /// `Aₖ x` for every hidden unit, then for one that is always 1.
    fn received(&self, mean: &Adjacency, edges: &Tensor, x: &Tensor) -> Vec<Tensor> {
        let Adjacency::Sparse(mean) = mean else { unreachable!("a sparse adjacency stays sparse") };
        let share = mean.weights().unsqueeze(1);
        let units = self.units.activated(edges, Activation::Relu) * &share;
        let weights = Tensor::cat(&[units, share], 1).transpose(0, 1).contiguous();
        let sum = |weight: Tensor| {
            let of_unit = Sparse::new(Arc::clone(&mean.pattern), Some(weight), mean.options);
            Adjacency::Sparse(of_unit).matmul(x)
        };
        weights.unbind(0).into_iter().map(sum).collect()
    }
}

impl Conv for Ecc {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.activated(g, Activation::Identity, ctx)
    }

    fn activated(&self, g: &Level, act: Activation, _ctx: Ctx) -> Tensor {
        on_edges(g, &|g, _| match g.adj.with_self_loops(self.loops.with_weight(1.0)) {
            Adjacency::Sparse(adj) => self.over(&adj, &g.x, act),
            Adjacency::Dense(_) => unreachable!("a sparse adjacency stays sparse"),
        })
    }

    fn out_features(&self) -> i64 {
        self.outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{attributed, check, fill, pair_and_single};
    use tch::{Device, Kind, nn::VarStore};

    /// The layer with every weight 1, the biases of the filter network 0 and that behind it 100.
    fn ones(config: &EccConfig, edge_features: i64) -> Ecc {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let dims = Dims::new(1, 1).with_edge_features(edge_features);
        let layer = config.init(&Params::new(&store.root(), 0), &dims);
        fill(&store, |name| match name {
            "bias" => 100.0,
            name if name.ends_with("bias") => 0.0,
            _ => 1.0,
        });
        layer
    }

    /// One hidden unit: `Θ(e) = ReLU(e)`.
    fn loopless() -> EccConfig {
        EccConfig { hidden: 1, loops: SelfLoops::None, bias: true }
    }

    fn values(layer: &Ecc, level: &Level) -> Vec<f64> {
        Vec::try_from(layer.forward(level, Ctx::eval()).reshape([-1])).expect("double precision")
    }

    #[test]
    fn weights_are_what_the_filter_sees() {
        // x = 1, 3 | 5; the pair's edges weigh ½: 3/2, 1/2, nothing.
        check(&ones(&loopless(), 0), &pair_and_single(0.5), &[101.5, 100.5, 100.0]);
        // Loops weigh 1: (1 + 3/2)/2, (3 + 1/2)/2, 5.
        let filled = EccConfig { loops: SelfLoops::Fill, ..loopless() };
        check(&ones(&filled, 0), &pair_and_single(0.5), &[101.25, 101.75, 105.0]);
    }

    #[test]
    fn attributes_are_what_the_filter_sees() {
        // 10 on 1 → 0, −20 on 0 → 1, which the filter cuts off.
        assert_eq!(values(&ones(&loopless(), 1), &attributed(&[10.0, -20.0])), [130.0, 100.0, 100.0]);
    }

    #[test]
    fn edges_that_are_alike_share_their_matrix() {
        // Without attributes and weights every edge has the attribute 1; the attributes that a level lacks are 0.
        let (weighed, unit) = (pair_and_single(1.0), attributed(&[7.0, 7.0]));
        let layer = ones(&EccConfig { loops: SelfLoops::Fill, ..loopless() }, 0);
        assert_eq!(values(&layer, &unit), [102.0, 102.0, 105.0]);
        assert_eq!(values(&layer, &unit), values(&layer, &weighed));
        assert_eq!(values(&ones(&loopless(), 1), &weighed), [100.0, 100.0, 100.0]);
    }

    #[test]
    fn a_filter_without_units_is_refused() {
        let refused = EccConfig { hidden: 0, ..EccConfig::default() }.check().unwrap_err().to_string();
        assert_eq!(refused, "ecc: `hidden` must be at least 1, got 0");
    }
}

//! structure2vec with mean-field inference.

use std::sync::Arc;

use coarsen_tensor::{Act, Level, Segments, affine, segment};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Conv, attributes};
use crate::activation::Activation;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of an [`S2v`].
///
/// The released script is `{"steps": 3}`; its command line's own defaults are `{"hidden": 64}` with 1024 outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S2vConfig {
    /// Number `T` of iterations after the first embedding; at least 1.
    pub steps: u32,
    /// Width `d` of the embeddings, behind which an output layer then stands; `null` is the width of the output, without an output
    /// layer.
    pub hidden: Option<i64>,
}

impl Default for S2vConfig {
    fn default() -> Self {
        Self { steps: 4, hidden: None }
    }
}

/// structure2vec, mean field: `μᵗᵢ = ReLU(mᵢ + W₂ Σⱼ wᵢⱼ μᵗ⁻¹ⱼ + b₂)` for `t = 1 … T` (Dai et al. 2016, algorithm 1).
///
/// `mᵢ = W₁ xᵢ + b₁ (+ Σⱼ (Wₑ eᵢⱼ + bₑ))` with the attributes `eᵢⱼ` of the edges that arrive, and `μ⁰ = ReLU(m)`. All iterations
/// share their parameters. A level without attributes, as dense and pooled ones are, has no such term. The output is `μᵀ`, or
/// `ReLU(Wₒ μᵀ + bₒ)` with an output layer. Edge weights, which pooled graphs have, count in the sum over neighbours and have a
/// gradient; the published method knows none. The vector of a graph, `ReLU(Σᵢ ·)`, is the model's.
///
/// Parameters `node.weight` (`W₁`), `node.bias`, `conv.weight` (`W₂`), `conv.bias`, with edge attributes `edge.weight` (`Wₑ`),
/// `edge.bias`, with an output layer `out.weight` (`Wₒ`), `out.bias`: Glorot's law, biases start at 0.
///
/// # Shapes
///
/// `[…, F]` → `[…, out]`; attributes `[E, D]` of a sparse level.
///
/// # Complexity
///
/// Time O(N · (F + T · d + out) · d + T · E · d + E · D); dense, O(T · B · N² · d) for the sums. Attributes are summed at their receivers
/// before `Wₑ`, so that no matrix of edges by `d` is made.
///
/// # Paper and code
///
/// The released code sums over nodes and has biases everywhere; the paper writes none.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, S2vConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let config = S2vConfig { hidden: Some(64), ..S2vConfig::default() };
/// assert_eq!(config.init(&Params::new(&store.root(), 1), &Dims::new(7, 1024)).out_features(), 1024);
/// ```
#[derive(Debug)]
pub struct S2v {
    node: Linear,
    edge: Option<Linear>,
    conv: Linear,
    out: Option<Linear>,
    steps: u32,
}

impl Config for S2vConfig {
    type Module = S2v;
    const NAME: &'static str = "s2v";

    fn check(&self) -> Result<(), ConfigError> {
        check_fields(Self::NAME, self.steps, self.hidden)
    }

    fn init(&self, p: &Params, dims: &Dims) -> S2v {
        let hidden = self.hidden.unwrap_or(dims.outputs);
        S2v {
            node: Linear::glorot(&p.sub("node"), dims.features, hidden),
            edge: (dims.edge_features > 0)
                .then(|| Linear::glorot(&p.sub("edge"), dims.edge_features, hidden)),
            conv: Linear::glorot(&p.sub("conv"), hidden, hidden),
            out: self.hidden.map(|hidden| Linear::glorot(&p.sub("out"), hidden, dims.outputs)),
            steps: self.steps,
        }
    }
}

/// The rules of `steps` and `hidden`.
pub(super) fn check_fields(
    operator: &'static str,
    steps: u32,
    hidden: Option<i64>,
) -> Result<(), ConfigError> {
    ConfigError::require(steps >= 1, operator, "steps", "at least 1", steps)?;
    match hidden {
        Some(hidden) => ConfigError::require(hidden >= 1, operator, "hidden", "at least 1", hidden),
        None => Ok(()),
    }
}

impl S2v {
    /// `m`, what does not change between the iterations.
    fn constant(&self, g: &Level) -> Tensor {
        let own = (&g.x, &self.node.weight);
        let (Some(edge), Some((adj, attr))) = (&self.edge, attributes(g)) else {
            return affine(&[own], self.node.bias.as_ref(), Act::Identity);
        };
        let arriving = Arc::new(Segments::new(adj.pattern.csr().row_ptr().to_vec()));
        let counted = Tensor::cat(&[attr, &attr.new_ones([attr.size()[0], 1], adj.options)], 1);
        let bias =
            edge.bias.as_ref().map_or_else(|| edge.weight.narrow(1, 0, 1).zeros_like(), |b| b.unsqueeze(1));
        let with_bias = Tensor::cat(&[&edge.weight, &bias], 1);
        affine(
            &[own, (&segment::sum(&counted, &arriving), &with_bias)],
            self.node.bias.as_ref(),
            Act::Identity,
        )
    }
}

impl Conv for S2v {
    fn forward(&self, g: &Level, _ctx: Ctx) -> Tensor {
        let m = self.constant(g);
        let shifted = self.conv.shift(m.shallow_clone());
        let step = |mu: Tensor, _| (&shifted + g.adj.matmul(&self.conv.multiply(&mu))).relu();
        let mu = (0..self.steps).fold(m.relu(), step); // algorithm 1, line 4
        let y = match &self.out {
            Some(out) => out.activated(&mu, Activation::Relu),
            None => mu,
        };
        g.mask_rows(y)
    }

    fn out_features(&self) -> i64 {
        self.out.as_ref().unwrap_or(&self.conv).out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{attributed, check, fill, pair_and_single};
    use tch::{Device, Kind, nn::VarStore};

    /// The layer with every weight 1 and every bias −1.
    fn ones(config: &S2vConfig, edge_features: i64) -> S2v {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let dims = Dims::new(1, 1).with_edge_features(edge_features);
        let layer = config.init(&Params::new(&store.root(), 0), &dims);
        fill(&store, |name| if name.ends_with("weight") { 1.0 } else { -1.0 });
        layer
    }

    #[test]
    fn iterations_by_hand() {
        // m = 0, 2 | 4. One step: 0 + 2 − 1, 2 + 0 − 1 | 4 − 1; the next: 0 + 1 − 1, 2 + 1 − 1 | 3.
        let after = |steps, hidden| ones(&S2vConfig { steps, hidden }, 0);
        let level = pair_and_single(1.0);
        check(&after(1, None), &level, &[1.0, 1.0, 3.0]);
        check(&after(2, None), &level, &[0.0, 2.0, 3.0]);
        check(&after(1, Some(1)), &level, &[0.0, 0.0, 2.0]);
        check(&after(1, None), &pair_and_single(0.5), &[0.0, 1.0, 3.0]);
    }

    #[test]
    fn attributes_arrive_with_their_bias() {
        // Attributes 10 (1 → 0) and 20 (0 → 1): m = 0 + 10 − 1, 2 + 20 − 1 | 4, then 9 + 21 − 1, 21 + 9 − 1 | 4 − 1.
        let layer = ones(&S2vConfig { steps: 1, hidden: None }, 1);
        let y = layer.forward(&attributed(&[10.0, 20.0]), Ctx::eval());
        assert_eq!(Vec::<f64>::try_from(y.reshape([-1])).expect("double precision"), [29.0, 29.0, 3.0]);
    }

    #[test]
    fn faults_are_named() {
        let refused = S2vConfig { hidden: Some(0), ..S2vConfig::default() }.check().unwrap_err().to_string();
        assert_eq!(refused, "s2v: `hidden` must be at least 1, got 0");
        let refused = S2vConfig { steps: 0, ..S2vConfig::default() }.check().unwrap_err().to_string();
        assert_eq!(refused, "s2v: `steps` must be at least 1, got 0");
    }
}

//! The graph isomorphism network as published (Xu et al. 2019).

use coarsen_nn::{Activation, ConfigError};
use coarsen_pool::{Ending, Invariance, NormAt, fields};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::flat::{FlatConfig, Jump};
use crate::registry::ModelSpec;

/// The row of [`MODELS`](crate::MODELS).
pub const SPEC: ModelSpec = ModelSpec {
    name: NAME,
    paper: "Xu et al. 2019",
    invariance: Invariance::Exact,
    example: || {
        let mut example = json!(GinConfig::default());
        example["kind"] = NAME.into();
        example
    },
    build: |config, p, dims| {
        let config: GinConfig = fields(NAME, config)?;
        let rule = "at least 2, the input being one";
        ConfigError::require(config.layers >= 2, NAME, "layers", rule, config.layers)?;
        Ok(Box::new(config.flat().build(NAME, p, dims)?))
    },
};

const NAME: &str = "gin";

/// The network's own hyper-parameters; what is fixed by the publication is in [`flat`](Self::flat).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GinConfig {
    /// Layers, the input counted as one, as the paper does: at least 2.
    pub layers: usize,
    /// Width.
    pub hidden: i64,
    /// Probability of dropping a logit of a layer's head.
    pub dropout: f64,
    /// `ε` of the convolution: `{"fixed": 0.0}` (GIN-0) or `{"learned": 0.0}` (GIN-ε).
    pub eps: Value,
    /// The readout of each layer: `sum` for molecules, `mean` for social networks.
    pub readout: Value,
}

impl Default for GinConfig {
    fn default() -> Self {
        Self {
            layers: 5,
            hidden: 64,
            dropout: 0.5,
            eps: json!({"fixed": 0.0}),
            readout: json!({"kind": "sum"}),
        }
    }
}

impl GinConfig {
    /// The flat network it is: each layer `ReLU(BN(MLP((1 + ε) x + Σ x_j)))` with MLP = Linear, BN, ReLU, Linear, and a linear head on
    /// the readout of every layer, the input included.
    pub fn flat(&self) -> FlatConfig {
        FlatConfig {
            conv: json!({"kind": "gin", "eps": self.eps, "layers": 2, "batch_norm": true}),
            layers: self.layers.saturating_sub(1), // the first is the input
            hidden: self.hidden,
            activation: Activation::Relu,
            norm: NormAt::Before,
            dropout: self.dropout,
            ending: Ending::Whole,
            jump: Jump::PerLayer,
            readout: vec![self.readout.clone()],
        }
    }
}

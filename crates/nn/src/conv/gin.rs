//! Graph isomorphism network layer.

use std::cmp::Ordering;

use coarsen_tensor::{Adjacency, Level, Loops};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Conv, sending};
use crate::activation::Activation;
use crate::config::{Config, Semantics};
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::mlp::Mlp;
use crate::params::Params;

/// The configuration of a [`Gin`].
///
/// PyG's `DenseGINConv(add_loop=False)` leaves the root term out: that is `{"eps": {"fixed": -1}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GinConfig {
    /// `ε`.
    pub eps: Eps,
    /// Number of linear layers of the MLP; 1 is the linear GIN of AdamGNN's node baselines.
    pub layers: u32,
    /// Width of the MLP's hidden layers; `null` is the width of the output.
    pub hidden: Option<i64>,
    /// Whether a batch norm stands before each activation inside the MLP.
    pub batch_norm: bool,
    /// The activation inside the MLP.
    pub activation: Activation,
    /// Whether self-loops of the input count as neighbours (modern) or are removed first (1.4).
    pub semantics: Semantics,
}

impl Default for GinConfig {
    fn default() -> Self {
        Self {
            eps: Eps::Fixed(0.0),
            layers: 2,
            hidden: None,
            batch_norm: false,
            activation: Activation::Relu,
            semantics: Semantics::Modern,
        }
    }
}

/// Where the `ε` of a [`Gin`] comes from; written `{"fixed": 0}` or `{"learned": 0}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Eps {
    /// It stays at this value.
    Fixed(f64),
    /// It is a parameter that starts at this value.
    Learned(f64),
}

/// Graph isomorphism network: `x'ᵢ = MLP((1 + ε) xᵢ + Σⱼ wᵢⱼ xⱼ)` (Xu et al. 2019, eq. 4.1).
///
/// The MLP is `Linear[-BatchNorm]-ReLU-Linear`, with as many layers as asked for; the batch norm counts valid nodes only. The norm and
/// activation that the published network puts *behind* the layer belong to the model.
///
/// Parameters `eps` (`[1]`, where learned), `mlp.0.weight`, `mlp.0.bias`, `mlp.1.weight`, … and `mlp.norm0.weight`, ….
///
/// # Complexity
///
/// Time O(N · in · hidden + N · hidden · out + E · min(in, hidden)); dense, O(B · N² · min(in, hidden)) for the last part. The
/// first linear map goes before the sum over neighbours where it makes the rows narrower.
///
/// # Paper and code
///
/// The paper and PyG's sparse layer know no edge weights; its dense layer multiplies by them, as here. PyG 1.4 removes self-loops
/// first: [`Semantics::Legacy14`].
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, Eps, GinConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let config = GinConfig { eps: Eps::Learned(0.0), batch_norm: true, ..GinConfig::default() };
/// assert_eq!(config.init(&Params::new(&store.root(), 1), &Dims::new(7, 64)).out_features(), 64);
/// assert_eq!(store.variables()["eps"].size(), [1]);
/// ```
#[derive(Debug)]
pub struct Gin {
    eps: Root,
    mlp: Mlp,
    loops: Loops,
}

#[derive(Debug)]
enum Root {
    Fixed(f64),
    Learned(Tensor),
}

impl Config for GinConfig {
    type Module = Gin;
    const NAME: &'static str = "gin";

    fn check(&self) -> Result<(), ConfigError> {
        let (Eps::Fixed(eps) | Eps::Learned(eps)) = self.eps;
        ConfigError::require(eps.is_finite(), Self::NAME, "eps", "finite", eps)?;
        ConfigError::require(self.layers >= 1, Self::NAME, "layers", "at least 1", self.layers)?;
        match self.hidden {
            Some(hidden) => ConfigError::require(hidden >= 1, Self::NAME, "hidden", "at least 1", hidden),
            None => Ok(()),
        }
    }

    fn init(&self, p: &Params, dims: &Dims) -> Gin {
        let hidden = self.hidden.unwrap_or(dims.outputs);
        let mut widths = vec![hidden; self.layers as usize + 1];
        widths[0] = dims.features;
        widths[self.layers as usize] = dims.outputs;
        let make = if self.batch_norm { Mlp::with_batch_norm } else { Mlp::new };
        Gin {
            eps: match self.eps {
                Eps::Fixed(eps) => Root::Fixed(eps),
                Eps::Learned(eps) => Root::Learned(p.constant("eps", &[1], eps)),
            },
            mlp: make(&p.sub("mlp"), &widths, self.activation),
            loops: match self.semantics {
                Semantics::Modern => Loops::Keep,
                Semantics::Legacy14 => Loops::Remove,
            },
        }
    }
}

impl Conv for Gin {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.activated(g, Activation::Identity, ctx)
    }

    fn activated(&self, g: &Level, act: Activation, ctx: Ctx) -> Tensor {
        let adj = g.adj.with_self_loops(self.loops);
        let sum = |x: &Tensor| self.eps.with_neighbours(&adj, x); // eq. 4.1
        let first = self.mlp.first();
        let y = if sending(&g.x, first.out_features()) == Ordering::Greater {
            self.mlp.after_first(&first.shift(sum(&first.multiply(&g.x))), g.mask(), act, ctx)
        } else {
            self.mlp.activated(&sum(&g.x), g.mask(), act, ctx)
        };
        g.mask_rows(y)
    }

    fn out_features(&self) -> i64 {
        self.mlp.out_features()
    }
}

impl Root {
    /// `(1 + ε) x + A x`.
    fn with_neighbours(&self, adj: &Adjacency, x: &Tensor) -> Tensor {
        match self {
            Self::Fixed(eps) => adj.matmul_own(1.0 + eps, x),
            Self::Learned(eps) => x * (eps + 1.0) + adj.matmul(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{check, fill, pair_and_single};
    use tch::{Device, Kind, nn::VarStore};

    /// The layer with every weight 1 and every bias 0.
    fn check_ones(config: &GinConfig, level: &Level, want: &[f64]) {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let layer = config.init(&Params::new(&store.root(), 0), &Dims::new(1, 1));
        fill(&store, |name| if name.ends_with("weight") { 1.0 } else { 0.0 });
        check(&layer, level, want);
    }

    #[test]
    fn sums_by_hand() {
        // x = 1, 3 | 5.
        let level = pair_and_single(1.0);
        let config = |eps| GinConfig { eps, ..GinConfig::default() };
        check_ones(&config(Eps::Fixed(0.0)), &level, &[4.0, 4.0, 5.0]);
        check_ones(&config(Eps::Fixed(1.0)), &level, &[5.0, 7.0, 10.0]);
        check_ones(&config(Eps::Fixed(-1.0)), &level, &[3.0, 1.0, 0.0]);
        check_ones(&config(Eps::Fixed(-2.0)), &level, &[2.0, 0.0, 0.0]); // the MLP cuts off −2 and −5
        check_ones(&config(Eps::Fixed(0.0)), &pair_and_single(0.5), &[2.5, 3.5, 5.0]);
    }

    #[test]
    fn one_layer_is_linear() {
        let config = GinConfig { layers: 1, eps: Eps::Fixed(-2.0), ..GinConfig::default() };
        check_ones(&config, &pair_and_single(1.0), &[2.0, -2.0, -5.0]);
    }

    #[test]
    fn a_learned_eps_has_a_gradient() {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let config = GinConfig { eps: Eps::Learned(0.5), layers: 1, ..GinConfig::default() };
        let layer = config.init(&Params::new(&store.root(), 0), &Dims::new(1, 1));
        fill(&store, |name| if name == "eps" { 0.5 } else { 2.0 });
        layer.forward(&pair_and_single(1.0), Ctx::eval()).sum(Kind::Double).backward();
        let gradient = store.variables()["eps"].grad().double_value(&[0]);
        assert!((gradient - 18.0).abs() < 1e-12, "{gradient}"); // 2 · (1 + 3 + 5)
    }

    #[test]
    fn faults_are_named() {
        let refused = |config: GinConfig| config.check().unwrap_err().to_string();
        let eps = GinConfig { eps: Eps::Fixed(f64::NAN), ..GinConfig::default() };
        assert_eq!(refused(eps), "gin: `eps` must be finite, got NaN");
        let hidden = GinConfig { hidden: Some(0), ..GinConfig::default() };
        assert_eq!(refused(hidden), "gin: `hidden` must be at least 1, got 0");
    }
}

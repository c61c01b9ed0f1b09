//! Graph attention.

use coarsen_tensor::attention::{Heads, attend};
use coarsen_tensor::{Act, Adjacency, Level, Padded};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Conv, SelfLoops};
use crate::activation::Activation;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::dropout::dropout_mask;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of a [`Gat`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatConfig {
    /// Number of heads.
    pub heads: i64,
    /// What becomes of the heads' outputs.
    pub merge: HeadMerge,
    /// Slope of the leaky ReLU of the scores below 0.
    pub slope: f64,
    /// Probability of dropping an attention coefficient.
    pub dropout: f64,
    /// What happens to self-loops; all edges weigh the same.
    pub loops: SelfLoops,
    /// Whether there is a bias.
    pub bias: bool,
}

impl Default for GatConfig {
    fn default() -> Self {
        Self {
            heads: 1,
            merge: HeadMerge::Concat,
            slope: 0.2,
            dropout: 0.0,
            loops: SelfLoops::Fill,
            bias: true,
        }
    }
}

/// What becomes of the outputs of several heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadMerge {
    /// Side by side: each is as wide as the output divided by the heads, rounded up, and what is too much is cut off.
    #[default]
    Concat,
    /// Their mean: each is as wide as the output.
    Mean,
}

/// Graph attention (Veličković et al. 2018): `x'ᵢ = ‖ₕ Σⱼ αʰᵢⱼ Wʰ xⱼ + b` with
/// `αʰᵢⱼ = softmaxⱼ leaky_relu(⟨aʰ_dst, Wʰ xᵢ⟩ + ⟨aʰ_src, Wʰ xⱼ⟩)` over the neighbours and the node itself (eq. 1–5; eq. 6 with
/// [`HeadMerge::Mean`]).
///
/// Weights of edges do not count; an entry 0 of a dense adjacency is no edge. Dropout falls on the coefficients `α`.
///
/// Parameters `weight` (`[H d, in]`), `att_src`, `att_dst` (`[H, d]`), drawn by [`Params::glorot`], and `bias`, which starts at 0.
///
/// # Shapes
///
/// `[…, in]` → `[…, out]`; with [`HeadMerge::Concat`] `d = out / H`, with [`HeadMerge::Mean`] `d = out`.
///
/// # Complexity
///
/// Time O(N · in · H d + E · H d), memory O(N H d + E H): no matrix of edges by features. Dense, O(B · N² · H d).
///
/// # Paper and code
///
/// The paper drops inputs as well; that is the network's business here, as in PyG. The order of `a = [a_dst ‖ a_src]` is immaterial.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, GatConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let config = GatConfig { heads: 4, ..GatConfig::default() };
/// assert_eq!(config.init(&Params::new(&store.root(), 1), &Dims::new(7, 64)).out_features(), 64);
/// ```
#[derive(Debug)]
pub struct Gat {
    linear: Linear,
    att_src: Tensor,
    att_dst: Tensor,
    bias: Option<Tensor>,
    config: GatConfig,
    outputs: i64,
}

impl Config for GatConfig {
    type Module = Gat;
    const NAME: &'static str = "gat";

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::require(self.heads >= 1, Self::NAME, "heads", "at least 1", self.heads)?;
        ConfigError::require(self.slope.is_finite(), Self::NAME, "slope", "a finite number", self.slope)?;
        let dropout = self.dropout;
        ConfigError::require((0.0..1.0).contains(&dropout), Self::NAME, "dropout", "in [0, 1)", dropout)
    }

    fn init(&self, p: &Params, dims: &Dims) -> Gat {
        let width = match self.merge {
            HeadMerge::Concat => (dims.outputs + self.heads - 1) / self.heads,
            HeadMerge::Mean => dims.outputs,
        };
        Gat {
            linear: Linear::glorot_unbiased(p, dims.features, self.heads * width),
            att_src: p.glorot("att_src", &[self.heads, width]),
            att_dst: p.glorot("att_dst", &[self.heads, width]),
            bias: self.bias.then(|| p.constant("bias", &[dims.outputs], 0.0)),
            config: self.clone(),
            outputs: dims.outputs,
        }
    }
}

impl Gat {
    /// Factors of the coefficients in training, of this shape.
    fn keep(&self, shape: &[i64], z: &Tensor, ctx: Ctx) -> Option<Tensor> {
        dropout_mask(shape, self.config.dropout, ctx, (z.kind(), z.device()))
    }

    /// Whether the heads side by side are the output as it is.
    fn merges_nothing(&self) -> bool {
        self.config.merge == HeadMerge::Concat && self.outputs == self.config.heads * self.att_dst.size()[1]
    }

    /// The heads' outputs as one, with the bias.
    fn merged(&self, y: &Tensor) -> Tensor {
        let y = match self.config.merge {
            HeadMerge::Concat => y.narrow(-1, 0, self.outputs),
            HeadMerge::Mean => {
                let heads = [&y.size()[..y.dim() - 1], &[self.config.heads, self.outputs]].concat();
                y.view(heads.as_slice()).mean_dim([-2_i64].as_slice(), false, y.kind()) // eq. 6
            }
        };
        match &self.bias {
            Some(bias) => y + bias,
            None => y,
        }
    }

    /// `Σⱼ αʰᵢⱼ zʰⱼ` of all heads, `[B, N, H d]`, on a dense level.
    fn dense(&self, p: &Padded, z: &Tensor, ctx: Ctx) -> Tensor {
        let [batch, nodes] = [p.a.size()[0], p.a.size()[1]];
        let parts = z.view([batch, nodes, self.config.heads, self.att_dst.size()[1]]);
        let share = |vector: &Tensor| (&parts * vector).sum_dim_intlist([-1_i64].as_slice(), false, z.kind());
        let score = share(&self.att_dst).unsqueeze(2) + share(&self.att_src).unsqueeze(1);
        let nowhere = p.a.eq(0.0).unsqueeze(-1);
        let score =
            Activation::LeakyRelu(self.config.slope).apply(&score).masked_fill(&nowhere, f64::NEG_INFINITY);
        let alpha = score.softmax(2, None).masked_fill(&nowhere, 0.0);
        let alpha = match self.keep(&alpha.size(), z, ctx) {
            Some(keep) => alpha * keep,
            None => alpha,
        };
        // [B, H, N, N] times [B, H, N, d].
        let y = alpha.permute([0, 3, 1, 2]).matmul(&parts.transpose(1, 2));
        y.transpose(1, 2).reshape(z.size())
    }
}

impl Conv for Gat {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.activated(g, Activation::Identity, ctx)
    }

    fn activated(&self, g: &Level, act: Activation, ctx: Ctx) -> Tensor {
        let z = self.linear.forward(&g.x); // eq. 1
        let y = match g.adj.unweighted().with_self_loops(self.config.loops.with_weight(1.0)) {
            Adjacency::Sparse(s) => {
                let keep = self.keep(&[s.pattern.edges(), self.config.heads], &z, ctx);
                let heads = Heads { to: &self.att_dst, from: &self.att_src, slope: self.config.slope, keep };
                let attend = |bias, act| attend(&s.pattern, &z, &heads, bias, act); // eq. 2–5
                if self.merges_nothing() {
                    act.after(|act| attend(self.bias.as_ref(), act))
                } else {
                    act.apply(&self.merged(&attend(None, Act::Identity)))
                }
            }
            Adjacency::Dense(p) => act.apply(&self.merged(&self.dense(&p, &z, ctx))),
        };
        g.mask_rows(y)
    }

    fn out_features(&self) -> i64 {
        self.outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{check, pair_and_single};

    fn layer(a_dst: f64, a_src: f64, config: GatConfig) -> Gat {
        let vector = |a: f64| Tensor::from_slice2(&[[a]]);
        let linear = Linear { weight: vector(2.0), bias: None };
        Gat { linear, att_src: vector(a_src), att_dst: vector(a_dst), bias: None, config, outputs: 1 }
    }

    #[test]
    fn scores_by_hand() {
        // z = 2, 6 | 10. With a_src = ln(2)/4 the score of 6 is ln 2 above that of 2, whatever the receiver's share.
        let by_sender = layer(0.3, 2.0_f64.ln() / 4.0, GatConfig::default());
        let mean = (2.0 + 2.0 * 6.0) / 3.0;
        check(&by_sender, &pair_and_single(0.5), &[mean, mean, 10.0]);
        // Below 0 the difference shrinks by the slope: the score of 6 is 0.2 · 4 a below that of 2.
        let below = layer(0.0, -(2.0_f64.ln()) / 0.8, GatConfig::default());
        let mean = (2.0 * 2.0 + 6.0) / 3.0;
        check(&below, &pair_and_single(1.0), &[mean, mean, 10.0]);
    }

    #[test]
    fn without_loops_a_lone_node_gets_nothing() {
        let config = GatConfig { loops: SelfLoops::None, ..GatConfig::default() };
        check(&layer(0.3, 0.7, config), &pair_and_single(1.0), &[6.0, 2.0, 0.0]);
    }

    #[test]
    fn dropped_coefficients_are_made_up_for() {
        let config = GatConfig { dropout: 0.5, loops: SelfLoops::None, ..GatConfig::default() };
        let (layer, level) = (layer(0.3, 0.7, config), pair_and_single(1.0));
        let values =
            |ctx| Vec::<f64>::try_from(layer.forward(&level, ctx).view(-1)).expect("double precision");
        assert_eq!(values(Ctx::eval()), [6.0, 2.0, 0.0]);
        let drawn: Vec<Vec<f64>> = (0..20).map(|seed| values(Ctx::train(seed))).collect();
        assert!(drawn.iter().all(|y| [0.0, 12.0].contains(&y[0]) && [0.0, 4.0].contains(&y[1])));
        assert!(drawn.iter().any(|y| y[0] > 0.0) && drawn.iter().any(|y| y[0] == 0.0));
    }
}

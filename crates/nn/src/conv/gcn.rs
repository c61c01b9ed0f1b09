//! Graph convolution with symmetric normalisation.

use coarsen_tensor::{Level, Norm};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Conv, SelfLoops, propagate};
use crate::activation::Activation;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of a [`Gcn`].
///
/// The defaults are the paper's layer. PyG's `DenseGCNConv` is `{"loops": "overwrite", "degree_floor": 1}` on a dense level, with
/// `"loops": "none"` for its `add_loop=False`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GcnConfig {
    /// Whether a new self-loop weighs 2 instead of 1 ("improved" in PyG and in Graph U-Nets).
    pub improved: bool,
    /// What happens to self-loops before normalising.
    pub loops: SelfLoops,
    /// The least degree that counts; 0 leaves degrees as they are, and the dense layers of PyG clamp them at 1.
    pub degree_floor: f64,
    /// Whether there is a bias.
    pub bias: bool,
}

impl Default for GcnConfig {
    fn default() -> Self {
        Self { improved: false, loops: SelfLoops::Fill, degree_floor: 0.0, bias: true }
    }
}

/// Graph convolution: `X' = D̃^{-½} Ã D̃^{-½} X W + b` (Kipf and Welling 2017, eq. 2).
///
/// `Ã` is `A` with self-loops, by default filled in with weight 1 where they are missing, and `D̃ᵢᵢ = Σⱼ Ãᵢⱼ` its degree at the
/// receiving node; `D̃^{-½}` of a zero degree is 0. Edge weights count, and have a gradient.
///
/// Parameters `weight` (`Wᵀ`, `[out, in]`, Glorot) and `bias` (starts at 0).
///
/// # Complexity
///
/// Time O(N · in · out + E · min(in, out)); dense, O(B · N² · min(in, out)) for the second part. The product that makes the
/// rows narrower comes first.
///
/// # Paper and code
///
/// Eq. 1 of AdamGNN prints the second exponent as +½, a misprint. PyG's `GCNConv(improved=True)` forgets the 2 when no edge weights
/// are passed; here a new loop always weighs 2 then.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, GcnConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = GcnConfig::default().init(&Params::new(&store.root(), 1), &Dims::new(7, 64));
/// assert_eq!(layer.out_features(), 64);
/// ```
#[derive(Debug)]
pub struct Gcn {
    linear: Linear,
    loop_weight: f64,
    loops: SelfLoops,
    degree_floor: f64,
}

impl Config for GcnConfig {
    type Module = Gcn;
    const NAME: &'static str = "gcn";

    fn check(&self) -> Result<(), ConfigError> {
        let floor = self.degree_floor;
        let holds = floor.is_finite() && floor >= 0.0;
        ConfigError::require(holds, Self::NAME, "degree_floor", "finite and at least 0", floor)
    }

    fn init(&self, p: &Params, dims: &Dims) -> Gcn {
        let make = if self.bias { Linear::glorot } else { Linear::glorot_unbiased };
        Gcn {
            linear: make(p, dims.features, dims.outputs),
            loop_weight: if self.improved { 2.0 } else { 1.0 },
            loops: self.loops,
            degree_floor: self.degree_floor,
        }
    }
}

impl Conv for Gcn {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.activated(g, Activation::Identity, ctx)
    }

    fn activated(&self, g: &Level, act: Activation, _ctx: Ctx) -> Tensor {
        let norm = Norm::Symmetric { floor: self.degree_floor };
        let adj = g.adj.with_self_loops(self.loops.with_weight(self.loop_weight)).normalized(norm);
        g.mask_rows(propagate(&adj, &g.x, &self.linear, act)) // eq. 2
    }

    fn out_features(&self) -> i64 {
        self.linear.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{check, pair_and_single};

    fn gcn(linear: Linear, loop_weight: f64, loops: SelfLoops, degree_floor: f64) -> Gcn {
        Gcn { linear, loop_weight, loops, degree_floor }
    }

    /// `x ↦ 2 x + 1`.
    fn affine() -> Linear {
        Linear { weight: Tensor::from_slice2(&[[2.0_f64]]), bias: Some(Tensor::from_slice(&[1.0_f64])) }
    }

    #[test]
    fn a_pair_with_loops_averages() {
        // x = 1, 3 | 5. All degrees of the pair are 2: each gets (1 + 3)/2; the single node keeps 5.
        check(&gcn(affine(), 1.0, SelfLoops::Fill, 0.0), &pair_and_single(1.0), &[5.0, 5.0, 11.0]);
    }

    #[test]
    fn improved_loops_weigh_two() {
        // Degrees 3, 3 | 2: (2·1 + 3)/3 = 5/3, (1 + 2·3)/3 = 7/3, 5.
        let want = [1.0 + 10.0 / 3.0, 1.0 + 14.0 / 3.0, 11.0];
        check(&gcn(affine(), 2.0, SelfLoops::Fill, 0.0), &pair_and_single(1.0), &want);
    }

    #[test]
    fn without_loops_a_single_node_gets_the_bias() {
        check(&gcn(affine(), 1.0, SelfLoops::None, 0.0), &pair_and_single(1.0), &[7.0, 3.0, 1.0]);
    }

    #[test]
    fn the_floor_clamps_a_small_degree() {
        // Edges of weight ¼, no loops: degree ¼ scales the message to 1, the floor leaves it at ¼.
        let level = pair_and_single(0.25);
        check(&gcn(affine(), 1.0, SelfLoops::None, 0.0), &level, &[7.0, 3.0, 1.0]);
        check(&gcn(affine(), 1.0, SelfLoops::None, 1.0), &level, &[2.5, 1.5, 1.0]);
    }

    #[test]
    fn both_orders_of_the_products_agree() {
        let widen = Linear { weight: Tensor::from_slice2(&[[2.0_f64], [-1.0]]), bias: None };
        let y = gcn(widen, 1.0, SelfLoops::Add, 0.0).forward(&pair_and_single(1.0), Ctx::eval());
        let want = Tensor::from_slice2(&[[4.0_f64, -2.0], [4.0, -2.0], [10.0, -5.0]]);
        assert!(y.allclose(&want, 1e-12, 1e-12, false));
    }
}

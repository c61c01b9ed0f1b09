//! GraphSAGE with the mean of the neighbours.

use coarsen_tensor::{Level, unit_rows};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Averaging, Conv, SelfLoops, propagate};
use crate::activation::Activation;
use crate::config::{Config, Semantics};
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of a [`Sage`].
///
/// | layer of PyG | configuration |
/// | --- | --- |
/// | `SAGEConv`, modern | `{"averaging": "unweighted"}`; on unit weights the default is the same |
/// | `DenseSAGEConv`, modern | `{"averaging": "floored"}` |
/// | `SAGEConv`, 1.4 | `{"semantics": "legacy14", "averaging": "count"}`; on unit weights the default averaging is the same |
/// | `DenseSAGEConv`, 1.4 | `{"semantics": "legacy14", "averaging": "floored", "loops": "overwrite"}` |
/// | the last with `add_loop=False` | `{"semantics": "legacy14", "averaging": "floored", "loops": "none"}` |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SageConfig {
    /// Two weights (modern) or one (1.4).
    pub semantics: Semantics,
    /// How the mean treats edge weights.
    pub averaging: Averaging,
    /// What happens to self-loops; a new one weighs 1. `null` is what the semantics say: modern leaves them, 1.4 fills them in.
    pub loops: Option<SelfLoops>,
    /// Whether each row of the output is divided by its Euclidean norm; up to a norm of 1e-12 it becomes 0.
    pub normalize: bool,
    /// Whether there is a bias.
    pub bias: bool,
}

impl Default for SageConfig {
    fn default() -> Self {
        Self {
            semantics: Semantics::Modern,
            averaging: Averaging::Weighted,
            loops: None,
            normalize: false,
            bias: true,
        }
    }
}

/// GraphSAGE with the mean aggregator: `x'ᵢ = W_l meanⱼ xⱼ + b + W_r xᵢ` (Hamilton et al. 2017, algorithm 1 with eq. 2).
///
/// The mean over no neighbours is 0. Optionally each row is divided by its Euclidean norm (algorithm 1, line 7). Edge weights
/// count as [`Averaging`] says, and have a gradient where they count.
///
/// Parameters `neighbour.weight` (`W_l`), `neighbour.bias`, `root.weight` (`W_r`); with [`Semantics::Legacy14`] `weight` and
/// `bias`. All are drawn by [`Params::fan_in`].
///
/// # Complexity
///
/// Time O(N · in · out + E · min(in, out)); dense, O(B · N² · min(in, out)) for the second part. The product that makes the
/// rows narrower comes first.
///
/// # Paper and code
///
/// The paper concatenates own and mean features before one weight, which is the sum of two weights. PyG 1.4 has one weight and the
/// mean over the neighbours and the node itself, `x'ᵢ = W mean_{j ∈ N(i) ∪ i} xⱼ + b` (paper's eq. 2 literally); without loops
/// (`add_loop=False` of its dense layer, used by *Rethinking pooling*) a node's own features do not enter its output.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, SageConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let config = SageConfig { normalize: true, ..SageConfig::default() };
/// assert_eq!(config.init(&Params::new(&store.root(), 1), &Dims::new(7, 64)).out_features(), 64);
/// ```
#[derive(Debug)]
pub struct Sage {
    neighbour: Linear,
    root: Option<Linear>,
    averaging: Averaging,
    loops: SelfLoops,
    normalize: bool,
}

impl Config for SageConfig {
    type Module = Sage;
    const NAME: &'static str = "sage";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, p: &Params, dims: &Dims) -> Sage {
        let make = if self.bias { Linear::new } else { Linear::unbiased };
        let (inputs, outputs) = (dims.features, dims.outputs);
        let (neighbour, root, loops) = match self.semantics {
            Semantics::Modern => (
                make(&p.sub("neighbour"), inputs, outputs),
                Some(Linear::unbiased(&p.sub("root"), inputs, outputs)),
                SelfLoops::None,
            ),
            Semantics::Legacy14 => (make(p, inputs, outputs), None, SelfLoops::Fill),
        };
        Sage {
            neighbour,
            root,
            averaging: self.averaging,
            loops: self.loops.unwrap_or(loops),
            normalize: self.normalize,
        }
    }
}

impl Conv for Sage {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.activated(g, Activation::Identity, ctx)
    }

    fn activated(&self, g: &Level, act: Activation, _ctx: Ctx) -> Tensor {
        let adj = self.averaging.of(&g.adj.with_self_loops(self.loops.with_weight(1.0)));
        let inner = if self.normalize { Activation::Identity } else { act };
        let y = match &self.root {
            Some(root) => {
                let Linear { weight, bias } = &self.neighbour;
                inner.after(|act| adj.affine(&g.x, weight, &root.weight, bias.as_ref(), act)) // eq. 2
            }
            None => propagate(&adj, &g.x, &self.neighbour, inner),
        };
        let y = if self.normalize { act.apply(&unit_rows(&y)) } else { y }; // line 7
        g.mask_rows(y)
    }

    fn out_features(&self) -> i64 {
        self.neighbour.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{check, pair_and_single};

    fn scale(by: f64) -> Linear {
        Linear { weight: Tensor::from_slice2(&[[by]]), bias: None }
    }

    fn modern(averaging: Averaging) -> Sage {
        Sage {
            neighbour: scale(10.0),
            root: Some(scale(1.0)),
            averaging,
            loops: SelfLoops::None,
            normalize: false,
        }
    }

    #[test]
    fn averagings_by_hand() {
        // x = 1, 3 | 5, the pair's edges weigh ½.
        let level = pair_and_single(0.5);
        check(&modern(Averaging::Weighted), &level, &[31.0, 13.0, 5.0]);
        check(&modern(Averaging::Floored), &level, &[16.0, 8.0, 5.0]);
        check(&modern(Averaging::Count), &level, &[16.0, 8.0, 5.0]);
        check(&modern(Averaging::Unweighted), &level, &[31.0, 13.0, 5.0]);
    }

    #[test]
    fn averagings_agree_on_unit_weights() {
        for averaging in [Averaging::Weighted, Averaging::Floored, Averaging::Count, Averaging::Unweighted] {
            check(&modern(averaging), &pair_and_single(1.0), &[31.0, 13.0, 5.0]);
        }
    }

    #[test]
    fn legacy_counts_the_node_itself() {
        let legacy = |loops| Sage { root: None, loops, ..modern(Averaging::Count) };
        // (1 + 3/2)/2 and (3 + 1/2)/2: a new loop weighs 1.
        check(&legacy(SelfLoops::Fill), &pair_and_single(0.5), &[12.5, 17.5, 50.0]);
        check(&legacy(SelfLoops::None), &pair_and_single(1.0), &[30.0, 10.0, 0.0]);
    }

    #[test]
    fn rows_of_length_one_and_a_row_of_zeros() {
        let unit = Sage { normalize: true, ..modern(Averaging::Weighted) };
        check(&unit, &pair_and_single(1.0), &[1.0, 1.0, 1.0]);
        let nothing = Sage { neighbour: scale(0.0), root: None, ..unit };
        check(&nothing, &pair_and_single(1.0), &[0.0, 0.0, 0.0]);
    }
}

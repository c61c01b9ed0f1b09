//! The local extremum convolution, which scores nodes against their neighbours.

use coarsen_tensor::{Act, Level, Loops, affine};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Conv;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of an [`LeConv`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeConvConfig {
    /// Whose signs and biases.
    pub form: Form,
}

/// Whose signs and biases an [`LeConv`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// PyG's `LEConv`.
    #[default]
    Pyg,
    /// The repository of the paper.
    Official,
}

/// Local extremum convolution: `x'ᵢ = W₁ xᵢ + b + Σⱼ wᵢⱼ (W₃ xⱼ − W₂ xᵢ)` (Ranjan, Sanyal and Talukdar 2020, eq. 9).
///
/// It can tell how a node differs from its neighbours, which a positive average cannot. Edge weights count, and have a gradient.
///
/// | form | equation, with `dᵢ = Σⱼ wᵢⱼ` |
/// | --- | --- |
/// | `pyg` | `W₁ xᵢ + b₁ + Σⱼ wᵢⱼ (W₃ xⱼ + b₃) − dᵢ W₂ xᵢ` |
/// | `official` | `W₁ xᵢ + b₁ + Σⱼ wᵢⱼ W₃ xⱼ + dᵢ (W₂ xᵢ + b₂)`, without self-loops |
///
/// Parameters `root.weight`, `root.bias` (`W₁`, `b₁`), `degree.weight` (`W₂`), `neighbour.weight` (`W₃`), and the bias
/// `neighbour.bias` or `degree.bias`. All are drawn by [`Params::fan_in`].
///
/// # Complexity
///
/// Time O(N · in · out + E · out); dense, O(B · N² · out) for the second part. The three maps are one product, and rows of the
/// output's width are sent: it is a layer for scores, `out = 1`.
///
/// # Paper and code
///
/// The paper has no biases, and the signs of PyG up to that of `W₂` and `W₃` together; signs of learned weights change no set
/// of functions. The repository removes self-loops first and PyG does not. The repository sums over the edges that leave a node;
/// on the undirected graphs it is for, that is the same.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, LeConvConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = LeConvConfig::default().init(&Params::new(&store.root(), 1), &Dims::new(7, 1));
/// assert_eq!(layer.out_features(), 1);
/// ```
#[derive(Debug)]
pub struct LeConv {
    root: Linear,
    degree: Linear,
    neighbour: Linear,
    form: Form,
}

impl Config for LeConvConfig {
    type Module = LeConv;
    const NAME: &'static str = "le-conv";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, p: &Params, dims: &Dims) -> LeConv {
        let (degree, neighbour): (Make, Make) = match self.form {
            Form::Pyg => (Linear::unbiased, Linear::new),
            Form::Official => (Linear::new, Linear::unbiased),
        };
        let map = |make: Make, name| make(&p.sub(name), dims.features, dims.outputs);
        LeConv {
            root: map(Linear::new, "root"),
            degree: map(degree, "degree"),
            neighbour: map(neighbour, "neighbour"),
            form: self.form,
        }
    }
}

type Make = fn(&Params, i64, i64) -> Linear;

impl Conv for LeConv {
    fn forward(&self, g: &Level, _ctx: Ctx) -> Tensor {
        let maps = [&self.root, &self.degree, &self.neighbour];
        let weight = Tensor::cat(&maps.map(|map| &map.weight), 0);
        let nothing = Tensor::zeros([self.out_features()], g.options());
        let bias = Tensor::cat(&maps.map(|map| map.bias.as_ref().unwrap_or(&nothing)), 0);
        let parts = affine(&[(&g.x, &weight)], Some(&bias), Act::Identity).chunk(3, -1);
        let [root, degree, neighbour] = [&parts[0], &parts[1], &parts[2]];

        let adj = match self.form {
            Form::Pyg => g.adj.shallow_clone(),
            Form::Official => g.adj.with_self_loops(Loops::Remove),
        };
        let compared = degree * adj.degree().unsqueeze(-1);
        let sent = root + adj.matmul(neighbour); // eq. 9
        g.mask_rows(match self.form {
            Form::Pyg => sent - compared,
            Form::Official => sent + compared,
        })
    }

    fn out_features(&self) -> i64 {
        self.root.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{check, fill, pair_and_single};
    use tch::{Device, Kind, nn::VarStore};

    fn check_form(form: Form, want: &[f64]) {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let layer = LeConvConfig { form }.init(&Params::new(&store.root(), 0), &Dims::new(1, 1));
        fill(&store, |name| match name {
            "root.weight" => 1.0,
            "degree.weight" => 10.0,
            "neighbour.weight" => 100.0,
            "root.bias" => 0.25,
            _ => 2.0,
        });
        check(&layer, &pair_and_single(0.5), want);
    }

    #[test]
    fn both_forms_by_hand() {
        // x = 1, 3 | 5, the pair's edges weigh ½.
        check_form(Form::Pyg, &[1.25 + 151.0 - 5.0, 3.25 + 51.0 - 15.0, 5.25]);
        check_form(Form::Official, &[1.25 + 150.0 + 6.0, 3.25 + 50.0 + 16.0, 5.25]);
    }
}

//! A query that reads a set several times.

use coarsen_tensor::{Layout, Level, Segments, segment};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Readout;
use super::reader::Reader;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::params::Params;

/// The configuration of a [`Set2Set`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Set2SetConfig {
    /// How often the set is read, `T`; at least 1.
    pub steps: usize,
}

impl Default for Set2SetConfig {
    fn default() -> Self {
        Self { steps: 4 }
    }
}

/// Set2Set (Vinyals, Bengio and Kudlur 2016, eq. 3–7): `T` times, for each graph,
///
/// `q ← LSTM(q*)`, `aᵢ = softmaxᵢ ⟨xᵢ, q⟩`, `r = Σᵢ aᵢ xᵢ`, `q* = [q ‖ r]`,
///
/// from `q* = 0` and a state of 0; the last `q*` is the reading. 0 for a graph without nodes.
///
/// Parameters `weight_ih` `[4F, 2F]`, `weight_hh` `[4F, F]`, `bias_ih` and `bias_hh` `[4F]`, gates in PyTorch's order i, f, g, o, and
/// with its law: U(−1/√F, 1/√F).
///
/// # Shapes
///
/// `[N, F]` → `[B, 2F]`.
///
/// # Complexity
///
/// Time O(T · (N · F + B · F²)): nodes stay ragged, a graph costs its own size. A dense level is made sparse at the door. The
/// first step asks the same of all graphs and computes its query once; as the state is the first half of `q*`, both products of
/// the LSTM are one with `F` columns less.
///
/// # Paper and code
///
/// As PyG's `Set2Set` with one layer. The released DiffPool reads otherwise, see [`Set2SetOfficial`](super::Set2SetOfficial).
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, readout::{Readout, Set2SetConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = Set2SetConfig::default().init(&Params::new(&store.root(), 1), &Dims::new(64, 64));
/// assert_eq!(layer.out_features(), 128);
/// ```
#[derive(Debug)]
pub struct Set2Set {
    reader: Reader,
    steps: usize,
}

impl Config for Set2SetConfig {
    type Module = Set2Set;
    const NAME: &'static str = "set2set";

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::require(self.steps >= 1, Self::NAME, "steps", "at least 1", self.steps)
    }

    fn init(&self, p: &Params, dims: &Dims) -> Set2Set {
        Set2Set { reader: Reader::new(p, dims.features), steps: self.steps }
    }
}

impl Readout for Set2Set {
    fn forward(&self, g: &Level, _ctx: Ctx) -> Tensor {
        let g = g.to_layout(Layout::Sparse);
        let graphs = g.segments();
        let q_star = self.reader.read(self.steps, g.graphs(), |q| segment::attend(q, &g.x, &graphs));
        without_empty(q_star, &graphs)
    }

    fn out_features(&self) -> i64 {
        2 * self.reader.features()
    }
}

/// The same with 0 for graphs without nodes.
fn without_empty(y: Tensor, graphs: &Segments) -> Tensor {
    if graphs.sizes().all(|nodes| nodes > 0) {
        return y;
    }
    let real: Vec<f64> = graphs.sizes().map(|nodes| f64::from(nodes.min(1))).collect();
    let real = Tensor::from_slice(&real).to_kind(y.kind()).to_device(y.device());
    y * real.unsqueeze(1)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, nn::VarStore, no_grad};

    use super::*;
    use crate::readout::by_hand::check;

    fn made(value: f64, steps: usize) -> (VarStore, Set2Set) {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let layer = Set2SetConfig { steps }.init(&Params::new(&store.root(), 0), &Dims::new(2, 2));
        no_grad(|| store.trainable_variables().iter_mut().for_each(|p| drop(p.fill_(value))));
        (store, layer)
    }

    #[test]
    fn a_query_of_zero_reads_the_mean() {
        let (_store, layer) = made(0.0, 3);
        check(&layer, &[0.0, 0.0, 1.0, -2.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -4.0, 7.0]);
    }

    #[test]
    fn one_step_asks_what_the_biases_say() {
        let (_store, layer) = made(0.5, 1);
        let one = Tensor::ones([1], (Kind::Double, Device::Cpu));
        let (gate, cell) = (one.sigmoid(), one.sigmoid() * one.tanh()); // both biases are ½
        let q = (gate * cell.tanh()).double_value(&[0]);
        // ⟨x, q⟩ of (3, −3) and (−1, −2) is 0 and −3 q.
        let a = 1.0 / (1.0 + (-3.0 * q).exp());
        let y = layer.forward(&crate::readout::by_hand::level(), Ctx::eval());
        let got = Vec::<f64>::try_from(y.get(0)).expect("double precision");
        for (got, want) in got.iter().zip([q, q, 4.0 * a - 1.0, -a - 2.0]) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
    }

    #[test]
    fn no_step_is_refused() {
        let message = Set2SetConfig { steps: 0 }.check().unwrap_err().to_string();
        assert_eq!(message, "set2set: `steps` must be at least 1, got 0");
    }
}

//! DGCNN: convolutions, SortPool, and one-dimensional convolutions over the sorted nodes (Zhang et al. 2018).

use coarsen_nn::readout::{Rows, Sort, SortConfig};
use coarsen_nn::{Activation, Config, ConfigError, Conv, Ctx, Dims, Linear, Params, Readout, conv, dropout};
use coarsen_pool::{Invariance, fields};
use coarsen_tensor::{Act, Layout, Level, affine};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Tensor;

use crate::model::{Model, Needs, Output, Trace};
use crate::registry::ModelSpec;

/// The row of [`MODELS`](crate::MODELS).
pub const SPEC: ModelSpec = ModelSpec {
    name: NAME,
    paper: "Zhang et al. 2018",
    invariance: Invariance::UpToTies,
    example: || {
        let mut example = json!(DgcnnConfig::default());
        example["kind"] = NAME.into();
        example
    },
    build: |config, p, dims| Ok(Box::new(fields::<DgcnnConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "dgcnn";

// Channels of the two convolutions over the sorted nodes, and the nodes the second sees at once.
const FIRST: i64 = 16;
const SECOND: i64 = 32;
const WINDOW: i64 = 5;

/// Configuration of [`Dgcnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DgcnnConfig {
    /// The convolution, a row of [`CONVS`](coarsen_nn::CONVS); PyG's example has `gcn`.
    pub conv: Value,
    /// Width of each; nodes are sorted by the last feature of the last.
    pub widths: Vec<i64>,
    /// How many nodes are kept, at least 10: `{"percentile": 0.6}`, or 0.9 for social networks.
    pub k: Rows,
    /// Width of the hidden layer of the head.
    pub dense: i64,
    /// Probability of dropping a feature of that layer.
    pub dropout: f64,
}

impl Default for DgcnnConfig {
    fn default() -> Self {
        Self {
            conv: json!({"kind": "dgcnn"}),
            widths: vec![32, 32, 32, 1],
            k: Rows::Percentile(0.6),
            dense: 128,
            dropout: 0.5,
        }
    }
}

impl DgcnnConfig {
    /// Makes the network.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, or the convolution's configuration does.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<Dgcnn, ConfigError> {
        let width = self.widths.iter().copied().min().unwrap_or(0);
        ConfigError::require(
            width >= 1,
            NAME,
            "widths",
            "at least one, each at least 1",
            format!("{:?}", self.widths),
        )?;
        ConfigError::require(self.dense >= 1, NAME, "dense", "at least 1", self.dense)?;
        let drops = (0.0..1.0).contains(&self.dropout);
        ConfigError::require(drops, NAME, "dropout", "in [0, 1)", self.dropout)?;
        self.k.check(NAME)?;
        let k = self.k.count(dims);
        ConfigError::require(k >= 2 * WINDOW, NAME, "k", "at least 10, for the convolutions over nodes", k)?;

        let layer = |l: usize| {
            let inputs = if l == 0 { dims.features } else { self.widths[l - 1] };
            let of_layer = dims.with_features(inputs).with_outputs(self.widths[l]);
            conv(&self.conv, &p.sub(format!("conv{l}")), &of_layer)
        };
        let total = self.widths.iter().sum();
        let (second, positions) = (p.sub("second"), k / 2 - WINDOW + 1);
        Ok(Dgcnn {
            convs: (0..self.widths.len()).map(layer).collect::<Result<_, _>>()?,
            sort: SortConfig { k: Rows::Fixed(k) }.init(&p.sub("sort"), &dims.with_features(total)),
            k,
            first: Linear::glorot(&p.sub("first"), total, FIRST),
            second: second.glorot("weight", &[SECOND, FIRST, WINDOW]),
            second_bias: second.constant("bias", &[SECOND], 0.0),
            hidden: Linear::glorot(&p.sub("hidden"), positions * SECOND, self.dense),
            out: Linear::glorot(&p.sub("out"), self.dense, dims.outputs),
            dropout: self.dropout,
        })
    }
}

/// `Zᵗ⁺¹ = tanh(conv(A, Zᵗ))`; all `Zᵗ` side by side, sorted by the last feature, `k` nodes kept; over the sorted nodes a
/// convolution of single nodes to 16 channels, ReLU, the larger of each two, a convolution of 5 nodes to 32 channels, ReLU; then
/// a linear layer, ReLU, dropout and the logits.
///
/// Matrices start with Glorot's law and biases at 0, as in the authors' code.
///
/// # Shapes
///
/// A batch of `B` graphs → logits `[B, outputs]`.
///
/// # Complexity
///
/// Beside the convolutions, time O(B · k · Σ widths) and `B · k` rows of memory. A convolution over positions is a sum of
/// affine maps of shifted rows: no window is copied out, and what is flattened goes position by position (PyTorch: channel by
/// channel; a permutation of the next layer's columns, which are drawn alike).
///
/// # Paper and code
///
/// The paper sorts ties by the features before the last, the code does not. `k` is from the sizes of all graphs, test graphs
/// included, in the code; here from the sizes in `dims`.
#[derive(Debug)]
pub struct Dgcnn {
    convs: Vec<Box<dyn Conv>>,
    sort: Sort,
    k: i64,
    first: Linear,
    second: Tensor,
    second_bias: Tensor,
    hidden: Linear,
    out: Linear,
    dropout: f64,
}

impl Dgcnn {
    /// `[N, Σ widths]`.
    fn nodes(&self, g: &Level, ctx: Ctx) -> Tensor {
        let mut states: Vec<Tensor> = Vec::with_capacity(self.convs.len());
        for (l, conv) in self.convs.iter().enumerate() {
            let here = states.last().map(|z| g.with_x(z.shallow_clone()));
            states.push(conv.activated(here.as_ref().unwrap_or(g), Activation::Tanh, ctx.child(l as u64)));
        }
        Tensor::cat(&states, -1)
    }

    /// `[B, k, Σ widths]` → `[B, positions · 32]`.
    fn over_positions(&self, sorted: &Tensor) -> Tensor {
        let (graphs, pairs) = (sorted.size()[0], self.k / 2);
        let x = self.first.activated(&sorted.narrow(1, 0, 2 * pairs), Activation::Relu);
        let x = x.view([graphs, pairs, 2, FIRST]).amax([2i64].as_slice(), false);
        let positions = pairs - WINDOW + 1;
        let shifted: Vec<(Tensor, Tensor)> =
            (0..WINDOW).map(|at| (x.narrow(1, at, positions), self.second.select(2, at))).collect();
        let terms: Vec<(&Tensor, &Tensor)> = shifted.iter().map(|(x, w)| (x, w)).collect();
        affine(&terms, Some(&self.second_bias), Act::Relu).reshape([graphs, positions * SECOND])
    }
}

const CONVS: u64 = 0;
const SORT: u64 = 1;
const DROP: u64 = 2;

impl Model for Dgcnn {
    fn divides(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs::layout(Layout::Sparse)
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let nodes = self.nodes(g, ctx.child(CONVS));
        let sorted = self.sort.forward(&g.with_x(nodes.shallow_clone()), ctx.child(SORT));
        let sorted = sorted.view([g.graphs(), self.k, nodes.size()[1]]);
        let hidden = self.hidden.activated(&self.over_positions(&sorted), Activation::Relu);
        let logits = self.out.forward(&dropout(&hidden, self.dropout, ctx.child(DROP)));
        let mut output = Output { logits: Some(logits), ..Output::default() };
        if ctx.trace {
            output.traces.push(Trace { name: "level0.x".to_owned(), value: nodes.shallow_clone() });
            output.traces.push(Trace { name: "sorted".to_owned(), value: sorted });
        }
        output.nodes = Some(nodes);
        output
    }

    fn out_features(&self) -> i64 {
        self.out.out_features()
    }

    fn node_features(&self) -> Option<i64> {
        Some(self.convs.iter().map(|conv| conv.out_features()).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_nn::Stream;
    use tch::{Device, Kind, nn::VarStore};

    #[test]
    fn positions_are_convolved_as_libtorch_does() {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let config = DgcnnConfig { k: Rows::Fixed(13), ..DgcnnConfig::default() };
        let model = config.build(&Params::new(&store.root(), 1), &Dims::new(3, 2)).expect("a network");
        let sorted = Stream::new(2).normal(&[4, 13, 97], 0.0, 1.0, (Kind::Double, Device::Cpu));

        let (kernel, bias) = (model.first.weight.unsqueeze(1), model.first.bias.as_ref());
        let x = sorted.reshape([4, 1, 13 * 97]).conv1d(&kernel, bias, 97, 0, 1, 1).relu();
        let x = x.max_pool1d(2, 2, 0, 1, false);
        let want = x.conv1d(&model.second, Some(&model.second_bias), 1, 0, 1, 1).relu();
        let got = model.over_positions(&sorted).view([4, 2, 32]).transpose(1, 2);
        assert!(got.allclose(&want, 1e-12, 1e-12, false));
        assert!(want.abs().max().double_value(&[]) > 0.0);
    }

    #[test]
    fn too_few_rows_are_refused() {
        let store = VarStore::new(Device::Cpu);
        let config = DgcnnConfig { k: Rows::Fixed(9), ..DgcnnConfig::default() };
        let message = config.build(&Params::new(&store.root(), 1), &Dims::new(3, 2)).unwrap_err().to_string();
        assert_eq!(message, "dgcnn: `k` must be at least 10, for the convolutions over nodes, got 9");
    }
}

//! `DiffPool` and its base network as released (Ying et al. 2018, the authors' repository), which differ from the paper.
//!
//! Length: one network with its published variants; the test of one needs its private stack.

use coarsen_nn::readout::{Set2SetOfficial, Set2SetOfficialConfig};
use coarsen_nn::{Activation, Config, ConfigError, Ctx, Dims, Linear, Mlp, Params, Readout};
use coarsen_pool::diffpool_loss::official_link;
use coarsen_pool::{Invariance, Loss, Over, fields};
use coarsen_tensor::{Adjacency, Layout, Level};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use crate::model::{Model, Needs, Output, Trace};
use crate::registry::ModelSpec;

/// The row of [`MODELS`](crate::MODELS).
pub const SPEC: ModelSpec = ModelSpec {
    name: NAME,
    paper: "Ying et al. 2018, the released SoftPoolingGcnEncoder",
    invariance: Invariance::Broken(&["batch", "permutation"]),
    example: || {
        let mut example = json!(DiffPoolOfficialConfig::default());
        example["kind"] = NAME.into();
        example
    },
    build: |config, p, dims| Ok(Box::new(fields::<DiffPoolOfficialConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "diffpool-official";

/// Whether the statistics of a slot are taken in a layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotNorm {
    /// Behind every convolution but the last of a stack.
    #[default]
    Batch,
    /// Nowhere.
    None,
}

/// Whether the link loss is added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// No: the published commands.
    #[default]
    Off,
    /// [`official_link`] of the last assignment beside the input's edges, for one pooling.
    On,
}

/// How a level becomes a vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotRead {
    /// The largest value of each column, padding included.
    #[default]
    Max,
    /// [`Set2SetOfficial`] over masked rows, for the base network: the release's `base-set2set`.
    Set2set,
}

/// Configuration of [`DiffPoolOfficial`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiffPoolOfficialConfig {
    /// Every graph is padded to so many nodes, and `K` is a share of it; `null`: the largest graph. The release's default is 1000.
    pub max_nodes: Option<u32>,
    /// Clusters: `⌊ratio · max_nodes⌋`, then `⌊ratio · K⌋`; in (0, 1].
    pub ratio: f64,
    /// Poolings; with none it is the base network, which does not mask padded rows.
    pub pools: usize,
    /// Convolutions of a stack; at least 2.
    pub layers: usize,
    /// Width of the convolutions.
    pub hidden: i64,
    /// Width of the last of a stack.
    pub embed: i64,
    /// Width of the assigning convolutions; `null`: `hidden`.
    pub assign_hidden: Option<i64>,
    /// Widths of the hidden layers of the head.
    pub head: Vec<i64>,
    /// Statistics of slots.
    pub norm: SlotNorm,
    /// What reads a level; the largest values unless there is no pooling.
    pub read: SlotRead,
    /// The link loss.
    pub link: Link,
}

impl Default for DiffPoolOfficialConfig {
    fn default() -> Self {
        Self {
            max_nodes: None,
            ratio: 0.1,
            pools: 1,
            layers: 3,
            hidden: 30,
            embed: 30,
            assign_hidden: None,
            head: vec![50],
            norm: SlotNorm::Batch,
            read: SlotRead::Max,
            link: Link::Off,
        }
    }
}

impl DiffPoolOfficialConfig {
    /// Makes the network.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, or a graph has more than `max_nodes` nodes: the release drops such graphs, and so must the data
    /// set.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<DiffPoolOfficial, ConfigError> {
        let in_unit = self.ratio > 0.0 && self.ratio <= 1.0;
        ConfigError::require(in_unit, NAME, "ratio", "in (0, 1]", self.ratio)?;
        ConfigError::require(self.layers >= 2, NAME, "layers", "at least 2", self.layers)?;
        let assign_hidden = self.assign_hidden.unwrap_or(self.hidden);
        let widths = [("hidden", self.hidden), ("embed", self.embed), ("assign_hidden", assign_hidden)];
        for (field, width) in widths.into_iter().chain(self.head.iter().map(|&width| ("head", width))) {
            ConfigError::require(width >= 1, NAME, field, "at least 1", width)?;
        }
        let one = self.link == Link::Off || self.pools == 1;
        ConfigError::require(one, NAME, "link", "off unless there is one pooling", "on")?;
        let base = self.read == SlotRead::Max || self.pools == 0;
        ConfigError::require(base, NAME, "read", "max unless there is no pooling", "set2set")?;
        let largest = dims.max_nodes();
        let slots = self.max_nodes.map_or(largest, i64::from);
        ConfigError::require(slots >= 1, NAME, "max_nodes", "given where no sizes are known", "null")?;
        let rule = format!("at least the {largest} nodes of the largest graph");
        ConfigError::require(slots >= largest, NAME, "max_nodes", &rule, slots)?;

        let stack = |name: String, inputs, hidden, last| {
            SlotStack::new(&p.sub(name), (inputs, hidden, last, self.layers), self.norm)
        };
        let joined = self.hidden * (self.layers as i64 - 1) + self.embed;
        let (mut inputs, mut clusters) = (dims.features, slots);
        let mut stages = Vec::with_capacity(self.pools);
        for l in 0..self.pools {
            clusters = ((clusters as f64 * self.ratio).floor() as i64).max(1);
            let assign = stack(format!("assign{l}"), inputs, assign_hidden, clusters);
            let width = assign_hidden * (self.layers as i64 - 1) + clusters;
            stages.push(SlotStage {
                assign,
                linear: Linear::new(&p.sub(format!("assign{l}_linear")), width, clusters),
                after: stack(format!("after{l}"), joined, self.hidden, self.embed),
            });
            inputs = joined;
        }
        let read = joined * (self.pools as i64 + 1);
        let head = [&[read][..], &self.head, &[dims.outputs]].concat();
        Ok(DiffPoolOfficial {
            embed: stack("embed".to_owned(), dims.features, self.hidden, self.embed),
            stages,
            set2set: match self.read {
                SlotRead::Max => None,
                SlotRead::Set2set => {
                    Some(Set2SetOfficialConfig {}.init(&p.sub("set2set"), &dims.with_features(joined)))
                }
            },
            head: Mlp::new(&p.sub("head"), &head, Activation::Relu),
            slots,
            link: self.link,
        })
    }
}

/// The released network: `y = A X W + b`, rows divided by their norm, ReLU, statistics of each slot; all layers of a stack concatenated.
///
/// `S = softmax(linear(stack(A, X)))`, `X' = Sᵀ stack(A, X)`, `A' = Sᵀ A S`; the largest value of each column of every level is read,
/// padding included, and an MLP of its own gives the logits. The base network, without poolings, may read by Set2Set instead, in as
/// many steps as there are slots.
///
/// # Shapes
///
/// A batch of `B` graphs → logits `[B, outputs]`.
///
/// # Complexity
///
/// Time `O(B N² F)` and memory `O(B N²)`, with `N` of `max_nodes`. For the gradients, Set2Set keeps its weights of every step, `O(B N²)` too.
///
/// # Laws
///
/// Batch norm is made anew in every pass, per *slot*, over the graphs of the batch and the columns, in evaluation as well: what a graph
/// gives depends on the graphs beside it and on the order of its nodes.
///
/// # Paper and code
///
/// The paper has mean-GraphSAGE, batch norm over channels and both auxiliary losses ([`coarsen_pool::DiffPool`]). A node's own features
/// do not enter the first layer. Dropout, which reaches the middle layers behind poolings alone and is off in the published commands,
/// is left out.
#[derive(Debug)]
pub struct DiffPoolOfficial {
    embed: SlotStack,
    stages: Vec<SlotStage>,
    set2set: Option<Set2SetOfficial>,
    head: Mlp,
    slots: i64,
    link: Link,
}

#[derive(Debug)]
struct SlotStage {
    assign: SlotStack,
    linear: Linear,
    after: SlotStack,
}

#[derive(Debug)]
struct SlotStack {
    convs: Vec<Linear>,
    norm: SlotNorm,
}

const EPS: f64 = 1e-5;
const SET2SET: u64 = 0;

impl SlotStack {
    fn new(p: &Params, (inputs, hidden, last, layers): (i64, i64, i64, usize), norm: SlotNorm) -> Self {
        let conv = |l: usize| {
            let inputs = if l == 0 { inputs } else { hidden };
            let outputs = if l + 1 == layers { last } else { hidden };
            let p = p.sub(format!("conv{l}"));
            // Glorot's law times √2, ReLU's gain.
            let limit = (12.0 / (inputs + outputs) as f64).sqrt();
            let weight = p.uniform("weight", &[outputs, inputs], limit);
            Linear { weight, bias: Some(p.constant("bias", &[outputs], 0.0)) }
        };
        Self { convs: (0..layers).map(conv).collect(), norm }
    }

    /// The outputs of all layers, concatenated.
    fn forward(&self, x: &Tensor, a: &Tensor) -> Tensor {
        let mut states: Vec<Tensor> = Vec::with_capacity(self.convs.len());
        for (l, conv) in self.convs.iter().enumerate() {
            let y = conv.forward(&a.bmm(states.last().unwrap_or(x)));
            let length = y.square().sum_dim_intlist([2i64].as_slice(), true, None).clamp_min(1e-24).sqrt();
            let y = y / length;
            states.push(match self.norm {
                _ if l + 1 == self.convs.len() => y,
                SlotNorm::Batch => by_slot(&y.relu()),
                SlotNorm::None => y.relu(),
            });
        }
        Tensor::cat(&states, 2)
    }
}

/// Every slot less its mean over batch and columns, divided by its deviation.
///
/// # Shapes
///
/// `[B, N, F]`, kept.
fn by_slot(x: &Tensor) -> Tensor {
    let mean = |x: &Tensor| x.mean_dim([0i64, 2].as_slice(), true, None);
    let centred = x - mean(x);
    let variance = mean(&centred.square());
    centred / (variance + EPS).sqrt()
}

impl Model for DiffPoolOfficial {
    fn needs(&self) -> Needs {
        Needs { pad_to: Some(self.slots), ..Needs::layout(Layout::Dense) }
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let g = if g.x.dim() == 3 && g.x.size()[1] == self.slots {
            g.with_x(g.x.shallow_clone())
        } else {
            let stacked = g.to_layout(Layout::Sparse);
            let largest = i64::from(stacked.segments().largest());
            stacked.padded(self.slots.max(largest))
        };
        let Adjacency::Dense(padded) = &g.adj else { unreachable!("padded above") };
        let mut output = Output::default();
        let (mut x, mut a) = (g.x.shallow_clone(), padded.a.shallow_clone());
        let mut z = self.embed.forward(&x, &a);
        if !self.stages.is_empty() {
            z = g.mask_rows(z);
        }
        let mut readings = vec![match &self.set2set {
            Some(set2set) => set2set.forward(&g.with_x(g.mask_rows(z.shallow_clone())), ctx.child(SET2SET)),
            None => z.amax([1i64].as_slice(), false),
        }];
        for (l, stage) in self.stages.iter().enumerate() {
            // Behind the first pooling every slot is a node.
            let masked = |x: Tensor| if l == 0 { g.mask_rows(x) } else { x };
            let joined = masked(stage.assign.forward(&x, &a));
            let s = masked(stage.linear.forward(&joined).softmax(-1, None));
            x = s.transpose(1, 2).matmul(&z);
            a = s.transpose(1, 2).matmul(&a.matmul(&s));
            z = stage.after.forward(&x, &a);
            readings.push(z.amax([1i64].as_slice(), false));
            if self.link == Link::On {
                output.losses.push(Loss::new("link", official_link(&g, &s), Over::Batch, &g));
            }
            if ctx.trace {
                output.traces.push(Trace { name: format!("level{l}.s"), value: s });
            }
        }
        let logits = self.head.forward(&Tensor::cat(&readings, 1), None, ctx);
        Output { logits: Some(logits), ..output }
    }

    fn out_features(&self) -> i64 {
        self.head.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_nn::Stream;
    use coarsen_tensor::Padded;
    use tch::{Device, Kind, nn::VarStore, no_grad};

    const OPTIONS: (Kind, Device) = (Kind::Double, Device::Cpu);

    fn base() -> DiffPoolOfficialConfig {
        let read = SlotRead::Set2set;
        DiffPoolOfficialConfig {
            pools: 0,
            hidden: 4,
            embed: 3,
            head: Vec::new(),
            read,
            ..DiffPoolOfficialConfig::default()
        }
    }

    #[test]
    fn set2set_reads_masked_slots_of_the_base_network() {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let (params, dims) = (Params::new(&store.root(), 4), Dims::new(2, 3).with_sizes([5]));
        let model = base().build(&params, &dims).expect("a network");

        for (name, mut bias) in store.variables() {
            if name.starts_with("embed") && name.ends_with("bias") {
                let _ = no_grad(|| bias.fill_(0.3));
            }
        }
        let mask = Tensor::from_slice(&[1.0, 1.0, 1.0, 0.0, 0.0]).view([1, 5]);
        let x = Stream::new(1).normal(&[1, 5, 2], 0.0, 1.0, OPTIONS) * mask.unsqueeze(-1);
        let a = Tensor::zeros([1, 5, 5], OPTIONS);
        for (i, j) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
            let _ = a.get(0).get(i).get(j).fill_(1.0);
        }
        let z = model.embed.forward(&x, &a);
        assert!(z.get(0).get(4).abs().max().double_value(&[]) > 0.0, "the base network does not mask");

        // The same streams, hence the same values.
        let mut other = VarStore::new(Device::Cpu);
        other.set_kind(Kind::Double);
        let params = Params::new(&other.root(), 4).sub("set2set");
        let set2set = Set2SetOfficialConfig {}.init(&params, &Dims::new(11, 11));
        let masked = Level::new(
            z * mask.unsqueeze(-1),
            Adjacency::Dense(Padded::new(a.shallow_clone(), Some(mask.shallow_clone()))),
        );
        let want = model.head.forward(&set2set.forward(&masked, Ctx::eval()), None, Ctx::eval());
        let g = Level::new(x, Adjacency::Dense(Padded::new(a, Some(mask))));
        let got = model.forward(&g, Ctx::eval()).logits.expect("a head of its own");
        assert!(got.allclose(&want, 1e-12, 1e-12, false), "{got} and {want}");
    }
}

//! Flat graph neural networks: convolutions on the input graph, then a readout.

use coarsen_nn::{Activation, ConfigError, Ctx, Dims, Linear, Params, dropout};
use coarsen_pool::{Ending, Invariance, Join, NormAt, Stack, StackConfig, fields};
use coarsen_tensor::{Layout, Level};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Tensor;

use crate::model::{Model, Needs, Output, Trace};
use crate::readouts::{Readouts, max_and_mean};
use crate::registry::ModelSpec;

/// The row of [`MODELS`](crate::MODELS).
pub const SPEC: ModelSpec = ModelSpec {
    name: NAME,
    paper: "the networks every pooling paper compares with",
    invariance: Invariance::Exact,
    example: || {
        let mut example = json!(FlatConfig::default());
        example["kind"] = NAME.into();
        example
    },
    build: |config, p, dims| Ok(Box::new(fields::<FlatConfig>(NAME, config)?.build(NAME, p, dims)?)),
};

const NAME: &str = "flat";

/// What of the layers reaches the graph's representation (Xu et al. 2018, "jumping knowledge").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Jump {
    /// The last layer.
    Last,
    /// All layers, concatenated.
    #[default]
    Cat,
    /// The largest value that a feature has in any layer.
    Max,
    /// Input and all layers, each with a linear head of its own, whose logits are summed: GIN.
    PerLayer,
}

/// Configuration of [`Flat`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlatConfig {
    /// The convolution, a row of [`CONVS`](coarsen_nn::CONVS).
    pub conv: Value,
    /// How many; at least 1.
    pub layers: usize,
    /// Width of each.
    pub hidden: i64,
    /// Behind each convolution.
    pub activation: Activation,
    /// Where batch norm stands in a layer.
    pub norm: NormAt,
    /// Probability of dropping a feature after each layer; with [`Jump::PerLayer`] a logit of each head instead.
    pub dropout: f64,
    /// What stands behind the last convolution; `plain` for representations of nodes, whose products then have both signs.
    pub ending: Ending,
    /// What of the layers reaches the graph's representation.
    pub jump: Jump,
    /// Readouts, concatenated; rows of [`READOUTS`](coarsen_nn::READOUTS).
    pub readout: Vec<Value>,
}

impl Default for FlatConfig {
    fn default() -> Self {
        Self {
            conv: json!({"kind": "sage", "normalize": true}),
            layers: 3,
            hidden: 64,
            activation: Activation::Relu,
            norm: NormAt::After,
            dropout: 0.0,
            ending: Ending::Whole,
            jump: Jump::Cat,
            readout: max_and_mean(),
        }
    }
}

impl FlatConfig {
    /// Makes the network; `name` is the row's, for messages.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, the convolution's and the readouts' included.
    pub fn build(&self, name: &'static str, p: &Params, dims: &Dims) -> Result<Flat, ConfigError> {
        ConfigError::require(self.layers >= 1, name, "layers", "at least 1", self.layers)?;
        let stack = StackConfig {
            operator: name,
            conv: &self.conv,
            layers: self.layers,
            hidden: self.hidden,
            last: None,
            activation: self.activation,
            norm: self.norm,
            dropout: if self.jump == Jump::PerLayer { 0.0 } else { self.dropout },
            join: match self.jump {
                Jump::Last => Join::Last,
                Jump::Cat | Jump::PerLayer => Join::Cat,
                Jump::Max => Join::Max,
            },
            ending: self.ending,
        };
        let stack = stack.build(&p.sub("stack"), dims)?;
        let read = match self.jump {
            Jump::Last | Jump::Cat | Jump::Max => {
                let joined = dims.with_features(stack.out_features());
                Read::Joined(Readouts::new(name, &self.readout, &p.sub("readout"), &joined)?)
            }
            Jump::PerLayer => Read::Heads(self.heads(name, p, dims)?),
        };
        let nodes = match self.jump {
            Jump::Last | Jump::Cat | Jump::Max => stack.out_features(),
            Jump::PerLayer => self.hidden,
        };
        Ok(Flat { stack, read, nodes, outputs: dims.outputs })
    }

    fn heads(&self, name: &'static str, p: &Params, dims: &Dims) -> Result<Vec<Head>, ConfigError> {
        let drops = (0.0..1.0).contains(&self.dropout);
        ConfigError::require(drops, name, "dropout", "in [0, 1)", self.dropout)?;
        let head = |l: usize| {
            let p = p.sub(format!("head{l}"));
            let of_layer = dims.with_features(if l == 0 { dims.features } else { self.hidden });
            let readouts = Readouts::new(name, &self.readout, &p.sub("readout"), &of_layer)?;
            let linear = Linear::new(&p.sub("linear"), readouts.out_features(), dims.outputs);
            Ok(Head { readouts, linear, dropout: self.dropout })
        };
        (0..=self.layers).map(head).collect()
    }
}

/// A stack of convolutions and what is read of it.
///
/// With heads per layer: `logits = Σ_l dropout(W_l readout(H_l) + b_l)`, `H_0 = X`; its nodes are then those of the last layer.
#[derive(Debug)]
pub struct Flat {
    stack: Stack,
    read: Read,
    nodes: i64,
    outputs: i64,
}

#[derive(Debug)]
enum Read {
    Joined(Readouts),
    Heads(Vec<Head>),
}

#[derive(Debug)]
struct Head {
    readouts: Readouts,
    linear: Linear,
    dropout: f64,
}

impl Head {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        let logits = self.linear.forward(&self.readouts.forward(g, ctx.child(0)));
        dropout(&logits, self.dropout, ctx.child(1))
    }
}

const STACK: u64 = 0;
const READ: u64 = 1;

impl Model for Flat {
    fn divides(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs::layout(Layout::Sparse)
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let (of_stack, of_read) = (ctx.child(STACK), ctx.child(READ));
        let mut output = match &self.read {
            Read::Joined(readouts) => {
                let nodes = self.stack.forward(g, of_stack);
                let graphs = readouts.forward(&g.with_x(nodes.shallow_clone()), of_read);
                Output { nodes: Some(nodes), graphs: Some(graphs), ..Output::default() }
            }
            Read::Heads(heads) => {
                let mut states = self.stack.states(g, of_stack);
                states.insert(0, g.x.shallow_clone());
                let of_layer = |(l, (head, x)): (usize, (&Head, &Tensor))| {
                    head.forward(&g.with_x(x.shallow_clone()), of_read.child(l as u64))
                };
                let parts: Vec<Tensor> = heads.iter().zip(&states).enumerate().map(of_layer).collect();
                let logits = Tensor::stack(&parts, 0).sum_dim_intlist([0i64].as_slice(), false, None);
                Output { nodes: states.pop(), logits: Some(logits), ..Output::default() }
            }
        };
        if let (true, Some(nodes)) = (ctx.trace, &output.nodes) {
            output.traces.push(Trace { name: "level0.x".to_owned(), value: nodes.shallow_clone() });
        }
        output
    }

    fn out_features(&self) -> i64 {
        match &self.read {
            Read::Joined(readouts) => readouts.out_features(),
            Read::Heads(_) => self.outputs,
        }
    }

    fn node_features(&self) -> Option<i64> {
        Some(self.nodes)
    }
}

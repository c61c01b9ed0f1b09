//! A stack of convolutions inside one level: what DiffPool's two networks are, and the stages of every network above.

use coarsen_nn::{Activation, BatchNorm, ConfigError, Conv, Ctx, Dims, Linear, Params, conv, dropout};
use coarsen_tensor::Level;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Tensor;

/// Where batch norm stands in a layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormAt {
    /// Nowhere: convolution, ReLU.
    None,
    /// Convolution, batch norm, activation: GIN.
    Before,
    /// Convolution, activation, batch norm: DiffPool.
    #[default]
    After,
    /// Convolution, activation, and one batch norm behind the last layer alone: the queries of memory layers in *Rethinking pooling*.
    Last,
}

/// What a stack gives of the outputs of its layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Join {
    /// The last.
    Last,
    /// All, concatenated.
    #[default]
    Cat,
    /// The largest value of each feature; all layers must have one width.
    Max,
}

/// What stands behind the last convolution of a stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// What stands behind the others.
    #[default]
    Whole,
    /// Nothing: neither activation nor batch norm nor dropout.
    Plain,
}

/// What a [`Stack`] is made of; the fields of the configuration that holds it, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct StackConfig<'a> {
    /// Whose stack it is, for messages.
    pub operator: &'static str,
    /// The convolution, a row of [`CONVS`](coarsen_nn::CONVS).
    pub conv: &'a Value,
    /// How many; with 0 a stack gives what it gets.
    pub layers: usize,
    /// Width of each.
    pub hidden: i64,
    /// Width of the last, where it is another.
    pub last: Option<i64>,
    /// Behind each convolution.
    pub activation: Activation,
    /// Batch norm over the valid nodes.
    pub norm: NormAt,
    /// Probability of dropping a feature after each layer, in [0, 1).
    pub dropout: f64,
    /// What is given.
    pub join: Join,
    /// What stands behind the last convolution.
    pub ending: Ending,
}

impl StackConfig<'_> {
    /// Makes the stack; the input has `dims.features`.
    ///
    /// # Errors
    ///
    /// When `hidden` or `dropout` breaks its rule, or the convolution's configuration does.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<Stack, ConfigError> {
        let name = self.operator;
        ConfigError::require(self.hidden >= 1, name, "hidden", "at least 1", self.hidden)?;
        let drops = (0.0..1.0).contains(&self.dropout);
        ConfigError::require(drops, name, "dropout", "in [0, 1)", self.dropout)?;
        let layer = |l: usize| {
            let inputs = if l == 0 { dims.features } else { self.hidden };
            let outputs = self.last.filter(|_| l + 1 == self.layers).unwrap_or(self.hidden);
            let conv_dims = dims.with_features(inputs).with_outputs(outputs);
            let plain = self.ending == Ending::Plain && l + 1 == self.layers;
            let norm = match self.norm {
                _ if plain => None,
                NormAt::None => None,
                NormAt::Last if l + 1 < self.layers => None,
                NormAt::Before | NormAt::After | NormAt::Last => {
                    Some(BatchNorm::new(&p.sub(format!("norm{l}")), outputs))
                }
            };
            Ok(Layer { conv: conv(self.conv, &p.sub(format!("conv{l}")), &conv_dims)?, norm })
        };
        let layers = (0..self.layers).map(layer).collect::<Result<Vec<_>, ConfigError>>()?;
        let widths: Vec<i64> = layers.iter().map(|layer| layer.conv.out_features()).collect();
        let joins = self.join != Join::Max || widths.iter().all(|&width| width == widths[0]);
        let rule = format!("last or cat where layers have the widths {widths:?}");
        ConfigError::require(joins, name, "join", &rule, "max")?;
        Ok(Stack {
            inputs: dims.features,
            layers,
            activation: self.activation,
            at: self.norm,
            dropout: self.dropout,
            join: self.join,
            ending: self.ending,
            linear: None,
        })
    }
}

/// Convolutions one after the other on the same graph, each with activation, batch norm and dropout as configured.
#[derive(Debug)]
pub struct Stack {
    inputs: i64,
    layers: Vec<Layer>,
    activation: Activation,
    at: NormAt,
    dropout: f64,
    join: Join,
    ending: Ending,
    linear: Option<Linear>,
}

#[derive(Debug)]
struct Layer {
    conv: Box<dyn Conv>,
    norm: Option<BatchNorm>,
}

impl Stack {
    /// The same stack with a linear map to `outputs` behind it.
    #[must_use]
    pub fn with_linear(self, p: &Params, outputs: i64) -> Self {
        let linear = Linear::new(&p.sub("linear"), self.out_features(), outputs);
        Self { linear: Some(linear), ..self }
    }

    /// The outputs of all layers, first to last.
    ///
    /// # Shapes
    ///
    /// Each `[…, hidden]`, in the layout of `g`.
    pub fn states(&self, g: &Level, ctx: Ctx) -> Vec<Tensor> {
        let mut states: Vec<Tensor> = Vec::with_capacity(self.layers.len());
        // Batch norm takes a ReLU before it in passing, on the way there and back.
        let in_passing = |g: &Level| ctx.train && self.activation == Activation::Relu && g.mask().is_none();
        for (l, layer) in self.layers.iter().enumerate() {
            let ctx = ctx.child(l as u64);
            let here = states.last().map(|x| g.with_x(x.shallow_clone()));
            let g = here.as_ref().unwrap_or(g);
            let conv = |act| layer.conv.activated(g, act, ctx.child(0));
            if self.ending == Ending::Plain && l + 1 == self.layers.len() {
                states.push(conv(Activation::Identity));
                break;
            }
            let x = match (self.at, &layer.norm) {
                (NormAt::Before, Some(norm)) => {
                    norm.activated(&conv(Activation::Identity), g.mask(), self.activation, ctx)
                }
                (NormAt::After | NormAt::Last, Some(norm)) if in_passing(g) => {
                    norm.rectified(&conv(Activation::Identity), None, ctx)
                }
                (NormAt::After | NormAt::Last, Some(norm)) => {
                    norm.forward(&conv(self.activation), g.mask(), ctx)
                }
                (_, None) | (NormAt::None, _) => conv(self.activation),
            };
            states.push(dropout(&x, self.dropout, ctx.child(1)));
        }
        states
    }

    /// What [`Join`] says of the layers' outputs, then the linear map if there is one.
    ///
    /// # Shapes
    ///
    /// `[…, out_features]`, in the layout of `g`. A linear map gives padded rows its bias.
    pub fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        let mut states = self.states(g, ctx);
        let x = match (self.join, states.len()) {
            (_, 0) => g.x.shallow_clone(),
            (_, 1) | (Join::Last, _) => states.swap_remove(self.layers.len() - 1),
            (Join::Cat, _) => Tensor::cat(&states, -1),
            (Join::Max, _) => {
                let first = states.swap_remove(0);
                states.iter().fold(first, |most, x| most.maximum(x))
            }
        };
        self.linear.as_ref().map_or_else(|| x.shallow_clone(), |linear| linear.forward(&x))
    }

    /// Width of what [`forward`](Self::forward) gives.
    pub fn out_features(&self) -> i64 {
        let mut widths = self.layers.iter().map(|layer| layer.conv.out_features());
        match (&self.linear, self.join) {
            (Some(linear), _) => linear.out_features(),
            (None, _) if self.layers.is_empty() => self.inputs,
            (None, Join::Last | Join::Max) => widths.next_back().unwrap_or(self.inputs),
            (None, Join::Cat) => widths.sum(),
        }
    }

    /// Number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is no layer.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use coarsen_sparse::Csr;
    use coarsen_tensor::{Adjacency, Pattern, Segments, Sparse};
    use serde_json::json;
    use tch::{Device, Kind, nn::VarStore};

    use super::*;

    fn config(conv: &Value) -> StackConfig<'_> {
        StackConfig {
            operator: "mine",
            conv,
            layers: 3,
            hidden: 4,
            last: None,
            activation: Activation::Tanh,
            norm: NormAt::None,
            dropout: 0.0,
            join: Join::Max,
            ending: Ending::Whole,
        }
    }

    #[test]
    fn the_maximum_is_that_of_all_layers() {
        let (store, conv) = (VarStore::new(Device::Cpu), json!({"kind": "gcn"}));
        let dims = Dims::new(2, 2);
        let stack = config(&conv).build(&Params::new(&store.root(), 5), &dims).expect("a stack");
        let options = (Kind::Float, Device::Cpu);
        let csr = Csr::new(3, 3, vec![0, 1, 3, 4], vec![1, 0, 2, 1]).expect("a path");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::of_sizes([3]))));
        let x = Tensor::from_slice(&[1f32, -2.0, 0.5, 3.0, -1.0, 1.5]).view([3, 2]);
        let g = Level::new(x, Adjacency::Sparse(Sparse::new(pattern, None, options)));

        let values = |t: &Tensor| Vec::<f32>::try_from(t.reshape(-1)).expect("single precision");
        let states: Vec<Vec<f32>> = stack.states(&g, Ctx::eval()).iter().map(values).collect();
        let largest = |i| states.iter().map(|layer| layer[i]).fold(f32::NEG_INFINITY, f32::max);
        let want: Vec<f32> = (0..12).map(largest).collect();
        let y = stack.forward(&g, Ctx::eval());
        assert_eq!((values(&y), stack.out_features()), (want.clone(), 4));
        assert!(states.iter().all(|layer| *layer != want), "every layer counts: {states:?}");
    }

    #[test]
    fn one_norm_alone_is_the_last_ones() {
        let (store, conv) = (VarStore::new(Device::Cpu), json!({"kind": "gcn"}));
        let one = StackConfig { norm: NormAt::Last, ..config(&conv) };
        one.build(&Params::new(&store.root(), 5), &Dims::new(2, 2)).expect("a stack");
        let variables = store.variables();
        let norms: Vec<&String> = variables.keys().filter(|name| name.contains("norm")).collect();
        assert!(norms.len() == 4 && norms.iter().all(|name| name.starts_with("norm2.")), "{norms:?}");
    }

    #[test]
    fn layers_of_several_widths_have_no_maximum() {
        let (store, conv) = (VarStore::new(Device::Cpu), json!({"kind": "gcn"}));
        let wider = StackConfig { last: Some(5), ..config(&conv) };
        let message =
            wider.build(&Params::new(&store.root(), 5), &Dims::new(2, 2)).expect_err("refused").to_string();
        assert_eq!(
            message,
            "mine: `join` must be last or cat where layers have the widths [4, 4, 5], got max"
        );
    }
}

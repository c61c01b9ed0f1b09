//! The head of the tasks: linear layers on what a network says of a graph or a node.

use coarsen_model::Output;
use coarsen_nn::{ConfigError, Ctx, Linear, Params, dropout};
use tch::Tensor;

use crate::task::Head;

/// `null`, a number or a list in JSON; the shortest of them is written.
pub(crate) mod widths {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged, expecting = "`hidden` must be null, a width or a list of widths")]
    enum Widths {
        None,
        One(u32),
        Many(Vec<u32>),
    }

    pub(crate) fn serialize<S: Serializer>(hidden: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
        let widths = match *hidden {
            [] => Widths::None,
            [width] => Widths::One(width),
            _ => Widths::Many(hidden.to_vec()),
        };
        widths.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        Ok(match Widths::deserialize(deserializer)? {
            Widths::None => Vec::new(),
            Widths::One(width) => vec![width],
            Widths::Many(widths) => widths,
        })
    }
}

/// The rules of a head's hidden layers and dropout.
pub(crate) fn check(task: &'static str, hidden: &[u32], dropout: f64) -> Result<(), ConfigError> {
    let wide = !hidden.contains(&0);
    ConfigError::require(wide, task, "hidden", "at least 1, or null for one layer", 0)?;
    ConfigError::require((0.0..1.0).contains(&dropout), task, "dropout", "in [0, 1)", dropout)
}

/// What a head ends in.
pub(crate) type LossOf = fn(&Tensor, &Tensor) -> Tensor;

/// `Linear – ReLU – dropout – Linear`, with as many hidden layers as asked for, on rows of graphs or of chosen nodes.
#[derive(Debug)]
pub(crate) struct Layers {
    hidden: Vec<Linear>,
    last: Linear,
    dropout: f64,
    loss: LossOf,
}

impl Layers {
    pub(crate) fn new(
        params: &Params,
        (mut inputs, outputs): (i64, i64),
        (hidden, dropout): (&[u32], f64),
        loss: LossOf,
    ) -> Self {
        let layer = |(l, &width): (usize, &u32)| {
            let name = if l == 0 { "hidden".to_owned() } else { format!("hidden{l}") };
            let linear = Linear::new(&params.sub(name), inputs, width.into());
            inputs = width.into();
            linear
        };
        let hidden = hidden.iter().enumerate().map(layer).collect();
        Self { hidden, last: Linear::new(&params.sub("out"), inputs, outputs), dropout, loss }
    }

    fn forward(&self, x: &Tensor, ctx: Ctx) -> Tensor {
        let layer = |x: &Tensor, linear: &Linear| linear.forward(x).relu();
        let (first, others) = match self.hidden.split_first() {
            Some((first, others)) => (layer(x, first), others),
            None => (x.shallow_clone(), [].as_slice()),
        };
        let dropped = dropout(&first, self.dropout, ctx);
        self.last.forward(&others.iter().fold(dropped, |x, linear| layer(&x, linear)))
    }
}

impl Head for Layers {
    fn predict(&self, out: &Output, at: Option<&Tensor>, ctx: Ctx) -> Tensor {
        match (at, &out.logits) {
            (Some(nodes), _) => self.forward(&rows(out).index_select(0, nodes), ctx),
            (None, Some(logits)) => logits.shallow_clone(),
            (None, None) => {
                self.forward(out.graphs.as_ref().expect("a network gives logits or a row per graph"), ctx)
            }
        }
    }

    fn loss(&self, predictions: &Tensor, targets: &Tensor) -> Tensor {
        (self.loss)(predictions, targets)
    }
}

/// The rows of the nodes of one graph, in either layout: what pads it stands at the end.
pub(crate) fn rows(out: &Output) -> Tensor {
    let x = out.nodes.as_ref().expect("a network with `node_features` gives a row per node");
    x.flatten(0, -2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    /// The parameters of a head on rows of width 6, and what it gives for a row of ones.
    fn head(hidden: &[u32], dropout: f64) -> (VarStore, Layers) {
        let store = VarStore::new(Device::Cpu);
        let loss: LossOf = |predictions, targets| predictions.mse_loss(targets, tch::Reduction::Mean);
        let head = Layers::new(&Params::new(&store.root(), 1), (6, 2), (hidden, dropout), loss);
        (store, head)
    }

    fn ones() -> Output {
        let x = Tensor::ones([3, 6], (Kind::Float, Device::Cpu));
        Output { graphs: Some(x), ..Output::default() }
    }

    #[test]
    fn several_hidden_layers_stand_one_behind_the_other() {
        let (store, head) = head(&[5, 4], 0.0);
        let variables = store.variables();
        let weight = |name: &str| &variables[&format!("{name}.weight")];
        let bias = |name: &str| &variables[&format!("{name}.bias")];
        assert_eq!([weight("hidden").size(), weight("hidden1").size()], [[5, 6], [4, 5]]);
        let affine = |x: &Tensor, name: &str| x.linear(weight(name), Some(bias(name)));
        let x = affine(ones().graphs.as_ref().expect("rows"), "hidden").relu();
        let want = affine(&affine(&x, "hidden1").relu(), "out");
        assert!(head.predict(&ones(), None, Ctx::train(1)).allclose(&want, 1e-6, 1e-6, false));
    }

    #[test]
    fn dropout_stands_behind_the_first_hidden_layer() {
        let (store, head) = head(&[5, 4], 0.5);
        // Whatever is dropped before it, the second hidden layer's bias reaches the answer.
        tch::no_grad(|| {
            for (name, mut value) in store.variables() {
                let _ = value.fill_(if name == "hidden1.bias" || name == "out.weight" { 1.0 } else { 0.0 });
            }
        });
        let y = head.predict(&ones(), None, Ctx::train(1));
        assert!(y.eq(4.0).all().int64_value(&[]) == 1, "{y}");
        let (_store, head) = self::head(&[5, 4], 0.5);
        let (dropped, whole) =
            (head.predict(&ones(), None, Ctx::train(1)), head.predict(&ones(), None, Ctx::eval()));
        assert!(!dropped.equal(&whole));
    }

    #[test]
    fn nodes_are_chosen_by_their_row_padded_or_not() {
        let (_store, head) = head(&[], 0.0);
        let x = Tensor::arange(24, (Kind::Float, Device::Cpu)).view([4, 6]);
        let padded = Tensor::cat(&[&x, &x.zeros_like()], 0).unsqueeze(0);
        let at = Tensor::from_slice(&[2i64, 0]);
        let want = head.forward(&x.index_select(0, &at), Ctx::eval());
        for nodes in [x, padded] {
            // Logits are about graphs.
            let logits = Some(Tensor::zeros([1, 2], (Kind::Float, Device::Cpu)));
            let out = Output { nodes: Some(nodes), logits, ..Output::default() };
            assert!(head.predict(&out, Some(&at), Ctx::eval()).equal(&want));
        }
    }
}

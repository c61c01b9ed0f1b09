//! The class of every graph.

use coarsen_eval::{Metric, Protocol, Split, metric};
use coarsen_graph::{Dataset, Target};
use coarsen_model::{Needs, Output};
use coarsen_nn::{ConfigError, Ctx, Dims, Linear, Params, dropout};
use coarsen_tensor::classes;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::RunError;
use crate::loader;
use crate::task::{Batch, Head, Order, Task};

/// The head of graph classification: `Linear – ReLU – dropout – Linear`, with as many hidden layers as asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphClassificationConfig {
    /// Widths between the layers: a number, a list of numbers, or `null` for one layer only.
    #[serde(with = "widths")]
    pub hidden: Vec<u32>,
    /// Dropout behind the first hidden layer's ReLU, or before the only layer.
    pub dropout: f64,
}

/// `null`, a number or a list in JSON; the shortest of them is written.
mod widths {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged, expecting = "`hidden` must be null, a width or a list of widths")]
    enum Widths {
        None,
        One(u32),
        Many(Vec<u32>),
    }

    pub(super) fn serialize<S: Serializer>(hidden: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
        let widths = match *hidden {
            [] => Widths::None,
            [width] => Widths::One(width),
            _ => Widths::Many(hidden.to_vec()),
        };
        widths.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        Ok(match Widths::deserialize(deserializer)? {
            Widths::None => Vec::new(),
            Widths::One(width) => vec![width],
            Widths::Many(widths) => widths,
        })
    }
}

impl Default for GraphClassificationConfig {
    /// 50, as DiffPool's head; no dropout.
    fn default() -> Self {
        Self { hidden: vec![50], dropout: 0.0 }
    }
}

impl GraphClassificationConfig {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let fail = |field, rule, got| Err(ConfigError::value("graph-classification", field, rule, got));
        if self.hidden.contains(&0) {
            return fail("hidden", "at least 1, or null for one layer", "0".to_owned());
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fail("dropout", "in [0, 1)", self.dropout.to_string());
        }
        Ok(())
    }
}

/// Graph classification on one data set: cross-entropy, accuracy.
pub struct GraphClassification<'a> {
    data: &'a dyn Dataset,
    config: GraphClassificationConfig,
    labels: Vec<u32>,
}

impl<'a> GraphClassification<'a> {
    /// The task on this data set.
    ///
    /// # Errors
    ///
    /// When a sample has no class, there are fewer than two classes, or the nodes have no features.
    pub fn new(data: &'a dyn Dataset, config: GraphClassificationConfig) -> Result<Self, RunError> {
        let info = data.info();
        let fail = |rule, got| Err(RunError::Data { dataset: info.name.clone(), rule, got });
        if info.classes < 2 {
            return fail("classification needs at least two classes", info.classes.to_string());
        }
        if info.features == 0 {
            let rule = "nodes need features: name a feature rule, as `\"features\": [{\"constant\": {\"width\": 1}}]`";
            return fail(rule, "none".to_owned());
        }
        let mut labels = Vec::with_capacity(data.len());
        for i in 0..data.len() {
            match data.sample(i).y {
                Target::Class(c) => labels.push(c),
                other @ Target::Real(_) => {
                    return fail("every sample needs a class", format!("{other:?} of sample {i}"));
                }
            }
        }
        Ok(Self { data, config, labels })
    }

    /// The class of every sample.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }
}

impl Task for GraphClassification<'_> {
    fn metric(&self) -> Metric {
        Metric::Accuracy
    }

    fn dims(&self) -> Dims {
        let info = self.data.info();
        let sizes: Vec<u32> =
            (0..self.data.len()).map(|i| self.data.sample(i).topology.nodes() as u32).collect();
        Dims::new(info.features as i64, i64::from(info.classes))
            .with_edge_features(info.edge_features as i64)
            .with_sizes(sizes)
    }

    fn splits(&self, protocol: &Protocol, seed: u64) -> Result<Vec<Split>, RunError> {
        Ok(protocol.splits(&self.labels, seed)?)
    }

    fn head(&self, params: &Params, width: i64) -> Box<dyn Head> {
        let outputs = i64::from(self.data.info().classes);
        let mut inputs = width;
        let layer = |(l, &width): (usize, &u32)| {
            let name = if l == 0 { "hidden".to_owned() } else { format!("hidden{l}") };
            let linear = Linear::new(&params.sub(name), inputs, width.into());
            inputs = width.into();
            linear
        };
        let hidden = self.config.hidden.iter().enumerate().map(layer).collect();
        let last = Linear::new(&params.sub("out"), inputs, outputs);
        Box::new(ClassHead { hidden, last, dropout: self.config.dropout })
    }

    fn cut(&self, index: &[usize], order: Order, needs: &Needs) -> Vec<Vec<Vec<usize>>> {
        let index = match order.shuffle {
            Some(seed) => loader::shuffled(index, seed),
            None => index.to_vec(),
        };
        let batches = loader::cut(self.data, &index, order.batch, needs.equal_sizes);
        batches.iter().map(|batch| loader::parts(self.data, batch, order.parts)).collect()
    }

    fn batch(&self, samples: &[usize], cluster: u64, needs: &Needs, device: Device) -> Batch {
        Batch {
            level: loader::level(self.data, samples, needs, cluster, device),
            target: classes(self.data, samples, device),
        }
    }

    fn measure(&self, predictions: &Tensor, targets: &Tensor) -> Result<f64, RunError> {
        let classes = predictions.size()[1] as usize;
        let logits: Vec<f64> =
            predictions.to_device(Device::Cpu).to_kind(Kind::Double).view(-1).try_into()?;
        let labels: Vec<i64> = targets.to_device(Device::Cpu).try_into()?;
        let labels: Vec<u32> = labels.into_iter().map(|c| c as u32).collect();
        Ok(metric::accuracy(&logits, classes, &labels)?)
    }
}

#[derive(Debug)]
struct ClassHead {
    hidden: Vec<Linear>,
    last: Linear,
    dropout: f64,
}

impl Head for ClassHead {
    fn predict(&self, out: &Output, ctx: Ctx) -> Tensor {
        if let Some(logits) = &out.logits {
            return logits.shallow_clone();
        }
        let x = out.graphs.as_ref().expect("a network gives logits or a row per graph");
        let layer = |x: &Tensor, linear: &Linear| linear.forward(x).relu();
        let (first, others) = match self.hidden.split_first() {
            Some((first, others)) => (layer(x, first), others),
            None => (x.shallow_clone(), [].as_slice()),
        };
        let dropped = dropout(&first, self.dropout, ctx);
        self.last.forward(&others.iter().fold(dropped, |x, linear| layer(&x, linear)))
    }

    fn loss(&self, predictions: &Tensor, targets: &Tensor) -> Tensor {
        predictions.cross_entropy_for_logits(targets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_graph::{DataDir, FeatureRule};
    use serde_json::{Value, json};
    use tch::nn::VarStore;

    fn read(hidden: &Value) -> Result<GraphClassificationConfig, serde_json::Error> {
        serde_json::from_value(json!({ "hidden": hidden }))
    }

    #[test]
    fn widths_are_nothing_a_number_or_a_list_and_are_written_as_they_were() {
        for (hidden, want) in [(json!(null), vec![]), (json!(7), vec![7]), (json!([64, 32]), vec![64, 32])] {
            let config = read(&hidden).expect("a head");
            assert_eq!(config.hidden, want);
            assert_eq!(serde_json::to_value(&config).expect("JSON")["hidden"], hidden);
        }
        assert_eq!(read(&json!([7])).expect("a head").hidden, [7]);
        let message = read(&json!("wide")).expect_err("refused").to_string();
        assert!(message.contains("null, a width or a list of widths"), "{message}");
        let message = read(&json!([8, 0])).expect("a head").check().expect_err("refused").to_string();
        assert_eq!(
            message,
            "graph-classification: `hidden` must be at least 1, or null for one layer, got 0"
        );
    }

    /// The parameters of a head on rows of width 6, and what it gives for a row of ones.
    fn head(hidden: Vec<u32>, dropout: f64) -> (VarStore, Box<dyn Head>) {
        let data = DataDir::new("none").load("TRIANGLES", &FeatureRule::default()).expect("a built-in set");
        let config = GraphClassificationConfig { hidden, dropout };
        let task = GraphClassification::new(&data, config).expect("classes");
        let store = VarStore::new(Device::Cpu);
        let head = task.head(&Params::new(&store.root(), 1), 6);
        (store, head)
    }

    fn rows() -> Output {
        let x = Tensor::ones([3, 6], (Kind::Float, Device::Cpu));
        Output { graphs: Some(x), ..Output::default() }
    }

    #[test]
    fn several_hidden_layers_stand_one_behind_the_other() {
        let (store, head) = head(vec![5, 4], 0.0);
        let variables = store.variables();
        let weight = |name: &str| &variables[&format!("{name}.weight")];
        let bias = |name: &str| &variables[&format!("{name}.bias")];
        assert_eq!([weight("hidden").size(), weight("hidden1").size()], [[5, 6], [4, 5]]);
        let affine = |x: &Tensor, name: &str| x.linear(weight(name), Some(bias(name)));
        let x = affine(rows().graphs.as_ref().expect("rows"), "hidden").relu();
        let want = affine(&affine(&x, "hidden1").relu(), "out");
        assert!(head.predict(&rows(), Ctx::train(1)).allclose(&want, 1e-6, 1e-6, false));
    }

    #[test]
    fn dropout_stands_behind_the_first_hidden_layer() {
        let (store, head) = head(vec![5, 4], 0.5);
        // Whatever is dropped before it, the second hidden layer's bias reaches the answer.
        tch::no_grad(|| {
            for (name, mut value) in store.variables() {
                let _ = value.fill_(if name == "hidden1.bias" || name == "out.weight" { 1.0 } else { 0.0 });
            }
        });
        let y = head.predict(&rows(), Ctx::train(1));
        assert!(y.eq(4.0).all().int64_value(&[]) == 1, "{y}");
        let (_store, head) = self::head(vec![5, 4], 0.5);
        assert!(!head.predict(&rows(), Ctx::train(1)).equal(&head.predict(&rows(), Ctx::eval())));
    }
}

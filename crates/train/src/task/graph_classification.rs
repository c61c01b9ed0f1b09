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

/// The head of graph classification: `Linear – ReLU – dropout – Linear`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphClassificationConfig {
    /// Width between the two layers; `null`: one layer only.
    pub hidden: Option<u32>,
    /// Dropout before the last layer.
    pub dropout: f64,
}

impl Default for GraphClassificationConfig {
    /// 50, as DiffPool's head; no dropout.
    fn default() -> Self {
        Self { hidden: Some(50), dropout: 0.0 }
    }
}

impl GraphClassificationConfig {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let fail = |field, rule, got| Err(ConfigError::value("graph-classification", field, rule, got));
        if self.hidden == Some(0) {
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
        let hidden = self.config.hidden.map(i64::from);
        let first = hidden.map(|h| Linear::new(&params.sub("hidden"), width, h));
        let last = Linear::new(&params.sub("out"), hidden.unwrap_or(width), outputs);
        Box::new(ClassHead { first, last, dropout: self.config.dropout })
    }

    fn batches<'a>(
        &'a self,
        index: &'a [usize],
        order: Order,
        needs: &'a Needs,
        device: Device,
    ) -> Box<dyn Iterator<Item = Batch> + 'a> {
        let index = match order.shuffle {
            Some(seed) => loader::shuffled(index, seed),
            None => index.to_vec(),
        };
        let batches = loader::cut(self.data, &index, order.batch, needs.equal_sizes);
        Box::new(batches.into_iter().map(move |index| Batch {
            level: loader::level(self.data, &index, needs, order.cluster, device),
            target: classes(self.data, &index, device),
        }))
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
    first: Option<Linear>,
    last: Linear,
    dropout: f64,
}

impl Head for ClassHead {
    fn predict(&self, out: &Output, ctx: Ctx) -> Tensor {
        if let Some(logits) = &out.logits {
            return logits.shallow_clone();
        }
        let x = out.graphs.as_ref().expect("a network gives logits or a row per graph");
        match &self.first {
            Some(first) => self.last.forward(&dropout(&first.forward(x).relu(), self.dropout, ctx)),
            None => self.last.forward(&dropout(x, self.dropout, ctx)),
        }
    }

    fn loss(&self, predictions: &Tensor, targets: &Tensor) -> Tensor {
        predictions.cross_entropy_for_logits(targets)
    }
}

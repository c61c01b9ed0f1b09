//! The class of every graph.

use coarsen_eval::{Metric, Protocol, Split, metric};
use coarsen_graph::{Dataset, DatasetInfo, Target, Topology};
use coarsen_model::Needs;
use coarsen_nn::{ConfigError, Dims, Params};
use coarsen_tensor::classes;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::error::RunError;
use crate::loader;
use crate::task::head::{self, Layers, widths};
use crate::task::{Batch, Head, Order, Task, measure};

/// The head of graph classification: `Linear – ReLU – dropout – Linear`, with as many hidden layers as asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphClassificationConfig {
    /// Widths between the layers: a number, a list of numbers, or `null` for one layer only.
    #[serde(with = "widths")]
    pub hidden: Vec<u32>,
    /// Dropout behind the first hidden layer's ReLU, or before the only layer.
    pub dropout: f64,
    /// What is measured.
    pub metric: ClassMetric,
}

/// What classes are judged by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassMetric {
    /// The fraction of graphs whose class has the largest logit.
    #[default]
    Accuracy,
    /// The area under the ROC curve of the difference of the two logits; of two classes alone.
    RocAuc,
}

impl ClassMetric {
    pub(crate) fn metric(self) -> Metric {
        match self {
            Self::Accuracy => Metric::Accuracy,
            Self::RocAuc => Metric::RocAuc,
        }
    }
}

impl Default for GraphClassificationConfig {
    /// 50, as DiffPool's head; no dropout.
    fn default() -> Self {
        Self { hidden: vec![50], dropout: 0.0, metric: ClassMetric::Accuracy }
    }
}

impl GraphClassificationConfig {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        head::check("graph-classification", &self.hidden, self.dropout)
    }
}

/// Graph classification on one data set: cross-entropy; accuracy or ROC-AUC.
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
    /// When a sample has no class, there are fewer than two classes (of ROC-AUC: not two), or the nodes have no features.
    pub fn new(data: &'a dyn Dataset, config: GraphClassificationConfig) -> Result<Self, RunError> {
        let info = data.info();
        let fail = |rule, got| Err(RunError::Data { dataset: info.name.clone(), rule, got });
        if info.classes < 2 {
            return fail("classification needs at least two classes", info.classes.to_string());
        }
        if config.metric == ClassMetric::RocAuc && info.classes != 2 {
            return fail("roc-auc needs two classes", info.classes.to_string());
        }
        featured(info)?;
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
        self.config.metric.metric()
    }

    fn dims(&self) -> Dims {
        dims(self.data, self.data.info().classes)
    }

    fn splits(&self, protocol: &Protocol, seed: u64) -> Result<Vec<Split>, RunError> {
        Ok(protocol.splits(&self.labels, seed)?)
    }

    fn blind(&self, split: &Split) -> Result<f64, RunError> {
        match self.config.metric {
            ClassMetric::Accuracy => Ok(metric::majority(&self.labels, split)?),
            ClassMetric::RocAuc => Ok(0.5),
        }
    }

    fn head(&self, params: &Params, width: i64) -> Box<dyn Head> {
        let GraphClassificationConfig { hidden, dropout, .. } = &self.config;
        let widths = (width, i64::from(self.data.info().classes));
        Box::new(Layers::new(params, widths, (hidden, *dropout), Tensor::cross_entropy_for_logits))
    }

    fn cut(&self, index: &[usize], order: Order, needs: &Needs) -> Vec<Vec<Vec<usize>>> {
        loader::batches(self.data, index, order, needs)
    }

    fn graphs(&self, samples: &[usize]) -> Vec<(usize, Topology<'_>)> {
        samples.iter().map(|&sample| (sample, self.data.sample(sample).topology)).collect()
    }

    fn batch(&self, samples: &[usize], cluster: u64, needs: &Needs, device: Device) -> Batch {
        Batch {
            level: loader::level(self.data, samples, needs, cluster, device),
            target: classes(self.data, samples, device),
            at: None,
            reconstruction: None,
        }
    }

    fn measure(&self, predictions: &Tensor, targets: &Tensor) -> Result<f64, RunError> {
        match self.config.metric {
            ClassMetric::Accuracy => measure::accuracy(predictions, targets),
            ClassMetric::RocAuc => {
                measure::roc_auc(&(predictions.select(1, 1) - predictions.select(1, 0)), targets)
            }
        }
    }
}

/// What a network must know of graphs before it exists.
pub(crate) fn dims(data: &dyn Dataset, outputs: u32) -> Dims {
    let info = data.info();
    Dims::new(info.features as i64, i64::from(outputs))
        .with_edge_features(info.edge_features as i64)
        .with_sizes(data.sizes())
}

/// Every network starts from features.
pub(crate) fn featured(info: &DatasetInfo) -> Result<(), RunError> {
    if info.features > 0 {
        return Ok(());
    }
    let rule =
        "nodes need features: name a feature rule, as `\"features\": [{\"constant\": {\"width\": 1}}]`";
    Err(RunError::Data { dataset: info.name.clone(), rule, got: "none".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_graph::{DataDir, FeatureRule};
    use serde_json::{Value, json};

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

    /// The area of what separates is 1 whatever the threshold: the logits of class 1 alone do not rank the samples here.
    #[test]
    fn roc_auc_ranks_by_the_difference_of_the_logits() {
        let data = DataDir::new("none").load("TRIANGLES", &FeatureRule::default()).expect("a built-in set");
        let config = GraphClassificationConfig { metric: ClassMetric::RocAuc, ..Default::default() };
        let message = GraphClassification::new(&data, config.clone()).err().expect("refused").to_string();
        assert_eq!(message, "TRIANGLES: roc-auc needs two classes, got 10");
        let data = DataDir::new("none").load("KARATE", &FeatureRule::default()).expect("a built-in set");
        let task = GraphClassification::new(&data, config).expect("two classes");
        let logits = Tensor::from_slice2(&[[9f32, 8.0], [1.0, 2.0], [7.0, 1.0], [0.0, 0.5]]);
        let targets = Tensor::from_slice(&[0i64, 1, 0, 1]);
        assert_eq!(
            (task.metric(), task.measure(&logits, &targets).expect("both classes")),
            (Metric::RocAuc, 1.0)
        );
    }
}

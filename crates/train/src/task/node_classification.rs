//! The class of every node of one graph.

use coarsen_eval::{Metric, Protocol, Split, metric};
use coarsen_graph::{Dataset, Topology};
use coarsen_model::Needs;
use coarsen_nn::{ConfigError, Dims, Params};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::error::RunError;
use crate::task::head::{self, Layers, widths};
use crate::task::one_graph::{OneGraph, Rows};
use crate::task::{Batch, Head, Of, Order, Task, measure};

/// The head of node classification, by default one linear layer, and what is done to the features.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeClassificationConfig {
    /// Widths between the layers: a number, a list of numbers, or `null` for one layer only.
    #[serde(with = "widths")]
    pub hidden: Vec<u32>,
    /// Dropout behind the first hidden layer's ReLU, or before the only layer.
    pub dropout: f64,
    /// What is done to the features of each node.
    pub rows: Rows,
}

impl NodeClassificationConfig {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        head::check("node-classification", &self.hidden, self.dropout)
    }
}

/// Node classification on one graph: cross-entropy of the training nodes, accuracy.
///
/// The samples are the nodes. Every step passes the whole graph and looks at the rows of the training nodes; the other nodes send
/// messages, and nothing reads their classes.
pub struct NodeClassification {
    graph: OneGraph,
    config: NodeClassificationConfig,
    classes: u32,
    labels: Vec<u32>,
}

impl NodeClassification {
    /// The task on this data set.
    ///
    /// # Errors
    ///
    /// When it has not one graph, its nodes have no classes, fewer than two, or no features.
    pub fn new(data: &dyn Dataset, config: NodeClassificationConfig) -> Result<Self, RunError> {
        let info = data.info();
        let fail = |rule, got| Err(RunError::Data { dataset: info.name.clone(), rule, got });
        let graph = OneGraph::of(data, config.rows)?;
        let Some(labels) = data.sample(0).node_class else {
            return fail("every node needs a class", "none".to_owned());
        };
        if info.classes < 2 {
            return fail("classification needs at least two classes", info.classes.to_string());
        }
        Ok(Self { graph, config, classes: info.classes, labels: labels.to_vec() })
    }
}

impl Task for NodeClassification {
    fn metric(&self) -> Metric {
        Metric::Accuracy
    }

    fn of(&self) -> Of {
        Of::Nodes
    }

    fn dims(&self) -> Dims {
        self.graph.dims(self.classes)
    }

    fn splits(&self, protocol: &Protocol, seed: u64) -> Result<Vec<Split>, RunError> {
        let hold = |order: &[usize], count: usize| order[..count].to_vec();
        Ok(protocol.held_out(self.labels.len(), seed, hold)?)
    }

    fn blind(&self, split: &Split) -> Result<f64, RunError> {
        Ok(metric::majority(&self.labels, split)?)
    }

    fn head(&self, params: &Params, width: i64) -> Box<dyn Head> {
        let NodeClassificationConfig { hidden, dropout, .. } = &self.config;
        let widths = (width, i64::from(self.classes));
        Box::new(Layers::new(params, widths, (hidden, *dropout), Tensor::cross_entropy_for_logits))
    }

    /// One batch: the order of the nodes of one graph is nothing to learn from.
    fn cut(&self, index: &[usize], _: Order, _: &Needs) -> Vec<Vec<Vec<usize>>> {
        vec![vec![index.to_vec()]]
    }

    fn graphs(&self, _: &[usize]) -> Vec<(usize, Topology<'_>)> {
        vec![(0, self.graph.sample(0).topology)]
    }

    fn batch(&self, samples: &[usize], cluster: u64, needs: &Needs, device: Device) -> Batch {
        let nodes: Vec<i64> = samples.iter().map(|&node| node as i64).collect();
        let classes: Vec<i64> = samples.iter().map(|&node| self.labels[node].into()).collect();
        Batch {
            level: self.graph.level(needs, cluster, device),
            target: Tensor::from_slice(&classes).to_device(device),
            at: Some(Tensor::from_slice(&nodes).to_device(device)),
            reconstruction: None,
        }
    }

    fn measure(&self, predictions: &Tensor, targets: &Tensor) -> Result<f64, RunError> {
        measure::accuracy(predictions, targets)
    }
}

//! Tasks: what is predicted, from which samples, and how well.

mod graph_classification;
mod graph_regression;
mod head;
mod link_prediction;
mod measure;
mod negatives;
mod node_classification;
mod one_graph;
mod reconstruction;

use std::fmt::Debug;

use coarsen_eval::{Metric, Protocol, Split};
use coarsen_graph::{Dataset, Topology};
use coarsen_model::{Needs, Output};
use coarsen_nn::{ConfigError, Ctx, Dims, Params};
use coarsen_tensor::Level;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::error::RunError;
pub use graph_classification::{ClassMetric, GraphClassification, GraphClassificationConfig};
pub use graph_regression::{GraphRegression, GraphRegressionConfig};
pub use link_prediction::{LinkPrediction, LinkPredictionConfig, Removal};
pub use negatives::non_edges;
pub use node_classification::{NodeClassification, NodeClassificationConfig};
pub use one_graph::Rows;
pub use reconstruction::Reconstruction;

/// A task by name, as in `{"kind": "graph-classification"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TaskConfig {
    /// The class of every graph.
    GraphClassification(GraphClassificationConfig),
    /// A real number of every graph.
    GraphRegression(GraphRegressionConfig),
    /// The class of every node of one graph.
    NodeClassification(NodeClassificationConfig),
    /// Whether two nodes of one graph are joined.
    LinkPrediction(LinkPredictionConfig),
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self::GraphClassification(GraphClassificationConfig::default())
    }
}

/// What is measured on some batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The task's metric.
    pub metric: f64,
    /// Mean of the task's loss over the samples.
    pub loss: f64,
}

/// Some graphs as the network needs them, and what is to be predicted of them.
#[derive(Debug)]
pub struct Batch {
    /// The graphs.
    pub level: Level,
    /// What is to be predicted, in the shape the head's loss expects.
    pub target: Tensor,
    /// The nodes that are asked about, `[n]`, or the pairs of them, `[2, n]`; `None`: all graphs.
    pub at: Option<Tensor>,
    /// The edges to be reconstructed, where that is a part of the loss.
    pub reconstruction: Option<Reconstruction>,
}

impl Batch {
    /// How many samples.
    pub(crate) fn samples(&self) -> i64 {
        self.target.size()[0]
    }
}

/// In what order samples come, and how many at a time.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Shuffled by this seed; `None`: as they are.
    pub shuffle: Option<u64>,
    /// Seeds the samples that a training epoch draws for itself, as pairs of nodes that are not joined; `None`: there are none.
    pub fresh: Option<u64>,
    /// Samples per batch.
    pub batch: usize,
    /// Parts a batch is handed over in, from 1.
    pub parts: usize,
}

/// What of a network the predictions are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Its row per graph, or its logits.
    Graphs,
    /// Its row per node of one graph, which is passed whole in every step: what is predicted of nodes and edges.
    Nodes,
}

/// A task owns data, splits, head, loss and metric; a model gives representations.
pub trait Task: Sync {
    /// What is measured.
    fn metric(&self) -> Metric;

    /// What the predictions are made of.
    fn of(&self) -> Of {
        Of::Graphs
    }

    /// What a network must know of the data before it exists.
    fn dims(&self) -> Dims;

    /// The splits of a protocol.
    ///
    /// # Errors
    ///
    /// When the data set is too small for it.
    fn splits(&self, protocol: &Protocol, seed: u64) -> Result<Vec<Split>, RunError>;

    /// The task as a split leaves it, where that hides a part of the graph itself; `None`: it is the same for all splits.
    fn on_split(&self, _: &Split) -> Option<Box<dyn Task + '_>> {
        None
    }

    /// The metric, on the test samples of a split, of the best answer that does not look at the sample.
    ///
    /// # Errors
    ///
    /// When the split has no samples.
    fn blind(&self, split: &Split) -> Result<f64, RunError>;

    /// What turns representations of this width into predictions.
    fn head(&self, params: &Params, width: i64) -> Box<dyn Head>;

    /// The samples of `index` by batches, each in [`Order::parts`] parts, or in one where it has not as many samples.
    fn cut(&self, index: &[usize], order: Order, needs: &Needs) -> Vec<Vec<Vec<usize>>>;

    /// The graphs that these samples are passed as, each with its number: the same wherever the graph stands.
    fn graphs(&self, samples: &[usize]) -> Vec<(usize, Topology<'_>)>;

    /// These samples as one batch; `cluster` seeds host clustering.
    fn batch(&self, samples: &[usize], cluster: u64, needs: &Needs, device: Device) -> Batch;

    /// The metric of predictions `[n, outputs]` for targets, all batches stacked.
    ///
    /// # Errors
    ///
    /// When there is nothing to measure.
    fn measure(&self, predictions: &Tensor, targets: &Tensor) -> Result<f64, RunError>;
}

/// Turns what a network gives into predictions and their loss.
pub trait Head: Debug + Send {
    /// A row for each sample of a batch, which asks [`at`](Batch::at) these nodes or pairs; the network's own logits where it has a head
    /// of its own for graphs.
    fn predict(&self, out: &Output, at: Option<&Tensor>, ctx: Ctx) -> Tensor;

    /// Mean loss over the batch, a scalar.
    fn loss(&self, predictions: &Tensor, targets: &Tensor) -> Tensor;
}

impl TaskConfig {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::GraphClassification(config) => config.check(),
            Self::GraphRegression(config) => config.check(),
            Self::NodeClassification(config) => config.check(),
            Self::LinkPrediction(_) => Ok(()),
        }
    }

    /// What is measured.
    pub fn metric(&self) -> Metric {
        match self {
            Self::GraphClassification(config) => config.metric.metric(),
            Self::GraphRegression(_) => Metric::Mae,
            Self::NodeClassification(_) => Metric::Accuracy,
            Self::LinkPrediction(_) => Metric::RocAuc,
        }
    }

    /// The task on this data set.
    ///
    /// # Errors
    ///
    /// When the data set does not fit the task.
    pub fn on<'a>(&self, data: &'a dyn Dataset) -> Result<Box<dyn Task + 'a>, RunError> {
        Ok(match self {
            Self::GraphClassification(config) => Box::new(GraphClassification::new(data, config.clone())?),
            Self::GraphRegression(config) => Box::new(GraphRegression::new(data, config.clone())?),
            Self::NodeClassification(config) => Box::new(NodeClassification::new(data, config.clone())?),
            Self::LinkPrediction(config) => Box::new(LinkPrediction::new(data, *config)?),
        })
    }
}

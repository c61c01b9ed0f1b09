//! Tasks: what is predicted, from which samples, and how well.

mod graph_classification;

use std::fmt::Debug;

use coarsen_eval::{Metric, Protocol, Split};
use coarsen_graph::Dataset;
use coarsen_model::{Needs, Output};
use coarsen_nn::{ConfigError, Ctx, Dims, Params};
use coarsen_tensor::Level;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::error::RunError;
pub use graph_classification::{GraphClassification, GraphClassificationConfig};

/// A task by name, as in `{"kind": "graph-classification"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TaskConfig {
    /// The class of every graph.
    GraphClassification(GraphClassificationConfig),
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
    /// Samples per batch.
    pub batch: usize,
    /// Parts a batch is handed over in, from 1.
    pub parts: usize,
}

/// A task owns data, splits, head, loss and metric; a model gives representations.
pub trait Task: Sync {
    /// What is measured.
    fn metric(&self) -> Metric;

    /// What a network must know of the data before it exists.
    fn dims(&self) -> Dims;

    /// The splits of a protocol.
    ///
    /// # Errors
    ///
    /// When the data set is too small for it.
    fn splits(&self, protocol: &Protocol, seed: u64) -> Result<Vec<Split>, RunError>;

    /// What turns representations of this width into predictions.
    fn head(&self, params: &Params, width: i64) -> Box<dyn Head>;

    /// The samples of `index` by batches, each in [`Order::parts`] parts, or in one where it has not as many samples.
    fn cut(&self, index: &[usize], order: Order, needs: &Needs) -> Vec<Vec<Vec<usize>>>;

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
    /// `[B, outputs]`; the network's own logits where it has a head of its own.
    fn predict(&self, out: &Output, ctx: Ctx) -> Tensor;

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
        let Self::GraphClassification(config) = self;
        config.check()
    }

    /// The task on this data set.
    ///
    /// # Errors
    ///
    /// When the data set does not fit the task.
    pub fn on<'a>(&self, data: &'a dyn Dataset) -> Result<Box<dyn Task + 'a>, RunError> {
        let Self::GraphClassification(config) = self;
        Ok(Box::new(GraphClassification::new(data, config.clone())?))
    }
}

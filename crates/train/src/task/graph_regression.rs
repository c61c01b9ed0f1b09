//! A real number of every graph.

use coarsen_eval::{Metric, Protocol, Split};
use coarsen_graph::{Dataset, Target, Topology};
use coarsen_model::Needs;
use coarsen_nn::{ConfigError, Dims, Params};
use serde::{Deserialize, Serialize};
use tch::{Device, Reduction, Tensor};

use crate::error::RunError;
use crate::loader;
use crate::task::graph_classification::{dims, featured};
use crate::task::head::{self, Layers, widths};
use crate::task::{Batch, Head, Order, Task, measure};

/// The head of graph regression: `Linear – ReLU – dropout – Linear`, with as many hidden layers as asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphRegressionConfig {
    /// Widths between the layers: a number, a list of numbers, or `null` for one layer only.
    #[serde(with = "widths")]
    pub hidden: Vec<u32>,
    /// Dropout behind the first hidden layer's ReLU, or before the only layer.
    pub dropout: f64,
}

impl Default for GraphRegressionConfig {
    /// 50, as graph classification; no dropout.
    fn default() -> Self {
        Self { hidden: vec![50], dropout: 0.0 }
    }
}

impl GraphRegressionConfig {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        head::check("graph-regression", &self.hidden, self.dropout)
    }
}

/// Graph regression on one data set: the mean absolute error is loss and metric.
pub struct GraphRegression<'a> {
    data: &'a dyn Dataset,
    config: GraphRegressionConfig,
    values: Vec<f32>,
}

impl<'a> GraphRegression<'a> {
    /// The task on this data set.
    ///
    /// # Errors
    ///
    /// When a sample has no real target, or the nodes have no features.
    pub fn new(data: &'a dyn Dataset, config: GraphRegressionConfig) -> Result<Self, RunError> {
        featured(data.info())?;
        let value = |i| match data.sample(i).y {
            Target::Real(value) => Ok(value),
            other @ Target::Class(_) => Err(RunError::Data {
                dataset: data.info().name.clone(),
                rule: "every sample needs a real target",
                got: format!("{other:?} of sample {i}"),
            }),
        };
        let values = (0..data.len()).map(value).collect::<Result<_, _>>()?;
        Ok(Self { data, config, values })
    }
}

impl Task for GraphRegression<'_> {
    fn metric(&self) -> Metric {
        Metric::Mae
    }

    fn dims(&self) -> Dims {
        dims(self.data, 1)
    }

    fn splits(&self, protocol: &Protocol, seed: u64) -> Result<Vec<Split>, RunError> {
        Ok(protocol.splits(&vec![0; self.values.len()], seed)?)
    }

    fn blind(&self, split: &Split) -> Result<f64, RunError> {
        measure::median_mae(&self.values, split)
    }

    fn head(&self, params: &Params, width: i64) -> Box<dyn Head> {
        let GraphRegressionConfig { hidden, dropout } = &self.config;
        let loss = |predictions: &Tensor, targets: &Tensor| {
            predictions.reshape(-1).l1_loss(targets, Reduction::Mean)
        };
        Box::new(Layers::new(params, (width, 1), (hidden, *dropout), loss))
    }

    fn cut(&self, index: &[usize], order: Order, needs: &Needs) -> Vec<Vec<Vec<usize>>> {
        loader::batches(self.data, index, order, needs)
    }

    fn graphs(&self, samples: &[usize]) -> Vec<(usize, Topology<'_>)> {
        samples.iter().map(|&sample| (sample, self.data.sample(sample).topology)).collect()
    }

    fn batch(&self, samples: &[usize], cluster: u64, needs: &Needs, device: Device) -> Batch {
        let values: Vec<f32> = samples.iter().map(|&sample| self.values[sample]).collect();
        Batch {
            level: loader::level(self.data, samples, needs, cluster, device),
            target: Tensor::from_slice(&values).to_device(device),
            at: None,
            reconstruction: None,
        }
    }

    fn measure(&self, predictions: &Tensor, targets: &Tensor) -> Result<f64, RunError> {
        measure::mae(predictions, targets)
    }
}

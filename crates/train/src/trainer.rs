//! One run: a network from its initial parameters to its curves.

use std::collections::BTreeMap;
use std::time::Instant;

use coarsen_eval::{Curves, Split};
use coarsen_model::Model;
use coarsen_nn::{ConfigError, Params};
use serde_json::Value;
use tch::nn;
use tch::{Device, Tensor, no_grad};

use crate::config::{Optimizer, TrainConfig};
use crate::early_stop::EarlyStop;
use crate::error::RunError;
use crate::observer::EpochScores;
use crate::schedule::Rate;
use crate::seed::Streams;
use crate::step::Stepper;
use crate::task::{Head, Of, Score, Task};

/// A network with its head and parameters, trained by [`fit`] or used for prediction.
#[derive(Debug)]
pub struct Trained {
    /// Owns the parameters.
    pub vars: nn::VarStore,
    /// The network.
    pub model: Box<dyn Model>,
    /// The task's head; a network that gives logits of its own leaves it as it was made.
    pub head: Box<dyn Head>,
    /// What the network was made by.
    config: Value,
    /// And the seed of its parameters.
    seed: u64,
}

impl Trained {
    /// A network with its initial parameters.
    ///
    /// # Errors
    ///
    /// When the configuration is not one of a row of `coarsen_model::MODELS`, or the task is about nodes and the network gives no row
    /// per node.
    pub fn new(model: &Value, task: &dyn Task, seed: u64, device: Device) -> Result<Self, RunError> {
        let vars = nn::VarStore::new(device);
        let params = Params::new(&vars.root(), seed);
        let config = model.clone();
        let model = coarsen_model::model(model, &params.sub("model"), &task.dims())?;
        let width = match (task.of(), model.node_features()) {
            (Of::Graphs, _) => model.out_features(),
            (Of::Nodes, Some(width)) => width,
            (Of::Nodes, None) => {
                let rule = "a network that gives a row per node, as `flat` or `graph-unet`";
                return Err(ConfigError::value("model", "kind", rule, &config["kind"]).into());
            }
        };
        let head = task.head(&params.sub("head"), width);
        Ok(Self { vars, model, head, config, seed })
    }

    /// Whether the network gives what the training looks at beside the task.
    pub(crate) fn fits(&self, config: &TrainConfig) -> Result<(), ConfigError> {
        let fits = config.reconstruction <= 0.0 || self.model.node_features().is_some();
        let rule = "0 of a network that gives no row per node";
        ConfigError::require(fits, "train", "reconstruction", rule, config.reconstruction)
    }

    /// The same network over the same parameters, for another thread: gradients are its own.
    pub(crate) fn replica(&self, task: &dyn Task) -> Result<Self, RunError> {
        let replica = Self::new(&self.config, task, self.seed, self.vars.device())?;
        let of_replica = replica.vars.variables();
        for (name, variable) in self.vars.variables() {
            let mut same = of_replica.get(&name).expect("made by the same configuration").shallow_clone();
            same.set_data(&variable.detach());
        }
        Ok(replica)
    }

    /// What is trained, in the order of the names.
    pub(crate) fn parameters(&self) -> Vec<Tensor> {
        let named: BTreeMap<String, Tensor> = self.vars.variables().into_iter().collect();
        named.into_values().filter(Tensor::requires_grad).collect()
    }

    /// The task's metric and loss of predictions and their targets, batch by batch.
    pub(crate) fn score(
        &self,
        task: &dyn Task,
        batches: impl Iterator<Item = (Tensor, Tensor)>,
    ) -> Result<Score, RunError> {
        let (predictions, targets): (Vec<_>, Vec<_>) = batches.unzip();
        let (predictions, targets) = (Tensor::cat(&predictions, 0), Tensor::cat(&targets, 0));
        let loss = no_grad(|| self.head.loss(&predictions, &targets)).double_value(&[]);
        Ok(Score { metric: task.measure(&predictions, &targets)?, loss })
    }
}

/// What one run computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compute {
    /// Holds the tensors.
    pub device: Device,
    /// LibTorch's threads. With two or more, parts of a batch are computed side by side; see [`Stepper`].
    pub threads: usize,
}

/// Trains a fresh network on one split. All curves are logged in every epoch; nothing reads the test curve here.
///
/// `each_epoch` gets the epoch, counted from 1, and what was measured in it; training ends when it answers `false`.
///
/// # Errors
///
/// [`RunError::Diverged`] when the loss is no finite number, [`RunError::Interrupted`] when `each_epoch` says so, or what
/// making the network gives.
pub fn fit(
    model: &Value,
    config: &TrainConfig,
    task: &dyn Task,
    split: &Split,
    streams: Streams,
    compute: Compute,
    each_epoch: &mut dyn FnMut(u32, &EpochScores, &Trained) -> bool,
) -> Result<Curves, RunError> {
    let own = task.on_split(split);
    let task = own.as_deref().unwrap_or(task);
    let trained = Trained::new(model, task, streams.init(), compute.device)?;
    let mut stepper = Stepper::new(&trained, task, config, streams, compute.threads)?;
    let Optimizer::Adam { lr, .. } = config.optimizer;
    let mut rate = Rate::new(config.schedule, lr, task.metric());
    let mut stop = EarlyStop::new(task.metric(), config.patience);
    let mut curves = Curves::default();
    for epoch in 1..=config.epochs {
        let started = Instant::now();
        let train = stepper.epoch(epoch, &split.train)?.score;
        if !train.loss.is_finite() {
            return Err(RunError::Diverged { epoch, loss: train.loss });
        }
        let [valid, test] = stepper.scores([&split.valid, &split.test])?;
        curves.train_loss.push(train.loss);
        curves.train.push(train.metric);
        curves.valid_loss.push(valid.loss);
        curves.valid.push(valid.metric);
        curves.test.push(test.metric);
        let scores = EpochScores {
            loss: train.loss,
            train: train.metric,
            valid: valid.metric,
            test: test.metric,
            seconds: started.elapsed().as_secs_f64(),
        };
        if !each_epoch(epoch, &scores, &trained) {
            return Err(RunError::Interrupted);
        }
        if stop.stops_after(valid.metric) {
            break;
        }
        stepper.set_rate(rate.after(valid.metric));
    }
    Ok(curves)
}

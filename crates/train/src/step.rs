//! An epoch of training, step by step: what [`fit`](crate::fit) repeats, and what a benchmark times.

use std::time::Instant;

use coarsen_model::{Needs, Schedule};
use coarsen_nn::Ctx;
use tch::{Kind, Tensor};

use crate::ahead::ahead;
use crate::config::{Optimizer, TrainConfig};
use crate::error::RunError;
use crate::groups::{Groups, Objective};
use crate::seed::Streams;
use crate::task::{Batch, Order, Score, Task};
use crate::trainer::Trained;

/// Wall-clock seconds of the parts of an epoch. What is measured of the epoch as a whole is in none of them.
///
/// A CUDA device computes behind the program: there only the time of whole epochs means something.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Parts {
    /// Waiting for the next batch: collation, host plans, the way to the device.
    pub loader: f64,
    /// Network, head and losses.
    pub forward: f64,
    /// Gradients.
    pub backward: f64,
    /// Clipping, and the optimiser's step.
    pub optimizer: f64,
}

/// An epoch that was trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Metric of the passes that trained, and the mean loss with its auxiliaries.
    pub score: Score,
    /// Where the time went.
    pub parts: Parts,
    /// Steps.
    pub steps: u32,
}

/// Trains a network epoch by epoch.
///
/// # Examples
///
/// ```
/// use coarsen_graph::{DataDir, Dataset};
/// use coarsen_train::{Stepper, Streams, TaskConfig, TrainConfig, Trained};
/// use serde_json::json;
/// use tch::Device;
///
/// let data = DataDir::new("data").load("COMMUNITIES", &Default::default())?;
/// let (task, streams) = (TaskConfig::default().on(&data)?, Streams::new(0, 0));
/// let trained = Trained::new(&json!({"kind": "gin", "hidden": 8}), task.as_ref(), streams.init(), Device::Cpu)?;
/// let mut stepper = Stepper::new(&trained, task.as_ref(), &TrainConfig::default(), streams);
/// let epoch = stepper.epoch(1, &(0..100).collect::<Vec<_>>())?;
/// assert_eq!(epoch.steps, 2);
/// assert!(epoch.score.loss.is_finite() && epoch.parts.forward > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stepper<'a> {
    trained: &'a Trained,
    task: &'a dyn Task,
    needs: Needs,
    streams: Streams,
    batch: usize,
    schedule: Schedule,
    groups: Groups,
    lr: f64,
    clip_norm: Option<f64>,
    count: u64,
}

impl<'a> Stepper<'a> {
    /// Before the first step.
    pub fn new(trained: &'a Trained, task: &'a dyn Task, config: &TrainConfig, streams: Streams) -> Self {
        let Optimizer::Adam { lr, weight_decay } = config.optimizer;
        let schedule = trained.model.schedule();
        Self {
            trained,
            task,
            needs: trained.model.needs(),
            streams,
            batch: config.batch as usize,
            schedule,
            groups: Groups::new(&trained.vars, schedule, weight_decay, lr),
            lr,
            clip_norm: config.clip_norm,
            count: 0,
        }
    }

    /// Another learning rate from now on.
    pub fn set_rate(&mut self, lr: f64) {
        self.lr = lr;
    }

    /// Trains epoch `epoch`, counted from 1, on the samples of `index` in an order of its own.
    ///
    /// Where the network's schedule gives the epoch to an auxiliary loss, its loss is that, and its only step comes at the end.
    ///
    /// # Errors
    ///
    /// When LibTorch fails, or `index` is empty.
    pub fn epoch(&mut self, epoch: u32, index: &[usize]) -> Result<Epoch, RunError> {
        let streams = self.streams;
        let shuffle = Some(streams.shuffle(epoch));
        let order = Order { shuffle, cluster: streams.cluster(epoch), batch: self.batch };
        let (task, needs, device) = (self.task, self.needs.clone(), self.trained.vars.device());
        ahead(
            || task.batches(index, order, &needs, device),
            |batches| self.steps(batches, Objective::of(self.schedule, epoch), index.len()),
        )
    }

    fn steps(
        &mut self,
        batches: &mut dyn Iterator<Item = Batch>,
        objective: Objective,
        samples: usize,
    ) -> Result<Epoch, RunError> {
        let whole_epoch = matches!(objective, Objective::Only(_));
        let (mut predictions, mut targets, mut losses) = (Vec::new(), Vec::new(), Vec::new());
        let (mut parts, mut now) = (Parts::default(), Instant::now());
        for batch in batches {
            now = lap(&mut parts.loader, now);
            let ctx = Ctx::train(self.streams.dropout(self.count));
            let out = self.trained.model.forward(&batch.level, ctx.child(0));
            let prediction = self.trained.head.predict(&out, ctx.child(1));
            let loss = objective.loss(self.trained.head.loss(&prediction, &batch.target), &out);
            now = lap(&mut parts.forward, now);
            loss.f_backward()?;
            now = lap(&mut parts.backward, now);
            if !whole_epoch {
                self.groups.step(objective, self.lr, self.clip_norm)?;
            }
            self.count += 1;
            losses.push(loss.detach() * batch.target.size()[0] as f64);
            predictions.push(prediction.detach());
            targets.push(batch.target);
            now = lap(&mut parts.optimizer, now);
        }
        now = lap(&mut parts.loader, now);
        if whole_epoch {
            self.groups.step(objective, self.lr, self.clip_norm)?;
            lap(&mut parts.optimizer, now);
        }
        let steps = if whole_epoch { 1 } else { losses.len() as u32 };
        // The losses are read here, once: a device need not wait for the host within the epoch.
        let total = Tensor::stack(&losses, 0).sum(Kind::Double).double_value(&[]);
        let metric = self.task.measure(&Tensor::cat(&predictions, 0), &Tensor::cat(&targets, 0))?;
        Ok(Epoch { score: Score { metric, loss: total / samples as f64 }, parts, steps })
    }

    /// Hands the samples of `index` over in their order, batch by batch, with the same random choices of the host every time.
    pub fn fixed<R>(&self, index: &[usize], consume: impl FnOnce(&mut dyn Iterator<Item = Batch>) -> R) -> R {
        let order = Order { shuffle: None, cluster: self.streams.cluster_eval(), batch: self.batch };
        let (task, needs, device) = (self.task, &self.needs, self.trained.vars.device());
        ahead(|| task.batches(index, order, needs, device), consume)
    }

    /// The task's metric and loss on the samples of `index`, in evaluation mode.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn score(&self, index: &[usize]) -> Result<Score, RunError> {
        self.fixed(index, |batches| self.trained.score(self.task, batches))
    }
}

/// Adds the time since `from` to a part; the time now.
fn lap(part: &mut f64, from: Instant) -> Instant {
    let now = Instant::now();
    *part += (now - from).as_secs_f64();
    now
}

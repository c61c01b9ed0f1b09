//! An epoch of training, step by step: what [`fit`](crate::fit) repeats, and what a benchmark times.

use std::iter::from_fn;
use std::time::Instant;

use coarsen_model::{Needs, Schedule};
use coarsen_nn::Ctx;
use tch::{Device, Kind, Tensor};

use crate::ahead::ahead;
use crate::config::{Optimizer, TrainConfig};
use crate::error::RunError;
use crate::groups::{Groups, Objective};
use crate::replicas::{Passed, Replicas, Work, pass};
use crate::seed::Streams;
use crate::task::{Batch, Of, Order, Score, Task};
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

/// Parts a batch is cut into at most. More than two have not been measured.
const MOST_PARTS: usize = 2;

/// Trains a network epoch by epoch.
///
/// With two LibTorch threads or more on a CPU, each batch of a network that [divides](coarsen_model::Model::divides) is computed in two parts,
/// each by a thread of its own: the step is that of the whole batch up to rounding, and to the random numbers of dropout, of
/// which each part draws its own. So numbers repeat bit for bit where the number of threads is the same.
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
/// let mut stepper = Stepper::new(&trained, task.as_ref(), &TrainConfig::default(), streams, 1)?;
/// let epoch = stepper.epoch(1, &(0..100).collect::<Vec<_>>())?;
/// assert_eq!(epoch.steps, 2);
/// assert!(epoch.score.loss.is_finite() && epoch.parts.forward > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stepper<'a> {
    trained: &'a Trained,
    task: &'a dyn Task,
    needs: Needs,
    batch: usize,
    reconstruction: f64,
    threads: i32,
    replicas: Replicas,
    learner: Learner<'a>,
}

impl<'a> Stepper<'a> {
    /// Before the first step; `threads` are LibTorch's.
    ///
    /// # Errors
    ///
    /// What [`Trained::new`] gives: a network that divides is made once for every part; when the edges are to be reconstructed, and the
    /// network gives no row per node.
    pub fn new(
        trained: &'a Trained,
        task: &'a dyn Task,
        config: &TrainConfig,
        streams: Streams,
        threads: usize,
    ) -> Result<Self, RunError> {
        trained.fits(config)?;
        let Optimizer::Adam { lr, weight_decay } = config.optimizer;
        let divides =
            trained.model.divides() && trained.vars.device() == Device::Cpu && task.of() == Of::Graphs;
        let schedule = trained.model.schedule();
        let parts = if divides { threads.clamp(1, MOST_PARTS) } else { 1 };
        Ok(Self {
            trained,
            task,
            needs: trained.model.needs(),
            batch: config.batch as usize,
            reconstruction: config.reconstruction,
            threads: threads.max(1) as i32,
            replicas: Replicas::of(trained, task, parts)?,
            learner: Learner {
                task,
                streams,
                schedule,
                groups: Groups::new(trained, schedule, weight_decay, lr),
                lr,
                clip_norm: config.clip_norm,
                passes: 0,
            },
        })
    }

    /// Another learning rate from now on.
    pub fn set_rate(&mut self, lr: f64) {
        self.learner.lr = lr;
    }

    /// Trains epoch `epoch`, counted from 1, on the samples of `index` in an order of its own.
    ///
    /// Where the network's schedule gives the epoch to an auxiliary loss, its loss is that, and its only step comes at the end.
    ///
    /// # Errors
    ///
    /// When LibTorch fails, or `index` is empty.
    pub fn epoch(&mut self, epoch: u32, index: &[usize]) -> Result<Epoch, RunError> {
        let streams = self.learner.streams;
        let drawn = Drawn {
            shuffle: Some(streams.shuffle(epoch)),
            fresh: Some(streams.negatives(epoch)),
            cluster: streams.cluster(epoch),
        };
        self.passes(index, drawn, |learner, pass| {
            let objective = Objective::of(learner.schedule, epoch);
            learner.epoch(objective, pass)
        })
    }

    /// The task's metric and loss on the samples of `index`, in evaluation mode.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn score(&mut self, index: &[usize]) -> Result<Score, RunError> {
        let (trained, task) = (self.trained, self.task);
        // The loss is made where the parts are: threads of LibTorch that made it would keep a core for milliseconds after.
        self.passes(index, self.fixed_draw(), |_, pass| {
            let passed: Vec<_> = from_fn(|| pass((Objective::Joint, Ctx::eval()), &mut Parts::default()))
                .collect::<Result<_, _>>()?;
            trained.score(task, passed.into_iter().flatten().map(|part| (part.predictions, part.targets)))
        })
    }

    /// [`score`](Self::score) of several parts of the samples. Of one graph, which is passed whole, they need one pass.
    ///
    /// # Errors
    ///
    /// When a part has no samples.
    pub fn scores<const N: usize>(&mut self, parts: [&[usize]; N]) -> Result<[Score; N], RunError> {
        let mut scores = [Score { metric: f64::NAN, loss: f64::NAN }; N];
        if self.task.of() == Of::Graphs {
            for (score, part) in scores.iter_mut().zip(parts) {
                *score = self.score(part)?;
            }
            return Ok(scores);
        }
        let (trained, task) = (self.trained, self.task);
        self.passes(&parts.concat(), self.fixed_draw(), |_, pass| {
            let passed = pass((Objective::Joint, Ctx::eval()), &mut Parts::default()).expect("one batch")?;
            let whole = passed.first().expect("in one part");
            let mut start = 0;
            for (score, part) in scores.iter_mut().zip(parts) {
                let of = |rows: &Tensor| rows.narrow(0, start, part.len() as i64);
                let one = std::iter::once((of(&whole.predictions), of(&whole.targets)));
                *score = trained.score(task, one)?;
                start += part.len() as i64;
            }
            Ok(scores)
        })
    }

    /// Nothing is drawn anew in evaluation.
    fn fixed_draw(&self) -> Drawn {
        Drawn { shuffle: None, fresh: None, cluster: self.learner.streams.cluster_eval() }
    }

    /// Lets `run` pass the samples of `index` batch by batch, in the order drawn.
    fn passes<R>(
        &mut self,
        index: &[usize],
        Drawn { shuffle, fresh, cluster }: Drawn,
        run: impl FnOnce(&mut Learner, &mut Pass<'_>) -> R,
    ) -> R {
        let Self { trained, task, needs, batch, reconstruction, threads, replicas, learner } = self;
        let (parts, device) = (replicas.parts(), trained.vars.device());
        let batches = task.cut(index, Order { shuffle, fresh, batch: *batch, parts }, needs);
        let (task, needs, weight) = (*task, &*needs, *reconstruction);
        let make = |samples: &[usize]| {
            let batch = task.batch(samples, cluster, needs, device);
            match fresh {
                Some(seed) if weight > 0.0 => batch.reconstructing(&task.graphs(samples), weight, seed),
                _ => batch,
            }
        };
        if parts == 1 {
            tch::set_num_threads(*threads);
            return ahead(
                || batches.iter().map(|parts| make(&parts[0])),
                |batches| {
                    let mut pass = |(objective, ctx), times: &mut Parts| {
                        let batch = timed(&mut times.loader, || batches.next())?;
                        let samples = batch.samples();
                        let work = Work { batch, samples, objective, ctx };
                        Some(pass(trained, work, times).map(|passed| vec![passed]))
                    };
                    run(learner, &mut pass)
                },
            );
        }
        let mut batches = batches.into_iter();
        let result = replicas.run(trained, (*threads / parts as i32).max(1), &make, |team| {
            let mut pass = |aim, times: &mut Parts| Some(team.pass(batches.next()?, aim, times));
            run(learner, &mut pass)
        });
        tch::set_num_threads(*threads);
        result
    }

    /// Hands the samples of `index` over in their order, batch by batch, with the same random choices of the host every time.
    pub fn fixed<R>(&self, index: &[usize], consume: impl FnOnce(&mut dyn Iterator<Item = Batch>) -> R) -> R {
        let order = Order { shuffle: None, fresh: None, batch: self.batch, parts: 1 };
        let batches = self.task.cut(index, order, &self.needs);
        let (task, needs, device) = (self.task, &self.needs, self.trained.vars.device());
        let cluster = self.learner.streams.cluster_eval();
        ahead(|| batches.iter().map(|parts| task.batch(&parts[0], cluster, needs, device)), consume)
    }
}

/// Seeds of what the host draws for the passes of an epoch.
struct Drawn {
    shuffle: Option<u64>,
    fresh: Option<u64>,
    cluster: u64,
}

/// Makes steps of gradients.
struct Learner<'a> {
    task: &'a dyn Task,
    streams: Streams,
    schedule: Schedule,
    groups: Groups,
    lr: f64,
    clip_norm: Option<f64>,
    /// Batches passed so far.
    passes: u64,
}

impl Learner<'_> {
    /// Steps until there is nothing more to pass.
    fn epoch(&mut self, objective: Objective, pass: &mut Pass<'_>) -> Result<Epoch, RunError> {
        let (mut predictions, mut targets, mut losses) = (Vec::new(), Vec::new(), Vec::new());
        let (mut parts, mut steps, mut samples) = (Parts::default(), 0, 0);
        loop {
            let ctx = Ctx::train(self.streams.dropout(self.passes));
            let Some(passed) = pass((objective, ctx), &mut parts) else { break };
            let passed = passed?;
            self.passes += 1;
            if !objective.is_apart() {
                timed(&mut parts.optimizer, || self.groups.step(objective, self.lr, self.clip_norm))?;
                steps += 1;
            }
            let of_batch: i64 = passed.iter().map(|part| part.targets.size()[0]).sum();
            samples += of_batch;
            for part in passed {
                losses.extend(part.loss.map(|loss| loss * of_batch as f64));
                predictions.push(part.predictions);
                targets.push(part.targets);
            }
        }
        if objective.is_apart() {
            timed(&mut parts.optimizer, || self.groups.step(objective, self.lr, self.clip_norm))?;
            steps = 1;
        }
        // The losses are read here, once: a device need not wait for the host within the epoch.
        let total = Tensor::stack(&losses, 0).sum(Kind::Double).double_value(&[]);
        let metric = self.task.measure(&Tensor::cat(&predictions, 0), &Tensor::cat(&targets, 0))?;
        let score = Score { metric, loss: total / samples as f64 };
        Ok(Epoch { score, parts, steps })
    }
}

/// Passes the next batch through the network, if there is one: backwards as well in training, from the losses of the objective.
type Pass<'a> = dyn FnMut((Objective, Ctx), &mut Parts) -> Option<Result<Vec<Passed>, RunError>> + 'a;

/// Adds the time that `work` takes to a part.
pub(crate) fn timed<R>(part: &mut f64, work: impl FnOnce() -> R) -> R {
    let started = Instant::now();
    let result = work();
    *part += started.elapsed().as_secs_f64();
    result
}

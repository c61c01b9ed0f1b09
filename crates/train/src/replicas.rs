//! The parts of a batch, each by a thread with a network of its own over the same parameters.

use std::hint::spin_loop;
use std::iter::from_fn;
use std::sync::mpsc::{Receiver, RecvError, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, Scope};

use coarsen_nn::Ctx;
use coarsen_pool::{Loss, Over};
use coarsen_tensor::{Group, group::all_sum, move_gradients};
use tch::{Tensor, no_grad};

use crate::error::RunError;
use crate::groups::Objective;
use crate::step::{Parts, timed};
use crate::task::{Batch, Task};
use crate::trainer::Trained;

/// How often a thread looks for what is to come before it sleeps: about a millisecond.
const LOOKS: u32 = 20_000;

/// What comes of a part of a batch once its gradients are known.
pub(crate) struct Passed {
    /// `[n, outputs]`.
    pub(crate) predictions: Tensor,
    pub(crate) targets: Tensor,
    /// What this part adds to the loss of the batch, with auxiliaries; in training.
    pub(crate) loss: Option<Tensor>,
}

/// The threads beside the first one.
#[derive(Debug)]
pub(crate) struct Replicas {
    others: Vec<Trained>,
    group: Group,
}

impl Replicas {
    /// So many networks in all, `trained` counted.
    pub(crate) fn of(trained: &Trained, task: &dyn Task, parts: usize) -> Result<Self, RunError> {
        let others = (1..parts).map(|_| trained.replica(task)).collect::<Result<_, _>>()?;
        Ok(Self { others, group: Group::new(parts) })
    }

    /// Parts a batch is cut into.
    pub(crate) fn parts(&self) -> usize {
        1 + self.others.len()
    }

    /// Runs `steps`, for which the threads of the other networks are there, with so many of LibTorch's threads each; `make` makes
    /// a batch of some samples.
    pub(crate) fn run<R>(
        &mut self,
        first: &Trained,
        threads: i32,
        make: &Make,
        steps: impl FnOnce(&Team) -> R,
    ) -> R {
        let Self { others, group } = self;
        let shared = Shared { group, threads, make };
        let shared = &shared;
        // LibTorch knows a number for each thread.
        tch::set_num_threads(threads);
        thread::scope(|scope| {
            let workers =
                others.iter_mut().zip(1..).map(|(other, rank)| Worker::new(scope, other, rank, shared));
            steps(&Team { first, workers: workers.collect(), shared })
        })
    }
}

/// What all parts of a batch share.
struct Shared<'a> {
    group: &'a Group,
    threads: i32,
    make: &'a Make<'a>,
}

/// A network with its replicas, each on a thread that waits for work.
pub(crate) struct Team<'a> {
    first: &'a Trained,
    workers: Vec<Worker>,
    shared: &'a Shared<'a>,
}

impl Team<'_> {
    /// Forward and backward over one batch, given by the samples of its parts; the gradients are those of the whole batch, on the first
    /// network.
    pub(crate) fn pass(
        &self,
        parts: Vec<Vec<usize>>,
        (objective, ctx): (Objective, Ctx),
        times: &mut Parts,
    ) -> Result<Vec<Passed>, RunError> {
        let samples = parts.iter().map(Vec::len).sum::<usize>() as i64;
        let mut parts = parts.into_iter();
        let first = parts.next().expect("a batch has a part");
        let mut lead = || {
            let batch = timed(&mut times.loader, || (self.shared.make)(&first));
            pass(self.first, Work { batch, samples, objective, ctx }, times)
        };
        if parts.len() == 0 {
            return Ok(vec![lead()?]);
        }
        for (k, (worker, part)) in self.workers.iter().zip(parts).enumerate() {
            let gone = worker.work.send((part, samples, objective, ctx.child(k as u64))).is_err();
            assert!(!gone, "a part of the batch was given to a thread that has ended");
        }
        let mut passed = vec![self.shared.group.join(0, lead)?];
        for worker in &self.workers {
            let Ok(part) = watched(&worker.done) else {
                panic!(
                    "{}",
                    self.shared.group.failure().unwrap_or_else(|| "a part of the batch was lost".to_owned())
                )
            };
            let (part, parameters) = part?;
            if ctx.train {
                move_gradients(&self.first.parameters(), &parameters)?;
            }
            passed.push(part);
        }
        Ok(passed)
    }
}

/// Makes a batch of some samples.
pub(crate) type Make<'a> = dyn Fn(&[usize]) -> Batch + Sync + 'a;

/// A batch or a part of one, to be passed through a network.
pub(crate) struct Work {
    pub(crate) batch: Batch,
    /// Of the whole batch.
    pub(crate) samples: i64,
    pub(crate) objective: Objective,
    pub(crate) ctx: Ctx,
}

/// What a replica gives: what came of its part, and its parameters with their gradients.
type Done = Result<(Passed, Vec<Tensor>), RunError>;

/// The way to a replica and back.
struct Worker {
    work: SyncSender<(Vec<usize>, i64, Objective, Ctx)>,
    done: Receiver<Done>,
}

impl Worker {
    fn new<'scope>(
        scope: &'scope Scope<'scope, '_>,
        replica: &'scope mut Trained,
        rank: usize,
        shared: &'scope Shared,
    ) -> Self {
        let (work, parts) = sync_channel::<(Vec<usize>, i64, Objective, Ctx)>(1);
        let (report, done) = sync_channel::<Done>(1);
        let Shared { group, threads, make } = shared;
        scope.spawn(move || {
            tch::set_num_threads(*threads);
            for (part, samples, objective, ctx) in from_fn(|| watched(&parts).ok()) {
                let pass = || {
                    pass(replica, Work { batch: make(&part), samples, objective, ctx }, &mut Parts::default())
                };
                let passed = group.join(rank, pass);
                if report.send(passed.map(|passed| (passed, replica.parameters()))).is_err() {
                    break;
                }
            }
        });
        Self { work, done }
    }
}

/// The next thing from another thread, which is about to come: to sleep and be woken takes longer than a small step.
fn watched<T>(from: &Receiver<T>) -> Result<T, RecvError> {
    for _ in 0..LOOKS {
        match from.try_recv() {
            Ok(thing) => return Ok(thing),
            Err(TryRecvError::Empty) => spin_loop(),
            Err(TryRecvError::Disconnected) => return Err(RecvError),
        }
    }
    from.recv()
}

/// Forward over a batch, or over a part of one inside of a [`Group`]; in training, backward too.
pub(crate) fn pass(trained: &Trained, work: Work, times: &mut Parts) -> Result<Passed, RunError> {
    let Work { batch, samples, objective, ctx } = work;
    let predict = || {
        let mut out = trained.model.forward(&batch.level, ctx.child(0));
        let reconstruction = batch.reconstruction.as_ref().map(|pairs| pairs.losses(&out));
        out.losses.extend(reconstruction.into_iter().flatten());
        (trained.head.predict(&out, batch.at.as_ref(), ctx.child(1)), out.losses)
    };
    if !ctx.train {
        let (predictions, _) = no_grad(|| timed(&mut times.forward, predict));
        return Ok(Passed { predictions, targets: batch.target, loss: None });
    }
    let share = batch.samples() as f64 / samples as f64;
    let (predictions, loss) = timed(&mut times.forward, || {
        let (predictions, auxiliaries) = predict();
        let loss = objective.task(trained.head.loss(&predictions, &batch.target));
        (predictions, share_of_loss(loss, share, &objective.auxiliaries(auxiliaries)))
    });
    timed(&mut times.backward, || loss.f_backward())?;
    Ok(Passed { predictions: predictions.detach(), targets: batch.target, loss: Some(loss.detach()) })
}

/// `L + Σ weight · auxiliary` of the batch; of a part, its share in that: means count by what they are means of.
fn share_of_loss(loss: Tensor, share: f64, auxiliaries: &[Loss]) -> Tensor {
    let loss = if share < 1.0 { loss * share } else { loss };
    if auxiliaries.is_empty() {
        return loss;
    }
    let counts: Vec<f64> = auxiliaries.iter().map(|auxiliary| auxiliary.count).collect();
    let totals = all_sum(counts);
    auxiliaries.iter().zip(totals).fold(loss, |sum, (auxiliary, total)| {
        let share = match auxiliary.over {
            Over::Sum => 1.0,
            _ if total > 0.0 => auxiliary.count / total,
            _ => 0.0,
        };
        sum + &auxiliary.value * (auxiliary.weight * share)
    })
}

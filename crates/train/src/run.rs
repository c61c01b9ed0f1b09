//! An experiment becomes a record.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use coarsen_eval::{Environment, Outcome, Protocol, Record, Run, Split};
use coarsen_graph::Dataset;

use crate::error::RunError;
use crate::experiment::{Checked, Experiment};
use crate::observer::{EpochScores, Observer};
use crate::seed::Streams;
use crate::task::{Task, TaskConfig};
use crate::trainer::{Compute, Trained, fit};

/// Where an experiment runs.
#[derive(Debug, Clone)]
pub struct Place {
    /// What each run computes with.
    pub compute: Compute,
    /// Runs trained side by side; the numbers do not depend on how many there are.
    pub workers: usize,
    /// Goes into the record.
    pub environment: Environment,
}

/// Runs what is missing of an experiment.
///
/// Runs that `previous` holds as finished on the same data are kept, failed ones are tried again. `save` is called after every run, so that
/// an end by force loses at most the running ones. A run that diverges or panics is recorded as failed, and the others go on.
///
/// # Errors
///
/// When the experiment does not fit the data, a configuration breaks a rule, a record cannot be saved, or the observer
/// interrupts.
pub fn run(
    experiment: &Checked,
    data: &dyn Dataset,
    place: &Place,
    previous: Option<Record>,
    save: &mut (dyn FnMut(&Record) -> Result<(), RunError> + Send),
    see: &mut (dyn Observer + Send),
) -> Result<Record, RunError> {
    let plan = experiment.experiment();
    let task = plan.task.on(data)?;
    let splits = task.splits(&plan.protocol, plan.seed)?;
    // A configuration that is none must stop everything, not fail run by run.
    Trained::new(&plan.model, task.as_ref(), 0, place.compute.device)?.fits(&plan.train)?;
    let runs = splits.len() as u32;
    let mut record =
        Record::new(experiment.explicit().clone(), task.metric(), runs, place.environment.clone())
            .on_data(&data.info().content_hash);
    let previous = previous.filter(|previous| previous.data == record.data);
    for finished in previous.into_iter().flat_map(|previous| previous.runs) {
        if matches!(finished.outcome, Outcome::Done { .. }) && finished.index < runs {
            record.put(finished);
        }
    }
    let missing: Vec<&Split> = splits.iter().filter(|split| record.run(split.index).is_none()).collect();
    let shared = Shared { see: Mutex::new(see), kept: Mutex::new((record, save)), next: AtomicUsize::new(0) };
    let work = || -> Result<(), RunError> {
        while let Some(split) = missing.get(shared.next.fetch_add(1, Ordering::Relaxed)) {
            one(plan, task.as_ref(), split, runs, place.compute, &shared).inspect_err(|_| {
                // What has not begun does not begin.
                shared.next.store(missing.len(), Ordering::Relaxed);
            })?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers = place.workers.clamp(1, missing.len().max(1));
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ends: Vec<_> =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|p| resume_unwind(p))).collect();
        ends.into_iter().collect::<Result<(), RunError>>()
    })?;
    Ok(shared.kept.into_inner().unwrap_or_else(PoisonError::into_inner).0)
}

/// What the workers share: who watches, what is kept, and which run is next.
struct Shared<'a> {
    see: Mutex<&'a mut (dyn Observer + Send)>,
    #[allow(clippy::type_complexity)] // a record and what saves it
    kept: Mutex<(Record, &'a mut (dyn FnMut(&Record) -> Result<(), RunError> + Send))>,
    next: AtomicUsize,
}

fn one(
    plan: &Experiment,
    task: &dyn Task,
    split: &Split,
    runs: u32,
    compute: Compute,
    shared: &Shared,
) -> Result<(), RunError> {
    locked(&shared.see).run_started(split.index, runs, plan.train.epochs);
    let started = Instant::now();
    let mut each_epoch = |epoch: u32, scores: &EpochScores, _: &Trained| {
        let mut see = locked(&shared.see);
        see.epoch(split.index, epoch, scores);
        !see.interrupted()
    };
    let streams = Streams::new(plan.seed, split.index);
    // tch panics where LibTorch throws, for want of memory say: a failed run, like any other. Nothing of the run is used again.
    let fitted = catch_unwind(AssertUnwindSafe(|| {
        fit(&plan.model, &plan.train, task, split, streams, compute, &mut each_epoch)
    }));
    let outcome = match fitted {
        Ok(Ok(curves)) => {
            let epochs = curves.valid.len() as u32;
            Outcome::Done { curves, epochs, seconds: started.elapsed().as_secs_f64() }
        }
        Ok(Err(error @ (RunError::Diverged { .. } | RunError::Torch(_)))) => {
            Outcome::Failed { error: error.to_string() }
        }
        Ok(Err(error)) => return Err(error),
        Err(panic) => Outcome::Failed { error: format!("panicked: {}", words(panic.as_ref())) },
    };
    let finished = Run { index: split.index, seed: split.seed, outcome };
    locked(&shared.see).run_finished(&finished);
    let mut kept = locked(&shared.kept);
    kept.0.put(finished);
    let (record, save) = &mut *kept;
    save(record)
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The baseline beside every table: what the task's metric is, on the test samples of each run of the protocol, of the best answer that
/// does not look at the sample. That is the commonest class of the training samples, or the median of their targets; of ROC-AUC
/// it is one half.
///
/// # Errors
///
/// When the data set does not fit the task or is too small for the protocol.
pub fn blind(
    data: &dyn Dataset,
    task: &TaskConfig,
    protocol: &Protocol,
    seed: u64,
) -> Result<Vec<f64>, RunError> {
    let task = task.on(data)?;
    task.splits(protocol, seed)?.iter().map(|split| task.blind(split)).collect()
}

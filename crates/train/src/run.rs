//! An experiment becomes a record.

use std::time::Instant;

use coarsen_eval::{Environment, Outcome, Protocol, Record, Run, metric};
use coarsen_graph::{Dataset, Target};
use tch::Device;

use crate::error::RunError;
use crate::experiment::Checked;
use crate::observer::Observer;
use crate::seed::Streams;
use crate::trainer::{Trained, fit};

/// Runs what is missing of an experiment.
///
/// Runs that `previous` holds as finished are kept, failed ones are tried again. `save` is called after every run, so that
/// an end by force loses at most the running one. A run that diverges is recorded as failed, and the others go on.
///
/// # Errors
///
/// When the experiment does not fit the data, a configuration breaks a rule, a record cannot be saved, or the observer
/// interrupts.
pub fn run(
    experiment: &Checked,
    data: &dyn Dataset,
    device: Device,
    environment: Environment,
    previous: Option<Record>,
    save: &mut dyn FnMut(&Record) -> Result<(), RunError>,
    see: &mut dyn Observer,
) -> Result<Record, RunError> {
    let plan = experiment.experiment();
    let task = plan.task.on(data)?;
    let splits = task.splits(&plan.protocol, plan.seed)?;
    // A configuration that is none must stop everything, not fail run by run.
    drop(Trained::new(&plan.model, task.as_ref(), 0, device)?);
    let runs = splits.len() as u32;
    let mut record = Record::new(experiment.explicit().clone(), task.metric(), runs, environment);
    for finished in previous.into_iter().flat_map(|previous| previous.runs) {
        if matches!(finished.outcome, Outcome::Done { .. }) && finished.index < runs {
            record.put(finished);
        }
    }
    for split in &splits {
        if record.run(split.index).is_some() {
            continue;
        }
        see.run_started(split.index, runs, plan.train.epochs);
        let started = Instant::now();
        let streams = Streams::new(plan.seed, split.index);
        let outcome = match fit(&plan.model, &plan.train, task.as_ref(), split, streams, device, see) {
            Ok(curves) => {
                let epochs = curves.valid.len() as u32;
                Outcome::Done { curves, epochs, seconds: started.elapsed().as_secs_f64() }
            }
            Err(error @ (RunError::Diverged { .. } | RunError::Torch(_))) => {
                Outcome::Failed { error: error.to_string() }
            }
            Err(error) => return Err(error),
        };
        let finished = Run { index: split.index, seed: split.seed, outcome };
        see.run_finished(&finished);
        record.put(finished);
        save(&record)?;
    }
    Ok(record)
}

/// The baseline beside every table: the test accuracy of always answering the commonest class of the training samples, one
/// number per run of the protocol.
///
/// # Errors
///
/// When the data set has no classes or is too small for the protocol.
pub fn majority(data: &dyn Dataset, protocol: &Protocol, seed: u64) -> Result<Vec<f64>, RunError> {
    let labels = (0..data.len())
        .map(|i| match data.sample(i).y {
            Target::Class(c) => Ok(c),
            other => Err(RunError::Data {
                dataset: data.info().name.clone(),
                rule: "every sample needs a class",
                got: format!("{other:?} of sample {i}"),
            }),
        })
        .collect::<Result<Vec<u32>, _>>()?;
    let splits = protocol.splits(&labels, seed)?;
    Ok(splits.iter().map(|split| metric::majority(&labels, split)).collect::<Result<_, _>>()?)
}

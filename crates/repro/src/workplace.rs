//! One experiment and its record on disk: found again, continued, kept after every run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use coarsen_eval::{Error, Outcome, Record, RecordDir, Rule, Run, Scored};
use coarsen_graph::Dataset;
use coarsen_train::{Checked, Observer, RunError};

use crate::environment::Machine;

/// Records in a folder.
#[derive(Debug)]
pub(crate) struct Archive(RecordDir);

impl Archive {
    /// The folder `records` in a folder of results.
    pub(crate) fn new(results: &Path) -> Self {
        Self(RecordDir::new(results.join("records")))
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        self.0.root()
    }

    /// The file of an experiment's record, which need not exist.
    pub(crate) fn path(&self, experiment: &Checked) -> Result<PathBuf> {
        Ok(self.0.path(experiment.explicit())?)
    }

    /// The record of an experiment, if there is one. A file that is none is moved aside, with a message.
    pub(crate) fn find(&self, experiment: &Checked) -> Result<Option<Record>> {
        match self.0.read(experiment.explicit()) {
            Err(Error::Broken { path, reason, .. }) => {
                let aside = move_aside(&path)?;
                eprintln!("{} is no record ({reason}): moved to {}", path.display(), aside.display());
                Ok(None)
            }
            found => Ok(found?),
        }
    }

    /// Runs what is missing of an experiment; its record is kept, and shown, after every run.
    pub(crate) fn run(
        &self,
        experiment: &Checked,
        data: &dyn Dataset,
        machine: &Machine,
        previous: Option<Record>,
        kept: &mut (dyn FnMut(&Record) + Send),
        see: &mut (dyn Observer + Send),
    ) -> Result<Record, RunError> {
        let mut keep = |record: &Record| {
            self.keep(record)?;
            kept(record);
            Ok(())
        };
        coarsen_train::run(experiment, data, &machine.place(), previous, &mut keep, see)
    }

    /// Writes a record in its place.
    pub(crate) fn keep(&self, record: &Record) -> Result<(), RunError> {
        self.0.write(record).map(|_| ()).map_err(|error| RunError::Save(error.to_string()))
    }
}

/// Renames a file to the first free name of `FILE.broken`, `FILE.broken-1`, ….
fn move_aside(path: &Path) -> Result<PathBuf> {
    let name = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(if number == 0 { ".broken".to_owned() } else { format!(".broken-{number}") });
        PathBuf::from(name)
    };
    let aside = (0..=u32::MAX).map(name).find(|name| !name.exists()).context("no free name")?;
    fs::rename(path, &aside).with_context(|| format!("{} cannot be moved aside", path.display()))?;
    Ok(aside)
}

/// A record, unless its runs saw another version of the data set; then a message.
pub(crate) fn on_same_data(record: Option<Record>, data: &dyn Dataset) -> Option<Record> {
    let info = data.info();
    let same = |record: &Record| record.data.is_empty() || record.data == info.content_hash;
    if let Some(other) = record.as_ref().filter(|record| !same(record)) {
        eprintln!(
            "{}: the recorded runs saw {} with other content; they are run again",
            other.id(),
            info.name
        );
    }
    record.filter(same)
}

/// Runs of an experiment that are not recorded, or recorded as failed.
pub(crate) fn open_runs(experiment: &Checked, record: Option<&Record>) -> u32 {
    let done = record.map_or(0, |record| record.runs.len() - record.failures().count());
    experiment.experiment().protocol.folds().saturating_sub(done as u32)
}

/// Whether nothing of a record is left to run: all runs are there and none failed.
pub(crate) fn is_complete(record: &Record) -> bool {
    record.missing().is_empty() && record.failures().next().is_none()
}

/// The number of one run of a record, by a rule that looks at single runs.
pub(crate) fn score(record: &Record, run: &Run, rule: Rule) -> Result<Scored, Error> {
    let alone = Record { planned: 1, runs: vec![Run { index: 0, ..run.clone() }], ..record.clone() };
    let scores = alone.scores(rule)?;
    Ok(Scored { index: run.index, ..scores[0] })
}

/// `run  3/10  test 71.43 at epoch 43 of 73  (12.3 s)`: the epoch of the best validation value, counted from 1.
pub(crate) fn run_line(record: &Record, run: &Run) -> String {
    let head = format!("run {:>2}/{}", run.index + 1, record.planned);
    let (epochs, seconds) = match &run.outcome {
        Outcome::Failed { error } => return format!("{head}  failed: {error}"),
        Outcome::Done { epochs, seconds, .. } => (epochs, seconds),
    };
    let unit = record.metric.unit();
    let rules = [(Rule::Honest, "at the best validation epoch"), (Rule::LastEpoch, "at the last epoch")];
    let scored = rules.into_iter().find_map(|(rule, what)| Some((score(record, run, rule).ok()?, what)));
    match scored {
        Some((scored, what)) => format!(
            "{head}  test {:6.*} {}  {what}, {} of {epochs}  ({seconds:.1} s)",
            unit.decimals(),
            unit.scale(scored.value),
            unit.sign(),
            scored.epoch + 1,
        ),
        None => format!("{head}  no number in {epochs} epochs  ({seconds:.1} s)"),
    }
}

//! Records: what an experiment was, where it ran, and what came out of every run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Environment, Error, Metric};

/// The version of the record format that is written and read.
pub const FORMAT: u32 = 1;

/// Everything that came out of one experiment.
///
/// A record of a long experiment is written after every run and read again to go on: runs are keyed by their index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`FORMAT`].
    pub format: u32,
    /// [`experiment_hash`](crate::experiment_hash) of the experiment.
    pub hash: String,
    /// The experiment's configuration, word for word.
    pub experiment: Value,
    /// Content hash of the data set the runs saw; empty if nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// What the curves measure.
    pub metric: Metric,
    /// Number of runs the protocol asks for.
    pub planned: u32,
    /// The runs so far, by ascending index.
    pub runs: Vec<Run>,
    /// Where they ran.
    pub environment: Environment,
}

/// One run: one split, one training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The run, as in [`Split`](crate::Split).
    pub index: u32,
    /// Its seed, as in [`Split`](crate::Split).
    pub seed: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// It ended.
    Done {
        /// What was measured after every epoch.
        curves: Curves,
        /// Number of epochs.
        epochs: u32,
        /// Wall-clock time.
        seconds: f64,
    },
    /// It did not.
    Failed {
        /// Why.
        error: String,
    },
}

/// What was measured after every epoch: entry `e` belongs to epoch `e`, counted from 0.
///
/// All curves are kept, so that the honest number and the published one are read off the same runs. Values that are not finite are
/// `null` in JSON and NaN when read back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Curves {
    /// Mean training loss of the epoch.
    #[serde(with = "nullable")]
    pub train_loss: Vec<f64>,
    /// Loss on the validation samples; empty if it was not computed.
    #[serde(with = "nullable")]
    pub valid_loss: Vec<f64>,
    /// The metric on the training samples; empty if it was not computed.
    #[serde(with = "nullable")]
    pub train: Vec<f64>,
    /// The metric on the validation samples.
    #[serde(with = "nullable")]
    pub valid: Vec<f64>,
    /// The metric on the test samples.
    #[serde(with = "nullable")]
    pub test: Vec<f64>,
}

mod nullable {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(values: &[f64], to: S) -> Result<S::Ok, S::Error> {
        let finite: Vec<Option<f64>> =
            values.iter().map(|value| value.is_finite().then_some(*value)).collect();
        finite.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
        let values = Vec::<Option<f64>>::deserialize(from)?;
        Ok(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }
}

impl Record {
    /// A record without runs.
    pub fn new(experiment: Value, metric: Metric, planned: u32, environment: Environment) -> Self {
        let hash = crate::experiment_hash(&experiment);
        let (data, runs) = (String::new(), Vec::new());
        Self { format: FORMAT, hash, experiment, data, metric, planned, runs, environment }
    }

    /// The same record, of runs on the data set with this content hash.
    #[must_use]
    pub fn on_data(self, content_hash: &str) -> Self {
        Self { data: content_hash.to_owned(), ..self }
    }

    /// The experiment's `id`, or nothing.
    pub fn id(&self) -> &str {
        self.experiment["id"].as_str().unwrap_or_default()
    }

    /// Adds a run, in place of an earlier one of its index.
    pub fn put(&mut self, run: Run) {
        match self.runs.binary_search_by_key(&run.index, |run| run.index) {
            Ok(place) => self.runs[place] = run,
            Err(place) => self.runs.insert(place, run),
        }
    }

    /// The run of an index, if it is recorded.
    pub fn run(&self, index: u32) -> Option<&Run> {
        let place = self.runs.binary_search_by_key(&index, |run| run.index).ok()?;
        Some(&self.runs[place])
    }

    /// The indices of the runs that are not recorded.
    pub fn missing(&self) -> Vec<u32> {
        (0..self.planned).filter(|index| self.run(*index).is_none()).collect()
    }

    /// The failed runs and their errors.
    pub fn failures(&self) -> impl Iterator<Item = (u32, &str)> {
        self.runs.iter().filter_map(|run| match &run.outcome {
            Outcome::Failed { error } => Some((run.index, error.as_str())),
            Outcome::Done { .. } => None,
        })
    }

    /// The curves of every planned run.
    ///
    /// # Errors
    ///
    /// [`Error::FailedRun`] with the first run that failed, else [`Error::Incomplete`] if runs are missing.
    pub fn curves(&self) -> Result<Vec<(&Run, &Curves)>, Error> {
        let mut all = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            match &run.outcome {
                Outcome::Done { curves, .. } => all.push((run, curves)),
                Outcome::Failed { error } => {
                    return Err(Error::FailedRun { index: run.index, error: error.clone() });
                }
            }
        }
        if all.len() == self.planned as usize {
            Ok(all)
        } else {
            Err(Error::Incomplete { done: all.len(), planned: self.planned })
        }
    }

    /// Whether the two agree in everything but start time and seconds. Curves are compared to the last bit.
    pub fn same_but_times(&self, other: &Self) -> bool {
        let timeless = |record: &Self| {
            let mut record = record.clone();
            record.environment.started.clear();
            for run in &mut record.runs {
                if let Outcome::Done { seconds, .. } = &mut run.outcome {
                    *seconds = 0.0;
                }
            }
            serde_json::to_value(record).ok()
        };
        timeless(self) == timeless(other)
    }

    /// What is wrong with a record that was read, if anything is.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.format != FORMAT {
            return Some(format!("format {}, this version reads {FORMAT}", self.format));
        }
        let hash = crate::experiment_hash(&self.experiment);
        if self.hash != hash {
            return Some(format!("hash {} of an experiment that hashes to {hash}", self.hash));
        }
        if !self.runs.is_sorted_by(|a, b| a.index < b.index) {
            return Some("runs are not in ascending order".to_owned());
        }
        self.runs.iter().find_map(|run| {
            if run.index >= self.planned {
                return Some(format!("run {} of {} planned", run.index, self.planned));
            }
            let Outcome::Done { curves, epochs, .. } = &run.outcome else { return None };
            let fault = curves.fault(*epochs as usize)?;
            Some(format!("run {}: {fault}", run.index))
        })
    }
}

impl Curves {
    fn fault(&self, epochs: usize) -> Option<String> {
        let named = [
            ("train_loss", &self.train_loss, false),
            ("valid_loss", &self.valid_loss, true),
            ("train", &self.train, true),
            ("valid", &self.valid, false),
            ("test", &self.test, false),
        ];
        let (name, curve, _) = named
            .into_iter()
            .find(|(_, curve, may_be_empty)| curve.len() != epochs && !(*may_be_empty && curve.is_empty()))?;
        Some(format!("curve `{name}` has {} values in {epochs} epochs", curve.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves(valid: &[f64]) -> Curves {
        Curves {
            train_loss: vec![1.0; valid.len()],
            valid: valid.to_vec(),
            test: valid.to_vec(),
            ..Curves::default()
        }
    }

    fn done(index: u32, valid: &[f64]) -> Run {
        let outcome = Outcome::Done { curves: curves(valid), epochs: valid.len() as u32, seconds: 1.5 };
        Run { index, seed: u64::MAX - u64::from(index), outcome }
    }

    fn record(runs: Vec<Run>) -> Record {
        let environment = Environment::host("0.1.0", "2.11.0", "cpu", 2);
        let mut record =
            Record::new(serde_json::json!({"id": "a/b", "seed": 0}), Metric::Accuracy, 3, environment);
        for run in runs {
            record.put(run);
        }
        record
    }

    #[test]
    fn runs_are_keyed_by_index() {
        let mut record = record(vec![done(2, &[0.2]), done(0, &[0.1])]);
        assert_eq!(record.missing(), [1]);
        assert!(matches!(record.curves(), Err(Error::Incomplete { done: 2, planned: 3 })));
        record.put(Run { index: 1, seed: 0, outcome: Outcome::Failed { error: "loss is NaN".into() } });
        assert_eq!(record.curves().unwrap_err().to_string(), "run 1 failed: loss is NaN");
        assert_eq!(record.failures().collect::<Vec<_>>(), [(1, "loss is NaN")]);
        record.put(done(1, &[0.3]));
        assert_eq!(record.runs.iter().map(|run| run.index).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(record.curves().unwrap().len(), 3);
    }

    #[test]
    fn values_that_are_not_finite_come_back_as_nan() {
        let json = serde_json::to_string(&curves(&[0.1, f64::NAN, f64::INFINITY])).unwrap();
        assert!(json.contains(r#""valid":[0.1,null,null]"#), "{json}");
        let back: Curves = serde_json::from_str(&json).unwrap();
        assert!(
            back.valid[0].to_bits() == 0.1_f64.to_bits() && back.valid[1].is_nan() && back.valid[2].is_nan()
        );
    }

    #[test]
    fn times_do_not_make_records_differ_but_values_do() {
        let a = record(vec![done(0, &[0.1, f64::NAN])]);
        let mut b = a.clone();
        b.environment.started = "2001-01-01T00:00:00Z".to_owned();
        let Outcome::Done { seconds, .. } = &mut b.runs[0].outcome else { unreachable!() };
        *seconds = 99.0;
        assert!(a.same_but_times(&b));
        let Outcome::Done { curves, .. } = &mut b.runs[0].outcome else { unreachable!() };
        curves.valid[0] = 0.1_f64.next_up();
        assert!(!a.same_but_times(&b));
    }

    #[test]
    fn faults_are_found() {
        let fault = |change: &dyn Fn(&mut Record)| {
            let mut record = record(vec![done(0, &[0.1]), done(1, &[0.1])]);
            assert_eq!(record.fault(), None);
            change(&mut record);
            record.fault().unwrap()
        };
        assert_eq!(fault(&|r| r.format = 9), "format 9, this version reads 1");
        assert!(fault(&|r| r.experiment["seed"] = 1.into()).starts_with("hash "));
        assert_eq!(fault(&|r| r.runs.swap(0, 1)), "runs are not in ascending order");
        assert_eq!(fault(&|r| r.runs[1].index = 3), "run 3 of 3 planned");
        let longer = |r: &mut Record| {
            let Outcome::Done { epochs, .. } = &mut r.runs[1].outcome else { unreachable!() };
            *epochs += 1;
        };
        assert_eq!(fault(&longer), "run 1: curve `train_loss` has 1 values in 2 epochs");
    }
}

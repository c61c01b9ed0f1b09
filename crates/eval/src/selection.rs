//! Selection: which epoch of a run is its number.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Curves, Error, Metric, Protocol, Record, Summary};

/// How the epoch is chosen whose test value is a run's number.
///
/// The honest rule looks at the validation curve alone. The others are what released code does; they are kept apart, since what
/// they report is selected on the test samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The first epoch of the best validation value, run by run. Refused where the experiment's `protocol` validates on the test
    /// samples.
    Honest,
    /// One epoch for all runs: the first that has the best mean validation value over the runs. Where the validation samples are
    /// the test fold, this is how DiffPool's table was made. Only epochs that all runs reached are candidates.
    MaxOfMeanCurve,
    /// The first epoch of the best test value, run by run.
    MaxTest,
    /// The last epoch.
    LastEpoch,
}

/// The number of one run, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The run.
    pub index: u32,
    /// Its seed.
    pub seed: u64,
    /// The selected epoch.
    pub epoch: usize,
    /// The test value at that epoch.
    pub value: f64,
}

impl Rule {
    /// The name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::MaxOfMeanCurve => "max-of-mean-curve",
            Self::MaxTest => "max-test",
            Self::LastEpoch => "last-epoch",
        }
    }

    /// A sentence for the foot of a table.
    pub fn description(self) -> &'static str {
        match self {
            Self::Honest => "test value at the first epoch of the best validation value",
            Self::MaxOfMeanCurve => {
                "test value at the one epoch that maximises the mean validation curve over the runs (published rule)"
            }
            Self::MaxTest => "best test value of any epoch (published rule, selected on the test samples)",
            Self::LastEpoch => "test value at the last epoch",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Record {
    /// The number of every run under a rule, by ascending index.
    ///
    /// # Errors
    ///
    /// [`Error::FailedRun`] and [`Error::Incomplete`] as [`Record::curves`]; [`Error::NoEpoch`] if a curve the rule looks at has no
    /// value that is not NaN, if the selected test value is NaN, or if the honest rule is asked for under a protocol that
    /// [validates on the test samples](crate::Protocol::validates_on_test).
    pub fn scores(&self, rule: Rule) -> Result<Vec<Scored>, Error> {
        let runs = self.curves()?;
        let none = |reason: String| Error::NoEpoch { rule: rule.name(), reason };
        if rule == Rule::Honest && self.validates_on_test() {
            return Err(none("the protocol validates on the test samples".to_owned()));
        }
        let common = match rule {
            Rule::MaxOfMeanCurve => {
                let curves: Vec<&Curves> = runs.iter().map(|(_, curves)| *curves).collect();
                let epoch = best(self.metric, &mean_curve(&curves));
                Some(epoch.ok_or_else(|| none("no epoch has a validation value in every run".to_owned()))?)
            }
            Rule::Honest | Rule::MaxTest | Rule::LastEpoch => None,
        };
        let score = |(run, curves): (&crate::Run, &Curves)| {
            let epoch = match rule {
                Rule::Honest => best(self.metric, &curves.valid),
                Rule::MaxOfMeanCurve => common,
                Rule::MaxTest => best(self.metric, &curves.test),
                Rule::LastEpoch => curves.test.len().checked_sub(1),
            };
            let epoch = epoch.ok_or_else(|| none(format!("run {} has no value to select by", run.index)))?;
            let value = curves.test.get(epoch).copied().filter(|value| !value.is_nan());
            let value =
                value.ok_or_else(|| none(format!("run {} has no test value at epoch {epoch}", run.index)))?;
            Ok(Scored { index: run.index, seed: run.seed, epoch, value })
        };
        runs.into_iter().map(score).collect()
    }

    /// Whether the experiment has a `protocol` of this crate that does so.
    fn validates_on_test(&self) -> bool {
        Protocol::deserialize(&self.experiment["protocol"]).is_ok_and(|protocol| protocol.validates_on_test())
    }

    /// Mean and spread of [`Record::scores`]: of all planned runs, or of none.
    ///
    /// # Errors
    ///
    /// As [`Record::scores`]; [`Error::Incomplete`] also if no run was planned.
    pub fn score(&self, rule: Rule) -> Result<Summary, Error> {
        let values: Vec<f64> = self.scores(rule)?.into_iter().map(|scored| scored.value).collect();
        Summary::of(&values).ok_or(Error::Incomplete { done: 0, planned: self.planned })
    }
}

/// The first place of the best value, ignoring NaN.
fn best(metric: Metric, curve: &[f64]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (epoch, &value) in curve.iter().enumerate() {
        if !value.is_nan() && best.is_none_or(|best| metric.better(value, curve[best])) {
            best = Some(epoch);
        }
    }
    best
}

/// The mean validation curve over the epochs that all runs reached.
fn mean_curve(runs: &[&Curves]) -> Vec<f64> {
    let epochs = runs.iter().map(|curves| curves.valid.len()).min().unwrap_or(0);
    let mean = |epoch: usize| runs.iter().map(|curves| curves.valid[epoch]).sum::<f64>() / runs.len() as f64;
    (0..epochs).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Outcome, Run};

    const NAN: f64 = f64::NAN;

    fn record(metric: Metric, runs: &[(&[f64], &[f64])]) -> Record {
        let environment = Environment::host("0.1.0", "2.11.0", "cpu", 2);
        let mut record = Record::new(serde_json::json!({}), metric, runs.len() as u32, environment);
        for (index, (valid, test)) in runs.iter().enumerate() {
            let curves = Curves {
                train_loss: vec![0.0; valid.len()],
                valid: valid.to_vec(),
                test: test.to_vec(),
                ..Curves::default()
            };
            let outcome = Outcome::Done { curves, epochs: valid.len() as u32, seconds: 0.0 };
            record.put(Run { index: index as u32, seed: 100 + index as u64, outcome });
        }
        record
    }

    /// Selected (epoch, test value) of every run.
    fn selected(record: &Record, rule: Rule) -> Vec<(usize, f64)> {
        record.scores(rule).unwrap().into_iter().map(|scored| (scored.epoch, scored.value)).collect()
    }

    #[test]
    fn every_rule_on_two_runs_worked_by_hand() {
        let record = record(
            Metric::Accuracy,
            &[(&[0.5, 0.7, 0.7, NAN], &[0.4, 0.6, 0.9, 0.1]), (&[0.8, 0.3, 0.7], &[0.2, 0.3, 0.1])],
        );
        assert_eq!(selected(&record, Rule::Honest), [(1, 0.6), (0, 0.2)]);
        // Mean validation 0.65, 0.5, 0.7 over the three epochs both runs reached.
        assert_eq!(selected(&record, Rule::MaxOfMeanCurve), [(2, 0.9), (2, 0.1)]);
        assert_eq!(selected(&record, Rule::MaxTest), [(2, 0.9), (1, 0.3)]);
        assert_eq!(selected(&record, Rule::LastEpoch), [(3, 0.1), (2, 0.1)]);
        let summary = record.score(Rule::Honest).unwrap();
        assert!(summary.n == 2 && (summary.mean - 0.4).abs() < 1e-15);
    }

    #[test]
    fn errors_are_minimised() {
        let record = record(Metric::Mae, &[(&[0.5, 0.2, 0.2], &[0.4, 0.6, 0.3])]);
        assert_eq!(selected(&record, Rule::Honest), [(1, 0.6)]);
        assert_eq!(selected(&record, Rule::MaxTest), [(2, 0.3)]);
    }

    #[test]
    fn a_curve_of_nan_has_no_score() {
        let record = record(Metric::Accuracy, &[(&[NAN, NAN], &[0.4, NAN])]);
        let message = |rule| record.score(rule).unwrap_err().to_string();
        assert_eq!(message(Rule::Honest), "rule `honest` selects no epoch: run 0 has no value to select by");
        assert!(message(Rule::MaxOfMeanCurve).contains("no epoch has a validation value in every run"));
        assert!(message(Rule::LastEpoch).contains("run 0 has no test value at epoch 1"));
        assert_eq!(selected(&record, Rule::MaxTest), [(0, 0.4)]);
    }

    #[test]
    fn nothing_honest_comes_out_of_validating_on_the_test_fold() {
        let mut record = record(Metric::Accuracy, &[(&[0.5], &[0.5])]);
        record.experiment = serde_json::json!({"protocol": {"kind": "k-fold", "folds": 10, "valid": "test"}});
        let error = record.score(Rule::Honest).unwrap_err().to_string();
        assert_eq!(error, "rule `honest` selects no epoch: the protocol validates on the test samples");
        assert!(record.score(Rule::MaxOfMeanCurve).is_ok());
        record.experiment["protocol"]["valid"] = "next-fold".into();
        assert!(record.score(Rule::Honest).is_ok());
    }

    #[test]
    fn one_failed_run_leaves_no_score() {
        let mut record = record(Metric::Accuracy, &[(&[0.5], &[0.5]), (&[0.7], &[0.7])]);
        record.put(Run { index: 1, seed: 1, outcome: Outcome::Failed { error: "out of memory".to_owned() } });
        assert_eq!(record.score(Rule::Honest).unwrap_err().to_string(), "run 1 failed: out of memory");
        record.runs.pop();
        assert_eq!(record.score(Rule::Honest).unwrap_err().to_string(), "1 of 2 runs are recorded");
    }
}

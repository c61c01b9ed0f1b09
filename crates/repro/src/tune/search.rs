//! What came of a search: its record on disk, its table, its winner.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use coarsen_eval::{Environment, Metric, Outcome, Record, experiment_hash};
use coarsen_graph::{Dataset, InMemory};
use coarsen_train::Checked;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tune::grid::Configuration;

/// Of the files that are written and read here.
const FORMAT: u32 = 1;

/// The record of a search. It holds no test value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    format: u32,
    /// What all configurations have in common: an experiment on one split.
    experiment: Value,
    /// Content hash of the data set.
    data: String,
    metric: Metric,
    /// In the order of the search.
    pub(super) tried: Vec<Tried>,
    environment: Environment,
}

/// A configuration and its validation values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tried {
    pub(super) name: String,
    set: BTreeMap<String, Value>,
    /// The best validation value; none of a run that failed.
    valid: Option<f64>,
    /// Its first epoch, counted from 1.
    epoch: Option<usize>,
    /// Epochs trained.
    epochs: u32,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Tried {
    /// Of a record of one run.
    pub(super) fn of(configuration: &Configuration, record: &Record) -> Self {
        let Configuration { name, set } = configuration.clone();
        let none = Self { name, set, valid: None, epoch: None, epochs: 0, seconds: 0.0, error: None };
        match record.runs.first().map(|run| &run.outcome) {
            Some(Outcome::Done { curves, epochs, seconds }) => {
                let better = |a: f64, b: f64| record.metric.better(a, b);
                let best = curves.valid.iter().copied().enumerate().filter(|(_, value)| !value.is_nan());
                let best = best.reduce(|best, other| if better(other.1, best.1) { other } else { best });
                Self {
                    valid: best.map(|(_, value)| value),
                    epoch: best.map(|(epoch, _)| epoch + 1),
                    epochs: *epochs,
                    seconds: *seconds,
                    ..none
                }
            }
            Some(Outcome::Failed { error }) => Self { error: Some(error.clone()), ..none },
            None => none,
        }
    }
}

impl Search {
    /// What was tried under this name.
    pub(super) fn of(&self, name: &str) -> Option<&Tried> {
        self.tried.iter().find(|tried| tried.name == name)
    }

    /// The best validation value, the first of equals.
    pub(super) fn best(&self) -> Option<&Tried> {
        let valued = self.tried.iter().filter_map(|tried| Some((tried, tried.valid?)));
        let best =
            valued.reduce(|best, other| if self.metric.better(other.1, best.1) { other } else { best });
        best.map(|(tried, _)| tried)
    }

    /// All configurations, the best first.
    pub(super) fn table(&self) -> String {
        let mut rows: Vec<&Tried> = self.tried.iter().collect();
        // Equals stay in the order of the search, and what has no value comes last.
        rows.sort_by(|a, b| match (a.valid, b.valid) {
            (Some(a), Some(b)) if self.metric.higher_is_better() => b.total_cmp(&a),
            (Some(a), Some(b)) => a.total_cmp(&b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        let mut lines = vec![format!(
            "{:<34} {:>12} {:>7} {:>8} {:>9}",
            "configuration", "validation", "epoch", "epochs", "seconds"
        )];
        lines.extend(rows.into_iter().map(|tried| self.line(tried)));
        lines.join("\n")
    }

    /// A row of the table.
    pub(super) fn line(&self, tried: &Tried) -> String {
        let unit = self.metric.unit();
        let (Some(valid), Some(epoch)) = (tried.valid, tried.epoch) else {
            return format!(
                "{:<34} {:>12}  {}",
                tried.name,
                "–",
                tried.error.as_deref().unwrap_or("no value")
            );
        };
        let valid = format!("{:.*} {}", unit.decimals(), unit.scale(valid), unit.sign());
        format!(
            "{:<34} {:>12} {epoch:>7} {:>8} {:>9.1}",
            tried.name,
            valid.trim_end(),
            tried.epochs,
            tried.seconds
        )
    }
}

/// Where a search and its winner are kept.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) search: PathBuf,
    pub(super) winner: PathBuf,
}

impl Files {
    /// Those of a search for the best of some configurations of an experiment.
    pub(super) fn of<'a>(
        out: &Path,
        experiment: &Checked,
        configurations: impl Iterator<Item = &'a Configuration>,
    ) -> Self {
        let sets: Vec<_> = configurations.map(|configuration| &configuration.set).collect();
        let hash = experiment_hash(&json!({ "experiment": experiment.hash(), "sets": sets }));
        let file = |end: &str| out.join("tuned").join(format!("{}-{hash}{end}", experiment.experiment().id));
        Self { search: file(".json"), winner: file(".winner.json") }
    }

    /// The search as far as it is recorded, or a new one.
    ///
    /// What failed is tried again, and so is everything where the data set has other content.
    pub(super) fn open(
        &self,
        experiment: &Checked,
        data: &InMemory,
        metric: Metric,
        environment: Environment,
        fresh: bool,
    ) -> Result<Search> {
        let new = Search {
            format: FORMAT,
            experiment: experiment.explicit().clone(),
            data: data.info().content_hash.clone(),
            metric,
            tried: Vec::new(),
            environment,
        };
        if fresh || !self.search.exists() {
            return Ok(new);
        }
        let at = || format!("{} is no record of a search (--fresh writes a new one)", self.search.display());
        let mut kept: Search = serde_json::from_slice(&fs::read(&self.search)?).with_context(at)?;
        ensure!(
            kept.format == FORMAT,
            "{}: format {}, this version reads {FORMAT}",
            self.search.display(),
            kept.format
        );
        if kept.data != new.data {
            eprintln!("{}: the data set had other content; everything is tried again", self.search.display());
            return Ok(new);
        }
        kept.tried.retain(|tried| tried.error.is_none());
        Ok(kept)
    }

    /// Writes the search.
    pub(super) fn keep(&self, search: &Search) -> Result<()> {
        write(&self.search, &serde_json::to_value(search)?)
    }

    /// Writes the winner as an experiment with the splits of `whole`.
    pub(super) fn keep_winner(&self, whole: &Checked, winner: &Checked, search: &Search) -> Result<()> {
        let mut words = winner.explicit().clone();
        words["protocol"] = serde_json::to_value(&whole.experiment().protocol)?;
        words["id"] = format!("{}-tuned", whole.experiment().id).into();
        let tried = search.tried.len();
        words["note"] =
            format!("the best of {tried} configurations by the validation samples of the first split").into();
        write(&self.winner, Checked::from_value(words)?.explicit())
    }
}

/// Readers see the file as it was, or as it is.
fn write(path: &Path, value: &Value) -> Result<()> {
    let place = || path.display().to_string();
    fs::create_dir_all(path.parent().context("a file in a folder")?).with_context(place)?;
    let part = path.with_extension("part");
    fs::write(&part, serde_json::to_string_pretty(value)? + "\n").with_context(place)?;
    fs::rename(&part, path).with_context(place)
}

#[cfg(test)]
mod tests {
    use coarsen_eval::{Curves, Run};

    use super::*;

    fn configuration(name: &str) -> Configuration {
        Configuration { name: name.to_owned(), set: BTreeMap::new() }
    }

    fn record(outcome: Outcome, metric: Metric) -> Record {
        let mut record = Record::new(json!({"id": "x"}), metric, 1, Environment::host("0", "0", "cpu", 1));
        record.put(Run { index: 0, seed: 0, outcome });
        record
    }

    fn search(metric: Metric, valid: &[(&str, &[f64])]) -> Search {
        let of = |(name, valid): &(&str, &[f64])| {
            let curves = Curves { valid: valid.to_vec(), test: vec![0.5; valid.len()], ..Curves::default() };
            let done = Outcome::Done { curves, epochs: valid.len() as u32, seconds: 1.0 };
            Tried::of(&configuration(name), &record(done, metric))
        };
        Search {
            format: FORMAT,
            experiment: json!({}),
            data: String::new(),
            metric,
            tried: valid.iter().map(of).collect(),
            environment: Environment::host("0", "0", "cpu", 1),
        }
    }

    #[test]
    fn the_first_of_the_best_wins() {
        let accuracies: [(&str, &[f64]); 3] =
            [("a", &[0.1, 0.7, 0.7]), ("b", &[f64::NAN, 0.9]), ("c", &[0.9])];
        let found = search(Metric::Accuracy, &accuracies);
        assert_eq!(found.best().map(|best| best.name.as_str()), Some("b"));
        assert_eq!((found.tried[0].epoch, found.tried[1].epoch), (Some(2), Some(2)));
        let errors = search(Metric::Mae, &accuracies);
        assert_eq!(errors.best().map(|best| best.name.as_str()), Some("a"));
        assert_eq!(errors.tried[0].epoch, Some(1));
        let order = |search: &Search| {
            search.table().lines().skip(1).map(|line| line[..1].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            (order(&found), order(&errors)),
            (vec!["b".into(), "c".into(), "a".into()], vec!["a".into(), "b".into(), "c".into()])
        );
    }

    #[test]
    fn what_failed_is_last_and_never_wins() {
        let mut found = search(Metric::Accuracy, &[("a", &[f64::NAN]), ("b", &[0.2])]);
        let failed = Outcome::Failed { error: "the loss is NaN".to_owned() };
        found.tried.insert(0, Tried::of(&configuration("c"), &record(failed, Metric::Accuracy)));
        assert_eq!(found.best().map(|best| best.name.as_str()), Some("b"));
        let table = found.table();
        assert!(
            table
                .lines()
                .nth(2)
                .is_some_and(|line| line.starts_with('c') && line.ends_with("the loss is NaN")),
            "{table}"
        );
        assert_eq!(search(Metric::Accuracy, &[("a", &[f64::NAN])]).best(), None);
    }

    #[test]
    fn no_test_value_is_kept() {
        let text = serde_json::to_string(&search(Metric::Accuracy, &[("a", &[0.2, 0.3])])).expect("JSON");
        assert!(!text.contains("test") && !text.contains("0.5"), "{text}");
    }
}

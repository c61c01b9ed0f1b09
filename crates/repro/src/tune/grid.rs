//! The configurations of a search: levels, learning rates and dropouts, each with each.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use coarsen_model::MODELS;
use coarsen_nn::by_kind;
use coarsen_train::Checked;
use serde_json::Value;

/// More configurations than this are no search by hand: the best of many validation values is luck.
pub(super) const MOST: usize = 12;

/// What is tried, as lists.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Search")]
pub(super) struct Grid {
    /// Numbers of levels to try, as 2,3,4 [default: 3,4,5 where the network has levels]
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    levels: Vec<u32>,
    /// Learning rates to try [default: 0.01,0.001]
    #[arg(long, value_name = "RATE,…", value_delimiter = ',')]
    lr: Vec<f64>,
    /// Dropouts of the network to try [default: 0,0.5 where the network has dropout]
    #[arg(long, value_name = "P,…", value_delimiter = ',')]
    dropout: Vec<f64>,
}

/// One of them: the fields that it sets, by their paths.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Configuration {
    /// `levels=3 lr=0.01 dropout=0`.
    pub(super) name: String,
    pub(super) set: BTreeMap<String, Value>,
}

impl Configuration {
    /// An experiment with these fields.
    pub(super) fn of(&self, experiment: &Checked) -> Result<Checked> {
        let mut whole = experiment.clone();
        if experiment.explicit()["train"]["optimizer"].is_null() {
            // A field of what is left to its default cannot be set alone.
            whole =
                whole.with("train/optimizer", serde_json::to_value(whole.experiment().train.optimizer)?)?;
        }
        for (path, value) in &self.set {
            whole = whole.with(path, value.clone())?;
        }
        Ok(whole)
    }
}

impl Grid {
    /// All configurations, the simplest first: few levels before many, the first rate and dropout named before the others.
    pub(super) fn configurations(&self, experiment: &Checked) -> Result<Vec<Configuration>> {
        let model = &experiment.experiment().model;
        let spec = by_kind("model", MODELS, |spec| spec.name, model)?;
        let example = (spec.example)();
        let has = |field: &str| example.get(field).is_some();
        let numbers = |values: &[f64]| values.iter().copied().map(Value::from).collect::<Vec<_>>();
        let levels: Vec<Value> = self.levels.iter().copied().map(Value::from).collect();
        let dimensions = [
            ("levels", "model/levels", levels, vec![3.into(), 4.into(), 5.into()], has("levels")),
            ("lr", "train/optimizer/lr", numbers(&self.lr), numbers(&[0.01, 0.001]), true),
            ("dropout", "model/dropout", numbers(&self.dropout), numbers(&[0.0, 0.5]), has("dropout")),
        ];
        let mut all = vec![Configuration { name: String::new(), set: BTreeMap::new() }];
        for (name, path, given, default, fits) in dimensions {
            ensure!(fits || given.is_empty(), "--{name}: the network `{}` has no `{name}`", spec.name);
            let values = if given.is_empty() { default } else { given };
            let twice = values.iter().enumerate().find(|(place, value)| values[..*place].contains(value));
            ensure!(
                twice.is_none(),
                "--{name}: {} is named twice",
                twice.map_or(&Value::Null, |(_, value)| value)
            );
            if fits {
                all = all
                    .iter()
                    .flat_map(|before| values.iter().map(|value| before.and(name, path, value)))
                    .collect();
            }
        }
        ensure!(
            all.len() <= MOST,
            "{} configurations, of which at most {MOST} are tried: name fewer values",
            all.len()
        );
        Ok(all)
    }
}

impl Configuration {
    fn and(&self, name: &str, path: &str, value: &Value) -> Self {
        let mut set = self.set.clone();
        set.insert(path.to_owned(), value.clone());
        Self { name: format!("{} {name}={value}", self.name).trim_start().to_owned(), set }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn experiment(model: &Value) -> Checked {
        Checked::from_value(json!({ "dataset": "KARATE", "model": model })).expect("an experiment")
    }

    fn grid(levels: &[u32], lr: &[f64], dropout: &[f64]) -> Grid {
        Grid { levels: levels.to_vec(), lr: lr.to_vec(), dropout: dropout.to_vec() }
    }

    #[test]
    fn each_goes_with_each() {
        let adamgnn = experiment(&json!({"kind": "adamgnn"}));
        let all = grid(&[2, 4], &[0.01], &[0.0, 0.5]).configurations(&adamgnn).expect("four");
        let names: Vec<&str> = all.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names[0], "levels=2 lr=0.01 dropout=0.0");
        assert_eq!((names.len(), names[3]), (4, "levels=4 lr=0.01 dropout=0.5"));
        let last = all[3].of(&adamgnn).expect("an experiment");
        assert_eq!(last.explicit()["model"], json!({"kind": "adamgnn", "levels": 4, "dropout": 0.5}));
        assert_eq!(last.explicit()["train"]["optimizer"]["lr"], 0.01);
        assert_eq!(Grid::default().configurations(&adamgnn).expect("as many as may be").len(), MOST);
    }

    #[test]
    fn what_a_network_does_not_have_is_left_out_or_refused() {
        let flat = experiment(&json!({"kind": "flat"}));
        assert_eq!(Grid::default().configurations(&flat).expect("rates and dropouts").len(), 4);
        let refused = |grid: Grid| grid.configurations(&flat).expect_err("refused").to_string();
        assert_eq!(refused(grid(&[2], &[], &[])), "--levels: the network `flat` has no `levels`");
        assert_eq!(refused(grid(&[], &[0.1, 0.2, 0.1], &[])), "--lr: 0.1 is named twice");
        let many: Vec<f64> = (1..8).map(f64::from).collect();
        assert_eq!(
            refused(grid(&[], &many, &[])),
            "14 configurations, of which at most 12 are tried: name fewer values"
        );
    }
}

//! An experiment is data: what to train, on what, how, and how it is judged.

use std::fmt::Write;

use coarsen_eval::{Protocol, experiment_hash};
use coarsen_graph::FeatureRule;
use coarsen_nn::ConfigError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::TrainConfig;
use crate::error::RunError;
use crate::task::TaskConfig;

/// One cell of a table, or one question of a user: an experiment.
///
/// Only `dataset` and `model` must be given. Unknown keys are refused: a mistyped hyper-parameter must not run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Experiment {
    /// Names the record's file: words of letters, digits, `.`, `-` and `_`, separated by `/`.
    pub id: String,
    /// Raised when the meaning of the same words changes.
    pub version: u32,
    /// For readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The published number this is held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<Cell>,
    /// A registered data set.
    pub dataset: String,
    /// What the nodes' features are.
    pub features: FeatureRule,
    /// What is predicted.
    pub task: TaskConfig,
    /// How it is judged.
    pub protocol: Protocol,
    /// A row of `coarsen_model::MODELS` with its fields.
    pub model: Value,
    /// How it is trained.
    pub train: TrainConfig,
    /// Everything random follows from it.
    pub seed: u64,
}

/// A place in a published table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// The file of published numbers, as `adamgnn`.
    pub paper: String,
    /// The table's number there.
    pub table: String,
    /// The method.
    pub row: String,
    /// The data set.
    pub column: String,
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            id: String::new(),
            version: 1,
            note: None,
            cell: None,
            dataset: String::new(),
            features: FeatureRule::default(),
            task: TaskConfig::default(),
            protocol: Protocol::default(),
            model: Value::Null,
            train: TrainConfig::default(),
            seed: 0,
        }
    }
}

/// An experiment whose values keep their rules, beside the words it was given in.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    experiment: Experiment,
    explicit: Value,
    hash: String,
}

impl Checked {
    /// Reads an experiment.
    ///
    /// # Errors
    ///
    /// With the line and column of what is not JSON, the name of an unknown key, or the first rule that is broken. The
    /// fields of the model are checked when it is made, in [`run`](crate::run()).
    pub fn parse(text: &str) -> Result<Self, RunError> {
        let value = serde_json::from_str(text).map_err(|e| RunError::Parse(format!("not JSON: {e}")))?;
        Self::from_value(value)
    }

    /// Takes an experiment as JSON; what it does not say has its default.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn from_value(explicit: Value) -> Result<Self, RunError> {
        if !explicit.is_object() {
            return Err(RunError::Parse(format!("must be a JSON object, got {explicit}")));
        }
        let experiment: Experiment =
            serde_json::from_value(explicit.clone()).map_err(|e| RunError::Parse(e.to_string()))?;
        if experiment.dataset.is_empty() {
            return Err(RunError::Parse("`dataset` must be the name of a data set, got nothing".into()));
        }
        if !experiment.model.is_object() {
            let rule = "`model` must be an object as {\"kind\": \"hierarchical\"}";
            return Err(RunError::Parse(format!("{rule}, got {}", experiment.model)));
        }
        experiment.protocol.check()?;
        experiment.task.check()?;
        experiment.train.check()?;
        let weight = experiment.train.reconstruction;
        if weight > 0.0 && matches!(experiment.task, TaskConfig::LinkPrediction(_)) {
            let rule = "0 of link prediction, whose own loss it is";
            return Err(ConfigError::value("train", "reconstruction", rule, weight).into());
        }
        let hash = experiment_hash(&explicit);
        Ok(Self { experiment, explicit, hash })
    }

    /// The experiment with every default filled in.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// The words it was given in: what a record keeps, and what the hash covers (less `id` and `note`), so that a field
    /// added later with a default orphans no record.
    pub fn explicit(&self) -> &Value {
        &self.explicit
    }

    /// Names the record.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// `id`, or data set and model where there is none.
    pub fn name(&self) -> String {
        let Experiment { id, dataset, model, .. } = &self.experiment;
        if !id.is_empty() {
            return id.clone();
        }
        let mut name = format!("{dataset}/{}", model["kind"].as_str().unwrap_or("model"));
        if let Some(pool) = model["pool"]["kind"].as_str() {
            let _ = write!(name, "-{pool}");
        }
        name
    }

    /// The same experiment with another field, as `("train/epochs", 3)`: a path of keys from the top.
    ///
    /// # Errors
    ///
    /// When the result is no experiment.
    pub fn with(&self, path: &str, value: impl Into<Value>) -> Result<Self, RunError> {
        let mut explicit = self.explicit.clone();
        let mut at = &mut explicit;
        for key in path.split('/') {
            if at.is_null() {
                *at = json!({});
            }
            at = at
                .as_object_mut()
                .ok_or_else(|| RunError::Parse(format!("`{path}` leads through a value that is no object")))?
                .entry(key)
                .or_insert(Value::Null);
        }
        *at = value.into();
        Self::from_value(explicit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimal() -> Value {
        json!({"dataset": "MUTAG", "model": {"kind": "gin"}})
    }

    #[test]
    fn defaults_are_filled_in_and_do_not_enter_the_hash() {
        let checked = Checked::from_value(minimal()).unwrap();
        assert_eq!(checked.experiment().train.epochs, 100);
        let noted = checked.with("note", "any words").unwrap();
        assert_eq!(noted.hash(), checked.hash());
        let longer = checked.with("train/epochs", 101).unwrap();
        assert_eq!(longer.experiment().train.epochs, 101);
        assert_ne!(longer.hash(), checked.hash());
        assert_ne!(checked.with("version", 2).unwrap().hash(), checked.hash());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |path: &str, value: Value| {
            Checked::from_value(minimal()).unwrap().with(path, value).unwrap_err().to_string()
        };
        assert!(message("epochs", json!(3)).contains("unknown field `epochs`"));
        assert!(message("train/epoch", json!(3)).contains("unknown field `epoch`"));
        assert_eq!(message("train/epochs", json!(0)), "train: `epochs` must be at least 1, got 0");
        assert!(message("dataset", json!("")).contains("`dataset`"));
        assert!(message("model", json!("gin")).contains("`model`"));
        assert!(Checked::parse("{\"dataset\": ").unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn an_experiment_is_its_own_json() {
        let full = serde_json::to_value(Checked::from_value(minimal()).unwrap().experiment()).unwrap();
        let back = Checked::from_value(full).unwrap();
        assert_eq!(back.experiment(), Checked::from_value(minimal()).unwrap().experiment());
    }
}

//! The networks of the comparison, as data: `bench/models.json`, with the widths that are left open filled in.
//!
//! `"H"` and `"H/2"` stand for the width of the layers and its half, `"cap"` for the number of nodes beyond which a graph counts as
//! this large where the number of clusters is derived (the other programs leave such graphs out; here every graph is kept).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use coarsen_train::TaskConfig;
use serde::Deserialize;
use serde_json::Value;

const MODELS: &str = include_str!("../../bench/models.json");

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// By data set, and for every other.
    cap: BTreeMap<String, u32>,
    models: BTreeMap<String, Words>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    batch: u32,
    model: Value,
    task: Value,
    #[serde(default)]
    reconstruction: f64,
}

/// A network to be timed.
#[derive(Debug, Clone)]
pub(super) struct Preset {
    /// Graphs per step, where nothing else is asked for.
    pub(super) batch: u32,
    /// A row of `coarsen_model::MODELS` with its fields.
    pub(super) model: Value,
    /// The head.
    pub(super) task: TaskConfig,
    /// What the reconstruction of the edges weighs in the loss.
    pub(super) reconstruction: f64,
}

/// The network of a name for a data set, its layers `hidden` wide.
pub(super) fn preset(name: &str, dataset: &str, hidden: u32) -> Result<Preset> {
    let Table { cap, models } = serde_json::from_str(MODELS).context("bench/models.json")?;
    let words = models.get(name).with_context(|| {
        let known: Vec<&str> = models.keys().map(String::as_str).collect();
        format!("--model: unknown network `{name}`; known are {}", known.join(", "))
    })?;
    let cap =
        cap.get(dataset).or_else(|| cap.get("other")).context("bench/models.json: no cap for others")?;
    let open = [("H", hidden), ("H/2", (hidden / 2).max(1)), ("cap", *cap)];
    let task: TaskConfig = serde_json::from_value(filled(&words.task, &open)).context("bench/models.json")?;
    task.check()?;
    let Words { batch, ref model, reconstruction, .. } = *words;
    Ok(Preset { batch, model: filled(model, &open), task, reconstruction })
}

/// A value with numbers in the place of the words that stand for them.
fn filled(value: &Value, open: &[(&str, u32)]) -> Value {
    match value {
        Value::String(word) => match open.iter().find(|(open, _)| open == word) {
            Some((_, number)) => (*number).into(),
            None => value.clone(),
        },
        Value::Array(values) => values.iter().map(|value| filled(value, open)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), filled(value, open))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use coarsen_graph::DataDir;
    use coarsen_train::Trained;
    use serde_json::json;
    use tch::Device;

    use super::*;

    /// Parameters of a network for 3 features and 3 classes, layers 8 wide.
    fn parameters(name: &str) -> i64 {
        let preset = preset(name, "TRIANGLES", 8).expect("a network");
        let rule = serde_json::from_value(json!([{"constant": {"width": 3}}])).expect("a rule");
        let data = DataDir::new("none").load("COMMUNITIES", &rule).expect("a built-in set");
        let task = preset.task.on(&data).expect("classes");
        assert_eq!(task.dims().outputs, 3);
        let trained = Trained::new(&preset.model, task.as_ref(), 1, Device::Cpu).expect("a network");
        trained.vars.trainable_variables().iter().map(|t| t.numel() as i64).sum()
    }

    #[test]
    fn the_networks_have_as_many_parameters_as_the_peers() {
        let (f, h, c) = (3, 8, 3);
        let linear = |inputs: i64, outputs: i64| inputs * outputs + outputs;
        let head = |inputs| linear(inputs, h) + linear(h, c);
        let gcn = linear(f, h) + 2 * linear(h, h);
        assert_eq!(parameters("gcn"), gcn + head(h));
        assert_eq!(parameters("sage"), gcn + f * h + 2 * h * h + head(h));
        // A bias a feature, and two vectors for all heads together.
        assert_eq!(parameters("gat"), gcn + 3 * 2 * h + head(h));
        let mlp = |inputs| linear(inputs, h) + 2 * h + linear(h, h);
        assert_eq!(parameters("gin"), mlp(f) + 4 * mlp(h) + head(h));
        let last = linear(2 * h, h) + linear(h, h / 2) + linear(h / 2, c);
        assert_eq!(parameters("topk"), gcn + 3 * h + last);
        assert_eq!(parameters("sagpool"), gcn + 3 * linear(h, 1) + last);
        let asap = linear(h, h) + linear(2 * h, 1) + 2 * linear(h, 1) + h;
        assert_eq!(parameters("asap"), gcn + 3 * asap + last);
        assert_eq!(parameters("graclus"), gcn + head(h));
        // Of two poolings two attentions each and that of the flyback; what is read is as wide as the maximum and the mean.
        assert_eq!(parameters("adamgnn"), gcn + (2 * 2 + 1) * linear(2 * h, 1) + head(2 * h));
        assert_eq!(parameters("set2set"), gcn + 4 * h * (3 * h + 2) + linear(h, h) + h * h + linear(h, c));
    }

    #[test]
    fn open_words_become_numbers() {
        let diffpool = preset("diffpool", "DD", 32).expect("a network");
        let pool = &diffpool.model["pool"];
        assert_eq!((&pool["cap"], &pool["hidden"]), (&json!(500), &json!(32)));
        assert_eq!(preset("diffpool", "NCI1", 32).expect("a network").model["pool"]["cap"], 150);
        let topk = preset("topk", "DD", 32).expect("a network");
        assert_eq!(serde_json::to_value(topk.task).expect("JSON")["hidden"], json!([32, 16]));
        assert_eq!((diffpool.batch, topk.batch), (64, 128));
    }

    #[test]
    fn an_unknown_network_lists_the_known_ones() {
        let message = preset("gnc", "DD", 64).expect_err("refused").to_string();
        assert!(
            message.contains("`gnc`; known are adamgnn, asap, diffpool, diffpool-padded, gat, gcn, gin, graclus, mincut, sage, sagpool, set2set, sortpool, topk"),
            "{message}"
        );
    }
}

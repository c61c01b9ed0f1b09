//! Flags of `coarsen train` to the words of an experiment: what the user set, and nothing a registry has a default for.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use coarsen_model::MODELS;
use coarsen_nn::{CONVS, by_kind};
use coarsen_train::Checked;
use serde_json::{Map, Value, json};

/// At most so many epochs, unless told otherwise.
const EPOCHS: u32 = 150;
/// Epochs without a better validation value after which training stops, unless told otherwise.
const PATIENCE: u32 = 30;

/// The flags that describe an experiment.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Experiment")]
#[group(id = "words", multiple = true)]
pub(crate) struct Flags {
    /// The data set: a name known to `coarsen data`
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// The network: hierarchical (the default), flat, or gin
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The pooling operator of a hierarchical network: diffpool (the default), top-k, graclus, …, or its JSON
    #[arg(long, value_name = "NAME|JSON")]
    pool: Option<String>,
    /// Replace what the operator learns by random numbers: normal, uniform, bernoulli or invariant
    #[arg(long, value_name = "KIND")]
    control: Option<String>,
    /// The convolution: sage, gcn, gin, …, or its JSON
    #[arg(long, value_name = "NAME|JSON")]
    conv: Option<String>,
    /// Width of every layer [default: the network's own]
    #[arg(long, value_name = "N")]
    hidden: Option<u32>,
    /// How often a hierarchical network pools
    #[arg(long, value_name = "N")]
    levels: Option<u32>,
    /// Layers of a flat network
    #[arg(long, value_name = "N")]
    layers: Option<u32>,
    /// Probability of dropping a feature
    #[arg(long, value_name = "P")]
    dropout: Option<f64>,
    /// Node features: auto, or JSON as `["label", "attributes"]`
    #[arg(long, value_name = "auto|JSON")]
    features: Option<String>,
    /// Most epochs of a run [default: 150]
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Epochs without a better validation value after which a run stops [default: 30]; 0: never
    #[arg(long, value_name = "N")]
    patience: Option<u32>,
    /// Graphs per step [default: 64]
    #[arg(long, value_name = "N")]
    batch: Option<u32>,
    /// Learning rate of Adam [default: 0.001]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Weight decay of Adam [default: 0]
    #[arg(long, value_name = "W")]
    weight_decay: Option<f64>,
    /// Longest gradient [default: any]
    #[arg(long, value_name = "NORM")]
    clip_norm: Option<f64>,
    /// Runs: independent 80/10/10 splits, each with its own initial parameters [default: 10]
    #[arg(long, value_name = "N")]
    seeds: Option<u32>,
    /// What everything random is derived from [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Flags {
    /// The experiment that the flags describe.
    pub(crate) fn experiment(&self) -> Result<Checked> {
        let dataset = self.dataset.as_deref().context("--dataset NAME is needed (or --experiment FILE)")?;
        let model = self.model()?;
        let name = |config: &Value| config["kind"].as_str().unwrap_or("model").to_owned();
        let method = match (&model["pool"], &model["pool"]["control"]) {
            (Value::Null, _) => name(&model),
            (pool, Value::String(control)) => format!("{}-{control}", name(pool)),
            (pool, _) => name(pool),
        };
        let mut words = json!({
            "id": id(&format!("train/{dataset}/{method}")),
            "dataset": dataset,
            "model": model,
            "train": self.train(),
        });
        if let Some(features) = &self.features {
            words["features"] =
                if features == "auto" { json!("auto") } else { parsed("--features", features)? };
        }
        if let Some(seeds) = self.seeds {
            words["protocol"] =
                json!({"kind": "holdout", "train": 0.8, "valid": 0.1, "test": 0.1, "repeats": seeds});
        }
        if let Some(seed) = self.seed {
            words["seed"] = seed.into();
        }
        Ok(Checked::from_value(words)?)
    }

    fn train(&self) -> Value {
        let mut train = json!({ "epochs": self.epochs.unwrap_or(EPOCHS) });
        let patience = self.patience.unwrap_or(PATIENCE);
        train["patience"] = if patience == 0 { Value::Null } else { patience.into() };
        if let Some(batch) = self.batch {
            train["batch"] = batch.into();
        }
        if self.lr.is_some() || self.weight_decay.is_some() {
            train["optimizer"] = json!({"kind": "adam"});
            for (key, value) in [("lr", self.lr), ("weight_decay", self.weight_decay)] {
                if let Some(value) = value {
                    train["optimizer"][key] = value.into();
                }
            }
        }
        if let Some(norm) = self.clip_norm {
            train["clip_norm"] = norm.into();
        }
        train
    }

    fn model(&self) -> Result<Value> {
        let kind = self.model.as_deref().unwrap_or("hierarchical");
        let spec = by_kind("model", MODELS, |spec| spec.name, &json!({ "kind": kind }))?;
        let example = (spec.example)();
        let mut model = Part { name: kind, example: &example, words: Map::new() };
        model.words.insert("kind".to_owned(), kind.into());

        let conv = self.conv.as_deref().map(|conv| convolution(conv, &example["conv"])).transpose()?;
        model.set("--conv", "conv", conv.clone())?;
        model.set("--hidden", "hidden", self.hidden.map(Value::from))?;
        model.set("--levels", "levels", self.levels.map(Value::from))?;
        model.set("--layers", "layers", self.layers.map(Value::from))?;
        model.set("--dropout", "dropout", self.dropout.map(Value::from))?;
        let pool = (example.get("pool").is_some() || self.pool.is_some() || self.control.is_some())
            .then(|| self.pool(conv))
            .transpose()?;
        model.set(if self.pool.is_some() { "--pool" } else { "--control" }, "pool", pool)?;
        Ok(model.words.into())
    }

    /// The operator. Where it has convolutions of its own, `--conv` and `--hidden` are theirs too.
    fn pool(&self, conv: Option<Value>) -> Result<Value> {
        let given = self.pool.as_deref().unwrap_or("diffpool");
        let mut pool =
            if given.starts_with('{') { parsed("--pool", given)? } else { json!({ "kind": given }) };
        let spec = by_kind("pooling operator", coarsen_pool::POOLS, |spec| spec.name, &pool)?;
        let example = (spec.example)();
        let words = pool.as_object_mut().context("--pool: not a JSON object")?;
        for (key, value) in [("conv", conv), ("hidden", self.hidden.map(Value::from))] {
            if let Some(value) = value.filter(|_| example.get(key).is_some()) {
                words.entry(key).or_insert(value);
            }
        }
        if let Some(control) = &self.control {
            words.insert("control".to_owned(), control.as_str().into());
            coarsen_pool::invariance(&pool)?;
        }
        Ok(pool)
    }
}

/// The words of a module, checked for fields it does not have.
struct Part<'a> {
    name: &'a str,
    example: &'a Value,
    words: Map<String, Value>,
}

impl Part<'_> {
    fn set(&mut self, flag: &str, field: &str, value: Option<Value>) -> Result<()> {
        let Some(value) = value else { return Ok(()) };
        let fields: Vec<&str> =
            self.example.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
        ensure!(
            fields.contains(&field),
            "{flag}: the model `{}` has no `{field}`; it has {}",
            self.name,
            fields.join(", ")
        );
        self.words.insert(field.to_owned(), value);
        Ok(())
    }
}

/// A convolution by name: as the network has it by default where that is the one, else with its own defaults.
fn convolution(given: &str, default: &Value) -> Result<Value> {
    if given.starts_with('{') {
        return parsed("--conv", given);
    }
    let config = json!({ "kind": given });
    by_kind("convolution", CONVS, |spec| spec.name, &config)?;
    Ok(if default["kind"] == given { default.clone() } else { config })
}

fn parsed(flag: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("{flag}: `{text}` is not JSON"))
}

/// A change of one field, as `train.epochs=20` or `model.pool.ratio=0.1`: keys joined by points, and JSON or plain text.
pub(crate) fn set(experiment: &Checked, change: &str) -> Result<Checked> {
    let Some((path, value)) = change.split_once('=') else {
        bail!("--set {change}: must be KEY=VALUE, as train.epochs=20");
    };
    let value: Value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    experiment.with(&path.replace('.', "/"), value).with_context(|| format!("--set {change}"))
}

/// The experiment of a JSON file.
pub(crate) fn from_file(path: &Path) -> Result<Checked> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Checked::parse(&text).with_context(|| path.display().to_string())
}

/// A name that can be the path of a record.
pub(crate) fn id(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    name.chars().map(|c| if plain(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    fn flags(line: &str) -> Flags {
        Line::parse_from(std::iter::once("train").chain(line.split_whitespace())).flags
    }

    fn words(line: &str) -> Value {
        flags(line).experiment().unwrap().explicit().clone()
    }

    fn refused(line: &str) -> String {
        format!("{:#}", flags(line).experiment().unwrap_err())
    }

    #[test]
    fn only_what_was_set_is_said() {
        let expected = json!({
            "id": "train/PROTEINS/diffpool",
            "dataset": "PROTEINS",
            "model": {"kind": "hierarchical", "pool": {"kind": "diffpool"}},
            "train": {"epochs": 150, "patience": 30},
        });
        assert_eq!(words("--dataset PROTEINS --pool diffpool"), expected);
        assert_eq!(words("--dataset PROTEINS"), expected);
    }

    #[test]
    fn every_flag_has_its_place() {
        let expected = json!({
            "id": "train/TRIANGLES-3/diffpool-normal",
            "dataset": "TRIANGLES@3",
            "features": "auto",
            "model": {
                "kind": "hierarchical", "conv": {"kind": "gcn"}, "hidden": 16, "levels": 2, "dropout": 0.5,
                "pool": {"kind": "diffpool", "conv": {"kind": "gcn"}, "hidden": 16, "control": "normal"},
            },
            "protocol": {"kind": "holdout", "train": 0.8, "valid": 0.1, "test": 0.1, "repeats": 3},
            "train": {
                "epochs": 5, "patience": null, "batch": 20, "clip_norm": 2.0,
                "optimizer": {"kind": "adam", "lr": 0.01, "weight_decay": 0.1},
            },
            "seed": 7,
        });
        let line = "--dataset TRIANGLES@3 --features auto --model hierarchical --pool diffpool --control normal --conv gcn \
                    --hidden 16 --levels 2 --dropout 0.5 --seeds 3 --epochs 5 --patience 0 --batch 20 --clip-norm 2 \
                    --lr 0.01 --weight-decay 0.1 --seed 7";
        assert_eq!(words(line), expected);
    }

    #[test]
    fn operators_may_be_json_and_keep_what_it_says() {
        let words = words(r#"--dataset X --hidden 8 --pool {"kind":"diffpool","hidden":4}"#);
        assert_eq!(words["model"]["pool"], json!({"kind": "diffpool", "hidden": 4}));
        assert_eq!(
            self::words("--dataset X --pool top-k --hidden 8")["model"]["pool"],
            json!({"kind": "top-k"})
        );
    }

    #[test]
    fn the_networks_own_convolution_stays_as_it_is() {
        let conv = |line: &str| words(line)["model"]["conv"].clone();
        assert_eq!(conv("--dataset X --conv sage"), json!({"kind": "sage", "normalize": true}));
        assert_eq!(conv("--dataset X --conv gin"), json!({"kind": "gin"}));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!(refused("--pool diffpool").starts_with("--dataset"));
        assert!(
            refused("--dataset X --pool top-q").starts_with("unknown pooling operator `top-q`; known are")
        );
        assert!(refused("--dataset X --conv sgae").starts_with("unknown convolution `sgae`"));
        assert!(refused("--dataset X --model flart").starts_with("unknown model `flart`"));
        assert!(
            refused("--dataset X --model gin --conv gcn")
                .starts_with("--conv: the model `gin` has no `conv`")
        );
        assert!(
            refused("--dataset X --model flat --pool top-k").starts_with("--pool: the model `flat` has no")
        );
        assert!(refused("--dataset X --control norm").contains("unknown variant `norm`"));
        assert!(refused("--dataset X --epochs 0").contains("`epochs` must be at least 1"));
    }

    #[test]
    fn a_field_can_be_set_by_its_path() {
        let experiment = flags("--dataset X").experiment().unwrap();
        let changed = set(&experiment, "model.pool.ratio=0.1").unwrap();
        let changed = set(&changed, "dataset=MUTAG").unwrap();
        assert_eq!(changed.explicit()["model"]["pool"]["ratio"], 0.1);
        assert_eq!(changed.experiment().dataset, "MUTAG");
        assert!(
            format!("{:#}", set(&changed, "train.epoch=3").unwrap_err()).contains("unknown field `epoch`")
        );
        assert!(set(&changed, "epochs").is_err());
    }
}

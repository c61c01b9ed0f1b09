//! Training on the built-in set COMMUNITIES, whose classes differ in how communities are joined and in nothing that is seen from near: a
//! flat network against one that pools three times.
//!
//! `cargo run --release --example classify_communities`
#![allow(clippy::print_stdout)] // an example says what it found

use std::error::Error;

use coarsen::eval::{Environment, Rule};
use coarsen::graph::DataDir;
use coarsen::train::{Checked, Compute, EpochScores, Observer, Place, run};
use serde_json::{Value, json};
use tch::Device;

/// One split and a few epochs; the `coarsen` binary takes the same JSON from a file.
fn experiment(model: &Value) -> Value {
    json!({
        "dataset": "COMMUNITIES",
        "protocol": {"kind": "holdout", "train": 0.8, "valid": 0.1, "test": 0.1, "repeats": 1},
        "model": model,
        "train": {"optimizer": {"kind": "adam", "lr": 0.01}, "epochs": 20, "batch": 32},
    })
}

/// Prints every fifth epoch.
struct Lines;

impl Observer for Lines {
    fn epoch(&mut self, _run: u32, epoch: u32, scores: &EpochScores) {
        let EpochScores { loss, train, valid, .. } = scores;
        if epoch.is_multiple_of(5) {
            println!(
                "  epoch {epoch:>2}: loss {loss:.3}, accuracy {train:.3} in training, {valid:.3} in validation"
            );
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let gin = json!({"kind": "gin"});
    let flat = json!({"kind": "flat", "hidden": 16, "conv": gin});
    let pooled = json!({"kind": "hierarchical", "hidden": 16, "conv": gin, "pool": {"kind": "graclus"}, "levels": 3, "post": 1});
    for (name, model) in [("flat", flat), ("pooled three times", pooled)] {
        println!("{name}:");
        let experiment = Checked::from_value(experiment(&model))?;
        let plan = experiment.experiment();
        let data = DataDir::new("data").load(&plan.dataset, &plan.features)?;
        let environment = Environment::host(env!("CARGO_PKG_VERSION"), "2.11.0", "cpu", 1);
        let place = Place { compute: Compute { device: Device::Cpu, threads: 1 }, workers: 1, environment };
        let record = run(&experiment, &data, &place, None, &mut |_| Ok(()), &mut Lines)?;
        println!("  test accuracy at the best validation epoch: {:.3}", record.score(Rule::Honest)?.mean);
    }
    Ok(())
}

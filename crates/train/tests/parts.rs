//! A step in parts is the step of the whole batch. A file of its own: the number of threads is the whole program's.

use coarsen_graph::{DataDir, FeatureRule};
use coarsen_train::{Batch, Stepper, Streams, TaskConfig, TrainConfig, Trained};
use serde_json::{Value, json};
use tch::{Device, Tensor};

const SAMPLES: usize = 90;

/// Losses of two epochs, the loss of an evaluation, and every variable afterwards.
fn trained((model, reconstruction): (&Value, f64), threads: usize) -> (Vec<f64>, Vec<(String, Tensor)>) {
    let data = DataDir::new("none").load("COMMUNITIES", &FeatureRule::default()).expect("a built-in set");
    let task = TaskConfig::default().on(&data).expect("it has classes");
    let streams = Streams::new(0, 0);
    let network = Trained::new(model, task.as_ref(), streams.init(), Device::Cpu).expect("a model");
    // The last batch has 10 samples less than the others, and one more would leave a batch of one.
    let config = TrainConfig { batch: 40, reconstruction, ..TrainConfig::default() };
    let mut stepper = Stepper::new(&network, task.as_ref(), &config, streams, threads).expect("a model");
    let index: Vec<usize> = (0..SAMPLES).collect();
    let mut losses: Vec<f64> = (1..=2)
        .map(|epoch| {
            let epoch = stepper.epoch(epoch, &index).expect("it trains");
            assert_eq!(epoch.steps, 3);
            epoch.score.loss
        })
        .collect();
    losses.push(stepper.score(&index).expect("samples").loss);
    assert_eq!(stepper.fixed(&index, |batches| batches.map(|b: Batch| b.target.size()[0]).sum::<i64>()), 90);
    let mut variables: Vec<_> = network.vars.variables().into_iter().collect();
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    (losses, variables)
}

/// Batch norm on sparse and on dense levels, means over graphs, over nodes and over edges, host plans, selections.
#[test]
fn two_threads_train_what_one_thread_trains() {
    for (model, reconstruction) in [
        (json!({"kind": "gin", "hidden": 8, "dropout": 0.0}), 0.0),
        (json!({"kind": "flat", "hidden": 8, "conv": {"kind": "sage"}, "norm": "after"}), 0.0),
        (json!({"kind": "flat", "hidden": 8, "conv": {"kind": "sage"}, "norm": "none"}), 0.5),
        (
            json!({"kind": "hierarchical", "hidden": 8, "pool": {"kind": "top-k"}, "conv": {"kind": "gcn"}}),
            0.0,
        ),
        (
            json!({"kind": "hierarchical", "hidden": 8, "levels": 2, "pool": {"kind": "diffpool", "ratio": 0.5}}),
            0.0,
        ),
        // Not divided: its losses are those of the padded batch.
        (json!({"kind": "hierarchical", "hidden": 8, "pool": {"kind": "diffpool-pyg"}}), 0.0),
    ] {
        let network = (&model, reconstruction);
        let ((one, of_one), (two, of_two)) = (trained(network, 1), trained(network, 2));
        // Before a batch norm the gradient of a bias is rounding alone, of which Adam makes whole steps.
        let normed = of_one.iter().any(|(name, _)| name.contains("running_mean"));
        for (one, two) in one.iter().zip(&two).take(if normed { 2 } else { 3 }) {
            assert!((one - two).abs() < 1e-4 * one.abs(), "{model}: losses {one} and {two}");
        }
        let told = |name: &str| !normed || name.contains("running_var");
        let tolerance = if normed { 0.05 } else { 1e-4 };
        for ((name, one), (_, two)) in of_one.iter().zip(&of_two).filter(|((name, _), _)| told(name)) {
            let apart = ((one - two) / one.abs().clamp_min(1.0)).abs().max().double_value(&[]);
            assert!(apart < tolerance, "{model}: {name} differs by {apart}");
        }
        let again = trained(network, 2);
        assert_eq!(two, again.0, "{model}: the same number of threads gives the same bits");
        assert!(of_two.iter().zip(&again.1).all(|((_, a), (_, b))| a.equal(b)), "{model}");
    }
}

//! Real training: a toy task is solved, the same experiment gives the same record, an interrupted one goes on.

use coarsen_eval::{Environment, Outcome, Record, Rule, Run};
use coarsen_graph::{Dataset, InMemory, Sample, Target, TopologyBuf};
use coarsen_train::{
    Checked, Compute, EpochScores, Observer, Place, RunError, Silent, Stepper, Streams, TaskConfig,
    TrainConfig, Trained, blind, run,
};
use ndarray::Array2;
use serde_json::{Value, json};
use tch::Device;

/// 60 graphs: cycles (class 0) and stars (class 1) of 4 to 13 nodes. Features: 1, and is the node of degree 2?
fn cycles_and_stars() -> InMemory {
    let samples = (0..60u32).map(|g| {
        let (n, star) = (4 + g / 2 % 10, g % 2 == 1);
        let pairs: Vec<(u32, u32)> = (1..n)
            .map(|i| if star { (0, i) } else { (i - 1, i) })
            .chain((!star).then_some((n - 1, 0)))
            .collect();
        let both = pairs.iter().flat_map(|&(i, j)| [(i, j), (j, i)]);
        let topology = TopologyBuf::from_edges(n as usize, both).expect("edges in range");
        let two = |i: usize| topology.view().degree(i) == 2;
        let x = Array2::from_shape_fn((n as usize, 2), |(i, f)| f32::from(u8::from(f == 0 || two(i))));
        Sample::new(topology, x, Target::Class(u32::from(star))).expect("a row per node")
    });
    InMemory::from_samples("cycles-and-stars", samples.collect(), 2).expect("well-formed samples")
}

fn experiment(model: &Value, epochs: u32) -> Checked {
    let value = json!({
        "dataset": "cycles-and-stars", "model": model,
        "protocol": {"kind": "holdout", "repeats": 2, "stratified": true},
        "train": {"optimizer": {"kind": "adam", "lr": 0.01}, "epochs": epochs, "batch": 16},
    });
    Checked::from_value(value).expect("an experiment")
}

fn place(workers: usize) -> Place {
    Place {
        compute: Compute { device: Device::Cpu, threads: 1 },
        workers,
        environment: Environment::host("0", "0", "cpu", 1),
    }
}

fn trained(
    experiment: &Checked,
    previous: Option<Record>,
    see: &mut (dyn Observer + Send),
) -> Result<Record, RunError> {
    run(experiment, &cycles_and_stars(), &place(1), previous, &mut |_| Ok(()), see)
}

#[test]
fn a_toy_task_is_solved() {
    let models = [
        json!({"kind": "gin", "hidden": 16}),
        json!({"kind": "hierarchical", "hidden": 16, "pool": {"kind": "diffpool"}}),
        json!({"kind": "hierarchical", "hidden": 16, "pool": {"kind": "top-k", "keep": {"ratio": 0.8}}, "conv": {"kind": "gcn"}}),
        json!({"kind": "hierarchical", "hidden": 16, "pool": {"kind": "graclus"}, "conv": {"kind": "gcn"}}),
        json!({"kind": "hierarchical", "hidden": 16, "pool": {"kind": "mincut"}}),
        json!({"kind": "hierarchical", "hidden": 16, "pool": {"kind": "gmn", "width": 16}}),
    ];
    for model in models {
        let record = trained(&experiment(&model, 30), None, &mut Silent).expect("a record");
        let score = record.score(Rule::LastEpoch).expect("all runs ended");
        assert!(score.mean > 0.99, "{model}: {}", score.mean);
        let curves = record.curves().expect("all runs ended");
        assert!(
            curves.iter().all(|(_, c)| c.train_loss[29] < c.train_loss[0] && c.train[29] > 0.9),
            "{model}: the training samples are learned"
        );
    }
}

#[test]
fn the_same_experiment_gives_the_same_record_and_another_seed_another() {
    let model = json!({"kind": "hierarchical", "hidden": 8, "pool": {"kind": "diffpool"}, "dropout": 0.3});
    let experiment = experiment(&model, 4);
    let first = trained(&experiment, None, &mut Silent).expect("a record");
    assert!(first.same_but_times(&trained(&experiment, None, &mut Silent).expect("a record")));
    let both = run(&experiment, &cycles_and_stars(), &place(2), None, &mut |_| Ok(()), &mut Silent);
    assert!(first.same_but_times(&both.expect("a record")), "two runs side by side are the same two runs");
    let other = experiment.with("seed", 1).expect("an experiment");
    assert!(!first.same_but_times(&trained(&other, None, &mut Silent).expect("a record")));
}

/// Stops in the second run.
struct Impatient {
    finished: u32,
}

impl Observer for Impatient {
    fn run_finished(&mut self, _: &Run) {
        self.finished += 1;
    }
    fn epoch(&mut self, _: u32, _: u32, scores: &EpochScores) {
        assert!(scores.loss.is_finite() && (0.0..=1.0).contains(&scores.test));
    }
    fn interrupted(&self) -> bool {
        self.finished == 1
    }
}

#[test]
fn an_interrupted_experiment_resumes_to_the_same_record() {
    let experiment = experiment(&json!({"kind": "gin", "hidden": 8}), 3);
    let whole = trained(&experiment, None, &mut Silent).expect("a record");

    let mut kept = None;
    let save = &mut |record: &Record| {
        kept = Some(record.clone());
        Ok(())
    };
    let mut see = Impatient { finished: 0 };
    let stopped = run(&experiment, &cycles_and_stars(), &place(1), None, save, &mut see);
    assert!(matches!(stopped, Err(RunError::Interrupted)));
    let kept = kept.expect("the finished run was saved");
    assert_eq!(kept.missing(), [1]);
    let resumed = trained(&experiment, Some(kept.clone()), &mut Silent).expect("a record");
    assert!(whole.same_but_times(&resumed));

    // Runs on other data are no part of this record.
    let mut other = kept.on_data("another content");
    other.runs[0].seed += 1;
    let afresh = trained(&experiment, Some(other), &mut Silent).expect("a record");
    assert!(whole.same_but_times(&afresh));
}

#[test]
fn a_run_that_diverges_is_recorded_as_failed() {
    let wild = experiment(&json!({"kind": "gin", "hidden": 8}), 20)
        .with("train/optimizer/lr", 1e30)
        .expect("an experiment");
    let record = trained(&wild, None, &mut Silent).expect("a record of failures");
    assert!(
        record
            .runs
            .iter()
            .all(|run| matches!(&run.outcome, Outcome::Failed { error } if error.contains("lr")))
    );
    assert!(record.score(Rule::Honest).is_err());
}

/// Panics in the first run.
struct Clumsy;

impl Observer for Clumsy {
    fn epoch(&mut self, run: u32, _: u32, _: &EpochScores) {
        assert_ne!(run, 0, "out of memory");
    }
}

#[test]
fn a_run_that_panics_is_recorded_as_failed_and_the_others_go_on() {
    let experiment = experiment(&json!({"kind": "gin", "hidden": 8}), 2);
    let record = trained(&experiment, None, &mut Clumsy).expect("a record");
    let failures: Vec<_> = record.failures().collect();
    assert!(
        matches!(failures[..], [(0, error)] if error.contains("panicked") && error.contains("out of memory"))
    );
    assert!(matches!(record.runs[1].outcome, Outcome::Done { .. }));
}

#[test]
fn a_broken_model_stops_everything_and_names_the_field() {
    let broken = experiment(&json!({"kind": "gin", "hiden": 8}), 2);
    let message = trained(&broken, None, &mut Silent).expect_err("refused").to_string();
    assert!(message.contains("hiden"), "{message}");
}

#[test]
fn the_majority_is_half_of_a_balanced_set() {
    let data = cycles_and_stars();
    assert_eq!(data.info().classes, 2);
    let experiment = experiment(&json!({"kind": "gin"}), 1);
    let plan = experiment.experiment();
    let scores = blind(&data, &plan.task, &plan.protocol, 0).expect("scores");
    assert_eq!(scores, [0.5, 0.5]);
}

/// Of memory layers the task moves all but the keys, the divergence the keys alone (the paper) or all but them (the release).
#[test]
fn keys_learn_in_epochs_of_their_own() {
    let data = cycles_and_stars();
    let task = TaskConfig::default().on(&data).expect("classes");
    for (keys, of_task, of_keys) in [
        (json!({"every": 2}), [true, false], [false, true]),
        (json!({"frozen-every": 2}), [true, false], [true, false]),
    ] {
        let pool = json!({"kind": "gmn", "width": 8, "clusters": 3, "keys": keys});
        let model = json!({"kind": "hierarchical", "hidden": 8, "norm": "none", "pool": pool});
        let streams = Streams::new(0, 0);
        let trained = Trained::new(&model, task.as_ref(), streams.init(), Device::Cpu).expect("a network");
        let mut stepper =
            Stepper::new(&trained, task.as_ref(), &TrainConfig::default(), streams, 2).expect("a stepper");
        let variable = |name: &str| trained.vars.variables()[name].copy();
        let mut moved = |epoch| {
            let names = ["model.convs0.conv0.root.weight", "model.pool0.keys"];
            let before = names.map(variable);
            let trained = stepper.epoch(epoch, &(0..60).collect::<Vec<_>>()).expect("an epoch");
            assert_eq!(trained.steps, 1, "60 graphs are one batch of 64");
            [0, 1].map(|i| !variable(names[i]).equal(&before[i]))
        };
        assert_eq!(moved(1), of_task, "{pool}");
        assert_eq!(moved(2), of_keys, "{pool}");
        assert_eq!(moved(3), of_task, "{pool}");
    }
}

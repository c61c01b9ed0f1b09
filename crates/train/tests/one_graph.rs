//! Tasks of the nodes and edges of one graph: they are learned, and what is held out stays unseen.

use coarsen_eval::{Environment, Protocol, Record, Rule, metric};
use coarsen_graph::{DataDir, Dataset, FeatureRule, InMemory, Sample, Target, TopologyBuf};
use coarsen_model::{Model, Needs, Output};
use coarsen_nn::Ctx;
use coarsen_pool::{Loss, Over};
use coarsen_tensor::Level;
use coarsen_train::{
    Checked, Compute, Place, RunError, Silent, Stepper, Streams, Task, TaskConfig, TrainConfig, Trained,
    blind, run,
};
use ndarray::Array2;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

/// The club of the registry, each member with a feature of its own.
fn karate() -> InMemory {
    InMemory::from_samples("KARATE", vec![coarsen_graph::generate::karate()], 2).expect("a set")
}

/// Four communities of 15 nodes: most pairs inside are joined, and few of those between.
fn communities() -> InMemory {
    let (n, mut state) = (60u32, 7u64);
    let mut percent = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 100
    };
    let pairs = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
    let edges: Vec<(u32, u32)> =
        pairs.filter(|(a, b)| percent() < if a / 15 == b / 15 { 70 } else { 2 }).collect();
    let topology = TopologyBuf::from_undirected(n as usize, edges).expect("edges in range");
    let sample = Sample::new(topology, Array2::eye(n as usize), Target::Class(0)).expect("a row per node");
    let sample = sample.with_node_class((0..n).map(|node| node / 15).collect()).expect("a class per node");
    InMemory::from_samples("four-communities", vec![sample], 4).expect("a set")
}

fn flat(conv: &str) -> Value {
    json!({"kind": "flat", "conv": {"kind": conv}, "layers": 2, "hidden": 16, "norm": "none", "jump": "last",
           "ending": "plain", "dropout": 0.2})
}

fn u_net() -> Value {
    json!({"kind": "graph-unet", "hidden": 16, "pools": [{"kind": "top-k", "keep": {"ratio": 0.5}}]})
}

fn experiment(task: &Value, model: &Value, epochs: u32) -> Checked {
    let value = json!({
        "dataset": "one graph", "task": task, "model": model,
        "protocol": {"kind": "holdout", "repeats": 2},
        "train": {"optimizer": {"kind": "adam", "lr": 0.01, "weight_decay": 5e-4}, "epochs": epochs},
    });
    Checked::from_value(value).expect("an experiment")
}

fn trained(experiment: &Checked, data: &InMemory) -> Result<Record, RunError> {
    let place = Place {
        compute: Compute { device: Device::Cpu, threads: 1 },
        workers: 1,
        environment: Environment::host("0", "0", "cpu", 1),
    };
    run(experiment, data, &place, None, &mut |_| Ok(()), &mut Silent)
}

fn mean(record: &Record, rule: Rule) -> f64 {
    record.score(rule).expect("all runs ended").mean
}

#[test]
fn nodes_are_told_apart() {
    let nodes = json!({"kind": "node-classification"});
    for model in [flat("gcn"), flat("sage"), flat("gat"), flat("gin"), u_net()] {
        let record = trained(&experiment(&nodes, &model, 100), &karate()).expect("a record");
        let curves = record.curves().expect("all runs ended");
        assert!(curves.iter().all(|(_, c)| c.train[99] > 0.9), "{model}: the training nodes are learned");
        let unseen = mean(
            &trained(&experiment(&nodes, &model, 100), &communities()).expect("a record"),
            Rule::LastEpoch,
        );
        assert!(unseen > 0.8, "{model}: {unseen} of the test nodes");
    }
}

#[test]
fn edges_are_foretold() {
    for model in [flat("gcn"), flat("sage"), flat("gat"), flat("gin"), u_net()] {
        for removal in ["degree", "uniform"] {
            let links = json!({"kind": "link-prediction", "removal": removal});
            let record = trained(&experiment(&links, &model, 60), &communities()).expect("a record");
            let area = mean(&record, Rule::Honest);
            assert!(area > 0.7, "{model}: an area of {area}");
        }
    }
}

#[test]
fn the_same_experiment_gives_the_same_record_and_another_seed_another() {
    for kind in ["link-prediction", "node-classification"] {
        let experiment = experiment(&json!({"kind": kind}), &flat("gcn"), 3);
        let record = |experiment: &Checked| trained(experiment, &karate()).expect("a record");
        let first = record(&experiment);
        assert!(first.same_but_times(&record(&experiment)), "{kind}");
        assert!(
            !first.same_but_times(&record(&experiment.with("seed", 1).expect("an experiment"))),
            "{kind}"
        );
    }
}

/// What weighs nothing changes no bit; what weighs something moves the training loss, and repeats.
#[test]
fn edges_are_reconstructed_where_that_weighs_something() {
    let nodes = json!({"kind": "node-classification"});
    let plain = experiment(&nodes, &flat("gcn"), 3);
    let curves = |experiment: &Checked| {
        let record = trained(experiment, &karate()).expect("a record");
        record
            .curves()
            .expect("all runs ended")
            .into_iter()
            .map(|(_, curves)| curves.clone())
            .collect::<Vec<_>>()
    };
    let weighing = |weight: f64| plain.with("train/reconstruction", weight).expect("an experiment");
    let without = curves(&plain);
    assert_eq!(without, curves(&weighing(0.0)));
    let with = curves(&weighing(0.5));
    assert_eq!(with, curves(&weighing(0.5)));
    for (without, with) in without.iter().zip(&with) {
        // A mean over edges and one over others, each above 0; the first epoch begins with the same parameters.
        assert!(with.train_loss[0] > without.train_loss[0] + 0.1, "{with:?}");
        assert_ne!(with.valid_loss, without.valid_loss);
    }
}

#[test]
fn edges_are_not_reconstructed_twice_and_not_without_nodes() {
    let links = experiment(&json!({"kind": "link-prediction"}), &flat("gcn"), 1);
    let message = links.with("train/reconstruction", 0.1).expect_err("refused").to_string();
    assert_eq!(
        message,
        "train: `reconstruction` must be 0 of link prediction, whose own loss it is, got 0.1"
    );
    let graphs = json!({
        "dataset": "COMMUNITIES", "model": {"kind": "hierarchical"},
        "train": {"epochs": 1, "reconstruction": 0.1},
    });
    let graphs = Checked::from_value(graphs).expect("an experiment");
    let data = DataDir::new("none").load("COMMUNITIES", &FeatureRule::default()).expect("a built-in set");
    let message = trained(&graphs, &data).expect_err("refused").to_string();
    assert_eq!(message, "train: `reconstruction` must be 0 of a network that gives no row per node, got 0.1");
    let message = graphs.with("train/reconstruction", -1.0).expect_err("refused").to_string();
    assert_eq!(message, "train: `reconstruction` must be 0 or a positive number, got -1");
}

/// The classes of the test nodes decide the test values and nothing else.
#[test]
fn classes_of_test_nodes_do_not_leak() {
    let experiment = experiment(&json!({"kind": "node-classification"}), &flat("gcn"), 10)
        .with("protocol/repeats", 1)
        .expect("an experiment");
    let (plan, data) = (experiment.experiment(), communities());
    let splits =
        plan.task.on(&data).expect("classes").splits(&plan.protocol, plan.seed).expect("enough nodes");
    let sample = data.sample(0);
    let mut classes = sample.node_class.expect("classes").to_vec();
    for &node in &splits[0].test {
        classes[node] = (classes[node] + 1) % 4;
    }
    let spoilt = sample.to_owned().with_node_class(classes).expect("a class per node");
    let spoilt = InMemory::from_samples("spoilt", vec![spoilt], 4).expect("a set");
    let [right, wrong] = [&data, &spoilt].map(|data| trained(&experiment, data).expect("a record"));
    let curves = |record: &Record| record.curves().expect("all runs ended")[0].1.clone();
    let (right, wrong) = (curves(&right), curves(&wrong));
    assert_eq!((&right.train_loss, &right.train), (&wrong.train_loss, &wrong.train));
    assert_eq!((&right.valid_loss, &right.valid), (&wrong.valid_loss, &wrong.valid));
    assert_ne!(right.test, wrong.test);
}

#[test]
fn one_pass_scores_both_parts() {
    let data = karate();
    for kind in ["link-prediction", "node-classification"] {
        let task: TaskConfig = serde_json::from_value(json!({"kind": kind})).expect("a task");
        let task = task.on(&data).expect("it fits");
        let split = &task.splits(&Protocol::default(), 0).expect("enough")[0];
        let own = task.on_split(split);
        let task = own.as_deref().unwrap_or(task.as_ref());
        let streams = Streams::new(0, 0);
        let network = Trained::new(&flat("gcn"), task, streams.init(), Device::Cpu).expect("a network");
        let mut stepper =
            Stepper::new(&network, task, &TrainConfig::default(), streams, 2).expect("a stepper");
        let both = stepper.scores([&split.valid, &split.test]).expect("samples");
        let each = [&split.valid, &split.test].map(|part| stepper.score(part).expect("samples"));
        for (both, each) in both.iter().zip(each) {
            assert!(
                (both.loss - each.loss).abs() < 1e-6 && (both.metric - each.metric).abs() < 1e-12,
                "{kind}"
            );
        }
    }
}

/// A network with an auxiliary loss: the mean square of what it says of the nodes.
#[derive(Debug)]
struct Penalised(Box<dyn Model>);

impl Model for Penalised {
    fn needs(&self) -> Needs {
        self.0.needs()
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let mut output = self.0.forward(g, ctx);
        let square = output.nodes.as_ref().map(|x| x.square().mean(Kind::Float));
        output.losses.extend(square.map(|value| Loss::new("square", value, Over::Nodes, g).weighing(3.0)));
        output
    }

    fn out_features(&self) -> i64 {
        self.0.out_features()
    }
}

#[test]
fn auxiliary_losses_reach_the_step() {
    let data = karate();
    for kind in ["link-prediction", "node-classification"] {
        let task: TaskConfig = serde_json::from_value(json!({"kind": kind})).expect("a task");
        let task: Box<dyn Task> = task.on(&data).expect("it fits");
        let streams = Streams::new(0, 0);
        let network =
            || Trained::new(&flat("gcn"), task.as_ref(), streams.init(), Device::Cpu).expect("a network");
        let after = |network: &Trained| {
            let config = TrainConfig::default();
            let mut stepper = Stepper::new(network, task.as_ref(), &config, streams, 1).expect("a stepper");
            let loss = stepper.epoch(1, &(0..20).collect::<Vec<_>>()).expect("an epoch").score.loss;
            (loss, network.vars.variables()["model.stack.conv0.weight"].copy())
        };
        let plain = network();
        let names: Vec<String> = plain.vars.variables().into_keys().collect();
        assert!(names.contains(&"model.stack.conv0.weight".to_owned()), "{names:?}");
        let (loss, weight): (f64, Tensor) = after(&plain);
        let mut penalised = network();
        penalised.model = Box::new(Penalised(penalised.model));
        let (more, other) = after(&penalised);
        assert!(more > loss + 1e-6 && !weight.equal(&other), "{kind}: {loss} and {more}");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let graphs = DataDir::new("none").load("COMMUNITIES", &FeatureRule::default()).expect("a built-in set");
    for kind in ["link-prediction", "node-classification"] {
        let task = json!({"kind": kind});
        let pooled = experiment(&task, &json!({"kind": "hierarchical"}), 1);
        let message = trained(&pooled, &karate()).expect_err("refused").to_string();
        assert!(
            message.starts_with("model: `kind` must be a network that gives a row per node"),
            "{message}"
        );
        assert!(message.ends_with("got \"hierarchical\""), "{message}");
        let message = trained(&experiment(&task, &flat("gcn"), 1), &graphs).expect_err("refused").to_string();
        assert!(
            message.starts_with("COMMUNITIES: tasks of nodes and edges need one graph, got "),
            "{message}"
        );
    }
    let unknown =
        json!({"dataset": "KARATE", "model": flat("gcn"), "task": {"kind": "link-prediction", "hidden": 3}});
    let message = Checked::from_value(unknown).expect_err("refused").to_string();
    assert!(message.contains("unknown field `hidden`"), "{message}");
}

#[test]
fn what_looks_at_nothing_has_a_value_for_every_run() {
    let values = |task: Value, data: &InMemory| {
        let experiment = experiment(&task, &flat("gcn"), 1);
        let plan = experiment.experiment();
        blind(data, &plan.task, &plan.protocol, plan.seed).expect("a value")
    };
    assert_eq!(values(json!({"kind": "link-prediction"}), &karate()), [0.5, 0.5]);
    let data = communities();
    let labels = data.sample(0).node_class.expect("classes");
    let splits = Protocol::default().held_out(60, 0, |order, count| order[..count].to_vec()).expect("enough");
    let majority = splits[..2].iter().map(|split| metric::majority(labels, split).expect("samples"));
    assert_eq!(values(json!({"kind": "node-classification"}), &data), majority.collect::<Vec<_>>());
}

/// The number of nodes of a path.
#[test]
fn a_number_of_every_graph_is_learned() {
    let sample = |g: u32| {
        let n = 3 + g % 8;
        let topology = TopologyBuf::from_undirected(n as usize, (1..n).map(|i| (i - 1, i))).expect("a path");
        let x = Array2::ones((n as usize, 1));
        Sample::new(topology, x, Target::Real(n as f32 / 4.0)).expect("a row per node")
    };
    let data = InMemory::from_samples("paths", (0..80).map(sample).collect(), 0).expect("a set");
    let model = json!({"kind": "flat", "conv": {"kind": "gin"}, "hidden": 16, "norm": "none", "readout": [{"kind": "sum"}]});
    let experiment = experiment(&json!({"kind": "graph-regression", "hidden": 16}), &model, 120);
    let record = trained(&experiment, &data).expect("a record");
    let plan = experiment.experiment();
    let blind = blind(&data, &plan.task, &plan.protocol, plan.seed).expect("a value");
    assert!(blind.iter().all(|&error| error > 0.3), "{blind:?}");
    assert!(mean(&record, Rule::Honest) < 0.1, "{}", mean(&record, Rule::Honest));
    let classes = trained(&experiment, &karate()).expect_err("refused").to_string();
    assert_eq!(classes, "KARATE: every sample needs a real target, got Class(0) of sample 0");
}

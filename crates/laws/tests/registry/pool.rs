//! Every row of `POOLS` obeys the laws of pooling operators, and so does every control of it.

use coarsen_laws::{Laws, Passes, config, pool, tight};
use coarsen_nn::{Dims, Params};
use coarsen_pool::{Control, Invariance, POOLS, Pool, find, invariance};
use serde_json::{Value, json};
use tch::{Device, nn::VarStore};

/// Settings beside the defaults.
fn variants() -> Vec<Value> {
    vec![
        json!({"kind": "asap", "keep": {"count": 2}, "loops": "fill"}),
        json!({"kind": "diffpool", "ratio": 1.0, "cap": 5, "layers": 1, "hidden": 5, "norm": "none", "conv": {"kind": "gcn"}}),
        json!({"kind": "diffpool", "ratio": 0.5, "hidden": 5, "losses": "none", "norm": "before", "conv": {"kind": "gin"}}),
        json!({"kind": "diffpool-det", "ratio": 0.5, "layers": 1, "hidden": 5, "norm": "none", "conv": {"kind": "gcn"}}),
        json!({"kind": "ego", "hops": 2, "width": 4, "features": "message"}),
        json!({"kind": "ego", "inputs": "unit", "similarity": "softmax", "ties": "all", "unpool": "mean"}),
        json!({"kind": "ego", "attention": "vector-first", "combined": "softmax", "loops": "fill", "rows": "unit"}),
        json!({"kind": "g-pool", "ratio": 0.8}),
        json!({"kind": "g-pool", "scorer": "projection", "edges": "walks"}),
        json!({"kind": "gmn", "clusters": 3, "heads": 1, "width": 4, "tau": 1.7, "keys": {"frozen-every": 5}}),
        json!({"kind": "gmn", "clusters": 3, "heads": 2, "width": 4, "kernel": "distance", "keys": "frozen"}),
        json!({"kind": "graclus", "reduce": "mean"}),
        json!({"kind": "kron", "laplacian": "combinatorial", "least": 0.3}),
        json!({"kind": "mem-pool", "clusters": 3, "heads": 1, "width": 4}),
        json!({"kind": "mincut", "clusters": {"mean-ratio": 0.5}, "mlp": [6], "edges": "symmetric"}),
        json!({"kind": "mincut", "clusters": {"count": 3}, "temperature": 0.5}),
        json!({"kind": "sagpool", "conv": {"kind": "sage"}, "keep": {"min-score": 0.2}}),
        json!({"kind": "struct-pool", "clusters": {"count": 3}, "layers": 1, "iterations": 2}),
        json!({"kind": "top-k", "keep": {"ratio": 0.8}, "multiplier": 2.0}),
        json!({"kind": "top-k", "keep": {"count": 2}}),
        json!({"kind": "top-k", "keep": {"min-score": 0.2}}),
        json!({"kind": "top-k", "reach": "two"}),
    ]
}

/// Every operator is tried before any is complained of.
fn obey(operators: impl IntoIterator<Item = (Value, Invariance)>, laws: &Laws) {
    let verdict = |(config, guarantee): (Value, Invariance)| {
        let make =
            |p: &Params, dims: &Dims| coarsen_pool::pool(&config, p, dims).expect("a valid configuration");
        pool::check(make, guarantee, laws).err().map(|broken| format!("{config}: {broken}"))
    };
    let broken: Vec<String> = operators.into_iter().filter_map(verdict).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

fn laws() -> Laws {
    Laws::default().remembered(file!())
}

#[test]
fn every_row() {
    obey(POOLS.iter().map(|spec| ((spec.example)(), spec.invariance)), &laws());
}

fn guaranteed(config: Value) -> (Value, Invariance) {
    let guarantee = invariance(&config).expect("a known kind");
    (config, guarantee)
}

#[test]
fn every_variant() {
    obey(variants().into_iter().map(guaranteed), &laws());
}

#[test]
fn every_preset() {
    let presets = POOLS.iter().flat_map(|spec| spec.presets.iter().map(|preset| preset.config(spec.name)));
    let (signed, others): (Vec<_>, Vec<_>) = presets.map(guaranteed).partition(|(c, _)| c["form"] == "pyg");
    obey(others, &laws());
    // PyG's SAGPool has a parameter of which only the sign counts.
    obey(signed, &laws().without("every_parameter_learns"));
}

#[test]
fn the_sign_of_sagpool_does_not_learn() {
    let config = json!({"kind": "sagpool", "form": "pyg"});
    let make = |p: &Params, dims: &Dims| coarsen_pool::pool(&config, p, dims).expect("a valid configuration");
    let broken = pool::check(make, Invariance::UpToTies, &Laws::default()).expect_err("it breaks a law");
    let message = broken.to_string();
    assert!(message.starts_with("every_parameter_learns does not hold: nothing but 0"), "{message}");
    assert!(message.contains("gradient of select"), "{message}");
}

/// All of [`Control`]: another one does not compile until it is listed.
fn controls() -> [Control; 4] {
    let listed = |control| match control {
        Control::Normal | Control::Uniform | Control::Bernoulli | Control::Invariant => control,
    };
    [Control::Normal, Control::Uniform, Control::Bernoulli, Control::Invariant].map(listed)
}

/// The rows that score something, each under each control.
fn controlled() -> Vec<Value> {
    let store = VarStore::new(Device::Cpu);
    let dims = Dims::new(3, 3).with_sizes([4]);
    let mut configs = Vec::new();
    for (r, spec) in POOLS.iter().enumerate() {
        for (c, control) in controls().into_iter().enumerate() {
            let mut config = (spec.example)();
            config["control"] = json!(control);
            if let Some(hidden) = config.get_mut("hidden") {
                *hidden = json!(6); // what a control replaces is not what takes the time
            }
            let params = Params::new(&store.root(), 0).sub(format!("{r} {c}"));
            match coarsen_pool::pool(&config, &params, &dims) {
                Ok(_) => configs.push(config),
                Err(error) => assert!(error.to_string().contains("`control` must be absent"), "{error}"),
            }
        }
    }
    configs
}

#[test]
fn every_control_of_every_row() {
    let configs = controlled();
    assert!(configs.len() >= 12, "DiffPool twice and Top-k are scored: {configs:?}");
    let guaranteed = |config: Value| {
        // PyG's losses, which are what depends on padding and batch, are dropped with the rest.
        let guarantee = match invariance(&config).expect("a known kind") {
            Invariance::Broken(_) if config["control"] == "invariant" => Invariance::Exact,
            Invariance::Broken(_) => Invariance::Seeded,
            guarantee => guarantee,
        };
        (config, guarantee)
    };
    // The operator's own parameters are made, so that it starts as its learned twin does, and decide nothing.
    obey(configs.into_iter().map(guaranteed), &laws().without("every_parameter_learns"));
}

/// In training it drops features by the place of their node.
#[test]
fn dropout_of_g_pool_in_evaluation() {
    let config = json!({"kind": "g-pool", "dropout": 0.3});
    obey([(config, Invariance::UpToTies)], &Laws { passes: Passes::Evaluation, ..laws() });
}

/// As released the edges of gPool are scaled along their columns alone; every other law holds.
#[test]
fn columns_of_the_released_g_pool_are_not_symmetric() {
    let config = json!({"kind": "g-pool", "edges": "columns"});
    obey([(config.clone(), Invariance::UpToTies)], &laws().without("connect_keeps_symmetry"));
    let make = |p: &Params, dims: &Dims| coarsen_pool::pool(&config, p, dims).expect("a valid configuration");
    let broken = pool::check(make, Invariance::UpToTies, &Laws::default()).expect_err("it breaks a law");
    assert!(broken.to_string().starts_with("connect_keeps_symmetry does not hold"), "{broken}");
}

#[test]
fn every_configuration() {
    for spec in POOLS {
        config::check(spec.name, &(spec.example)(), &spec.build).unwrap_or_else(|broken| panic!("{broken}"));
    }
    let controlled = json!({"kind": "top-k", "control": "normal", "keep": {"ratio": 0.5}, "multiplier": 1.0});
    config::unknown_key_refused(&controlled, &coarsen_pool::pool).unwrap_or_else(|broken| panic!("{broken}"));
}

#[test]
fn the_losses_of_pyg_are_all_that_its_row_breaks() {
    let spec = find("diffpool-pyg").expect("a row");
    assert_eq!(spec.invariance, Invariance::Broken(&["padding", "batch"]));
    let exact = pool::check(
        |p, dims| (spec.build)(&(spec.example)(), p, dims).expect("a valid example"),
        Invariance::Exact,
        &Laws::default(),
    );
    let message = exact.expect_err("it breaks laws").to_string();
    assert!(message.contains("batch_independent does not hold: loss "), "{message}");
}

fn made(config: &Value) -> impl Fn(&Params, &Dims) -> Box<dyn Pool> {
    move |p, dims| coarsen_pool::pool(config, p, dims).expect("a valid configuration")
}

/// The law of order leaves out batches with equal scores; it must not leave out many.
#[test]
fn few_batches_tie() {
    let laws = Laws { cases: 200, ..Laws::default() };
    for spec in POOLS.iter().filter(|spec| spec.invariance == Invariance::UpToTies) {
        let tied = pool::ties(&made(&(spec.example)()), &laws).expect("nothing is asked");
        assert!(tied <= 40, "{}: {tied} of 200 batches are left out", spec.name);
    }
}

/// What is excused from the law of order needs the excuse: rows that are seeded or hold up to ties, and every control that takes numbers by
/// position.
#[test]
fn no_row_declares_less_than_it_keeps() {
    let rows = POOLS.iter().map(|spec| ((spec.example)(), spec.invariance));
    let by_position = controlled().into_iter().filter(|config| config["control"] != "invariant");
    for (mut config, guarantee) in rows.chain(by_position.map(|config| (config, Invariance::Seeded))) {
        if let Some(ratio) = config.get_mut("ratio") {
            *ratio = json!(0.5); // several clusters of small graphs
        }
        tight(&made(&config), guarantee, &Laws::default())
            .unwrap_or_else(|broken| panic!("{config}: {broken}"));
    }
}

//! Every row of `MODELS` obeys the laws of networks, and so do hierarchical ones over every row of `POOLS`.

use coarsen_laws::{Laws, config, model};
use coarsen_model::MODELS;
use coarsen_nn::{Dims, Params};
use coarsen_pool::{Invariance, POOLS, invariance};
use serde_json::{Value, json};

fn obeys(config: &Value, guarantee: Invariance, laws: &Laws) {
    let make =
        |p: &Params, dims: &Dims| coarsen_model::model(config, p, dims).expect("a valid configuration");
    model::check(make, guarantee, laws).unwrap_or_else(|broken| panic!("{config}: {broken}"));
}

#[test]
fn every_row() {
    let laws = Laws::default().remembered(file!());
    for spec in MODELS {
        obeys(&(spec.example)(), Invariance::Exact, &laws);
    }
}

#[test]
fn every_variant() {
    let laws = Laws::default().remembered(file!());
    let variants = [
        json!({"kind": "flat", "conv": {"kind": "gcn"}, "hidden": 6, "norm": "none", "jump": "last"}),
        json!({"kind": "flat", "conv": {"kind": "gin"}, "hidden": 6, "layers": 1, "jump": "per-layer", "norm": "before"}),
        json!({"kind": "gin", "eps": {"learned": 0.0}, "layers": 3, "hidden": 6, "dropout": 0.0, "readout": {"kind": "mean"}}),
    ];
    for config in variants {
        obeys(&config, Invariance::Exact, &laws);
    }
}

#[test]
fn hierarchies_of_every_pooling() {
    let laws = Laws::default().remembered(file!());
    for spec in POOLS {
        let base =
            json!({"kind": "hierarchical", "pool": small(spec.name), "levels": 2, "hidden": 6, "post": 2});
        obeys(&base, spec.invariance, &laws);
        let mut read_at_pools = base;
        for (key, value) in
            [("read", json!("pools")), ("merge", json!("last")), ("conv", json!({"kind": "gcn"}))]
        {
            read_at_pools[key] = value;
        }
        obeys(&read_at_pools, spec.invariance, &laws);
    }
}

/// The row with few hidden features where it has any.
fn small(name: &str) -> Value {
    let mut pool = json!({"kind": name});
    if name.starts_with("diffpool") {
        pool["hidden"] = json!(6);
        pool["ratio"] = json!(0.5);
    }
    pool
}

#[test]
fn hierarchies_of_controls() {
    // The parameters of a score that is drawn at random learn nothing.
    let laws = Laws::default().remembered(file!()).without("every_parameter_learns");
    for control in ["normal", "invariant"] {
        for name in ["diffpool", "top-k"] {
            let mut pool = small(name);
            pool["control"] = json!(control);
            let guarantee = invariance(&pool).expect("a known kind");
            obeys(&json!({"kind": "hierarchical", "pool": pool, "hidden": 6, "post": 1}), guarantee, &laws);
        }
    }
}

#[test]
fn every_configuration() {
    for spec in MODELS {
        config::check(spec.name, &(spec.example)(), &spec.build).unwrap_or_else(|broken| panic!("{broken}"));
    }
}

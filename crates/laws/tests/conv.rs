//! Every row of `CONVS` obeys the laws of convolutions.

use coarsen_laws::{Laws, config, conv};
use coarsen_nn::{CONVS, Dims, Params};
use serde_json::{Value, json};

/// Settings beside the defaults.
fn variants() -> Vec<Value> {
    vec![
        json!({"kind": "gcn", "improved": true, "bias": false}),
        json!({"kind": "gcn", "loops": "add"}),
        json!({"kind": "gcn", "loops": "overwrite", "degree_floor": 1.0}),
        json!({"kind": "gcn", "loops": "none"}),
        json!({"kind": "gin", "eps": {"learned": 0.1}, "batch_norm": true, "hidden": 5, "activation": "elu"}),
        json!({"kind": "gin", "eps": {"fixed": -1.0}, "layers": 1, "semantics": "legacy14"}),
        json!({"kind": "sage", "normalize": true}),
        json!({"kind": "sage", "averaging": "floored"}),
        json!({"kind": "sage", "averaging": "unweighted", "bias": false}),
        json!({"kind": "sage", "semantics": "legacy14", "averaging": "count"}),
        json!({"kind": "sage", "semantics": "legacy14", "averaging": "floored", "loops": "overwrite"}),
    ]
}

fn obeys(config: &Value, laws: &Laws) {
    let make = |p: &Params, dims: &Dims| coarsen_nn::conv(config, p, dims).expect("a valid configuration");
    conv::check(make, laws).unwrap_or_else(|broken| panic!("{config}: {broken}"));
}

#[test]
fn every_row() {
    let laws = Laws::default().remembered(file!());
    for spec in CONVS {
        obeys(&(spec.example)(), &laws);
    }
}

#[test]
fn every_variant() {
    let laws = Laws::default().remembered(file!());
    for config in variants() {
        obeys(&config, &laws);
    }
}

#[test]
fn every_configuration() {
    for spec in CONVS {
        config::check(spec.name, &(spec.example)(), &spec.build).unwrap_or_else(|broken| panic!("{broken}"));
    }
}

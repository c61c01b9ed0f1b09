//! Every row of `CONVS` obeys the laws of convolutions.

use coarsen_laws::{Broken, Laws, config, conv};
use coarsen_nn::{CONVS, Dims, Params};
use serde_json::{Value, json};

/// Settings beside the defaults.
fn variants() -> Vec<Value> {
    vec![
        json!({"kind": "ecc", "loops": "none", "hidden": 3, "bias": false}),
        json!({"kind": "gcn", "improved": true, "bias": false}),
        json!({"kind": "gcn", "loops": "add"}),
        json!({"kind": "gcn", "loops": "overwrite", "degree_floor": 1.0}),
        json!({"kind": "gcn", "loops": "none"}),
        json!({"kind": "gin", "eps": {"learned": 0.1}, "batch_norm": true, "hidden": 5, "activation": "elu"}),
        json!({"kind": "gin", "eps": {"fixed": -1.0}, "layers": 1, "semantics": "legacy14"}),
        json!({"kind": "graph-conv", "aggregation": {"mean": "weighted"}}),
        json!({"kind": "graph-conv", "aggregation": {"mean": "count"}, "bias": false}),
        json!({"kind": "graph-conv", "aggregation": "max"}),
        json!({"kind": "le-conv", "form": "official"}),
        json!({"kind": "raw", "add_self": true, "bias": false}),
        json!({"kind": "raw", "normalize": false}),
        json!({"kind": "s2v", "steps": 2, "hidden": 5}),
        json!({"kind": "s2v-loopy", "steps": 2, "hidden": 5}),
        json!({"kind": "sage", "normalize": true}),
        json!({"kind": "sage", "averaging": "floored"}),
        json!({"kind": "sage", "averaging": "unweighted", "bias": false}),
        json!({"kind": "sage", "semantics": "legacy14", "averaging": "count"}),
        json!({"kind": "sage", "semantics": "legacy14", "averaging": "floored", "loops": "overwrite"}),
        json!({"kind": "sage-lstm", "normalize": true, "bias": false}),
        json!({"kind": "sage-max", "normalize": true, "bias": false}),
        json!({"kind": "sage-max", "project": false}),
    ]
}

/// An LSTM reads the neighbours in the order of their numbers.
const ORDERED: &str = "sage-lstm";

/// Every configuration is tried before any is complained of.
fn obey(configs: impl IntoIterator<Item = Value>) {
    let laws = Laws::default().remembered(file!());
    let unordered = laws.clone().without("equivariant");
    let verdict = |config: Value| {
        let laws = if config["kind"] == ORDERED { &unordered } else { &laws };
        let make =
            |p: &Params, dims: &Dims| coarsen_nn::conv(&config, p, dims).expect("a valid configuration");
        conv::check(make, laws).err().map(|broken| format!("{config}: {broken}"))
    };
    let broken: Vec<String> = configs.into_iter().filter_map(verdict).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

#[test]
fn every_row() {
    obey(CONVS.iter().map(|spec| (spec.example)()));
}

#[test]
fn every_variant() {
    obey(variants());
}

#[test]
fn the_exception_is_one() {
    let config = json!({"kind": ORDERED});
    let make = |p: &Params, dims: &Dims| coarsen_nn::conv(&config, p, dims).expect("a valid configuration");
    let broken =
        conv::equivariant(&make, &Laws::default()).expect_err("renumbering changes the order of reading");
    assert!(matches!(broken, Broken::Counterexample { .. }), "{broken}");
}

#[test]
fn every_configuration() {
    for spec in CONVS {
        config::check(spec.name, &(spec.example)(), &spec.build).unwrap_or_else(|broken| panic!("{broken}"));
    }
}

//! How layers start: by name and seed alone, and in the law of the reference.

use std::collections::BTreeMap;

use coarsen_nn::{CONVS, Dims, Params, conv};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor, nn::VarStore};

const IN: i64 = 50;
const OUT: i64 = 40;

/// The parameters of layers made in this order, each at the place it names.
fn start(layers: &[(&str, Value)], seed: u64, kind: Kind) -> BTreeMap<String, Tensor> {
    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(kind);
    let params = Params::new(&store.root(), seed);
    for (place, config) in layers {
        conv(config, &params.sub(place), &Dims::new(IN, OUT)).expect("a valid configuration");
    }
    store.variables().into_iter().collect()
}

fn alone(config: Value) -> BTreeMap<String, Tensor> {
    start(&[("conv", config)], 1, Kind::Double)
}

/// Uniform in `[−limit, limit]`: comes near both ends; where there are many values, centred and of variance `limit²/3`.
fn assert_uniform(values: &Tensor, limit: f64) {
    let (low, high) = (values.min().double_value(&[]), values.max().double_value(&[]));
    assert!(-limit <= low && low < -0.7 * limit, "least {low}, limit {limit}");
    assert!(0.7 * limit < high && high <= limit, "largest {high}, limit {limit}");
    if values.numel() >= 1000 {
        let (mean, variance) =
            (values.mean(None::<Kind>).double_value(&[]), values.var(true).double_value(&[]));
        assert!(mean.abs() < 0.05 * limit, "mean {mean}, limit {limit}");
        assert!((variance * 3.0 / (limit * limit) - 1.0).abs() < 0.1, "variance {variance}, limit {limit}");
    }
}

fn assert_constant(values: &Tensor, want: f64) {
    assert!(values.equal(&values.full_like(want)), "not {want} everywhere");
}

#[test]
fn the_order_of_creation_does_not_matter() {
    let layers: Vec<(&str, Value)> = CONVS.iter().map(|spec| (spec.name, (spec.example)())).collect();
    let reversed: Vec<(&str, Value)> = layers.iter().rev().cloned().collect();
    let (one, other) = (start(&layers, 7, Kind::Float), start(&reversed, 7, Kind::Float));
    assert!(one.len() > CONVS.len() && one.keys().eq(other.keys()));
    assert!(one.values().zip(other.values()).all(|(a, b)| a.equal(b)));

    let only = start(&layers[1..2], 7, Kind::Float);
    assert!(only.iter().all(|(name, values)| values.equal(&one[name])), "fewer layers, equal values");
}

#[test]
fn places_and_seeds_differ() {
    let twins = [("a", json!({"kind": "gcn"})), ("b", json!({"kind": "gcn"}))];
    let start_at = |seed| start(&twins, seed, Kind::Float);
    let (first, second) = (start_at(1), start_at(2));
    assert!(!first["a.weight"].equal(&first["b.weight"]));
    assert!(!first["a.weight"].equal(&second["a.weight"]));
    assert!(first["a.weight"].equal(&start_at(1)["a.weight"]));
}

#[test]
fn single_precision_rounds_double_precision() {
    let layers = [("conv", json!({"kind": "gin", "batch_norm": true}))];
    let (single, double) = (start(&layers, 3, Kind::Float), start(&layers, 3, Kind::Double));
    for (name, values) in &double {
        assert!(single[name].equal(&values.to_kind(Kind::Float)), "{name}");
    }
}

#[test]
fn gcn_starts_as_glorot() {
    let made = alone(json!({"kind": "gcn"}));
    assert_uniform(&made["conv.weight"], (6.0 / (IN + OUT) as f64).sqrt());
    assert_constant(&made["conv.bias"], 0.0);
}

#[test]
fn sage_starts_as_pytorch_in_both_semantics() {
    let limit = 1.0 / (IN as f64).sqrt();
    let modern = alone(json!({"kind": "sage"}));
    for name in ["conv.neighbour.weight", "conv.neighbour.bias", "conv.root.weight"] {
        assert_uniform(&modern[name], limit);
    }
    let legacy = alone(json!({"kind": "sage", "semantics": "legacy14"}));
    assert_uniform(&legacy["conv.weight"], limit);
    assert_uniform(&legacy["conv.bias"], limit);
}

#[test]
fn gin_starts_as_pytorch() {
    let made = alone(json!({"kind": "gin", "hidden": 32, "batch_norm": true, "eps": {"learned": 0.25}}));
    assert_uniform(&made["conv.mlp.0.weight"], 1.0 / (IN as f64).sqrt());
    assert_uniform(&made["conv.mlp.1.weight"], 1.0 / 32_f64.sqrt());
    assert_constant(&made["conv.mlp.norm0.weight"], 1.0);
    assert_constant(&made["conv.mlp.norm0.running_var"], 1.0);
    assert_constant(&made["conv.mlp.norm0.bias"], 0.0);
    assert_constant(&made["conv.eps"], 0.25);
}

#[test]
fn raw_starts_as_glorot_with_the_gain_of_relu() {
    let made = alone(json!({"kind": "raw"}));
    assert_uniform(&made["conv.weight"], (12.0 / (IN + OUT) as f64).sqrt());
    assert_constant(&made["conv.bias"], 0.0);
}

#[test]
fn s2v_starts_as_glorot() {
    let made = alone(json!({"kind": "s2v", "hidden": 32}));
    assert_uniform(&made["conv.node.weight"], (6.0 / (IN + 32) as f64).sqrt());
    assert_uniform(&made["conv.conv.weight"], (6.0 / 64.0_f64).sqrt());
    assert_uniform(&made["conv.out.weight"], (6.0 / (32 + OUT) as f64).sqrt());
    for bias in ["conv.node.bias", "conv.conv.bias", "conv.out.bias"] {
        assert_constant(&made[bias], 0.0);
    }
}

#[test]
fn ecc_starts_its_filter_as_pytorch() {
    let made = alone(json!({"kind": "ecc", "hidden": 25}));
    assert_eq!(made["conv.filter.0.weight"].size(), [25, 1]);
    assert_uniform(&made["conv.filter.1.weight"], 0.2);
    assert_uniform(&made["conv.filter.1.bias"], 0.2);
    assert_constant(&made["conv.bias"], 0.0);
}

#[test]
fn the_others_start_as_pytorch() {
    for kind in ["graph-conv", "le-conv", "sage-max", "sage-lstm"] {
        let made = alone(json!({"kind": kind}));
        assert!(made.len() >= 3);
        for values in made.values() {
            assert_uniform(values, 1.0 / (IN as f64).sqrt());
        }
    }
}

#[test]
fn messages_start_as_the_mean_field_does() {
    let (field, loopy) = (alone(json!({"kind": "s2v"})), alone(json!({"kind": "s2v-loopy"})));
    assert!(field.keys().eq(loopy.keys()));
    assert!(field.iter().all(|(name, values)| values.equal(&loopy[name])));
}

//! Whole networks against recorded numbers of the releases: values and all recorded gradients, in double precision at the tolerance of
//! the case and in single precision at 1e-4.

use std::collections::BTreeSet;

use coarsen_fixture::{Case, assert_close, cases, ops};
use coarsen_model::{ThreeWlConfig, model};
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Level, Padded};
use ndarray::{ArrayD, IxDyn};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor, nn::VarStore, no_grad};

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const DIFFPOOL: [&str; 2] = ["diffpool_official", "diffpool_official_base"];
const PPGN: &str = "ppgn_model";

#[test]
fn every_file_belongs_to_a_tested_operation() {
    let known: BTreeSet<String> = DIFFPOOL.into_iter().chain([PPGN]).map(str::to_owned).collect();
    if std::env::var_os("COARSEN_FIXTURES").is_none() {
        assert_eq!(known, ops(HERE, "model"));
    }
}

#[test]
fn diffpool_agrees_with_its_release() {
    for op in DIFFPOOL {
        every(op, check_diffpool);
    }
}

#[test]
fn three_wl_agrees_with_its_release() {
    every(PPGN, check_three_wl);
}

/// All cases of an operation, in both precisions.
fn every(op: &str, check: fn(&Case, Kind)) {
    for (kind, tolerance) in [(Kind::Double, None), (Kind::Float, Some(1e-4))] {
        for mut case in cases(HERE, "model", op) {
            case.tolerance = tolerance.unwrap_or(case.tolerance);
            check(&case, kind);
            case.finish();
        }
    }
}

fn tensor(values: &ArrayD<f64>, kind: Kind) -> Tensor {
    let shape: Vec<i64> = values.shape().iter().map(|&n| n as i64).collect();
    let flat: Vec<f64> = values.iter().copied().collect();
    Tensor::from_slice(&flat).view(shape.as_slice()).to_kind(kind)
}

fn array(values: &Tensor) -> ArrayD<f64> {
    let shape: Vec<usize> = values.size().iter().map(|&n| n as usize).collect();
    let flat = Vec::<f64>::try_from(values.detach().to_kind(Kind::Double).reshape(-1)).expect("real values");
    ArrayD::from_shape_vec(IxDyn(&shape), flat).expect("as many values as the shape says")
}

/// The network of a case, as a configuration.
fn network(case: &Case, slots: i64) -> Value {
    let given = |key: &str| case.config.get(key).cloned();
    let flag = |key: &str, on: &str, off: &str, default: bool| {
        let set = given(key).map_or(default, |value| value.as_bool().expect("a flag"));
        if set { on.to_owned() } else { off.to_owned() }
    };
    json!({
        "kind": "diffpool-official", "max_nodes": slots, "hidden": given("hidden"), "embed": given("embed"), "layers": given("layers"),
        "pools": given("pools").unwrap_or_else(|| json!(0)), "ratio": given("ratio").unwrap_or_else(|| json!(0.1)),
        "assign_hidden": given("assign_hidden"), "head": given("pred_hidden").unwrap_or_else(|| json!([])),
        "link": flag("linkpred", "on", "off", false), "norm": flag("bn", "batch", "none", true),
    })
}

/// The name that a parameter of the file has here: `assign0_1_weight` is `assign0.conv1.weight`.
fn renamed(role: &str) -> String {
    let (place, field) = role.rsplit_once('_').expect("a place and a field");
    let (stack, layer) = place.rsplit_once('_').expect("a stack and a layer");
    match (stack, layer) {
        ("pred", i) => format!("head.{i}.{field}"),
        (stack, "pred") => format!("{stack}_linear.{field}"),
        (stack, i) => format!("{stack}.conv{i}.{field}"),
    }
}

fn check_diffpool(case: &Case, kind: Kind) {
    let leaf = |name: &str| tensor(&case.real(name), kind).set_requires_grad(true);
    let [x, adj] = ["x", "adj"].map(leaf);
    let size = x.size();
    let sizes: Vec<u32> = case.int("num_nodes").iter().map(|&n| n as u32).collect();
    let slot = Tensor::arange(size[1], (Kind::Int64, Device::Cpu)).unsqueeze(0);
    let counts: Vec<i64> = sizes.iter().map(|&n| n.into()).collect();
    let mask = slot.lt_tensor(&Tensor::from_slice(&counts).unsqueeze(1)).to_kind(kind);
    let g = Level::new(x.shallow_clone(), Adjacency::Dense(Padded::new(adj.shallow_clone(), Some(mask))));

    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(kind);
    let classes = case.config["classes"].as_i64().expect("a number");
    let dims = Dims::new(size[2], classes).with_sizes(sizes);
    let made = model(&network(case, size[1]), &Params::new(&store.root(), 0), &dims);
    let network = made.unwrap_or_else(|e| panic!("{case}: {e}"));
    let parameters = filled(case, &store, renamed);

    let output = network.forward(&g, Ctx { trace: true, ..Ctx::train(0) });
    let logits = output.logits.expect("the network has a head");
    let same = |name: &str, got: &Tensor| assert_close(case, name, array(got).view(), case.real(name).view());
    same("out.logits", &logits);
    let mut objective = Vec::new();
    if case.names().any(|name| name == "label") {
        let labels: Vec<i64> = case.int("label").iter().copied().collect();
        let task = logits.log_softmax(-1, kind).nll_loss(&Tensor::from_slice(&labels));
        let total = output.losses.iter().fold(task, |sum, loss| sum + &loss.value * loss.weight);
        same("out.loss.total", &total);
        same("out.s", &output.traces.last().expect("an assignment").value);
        objective.push(total);
    }
    for (name, out) in [("probe.logits", Some(&logits)), ("probe.s", output.traces.last().map(|t| &t.value))]
    {
        if let (Some(probe), Some(out)) = (case.try_real(name), out) {
            objective.push((out * tensor(&probe, kind)).sum(None));
        }
    }
    Tensor::stack(&objective, 0).sum(None).backward();
    for (name, leaf) in [("grad.x", &x), ("grad.adj", &adj)] {
        if case.try_real(name).is_some() {
            same(name, &leaf.grad());
        }
    }
    compare_gradients(case, &parameters);
}

/// Gives the parameters of the network those of the file; `renamed` is the name that a role has here. Every parameter with its role.
fn filled(case: &Case, store: &VarStore, renamed: fn(&str) -> String) -> Vec<(String, Tensor)> {
    let variables = store.variables();
    let roles: Vec<String> =
        case.names().filter_map(|name| name.strip_prefix("param.")).map(str::to_owned).collect();
    assert_eq!(roles.len(), variables.len(), "{case}: as many parameters");
    let fill = |role: String| {
        let mut variable = variables[&renamed(&role)].shallow_clone();
        no_grad(|| variable.copy_(&tensor(&case.real(&format!("param.{role}")), variable.kind())));
        (role, variable)
    };
    roles.into_iter().map(fill).collect()
}

fn compare_gradients(case: &Case, parameters: &[(String, Tensor)]) {
    for (role, parameter) in parameters {
        let name = format!("grad.param.{role}");
        if let Some(want) = case.try_real(&name) {
            assert_close(case, &name, array(&parameter.grad()).view(), want.view());
        }
    }
}

/// The name that a parameter of 3WL-GNN has here: `block0_mlp1_0_weight` is `block0.mlp1.0.weight`, `fc0_bias` is `head0.bias`.
fn renamed_three_wl(role: &str) -> String {
    role.replace("fc", "head").replace('_', ".")
}

fn check_three_wl(case: &Case, kind: Kind) {
    let number = |key: &str| case.config[key].as_i64().expect("a number");
    let widths = case.config["blocks"].as_array().expect("a list").iter();
    assert_eq!(case.config["new_suffix"], json!(true), "{case}: the other head is not built");
    let config = ThreeWlConfig {
        widths: widths.map(|width| width.as_i64().expect("a number")).collect(),
        depth: number("depth") as usize,
        ..ThreeWlConfig::default()
    };
    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(kind);
    let dims = Dims::new(number("in") - 1, number("classes")); // a channel is that of the edges
    let network =
        config.build(&Params::new(&store.root(), 0), &dims).unwrap_or_else(|e| panic!("{case}: {e}"));
    let parameters = filled(case, &store, renamed_three_wl);

    let logits = network.logits(&tensor(&case.real("t"), kind));
    assert_close(case, "out.logits", array(&logits).view(), case.real("out.logits").view());
    if let Some(probe) = case.try_real("probe.logits") {
        (logits * tensor(&probe, kind)).sum(None).backward();
        compare_gradients(case, &parameters);
    }
}

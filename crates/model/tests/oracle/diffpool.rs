//! DiffPool and its base network against their release.

use coarsen_fixture::Case;
use coarsen_model::model;
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Level, Padded};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::each;
use crate::record::{Objective, leaf, same, store, take_parameters};

#[test]
fn agrees_with_its_release() {
    each("diffpool_official", check);
    each("diffpool_official_base", check);
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

fn check(case: &Case, kind: Kind) {
    let [x, adj] = ["x", "adj"].map(|name| leaf(case, name, kind));
    let size = x.size();
    let sizes: Vec<u32> = case.int("num_nodes").iter().map(|&n| n as u32).collect();
    let slot = Tensor::arange(size[1], (Kind::Int64, Device::Cpu)).unsqueeze(0);
    let counts: Vec<i64> = sizes.iter().map(|&n| n.into()).collect();
    let mask = slot.lt_tensor(&Tensor::from_slice(&counts).unsqueeze(1)).to_kind(kind);
    let g = Level::new(x.shallow_clone(), Adjacency::Dense(Padded::new(adj.shallow_clone(), Some(mask))));

    let store = store(kind);
    let classes = case.config["classes"].as_i64().expect("a number");
    let dims = Dims::new(size[2], classes).with_sizes(sizes);
    let made = model(&network(case, size[1]), &Params::new(&store.root(), 0), &dims);
    let network = made.unwrap_or_else(|e| panic!("{case}: {e}"));
    let parameters = take_parameters(case, &store, renamed);

    let output = network.forward(&g, Ctx { trace: true, ..Ctx::train(0) });
    let logits = output.logits.expect("the network has a head");
    let s = output.traces.last().map(|trace| &trace.value);
    let mut objective = Objective::default();
    objective.output(case, "logits", &logits);
    if case.names().any(|name| name == "label") {
        let labels: Vec<i64> = case.int("label").iter().copied().collect();
        let task = logits.log_softmax(-1, kind).nll_loss(&Tensor::from_slice(&labels));
        let total = output.losses.iter().fold(task, |sum, loss| sum + &loss.value * loss.weight);
        same(case, "out.loss.total", &total);
        objective.loss(total);
        objective.output(case, "s", s.expect("an assignment"));
    }
    let leaves = [("x", &x), ("adj", &adj)];
    objective.gradients(case, leaves.into_iter().chain(parameters.iter().map(|(n, v)| (n.as_str(), v))));
}

//! `SAGPool` against the released code and PyG's `SAGPooling`.

use coarsen_fixture::{Case, assert_equal};
use coarsen_nn::Ctx;
use coarsen_tensor::Assignment;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::each;
use crate::record::{Objective, compare_edges, integers, made, stacked};

#[test]
fn agrees_with_the_released_code() {
    let inputs = ["x", "edge_index", "edge_weight", "ptr", "batch", "param.weight", "param.bias"];
    let gcn = json!({"kind": "gcn"});
    each("pool", "sag", &["in", "ratio"], &inputs, |case, kind| check(case, kind, (&gcn, "official"), &GCN));
}

#[test]
fn agrees_with_pyg() {
    let of_edges =
        ["x", "edge_index", "edge_weight", "ptr", "batch", "param.select", "param.weight", "param.bias"];
    let of_graph_conv = ["param.neighbour_weight", "param.neighbour_bias", "param.root_weight"];
    let inputs = [&of_edges[..], &of_graph_conv].concat();
    each("pool", "sag_pyg", &["in", "ratio", "gnn"], &inputs, |case, kind| {
        let (conv, names) = match case.config["gnn"].as_str() {
            Some("gcn") => ("gcn", &GCN[..]),
            Some("graph_conv") => ("graph-conv", &GRAPH_CONV[..]),
            other => panic!("{case}: no score network {other:?}"),
        };
        check(case, kind, (&json!({"kind": conv}), "pyg"), &[names, &[SELECT]].concat());
    });
}

/// Names of the recorded parameters and ours.
const GCN: [(&str, &str); 2] = [("weight", "score.weight"), ("bias", "score.bias")];
const GRAPH_CONV: [(&str, &str); 3] = [
    ("neighbour_weight", "score.neighbour.weight"),
    ("neighbour_bias", "score.neighbour.bias"),
    ("root_weight", "score.root.weight"),
];
const SELECT: (&str, &str) = ("select", "select");

fn check(case: &Case, kind: Kind, (conv, form): (&Value, &str), names: &[(&str, &str)]) {
    let g = stacked(case, kind);
    let config =
        json!({"kind": "sagpool", "conv": conv, "keep": {"ratio": case.config["ratio"]}, "form": form});
    let (pool, parameters) = made(case, kind, &config, names);

    let pooled = pool.pool(&g.level, Ctx::eval());
    let Assignment::Entries(s) = &pooled.selection.s else { panic!("{case}: entries") };
    let (node, new) = (s.relation.row(Device::Cpu), s.relation.col(Device::Cpu));
    let by_new = |values: &Tensor| values.zeros_like().index_copy(0, &new, values);
    assert_equal(case, "out.perm", integers(&by_new(&node)).view(), case.int("out.perm").view());

    let mut objective = Objective::default();
    objective.output(case, "x", &pooled.level.x);
    objective.output(case, "score", &by_new(s.weight.as_ref().expect("a gate")));
    match (compare_edges(case, &pooled.level), &g.weight) {
        (Some(weight), Some(_)) => objective.output(case, "edge_weight", &weight),
        (weight, None) => assert!(weight.is_none(), "{case}: unit weights stay so"),
        (None, Some(_)) => panic!("{case}: the weights are lost"),
    }
    let mut leaves = vec![("x", &g.x)];
    leaves.extend(parameters.iter().map(|(name, value)| (name.as_str(), value)));
    leaves.extend(g.weight.as_ref().map(|w| ("edge_weight", w)));
    objective.gradients(case, &leaves);
}

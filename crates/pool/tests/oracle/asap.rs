//! ASAP against the released code and PyG's `ASAPooling`.

use coarsen_fixture::{Case, assert_close, assert_equal};
use coarsen_nn::Ctx;
use coarsen_tensor::Segments;
use serde_json::{Value, json};
use tch::Kind;

use crate::each;
use crate::record::{Objective, compare_edges, integers, made, stacked, to_array};

/// Names of the recorded parameters and ours.
const SHARED: [(&str, &str); 6] = [
    ("query_weight", "query.weight"),
    ("query_bias", "query.bias"),
    ("att_weight", "attention.weight"),
    ("att_bias", "attention.bias"),
    ("intra_weight", "intra.weight"),
    ("intra_bias", "intra.bias"),
];
const OFFICIAL: [(&str, &str); 5] = [
    ("score_neighbour_weight", "score.neighbour.weight"),
    ("score_lin1_weight", "score.degree.weight"),
    ("score_lin1_bias", "score.degree.bias"),
    ("score_lin2_weight", "score.own.weight"),
    ("score_lin2_bias", "score.own.bias"),
];
const PYG: [(&str, &str); 5] = [
    ("score_lin1_weight", "score.neighbour.weight"),
    ("score_lin1_bias", "score.neighbour.bias"),
    ("score_lin2_weight", "score.degree.weight"),
    ("score_lin3_weight", "score.own.weight"),
    ("score_lin3_bias", "score.own.bias"),
];

fn run(
    op: &str,
    config: &[&str],
    own: &[(&str, &str)],
    rest: impl Fn(&Case) -> (&'static str, &'static str),
) {
    let names = [SHARED.as_slice(), own].concat();
    let parameters: Vec<String> = names.iter().map(|(theirs, _)| format!("param.{theirs}")).collect();
    let mut inputs = vec!["x", "edge_index", "edge_weight", "ptr", "batch"];
    inputs.extend(parameters.iter().map(String::as_str));
    each("pool", op, config, &inputs, |case, kind| {
        let (fitness, loops) = rest(case);
        let keep = json!({"ratio": case.config["ratio"]});
        check(case, kind, &json!({"kind": "asap", "keep": keep, "fitness": fitness, "loops": loops}), &names);
    });
}

#[test]
fn agrees_with_the_released_code() {
    run("asap_official", &["in", "ratio"], &OFFICIAL, |_| ("official", "unit"));
}

#[test]
fn agrees_with_pyg() {
    run("asap", &["in", "ratio", "add_self_loops"], &PYG, |case| match case.config["add_self_loops"] {
        Value::Bool(true) => ("pyg", "fill"),
        Value::Bool(false) => ("pyg", "drop"),
        ref other => panic!("{case}: a flag, got {other}"),
    });
}

fn check(case: &Case, kind: Kind, config: &Value, names: &[(&str, &str)]) {
    let g = stacked(case, kind);
    let (pool, parameters) = made(case, kind, config, names);

    let pooled = pool.pool(&g.level, Ctx::eval());
    let graphs: &Segments = &g.level.segments();
    let ratio = case.config["ratio"].as_f64().expect("a ratio");
    let most = |n: usize| (ratio * n as f64).ceil() as usize;
    let kept = coarsen_tensor::top_k::top_k(&pooled.score, graphs, most);
    assert_equal(case, "out.perm", integers(&kept).view(), case.int("out.perm").view());

    let mut objective = Objective::default();
    objective.output(case, "x", &pooled.level.x);
    let weight = compare_edges(case, &pooled.level).expect("weights");
    let out = "out.edge_weight";
    assert_close(case, out, to_array(&weight).view(), case.real(out).view());
    let mut leaves = vec![("x", &g.x)];
    leaves.extend(parameters.iter().map(|(name, value)| (name.as_str(), value)));
    leaves.extend(g.weight.as_ref().map(|w| ("edge_weight", w)));
    objective.gradients(case, &leaves);
}

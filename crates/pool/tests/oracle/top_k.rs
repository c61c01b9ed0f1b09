//! Top-k pooling against PyG's `TopKPooling`.

use coarsen_fixture::{Case, assert_equal};
use coarsen_nn::Ctx;
use coarsen_tensor::Assignment;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::each;
use crate::record::{Objective, compare_edges, integers, made, stacked};

#[test]
fn agrees_with_pyg() {
    let config = ["in", "ratio", "min_score", "multiplier"];
    let inputs = ["x", "edge_index", "edge_weight", "ptr", "batch", "param.p"];
    each("pool", "top_k", &config, &inputs, check);
}

fn keep(config: &Value) -> Value {
    match (&config["min_score"], &config["ratio"]) {
        (Value::Number(least), Value::Null) => json!({"min-score": least}),
        (Value::Null, Value::Number(ratio)) if ratio.as_f64().is_some_and(|r| r < 1.0) => {
            json!({"ratio": ratio})
        }
        (Value::Null, Value::Number(count)) => json!({"count": count}),
        other => panic!("neither a ratio nor a least score: {other:?}"),
    }
}

fn check(case: &Case, kind: Kind) {
    let g = stacked(case, kind);
    let multiplier = case.config["multiplier"].as_f64().expect("a number");
    let config = json!({"kind": "top-k", "keep": keep(&case.config), "multiplier": multiplier});
    let (pool, parameters) = made(case, kind, &config, &[("p", "p")]);

    let pooled = pool.pool(&g.level, Ctx::eval());
    let Assignment::Entries(s) = &pooled.selection.s else { panic!("{case}: entries") };
    let (node, new) = (s.relation.row(Device::Cpu), s.relation.col(Device::Cpu));
    let by_new = |values: &Tensor| values.zeros_like().index_copy(0, &new, values);
    assert_equal(case, "out.perm", integers(&by_new(&node)).view(), case.int("out.perm").view());
    let gate = by_new(s.weight.as_ref().expect("a gate")) / multiplier;

    let mut objective = Objective::default();
    objective.output(case, "x", &pooled.level.x);
    objective.output(case, "score", &gate);
    match (compare_edges(case, &pooled.level), &g.weight) {
        (Some(weight), Some(_)) => objective.output(case, "edge_weight", &weight),
        (weight, None) => assert!(weight.is_none_or(|w| w.equal(&w.ones_like())), "{case}: unit weights"),
        (None, Some(_)) => panic!("{case}: the weights are lost"),
    }
    let mut leaves = vec![("x", &g.x)];
    leaves.extend(parameters.iter().map(|(name, value)| (name.as_str(), value)));
    leaves.extend(g.weight.as_ref().map(|w| ("edge_weight", w)));
    objective.gradients(case, &leaves);
}

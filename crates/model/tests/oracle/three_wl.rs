//! 3WL-GNN against its release.

use coarsen_fixture::Case;
use coarsen_model::ThreeWlConfig;
use coarsen_nn::{Dims, Params};
use serde_json::json;
use tch::Kind;

use crate::each;
use crate::record::{Objective, store, take_parameters, tensor};

#[test]
fn agrees_with_its_release() {
    each("ppgn_model", check);
}

/// The name that a parameter of the file has here: `block0_mlp1_0_weight` is `block0.mlp1.0.weight`, `fc0_bias` is `head0.bias`.
fn renamed(role: &str) -> String {
    role.replace("fc", "head").replace('_', ".")
}

fn check(case: &Case, kind: Kind) {
    let number = |key: &str| case.config[key].as_i64().expect("a number");
    let widths = case.config["blocks"].as_array().expect("a list").iter();
    assert_eq!(case.config["new_suffix"], json!(true), "{case}: the other head is not built");
    let config = ThreeWlConfig {
        widths: widths.map(|width| width.as_i64().expect("a number")).collect(),
        depth: number("depth") as usize,
        ..ThreeWlConfig::default()
    };
    let store = store(kind);
    let dims = Dims::new(number("in") - 1, number("classes")); // a channel is that of the edges
    let network =
        config.build(&Params::new(&store.root(), 0), &dims).unwrap_or_else(|e| panic!("{case}: {e}"));
    let parameters = take_parameters(case, &store, renamed);

    let mut objective = Objective::default();
    objective.output(case, "logits", &network.logits(&tensor(&case.real("t"), kind)));
    if case.try_real("probe.logits").is_some() {
        objective.gradients(case, parameters.iter().map(|(n, v)| (n.as_str(), v)));
    }
}

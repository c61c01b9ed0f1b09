//! The U-Nets against PyG and against the authors' release.

use coarsen_fixture::Case;
use coarsen_model::{GUNetOfficialConfig, model};
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Layout, Level, Padded};
use serde_json::{Value, json};
use tch::Kind;

use crate::each;
use crate::record::{Objective, leaf, stacked, store, take_parameters, tensor, width};

#[test]
fn graph_unet_agrees_with_pyg() {
    each("graph_unet", pyg);
}

#[test]
fn the_path_agrees_with_the_release() {
    each("g_unet_official", released);
}

/// `down0_weight` is `down0.weight`.
fn dotted(role: &str) -> String {
    let (place, field) = role.rsplit_once('_').expect("a place and a field");
    format!("{place}.{field}")
}

fn pyg(case: &Case, kind: Kind) {
    let x = leaf(case, "x", kind);
    let (g, weight) = stacked(case, &x, kind);
    let ratios = case.config["ratios"].as_array().expect("ratios");
    assert_eq!(ratios.len() as i64, width(case, "depth"), "{case}: a ratio a level");
    let pools: Vec<Value> = ratios
        .iter()
        .map(|ratio| json!({"kind": "top-k", "keep": {"ratio": ratio}, "reach": "two"}))
        .collect();
    let config = json!({"kind": "graph-unet", "pools": pools, "hidden": case.config["hidden"], "out": case.config["out"]});
    let store = store(kind);
    let made = model(&config, &Params::new(&store.root(), 0), &Dims::new(width(case, "in"), 1));
    let network = made.unwrap_or_else(|e| panic!("{case}: {e}"));
    let parameters = take_parameters(case, &store, dotted);

    let nodes = network.forward(&g, Ctx::train(0)).nodes.expect("a row a node");
    let mut objective = Objective::default();
    objective.output(case, "x", &nodes);
    let leaves = [("x", &x)].into_iter().chain(weight.as_ref().map(|w| ("edge_weight", w)));
    objective.gradients(case, leaves.chain(parameters.iter().map(|(n, v)| (n.as_str(), v))));
}

fn released(case: &Case, kind: Kind) {
    let x = leaf(case, "x", kind);
    let a = tensor(&case.real("adj"), kind).unsqueeze(0);
    let g = Level::new(x.unsqueeze(0), Adjacency::Dense(Padded::new(a, None))).to_layout(Layout::Sparse);
    let config =
        json!({"ratios": case.config["ks"], "hidden": case.config["dim"], "activation": case.config["act"]});
    let config: GUNetOfficialConfig = serde_json::from_value(config).expect("a configuration");
    let store = store(kind);
    let made = config.path(&Params::new(&store.root(), 0), &Dims::new(width(case, "dim"), 1));
    let path = made.unwrap_or_else(|e| panic!("{case}: {e}"));
    let of_pool =
        |role: &str| if role.starts_with("pool") { role.replacen('_', ".score.", 1) } else { dotted(role) };
    let parameters = take_parameters(case, &store, of_pool);

    let mut objective = Objective::default();
    for (i, level) in path.forward(&g, Ctx::train(0)).iter().enumerate() {
        objective.output(case, &format!("h{i}"), &level.x);
    }
    objective.gradients(case, [("x", &x)].into_iter().chain(parameters.iter().map(|(n, v)| (n.as_str(), v))));
}

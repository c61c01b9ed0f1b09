//! The U-Nets against PyG and against the authors' release.

use std::sync::Arc;

use coarsen_fixture::Case;
use coarsen_model::{GUNetOfficialConfig, model};
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Layout, Level, Padded, Pattern, Segments, Sparse};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::each;
use crate::record::{Objective, leaf, store, take_parameters, tensor};

#[test]
fn graph_unet_agrees_with_pyg() {
    each("graph_unet", pyg);
}

#[test]
fn the_path_agrees_with_the_release() {
    each("g_unet_official", released);
}

/// The edges of a case with weights, ones where none are recorded; the leaf is in the order of the file.
fn stacked(case: &Case, x: &Tensor, kind: Kind) -> (Level, Option<Tensor>) {
    let edges = case.int("edge_index");
    let ptr: Vec<u32> = case.int("ptr").iter().map(|&p| p as u32).collect();
    let graphs = Arc::new(Segments::new(ptr));
    let batch: Vec<i64> = case.int("batch").iter().copied().collect();
    assert!(graphs.index(Device::Cpu).equal(&Tensor::from_slice(&batch)), "{case}: batch and ptr agree");
    let mut order: Vec<i64> = (0..edges.shape()[1] as i64).collect();
    let end = |row: usize, e: i64| edges[[row, e as usize]] as u32;
    order.sort_by_key(|&e| (end(1, e), end(0, e)));
    let nodes = graphs.rows();
    let csr = Csr::from_edges(nodes, nodes, order.iter().map(|&e| (end(1, e), end(0, e))));
    let pattern = Arc::new(Pattern::new(csr.expect("edges without duplicates"), graphs));
    let weight = case.try_real("edge_weight").map(|w| tensor(&w, kind).set_requires_grad(true));
    let sorted = weight.as_ref().map(|w| w.index_select(0, &Tensor::from_slice(&order)));
    let adj = Adjacency::Sparse(Sparse::new(pattern, sorted, (kind, Device::Cpu)));
    (Level::new(x.shallow_clone(), adj), weight)
}

fn width(case: &Case, field: &str) -> i64 {
    case.config[field].as_i64().unwrap_or_else(|| panic!("{case}: {field}"))
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

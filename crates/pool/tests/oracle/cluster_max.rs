//! Graclus pooling of a given matching against PyG's `max_pool`.

use coarsen_fixture::Case;
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_tensor::{Assignment, Planned};
use serde_json::json;
use tch::{Device, Kind, nn::VarStore};

use crate::each;
use crate::record::{Objective, compare_edges, stacked};

#[test]
fn agrees_with_pyg() {
    each("pool", "cluster_max", &["in"], &["x", "edge_index", "ptr", "batch", "cluster"], check);
}

fn check(case: &Case, kind: Kind) {
    let g = stacked(case, kind);
    let ids: Vec<i64> = case.int("cluster").iter().copied().collect();
    let mut known = ids.clone();
    known.sort_unstable();
    known.dedup();
    let place = |id: &i64| known.binary_search(id).expect("a known id") as u32;
    let s = Assignment::clusters(&ids.iter().map(place).collect::<Vec<_>>(), &g.level);
    let level = g.level.with_plan(vec![Planned { s, adj: None }]);

    let store = VarStore::new(Device::Cpu);
    let dims = Dims::new(case.config["in"].as_i64().expect("a width"), 1);
    let pool = coarsen_pool::pool(&json!({"kind": "graclus"}), &Params::new(&store.root(), 0), &dims);
    let pooled = pool.expect("a configuration").pool(&level, Ctx::eval());
    assert!(pooled.level.plan.is_empty(), "{case}: the plan is used up");
    assert!(compare_edges(case, &pooled.level).is_none(), "{case}: the pooled graph is unweighted");
    let mut objective = Objective::default();
    objective.output(case, "x", &pooled.level.x);
    objective.gradients(case, &[("x", &g.x)]);
}

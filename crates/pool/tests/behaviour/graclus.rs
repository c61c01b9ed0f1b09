//! Graclus: matchings drawn here, and plans of the loader.

use coarsen_nn::Ctx;
use coarsen_tensor::{Adjacency, Among, Assignment, Level, matching};
use serde_json::json;
use tch::{Kind, Tensor};

use crate::batch::{EDGE, HOUSE, POINT, SQUARE, STAR, batch, close, operator};

fn clusters(level: &Level) -> i64 {
    level.x.size()[0]
}

#[test]
fn a_matching_halves_what_can_be_halved() {
    let (_store, pool) = operator(&json!({"kind": "graclus"}), Kind::Double);
    for seed in 0..5 {
        let of = |graph| clusters(&pool.pool(&batch(&[graph], Kind::Double), Ctx::train(seed)).level);
        assert_eq!([of(SQUARE), of(EDGE), of(POINT), of(STAR), of(HOUSE)], [2, 1, 1, 5, 3], "seed {seed}");
    }
}

#[test]
fn a_graph_is_clustered_alike_in_any_batch() {
    let (_store, pool) = operator(&json!({"kind": "graclus"}), Kind::Double);
    let alone = pool.pool(&batch(&[HOUSE], Kind::Double), Ctx::train(4)).level.x;
    let behind = pool.pool(&batch(&[SQUARE, HOUSE], Kind::Double), Ctx::train(4)).level.x;
    close("the house", &behind.narrow(0, 2, 3), &alone, 0.0);
}

#[test]
fn the_edges_are_plain_and_without_loops() {
    let (_store, pool) = operator(&json!({"kind": "graclus"}), Kind::Double);
    let pooled = pool.pool(&batch(&[SQUARE, EDGE], Kind::Double), Ctx::train(2)).level;
    let Adjacency::Sparse(a) = &pooled.adj else { panic!("sparse") };
    assert!(a.weight.is_none());
    assert_eq!(a.pattern.edges(), 2, "the two halves of the square");
}

#[test]
fn means_are_over_members() {
    let g = batch(&[EDGE, POINT], Kind::Double);
    let (_store, pool) = operator(&json!({"kind": "graclus", "reduce": "mean"}), Kind::Double);
    let pooled = pool.pool(&g, Ctx::eval());
    let edge = g.x.narrow(0, 0, 2).mean_dim([0i64].as_slice(), true, None);
    close("mean", &pooled.level.x, &Tensor::cat(&[edge, g.x.narrow(0, 2, 1)], 0), 1e-12);
    close(
        "lift",
        &pool.lift(&pooled.level.x, &pooled.selection).narrow(0, 0, 1),
        &pooled.level.x.narrow(0, 0, 1),
        0.0,
    );
}

#[test]
fn a_plan_of_two_levels_is_used_level_by_level() {
    let g = batch(&[HOUSE, STAR], Kind::Double);
    let Adjacency::Sparse(a) = &g.adj else { unreachable!("batches are sparse") };
    let plan = coarsen_tensor::matching::plan(&a.pattern, g.options(), &[Among::Neighbours; 2], 7);
    let first = matching(&a.pattern, Among::Neighbours, 7);
    let (_store, pool) = operator(&json!({"kind": "graclus"}), Kind::Double);

    let once = pool.pool(&g.with_x(g.x.shallow_clone()).with_plan(plan), Ctx::train(99));
    let Assignment::Entries(s) = &once.selection.s else { panic!("entries") };
    assert_eq!(s.relation.csr().col(), first, "the plan, not the seed of the pass");
    assert_eq!(once.level.plan.len(), 1);
    let twice = pool.pool(&once.level, Ctx::train(99));
    assert!(clusters(&twice.level) < clusters(&once.level) && twice.level.plan.is_empty());

    // A plan speaks of its level's nodes: another operator's pooling ends it.
    let planned = g.with_plan(vec![once.level.plan[0].shallow_clone()]);
    let (_store, other) = operator(&json!({"kind": "top-k"}), Kind::Double);
    assert!(other.pool(&planned, Ctx::eval()).level.plan.is_empty());
}

//! Kron reduction: which nodes stay, what joins them, plans.

use coarsen_nn::Ctx;
use coarsen_tensor::{Adjacency, Laplacian, Level, Reduction, kron};
use serde_json::json;
use tch::{Kind, Tensor};

use crate::batch::{EDGE, FEATURES, HOUSE, NOTHING, POINT, SQUARE, STAR, batch, close, operator};

fn sizes(level: &Level) -> Vec<u32> {
    level.segments().sizes().collect()
}

fn dense(level: &Level) -> Tensor {
    let Adjacency::Dense(a) = level.to_layout(coarsen_tensor::Layout::Dense).adj else {
        unreachable!("asked for")
    };
    a.a
}

#[test]
fn every_other_node_stays() {
    let g = batch(&[SQUARE, EDGE, POINT, NOTHING, STAR], Kind::Double);
    let (_store, pool) = operator(&json!({"kind": "kron"}), Kind::Double);
    let pooled = pool.pool(&g, Ctx::eval()).level;
    // Of the square nodes 0 and 2, of the star its centre and the node alone.
    assert_eq!(sizes(&pooled), [2, 1, 1, 0, 2]);
    let kept = g.x.index_select(0, &Tensor::from_slice(&[0i64, 2, 4, 6, 7, 12]));
    close("features", &pooled.x, &kept, 0.0);
    let a = dense(&pooled);
    // Two paths of two unit resistors beside each other, over degrees of 2.
    close("weight", &a.select(0, 0), &Tensor::from_slice2(&[[0.0, 0.5], [0.5, 0.0]]), 1e-12);
    assert_eq!(a.narrow(0, 1, 4).count_nonzero(None).int64_value(&[]), 0);
}

#[test]
fn the_laplacian_weighs_and_the_threshold_thins() {
    let g = batch(&[SQUARE], Kind::Double);
    let weight = |config| {
        dense(&operator(&config, Kind::Double).1.pool(&g, Ctx::eval()).level).double_value(&[0, 0, 1])
    };
    assert!((weight(json!({"kind": "kron", "laplacian": "combinatorial"})) - 1.0).abs() < 1e-12);
    assert!(weight(json!({"kind": "kron", "least": 0.6})).abs() < 1e-12);
}

#[test]
fn a_second_pooling_takes_the_weights_of_the_first() {
    let (_store, pool) = operator(&json!({"kind": "kron"}), Kind::Double);
    let g = batch(&[HOUSE, SQUARE], Kind::Double);
    let twice = pool.pool(&pool.pool(&g, Ctx::eval()).level, Ctx::eval()).level;
    assert_eq!(sizes(&twice)[1], 1, "a square becomes an edge, and that a node");
    assert!(sizes(&twice)[0] < 3);
}

#[test]
fn a_plan_is_what_the_operator_would_do() {
    let g = batch(&[HOUSE, EDGE, STAR, POINT], Kind::Double);
    let Adjacency::Sparse(a) = &g.adj else { unreachable!("batches are sparse") };
    let rule = Reduction { laplacian: Laplacian::Normalized, least: 0.0 };
    let planned = g.with_x(g.x.shallow_clone()).with_plan(vec![kron::planned(a, rule)]);
    let (_store, pool) = operator(&json!({"kind": "kron"}), Kind::Double);
    let (ahead, here) = (pool.pool(&planned, Ctx::eval()), pool.pool(&g, Ctx::eval()));
    close("features", &ahead.level.x, &here.level.x, 0.0);
    close("edges", &dense(&ahead.level), &dense(&here.level), 0.0);
    close("signs", &ahead.score, &(here.score.ge(0.0).to_kind(Kind::Double) * 2.0 - 1.0), 0.0);
    assert!(ahead.level.plan.is_empty());
}

#[test]
fn a_random_half_is_joined_alike() {
    let g = batch(&[HOUSE, STAR, POINT, NOTHING], Kind::Double);
    let (_store, pool) = operator(&json!({"kind": "kron", "control": "normal"}), Kind::Double);
    assert!(pool.plan().is_none(), "a plan would stand in for the random score");
    let pooled = pool.pool(&g, Ctx::eval());
    let kept = pooled.score.ge(0.0).sum(Kind::Int64).int64_value(&[]);
    assert!(kept > 0 && kept < 12 && pooled.level.x.size() == [kept.max(pooled.level.x.size()[0]), FEATURES]);
    // Nobody has a negative score under these: the graph stays, with the weights of its normalised Laplacian.
    for control in ["uniform", "bernoulli"] {
        let (_store, pool) = operator(&json!({"kind": "kron", "control": control}), Kind::Double);
        assert_eq!(sizes(&pool.pool(&g, Ctx::eval()).level), [5, 6, 1, 0]);
    }
}

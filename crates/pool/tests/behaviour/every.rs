//! What holds for every row of the registry.

use coarsen_nn::Ctx;
use coarsen_pool::steps::{CONNECT, LIFT, REDUCE};
use coarsen_pool::{Loss, Over, POOLS, Pooled};
use coarsen_tensor::{Adjacency, Assignment, Layout, Level};
use serde_json::json;
use tch::{Kind, Tensor};

use crate::batch::{
    EDGE, FEATURES, Graph, HOUSE, NOTHING, POINT, SQUARE, STAR, batch, close, dims, operator,
};

fn finite(t: &Tensor) -> bool {
    t.isfinite().all().int64_value(&[]) == 1
}

fn weights(pooled: &Pooled) -> Tensor {
    match &pooled.level.adj {
        Adjacency::Sparse(a) => a.weights(),
        Adjacency::Dense(a) => a.a.shallow_clone(),
    }
}

#[test]
fn small_graphs_are_values() {
    const ISOLATED: Graph = (3, &[]);
    let batches: [&[Graph]; 5] =
        [&[POINT], &[ISOLATED], &[POINT, EDGE, STAR], &[NOTHING, HOUSE], &[HOUSE, STAR, NOTHING]];
    for spec in POOLS {
        let (_store, pool) = operator(&json!({"kind": spec.name}), Kind::Float);
        for graphs in batches {
            for ctx in [Ctx::train(1), Ctx::eval()] {
                let pooled = pool.pool(&batch(graphs, Kind::Float), ctx);
                let whole = finite(&pooled.level.x) && finite(&weights(&pooled));
                assert!(whole, "{} of {graphs:?}", spec.name);
                assert!(pooled.selection.losses.iter().all(|loss| finite(&loss.value)), "{}", spec.name);
                assert_eq!(pooled.level.graphs(), graphs.len() as i64, "{}", spec.name);
            }
        }
    }
}

#[test]
fn the_pooled_level_is_as_wide_and_large_as_announced() {
    for spec in POOLS {
        let (_store, pool) = operator(&json!({"kind": spec.name}), Kind::Float);
        let announced = pool.coarsened(&dims());
        let pooled = pool.pool(&batch(&[SQUARE, HOUSE, STAR, EDGE, POINT], Kind::Float), Ctx::eval());
        assert_eq!(pooled.level.features(), announced.features, "{}", spec.name);
        let sizes = pooled.level.segments().sizes().collect::<Vec<_>>();
        let within = sizes.iter().zip(announced.sizes.iter()).all(|(n, most)| n <= most);
        assert!(within, "{}: {sizes:?} of {:?}", spec.name, announced.sizes);
        assert_eq!(pool.embeds().is_some(), pooled.selection.z.is_some(), "{}", spec.name);
    }
}

#[test]
fn lifting_answers_for_every_node_pooled() {
    for spec in POOLS {
        let (_store, pool) = operator(&json!({"kind": spec.name}), Kind::Float);
        let g = batch(&[HOUSE, POINT, STAR], Kind::Float);
        let pooled = pool.pool(&g, Ctx::eval());
        let lifted = pool.lift(&pooled.level.x, &pooled.selection);
        let here = g.to_layout(pool.layouts(g.layout()).0);
        let size = here.x.size();
        assert_eq!(lifted.size()[..size.len() - 1], size[..size.len() - 1], "{}", spec.name);
    }
}

/// `a` and `b` as values, whatever their layout and the order of their edges.
fn same_edges(level: &Level, b: Adjacency) -> bool {
    let square = |adj: Adjacency| match Level::new(level.x.shallow_clone(), adj).to_layout(Layout::Dense).adj
    {
        Adjacency::Dense(a) => a.a,
        Adjacency::Sparse(_) => unreachable!("asked for a dense level"),
    };
    square(level.adj.shallow_clone()).allclose(&square(b), 1e-12, 1e-12, false)
}

#[test]
fn a_step_is_the_textbooks_where_its_row_says_so_and_nowhere_else() {
    let g = batch(&[HOUSE, SQUARE, STAR], Kind::Double);
    for spec in POOLS {
        let (_store, pool) = operator(&json!({"kind": spec.name}), Kind::Double);
        let g = g.to_layout(pool.layouts(g.layout()).0);
        let Pooled { level, selection, .. } = pool.pool(&g, Ctx::eval());
        let same = |a: &Tensor, b: &Tensor| a.size() == b.size() && a.allclose(b, 1e-12, 1e-12, false);
        let done = [
            same(&level.x, &selection.s.reduce(&g.x)),
            same_edges(&level, g.adj.coarsen(&selection.s)),
            same(&pool.lift(&level.x, &selection), &selection.s.lift(&level.x)),
        ];
        let said = [spec.steps.reduce == REDUCE, spec.steps.connect == CONNECT, spec.steps.lift == LIFT];
        assert_eq!(done, said, "{}: reduce, connect, lift", spec.name);
    }
}

#[test]
fn identity_changes_nothing() {
    let g = batch(&[HOUSE, POINT], Kind::Double);
    let (store, pool) = operator(&json!({"kind": "identity"}), Kind::Double);
    let pooled = pool.pool(&g, Ctx::eval());
    assert!(store.is_empty());
    let score = pool.score(&g, Ctx::eval());
    assert!(score.defined() && score.size() == [0], "nothing is scored");
    close("features", &pooled.level.x, &g.x, 0.0);
    close("degrees", &pooled.level.adj.degree(), &g.adj.degree(), 0.0);
    close("by S itself", &pooled.selection.s.reduce(&g.x), &g.x, 0.0);
    close("lifted", &pool.lift(&pooled.level.x, &pooled.selection), &g.x, 0.0);
}

#[test]
fn a_loss_knows_of_how_many_it_is_a_mean() {
    let g = batch(&[HOUSE, POINT, SQUARE], Kind::Double);
    for g in [&g, &g.to_layout(Layout::Dense)] {
        let count = |over| Loss::new("mine", Tensor::from(0.0), over, g).count as i64;
        let counts = [Over::Graphs, Over::Nodes, Over::Edges, Over::Sum, Over::Batch].map(count);
        assert_eq!(counts, [3, 10, 20, 1, 1]);
    }
}

#[test]
fn top_k_lifts_kept_rows_where_they_came_from() {
    let g = batch(&[HOUSE, POINT], Kind::Double);
    let (_store, pool) = operator(&json!({"kind": "top-k", "keep": {"count": 2}}), Kind::Double);
    let pooled = pool.pool(&g, Ctx::eval());
    let Assignment::Entries(s) = &pooled.selection.s else { panic!("entries") };
    let (node, new) = (s.relation.row(g.x.device()), s.relation.col(g.x.device()));
    let lifted = pool.lift(&pooled.level.x, &pooled.selection);
    close("kept", &lifted.index_select(0, &node), &pooled.level.x.index_select(0, &new), 0.0);
    let dropped = lifted.index_fill(0, &node, 0.0);
    close("dropped", &dropped, &Tensor::zeros([6, FEATURES], (Kind::Double, g.x.device())), 0.0);
}

#[test]
fn asap_drops_attention_in_training_alone() {
    let g = batch(&[HOUSE, STAR], Kind::Double);
    let pooled = |dropout: f64, ctx| {
        let (_store, pool) = operator(&json!({"kind": "asap", "dropout": dropout}), Kind::Double);
        pool.pool(&g, ctx).level.x
    };
    assert!(pooled(0.5, Ctx::eval()).equal(&pooled(0.0, Ctx::eval())));
    assert!(!pooled(0.5, Ctx::train(1)).equal(&pooled(0.0, Ctx::train(1))));
}

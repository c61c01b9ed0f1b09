//! Batches with equal scores: the law of order leaves them out, and no others.

use coarsen_laws::{Laws, pool, tight};
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_pool::{Invariance, Pool, Scores, Selection};
use coarsen_tensor::top_k::top_k;
use coarsen_tensor::{Assignment, Layout, Level, Segments};
use tch::Tensor;

use crate::{caught, laws, obeys};

/// Keeps the first half of the nodes of each graph: their scores fall from node to node, by so much.
#[derive(Debug)]
struct FirstHalf(f64);

impl Pool for FirstHalf {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nodes
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        1.0 - Tensor::arange(g.x.size()[0], g.options()) * self.0
    }

    fn select(&self, g: &Level, _: &Tensor, _: Ctx) -> Selection {
        let graphs = g.segments();
        let half = |ends: &[u32]| i64::from(ends[0])..i64::from(ends[0] + (ends[1] - ends[0]).div_ceil(2));
        let kept: Vec<i64> = graphs.ptr().windows(2).flat_map(half).collect();
        Assignment::kept(&Tensor::from_slice(&kept), None, g).into()
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.clone()
    }
}

fn first_half(gap: f64) -> impl Fn(&Params, &Dims) -> Box<dyn Pool> {
    move |_, _| Box::new(FirstHalf(gap))
}

#[test]
fn batches_with_equal_scores_are_left_out() {
    obeys(pool::invariant(&first_half(0.0), &laws()));
    obeys(pool::invariant(&first_half(1e-12), &laws()));
}

#[test]
fn scores_that_are_close_are_not_equal() {
    caught(pool::invariant(&first_half(1e-6), &laws()), "invariant");
}

#[test]
fn what_is_left_out_is_counted() {
    let laws = Laws { cases: 200, ..laws() };
    let tied = |gap| pool::ties(&first_half(gap), &laws).expect("nothing is asked");
    assert_eq!(tied(1e-6), 0);
    // All but batches with a graph of one node or none, in which nothing can tie.
    assert!((40..=160).contains(&tied(0.0)), "{}", tied(0.0));
}

/// Keeps half of the nodes by their first feature; of equal ones the last wins.
#[derive(Debug)]
struct LastOfEqual;

impl Pool for LastOfEqual {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nodes
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        g.x.select(1, 0)
    }

    fn select(&self, g: &Level, score: &Tensor, _: Ctx) -> Selection {
        let turned: Vec<i64> = (0..score.size()[0]).rev().collect();
        let turned = Tensor::from_slice(&turned);
        let sizes: Vec<u32> = g.segments().sizes().collect();
        let graphs = Segments::of_sizes(sizes.into_iter().rev());
        let kept = top_k(&score.index_select(0, &turned), &graphs, |n| n.div_ceil(2));
        let kept = turned.index_select(0, &kept).sort(0, false).0;
        Assignment::kept(&kept, None, g).into()
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.clone()
    }
}

#[test]
fn of_equal_scores_the_first_must_win() {
    let last = |_: &Params, _: &Dims| -> Box<dyn Pool> { Box::new(LastOfEqual) };
    obeys(pool::invariant(&last, &laws()));
    caught(pool::ties_go_by_index(&last, &laws()), "ties_go_by_index");
    obeys(pool::ties_go_by_index(&first_half(0.0), &laws()));
}

#[test]
fn less_than_there_is_must_not_be_declared() {
    let config = serde_json::json!({"kind": "top-k"});
    let top_k =
        |p: &Params, dims: &Dims| coarsen_pool::pool(&config, p, dims).expect("a valid configuration");
    obeys(tight(&top_k, Invariance::UpToTies, &laws()));
    let told = tight(&top_k, Invariance::Seeded, &laws()).expect_err("it depends on no order").to_string();
    assert_eq!(told, "the order of the nodes is declared broken, but holds in 64 cases");
    let all = |_: &Params, _: &Dims| -> Box<dyn Pool> { Box::new(coarsen_pool::Identity) };
    assert!(tight(&all, Invariance::UpToTies, &laws()).is_err(), "where all stay, no tie decides");
    obeys(tight(&all, Invariance::Exact, &laws()));
}

//! Batches with equal scores: the law of order leaves them out, and no others.

use coarsen_laws::{Laws, pool};
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_pool::{Pool, Scores, Selection};
use coarsen_tensor::{Assignment, Layout, Level};
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

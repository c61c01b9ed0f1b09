//! Wrong pooling operators: a right one with one step spoilt.

use std::sync::Arc;

use coarsen_laws::{Broken, pool};
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_pool::{Invariance, Loss, Over, Pool, RowSums, Scores, Selection};
use coarsen_tensor::{Adjacency, Assignment, Layout, Level, Padded, segment};
use serde_json::{Value, json};
use tch::Tensor;

use crate::{caught, laws, obeys};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    AnnouncesTooMuch,
    AnnouncesTooFew,
    MixesGraphs,
    LosesGraphs,
    LosesNumbers,
    IdleParameter,
    ScoresByPosition,
    ScoresByBatch,
    SumsALoss,
    DoublesDense,
    ConnectsOneWay,
    LiftsTheDropped,
    LiftsToNeighbours,
    LiftsSquares,
    KeepsPadding,
    WrongAxis,
    ClaimsUnitRows,
}

#[derive(Debug)]
struct Spoilt {
    inner: Box<dyn Pool>,
    fault: Fault,
}

impl Pool for Spoilt {
    fn layouts(&self, given: Layout) -> (Layout, Layout) {
        self.inner.layouts(given)
    }

    fn scores(&self) -> Scores {
        self.inner.scores()
    }

    fn score(&self, g: &Level, ctx: Ctx) -> Tensor {
        let score = self.inner.score(g, ctx);
        match self.fault {
            Fault::ScoresByPosition => score + Tensor::arange(g.x.size()[0], g.options()) * 0.1,
            Fault::ScoresByBatch => score + g.x.sum(None) * 0.1,
            _ => score,
        }
    }

    fn select(&self, g: &Level, score: &Tensor, ctx: Ctx) -> Selection {
        let graphs = g.segments();
        let nodes = graphs.rows() as u32;
        let mut selection = self.inner.select(g, score, ctx);
        match self.fault {
            Fault::MixesGraphs => {
                let turned: Vec<(u32, u32)> = (0..nodes).map(|i| (i, nodes - 1 - i)).collect();
                return Assignment::entries(&turned, None, graphs, g).into();
            }
            Fault::LosesGraphs => {
                let first = i64::from(graphs.ptr()[1]);
                return Assignment::kept(&Tensor::from_slice(&(0..first).collect::<Vec<_>>()), None, g)
                    .into();
            }
            Fault::SumsALoss => {
                let value = segment::sum(&g.x, &graphs).sum(None);
                selection.losses.push(Loss::new("total", value, Over::Graphs, g));
            }
            Fault::WrongAxis => selection.s = Assignment::soft(g.mask_rows(score.softmax(-2, None)), g),
            Fault::KeepsPadding => selection.s = Assignment::soft(score.softmax(-1, None), g),
            _ => {}
        }
        selection
    }

    fn row_sums(&self) -> RowSums {
        if self.fault == Fault::ClaimsUnitRows { RowSums::One } else { self.inner.row_sums() }
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        let told = self.inner.coarsened(dims);
        match self.fault {
            Fault::AnnouncesTooMuch => told.with_features(told.features + 1),
            Fault::AnnouncesTooFew => told.with_sizes(vec![1; told.sizes.len()]),
            _ => told,
        }
    }

    fn embeds(&self) -> Option<i64> {
        self.inner.embeds()
    }

    fn reduce(&self, g: &Level, sel: &Selection, ctx: Ctx) -> Tensor {
        let x = self.inner.reduce(g, sel, ctx);
        match self.fault {
            Fault::LosesNumbers => &x / x.eq(0.0).logical_not().to_kind(x.kind()) + x.log(),
            Fault::DoublesDense if g.layout() == Layout::Dense => x * 2.0,
            _ => x,
        }
    }

    fn connect(&self, g: &Level, sel: &Selection) -> Adjacency {
        match (self.inner.connect(g, sel), self.fault) {
            (Adjacency::Dense(p), Fault::ConnectsOneWay) => {
                let rows = Tensor::arange(p.a.size()[1], g.options()).unsqueeze(-1);
                Adjacency::Dense(Padded::new(p.a * rows, p.mask))
            }
            (adj, _) => adj,
        }
    }

    fn lift(&self, x: &Tensor, sel: &Selection) -> Tensor {
        let lifted = self.inner.lift(x, sel);
        match self.fault {
            Fault::LiftsTheDropped => lifted + 1.0,
            Fault::LiftsToNeighbours => self.inner.lift(&x.roll([1i64], [0i64]), sel),
            Fault::LiftsSquares => self.inner.lift(&x.square(), sel),
            _ => lifted,
        }
    }
}

fn check(config: &Value, fault: Fault) -> Result<(), Broken> {
    let make = |p: &Params, dims: &Dims| -> Box<dyn Pool> {
        if fault == Fault::IdleParameter {
            let _ = p.constant("idle", &[1], 1.0);
        }
        let inner = coarsen_pool::pool(config, p, dims).expect("a valid configuration");
        Box::new(Spoilt { inner, fault })
    };
    pool::check(make, Invariance::UpToTies, &laws())
}

fn top_k() -> Value {
    json!({"kind": "top-k"})
}

fn diffpool() -> Value {
    json!({"kind": "diffpool", "hidden": 4, "layers": 1, "ratio": 0.2})
}

#[test]
fn what_is_not_spoilt_obeys() {
    for config in [top_k(), diffpool()] {
        obeys(check(&config, Fault::None));
    }
}

#[test]
fn shapes_clusters_and_numbers_are_seen() {
    caught(check(&top_k(), Fault::AnnouncesTooMuch), "well_formed");
    caught(check(&top_k(), Fault::AnnouncesTooFew), "well_formed");
    caught(check(&json!({"kind": "identity"}), Fault::MixesGraphs), "well_formed");
    caught(check(&top_k(), Fault::LosesGraphs), "well_formed");
    caught(check(&top_k(), Fault::LosesNumbers), "well_formed");
}

#[test]
fn a_cluster_of_another_graph_is_named() {
    let message = check(&json!({"kind": "identity"}), Fault::MixesGraphs).expect_err("caught").to_string();
    assert!(message.contains("is in cluster") || message.contains("is lost"), "{message}");
}

#[test]
fn order_and_batch_are_seen() {
    caught(check(&top_k(), Fault::ScoresByPosition), "invariant");
    caught(check(&top_k(), Fault::ScoresByBatch), "batch_independent");
    caught(check(&top_k(), Fault::SumsALoss), "batch_independent");
    caught(check(&diffpool(), Fault::ScoresByBatch), "batch_independent");
}

#[test]
fn layouts_and_padding_are_seen() {
    caught(check(&diffpool(), Fault::DoublesDense), "layouts_agree");
    caught(check(&diffpool(), Fault::KeepsPadding), "padding_inert");
}

#[test]
fn edges_lifts_and_idle_parameters_are_seen() {
    caught(check(&diffpool(), Fault::ConnectsOneWay), "connect_keeps_symmetry");
    caught(check(&top_k(), Fault::LiftsTheDropped), "lift_returns_to_the_nodes");
    caught(check(&top_k(), Fault::LiftsToNeighbours), "lift_round_trips");
    caught(check(&diffpool(), Fault::LiftsSquares), "lift_round_trips");
    caught(check(&top_k(), Fault::IdleParameter), "every_parameter_learns");
}

#[test]
fn the_scale_of_an_assignment_is_seen() {
    caught(check(&diffpool(), Fault::WrongAxis), "row_sums_as_declared");
    caught(check(&top_k(), Fault::ClaimsUnitRows), "row_sums_as_declared");
}

/// Each node its own cluster, in falling order: the same graph, its nodes renumbered.
#[derive(Debug)]
struct Reversed;

impl Pool for Reversed {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nothing
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        Tensor::zeros([0], g.options())
    }

    fn select(&self, g: &Level, _: &Tensor, _: Ctx) -> Selection {
        let graphs = g.segments();
        let of_graph =
            |ends: &[u32]| (ends[0]..ends[1]).map(|i| (i, ends[0] + ends[1] - 1 - i)).collect::<Vec<_>>();
        let entries: Vec<(u32, u32)> = graphs.ptr().windows(2).flat_map(of_graph).collect();
        Assignment::entries(&entries, None, Arc::clone(&graphs), g).into()
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.clone()
    }
}

#[test]
fn clusters_are_compared_whatever_their_order() {
    obeys(pool::check(|_, _| Box::new(Reversed), Invariance::Exact, &laws()));
}

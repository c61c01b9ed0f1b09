//! Readouts as they were shipped.

use coarsen_laws::{batch_independent, case, finite, padding_inert, readout, well_formed};
use coarsen_nn::{Ctx, Dims, Params, Readout};
use coarsen_tensor::{Adjacency, Level, segment};
use tch::{Device, Kind, Tensor};

use crate::{bites, counts, rows, total};

#[derive(Debug)]
struct Reading(fn(&Level) -> Tensor);

impl Readout for Reading {
    fn forward(&self, g: &Level, _: Ctx) -> Tensor {
        (self.0)(g)
    }

    fn out_features(&self) -> i64 {
        case::FEATURES
    }
}

fn reading(f: fn(&Level) -> Tensor) -> impl Fn(&Params, &Dims) -> Box<dyn Readout> {
    move |_, _| Box::new(Reading(f))
}

/// pyg-team/pytorch_geometric, issues 2895 and 6737: as many rows as the last node's graph says; graphs without nodes at the end are lost.
#[test]
fn trailing_graphs_are_lost() {
    let shipped = |g: &Level| {
        let graph = Vec::<i64>::try_from(g.segments().index(Device::Cpu)).expect("indices");
        total(g, &g.x).narrow(0, 0, graph.last().map_or(0, |last| last + 1))
    };
    bites("well_formed", well_formed, &reading(shipped), &reading(|g| total(g, &g.x)));
}

/// danielegrattarola/spektral, issue 302: attention over all nodes of the batch.
#[test]
fn attention_runs_over_the_batch() {
    let shipped = |g: &Level| total(g, &(g.x.select(1, 0).softmax(0, None).unsqueeze(-1) * &g.x));
    let mended = |g: &Level| {
        let share = segment::softmax(&g.x.select(1, 0).unsqueeze(-1), &g.segments());
        total(g, &(share * &g.x))
    };
    bites("batch_independent", batch_independent, &reading(shipped), &reading(mended));
}

/// What pyg-team/pytorch_geometric, issue 881, asks about: the mask is left out, and the mean is one of slots.
#[test]
fn the_mean_counts_padding() {
    let shipped = |g: &Level| total(g, &g.x) / rows(&g.x);
    bites("padding_inert", padding_inert, &reading(shipped), &reading(|g| total(g, &g.x) / counts(g)));
}

/// The largest of each column, of no node 0; `hidden` stands in the padding.
fn largest(g: &Level, hidden: f64) -> Tensor {
    let Adjacency::Dense(_) = &g.adj else { return segment::max(&g.x, &g.segments()) };
    if g.x.size()[1] == 0 {
        return total(g, &g.x);
    }
    let Some(mask) = g.mask() else { return g.x.amax([1i64].as_slice(), false) };
    let most = g.x.masked_fill(&mask.eq(0.0).unsqueeze(-1), hidden).amax([1i64].as_slice(), false);
    most.masked_fill(&most.isinf(), 0.0)
}

/// RexYing/diffpool, `encoders.py`: `torch.max(x, dim=1)` over padded rows, which hold 0, and 0 is more than any negative feature.
#[test]
fn the_maximum_is_that_of_padding() {
    let (shipped, mended) = (|g: &Level| largest(g, 0.0), |g: &Level| largest(g, f64::NEG_INFINITY));
    bites("padding_inert", padding_inert, &reading(shipped), &reading(mended));
}

/// Zhang et al. 2018 sort nodes because of this: a dense layer on the nodes in a row reads their order.
#[test]
fn nodes_are_read_in_a_row() {
    let shipped = |g: &Level| {
        let place = Tensor::arange(g.x.size()[0], g.options()).unsqueeze(-1);
        total(g, &(&g.x * (place * 0.7).cos()))
    };
    bites("invariant", readout::invariant, &reading(shipped), &reading(|g| total(g, &g.x)));
}

/// What the count in `scatter_mean` of `torch_scatter` is clamped for: a graph without nodes has no mean.
#[test]
fn the_mean_of_none_is_no_number() {
    let shipped = |g: &Level| {
        let sizes: Vec<f64> = g.segments().sizes().map(f64::from).collect();
        total(g, &g.x) / Tensor::from_slice(&sizes).unsqueeze(-1)
    };
    bites("finite", finite, &reading(shipped), &reading(|g| total(g, &g.x) / counts(g)));
}

fn variance(g: &Level) -> Tensor {
    let mean = total(g, &g.x) / counts(g);
    (total(g, &g.x.square()) / counts(g) - mean.square()).clamp_min(0.0)
}

/// pytorch/pytorch, issue 4320: the gradient of a standard deviation of 0, as a single node has, is not finite.
#[test]
fn the_deviation_of_one_node_has_no_gradient() {
    let (shipped, mended) =
        (|g: &Level| variance(g).sqrt(), |g: &Level| (variance(g) + 1e-4).to_kind(Kind::Double).sqrt());
    bites("finite", finite, &reading(shipped), &reading(mended));
}

//! Auxiliary losses as they were shipped, of soft clusters on padded batches.

use coarsen_laws::{batch_independent, finite, padding_inert};
use coarsen_pool::{Loss, Over, Selection};
use coarsen_tensor::{Adjacency, Assignment, Level};
use tch::{Kind, Tensor};

use crate::pool::{Plain, operator};
use crate::{bites, counts};

type Value = fn(&Level, &Tensor) -> Tensor;

/// Soft clusters, and a loss of them.
fn with_loss(g: &Level, over: Over, value: Value) -> Selection {
    let s = g.mask_rows((&g.x * 3.0).softmax(-1, None));
    let loss = Loss::new("loss", value(g, &s), over, g);
    Selection { losses: vec![loss], ..Assignment::soft(s, g).into() }
}

fn squares(g: &Level) -> &Tensor {
    let Adjacency::Dense(p) = &g.adj else { panic!("a dense level") };
    &p.a
}

/// `Σ` over these dimensions.
fn sum(t: &Tensor, over: &[i64]) -> Tensor {
    t.sum_dim_intlist(over, false, Kind::Double)
}

/// A root whose gradient is finite at 0.
fn root(t: &Tensor) -> Tensor {
    (t + 1e-6).sqrt()
}

fn row_entropy(s: &Tensor) -> Tensor {
    -sum(&(s * (s + 1e-15).log()), &[-1])
}

/// pyg-team/pytorch_geometric, `dense_diff_pool`: the entropy is a mean over all rows, padding among them (1.737 with none, 0.174 with much).
#[test]
fn the_entropy_counts_padding() {
    let shipped = |g: &Level| with_loss(g, Over::Nodes, |_, s| sum(&row_entropy(s), &[0, 1]) / slots(s));
    let mended = |g: &Level| {
        with_loss(g, Over::Nodes, |g, s| sum(&row_entropy(s), &[0, 1]) / g.segments().rows().max(1) as f64)
    };
    let (shipped, mended) = (operator(Plain::dense(shipped)), operator(Plain::dense(mended)));
    bites("padding_inert", padding_inert, &shipped, &mended);
}

fn slots(s: &Tensor) -> f64 {
    (s.size()[0] * s.size()[1]).max(1) as f64
}

/// Without what is under the logarithm in `dense_diff_pool`, `EPS`, the entropy of a padded row is `0 · log 0`.
#[test]
fn the_logarithm_of_nothing_is_taken() {
    let shipped = |g: &Level| with_loss(g, Over::Sum, |_, s| -sum(&(s * s.log()), &[0, 1, 2]));
    let mended = |g: &Level| with_loss(g, Over::Sum, |_, s| -sum(&(s * (s + 1e-15).log()), &[0, 1, 2]));
    let (shipped, mended) = (operator(Plain::dense(shipped)), operator(Plain::dense(mended)));
    bites("finite", finite, &shipped, &mended);
}

fn residual(g: &Level, s: &Tensor) -> Tensor {
    sum(&(squares(g) - s.matmul(&s.transpose(1, 2))).square(), &[1, 2])
}

/// pyg-team/pytorch_geometric, `dense_diff_pool` (its issue 237 asks why): the link loss is divided by the entries of the padded batch.
#[test]
fn the_link_loss_counts_padding() {
    let shipped = |g: &Level| {
        with_loss(g, Over::Graphs, |g, s| {
            sum(&residual(g, s), &[0]).sqrt() / squares(g).numel().max(1) as f64
        })
    };
    let mended = |g: &Level| with_loss(g, Over::Graphs, |g, s| root(&residual(g, s)).mean(None));
    let (shipped, mended) = (operator(Plain::dense(shipped)), operator(Plain::dense(mended)));
    bites("padding_inert", padding_inert, &shipped, &mended);
}

/// The size of the clusters of each graph, `[B]`.
fn sizes(s: &Tensor) -> Tensor {
    root(&sum(&sum(s, &[1]).square(), &[1]))
}

/// pyg-team/pytorch_geometric, issue 10148: `[B]` divided by `[B, 1]` is `[B, B]`; in `DMoN`'s collapse loss every graph meets the sizes of all.
#[test]
fn every_graph_meets_all_sizes() {
    let shipped = |g: &Level| with_loss(g, Over::Graphs, |g, s| (sizes(s) / counts(g)).mean(None));
    let mended =
        |g: &Level| with_loss(g, Over::Graphs, |g, s| (sizes(s) / counts(g).squeeze_dim(1)).mean(None));
    let (shipped, mended) = (operator(Plain::dense(shipped)), operator(Plain::dense(mended)));
    bites("batch_independent", batch_independent, &shipped, &mended);
}

/// `‖Sᵀ d‖²` of each graph, `d` its degrees.
fn expected_edges(g: &Level, s: &Tensor) -> Tensor {
    let degree = sum(squares(g), &[-1]).unsqueeze(-1);
    sum(&s.transpose(1, 2).matmul(&degree).square(), &[1, 2])
}

/// pyg-team/pytorch_geometric, issue 8284: `DMoN`'s modularity is divided by the edges of the batch (1.575 where 0.024 is right).
#[test]
fn modularity_counts_the_edges_of_the_batch() {
    let shipped = |g: &Level| {
        with_loss(g, Over::Graphs, |g, s| {
            let edges = squares(g).sum(Kind::Double) + 1.0;
            (expected_edges(g, s) / &edges / edges).mean(None)
        })
    };
    let mended = |g: &Level| {
        with_loss(g, Over::Graphs, |g, s| {
            let edges = sum(squares(g), &[1, 2]) + 1.0;
            (expected_edges(g, s) / &edges / edges).mean(None)
        })
    };
    let (shipped, mended) = (operator(Plain::dense(shipped)), operator(Plain::dense(mended)));
    bites("batch_independent", batch_independent, &shipped, &mended);
}

/// How far `SᵀS` of each graph is from the identity, squared: `[B]`.
fn off_orthogonal(s: &Tensor) -> Tensor {
    let gram = s.transpose(1, 2).matmul(s);
    let eye = Tensor::eye(gram.size()[1], (Kind::Double, s.device()));
    sum(&(gram - eye).square(), &[1, 2])
}

/// The loss of orthogonality of MinCutPool (Bianchi et al. 2020), unscaled, with the norm of `torch.norm(ss)` without `dim`: one of the batch.
#[test]
fn the_norm_is_that_of_the_batch() {
    let shipped = |g: &Level| with_loss(g, Over::Graphs, |_, s| root(&sum(&off_orthogonal(s), &[0])));
    let mended = |g: &Level| with_loss(g, Over::Graphs, |_, s| root(&off_orthogonal(s)).mean(None));
    let (shipped, mended) = (operator(Plain::dense(shipped)), operator(Plain::dense(mended)));
    bites("batch_independent", batch_independent, &shipped, &mended);
}

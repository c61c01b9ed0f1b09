//! Convolutions as they were shipped.

use coarsen_laws::{batch_independent, case, conv, finite, repeatable, well_formed};
use coarsen_nn::{Conv, Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Layout, Level, Sparse, segment};
use tch::{Device, Kind, Tensor, no_grad};

use crate::bites;

#[derive(Debug)]
struct Layer(fn(&Level) -> Tensor);

impl Conv for Layer {
    fn forward(&self, g: &Level, _: Ctx) -> Tensor {
        (self.0)(g)
    }

    fn out_features(&self) -> i64 {
        case::FEATURES
    }
}

fn layer(f: fn(&Level) -> Tensor) -> impl Fn(&Params, &Dims) -> Box<dyn Conv> {
    move |_, _| Box::new(Layer(f))
}

fn edges(g: &Level) -> &Sparse {
    let Adjacency::Sparse(a) = &g.adj else { panic!("these laws look at sparse levels") };
    a
}

/// pyg-team/pytorch_geometric, pull request 677: the number of nodes is read off the edges, and isolated nodes at the end are lost.
#[test]
fn isolated_nodes_are_dropped() {
    let shipped = |g: &Level| {
        let nodes = edges(g).pattern.csr().col().iter().max().map_or(0, |&last| i64::from(last) + 1);
        g.adj.matmul(&g.x).narrow(0, 0, nodes)
    };
    bites("well_formed", well_formed, &layer(shipped), &layer(|g| g.adj.matmul(&g.x)));
}

fn normalised(g: &Level, root: &Tensor) -> Tensor {
    let root = root.unsqueeze(-1);
    &root * g.adj.matmul(&(&root * &g.x))
}

/// mlx-graphs/mlx-graphs, pull request 18: `D^{-1/2}` of a node without edges is infinite.
#[test]
fn a_degree_of_zero_is_divided_by() {
    let shipped = |g: &Level| normalised(g, &g.adj.degree().pow_tensor_scalar(-0.5));
    let mended = |g: &Level| normalised(g, &(g.adj.degree() + 1.0).pow_tensor_scalar(-0.5));
    bites("finite", finite, &layer(shipped), &layer(mended));
}

/// deepchem/deepchem, issue 5086: `F.dropout` without `training=self.training` drops in evaluation, too.
#[test]
fn dropout_runs_in_evaluation() {
    bites("repeatable", repeatable, &layer(|g| g.x.dropout(0.5, true)), &layer(|g| g.x.dropout(0.5, false)));
}

/// `nn.ReLU(inplace=True)` in front of a residual connection: the input is another afterwards.
#[test]
fn the_input_is_written_to() {
    let shipped = |g: &Level| no_grad(|| g.x.detach().relu_()) + &g.x;
    bites("repeatable", repeatable, &layer(shipped), &layer(|g| g.x.relu() + &g.x));
}

fn attended(g: &Level, logits: &Tensor) -> Tensor {
    logits.softmax(-1, None).matmul(&g.x)
}

/// leffff/graphormer-pyg, issue 14: attention between nodes of different graphs of the batch.
#[test]
fn attention_crosses_graphs() {
    let mended = |g: &Level| {
        let graph = g.segments().index(Device::Cpu);
        let apart = graph.unsqueeze(0).ne_tensor(&graph.unsqueeze(1));
        attended(g, &g.x.matmul(&g.x.tr()).masked_fill(&apart, f64::NEG_INFINITY))
    };
    let shipped = |g: &Level| attended(g, &g.x.matmul(&g.x.tr()));
    bites("batch_independent", batch_independent, &layer(shipped), &layer(mended));
}

/// Scores of edges by the features of both ends, and what the nodes get of their senders, weighted.
fn edge_attention(g: &Level, share: fn(&Level, &Tensor) -> Tensor) -> Tensor {
    let pattern = &edges(g).pattern;
    let (target, source) = (pattern.row(Device::Cpu), pattern.col(Device::Cpu));
    let first = g.x.select(1, 0);
    let score = first.index_select(0, &target) * first.index_select(0, &source);
    let message = g.x.index_select(0, &source) * share(g, &score).unsqueeze(-1);
    g.x.zeros_like().index_add(0, &target, &message)
}

/// The softmax over the edges that end at one node.
fn over_neighbours(g: &Level, score: &Tensor) -> Tensor {
    let target = edges(g).pattern.row(Device::Cpu);
    let exp = score.exp();
    let sum = Tensor::zeros([g.x.size()[0]], g.options()).index_add(0, &target, &exp);
    exp / sum.index_select(0, &target)
}

/// alibaba/graph-learn, pull request 26: the softmax of attention runs over all edges of the batch, not over those of a node.
#[test]
fn the_softmax_runs_over_all_edges() {
    let shipped = |g: &Level| edge_attention(g, |_, score| score.softmax(0, None));
    let mended = |g: &Level| edge_attention(g, over_neighbours);
    bites("batch_independent", batch_independent, &layer(shipped), &layer(mended));
}

/// Hamilton et al. 2017, section 3.3: an LSTM over the neighbours reads them in some order.
#[test]
fn the_order_of_edges_decides() {
    let shipped = |g: &Level| {
        let csr = edges(g).pattern.csr();
        let read = |i: usize| {
            let senders = &csr.col()[csr.row_ptr()[i] as usize..csr.row_ptr()[i + 1] as usize];
            let nothing = Tensor::zeros([case::FEATURES], g.options());
            senders.iter().fold(nothing, |state, &j| (state * 0.5 + g.x.select(0, i64::from(j))).tanh())
        };
        let rows: Vec<Tensor> = (0..csr.rows()).map(read).collect();
        if rows.is_empty() { g.x.shallow_clone() } else { Tensor::stack(&rows, 0) }
    };
    bites("equivariant", conv::equivariant, &layer(shipped), &layer(|g| g.adj.matmul(&g.x).tanh()));
}

/// Zero mean and unit variance over these dimensions of a padded batch.
fn standardised(g: &Level, over: &[i64]) -> Tensor {
    let dense = g.to_layout(Layout::Dense);
    let mean = dense.x.mean_dim(over, true, Kind::Double);
    let off = &dense.x - mean;
    let variance = off.square().mean_dim(over, true, Kind::Double);
    dense.with_x(dense.mask_rows(off / (variance + 1e-2).sqrt())).to_layout(Layout::Sparse).x
}

/// RexYing/diffpool, issue 27: batch norm has a mean for every slot, over the graphs of the batch.
#[test]
fn batch_norm_runs_over_slots() {
    let (shipped, mended) = (|g: &Level| standardised(g, &[0, 2]), |g: &Level| standardised(g, &[2]));
    bites("batch_independent", batch_independent, &layer(shipped), &layer(mended));
}

/// pyg-team/pytorch_geometric, discussion of pull request 2164: a norm of graphs that is not told which node is of which graph.
#[test]
fn the_mean_is_that_of_the_batch() {
    let shipped =
        |g: &Level| &g.x - g.x.sum_dim_intlist([0i64].as_slice(), true, Kind::Double) / crate::rows(&g.x);
    let mended = |g: &Level| {
        let graphs = g.segments();
        &g.x - segment::mean(&g.x, &graphs).index_select(0, &graphs.index(Device::Cpu))
    };
    bites("batch_independent", batch_independent, &layer(shipped), &layer(mended));
}

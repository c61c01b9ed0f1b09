//! Pooling operators as they were shipped: who goes where, and back.

use std::sync::Arc;

use coarsen_laws::{batch_independent, padding_inert, pool};
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_pool::{Pool, Scores, Selection};
use coarsen_tensor::top_k::top_k;
use coarsen_tensor::{Adjacency, Assignment, Layout, Level, Padded, Segments, segment};
use tch::{Kind, Tensor};

use crate::bites;

/// The steps of an operator without parameters, each a function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain {
    pub(crate) layouts: (Layout, Layout),
    pub(crate) select: fn(&Level) -> Selection,
    pub(crate) connect: fn(&Level, &Selection) -> Adjacency,
    pub(crate) lift: fn(&Tensor, &Selection) -> Tensor,
}

impl Plain {
    /// Sparse clusters.
    fn hard(select: fn(&Level) -> Selection) -> Self {
        Self {
            layouts: (Layout::Sparse, Layout::Sparse),
            select,
            connect: |g, sel| g.adj.coarsen(&sel.s),
            lift: |x, sel| sel.s.lift(x),
        }
    }

    /// Clusters of a padded level.
    pub(crate) fn dense(select: fn(&Level) -> Selection) -> Self {
        Self { layouts: (Layout::Dense, Layout::Dense), ..Self::hard(select) }
    }
}

impl Pool for Plain {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        self.layouts
    }

    fn scores(&self) -> Scores {
        Scores::Nothing
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        Tensor::zeros([0], g.options())
    }

    fn select(&self, g: &Level, _: &Tensor, _: Ctx) -> Selection {
        (self.select)(g)
    }

    fn connect(&self, g: &Level, sel: &Selection) -> Adjacency {
        (self.connect)(g, sel)
    }

    fn lift(&self, x: &Tensor, sel: &Selection) -> Tensor {
        (self.lift)(x, sel)
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.clone()
    }
}

pub(crate) fn operator(steps: Plain) -> impl Fn(&Params, &Dims) -> Box<dyn Pool> {
    move |_, _| Box::new(steps)
}

fn first(g: &Level) -> Tensor {
    g.x.select(1, 0)
}

fn half(n: usize) -> usize {
    n.div_ceil(2)
}

fn best(g: &Level) -> Selection {
    Assignment::kept(&top_k(&first(g), &g.segments(), half), None, g).into()
}

/// HongyangGao/Graph-U-Nets, issue 28: without a batch vector the best nodes are those of the batch.
#[test]
fn the_best_are_those_of_the_batch() {
    let shipped = |g: &Level| {
        let one = Segments::of_sizes([g.segments().rows() as u32]);
        let kept = top_k(&first(g), &one, half).sort(0, false).0;
        Assignment::kept(&kept, None, g).into()
    };
    let (shipped, mended) = (operator(Plain::hard(shipped)), operator(Plain::hard(best)));
    bites("batch_independent", batch_independent, &shipped, &mended);
}

fn gated(g: &Level, gate: &Tensor) -> Selection {
    let all = Tensor::arange(g.x.size()[0], (Kind::Int64, g.x.device()));
    Assignment::kept(&all, Some(gate), g).into()
}

/// Knyazev et al. 2019, attention over the nodes of a graph, with the softmax of danielegrattarola/spektral, issue 302: one for the batch.
#[test]
fn the_gate_is_a_share_of_the_batch() {
    let shipped = |g: &Level| gated(g, &first(g).softmax(0, None));
    let mended =
        |g: &Level| gated(g, &segment::softmax(&first(g).unsqueeze(-1), &g.segments()).squeeze_dim(-1));
    let (shipped, mended) = (operator(Plain::hard(shipped)), operator(Plain::hard(mended)));
    bites("batch_independent", batch_independent, &shipped, &mended);
}

/// AaltoPML/Rethinking-pooling-in-GNNs, `gmn/GMN.py`: a random matrix, of which node `i` takes row `i`.
#[test]
fn a_random_matrix_goes_by_position() {
    let shipped = |g: &Level| {
        let place = Tensor::arange(g.x.size()[0], g.options());
        gated(g, &(place * 12.9898 + 1.0).sin())
    };
    let (shipped, mended) =
        (operator(Plain::hard(shipped)), operator(Plain::hard(|g| gated(g, &first(g).sin()))));
    bites("invariant", pool::invariant, &shipped, &mended);
}

fn neighbours(g: &Level, i: usize) -> &[u32] {
    let Adjacency::Sparse(a) = &g.adj else { panic!("a sparse level") };
    let csr = a.pattern.csr();
    &csr.col()[csr.row_ptr()[i] as usize..csr.row_ptr()[i + 1] as usize]
}

/// Clusters numbered as their first members come.
fn clustered(g: &Level, of: &[usize]) -> Selection {
    let mut number = vec![None; of.len()];
    let mut next = 0;
    let mut cluster = Vec::with_capacity(of.len());
    for &name in of {
        cluster.push(*number[name].get_or_insert_with(|| {
            next += 1;
            next - 1
        }));
    }
    Assignment::clusters(&cluster, g).into()
}

/// Dhillon et al. 2007 visit nodes in random order: a matching in the order of the nodes is another when they are renumbered.
#[test]
fn a_matching_goes_by_position() {
    let shipped = |g: &Level| {
        let mut of: Vec<Option<usize>> = vec![None; g.segments().rows()];
        for i in 0..of.len() {
            let free = neighbours(g, i).iter().find(|&&j| j as usize > i && of[j as usize].is_none());
            if of[i].is_none() {
                of[i] = Some(i);
                if let Some(&j) = free {
                    of[j as usize] = Some(i);
                }
            }
        }
        clustered(g, &of.into_iter().flatten().collect::<Vec<_>>())
    };
    // Connected parts are the same in any order.
    let mended = |g: &Level| {
        let mut of: Vec<usize> = (0..g.segments().rows()).collect();
        for _ in 0..of.len() {
            for i in 0..of.len() {
                let least = neighbours(g, i).iter().map(|&j| of[j as usize]).min();
                of[i] = least.map_or(of[i], |least| least.min(of[i]));
            }
        }
        clustered(g, &of)
    };
    let (shipped, mended) = (operator(Plain::hard(shipped)), operator(Plain::hard(mended)));
    bites("invariant", pool::invariant, &shipped, &mended);
}

/// Gao and Ji 2019 keep the indices for this: rows put back from the top, and not where they came from.
#[test]
fn what_is_lifted_goes_to_the_top() {
    let shipped = |x: &Tensor, sel: &Selection| {
        let rows = sel.s.lift(x).size()[0];
        let below = Tensor::zeros([rows - x.size()[0], x.size()[1]], (x.kind(), x.device()));
        Tensor::cat(&[x, &below], 0)
    };
    let shipped = operator(Plain { lift: shipped, ..Plain::hard(best) });
    bites(
        "lift_returns_to_the_nodes",
        pool::lift_returns_to_the_nodes,
        &shipped,
        &operator(Plain::hard(best)),
    );
}

/// What `filter_adj` of PyTorch Geometric has its `perm` for: kept rows are in the order of their scores, kept edges in that of the nodes.
#[test]
fn edges_are_not_renamed() {
    let shipped = |g: &Level, sel: &Selection| {
        let Assignment::Entries(s) = &sel.s else { panic!("sparse clusters") };
        let row_ptr = s.relation.csr().row_ptr();
        let kept: Vec<i64> =
            (0..row_ptr.len() - 1).filter(|&i| row_ptr[i] < row_ptr[i + 1]).map(|i| i as i64).collect();
        g.adj.coarsen(&Assignment::kept(&Tensor::from_slice(&kept), None, g))
    };
    let shipped = operator(Plain { connect: shipped, ..Plain::hard(best) });
    bites("invariant", pool::invariant, &shipped, &operator(Plain::hard(best)));
}

fn soft(g: &Level) -> Selection {
    Assignment::soft(g.mask_rows(g.x.softmax(-1, None)), g).into()
}

fn squares(adj: Adjacency) -> Padded {
    let Adjacency::Dense(p) = adj else { panic!("a dense level stays dense") };
    p
}

/// A random-walk norm where the symmetric one of MinCutPool (Bianchi et al. 2020) is meant: the coarser graph is directed.
#[test]
fn edges_are_normalised_by_rows_alone() {
    let shipped = |g: &Level, sel: &Selection| {
        let p = squares(g.adj.coarsen(&sel.s));
        let degree = p.a.sum_dim_intlist([-1i64].as_slice(), true, Kind::Double) + 1.0;
        Adjacency::Dense(Padded::new(&p.a / degree, p.mask))
    };
    let shipped = operator(Plain { connect: shipped, ..Plain::dense(soft) });
    bites("connect_keeps_symmetry", pool::connect_keeps_symmetry, &shipped, &operator(Plain::dense(soft)));
}

/// pyg-team/pytorch_geometric, issue 3032: the gradient of the root of a coarser degree of 0 is not finite.
#[test]
fn the_root_of_a_coarser_degree_has_no_gradient() {
    fn normalised(g: &Level, sel: &Selection, under: f64) -> Adjacency {
        let p = squares(g.adj.coarsen(&sel.s));
        let degree = p.a.sum_dim_intlist([-1i64].as_slice(), true, Kind::Double);
        let root = (degree + under).sqrt() + 1e-15;
        Adjacency::Dense(Padded::new(&p.a / &root / root.transpose(1, 2), p.mask))
    }
    let shipped = operator(Plain { connect: |g, sel| normalised(g, sel, 0.0), ..Plain::dense(soft) });
    let mended = operator(Plain { connect: |g, sel| normalised(g, sel, 1e-3), ..Plain::dense(soft) });
    bites("finite", coarsen_laws::finite, &shipped, &mended);
}

/// The axis that RexYing/diffpool, issue 27, asks about (its release takes the right one): the softmax runs over the nodes, padding among them.
#[test]
fn the_softmax_runs_over_nodes() {
    let shipped = |g: &Level| Assignment::soft(g.mask_rows(g.x.softmax(-2, None)), g).into();
    bites("padding_inert", padding_inert, &operator(Plain::dense(shipped)), &operator(Plain::dense(soft)));
}

/// What pyg-team/pytorch_geometric, issue 881, asks about: without a mask behind the softmax a padded row is in every cluster.
#[test]
fn padded_rows_are_in_clusters() {
    let shipped = |g: &Level| Assignment::soft(g.x.softmax(-1, None), g).into();
    bites("padding_inert", padding_inert, &operator(Plain::dense(shipped)), &operator(Plain::dense(soft)));
}

/// Clusters counted from 0 in every graph of a batch, as where the offsets of a batch are forgotten: members of several graphs in one.
#[test]
fn clusters_mix_graphs() {
    let shipped = |g: &Level| {
        let graphs = g.segments();
        let most = graphs.largest();
        let sizes = (0..graphs.len()).map(|b| if b == 0 { most } else { 0 });
        let clusters = Arc::new(Segments::of_sizes(sizes));
        let local = |ends: &[u32]| (ends[0]..ends[1]).map(|i| (i, i - ends[0])).collect::<Vec<_>>();
        let entries: Vec<(u32, u32)> = graphs.ptr().windows(2).flat_map(local).collect();
        Assignment::entries(&entries, None, clusters, g).into()
    };
    let each = |g: &Level| clustered(g, &(0..g.segments().rows()).collect::<Vec<_>>());
    let (shipped, mended) = (operator(Plain::hard(shipped)), operator(Plain::hard(each)));
    bites("well_formed", coarsen_laws::well_formed, &shipped, &mended);
}

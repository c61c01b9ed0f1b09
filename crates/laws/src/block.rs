//! One coarser graph of a batch.

use std::cmp::Ordering;

use coarsen_graph::Permutation;
use coarsen_tensor::{Assignment, Layout, Level};
use tch::{Kind, Tensor};

use crate::compare::{close, finite};

/// One coarser graph: features, edges, and who is in it.
#[derive(Debug)]
pub struct Block {
    /// `[k, F]`.
    pub x: Tensor,
    /// `[k, k]`.
    pub a: Tensor,
    /// The nodes of each cluster, where clusters have members and no order.
    pub members: Option<Members>,
}

/// The nodes of each cluster of a graph and their weights.
#[derive(Debug)]
pub struct Members {
    /// `[n, k]`.
    pub s: Tensor,
    /// For each cluster its nodes, numbered in their graph, ascending.
    pub nodes: Vec<Vec<u32>>,
}

/// The coarser graphs of `pooled`, made by `s` of a batch whose graphs have `sizes` nodes.
///
/// Members are those of the cluster's own graph; [`pool::well_formed`](crate::pool) sees that there are no others.
pub(crate) fn blocks(pooled: &Level, s: &Assignment, sizes: &[u32]) -> Vec<Block> {
    let clusters = pooled.segments();
    let dense = pooled.to_layout(Layout::Dense);
    let coarsen_tensor::Adjacency::Dense(edges) = &dense.adj else { unreachable!("converted just now") };
    let entries = matches!(s, Assignment::Entries(_)).then(|| matrix(s));
    let mut first = 0;
    let mut blocks = Vec::with_capacity(sizes.len());
    for (b, ((k, &n), &cluster)) in clusters.sizes().zip(sizes).zip(clusters.ptr()).enumerate() {
        let (b, k) = (b as i64, i64::from(k));
        blocks.push(Block {
            x: dense.x.select(0, b).narrow(0, 0, k),
            a: edges.a.select(0, b).narrow(0, 0, k).narrow(1, 0, k),
            members: entries.as_ref().map(|s| {
                let s = s.narrow(0, first, n.into()).narrow(1, cluster.into(), k);
                Members { nodes: members_of(&s), s }
            }),
        });
        first += i64::from(n);
    }
    blocks
}

/// A sparse `S` as a matrix `[N, K]`.
fn matrix(s: &Assignment) -> Tensor {
    let Assignment::Entries(e) = s else { unreachable!("asked for entries alone") };
    let (rows, cols) = (e.relation.rows(), e.relation.cols());
    let device = e.weight.as_ref().map_or(tch::Device::Cpu, Tensor::device);
    let weight = match &e.weight {
        Some(weight) => weight.to_kind(Kind::Double),
        None => Tensor::ones([e.relation.entries()], (Kind::Double, device)),
    };
    let flat = e.relation.row(device) * cols + e.relation.col(device);
    Tensor::zeros([rows * cols], (Kind::Double, device)).index_add(0, &flat, &weight).view([rows, cols])
}

/// A weight of 0 is as good as none.
fn members_of(s: &Tensor) -> Vec<Vec<u32>> {
    let mut members = vec![Vec::new(); s.size()[1] as usize];
    let entries =
        Vec::<i64>::try_from(s.detach().ne(0.0).nonzero().reshape([-1])).expect("indices are Int64");
    for entry in entries.chunks_exact(2) {
        members[entry[1] as usize].push(entry[0] as u32);
    }
    members
}

impl Block {
    /// Node `i` is called `permutation.to(i)` here; calls it `i` again.
    pub(crate) fn take_back(&mut self, permutation: &Permutation) {
        let Some(members) = &mut self.members else { return };
        let to: Vec<i64> = permutation.as_slice().iter().map(|&i| i64::from(i)).collect();
        members.s = members.s.index_select(0, &Tensor::from_slice(&to));
        members.nodes = members_of(&members.s);
    }

    /// Clusters in the order of their members; of equal members, in the order of their weights.
    pub(crate) fn sort(&mut self) {
        let Some(members) = &mut self.members else { return };
        let columns: Vec<Vec<f64>> = (0..members.nodes.len())
            .map(|c| Vec::try_from(members.s.detach().select(1, c as i64)).expect("double precision"))
            .collect();
        let mut order: Vec<usize> = (0..members.nodes.len()).collect();
        order.sort_by(|&c, &d| {
            members.nodes[c].cmp(&members.nodes[d]).then(compared(&columns[c], &columns[d]))
        });
        let index = Tensor::from_slice(&order.iter().map(|&c| c as i64).collect::<Vec<_>>());
        self.x = self.x.index_select(0, &index);
        self.a = self.a.index_select(0, &index).index_select(1, &index);
        members.s = members.s.index_select(1, &index);
        members.nodes = members_of(&members.s);
    }

    pub(crate) fn agrees(&self, want: &Self, tolerance: f64) -> Result<(), String> {
        if let (Some(got), Some(want)) = (&self.members, &want.members) {
            close("S", &got.s, &want.s, tolerance)?;
        }
        close("x", &self.x, &want.x, tolerance)?;
        close("A", &self.a, &want.a, tolerance)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Tensor> {
        [&self.x, &self.a].into_iter().chain(self.members.as_ref().map(|members| &members.s))
    }

    pub(crate) fn is_finite(&self) -> Result<(), String> {
        finite("x of the coarser level", &self.x)?;
        finite("A of the coarser level", &self.a)?;
        self.members.as_ref().map_or(Ok(()), |members| finite("S", &members.s))
    }

    pub(crate) fn shallow_clone(&self) -> Self {
        let members = self.members.as_ref();
        Self {
            x: self.x.shallow_clone(),
            a: self.a.shallow_clone(),
            members: members.map(|m| Members { s: m.s.shallow_clone(), nodes: m.nodes.clone() }),
        }
    }
}

fn compared(a: &[f64], b: &[f64]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

//! Who goes where: the assignment `S` of nodes to clusters.

use std::sync::Arc;

use coarsen_sparse::Csr;
use tch::{Device, Kind, Tensor};

use crate::adjacency::Adjacency;
use crate::batched;
use crate::grouped::{contract, expand};
use crate::level::Level;
use crate::relation::Relation;
use crate::segments::Segments;
use crate::spmm::{Side, spmm};
use crate::spmm_max::spmm_max;
use crate::view::integers;

/// `S⁽ˡ⁾`: one row per node, one column per cluster of the same graph.
#[derive(Debug)]
pub enum Assignment {
    /// A sparse `S` over a sparse level; the coarser level is sparse.
    Entries(Entries),
    /// A soft `S` over a sparse level with the same number of clusters in every graph; the coarser level is dense
    /// `[B, K, ·]`. Nothing of the size of a padded batch exists.
    Rows {
        /// `[N, K]`.
        s: Tensor,
        /// The nodes of each graph.
        graphs: Arc<Segments>,
    },
    /// A soft `S` over a dense level; the coarser level is dense.
    Padded {
        /// `[B, N, K]`; padded rows are zero.
        s: Tensor,
    },
}

/// A sparse `S`: entries `(node, cluster)` with weights.
#[derive(Debug)]
#[non_exhaustive]
pub struct Entries {
    /// Nodes × clusters of the whole batch.
    pub relation: Arc<Relation>,
    /// `[entries]`, row by row; `None`: ones.
    pub weight: Option<Tensor>,
    /// The clusters of each graph.
    pub clusters: Arc<Segments>,
    /// The node of each cluster, where a cluster is one node.
    pub(crate) kept: Option<Arc<[u32]>>,
}

impl Assignment {
    /// One node per cluster, the others dropped: Top-k. Cluster `c` is node `node[c]`.
    ///
    /// # Shapes
    ///
    /// `node: [K]` Int64, graph by graph in any order inside a graph, without repetition; `weight: [K]`.
    ///
    /// # Panics
    ///
    /// When a node is named twice or the level is dense.
    pub fn kept(node: &Tensor, weight: Option<&Tensor>, g: &Level) -> Self {
        let (graphs, node) = (g.segments(), integers(node));
        let mut cluster_of = vec![None; graphs.rows()];
        for (c, &i) in node.iter().enumerate() {
            assert!(cluster_of[i as usize].replace(c as u32).is_none(), "a node is kept once");
        }
        let col: Vec<u32> = cluster_of.iter().flatten().copied().collect();
        let mut row_ptr = Vec::with_capacity(graphs.rows() + 1);
        row_ptr.push(0);
        row_ptr.extend(cluster_of.iter().scan(0, |end, cluster| {
            *end += u32::from(cluster.is_some());
            Some(*end)
        }));
        let sizes = graphs.ptr().windows(2).map(|e| row_ptr[e[1] as usize] - row_ptr[e[0] as usize]);
        let clusters = Arc::new(Segments::of_sizes(sizes));
        let order: Vec<i64> = col.iter().map(|&c| i64::from(c)).collect();
        let weight = weight.map(|w| w.index_select(0, &Tensor::from_slice(&order).to_device(w.device())));
        let csr =
            Csr::new(graphs.rows(), node.len(), row_ptr, col).expect("one entry a row, columns in range");
        let kept = Some(node.iter().map(|&i| i as u32).collect());
        Self::Entries(Entries { relation: Arc::new(Relation::new(csr)), weight, clusters, kept })
    }

    /// Every node in one cluster: Graclus. Clusters are numbered `0 .. K` over the batch, graph by graph.
    ///
    /// # Shapes
    ///
    /// `cluster: [N]`.
    ///
    /// # Panics
    ///
    /// When a cluster has members of two graphs, a number is left out, or the level is dense.
    pub fn clusters(cluster: &[u32], g: &Level) -> Self {
        Self::Entries(Entries::clusters(cluster, &g.segments()))
    }

    /// Any sparse `S`, its entries in any order: ego-networks, where clusters overlap.
    ///
    /// # Shapes
    ///
    /// `entry`: `(node, cluster)` pairs without repetition; `weight: [entries]`; `clusters` has as many rows as there are
    /// columns.
    ///
    /// # Panics
    ///
    /// When an entry is out of range or named twice, or the level is dense.
    pub fn entries(
        entry: &[(u32, u32)],
        weight: Option<&Tensor>,
        clusters: Arc<Segments>,
        g: &Level,
    ) -> Self {
        let mut order: Vec<i64> = (0..entry.len() as i64).collect();
        order.sort_unstable_by_key(|&e| entry[e as usize]);
        let sorted = order.iter().map(|&e| entry[e as usize]);
        let mut row_ptr = vec![0u32; g.segments().rows() + 1];
        for (node, _) in sorted.clone() {
            row_ptr[node as usize + 1] += 1;
        }
        running_sum(&mut row_ptr);
        let col = sorted.map(|(_, cluster)| cluster).collect();
        let csr = Csr::new(g.segments().rows(), clusters.rows(), row_ptr, col)
            .expect("entries in range, named once");
        let weight = weight.map(|w| w.index_select(0, &Tensor::from_slice(&order).to_device(w.device())));
        Self::Entries(Entries { relation: Arc::new(Relation::new(csr)), weight, clusters, kept: None })
    }

    /// A soft assignment in the layout of `g`: `[N, K]` over a sparse level, `[B, N, K]` over a dense one.
    pub fn soft(s: Tensor, g: &Level) -> Self {
        match &g.adj {
            Adjacency::Sparse(a) => Self::Rows { s, graphs: Arc::clone(a.pattern.graphs()) },
            Adjacency::Dense(_) => Self::Padded { s },
        }
    }

    /// `Sᵀ x`: clusters receive the weighted sum of their members.
    ///
    /// # Shapes
    ///
    /// `[N, F]` → `[K, F]` of entries; `[N, F]` → `[B, K, F]` of rows; `[B, N, F]` → `[B, K, F]` padded.
    pub fn reduce(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Entries(e) => spmm(&e.relation, Side::Cols, e.weight.as_ref(), x),
            Self::Rows { s, graphs } => contract(s, x, graphs),
            Self::Padded { s } => batched::transposed_matmul(s, x),
        }
    }

    /// Largest value of each column over the members of each cluster, whatever their weights.
    ///
    /// # Shapes
    ///
    /// `[N, F]` → `[K, F]`.
    ///
    /// # Panics
    ///
    /// When `S` is not made of [`Entries`]: a soft assignment has no members.
    pub fn reduce_max(&self, x: &Tensor) -> Tensor {
        let Self::Entries(e) = self else {
            panic!("the maximum is over the members of clusters: S must be sparse")
        };
        spmm_max(&e.relation.transposed().relation, None, x)
    }

    /// `S x'`: nodes receive the weighted sum of their clusters; dropped nodes get zeros.
    ///
    /// # Shapes
    ///
    /// The reverse of [`reduce`](Self::reduce).
    pub fn lift(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Entries(e) => spmm(&e.relation, Side::Rows, e.weight.as_ref(), x),
            Self::Rows { s, graphs } => expand(s, x, graphs),
            Self::Padded { s } => batched::matmul(s, x),
        }
    }

    /// The same entries with unit weights; a soft assignment stays as it is.
    #[must_use]
    pub fn unweighted(&self) -> Self {
        match self {
            Self::Entries(e) => Self::Entries(Entries {
                relation: Arc::clone(&e.relation),
                weight: None,
                clusters: Arc::clone(&e.clusters),
                kept: e.kept.clone(),
            }),
            soft => soft.shallow_clone(),
        }
    }

    /// Shares the storage of everything.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        match self {
            Self::Entries(e) => Self::Entries(Entries {
                relation: Arc::clone(&e.relation),
                weight: e.weight.as_ref().map(Tensor::shallow_clone),
                clusters: Arc::clone(&e.clusters),
                kept: e.kept.clone(),
            }),
            Self::Rows { s, graphs } => Self::Rows { s: s.shallow_clone(), graphs: Arc::clone(graphs) },
            Self::Padded { s } => Self::Padded { s: s.shallow_clone() },
        }
    }
}

impl Entries {
    /// See [`Assignment::clusters`].
    pub(crate) fn clusters(cluster: &[u32], graphs: &Segments) -> Self {
        assert_eq!(cluster.len(), graphs.rows(), "one cluster a node");
        let mut end = 0;
        let mut sizes = Vec::with_capacity(graphs.len());
        for e in graphs.ptr().windows(2) {
            let members = &cluster[e[0] as usize..e[1] as usize];
            assert!(
                members.iter().all(|&c| c >= end),
                "a cluster lies in one graph, numbers rise graph by graph"
            );
            let next = members.iter().max().map_or(end, |&c| c + 1);
            sizes.push(next - end);
            end = next;
        }
        let row_ptr = (0..=cluster.len() as u32).collect();
        let csr = Csr::new(cluster.len(), end as usize, row_ptr, cluster.to_vec()).expect("one entry a row");
        let relation = Relation::new(csr);
        let empty = relation.pattern().transpose().row_ptr().windows(2).any(|e| e[0] == e[1]);
        assert!(!empty, "every cluster has a member");
        let clusters = Arc::new(Segments::of_sizes(sizes));
        Self { relation: Arc::new(relation), weight: None, clusters, kept: None }
    }
}

impl Entries {
    /// The same entries, each divided by how many the node has: [`Assignment::lift`] then gives means in place of sums.
    #[must_use]
    pub fn averaging(&self, options: (Kind, Device)) -> Self {
        let csr = self.relation.csr();
        let of_node = |j: usize| {
            let n = csr.row(j).len();
            std::iter::repeat_n(1.0 / n.max(1) as f64, n)
        };
        let share: Vec<f64> = (0..csr.rows()).flat_map(of_node).collect();
        let share = Tensor::from_slice(&share).to_kind(options.0).to_device(options.1);
        let weight = self.weight.as_ref().map_or_else(|| share.shallow_clone(), |weight| weight * &share);
        let (relation, clusters) = (Arc::clone(&self.relation), Arc::clone(&self.clusters));
        Self { relation, weight: Some(weight), clusters, kept: None }
    }
}

fn running_sum(counts: &mut [u32]) {
    for i in 1..counts.len() {
        counts[i] += counts[i - 1];
    }
}

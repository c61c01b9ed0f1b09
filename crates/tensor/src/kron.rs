//! Kron reduction on the host: the signs of eigenvectors, the edges between the nodes kept, and plans.

use std::sync::Arc;

use coarsen_graph::Topology;
use coarsen_graph::cluster::kron::{Laplacian, Network};
use coarsen_graph::cluster::spectral;
use coarsen_sparse::Csr;
use tch::Tensor;

use crate::adjacency::{Adjacency, Sparse};
use crate::assignment::Assignment;
use crate::level::{Level, Planned};
use crate::pattern::Pattern;
use crate::segments::Segments;
use crate::view::reals;

/// Which Laplacian is reduced, and what is left out of the result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reduction {
    /// The Laplacian whose eigenvector divides the nodes and whose Schur complement joins those that stay.
    pub laplacian: Laplacian,
    /// Edges of the result that weigh less than this are dropped.
    pub least: f64,
}

/// The entry of each node in the eigenvector of the largest eigenvalue of its component
/// ([`spectral::largest`]), the largest entry being 1; no gradient.
///
/// # Shapes
///
/// `[N]`.
pub fn eigenvector(a: &Sparse, laplacian: Laplacian) -> Tensor {
    of_host(&spectral::largest(&network(a), laplacian), a)
}

/// The nodes whose score is not negative, of a graph without any all its nodes: ascending, graph by graph.
///
/// # Shapes
///
/// `score: [N]` → `[K]` Int64.
pub fn not_negative(score: &Tensor, graphs: &Segments) -> Tensor {
    let score = reals(score);
    let mut kept = Vec::with_capacity(score.len());
    for ends in graphs.ptr().windows(2) {
        let before = kept.len();
        let nodes = i64::from(ends[0])..i64::from(ends[1]);
        kept.extend(nodes.clone().filter(|&i| score[i as usize] >= 0.0));
        if kept.len() == before {
            kept.extend(nodes);
        }
    }
    Tensor::from_slice(&kept)
}

/// The edges between the nodes of `kept`, as clusters of `s`: a Kron reduction, sparsified
/// ([`Network::reduced`](coarsen_graph::cluster::kron::Network::reduced)); no gradient, no loops, no attributes.
///
/// # Panics
///
/// When `s` is not of nodes [kept](Assignment::kept) in ascending order.
pub fn reduced(a: &Sparse, s: &Assignment, rule: Reduction) -> Sparse {
    let Assignment::Entries(entries) = s else { panic!("a Kron reduction keeps nodes") };
    let chosen = entries.kept.as_ref().expect("a Kron reduction keeps nodes");
    assert!(chosen.is_sorted(), "a Kron reduction keeps the order of the nodes");
    let mut kept = vec![false; a.pattern.csr().rows()];
    chosen.iter().for_each(|&i| kept[i as usize] = true);
    let network = network(a).reduced(&kept, rule.laplacian).sparsified(rule.least);

    let rows = (0..network.nodes()).map(|i| network.row(i));
    let mut row_ptr = vec![0; network.nodes() + 1];
    for (i, row) in rows.clone().enumerate() {
        row_ptr[i + 1] = row_ptr[i] + row.len() as u32;
    }
    let (col, weight): (Vec<u32>, Vec<f64>) = rows.flatten().copied().unzip();
    let csr = Csr::new(network.nodes(), network.nodes(), row_ptr, col).expect("rows in ascending order");
    let pattern = Pattern::new(csr, Arc::clone(&entries.clusters));
    Sparse::new(Arc::new(pattern), Some(of_host(&weight, a)), a.options)
}

/// The nodes on the positive side of the eigenvector and the edges between them.
pub fn planned(a: &Sparse, rule: Reduction) -> Planned {
    let kept = not_negative(&eigenvector(a, rule.laplacian), a.pattern.graphs());
    let level = Level::new(
        Tensor::zeros([a.pattern.nodes(), 0], a.options),
        Adjacency::Sparse(Sparse::new(Arc::clone(&a.pattern), None, a.options)),
    );
    let s = Assignment::kept(&kept, None, &level);
    let adj = reduced(a, &s, rule);
    Planned { s, adj: Some(Adjacency::Sparse(adj)) }
}

fn network(a: &Sparse) -> Network {
    let csr = a.pattern.csr();
    let row_ptr: Vec<usize> = csr.row_ptr().iter().map(|&p| p as usize).collect();
    let weights = a.weight.as_ref().map(reals);
    Network::new(&Topology { row_ptr: &row_ptr, col: csr.col() }, weights.as_deref())
}

fn of_host(values: &[f64], a: &Sparse) -> Tensor {
    Tensor::from_slice(values).to_kind(a.options.0).to_device(a.options.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    /// A path of four, a triangle, two nodes without an edge, and no node at all.
    fn batch() -> Sparse {
        let edges = [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 4)];
        let both = edges.iter().flat_map(|&(i, j)| [(i, j), (j, i)]);
        let csr = Csr::from_edges(9, 9, both).expect("edges in range");
        let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 4, 7, 9, 9])));
        Sparse::new(Arc::new(pattern), None, (Kind::Double, Device::Cpu))
    }

    #[test]
    fn a_plan_keeps_one_side_of_every_graph() {
        let rule = Reduction { laplacian: Laplacian::Combinatorial, least: 0.0 };
        let Planned { s: Assignment::Entries(s), adj: Some(Adjacency::Sparse(adj)) } =
            planned(&batch(), rule)
        else {
            panic!("entries, and sparse edges")
        };
        let kept = s.kept.expect("kept nodes");
        assert_eq!((&kept[..2], &kept[kept.len() - 2..]), (&[1, 3][..], &[7, 8][..]));
        assert!(matches!(kept.len(), 5 | 6), "one or two of the triangle: {kept:?}");
        // Two resistors in series join nodes 1 and 3 of the path.
        assert_eq!(adj.pattern.csr().row(0), [1]);
        assert!((adj.weights().double_value(&[0]) - 0.5).abs() < 1e-12);
        assert_eq!(s.clusters.len(), 4);
    }

    #[test]
    fn a_graph_without_a_positive_score_stays_whole() {
        let score = Tensor::from_slice(&[-1.0, 0.0, f64::NAN, -2.0, -1.0, -3.0]);
        let graphs = Segments::new(vec![0, 3, 5, 5, 6]);
        assert_eq!(Vec::<i64>::try_from(not_negative(&score, &graphs)).expect("integers"), [1, 3, 4, 5]);
    }
}

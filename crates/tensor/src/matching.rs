//! Graclus on the host: matchings of a whole batch, and plans for several levels.

use std::sync::Arc;

use coarsen_graph::Topology;
use coarsen_graph::cluster::graclus::{Work, matching_into};
use tch::{Device, Kind};

use crate::adjacency::{Adjacency, Sparse};
use crate::assignment::{Assignment, Entries};
use crate::level::Planned;
use crate::pattern::Pattern;

/// Whom a matching pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// Nodes that an edge joins: Graclus.
    Neighbours,
    /// Nodes that no edge joins: Graclus on the complement of each graph, the control of Mesquita et al. (2020). A graph without edges
    /// has the complete graph as its complement.
    Strangers,
}

/// A seeded matching of every graph (Graclus without weights): clusters of at most two nodes.
///
/// Every graph gets the same seed, so that its clusters do not depend on the batch it is in. Clusters are numbered over
/// the batch, in each graph by their lowest member; what [`Assignment::clusters`] takes.
///
/// # Complexity
///
/// Time `O(N + E)` on the host; among strangers `O(Σ n²)`, graph by graph.
pub fn matching(pattern: &Pattern, among: Among, seed: u64) -> Vec<u32> {
    let csr = pattern.csr();
    let mut cluster = vec![0; csr.rows()];
    let (mut work, mut row_ptr, mut col) = (Work::default(), Vec::new(), Vec::new());
    let mut first = 0;
    for ends in pattern.graphs().ptr().windows(2) {
        let nodes = ends[0] as usize..ends[1] as usize;
        row_ptr.clear();
        row_ptr.extend(csr.row_ptr()[nodes.start..=nodes.end].iter().map(|&p| p as usize));
        col.clear();
        col.extend(csr.col()[row_ptr[0]..row_ptr[nodes.len()]].iter().map(|&j| j - ends[0]));
        if among == Among::Strangers {
            (row_ptr, col) = complement(&row_ptr, &col);
        }
        let topology = Topology { row_ptr: &row_ptr, col: &col };
        let of_graph = &mut cluster[nodes];
        let clusters = matching_into(&topology, None, seed, of_graph, &mut work) as u32;
        for c in of_graph {
            *c += first;
        }
        first += clusters;
    }
    cluster
}

/// The pattern of one graph's missing edges, without loops, both directions where one of a pair is missing.
fn complement(row_ptr: &[usize], col: &[u32]) -> (Vec<usize>, Vec<u32>) {
    let nodes = row_ptr.len() - 1;
    let row = |i: usize| &col[row_ptr[i] - row_ptr[0]..row_ptr[i + 1] - row_ptr[0]];
    let sends = |j: usize, i: usize| row(i).binary_search(&(j as u32)).is_ok();
    let mut ends = vec![0];
    let mut missing = Vec::new();
    for i in 0..nodes {
        missing.extend((0..nodes).filter(|&j| j != i && !(sends(j, i) && sends(i, j))).map(|j| j as u32));
        ends.push(missing.len());
    }
    (ends, missing)
}

/// Matchings one on top of the other, one for each of `among`: what a level carries to a network with that many poolings.
///
/// The edges of each coarser level are those between different clusters, all weighing 1.
pub fn plan(pattern: &Arc<Pattern>, options: (Kind, Device), among: &[Among], seed: u64) -> Vec<Planned> {
    let mut pattern = Arc::clone(pattern);
    let mut plan = Vec::with_capacity(among.len());
    for (level, &among) in (0u64..).zip(among) {
        let next = planned(&pattern, options, among, seed.wrapping_add(level));
        if let Some(Adjacency::Sparse(coarser)) = &next.adj {
            pattern = Arc::clone(&coarser.pattern);
        }
        plan.push(next);
    }
    plan
}

/// One level of a [`plan`].
pub fn planned(pattern: &Pattern, options: (Kind, Device), among: Among, seed: u64) -> Planned {
    let cluster = matching(pattern, among, seed);
    let s = Entries::clusters(&cluster, pattern.graphs());
    let clusters = Arc::clone(&s.clusters);
    let coarser = pattern.csr().contracted(&cluster, clusters.rows());
    let adj = Sparse::new(Arc::new(Pattern::new(coarser, clusters)), None, options);
    Planned { s: Assignment::Entries(s), adj: Some(Adjacency::Sparse(adj)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::Segments;
    use coarsen_sparse::Csr;

    /// A path of three, a triangle, three nodes without edges, and no node at all.
    fn pattern() -> Pattern {
        let edges = [(0, 1), (1, 0), (1, 2), (2, 1), (3, 4), (3, 5), (4, 3), (4, 5), (5, 3), (5, 4)];
        let csr = Csr::from_edges(9, 9, edges).expect("edges in range");
        Pattern::new(csr, Arc::new(Segments::new(vec![0, 3, 6, 9, 9])))
    }

    #[test]
    fn strangers_are_matched_and_neighbours_are_not() {
        for seed in 0..20 {
            let cluster = matching(&pattern(), Among::Strangers, seed);
            assert_eq!(cluster[..6], [0, 1, 0, 2, 3, 4], "the ends of the path; nobody of the triangle");
            assert_eq!(
                *cluster.iter().max().expect("nodes"),
                6,
                "a pair and one alone of the nodes without edges"
            );
            let neighbours = matching(&pattern(), Among::Neighbours, seed);
            assert_eq!(neighbours[6..], [4, 5, 6], "nodes without edges have no neighbours");
        }
    }
}

//! Graclus on the host: matchings of a whole batch, and plans for several levels.

use std::sync::Arc;

use coarsen_graph::Topology;
use coarsen_graph::cluster::graclus::{Work, matching_into};
use tch::{Device, Kind};

use crate::adjacency::{Adjacency, Sparse};
use crate::assignment::{Assignment, Entries};
use crate::level::Planned;
use crate::pattern::Pattern;

/// A seeded matching of every graph (Graclus without weights): clusters of at most two adjacent nodes.
///
/// Every graph gets the same seed, so that its clusters do not depend on the batch it is in. Clusters are numbered over
/// the batch, in each graph by their lowest member; what [`Assignment::clusters`] takes.
///
/// # Complexity
///
/// Time `O(N + E)` on the host.
pub fn matching(pattern: &Pattern, seed: u64) -> Vec<u32> {
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

/// `depth` matchings, one on top of the other: what a level carries to a network with that many Graclus poolings.
///
/// The edges of each coarser level are those between different clusters, all weighing 1.
pub fn plan(pattern: &Arc<Pattern>, options: (Kind, Device), depth: usize, seed: u64) -> Vec<Planned> {
    let mut pattern = Arc::clone(pattern);
    let mut plan = Vec::with_capacity(depth);
    for level in 0..depth as u64 {
        let cluster = matching(&pattern, seed.wrapping_add(level));
        let s = Entries::clusters(&cluster, pattern.graphs());
        let clusters = Arc::clone(&s.clusters);
        let coarser = pattern.csr().contracted(&cluster, clusters.rows());
        pattern = Arc::new(Pattern::new(coarser, clusters));
        let adj = Sparse::new(Arc::clone(&pattern), None, options);
        plan.push(Planned { s: Assignment::Entries(s), adj: Some(Adjacency::Sparse(adj)) });
    }
    plan
}

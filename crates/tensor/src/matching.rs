//! Graclus on the host: matchings of a whole batch, and plans for several levels.

use std::sync::Arc;

use coarsen_graph::Topology;
use coarsen_graph::cluster::graclus;
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
    let mut cluster = Vec::with_capacity(csr.rows());
    let mut first = 0;
    for ends in pattern.graphs().ptr().windows(2) {
        let rows = &csr.row_ptr()[ends[0] as usize..=ends[1] as usize];
        let row_ptr: Vec<usize> = rows.iter().map(|&p| p as usize).collect();
        let entries = row_ptr[0]..row_ptr[row_ptr.len() - 1];
        let col: Vec<u32> = csr.col()[entries].iter().map(|&j| j - ends[0]).collect();
        let of_graph = graclus::matching(&Topology { row_ptr: &row_ptr, col: &col }, None, seed);
        let next = of_graph.iter().max().map_or(first, |&c| first + c + 1);
        cluster.extend(of_graph.into_iter().map(|c| first + c));
        first = next;
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

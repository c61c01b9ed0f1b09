//! Clusters by matching along heavy edges, again and again: the coarsening of Dhillon, Guan and Kulis (TPAMI 2007), without chance.

use std::collections::BTreeSet;

use crate::Topology;

const FREE: u32 = u32::MAX;

/// Assigns every node to one of `most` clusters, or to one of its own in a graph that has no more nodes.
///
/// In each round the clusters are visited in the order of their degrees, of equal ones the lower number first, and an unmatched one
/// takes the unmatched neighbour at the end of its heaviest edge, of equal ones the last; weights of merged edges are added. Rounds
/// go on until there are `most` clusters. Where no edge is left before, the two smallest clusters are merged, again and again. Clusters
/// are numbered from 0 in ascending order of their smallest member. Edges without `weights` (one per edge, in the order of
/// `t.col`) weigh 1. Of directed edges a node sees those in its own row.
///
/// # Complexity
/// O(rounds · (N + E) log E) time, O(N + E) memory. A round halves a graph that has a perfect matching; a star takes a round for each leaf.
///
/// # Panics
/// When `weights` has not one entry per edge.
///
/// # Examples
/// ```
/// use coarsen_graph::{TopologyBuf, cluster::heavy_edge};
///
/// let path = TopologyBuf::from_undirected(4, [(0, 1), (1, 2), (2, 3)])?;
/// assert_eq!(heavy_edge::clusters(&path.view(), None, 2), [0, 0, 1, 1]);
/// assert_eq!(heavy_edge::clusters(&path.view(), Some(&[1., 1., 5., 5., 1., 1.]), 3), [0, 0, 1, 2]);
/// # Ok::<(), coarsen_graph::Error>(())
/// ```
pub fn clusters(t: &Topology<'_>, weights: Option<&[f64]>, most: usize) -> Vec<u32> {
    if let Some(weights) = weights {
        assert_eq!(weights.len(), t.edges(), "heavy_edge: one weight per edge");
    }
    let weight = |e: usize| weights.map_or(1.0, |weights| weights[e]);
    let edges = t.pairs().enumerate().map(|(e, (to, from))| (to, from, weight(e)));
    let mut graph = Weighted::of(t.nodes(), edges.collect());
    let mut cluster: Vec<u32> = (0..t.nodes() as u32).collect();
    while graph.nodes() > most.max(1) && !graph.edges.is_empty() {
        let merged = graph.matched(graph.nodes() - most.max(1));
        graph = graph.contracted(&merged);
        for c in &mut cluster {
            *c = merged[*c as usize];
        }
    }
    let joined = smallest_joined(&cluster, graph.nodes(), most.max(1));
    cluster.iter().map(|&c| joined[c as usize]).collect()
}

/// Edges between different nodes, row after row, each pair of ends once.
struct Weighted {
    row_ptr: Vec<usize>,
    edges: Vec<(u32, u32, f64)>,
}

impl Weighted {
    /// Loops are left out, weights of equal edges added.
    fn of(nodes: usize, mut edges: Vec<(u32, u32, f64)>) -> Self {
        edges.retain(|&(to, from, _)| to != from);
        edges.sort_by_key(|&(to, from, _)| (to, from));
        edges.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        let row_ptr = (0..=nodes).map(|i| edges.partition_point(|&(to, ..)| (to as usize) < i)).collect();
        Self { row_ptr, edges }
    }

    fn nodes(&self) -> usize {
        self.row_ptr.len() - 1
    }

    fn row(&self, i: usize) -> &[(u32, u32, f64)] {
        &self.edges[self.row_ptr[i]..self.row_ptr[i + 1]]
    }

    /// A round: at most so many pairs, and the cluster of every node.
    fn matched(&self, mut pairs: usize) -> Vec<u32> {
        let mut order: Vec<usize> = (0..self.nodes()).collect();
        order.sort_by_key(|&i| self.row(i).len());
        // The smaller member of a node's cluster.
        let mut name = vec![FREE; self.nodes()];
        for node in order {
            if pairs == 0 {
                break;
            }
            let free = |other: u32| name[other as usize] == FREE;
            let heaviest = self.row(node).iter().filter(|e| free(e.1)).max_by(|a, b| a.2.total_cmp(&b.2));
            if let (true, Some(&(_, partner, _))) = (free(node as u32), heaviest) {
                let smaller = partner.min(node as u32);
                name[node] = smaller;
                name[partner as usize] = smaller;
                pairs -= 1;
            }
        }
        let alone = |(i, &name): (usize, &u32)| if name == FREE { i as u32 } else { name };
        numbered(&name.iter().enumerate().map(alone).collect::<Vec<_>>())
    }

    fn contracted(&self, cluster: &[u32]) -> Self {
        let nodes = cluster.iter().max().map_or(0, |&last| last as usize + 1);
        let ends =
            |&(to, from, weight): &(u32, u32, f64)| (cluster[to as usize], cluster[from as usize], weight);
        Self::of(nodes, self.edges.iter().map(ends).collect())
    }
}

/// Numbers clusters, each named by its smallest member, from 0.
fn numbered(name: &[u32]) -> Vec<u32> {
    let mut number = vec![0; name.len()];
    let mut clusters = 0;
    for (i, &smallest) in name.iter().enumerate() {
        number[i] = if smallest as usize == i { clusters } else { number[smallest as usize] };
        clusters += u32::from(smallest as usize == i);
    }
    number
}

/// Merges the two smallest of so many clusters until `most` are left; the new number of each.
fn smallest_joined(cluster: &[u32], clusters: usize, most: usize) -> Vec<u32> {
    let mut members = vec![0usize; clusters];
    for &c in cluster {
        members[c as usize] += 1;
    }
    let mut name: Vec<u32> = (0..clusters as u32).collect();
    let mut by_size: BTreeSet<(usize, u32)> = members.into_iter().zip(0..).collect();
    while by_size.len() > most {
        let (Some((n, a)), Some((m, b))) = (by_size.pop_first(), by_size.pop_first()) else { break };
        name[a.max(b) as usize] = a.min(b);
        by_size.insert((n + m, a.min(b)));
    }
    // A name may have been merged itself; its new name is smaller and stands already.
    for c in 0..clusters {
        name[c] = name[name[c] as usize];
    }
    numbered(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TopologyBuf;

    fn of(nodes: usize, edges: &[(u32, u32)], most: usize) -> Vec<u32> {
        let t = TopologyBuf::from_undirected(nodes, edges.iter().copied()).unwrap();
        clusters(&t.view(), None, most)
    }

    #[test]
    fn rounds_by_hand() {
        // A path of 8. Ends first, node 0 takes 1 and node 7 takes 6; then 2 takes 3, 4 takes 5; then the pairs are a path of 4.
        let path: Vec<(u32, u32)> = (0..7).map(|i| (i, i + 1)).collect();
        assert_eq!(of(8, &path, 4), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(of(8, &path, 2), [0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(of(8, &path, 1), [0; 8]);
        // No more pairs than are needed: 0 and 1, then 6 and 7.
        assert_eq!(of(8, &path, 6), [0, 0, 1, 2, 3, 4, 5, 5]);
        assert_eq!(of(8, &path, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn merged_edges_add_their_weights() {
        // A square 0 1 2 3 with a diagonal 0 2, and 4 behind 3. Round 1: 4 takes 3, 1 takes 2 (the last of equals), 0 stays alone.
        // Then {1, 2} has an edge of weight 2 to 0 and one of 1 to {3, 4}; 0 (degree 2, the lowest number) takes the heavy one.
        let house = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (3, 4)];
        assert_eq!(of(5, &house, 3), [0, 1, 1, 2, 2]);
        assert_eq!(of(5, &house, 2), [0, 0, 0, 1, 1]);
    }

    #[test]
    fn a_star_takes_a_leaf_a_round_and_parts_are_merged_at_last() {
        assert_eq!(of(5, &[(0, 1), (0, 2), (0, 3), (0, 4)], 3), [0, 0, 0, 1, 2]);
        // Two pairs and three nodes without edges, of which two go together; the third then goes to the first pair.
        assert_eq!(of(7, &[(0, 1), (2, 3)], 3), [0, 0, 1, 1, 2, 2, 0]);
        assert_eq!(of(3, &[], 2), [0, 0, 1]);
        assert_eq!(of(0, &[], 2), [0; 0]);
    }

    #[test]
    fn a_chain_of_names_ends_at_the_smallest() {
        // Sizes 1, 1, 1, 1: {0, 1}, {2, 3}, all.
        assert_eq!(smallest_joined(&[0, 1, 2, 3], 4, 1), [0, 0, 0, 0]);
        // Sizes 3, 1, 1: 1 and 2 (2), then with 0.
        assert_eq!(smallest_joined(&[0, 0, 0, 1, 2], 3, 1), [0, 0, 0]);
        assert_eq!(smallest_joined(&[0, 0, 0, 1, 2], 3, 2), [0, 1, 1]);
    }
}

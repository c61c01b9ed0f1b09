//! Graclus' greedy matching (Dhillon, Guan and Kulis, TPAMI 2007), and the graph that it leaves.

use crate::stream::Replay;
use crate::{Topology, TopologyBuf};

const FREE: u32 = u32::MAX;

/// Pairs neighbours greedily: nodes are visited in random order, and an unmatched node takes one unmatched neighbour, or
/// stays alone.
///
/// Without weights it takes the first in a random order; with `weights` (one per edge, in the order of `t.col`) the
/// heaviest, of equal ones the last. Self-loops count for nothing, nor do edges whose weight is not a number. Clusters
/// are numbered from 0 in ascending order of their smaller member. Equal seeds give equal matchings on every machine.
///
/// # Complexity
/// O(N + E) time, O(N) memory.
///
/// # Panics
/// When `weights` has not one entry per edge.
///
/// # Examples
/// ```
/// use coarsen_graph::{TopologyBuf, cluster::graclus};
///
/// let path = TopologyBuf::from_undirected(3, [(0, 1), (1, 2)])?;
/// let weights = [1.0, 1.0, 5.0, 5.0]; // 0 ← 1, 1 ← 0, 1 ← 2, 2 ← 1
/// let cluster = graclus::matching(&path.view(), Some(&weights), 0);
/// assert!(cluster == [0, 1, 1] || cluster == [0, 0, 1]); // [0, 0, 1] if node 0 is visited first
/// # Ok::<(), coarsen_graph::Error>(())
/// ```
pub fn matching(t: &Topology<'_>, weights: Option<&[f32]>, seed: u64) -> Vec<u32> {
    let mut cluster = vec![0; t.nodes()];
    matching_into(t, weights, seed, &mut cluster, &mut Work::default());
    cluster
}

/// What [`matching_into`] needs besides its result, to be handed from graph to graph: the memory, and the random integers
/// of the seed, which are made once for all graphs.
#[derive(Default)]
pub struct Work {
    stream: Option<Replay>,
    order: Vec<u32>,
    row: Vec<u32>,
}

/// As [`matching`], written into `cluster`; returns the number of clusters.
///
/// # Complexity
/// O(N + E) time; allocates only where no earlier call with this `work` was over a graph as large.
///
/// # Panics
/// When `weights` has not one entry per edge, or `cluster` not one per node.
///
/// # Examples
/// ```
/// use coarsen_graph::{TopologyBuf, cluster::graclus};
///
/// let pair = TopologyBuf::from_undirected(3, [(0, 2)])?;
/// let (mut cluster, mut work) = ([0; 6], graclus::Work::default());
/// for of_graph in cluster.chunks_exact_mut(3) {
///     assert_eq!(graclus::matching_into(&pair.view(), None, 0, of_graph, &mut work), 2);
/// }
/// assert_eq!(cluster, [0, 1, 0, 0, 1, 0]);
/// # Ok::<(), coarsen_graph::Error>(())
/// ```
pub fn matching_into(
    t: &Topology<'_>,
    weights: Option<&[f32]>,
    seed: u64,
    cluster: &mut [u32],
    work: &mut Work,
) -> usize {
    assert_eq!(cluster.len(), t.nodes(), "graclus: one cluster per node");
    if let Some(weights) = weights {
        assert_eq!(weights.len(), t.edges(), "graclus: one weight per edge");
    }
    let Work { stream, order, row } = work;
    let stream = match stream {
        Some(stream) if stream.seed() == seed => stream,
        other => other.insert(Replay::new("graclus", seed)),
    };
    stream.rewind();
    order.clear();
    order.extend(0..t.nodes() as u32);
    stream.shuffle(order);
    // Until all are matched, the entry of a node is the smaller member of its cluster.
    cluster.fill(FREE);
    for &node in order.iter() {
        if cluster[node as usize] != FREE {
            continue;
        }
        let free = |other: u32| other != node && cluster[other as usize] == FREE;
        let partner = if let Some(weights) = weights {
            let weighed = t.neighbours(node as usize).iter().zip(&weights[t.row(node as usize)]);
            heaviest(weighed.filter(|(other, _)| free(**other)))
        } else {
            row.clear();
            row.extend_from_slice(t.neighbours(node as usize));
            stream.shuffle(row);
            row.iter().copied().find(|&other| free(other))
        };
        let smaller = partner.map_or(node, |partner| partner.min(node));
        cluster[node as usize] = smaller;
        if let Some(partner) = partner {
            cluster[partner as usize] = smaller;
        }
    }
    number(cluster)
}

fn heaviest<'a>(weighed: impl Iterator<Item = (&'a u32, &'a f32)>) -> Option<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (&other, &weight) in weighed.filter(|(_, weight)| !weight.is_nan()) {
        if best.is_none_or(|(_, largest)| weight >= largest) {
            best = Some((other, weight));
        }
    }
    best.map(|(other, _)| other)
}

/// Numbers clusters, each named by its smallest node, from 0; returns how many there are.
fn number(cluster: &mut [u32]) -> usize {
    let mut clusters = 0;
    for node in 0..cluster.len() {
        let smallest = cluster[node] as usize;
        if smallest == node {
            cluster[node] = clusters;
            clusters += 1;
        } else {
            cluster[node] = cluster[smallest];
        }
    }
    clusters as usize
}

/// The graph of clusters: an edge wherever an edge joins two of them; unweighted, without self-loops. `cluster` may come
/// from anywhere; every number below its largest is a node of the result.
///
/// # Complexity
/// O(N + E) time and memory.
///
/// # Panics
/// When `cluster` has not one entry per node.
pub fn coarsened(t: &Topology<'_>, cluster: &[u32]) -> TopologyBuf {
    assert_eq!(cluster.len(), t.nodes(), "graclus: one cluster per node");
    let clusters = cluster.iter().max().map_or(0, |&largest| largest as usize + 1);
    let pairs: Vec<(u32, u32)> = t
        .pairs()
        .map(|(source, target)| (cluster[source as usize], cluster[target as usize]))
        .filter(|(source, target)| source != target)
        .collect();
    TopologyBuf::of_edges(clusters, &pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Stream;

    fn undirected(nodes: usize, edges: &[(u32, u32)]) -> TopologyBuf {
        TopologyBuf::from_undirected(nodes, edges.iter().copied()).unwrap()
    }

    #[test]
    fn clusters_are_numbered_by_their_smaller_member() {
        // Two edges and a lonely node: only one maximal matching exists.
        let t = undirected(5, &[(0, 3), (2, 4)]);
        for seed in 0..20 {
            assert_eq!(matching(&t.view(), None, seed), [0, 1, 2, 0, 2]);
        }
        assert_eq!(matching(&TopologyBuf::edgeless(0).view(), None, 0), [] as [u32; 0]);
    }

    #[test]
    fn self_loops_count_for_nothing() {
        let t = TopologyBuf::from_edges(2, [(0, 0), (1, 1)]).unwrap();
        assert_eq!(matching(&t.view(), None, 1), [0, 1]);
    }

    #[test]
    fn every_partner_has_its_turn() {
        let star = undirected(4, &[(0, 1), (0, 2), (0, 3)]);
        let mut seen = [false; 4];
        for seed in 0..50 {
            let cluster = matching(&star.view(), None, seed);
            seen[(1..4).find(|&leaf| cluster[leaf] == 0).unwrap()] = true;
        }
        assert_eq!(seen, [false, true, true, true]);
    }

    #[test]
    fn weights_decide_and_the_last_of_equals_wins() {
        // A star whose leaves see each other not: whoever is first, the centre is taken; from the centre the choice is
        // by weight.
        let star = undirected(4, &[(0, 1), (0, 2), (0, 3)]).view().to_owned();
        let chosen = |weights: [f32; 3]| {
            let all = [weights[0], weights[1], weights[2], 0.0, 0.0, 0.0];
            let order_begins_with_centre = |seed: &u64| {
                let mut order = [0, 1, 2, 3];
                Stream::new("graclus", *seed).shuffle(&mut order);
                order[0] == 0
            };
            let seed = (0..1000).find(order_begins_with_centre).unwrap();
            let cluster = matching(&star.view(), Some(&all), seed);
            (1..4).find(|&leaf| cluster[leaf] == 0)
        };
        assert_eq!(chosen([1.0, 3.0, 2.0]), Some(2));
        assert_eq!(chosen([3.0, 3.0, 2.0]), Some(2));
        assert_eq!(chosen([1.0, f32::NAN, 0.5]), Some(1));
        assert_eq!(chosen([f32::NAN; 3]), None);
        assert_eq!(chosen([f32::NEG_INFINITY; 3]), Some(3));
    }

    /// Recorded: results are promised for a seed, across releases.
    #[test]
    fn the_matching_is_what_it_was() {
        let edges = (0..40u32).flat_map(|node| [(node, (node * 7 + 1) % 40), (node, (node * node + 3) % 40)]);
        let t = TopologyBuf::from_undirected(40, edges).unwrap();
        let digest = |cluster: &[u32]| {
            cluster.iter().fold(0u64, |sum, &c| sum.wrapping_mul(31).wrapping_add(c.into()))
        };
        let weights: Vec<f32> = t.view().pairs().map(|(a, b)| (a.max(b) * 7 % 5) as f32).collect();
        let got: Vec<u64> = (0..3)
            .flat_map(|seed| [None, Some(&*weights)].map(|w| digest(&matching(&t.view(), w, seed))))
            .collect();
        let want = [
            12_705_003_819_420_185_321,
            4_756_178_930_223_164_381,
            10_526_979_917_657_164_425,
            401_857_703_643_187_745,
            10_486_876_013_069_059_830,
            1_533_017_919_898_711_704,
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn coarsening_merges_and_drops() {
        // A square with one side contracted is a triangle.
        let square = undirected(4, &[(0, 1), (1, 2), (2, 3), (3, 0)]);
        let triangle = coarsened(&square.view(), &[0, 0, 1, 2]);
        assert_eq!(triangle, undirected(3, &[(0, 1), (1, 2), (2, 0)]));
        let point = coarsened(&square.view(), &[0, 0, 0, 0]);
        assert_eq!(point, TopologyBuf::edgeless(1));
    }
}

//! COMMUNITIES: graphs whose class shows only after coarsening.
//!
//! Every graph is 5 to 7 dense communities (cliques of 7 to 10 nodes that lack 2 to 5 edges) joined by as many bridges
//! as there are communities. The class is how the communities are arranged:
//!
//! | class | arrangement | bridges |
//! | --- | --- | --- |
//! | 0 | ring | one between neighbours |
//! | 1 | path | one between neighbours, one of them doubled |
//! | 2 | star | one from the centre to each other, one of them doubled |
//!
//! No node has two bridges. So the classes agree exactly in nodes and edges (graphs come in triples of one class each,
//! with equal sizes and equal numbers of lacking edges), and in expectation in degrees and triangles: bridges close no
//! triangle and raise the degree of equally many random nodes by 1. The tests measure this. What differs is the
//! quotient by communities: its degrees are all 2, or 1 and 2, or one of them is large.

use super::builder::Builder;
use crate::RawDataset;
use crate::stream::Stream;

/// How communities are joined: the class of the graph, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// Each with two others, in a cycle.
    Ring,
    /// In a line.
    Path,
    /// One with all others.
    Star,
}

impl Arrangement {
    /// All, in the order of the classes.
    pub const ALL: [Self; 3] = [Self::Ring, Self::Path, Self::Star];

    /// As many bridges as communities; `stream` chooses which of them is doubled.
    fn bridges(self, communities: usize, stream: &mut Stream) -> Vec<(usize, usize)> {
        let last = communities - 1;
        let mut bridges: Vec<(usize, usize)> = match self {
            Self::Ring => return (0..communities).map(|c| (c, (c + 1) % communities)).collect(),
            Self::Path => (0..last).map(|c| (c, c + 1)).collect(),
            Self::Star => (0..last).map(|c| (last, c)).collect(),
        };
        bridges.push(bridges[stream.below(last)]);
        bridges
    }
}

/// The task and its hidden truth.
#[derive(Clone, Debug)]
pub struct Communities {
    /// Graphs and classes; no labels, no attributes.
    pub raw: RawDataset,
    /// For each graph, the community of each node.
    pub community: Vec<Vec<u32>>,
}

/// Draws the task; graph `g` has class `g mod 3`.
pub fn communities(seed: u64, graphs: usize) -> Communities {
    let mut stream = Stream::new("COMMUNITIES", seed);
    let mut builder = Builder::new("COMMUNITIES");
    let mut community = Vec::with_capacity(graphs);
    let mut blocks = Vec::new();
    for graph in 0..graphs {
        let class = graph % Arrangement::ALL.len();
        if class == 0 {
            let count = stream.between(5, 7);
            blocks = (0..count)
                .map(|_| Block { size: stream.between(7, 10), lacking: stream.between(2, 5) })
                .collect();
        }
        let (edges, member) = draw(&mut blocks, Arrangement::ALL[class], &mut stream);
        builder.push(member.len(), &edges, class as u32);
        community.push(member);
    }
    Communities { raw: builder.finish(vec![0, 1, 2]), community }
}

/// A community: a clique of `size` nodes without `lacking` of its edges. Lacking at most 5 edges of a clique of 7 or
/// more, it is connected.
struct Block {
    size: usize,
    lacking: usize,
}

/// The edges of one graph and the community of each node. Blocks are reordered, nodes renumbered.
fn draw(blocks: &mut [Block], arrangement: Arrangement, stream: &mut Stream) -> (Vec<(u32, u32)>, Vec<u32>) {
    stream.shuffle(blocks);
    let nodes: usize = blocks.iter().map(|block| block.size).sum();
    let mut name: Vec<u32> = (0..nodes as u32).collect();
    stream.shuffle(&mut name);

    let mut community = vec![0; nodes];
    let mut edges = Vec::new();
    let mut free: Vec<Vec<u32>> = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let members = name.split_off(name.len() - block.size);
        for &node in &members {
            community[node as usize] = index as u32;
        }
        let mut pairs: Vec<(u32, u32)> = (1..block.size)
            .flat_map(|b| (0..b).map(move |a| (a, b)))
            .map(|(a, b)| (members[a], members[b]))
            .collect();
        stream.shuffle(&mut pairs);
        edges.extend_from_slice(&pairs[block.lacking..]);
        free.push(members);
    }
    for members in &mut free {
        stream.shuffle(members);
    }
    for (a, b) in arrangement.bridges(blocks.len(), stream) {
        edges.extend(free[a].pop().zip(free[b].pop()));
    }
    (edges, community)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::graclus::coarsened;
    use crate::{Target, Topology};

    const GRAPHS: usize = 600;

    /// Counts of degrees 0 to 11, then triangles (each counted six times).
    fn flat(topology: Topology<'_>) -> [f64; 13] {
        let mut out = [0.0; 13];
        for node in 0..topology.nodes() {
            let row = topology.neighbours(node);
            out[row.len().min(11)] += 1.0;
            for &other in row {
                let common =
                    topology.neighbours(other as usize).iter().filter(|c| row.binary_search(c).is_ok());
                out[12] += common.count() as f64;
            }
        }
        out
    }

    fn mean(rows: &[[f64; 13]]) -> [f64; 13] {
        std::array::from_fn(|k| rows.iter().map(|row| row[k]).sum::<f64>() / rows.len() as f64)
    }

    fn flat_by_class() -> [Vec<[f64; 13]>; 3] {
        let raw = communities(0, GRAPHS).raw;
        let mut rows = [const { Vec::new() }; 3];
        (0..GRAPHS).for_each(|graph| rows[graph % 3].push(flat(raw.topology(graph))));
        rows
    }

    #[test]
    fn sizes_agree_exactly_in_each_triple() {
        let raw = communities(5, 30).raw;
        for first in (0..30).step_by(3) {
            let size = |graph: usize| (raw.topology(graph).nodes(), raw.topology(graph).edges());
            assert_eq!(size(first), size(first + 1));
            assert_eq!(size(first), size(first + 2));
        }
    }

    #[test]
    fn degrees_and_triangles_agree_in_the_mean() {
        let means = flat_by_class().map(|rows| mean(&rows));
        for (k, ((&ring, &path), &star)) in means[0].iter().zip(&means[1]).zip(&means[2]).enumerate() {
            let (low, high) = (ring.min(path).min(star), ring.max(path).max(star));
            let tolerance = if k == 12 { 0.01 * high } else { 0.6 };
            assert!(high - low <= tolerance, "statistic {k}: {ring} {path} {star}");
        }
    }

    /// The nearest class mean, learned on one half, guesses on the other.
    #[test]
    fn flat_statistics_do_not_suffice() {
        let rows = flat_by_class();
        let half = GRAPHS / 6;
        let centres = [mean(&rows[0][..half]), mean(&rows[1][..half]), mean(&rows[2][..half])];
        let distance =
            |a: &[f64; 13], b: &[f64; 13]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let mut right = 0;
        for (class, rows) in rows.iter().enumerate() {
            for row in &rows[half..] {
                let near =
                    (0..3).min_by(|&a, &b| distance(row, &centres[a]).total_cmp(&distance(row, &centres[b])));
                right += usize::from(near == Some(class));
            }
        }
        let accuracy = right as f64 / (GRAPHS / 2) as f64;
        assert!((0.2..0.45).contains(&accuracy), "{accuracy}");
    }

    #[test]
    fn the_quotient_by_communities_tells_the_class() {
        let task = communities(3, 150);
        for (graph, community) in task.community.iter().enumerate() {
            let quotient = coarsened(&task.raw.topology(graph), community);
            let quotient = quotient.view();
            let mut degrees: Vec<usize> = (0..quotient.nodes()).map(|c| quotient.degree(c)).collect();
            degrees.sort_unstable();
            let class = match (degrees[0], degrees[degrees.len() - 1]) {
                (2, 2) => 0,
                (1, 2) => 1,
                _ => 2,
            };
            assert_eq!(task.raw.target(graph), Target::Class(class));
        }
    }
}

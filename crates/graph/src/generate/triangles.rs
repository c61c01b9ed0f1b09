//! TRIANGLES: count the triangles of a graph (the task of Knyazev, Taylor and Amer, 2019).

use super::builder::Builder;
use crate::RawDataset;
use crate::stream::Stream;

/// The class `c` has `c + 1` triangles.
const CLASSES: usize = 10;

/// Random graphs of 4 to 25 nodes with 1 to 10 triangles; graph `g` has class `g mod 10` and `g mod 10 + 1` triangles.
///
/// A graph is made by inserting pairs of nodes in random order, leaving out those that would close too many triangles,
/// up to a random number of edges; draws that end with too few triangles are thrown away. There are no labels: the
/// rule `auto` gives the one-hot degrees that the paper uses.
pub fn triangles(seed: u64, graphs: usize) -> RawDataset {
    let mut stream = Stream::new("TRIANGLES", seed);
    let mut builder = Builder::new("TRIANGLES");
    for graph in 0..graphs {
        let class = graph % CLASSES;
        let (nodes, edges) = loop {
            let nodes = stream.between(4, 25);
            if let Some(edges) = draw(nodes, class as u32 + 1, &mut stream) {
                break (nodes, edges);
            }
        };
        builder.push(nodes, &edges, class as u32);
    }
    builder.finish((1..=CLASSES as i64).collect())
}

/// The edges of a graph with exactly `want` triangles, unless the draw fails.
fn draw(nodes: usize, want: u32, stream: &mut Stream) -> Option<Vec<(u32, u32)>> {
    let mut pairs: Vec<(u32, u32)> = (1..nodes as u32).flat_map(|b| (0..b).map(move |a| (a, b))).collect();
    stream.shuffle(&mut pairs);
    let most = stream.between(nodes - 1, 3 * nodes);
    let mut neighbours = vec![0u32; nodes];
    let mut edges = Vec::new();
    let mut closed = 0;
    for (a, b) in pairs {
        let common = (neighbours[a as usize] & neighbours[b as usize]).count_ones();
        if closed + common <= want {
            closed += common;
            neighbours[a as usize] |= 1 << b;
            neighbours[b as usize] |= 1 << a;
            edges.push((a, b));
        }
        if edges.len() == most {
            break;
        }
    }
    (closed == want).then_some(edges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Target, Topology};

    fn count(topology: Topology<'_>) -> usize {
        let joined = |a: u32, b: u32| topology.neighbours(a as usize).binary_search(&b).is_ok();
        let pairs = topology.pairs().filter(|(a, b)| a < b);
        pairs
            .map(|(a, b)| (b + 1..topology.nodes() as u32).filter(|&c| joined(a, c) && joined(b, c)).count())
            .sum()
    }

    #[test]
    fn the_class_is_the_number_of_triangles() {
        let raw = triangles(1, 200);
        let mut sizes = Vec::new();
        for graph in 0..raw.len() {
            assert_eq!(raw.target(graph), Target::Class(graph as u32 % 10));
            assert_eq!(count(raw.topology(graph)), graph % 10 + 1);
            sizes.push(raw.topology(graph).nodes());
        }
        assert!(sizes.iter().all(|size| (4..=25).contains(size)));
        assert!(sizes.iter().any(|&size| size <= 6) && sizes.iter().any(|&size| size >= 24));
        assert_eq!(raw.class_values(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
}

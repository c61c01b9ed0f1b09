//! One graph with classes of its nodes, from what several formats say about it.

use crate::raw::{Labels, RawDataset, Table, Targets};
use crate::sorted::Sorted;

/// The most features of a node.
pub(crate) const WIDEST: usize = 1 << 16;
/// The most numbers of a table of features (1 GiB).
const MOST: usize = 1 << 27;

/// Fails by a rule if a table of features would be too large.
pub(crate) fn room_for(rows: usize, width: usize) -> Result<(), String> {
    if width <= WIDEST && rows.checked_mul(width).is_some_and(|numbers| numbers <= MOST) {
        return Ok(());
    }
    Err(format!("there may be {WIDEST} features of a node and {MOST} of all"))
}

/// A set of one graph, its edges taken in both directions; edges from a node to itself are dropped and counted.
///
/// There is one class and one row of attributes per node, and ids are below the number of nodes.
pub(crate) fn single(name: &str, edges: &[(u32, u32)], class: Vec<i64>, attributes: Table) -> RawDataset {
    let nodes = class.len();
    let pairs: Vec<(u32, u32)> = edges.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).collect();
    let mut sorted = Sorted::from_pairs(nodes, &pairs);
    let loops = sorted.remove_loops();
    let mut raw = RawDataset::empty(name);
    raw.node_ptr.push(nodes);
    raw.self_loops = loops.into_iter().map(|node| node as usize).collect();
    (raw.row_ptr, raw.col) = sorted.topology.into_arrays();
    raw.targets = Targets::Classes(Labels::counted(vec![0], 1));
    raw.node_class = Some(Labels::compact(class).code);
    raw.node_attributes = attributes;
    raw
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_become_undirected_and_loops_are_counted() {
        let edges = [(0, 1), (1, 0), (2, 1), (2, 2), (2, 2)];
        let raw = single("X", &edges, vec![7, 3, 7, 3], Table::default());
        assert_eq!(raw.topology(0).pairs().collect::<Vec<_>>(), [(1, 0), (0, 1), (2, 1), (1, 2)]);
        assert_eq!((raw.node_class.as_deref(), raw.classes()), (Some(&[1, 0, 1, 0][..]), 2));
        let stats = raw.stats();
        assert_eq!((stats.graphs, stats.self_loops, stats.isolated_nodes), (1, 1, 1));
    }

    #[test]
    fn tables_beyond_memory_are_refused() {
        assert!(room_for(2405, 4973).is_ok() && room_for(usize::MAX, 0).is_ok());
        assert!(room_for(1, WIDEST + 1).is_err() && room_for(MOST, 2).is_err());
        assert!(room_for(usize::MAX, 2).is_err());
    }
}

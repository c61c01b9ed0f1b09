//! [`Stats`]: counts and means over a data set, as papers print them.

use crate::raw::RawDataset;
use crate::topology::Mirrored;
use serde::{Deserialize, Serialize};

/// Counts and means over a data set, in the order in which they are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// The number of graphs, empty ones included.
    pub graphs: usize,
    /// The number of classes (of the nodes, where the set has node classes); 0 for real targets.
    pub classes: usize,
    /// Nodes per graph.
    pub nodes_mean: f64,
    /// Unordered pairs of distinct nodes joined by an edge, per graph.
    pub edges_mean: f64,
    /// Distinct node labels, summed over columns; 0 if there are none.
    pub node_labels: usize,
    /// Real attributes per node.
    pub node_attributes: usize,
    /// Distinct edge labels, summed over columns; 0 if there are none.
    pub edge_labels: usize,
    /// Real attributes per edge.
    pub edge_attributes: usize,
    /// Nodes without an edge to or from another node.
    pub isolated_nodes: usize,
    /// Graphs without a node.
    pub empty_graphs: usize,
    /// Distinct edges from a node to itself; readers drop them from the topology and count them here.
    pub self_loops: usize,
}

pub(crate) fn of(raw: &RawDataset) -> Stats {
    let graphs = raw.len();
    let mean = |sum: usize| if graphs == 0 { 0.0 } else { sum as f64 / graphs as f64 };
    let (mut edges, mut isolated_nodes, mut empty_graphs, mut self_loops) = (0, 0, 0, raw.self_loops.len());
    let mut cursor = Vec::new();
    for topology in (0..graphs).map(|graph| raw.topology(graph)) {
        let Mirrored { pairs, loops } = topology.mirrored(&mut cursor);
        edges += topology.edges() - loops - pairs;
        isolated_nodes += topology.isolated_nodes();
        empty_graphs += usize::from(topology.nodes() == 0);
        self_loops += loops;
    }
    Stats {
        graphs,
        classes: raw.classes() as usize,
        nodes_mean: mean(raw.row_ptr.len() - 1),
        edges_mean: mean(edges),
        node_labels: raw.node_labels.iter().map(|column| column.values.len()).sum(),
        node_attributes: raw.node_attributes.width,
        edge_labels: raw.edge_labels.iter().map(|column| column.values.len()).sum(),
        edge_attributes: raw.edge_attributes.width,
        isolated_nodes,
        empty_graphs,
        self_loops,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_stable() {
        let keys = serde_json::to_string(&Stats::default()).unwrap();
        let want = concat!(
            r#"{"graphs":0,"classes":0,"nodes_mean":0.0,"edges_mean":0.0,"node_labels":0,"node_attributes":0,"#,
            r#""edge_labels":0,"edge_attributes":0,"isolated_nodes":0,"empty_graphs":0,"self_loops":0}"#
        );
        assert_eq!(keys, want);
    }
}

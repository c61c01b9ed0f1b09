//! Graphs for Graphviz, by petgraph.

use petgraph::EdgeType;
use petgraph::dot::{Config, Dot};
use petgraph::graph::{DiGraph, Graph, UnGraph};

use crate::{Sample, SampleRef};

/// All graphs as one; undirected where all are.
pub(super) fn dot(graphs: &[Sample]) -> String {
    let undirected = graphs.iter().all(|graph| graph.view().topology.is_symmetric());
    if undirected {
        let mut all = UnGraph::new_undirected();
        add(&mut all, graphs, |source, target| source <= target);
        printed(&all)
    } else {
        let mut all = DiGraph::new();
        add(&mut all, graphs, |_, _| true);
        printed(&all)
    }
}

fn add<Ty: EdgeType>(
    all: &mut Graph<String, String, Ty>,
    graphs: &[Sample],
    counts: impl Fn(u32, u32) -> bool,
) {
    for (b, view) in graphs.iter().map(Sample::view).enumerate() {
        let nodes: Vec<_> = (0..view.nodes()).map(|i| all.add_node(label(b, i, view))).collect();
        for (entry, (source, target)) in view.topology.pairs().enumerate() {
            if counts(source, target) {
                let weight = view.edge_attr.map_or_else(String::new, |attr| row(attr.row(entry).iter()));
                all.add_edge(nodes[source as usize], nodes[target as usize], weight);
            }
        }
    }
}

/// The node's name, and its features on a line of their own.
fn label(b: usize, i: usize, view: SampleRef<'_>) -> String {
    format!("{b}.{i}\n{}", row(view.x.row(i).iter()))
}

fn row<'a>(values: impl Iterator<Item = &'a f32>) -> String {
    values.map(f32::to_string).collect::<Vec<_>>().join(" ")
}

fn printed<Ty: EdgeType>(all: &Graph<String, String, Ty>) -> String {
    let weighted = all.edge_weights().any(|weight| !weight.is_empty());
    let config: &[Config] = if weighted { &[] } else { &[Config::EdgeNoLabel] };
    Dot::with_config(all, config).to_string()
}

#[cfg(test)]
mod tests {
    use super::dot;
    use crate::counterexample::{graph, weighted_graph};

    #[test]
    fn a_batch_is_one_graph() {
        let arrow = graph(&[[1.0], [2.0]], &[(1, 0)]);
        let point = graph(&[[0.5]], &[]);
        let want = "\
digraph {
    0 [ label = \"0.0\\l1\" ]
    1 [ label = \"0.1\\l2\" ]
    2 [ label = \"1.0\\l0.5\" ]
    1 -> 0 [ ]
}
";
        assert_eq!(dot(&[arrow, point]), want);
    }

    #[test]
    fn an_undirected_edge_is_one_with_its_weight() {
        let pair = weighted_graph(&[[1.0], [2.0]], &[(0, 1, 0.25), (1, 0, 0.25)]);
        let text = dot(&[pair]);
        assert!(text.contains("0 -- 1 [ label = \"0.25\" ]") && text.matches("--").count() == 1, "{text}");
    }
}

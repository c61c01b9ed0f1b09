//! Graphs as Rust expressions.

use std::fmt::Write;

use ndarray::Array2;

use crate::{Sample, Target, TopologyBuf};

/// A graph written down in a test: a row of features per node, and edges `(source, target)`, both directions of undirected ones.
///
/// # Panics
/// When an edge names a node that has no row.
///
/// # Examples
/// ```
/// use coarsen_graph::counterexample::graph;
///
/// let pair = graph(&[[0.5, 1.0], [1.5, 2.0]], &[(0, 1), (1, 0)]);
/// assert!(pair.view().topology.is_symmetric());
/// ```
pub fn graph<const F: usize>(x: &[[f32; F]], edges: &[(u32, u32)]) -> Sample {
    let topology =
        TopologyBuf::from_edges(x.len(), edges.iter().copied()).unwrap_or_else(|error| panic!("{error}"));
    Sample::of_parts(topology, Array2::from(x.to_vec()), None, Target::Class(0))
}

/// The same with a weight on every edge: `(source, target, weight)`, the weights in `edge_attr: [edges, 1]`.
///
/// # Panics
/// When an edge names a node that has no row, or is named twice.
pub fn weighted_graph<const F: usize>(x: &[[f32; F]], edges: &[(u32, u32, f32)]) -> Sample {
    let pairs: Vec<(u32, u32)> = edges.iter().map(|&(source, target, _)| (source, target)).collect();
    let sample = graph(x, &pairs);
    let weight = |pair: (u32, u32)| {
        let at = pairs.iter().position(|&other| other == pair).expect("a pair of the list");
        [edges[at].2]
    };
    let weights: Vec<[f32; 1]> = sample.view().topology.pairs().map(weight).collect();
    assert_eq!(weights.len(), edges.len(), "an edge is named once");
    sample.with_edge_attr(Array2::from(weights)).expect("a weight per edge")
}

/// A list of graphs as an expression: `vec![graph(…), …]`, of the functions of this module.
pub fn literal(graphs: &[Sample]) -> String {
    let mut text = "vec![\n".to_owned();
    for graph in graphs {
        let _ = writeln!(text, "    {},", one(graph));
    }
    text + "]"
}

fn one(sample: &Sample) -> String {
    let view = sample.view();
    let rows: Vec<Vec<f32>> = view.x.rows().into_iter().map(|row| row.to_vec()).collect();
    // A list without rows does not say how wide they are.
    let width = if rows.is_empty() { format!("::<{}>", view.x.ncols()) } else { String::new() };
    let target = match view.y {
        Target::Class(0) => String::new(),
        Target::Class(class) => format!(".with_target(Target::Class({class}))"),
        Target::Real(value) => format!(".with_target(Target::Real({value:?}))"),
    };
    let pairs = view.topology.pairs();
    match view.edge_attr {
        None => format!("graph{width}(&{rows:?}, &{:?}){target}", pairs.collect::<Vec<_>>()),
        Some(attr) => {
            let weighted = pairs.enumerate().map(|(entry, (i, j))| (i, j, attr[[entry, 0]]));
            format!("weighted_graph{width}(&{rows:?}, &{:?}){target}", weighted.collect::<Vec<_>>())
        }
    }
}

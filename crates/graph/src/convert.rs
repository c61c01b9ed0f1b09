//! To and from petgraph, whose algorithms serve for everything that is not on the hot path.

use crate::{Error, Sample, Target, Topology, TopologyBuf};
use ndarray::Array2;
use petgraph::EdgeType;
use petgraph::graph::{DiGraph, Graph, IndexType, UnGraph};

impl Topology<'_> {
    /// Every directed edge `j → i` as it is.
    pub fn to_petgraph(&self) -> DiGraph<(), ()> {
        let mut graph = DiGraph::with_capacity(self.nodes(), self.edges());
        (0..self.nodes()).for_each(|_| _ = graph.add_node(()));
        for (source, target) in self.pairs() {
            graph.add_edge(source.into(), target.into(), ());
        }
        graph
    }

    /// One undirected edge for every pair of nodes joined in at least one direction.
    pub fn to_undirected(&self) -> UnGraph<(), ()> {
        let mut graph = UnGraph::with_capacity(self.nodes(), self.edges());
        (0..self.nodes()).for_each(|_| _ = graph.add_node(()));
        for (source, target) in self.pairs() {
            let mirrored = || self.neighbours(source as usize).binary_search(&target).is_ok();
            if source <= target || !mirrored() {
                graph.add_edge(source.into(), target.into(), ());
            }
        }
        graph
    }
}

/// The edges, both directions for an undirected graph; parallel edges are merged.
impl<N, E, Ty: EdgeType, Ix: IndexType> From<&Graph<N, E, Ty, Ix>> for TopologyBuf {
    fn from(graph: &Graph<N, E, Ty, Ix>) -> Self {
        let pairs: Vec<(u32, u32)> =
            directed(graph).into_iter().map(|(source, target, _)| (source, target)).collect();
        Self::of_edges(graph.node_count(), &pairs)
    }
}

/// The edges alone: one feature that is 1 for every node, class 0.
impl<N, E, Ty: EdgeType, Ix: IndexType> From<&Graph<N, E, Ty, Ix>> for Sample {
    fn from(graph: &Graph<N, E, Ty, Ix>) -> Self {
        Self::of_parts(graph.into(), Array2::ones((graph.node_count(), 1)), None, Target::Class(0))
    }
}

/// Features as node weights, edge features (empty if there are none) as edge weights.
impl From<&Sample> for DiGraph<Vec<f32>, Vec<f32>> {
    fn from(sample: &Sample) -> Self {
        let view = sample.view();
        let mut graph = DiGraph::with_capacity(view.nodes(), view.edges());
        view.x.rows().into_iter().for_each(|row| _ = graph.add_node(row.to_vec()));
        for (entry, (source, target)) in view.topology.pairs().enumerate() {
            let attr = view.edge_attr.map_or_else(Vec::new, |attr| attr.row(entry).to_vec());
            graph.add_edge(source.into(), target.into(), attr);
        }
        graph
    }
}

impl Sample {
    /// A petgraph graph, directed or not, with features taken from its weights. An undirected edge stands for both
    /// directions; of parallel edges the first counts. Where `edge` gives nothing there are no edge features.
    ///
    /// # Errors
    /// [`Error::Sample`] when nodes, or edges, give different numbers of features.
    ///
    /// # Examples
    /// ```
    /// use coarsen_graph::{Sample, Target};
    /// use petgraph::graph::UnGraph;
    ///
    /// let mut water = UnGraph::<&str, u8>::new_undirected();
    /// let [o, h1, h2] = ["O", "H", "H"].map(|atom| water.add_node(atom));
    /// water.extend_with_edges([(o, h1, 1), (o, h2, 1)]);
    ///
    /// let one_hot = |atom: &&str| [f32::from(*atom == "O"), f32::from(*atom == "H")];
    /// let sample = Sample::from_petgraph(&water, one_hot, |&bond| [f32::from(bond)], Target::Class(0))?;
    /// assert_eq!(sample.view().x.row(0).to_vec(), [1.0, 0.0]);
    /// assert_eq!(sample.view().edges(), 4);
    /// # Ok::<(), coarsen_graph::Error>(())
    /// ```
    pub fn from_petgraph<N, E, Ty: EdgeType, Ix: IndexType, X: AsRef<[f32]>, A: AsRef<[f32]>>(
        graph: &Graph<N, E, Ty, Ix>,
        node: impl Fn(&N) -> X,
        edge: impl Fn(&E) -> A,
        y: Target,
    ) -> Result<Self, Error> {
        let edges = directed(graph);
        let pairs: Vec<(u32, u32)> = edges.iter().map(|&(source, target, _)| (source, target)).collect();
        let (topology, origin) = TopologyBuf::of_edges_with_origin(graph.node_count(), &pairs);
        let x = table(graph.node_weights().map(node), graph.node_count(), "nodes")?;
        let attr = table(origin.iter().map(|&at| edge(edges[at as usize].2)), origin.len(), "edges")?;
        let sample = Self::new(topology, x, y)?;
        if attr.ncols() == 0 { Ok(sample) } else { sample.with_edge_attr(attr) }
    }
}

/// Every directed edge with its weight.
fn directed<N, E, Ty: EdgeType, Ix: IndexType>(graph: &Graph<N, E, Ty, Ix>) -> Vec<(u32, u32, &E)> {
    let forward =
        graph.raw_edges().iter().map(|e| (e.source().index() as u32, e.target().index() as u32, &e.weight));
    if graph.is_directed() {
        return forward.collect();
    }
    forward.flat_map(|(a, b, weight)| [(a, b, weight), (b, a, weight)]).collect()
}

fn table<R: AsRef<[f32]>>(
    rows: impl Iterator<Item = R>,
    count: usize,
    what: &str,
) -> Result<Array2<f32>, Error> {
    let mut values = Vec::new();
    let mut width = None;
    for row in rows {
        let row = row.as_ref();
        if *width.get_or_insert(row.len()) != row.len() {
            let rule = format!("all {what} must have as many features as the first ({})", width.unwrap_or(0));
            return Err(Error::Sample { rule, got: row.len().to_string() });
        }
        values.extend_from_slice(row);
    }
    let shape = (count, width.unwrap_or(0));
    Array2::from_shape_vec(shape, values).map_err(|error| Error::Sample {
        rule: format!("the features of {what} must make a table"),
        got: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directed_there_and_back() {
        let topology = TopologyBuf::from_edges(3, [(0, 1), (1, 0), (2, 1)]).unwrap();
        let graph = topology.view().to_petgraph();
        assert!(graph.contains_edge(2.into(), 1.into()) && !graph.contains_edge(1.into(), 2.into()));
        assert_eq!(TopologyBuf::from(&graph), topology);
        assert_eq!(topology.view().to_undirected().edge_count(), 2);
    }

    #[test]
    fn undirected_edges_stand_for_both_directions() {
        let graph = UnGraph::<(), ()>::from_edges([(0, 1), (2, 1), (1, 2)]);
        let sample = Sample::from(&graph);
        assert_eq!(sample.view().topology.col, [1, 0, 2, 1]);
        assert_eq!(sample.view().topology.to_undirected().edge_count(), 2);
    }

    #[test]
    fn features_travel_both_ways() {
        let mut graph = DiGraph::<f32, f32>::new();
        let [a, b, c] = [1.0, 2.0, 3.0].map(|x| graph.add_node(x));
        graph.extend_with_edges([(c, a, 0.5), (a, b, 0.25), (c, a, 9.0)]);
        let sample = Sample::from_petgraph(&graph, |&x| [x], |&w| [w], Target::Real(1.0)).unwrap();
        let back = DiGraph::<Vec<f32>, Vec<f32>>::from(&sample);
        assert_eq!(back.node_weights().flatten().copied().collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
        assert_eq!(back.edge_weight(back.find_edge(c, a).unwrap()).unwrap(), &[0.5]);
        assert_eq!(back.edge_count(), 2);
    }

    #[test]
    fn ragged_features_are_refused() {
        let mut graph = DiGraph::<usize, ()>::new();
        graph.add_node(1);
        graph.add_node(2);
        let ragged = Sample::from_petgraph(&graph, |&n| vec![0.0; n], |()| [], Target::Class(0)).unwrap_err();
        assert_eq!(
            ragged.to_string(),
            "sample: all nodes must have as many features as the first (1), got 2"
        );
    }
}

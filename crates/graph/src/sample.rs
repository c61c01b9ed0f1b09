//! One graph with its features and target: borrowed [`SampleRef`], owned [`Sample`].

use crate::{Error, Permutation, Topology, TopologyBuf};
use ndarray::{Array2, ArrayView2};

/// What is to be predicted for a graph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// A class, counted from 0.
    Class(u32),
    /// A real number.
    Real(f32),
}

/// One graph of a data set, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRef<'a> {
    /// The edges.
    pub topology: Topology<'a>,
    /// Node features, `[nodes, features]`, contiguous: `x.to_slice()` is all of them, row by row.
    pub x: ArrayView2<'a, f32>,
    /// Edge features, `[edges, edge_features]`, contiguous, in the order of `topology.col`.
    pub edge_attr: Option<ArrayView2<'a, f32>>,
    /// The label of each node as an *input*, counted from 0 over the whole data set (for kernels and colourings;
    /// features made from it are in `x`).
    pub node_label: Option<&'a [u32]>,
    /// The class of each node as a *target* of node-level tasks.
    pub node_class: Option<&'a [u32]>,
    /// The target of the graph.
    pub y: Target,
}

impl SampleRef<'_> {
    /// The number of nodes.
    pub fn nodes(&self) -> usize {
        self.topology.nodes()
    }

    /// The number of directed edges.
    pub fn edges(&self) -> usize {
        self.topology.edges()
    }

    /// An owned copy.
    pub fn to_owned(&self) -> Sample {
        Sample {
            topology: self.topology.to_owned(),
            x: self.x.to_owned(),
            edge_attr: self.edge_attr.map(|attr| attr.to_owned()),
            node_label: self.node_label.map(<[u32]>::to_vec),
            node_class: self.node_class.map(<[u32]>::to_vec),
            y: self.y,
        }
    }
}

/// One graph, owned.
///
/// # Examples
/// ```
/// use coarsen_graph::{Sample, Target, TopologyBuf};
/// use ndarray::array;
///
/// let path = TopologyBuf::from_undirected(3, [(0, 1), (1, 2)])?;
/// let sample = Sample::new(path, array![[1.0], [2.0], [3.0]], Target::Class(0))?;
/// assert_eq!(sample.view().topology.neighbours(1), [0, 2]);
/// # Ok::<(), coarsen_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    topology: TopologyBuf,
    x: Array2<f32>,
    edge_attr: Option<Array2<f32>>,
    node_label: Option<Vec<u32>>,
    node_class: Option<Vec<u32>>,
    y: Target,
}

impl Sample {
    /// A graph with node features `x: [nodes, features]` and a target.
    ///
    /// # Errors
    /// [`Error::Sample`] when `x` has not one row per node.
    pub fn new(topology: TopologyBuf, x: Array2<f32>, y: Target) -> Result<Self, Error> {
        per("x must have one row per node", topology.view().nodes(), x.nrows())?;
        let x = if x.is_standard_layout() { x } else { x.as_standard_layout().into_owned() };
        Ok(Self { topology, x, edge_attr: None, node_label: None, node_class: None, y })
    }

    /// Parts that are known to fit; `x` is contiguous.
    pub(crate) fn of_parts(
        topology: TopologyBuf,
        x: Array2<f32>,
        node_class: Option<Vec<u32>>,
        y: Target,
    ) -> Self {
        Self { topology, x, edge_attr: None, node_label: None, node_class, y }
    }

    /// The same graph with edge features `[edges, edge_features]`, in storage order (by target, then by source).
    ///
    /// # Errors
    /// [`Error::Sample`] when there is not one row per directed edge.
    pub fn with_edge_attr(mut self, attr: Array2<f32>) -> Result<Self, Error> {
        per("edge_attr must have one row per directed edge", self.topology.view().edges(), attr.nrows())?;
        self.edge_attr =
            Some(if attr.is_standard_layout() { attr } else { attr.as_standard_layout().into_owned() });
        Ok(self)
    }

    /// The same graph with a label per node (an input).
    ///
    /// # Errors
    /// [`Error::Sample`] when there is not one label per node.
    pub fn with_node_label(mut self, label: Vec<u32>) -> Result<Self, Error> {
        per("node_label must have one entry per node", self.topology.view().nodes(), label.len())?;
        self.node_label = Some(label);
        Ok(self)
    }

    /// The same graph with a class per node (a target).
    ///
    /// # Errors
    /// [`Error::Sample`] when there is not one class per node.
    pub fn with_node_class(mut self, class: Vec<u32>) -> Result<Self, Error> {
        per("node_class must have one entry per node", self.topology.view().nodes(), class.len())?;
        self.node_class = Some(class);
        Ok(self)
    }

    /// The same graph with another target.
    #[must_use]
    pub fn with_target(self, y: Target) -> Self {
        Self { y, ..self }
    }

    /// The borrowed view.
    pub fn view(&self) -> SampleRef<'_> {
        SampleRef {
            topology: self.topology.view(),
            x: self.x.view(),
            edge_attr: self.edge_attr.as_ref().map(Array2::view),
            node_label: self.node_label.as_deref(),
            node_class: self.node_class.as_deref(),
            y: self.y,
        }
    }

    /// The same graph with its nodes renumbered: node `i` becomes node `permutation.to(i)`.
    ///
    /// # Errors
    /// [`Error::Sample`] when the permutation is not over as many nodes.
    pub fn permuted(&self, permutation: &Permutation) -> Result<Self, Error> {
        permutation.apply(self)
    }
}

fn per(rule: &str, want: usize, got: usize) -> Result<(), Error> {
    if want == got {
        return Ok(());
    }
    Err(Error::Sample { rule: format!("{rule} ({want})"), got: got.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn pair() -> TopologyBuf {
        TopologyBuf::from_undirected(2, [(0, 1)]).unwrap()
    }

    #[test]
    fn parts_must_fit() {
        let x = array![[1.0], [2.0]];
        let sample = Sample::new(pair(), x, Target::Class(1)).unwrap();
        let three = Sample::new(pair(), Array2::zeros((3, 1)), Target::Class(0)).unwrap_err();
        assert_eq!(three.to_string(), "sample: x must have one row per node (2), got 3");
        assert!(sample.clone().with_edge_attr(Array2::zeros((1, 1))).is_err());
        assert!(sample.clone().with_node_label(vec![0]).is_err());
        assert!(sample.clone().with_node_class(vec![0, 1, 1]).is_err());
        assert_eq!(sample.view().to_owned(), sample);
    }

    #[test]
    fn features_become_contiguous() {
        let columns = array![[1.0, 2.0], [3.0, 4.0]].reversed_axes();
        let sample = Sample::new(pair(), columns, Target::Real(0.5)).unwrap();
        assert_eq!(sample.view().x.as_slice().unwrap(), [1.0, 3.0, 2.0, 4.0]);
    }
}

//! From graphs to pairs of nodes.

use coarsen_tensor::{Adjacency, Layout, Level, Norm};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// What of the edges stands in the channels of a pair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairEdges {
    /// Their weights, as Maron et al. 2019 have it for graphs with labelled nodes.
    #[default]
    Weights,
    /// Their attributes besides, where there are any.
    Attributes,
}

impl PairEdges {
    /// Channels of the edges: one, and as many as there are attributes that are asked for.
    pub fn channels(self, edge_features: i64) -> i64 {
        match self {
            Self::Weights => 1,
            Self::Attributes => 1 + edge_features,
        }
    }
}

/// The graphs of one size of a batch.
#[derive(Debug)]
pub struct Squares {
    /// `[B', C, n, n]`.
    pub t: Tensor,
    /// Where they stand in the batch, `[B']`.
    pub graphs: Vec<i64>,
}

/// The graphs of a batch as squares of pairs, one tensor for every size, the smallest first: nothing is padded.
///
/// The first channel is `D^-½ A D^-½` without added loops, 0 in the row and column of a node without edges; then come the
/// attributes of the edges, where `edges` asks for them, and last the features of the nodes on the diagonal, 0 beside it.
///
/// # Shapes
///
/// A level of `B` graphs, either layout → squares `[B', C, n, n]` with `C = edges.channels(D) + F`, in which each graph is once.
/// Padded levels have no attributes.
///
/// # Complexity
///
/// Time and memory O(C · Σ_b n_b²).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use coarsen_nn::pair::{PairEdges, squares};
/// use coarsen_tensor::{Adjacency, Level, Pattern, Segments, Sparse};
/// use tch::{Device, Kind, Tensor};
/// // A node, an edge, a node: two sizes.
/// let csr = coarsen_sparse::Csr::new(4, 4, vec![0, 0, 1, 2, 2], vec![2, 1])?;
/// let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::of_sizes([1, 2, 1]))));
/// let options = (Kind::Float, Device::Cpu);
/// let g = Level::new(Tensor::ones([4, 5], options), Adjacency::Sparse(Sparse::new(pattern, None, options)));
/// let of_sizes = squares(&g, PairEdges::Weights);
/// assert_eq!(of_sizes[0].t.size(), [2, 6, 1, 1]);
/// assert_eq!((&of_sizes[0].graphs, &of_sizes[1].graphs), (&vec![0, 2], &vec![1]));
/// # Ok::<(), coarsen_sparse::Error>(())
/// ```
pub fn squares(g: &Level, edges: PairEdges) -> Vec<Squares> {
    let g = g.to_layout(Layout::Sparse);
    let Adjacency::Sparse(normalized) = g.adj.normalized(Norm::Symmetric { floor: 0.0 }) else {
        unreachable!("sparse above")
    };
    let pattern = &normalized.pattern;
    let ptr = pattern.graphs().ptr();
    let sizes: Vec<i64> = pattern.graphs().sizes().map(i64::from).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&b| sizes[b]);
    let mut first = vec![0i64; sizes.len()]; // the place of each graph's first pair
    let mut pairs = 0;
    for &b in &order {
        first[b] = pairs;
        pairs += sizes[b] * sizes[b];
    }

    let mut of_node = Vec::with_capacity(pattern.graphs().rows());
    let mut of_edge = Vec::with_capacity(pattern.csr().nnz());
    for (b, &n) in sizes.iter().enumerate() {
        for i in 0..n {
            of_node.push(first[b] + i * (n + 1));
            let neighbours = pattern.csr().row(ptr[b] as usize + i as usize);
            of_edge.extend(neighbours.iter().map(|&j| first[b] + i * n + i64::from(j - ptr[b])));
        }
    }
    let (kind, device) = g.options();
    let spread = |values: &Tensor, at: &[i64]| {
        let at = Tensor::from_slice(at).to_device(device);
        Tensor::zeros([pairs, values.size()[1]], (kind, device)).index_copy(0, &at, values)
    };
    let mut channels = vec![spread(&normalized.weights().unsqueeze(1), &of_edge)];
    if let (PairEdges::Attributes, Adjacency::Sparse(s)) = (edges, &g.adj) {
        channels.extend(s.attr.as_ref().map(|attr| spread(attr, &of_edge)));
    }
    channels.push(spread(&g.x, &of_node));
    let channels = Tensor::cat(&channels, 1);
    let width = channels.size()[1];

    let of_size = |graphs: &[usize]| {
        let (count, n) = (graphs.len() as i64, sizes[graphs[0]]);
        let t = channels.narrow(0, first[graphs[0]], count * n * n).view([count, n, n, width]);
        Squares {
            t: t.permute([0, 3, 1, 2]).contiguous(),
            graphs: graphs.iter().map(|&b| b as i64).collect(),
        }
    };
    order.chunk_by(|&a, &b| sizes[a] == sizes[b]).map(of_size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use coarsen_sparse::Csr;
    use coarsen_tensor::{Pattern, Segments, Sparse};
    use tch::{Device, Kind};

    const OPTIONS: (Kind, Device) = (Kind::Double, Device::Cpu);

    /// A path of three nodes, no node, and two nodes without an edge.
    fn batch(attr: Option<Tensor>) -> Level {
        let csr = Csr::new(5, 5, vec![0, 1, 3, 4, 4, 4], vec![1, 0, 2, 1]).expect("a path");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::of_sizes([3, 0, 2]))));
        let x = Tensor::from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0]).view([5, 1]);
        Level::new(x, Adjacency::Sparse(Sparse::new(pattern, None, OPTIONS).with_attr(attr)))
    }

    fn entries(t: &Tensor) -> Vec<f64> {
        Vec::try_from(t.reshape(-1)).expect("double precision")
    }

    #[test]
    fn values_by_hand() {
        let h = 0.5f64.sqrt();
        for layout in [Layout::Sparse, Layout::Dense] {
            let of_sizes = squares(&batch(None).to_layout(layout), PairEdges::Attributes);
            let graphs: Vec<_> = of_sizes.iter().map(|s| s.graphs.clone()).collect();
            assert_eq!(graphs, [vec![1], vec![2], vec![0]]);
            assert_eq!(of_sizes[0].t.size(), [1, 2, 0, 0]);
            assert_eq!(entries(&of_sizes[1].t), [0.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 5.0]);
            let path = entries(&of_sizes[2].t);
            let want = [0.0, h, 0.0, h, 0.0, h, 0.0, h, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0];
            assert!(path.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-15), "{path:?}");
        }
    }

    #[test]
    fn attributes_stand_between_weights_and_nodes() {
        let attr = Tensor::from_slice(&[1.0, 2.0, 3.0, 4.0]).view([4, 1]);
        let g = batch(Some(attr));
        assert_eq!(squares(&g, PairEdges::Weights)[2].t.size(), [1, 2, 3, 3]);
        let t = &squares(&g, PairEdges::Attributes)[2].t;
        assert_eq!(t.size()[1], PairEdges::Attributes.channels(1) + 1);
        assert_eq!(entries(&t.select(1, 1)), [0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 4.0, 0.0]);
    }
}

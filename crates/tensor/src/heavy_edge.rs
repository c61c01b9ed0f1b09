//! Clusters along heavy edges, of a whole batch.

use coarsen_graph::Topology;
use coarsen_graph::cluster::heavy_edge::clusters;

use crate::adjacency::Sparse;
use crate::top_k::up_to_rounding;

/// The clusters of every graph by [`clusters`], of which a graph of `n` nodes has at
/// most `most(n)`, and at least one.
///
/// They are numbered over the batch, in each graph by their lowest member; what [`Assignment::clusters`](crate::Assignment::clusters)
/// takes. Nothing but the graph decides, so a graph has the same clusters in any batch: weights are compared [up to rounding](up_to_rounding),
/// since those of a pooled graph are sums, and their last digits depend on the batch.
///
/// # Complexity
///
/// That of the graphs one by one, on the host; reads the weights back from a device.
pub fn heavy_edge(adj: &Sparse, most: impl Fn(u32) -> u32) -> Vec<u32> {
    let csr = adj.pattern.csr();
    let weight = adj.weight.as_ref().map(|weight| up_to_rounding(&weight.detach()));
    let mut cluster = Vec::with_capacity(csr.rows());
    let mut first = 0;
    for ends in adj.pattern.graphs().ptr().windows(2) {
        let row_ptr: Vec<usize> =
            csr.row_ptr()[ends[0] as usize..=ends[1] as usize].iter().map(|&p| p as usize).collect();
        let edges = row_ptr[0]..row_ptr[row_ptr.len() - 1];
        let col: Vec<u32> = csr.col()[edges.clone()].iter().map(|&j| j - ends[0]).collect();
        let own: Vec<usize> = row_ptr.iter().map(|&p| p - edges.start).collect();
        let topology = Topology { row_ptr: &own, col: &col };
        let weights = weight.as_ref().map(|weight| &weight[edges]);
        let of_graph = clusters(&topology, weights, most(ends[1] - ends[0]) as usize);
        cluster.extend(of_graph.iter().map(|c| first + c));
        first += of_graph.iter().max().map_or(0, |&last| last + 1);
    }
    cluster
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use crate::segments::Segments;
    use coarsen_sparse::Csr;
    use std::sync::Arc;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn graphs_are_numbered_one_after_the_other() {
        // A path of four whose middle edge is heavy, no node, and three nodes without edges.
        let edges = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)];
        let csr = Csr::from_edges(7, 7, edges).expect("edges in range");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 4, 4, 7]))));
        let options = (Kind::Float, Device::Cpu);
        let unit = Sparse::new(Arc::clone(&pattern), None, options);
        let half = |n: u32| n.div_ceil(2);
        assert_eq!(heavy_edge(&unit, half), [0, 0, 1, 1, 2, 2, 3]);
        let weight = Tensor::from_slice(&[1f32, 1., 5., 5., 1., 1.]);
        let weighed = Sparse::new(pattern, Some(weight), options);
        assert_eq!(heavy_edge(&weighed, |_| 1), [0, 0, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn the_last_digits_of_weights_decide_nothing() {
        let triangle = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
        let csr = Csr::from_edges(3, 3, triangle).expect("edges in range");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::of_sizes([3]))));
        let clusters = |first: f64| {
            let weight = Tensor::from_slice(&[first, 0.3, first, 0.3, 0.3, 0.3]);
            heavy_edge(&Sparse::new(Arc::clone(&pattern), Some(weight), (Kind::Double, Device::Cpu)), |_| 2)
        };
        assert_eq!(clusters(0.1 + 0.2), clusters(0.3));
        assert_ne!(clusters(0.31), clusters(0.29));
    }
}

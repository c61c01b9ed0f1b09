//! Small batches to pool.

use std::sync::Arc;

use coarsen_nn::{Dims, Params, Stream};
use coarsen_pool::Pool;
use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Level, Pattern, Segments, Sparse};
use serde_json::Value;
use tch::{Device, Kind, Tensor, nn::VarStore};

/// Undirected edges of a graph of so many nodes.
pub(crate) type Graph = (u32, &'static [(u32, u32)]);

pub(crate) const SQUARE: Graph = (4, &[(0, 1), (1, 2), (2, 3), (3, 0)]);
pub(crate) const HOUSE: Graph = (5, &[(0, 1), (1, 2), (2, 3), (3, 0), (2, 4), (3, 4)]);
pub(crate) const STAR: Graph = (6, &[(0, 1), (0, 2), (0, 3), (0, 4)]);
pub(crate) const EDGE: Graph = (2, &[(0, 1)]);
pub(crate) const POINT: Graph = (1, &[]);
pub(crate) const NOTHING: Graph = (0, &[]);

pub(crate) const FEATURES: i64 = 3;

/// The graphs side by side; features are those of [`features`], edges weigh 1.
pub(crate) fn batch(graphs: &[Graph], kind: Kind) -> Level {
    let of_graphs = Arc::new(Segments::of_sizes(graphs.iter().map(|g| g.0)));
    let mut edges = Vec::new();
    for (&(_, of_graph), &first) in graphs.iter().zip(of_graphs.ptr()) {
        edges.extend(of_graph.iter().flat_map(|&(i, j)| [(first + i, first + j), (first + j, first + i)]));
    }
    let nodes = of_graphs.rows();
    let csr = Csr::from_edges(nodes, nodes, edges).expect("simple graphs");
    let x = Tensor::cat(&graphs.iter().map(|&g| features(g, kind)).collect::<Vec<_>>(), 0);
    let adj = Sparse::new(Arc::new(Pattern::new(csr, of_graphs)), None, (kind, Device::Cpu));
    Level::new(x, Adjacency::Sparse(adj))
}

/// Features drawn from the graph's own stream, so that they do not depend on the batch.
fn features(graph: Graph, kind: Kind) -> Tensor {
    let name = format!("{graph:?}");
    Stream::named(3, &name).normal(&[graph.0.into(), FEATURES], 0.0, 1.0, (kind, Device::Cpu))
}

pub(crate) fn dims() -> Dims {
    Dims::new(FEATURES, FEATURES).with_sizes([4, 5, 6, 2, 1])
}

/// An operator and the store of its parameters.
pub(crate) fn operator(config: &Value, kind: Kind) -> (VarStore, Box<dyn Pool>) {
    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(kind);
    let pool = coarsen_pool::pool(config, &Params::new(&store.root(), 11), &dims());
    (store, pool.unwrap_or_else(|e| panic!("{config}: {e}")))
}

/// `max|a − b| ≤ tolerance · max(1, max|b|)`, and equal shapes.
pub(crate) fn close(what: &str, a: &Tensor, b: &Tensor, tolerance: f64) {
    assert_eq!(a.size(), b.size(), "{what}");
    if a.numel() == 0 {
        return;
    }
    let largest = |t: &Tensor| t.detach().to_kind(Kind::Double).abs().max().double_value(&[]);
    let (error, scale) = (largest(&(a - b)), largest(b).max(1.0));
    assert!(error <= tolerance * scale, "{what}: off by {error:e} at scale {scale}");
}

//! Batches shaped like those of published data sets.

use coarsen_graph::{Dataset, InMemory, Sample, Target, TopologyBuf, registry};
use coarsen_nn::{Dims, Stream};
use coarsen_tensor::{Level, collate};
use ndarray::Array2;
use tch::Device;

/// Graphs of a batch.
pub const GRAPHS: usize = 20;
/// Node features.
pub const FEATURES: usize = 64;
/// An edge joins nodes at most this far apart on the path that every graph has.
const REACH: usize = 12;

/// What one batch looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// The data set whose means these are.
    pub name: &'static str,
    /// Mean nodes of a graph.
    pub nodes: f64,
    /// Mean undirected edges of a graph.
    pub edges: f64,
}

/// NCI1, PROTEINS and DD.
///
/// # Panics
///
/// When the registry of data sets does not know one of them or its means.
pub fn workloads() -> Vec<Workload> {
    let published = |name: &str| {
        let spec = registry::find(name).expect("a registered data set");
        let means = (spec.published.nodes_mean, spec.published.edges_mean);
        let (Some(nodes), Some(edges)) = means else { panic!("{name} has no published means") };
        Workload { name: spec.name, nodes, edges }
    };
    ["NCI1", "PROTEINS", "DD"].map(published).into()
}

impl Workload {
    /// The last part of a benchmark's name: `B20-N284-F64`.
    pub fn sizes(&self) -> String {
        format!("B{GRAPHS}-N{:.0}-F{FEATURES}", self.nodes)
    }

    /// The graphs: between half and one and a half times the mean number of nodes, a path through them, and near edges beside it up to the
    /// published density; independent normal features.
    ///
    /// # Panics
    ///
    /// Never: what is drawn is well-formed.
    pub fn data(&self) -> InMemory {
        let mut stream = Stream::named(0, self.name);
        let samples = (0..GRAPHS).map(|b| self.graph(b, &mut stream)).collect();
        InMemory::from_samples(self.name, samples, 2).expect("graphs of one kind")
    }

    /// Graph `b` of the batch; sizes are spread evenly, so that their mean is the published one.
    fn graph(&self, b: usize, stream: &mut Stream) -> Sample {
        let spread = 0.5 + (b as f64 + 0.5) / GRAPHS as f64;
        let nodes = (self.nodes * spread).round() as usize;
        let wanted = (self.edges / self.nodes * nodes as f64).round() as usize;
        let mut below = |n: usize| ((stream.unit() * n as f64) as usize).min(n - 1);
        let mut edges: Vec<(u32, u32)> = (1..nodes).map(|i| (i as u32 - 1, i as u32)).collect();
        while edges.len() < wanted {
            let (i, step) = (below(nodes), 2 + below(REACH - 1));
            let edge = (i as u32, (i + step) as u32);
            if i + step < nodes && !edges.contains(&edge) {
                edges.push(edge);
            }
        }
        let x = Array2::from_shape_simple_fn((nodes, FEATURES), || stream.normal_pair().0 as f32);
        let topology =
            TopologyBuf::from_undirected(nodes, edges).expect("edges between nodes that there are");
        Sample::new(topology, x, Target::Class((b % 2) as u32)).expect("a row a node")
    }

    /// The graphs as one batch.
    pub fn level(&self, device: Device) -> Level {
        collate(&self.data(), &(0..GRAPHS).collect::<Vec<_>>(), device)
    }

    /// What an operator for such batches must know.
    pub fn dims(&self) -> Dims {
        Dims::new(FEATURES as i64, FEATURES as i64).with_sizes(self.data().sizes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_have_the_published_means() {
        for workload in workloads() {
            let data = workload.data();
            let stats = data.info().stats;
            let close = |got: f64, want: f64| (got - want).abs() < 0.02 * want;
            assert!(close(stats.nodes_mean, workload.nodes), "{workload:?} has {} nodes", stats.nodes_mean);
            assert!(close(stats.edges_mean, workload.edges), "{workload:?} has {} edges", stats.edges_mean);
        }
    }

    #[test]
    fn batches_are_the_same_each_time() {
        let workload = &workloads()[0];
        let (one, two) = (workload.data(), workload.data());
        assert_eq!(one.info().content_hash, two.info().content_hash);
        assert!(workload.level(Device::Cpu).x.equal(&workload.level(Device::Cpu).x));
    }
}

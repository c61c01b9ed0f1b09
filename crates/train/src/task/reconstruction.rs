//! The reconstruction of edges beside a task (Zhong, Li and Pang, AdamGNN).

use std::sync::Arc;

use coarsen_eval::stream;
use coarsen_graph::{Topology, TopologyBuf};
use coarsen_model::Output;
use coarsen_pool::ego_loss::mean_log_loss;
use coarsen_pool::{Loss, Over};
use coarsen_sparse::Csr;
use coarsen_tensor::{Layout, Relation};
use tch::Tensor;

use crate::task::head::rows;
use crate::task::{Batch, non_edges};

/// Pairs of nodes of a batch, with an edge and without one, and what the loss of their products weighs.
///
/// The pairs with an edge are those of the graph that is passed, each once whatever its directions, loops left out. Beside them as many are
/// drawn that are not joined, within each graph: as many as there are in a graph with fewer.
///
/// The loss is `δ L_R` of [`ego_loss::reconstruction`](coarsen_pool::ego_loss::reconstruction): a mean over the pairs of the
/// batch that are joined, and one over those that are not.
///
/// # Paper and code
///
/// The text sums over all pairs of nodes. The released code, which has one graph, averages as here; it also draws nodes with themselves.
#[derive(Debug)]
pub struct Reconstruction {
    /// Between the rows of the nodes, each pair once.
    joined: Arc<Relation>,
    apart: Arc<Relation>,
    weight: f64,
}

impl Reconstruction {
    /// Draws pairs of graphs that begin at these of so many rows; a graph's seed is its own.
    fn draw<'a>(graphs: impl Iterator<Item = (u32, Topology<'a>, u64)>, rows: usize, weight: f64) -> Self {
        let (mut joined, mut apart) = (Vec::new(), Vec::new());
        for (start, graph, seed) in graphs {
            let both;
            let graph = if graph.is_symmetric() {
                graph
            } else {
                both = TopologyBuf::from_undirected(graph.nodes(), graph.pairs())
                    .expect("the nodes of a graph that is there");
                both.view()
            };
            let placed = |(u, v): (u32, u32)| (start + u, start + v);
            let before = joined.len();
            joined.extend(graph.pairs().filter(|(source, target)| source < target).map(placed));
            apart.extend(non_edges(graph, joined.len() - before, &[], seed).into_iter().map(placed));
        }
        let relation = |pairs: Vec<(u32, u32)>| {
            Arc::new(Relation::new(Csr::from_edges(rows, rows, pairs).expect("nodes of the batch")))
        };
        Self { joined: relation(joined), apart: relation(apart), weight }
    }

    /// The two halves of `δ L_R`, of what a network says of the nodes.
    pub(crate) fn losses(&self, out: &Output) -> [Loss; 2] {
        let z = rows(out);
        let half = |products: Tensor| Loss {
            name: "reconstruction",
            value: mean_log_loss(&products),
            weight: self.weight,
            over: Over::Edges,
            count: products.numel() as f64,
        };
        [half(self.joined.dots(&z, &z)), half(-self.apart.dots(&z, &z))]
    }
}

impl Batch {
    /// The same batch of these graphs with pairs to be reconstructed; `seed` is that of the epoch.
    pub(crate) fn reconstructing(self, graphs: &[(usize, Topology)], weight: f64, seed: u64) -> Self {
        let x = &self.level.x;
        // Graphs stand one behind the other, padded or not.
        let (width, rows) = match self.level.layout() {
            Layout::Dense => (Some(x.size()[1] as u32), x.size()[0] * x.size()[1]),
            Layout::Sparse => (None, x.size()[0]),
        };
        let mut start = 0;
        let placed = graphs.iter().map(|&(number, graph)| {
            let own = start;
            start += width.unwrap_or(graph.nodes() as u32);
            (own, graph, stream(seed, "graph", number as u64))
        });
        let reconstruction = Some(Reconstruction::draw(placed, rows as usize, weight));
        Self { reconstruction, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_graph::{Dataset, InMemory, Sample, Target};
    use coarsen_model::Needs;
    use coarsen_pool::ego_loss::reconstruction;
    use ndarray::Array2;
    use tch::Device;

    use crate::task::{Task, TaskConfig};

    const SEED: u64 = 9;

    /// A triangle with a loop, of which no two nodes are apart, and a path of five whose edges have one direction.
    fn two() -> InMemory {
        let triangle = TopologyBuf::from_undirected(3, [(0, 1), (1, 2), (0, 2), (1, 1)]).expect("a triangle");
        let path = TopologyBuf::from_edges(5, [(1, 0), (1, 2), (3, 2), (4, 3)]).expect("a path");
        let sample = |topology: TopologyBuf| {
            let x = Array2::ones((topology.view().nodes(), 1));
            Sample::new(topology, x, Target::Class(0)).expect("a row per node")
        };
        InMemory::from_samples("two", vec![sample(triangle), sample(path)], 2).expect("a set")
    }

    fn losses(task: &dyn Task, samples: &[usize], layout: Layout, z: Tensor) -> [Loss; 2] {
        let batch = task.batch(samples, 0, &Needs::layout(layout), Device::Cpu);
        let batch = batch.reconstructing(&task.graphs(samples), 0.25, SEED);
        let out = Output { nodes: Some(z), ..Output::default() };
        batch.reconstruction.expect("pairs").losses(&out)
    }

    fn sum(losses: &[Loss; 2]) -> f64 {
        losses.iter().map(|loss| loss.weight * loss.value.double_value(&[])).sum()
    }

    /// Values that no two pairs of nodes have in common.
    fn rows_of(nodes: i64) -> Tensor {
        Tensor::arange(2 * nodes, (tch::Kind::Double, Device::Cpu)).sin().view([nodes, 2])
    }

    fn products(z: &Tensor, pairs: &[(u32, u32)]) -> Tensor {
        let product = |&(u, v): &(u32, u32)| z.get(u.into()).dot(&z.get(v.into()));
        Tensor::stack(&pairs.iter().map(product).collect::<Vec<_>>(), 0)
    }

    /// Within rounding of sums of f64 in another order.
    fn same(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn the_loss_is_the_reconstruction_of_each_graphs_pairs() {
        let (data, z) = (two(), rows_of(8));
        let task = TaskConfig::default().on(&data).expect("it has classes");
        let path = TopologyBuf::from_undirected(5, (0..4).map(|i| (i, i + 1))).expect("a path");
        let drawn = non_edges(path.view(), 4, &[], stream(SEED, "graph", 1));
        assert_eq!(drawn.len(), 4, "of six");
        let behind = |pairs: &[(u32, u32)]| pairs.iter().map(|(u, v)| (u + 3, v + 3)).collect::<Vec<_>>();
        let joined = [vec![(0, 1), (1, 2), (0, 2)], behind(&[(0, 1), (1, 2), (2, 3), (3, 4)])].concat();
        let want = reconstruction(&products(&z, &joined), &products(&z, &behind(&drawn)));
        let want = 0.25 * want.double_value(&[]);

        let sparse = losses(task.as_ref(), &[0, 1], Layout::Sparse, z.shallow_clone());
        assert!(same(sum(&sparse), want), "{} is not {want}", sum(&sparse));
        assert_eq!(
            sparse.each_ref().map(|loss| (loss.over, loss.count as i64)),
            [(Over::Edges, 7), (Over::Edges, 4)]
        );
        let padded =
            Tensor::cat(&[&z.narrow(0, 0, 3), &z.narrow(0, 0, 2).zeros_like(), &z.narrow(0, 3, 5)], 0);
        let dense = losses(task.as_ref(), &[0, 1], Layout::Dense, padded.view([2, 5, 2]));
        assert!(same(sum(&dense), want), "{} is not {want}", sum(&dense));
    }

    #[test]
    fn what_a_graph_draws_does_not_depend_on_where_it_stands() {
        let (data, z) = (two(), rows_of(8));
        let task = TaskConfig::default().on(&data).expect("it has classes");
        let turned = Tensor::cat(&[&z.narrow(0, 3, 5), &z.narrow(0, 0, 3)], 0);
        let of =
            |samples: &[usize], z: &Tensor| losses(task.as_ref(), samples, Layout::Sparse, z.shallow_clone());
        assert!(same(sum(&of(&[0, 1], &z)), sum(&of(&[1, 0], &turned))));
    }

    #[test]
    fn a_graph_without_edges_has_nothing_to_reconstruct() {
        let lonely =
            Sample::new(TopologyBuf::edgeless(2), Array2::ones((2, 1)), Target::Class(1)).expect("two");
        let data = InMemory::from_samples("lonely", vec![lonely], 2).expect("a set");
        let task = TaskConfig::default().on(&data).expect("it has classes");
        let z = rows_of(2).set_requires_grad(true);
        let [joined, apart] = losses(task.as_ref(), &[0], Layout::Sparse, z.shallow_clone());
        assert_eq!((joined.count, apart.count), (0.0, 0.0));
        let sum = joined.value + apart.value;
        sum.backward();
        assert_eq!((sum.double_value(&[]), z.grad().abs().sum(None).double_value(&[])), (0.0, 0.0));
    }

    #[test]
    fn the_nodes_of_one_graph_are_all_of_it_whatever_is_asked() {
        let data =
            InMemory::from_samples("KARATE", vec![coarsen_graph::generate::karate()], 2).expect("a set");
        let task = TaskConfig::NodeClassification(crate::task::NodeClassificationConfig::default());
        let task = task.on(&data).expect("it has classes");
        let z = rows_of(34);
        let of = |nodes: &[usize]| losses(task.as_ref(), nodes, Layout::Sparse, z.shallow_clone());
        let (some, all) = (of(&[5, 3]), of(&(0..34).collect::<Vec<_>>()));
        assert_eq!((some[0].count, some[1].count), (78.0, 78.0));
        assert!(same(sum(&some), sum(&all)));
        assert_eq!(data.len(), 1);
    }
}

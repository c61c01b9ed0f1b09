//! What laws are tried on: small batches, how their nodes are renumbered, what is on their edges.

use std::fmt;
use std::sync::Arc;

use coarsen_graph::{InMemory, Permutation, Sample, Target, TopologyBuf, arbitrary};
use coarsen_nn::{Ctx, Dims};
use coarsen_tensor::{Adjacency, Level, Loops, Sparse, collate};
use ndarray::Array2;
use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::laws::{EmptyGraphs, Laws, Passes};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);
/// Nodes of the largest graph drawn.
const NODES: usize = 9;
/// Graphs of the largest batch drawn.
const GRAPHS: usize = 4;
/// A graph of the training set that is in no batch: operators know of more sizes than they see.
const UNSEEN: u32 = 25;
/// Width of what comes in.
pub const FEATURES: i64 = arbitrary::FEATURES as i64;
/// Width of what goes out, where the operator can be told.
pub const OUTPUTS: i64 = 4;

/// A batch and a pass, drawn at random. Features do not tie inside a graph.
#[derive(Clone)]
#[non_exhaustive]
pub struct Case {
    /// The graphs.
    pub graphs: Vec<Sample>,
    /// What is on their edges.
    pub edges: Edges,
    /// The seed of the renumbering and of the initial parameters.
    pub seed: u64,
    /// The pass.
    pub ctx: Ctx,
}

/// What is on the edges of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edges {
    /// Every edge weighs 1.
    Unit,
    /// Positive weights; the two directions of an edge weigh the same.
    Weighted,
    /// The same, and every node has a self-loop, as pooled graphs have.
    Looped,
}

/// Which graphs a contract is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Every edge in both directions.
    Undirected,
    /// Any.
    Any,
}

/// Batches of up to four graphs of up to nine nodes, degenerate ones among them.
///
/// A training batch holds two [`companions`] more.
pub fn cases(laws: &Laws, direction: Direction) -> impl Strategy<Value = Case> + use<> {
    let empty = u32::from(laws.empty_graphs == EmptyGraphs::Drawn);
    let directed = 3 * u32::from(direction == Direction::Any);
    let graph = proptest::strategy::Union::new_weighted(
        [
            (9, arbitrary::graph(1..=NODES).boxed()),
            (empty, arbitrary::empty_graph().boxed()),
            (directed, arbitrary::digraph(1..=NODES).boxed()),
        ]
        .into_iter()
        .filter(|(weight, _)| *weight > 0)
        .collect(),
    );
    let passes = laws.passes;
    (
        proptest::collection::vec(graph, 1..=GRAPHS),
        prop_oneof![Just(Edges::Unit), Just(Edges::Weighted), Just(Edges::Looped)],
        0..1000u64,
        any::<bool>(),
    )
        .prop_map(move |(graphs, edges, seed, train)| {
            let train = train && passes == Passes::Both;
            let mut graphs = graphs;
            if train {
                graphs.extend(companions());
            }
            Case { graphs, edges, seed, ctx: Ctx { train, seed, trace: false } }
        })
}

/// Two ordinary graphs.
///
/// Batch norm over a batch without spread multiplies rounding by up to 316, each time it is applied; a single graph that is pooled to
/// one cluster after it has no spread at all, since its features sum to 0. Beside these, a training batch has some.
pub fn companions() -> [Sample; 2] {
    let ring = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (0, 2)];
    [graph(6, &ring, 2.3), graph(7, &[(0, 1), (0, 2), (0, 3), (3, 4), (4, 5), (5, 6), (6, 3)], 1.1)]
}

/// An undirected graph with features in [-1, 1] that do not tie.
fn graph(nodes: usize, edges: &[(u32, u32)], step: f32) -> Sample {
    let topology = TopologyBuf::from_undirected(nodes, edges.iter().copied()).expect("nodes are in range");
    let x = Array2::from_shape_fn((nodes, arbitrary::FEATURES), |(i, j)| {
        ((i * arbitrary::FEATURES + j) as f32 * step + 0.4).sin()
    });
    Sample::new(topology, x, Target::Class(0)).expect("a row a node")
}

/// Every degenerate batch worth a name, in both passes: one node, no edge, isolated nodes, separate parts, no node.
pub fn degenerate(laws: &Laws) -> Vec<Case> {
    let graph = |nodes, edges: &[(u32, u32)]| graph(nodes, edges, 0.7);
    let (point, none) = (graph(1, &[]), graph(0, &[]));
    let (edgeless, isolated) = (graph(4, &[]), graph(4, &[(1, 2)]));
    let parts = graph(6, &[(0, 1), (1, 2), (3, 4), (4, 5)]);
    let mut batches = vec![
        vec![point.clone()],
        vec![edgeless.clone()],
        vec![isolated.clone()],
        vec![parts.clone()],
        vec![point, parts.clone(), edgeless, isolated],
    ];
    if laws.empty_graphs == EmptyGraphs::Drawn {
        batches.extend([vec![none.clone()], vec![none.clone(), parts, none]]);
    }
    let both = |graphs: Vec<Sample>| {
        [Ctx::train(1), Ctx::eval()].map(|ctx| Case {
            graphs: graphs.clone(),
            edges: Edges::Unit,
            seed: 1,
            ctx,
        })
    };
    batches.into_iter().flat_map(both).collect()
}

impl Case {
    /// The graphs as one sparse level in double precision.
    pub fn level(&self) -> Level {
        level(&self.graphs, self.edges)
    }

    /// Graph `b` alone.
    pub fn alone(&self, b: usize) -> Level {
        level(&self.graphs[b..=b], self.edges)
    }

    /// How the nodes of each graph are renumbered.
    pub fn permutations(&self) -> Vec<Permutation> {
        let permutation = |(b, graph): (usize, &Sample)| {
            Permutation::random(graph.view().nodes(), self.seed.wrapping_add(b as u64))
        };
        self.graphs.iter().enumerate().map(permutation).collect()
    }

    /// The graphs with their nodes renumbered.
    pub fn renumbered(&self) -> Level {
        let permuted = |(graph, permutation): (&Sample, &Permutation)| {
            graph.permuted(permutation).expect("a permutation of as many nodes")
        };
        let graphs: Vec<Sample> = self.graphs.iter().zip(&self.permutations()).map(permuted).collect();
        level(&graphs, self.edges)
    }

    /// The number of nodes of each graph.
    pub fn sizes(&self) -> Vec<u32> {
        self.graphs.iter().map(|graph| graph.view().nodes() as u32).collect()
    }

    /// What an operator for these graphs must know.
    pub fn dims(&self) -> Dims {
        let mut sizes = self.sizes();
        sizes.push(UNSEEN);
        Dims::new(FEATURES, OUTPUTS).with_sizes(sizes)
    }
}

fn level(graphs: &[Sample], edges: Edges) -> Level {
    let set = InMemory::from_samples("law", graphs.to_vec(), arbitrary::CLASSES).expect("graphs of one kind");
    let single = collate(&set, &(0..graphs.len()).collect::<Vec<_>>(), Device::Cpu);
    let Adjacency::Sparse(a) = &single.adj else { unreachable!("collation gives a sparse level") };
    let x = single.x.to_kind(Kind::Double);
    let unit = Adjacency::Sparse(Sparse::new(Arc::clone(&a.pattern), None, DOUBLE));
    let adj = match edges {
        Edges::Unit => unit,
        Edges::Weighted => weighted(&unit, &x),
        Edges::Looped => weighted(&unit.with_self_loops(Loops::Fill(1.0)), &x),
    };
    Level::new(x, adj)
}

/// Weights in (¼, 1¼) made of the features of both ends, so that they move with the nodes.
fn weighted(adj: &Adjacency, x: &Tensor) -> Adjacency {
    let Adjacency::Sparse(a) = adj else { unreachable!("a sparse level stays sparse") };
    let first = x.select(1, 0) * 1.7;
    let ends = first.index_select(0, &a.pattern.row(Device::Cpu))
        + first.index_select(0, &a.pattern.col(Device::Cpu));
    Adjacency::Sparse(Sparse::new(Arc::clone(&a.pattern), Some(ends.sigmoid() + 0.25), DOUBLE))
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pass = if self.ctx.train { "training" } else { "evaluation" };
        write!(f, "{pass}, seed {}, {:?} edges", self.seed, self.edges)?;
        for graph in &self.graphs {
            let view = graph.view();
            let edges: Vec<(u32, u32)> = view.topology.pairs().collect();
            write!(f, "\n  {} nodes, edges {edges:?}, x {:?}", view.nodes(), view.x.as_slice())?;
        }
        Ok(())
    }
}

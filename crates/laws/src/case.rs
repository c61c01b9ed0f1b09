//! What laws are tried on: small batches, how their nodes are renumbered, what is on their edges.

use std::fmt;
use std::sync::Arc;

use coarsen_graph::counterexample::literal;
use coarsen_graph::{InMemory, Permutation, Sample, Target, TopologyBuf, arbitrary};
use coarsen_nn::{Ctx, Dims};
use coarsen_tensor::{Adjacency, Level, Loops, Sparse, collate};
use ndarray::{Array2, Axis};
use tch::{Device, Kind, Tensor};

use crate::laws::{EmptyGraphs, Laws};

pub use crate::draw::cases;

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);
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
    /// How the nodes of each graph are renumbered by the laws of order.
    pub permutations: Vec<Permutation>,
    /// The seed of the initial parameters.
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

/// Every degenerate batch worth a name, in both passes.
pub fn degenerate(laws: &Laws) -> Vec<(&'static str, Case)> {
    let graph = |nodes, edges: &[(u32, u32)]| graph(nodes, edges, 0.7);
    let (point, none) = (graph(1, &[]), graph(0, &[]));
    let (edgeless, isolated) = (graph(4, &[]), graph(4, &[(1, 2)]));
    let parts = graph(6, &[(0, 1), (1, 2), (3, 4), (4, 5)]);
    let loops = graph(4, &[(0, 0), (0, 1), (2, 2), (2, 3), (1, 2)]);
    // Said twice, there it is once: an edge list is a set.
    let repeated = graph(3, &[(0, 1), (1, 0), (0, 1), (1, 2)]);
    let mut batches = vec![
        ("one node", vec![point.clone()]),
        ("one node with a loop", vec![graph(1, &[(0, 0)])]),
        ("no edge", vec![edgeless.clone()]),
        ("isolated nodes", vec![isolated.clone()]),
        ("separate parts", vec![parts.clone()]),
        ("loops", vec![loops.clone()]),
        ("repeated edges", vec![repeated]),
        ("all of these", vec![point, parts.clone(), edgeless, isolated, loops]),
    ];
    if laws.empty_graphs == EmptyGraphs::Drawn {
        batches.push(("no node", vec![none.clone()]));
        batches.push(("graphs without nodes around one", vec![none.clone(), parts, none]));
    }
    let both = |(name, graphs): (&'static str, Vec<Sample>)| {
        [Ctx::train(1), Ctx::eval()].map(|ctx| (name, Case::new(graphs.clone(), Edges::Unit, 1, ctx)))
    };
    batches.into_iter().flat_map(both).collect()
}

impl Case {
    /// A case, its renumberings drawn from its seed; none of them leaves all nodes in their places.
    pub fn new(graphs: Vec<Sample>, edges: Edges, seed: u64, ctx: Ctx) -> Self {
        let permutation = |(b, graph): (usize, &Sample)| {
            Permutation::moving(graph.view().nodes(), seed.wrapping_add(b as u64))
        };
        let permutations = graphs.iter().enumerate().map(permutation).collect();
        Self { graphs, edges, permutations, seed, ctx }
    }

    /// The same with these renumberings: node `i` of graph `b` is called `to[b][i]`.
    ///
    /// # Panics
    ///
    /// Unless there is a permutation of the nodes of each graph.
    #[must_use]
    pub fn renumbered_by(self, to: Vec<Vec<u32>>) -> Self {
        let permutation = |to| Permutation::new(to).unwrap_or_else(|error| panic!("{error}"));
        let permutations: Vec<Permutation> = to.into_iter().map(permutation).collect();
        let sizes = |list: &[Permutation]| list.iter().map(|to| to.len() as u32).collect::<Vec<_>>();
        assert_eq!(sizes(&permutations), self.sizes(), "a renumbering of the nodes of each graph");
        Self { permutations, ..self }
    }

    /// The graphs as one sparse level in double precision.
    pub fn level(&self) -> Level {
        level(&self.graphs, self.edges)
    }

    /// Graph `b` alone.
    pub fn alone(&self, b: usize) -> Level {
        level(&self.graphs[b..=b], self.edges)
    }

    /// The graphs with their nodes renumbered.
    pub fn renumbered(&self) -> Level {
        let permuted = |(graph, permutation): (&Sample, &Permutation)| {
            graph.permuted(permutation).expect("a permutation of as many nodes")
        };
        let graphs: Vec<Sample> = self.graphs.iter().zip(&self.permutations).map(permuted).collect();
        level(&graphs, self.edges)
    }

    /// The graphs as parts of one graph, without an edge between them; the features of all but part `kept`, if there is one, are others.
    pub fn united(&self, kept: Option<usize>) -> Level {
        let (mut pairs, mut first) = (Vec::new(), 0);
        let mut x = Array2::zeros((0, arbitrary::FEATURES));
        for (b, view) in self.graphs.iter().map(Sample::view).enumerate() {
            pairs.extend(view.topology.pairs().map(|(i, j)| (first + i, first + j)));
            first += view.nodes() as u32;
            let changed = kept.is_some_and(|kept| kept != b);
            let part = if changed { view.x.mapv(|x| 0.3 - 0.7 * x) } else { view.x.to_owned() };
            x.append(Axis(0), part.view()).expect("tables of one width");
        }
        let topology = TopologyBuf::from_edges(first as usize, pairs).expect("nodes of their parts");
        level(&[Sample::new(topology, x, Target::Class(0)).expect("a row a node")], self.edges)
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

impl Case {
    /// What makes the case beside its graphs, in words.
    pub(crate) fn setting(&self) -> String {
        let pass = if self.ctx.train { "training" } else { "evaluation" };
        let edges = match self.edges {
            Edges::Unit => "edges of weight 1",
            Edges::Weighted => "weighted edges",
            Edges::Looped => "weighted edges and a loop at every node",
        };
        let to: Vec<&[u32]> = self.permutations.iter().map(Permutation::as_slice).collect();
        format!("{pass}, with {edges}, parameters of seed {}; nodes 0, 1, … renumbered {to:?}", self.seed)
    }

    /// Rust that makes the case.
    pub(crate) fn literal(&self) -> String {
        let to: Vec<String> = self.permutations.iter().map(|to| format!("vec!{:?}", to.as_slice())).collect();
        let Ctx { train, seed, trace } = self.ctx;
        format!(
            "Case::new({}, Edges::{:?}, {}, Ctx {{ train: {train}, seed: {seed}, trace: {trace} }})\n    \
             .renumbered_by(vec![{}])",
            literal(&self.graphs),
            self.edges,
            self.seed,
            to.join(", "),
        )
    }
}

/// On one line, as files of regressions want it.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.literal().split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

//! How cases are drawn, and made smaller.

use coarsen_graph::arbitrary::{Batch, Batches, Features, Graphs, Shape, Smaller, Tree};
use coarsen_graph::{Permutation, Sample};
use coarsen_nn::Ctx;
use proptest::prelude::Rng as _;
use proptest::strategy::{NewTree, Strategy};
use proptest::test_runner::TestRunner;

use crate::case::{Case, Direction, Edges, companions};
use crate::laws::{EmptyGraphs, Laws, Passes};

/// Nodes of the largest graph drawn.
const NODES: usize = 9;
/// Graphs of the largest batch drawn.
const GRAPHS: usize = 4;
/// Seeds drawn.
const SEEDS: u64 = 1000;

/// Batches of one to four graphs of up to nine nodes, of all [`Shape::UNDIRECTED`], one in eleven without any node and, where the
/// contract allows it, one in four directed; in each pass and with each kind of edge equally often.
///
/// A training batch holds two [`companions`] more.
pub fn cases(laws: &Laws, direction: Direction) -> impl Strategy<Value = Case> + use<> {
    let mut shapes = Shape::UNDIRECTED.to_vec();
    if laws.empty_graphs == EmptyGraphs::Drawn {
        shapes.push((2, Shape::Empty));
    }
    if direction == Direction::Any {
        shapes.push((7, Shape::Directed));
    }
    Cases { batches: Graphs { shapes, ..Graphs::new(1..=NODES) }.batch(1..=GRAPHS), passes: laws.passes }
}

/// The same, of graphs whose nodes are all alike: vertex-transitive, with one row of features for all. Whatever scores nodes ties.
pub(crate) fn alike(laws: &Laws) -> impl Strategy<Value = Case> + use<> {
    let shapes = Shape::TRANSITIVE.to_vec();
    let graphs = Graphs { shapes, features: Features::Constant, ..Graphs::new(1..=NODES) };
    Cases { batches: graphs.batch(1..=GRAPHS), passes: laws.passes }
}

#[derive(Debug)]
struct Cases {
    batches: Batches,
    passes: Passes,
}

impl Strategy for Cases {
    type Tree = Tree<Shrinking>;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let batch = self.batches.draw(runner);
        let bits = runner.rng().next_u64();
        let edges = [Edges::Unit, Edges::Weighted, Edges::Looped][(bits >> 32) as usize % 3];
        let trains = bits >> 63 == 1 && self.passes == Passes::Both;
        let pass = if trains { Pass::Accompanied } else { Pass::Evaluation };
        Ok(Tree::new(Shrinking { batch, edges, seed: bits % SEEDS, pass }))
    }
}

/// This case and smaller ones.
#[derive(Debug)]
pub(crate) struct From(pub(crate) Case);

impl Strategy for From {
    type Tree = Tree<Shrinking>;
    type Value = Case;

    fn new_tree(&self, _: &mut TestRunner) -> NewTree<Self> {
        let Case { graphs, permutations, edges, seed, ctx } = self.0.clone();
        let pass = if ctx.train { Pass::Training } else { Pass::Evaluation };
        let batch = Batch::of(graphs.into_iter().zip(permutations).collect());
        Ok(Tree::new(Shrinking { batch, edges, seed, pass }))
    }
}

/// A case.
///
/// Its steps: evaluation in place of training, without companions or with them as graphs of the batch; unit weights; those of the batch.
#[derive(Clone, Debug)]
pub(crate) struct Shrinking {
    batch: Batch,
    edges: Edges,
    seed: u64,
    pass: Pass,
}

/// The pass, and whether companions are beside the batch, which do not shrink.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pass {
    Evaluation,
    Training,
    Accompanied,
}

/// Steps before those of the batch.
const OWN_STEPS: usize = 3;

impl Shrinking {
    /// The batch with its companions, if it has any.
    fn whole(&self) -> Batch {
        let permuted = |(companion, seed): (Sample, u64)| {
            let to = Permutation::moving(companion.view().nodes(), seed);
            (companion, to)
        };
        let batch = self.batch.clone();
        match self.pass {
            Pass::Accompanied => batch
                .followed_by(Batch::of(companions().into_iter().zip(self.seed..).map(permuted).collect())),
            Pass::Evaluation | Pass::Training => batch,
        }
    }
}

impl Smaller for Shrinking {
    type Value = Case;

    fn value(&self) -> Case {
        let batch = self.whole();
        let ctx = Ctx { train: self.pass != Pass::Evaluation, seed: self.seed, trace: false };
        let permutations = batch.renumberings();
        Case { permutations, ..Case::new(batch.value(), self.edges, self.seed, ctx) }
    }

    fn steps(&self) -> usize {
        OWN_STEPS + self.batch.steps()
    }

    fn step(&self, step: usize) -> Option<Self> {
        let evaluated = || Self { pass: Pass::Evaluation, ..self.clone() };
        match step {
            0 => (self.pass != Pass::Evaluation).then(evaluated),
            1 => (self.pass == Pass::Accompanied).then(|| Self { batch: self.whole(), ..evaluated() }),
            2 => (self.edges != Edges::Unit).then(|| Self { edges: Edges::Unit, ..self.clone() }),
            of_batch => Some(Self { batch: self.batch.step(of_batch - OWN_STEPS)?, ..self.clone() }),
        }
    }
}

//! The contract of a pooling operator: [`Pool`] and what its steps hand to each other.

use std::fmt::Debug;

use coarsen_nn::{Ctx, Dims};
use coarsen_tensor::{Adjacency, Assignment, FieldRule, Layout, Level, Planned, Reduction};
use tch::{Device, Tensor};

/// What is decided about a level: who goes where, and at what auxiliary cost.
#[derive(Debug)]
pub struct Selection {
    /// The assignment `S` of nodes to clusters.
    pub s: Assignment,
    /// What Reduce aggregates, where that is not `level.x`: `Z` of DiffPool. The layout of the level.
    pub z: Option<Tensor>,
    /// `Sᵀ A S`, where Select needed it already; Connect takes it from here instead of computing it again.
    pub coarse: Option<Adjacency>,
    /// `X'`, where Select needed it already; Reduce takes it from here.
    pub reduced: Option<Tensor>,
    /// Auxiliary losses.
    pub losses: Vec<Loss>,
}

impl From<Assignment> for Selection {
    fn from(s: Assignment) -> Self {
        Self { s, z: None, coarse: None, reduced: None, losses: Vec::new() }
    }
}

/// An auxiliary loss: a number to be added, times its weight, to the loss of the task.
#[derive(Debug)]
pub struct Loss {
    /// The paper's name for it: `link`, `entropy`.
    pub name: &'static str,
    /// A scalar.
    pub value: Tensor,
    /// Its weight in the sum.
    pub weight: f64,
    /// What the value is a mean or a sum of.
    pub over: Over,
    /// How many of them: what the value weighs beside that of another part of the batch.
    pub count: f64,
}

impl Loss {
    /// A loss of weight 1 on a level.
    pub fn new(name: &'static str, value: Tensor, over: Over, g: &Level) -> Self {
        Self { name, value, weight: 1.0, over, count: over.count(g) }
    }

    /// The same loss with a weight.
    #[must_use]
    pub fn weighing(self, weight: f64) -> Self {
        Self { weight, ..self }
    }
}

/// What a loss is a mean (or sum) of, so that "a batch gives what its graphs give alone" is a statement about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Mean over the graphs of the batch.
    Graphs,
    /// Mean over the nodes of the batch, padding excluded.
    Nodes,
    /// Mean over the edges of the batch.
    Edges,
    /// Sum over the batch.
    Sum,
    /// A number of the padded batch as a whole: what a graph contributes depends on the graphs beside it.
    Batch,
}

impl Over {
    /// How many of them a level has; 1 for a sum, and where only a read-back from a device could tell.
    fn count(self, g: &Level) -> f64 {
        let told = g.mask().is_none() || g.x.device() == Device::Cpu;
        match self {
            Self::Graphs => g.graphs() as f64,
            Self::Nodes if told => g.segments().rows() as f64,
            Self::Edges if told => match &g.adj {
                Adjacency::Sparse(s) => s.pattern.csr().nnz() as f64,
                Adjacency::Dense(p) => p.a.count_nonzero(None).int64_value(&[]) as f64,
            },
            Self::Nodes | Self::Edges | Self::Sum | Self::Batch => 1.0,
        }
    }
}

/// What an operator's [`score`](Pool::score) has one number for: what a random control has to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scores {
    /// Nothing is scored: `[0]`.
    Nothing,
    /// Each node: `[N]`, or `[B, N]` of a dense level.
    Nodes,
    /// Each node and cluster: `[N, K]`, or `[B, N, K]`; here is `K`.
    Clusters(i64),
}

/// What the weights of a node in all clusters add up to, its row of `S`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowSums {
    /// Anything: nodes are dropped, shared out in several networks, or weighed by a gate.
    Any,
    /// 1: every node is in a cluster, or divided among some.
    One,
}

/// An auxiliary loss that trains in epochs of its own, in place of the task; see [`Pool::apart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apart {
    /// The name of the [`Loss`]. The task's epochs leave it out.
    pub loss: &'static str,
    /// Epochs `every`, `2 · every`, …, counted from 1, are its own: one step along the gradient summed over the epoch.
    pub every: u32,
    /// What its steps move.
    pub moves: Moves,
}

/// Which parameters the steps of a loss [apart](Apart) move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moves {
    /// Those of this name, at any place in the network, which the task then leaves as they are.
    Named(&'static str),
    /// All, those of the task included.
    All,
}

/// A coarsening the host can prepare before a batch reaches the network, one [`Planned`] a level.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum PlanSpec {
    /// A random maximal matching of each graph, one on top of the other for successive levels.
    Graclus,
    /// The same of nodes that no edge joins.
    Complement,
    /// One side of the largest eigenvector, joined by Kron reduction.
    Kron(Reduction),
    /// Receptive fields, which have no edges: nothing can be planned behind them.
    Fields(FieldRule),
}

/// A level made coarser, and how.
#[derive(Debug)]
pub struct Pooled {
    /// `(X', A')`, in the layout the operator gives.
    pub level: Level,
    /// What was learned; see [`Pool::score`].
    pub score: Tensor,
    /// What was decided from it.
    pub selection: Selection,
}

/// A pooling operator: Select, Reduce, Connect, Lift.
///
/// An operator must say what it learns ([`score`](Self::score)) and what it decides from that ([`select`](Self::select));
/// moving features (`X' = Sᵀ Z`), edges (`A' = Sᵀ A S`) and features back (`S X'`) have the textbook default. Splitting
/// score from select is what makes the [random control](crate::random::Controlled) a wrapper around any operator.
///
/// `score`, `select`, `reduce`, `connect` and `lift` take levels in the layout of [`layouts`](Self::layouts);
/// [`pool`](Self::pool) takes either and converts at the door.
pub trait Pool: Debug + Send {
    /// The layout in which a level given in layout `given` is worked on, and the layout of the pooled level.
    fn layouts(&self, given: Layout) -> (Layout, Layout);

    /// What the score has one number for.
    fn scores(&self) -> Scores;

    /// What is learned: fitness of nodes, or logits of an assignment; shapes as in [`Scores`].
    fn score(&self, g: &Level, ctx: Ctx) -> Tensor;

    /// What is decided from the score.
    fn select(&self, g: &Level, score: &Tensor, ctx: Ctx) -> Selection;

    /// The scale of `S`.
    fn row_sums(&self) -> RowSums {
        RowSums::Any
    }

    /// What a module behind this operator must know of its input, given what was known of this operator's own.
    ///
    /// Features and sizes change; the rest is passed on.
    fn coarsened(&self, dims: &Dims) -> Dims;

    /// Whether parts of a batch, each pooled alone, give what the batch gives: all but operators with a loss over
    /// [`Over::Batch`], or with statistics of the batch other than batch norm's.
    fn divides(&self) -> bool {
        true
    }

    /// The width of [`Selection::z`], where the operator pools features of its own making.
    fn embeds(&self) -> Option<i64> {
        None
    }

    /// The auxiliary loss that trains in epochs of its own, if one does.
    fn apart(&self) -> Option<Apart> {
        None
    }

    /// The host plan the operator can use, if any. It works without one too.
    fn plan(&self) -> Option<PlanSpec> {
        None
    }

    /// Features of the pooled level, `X' = Sᵀ Z`.
    fn reduce(&self, g: &Level, sel: &Selection, _ctx: Ctx) -> Tensor {
        let aggregated = || sel.s.reduce(sel.z.as_ref().unwrap_or(&g.x));
        sel.reduced.as_ref().map_or_else(aggregated, Tensor::shallow_clone)
    }

    /// Edges of the pooled level, `A' = Sᵀ A S`.
    fn connect(&self, g: &Level, sel: &Selection) -> Adjacency {
        sel.coarse.as_ref().map_or_else(|| g.adj.coarsen(&sel.s), Adjacency::shallow_clone)
    }

    /// Features back on the nodes that were pooled, `S X'`; a node in no cluster gets zeros.
    ///
    /// The answer is in the layout worked on; a model that mixes layouts converts with the level it kept.
    fn lift(&self, x: &Tensor, sel: &Selection) -> Tensor {
        sel.s.lift(x)
    }

    /// The plan of the pooled level: what was not used up, if the operator uses one. Plans speak of the nodes of their level.
    fn plan_left(&self, g: &Level) -> Vec<Planned> {
        match self.plan() {
            Some(_) => g.plan.iter().skip(1).map(Planned::shallow_clone).collect(),
            None => Vec::new(),
        }
    }

    /// All steps, on a level of either layout.
    fn pool(&self, g: &Level, ctx: Ctx) -> Pooled {
        let g = g.to_layout(self.layouts(g.layout()).0);
        let score = self.score(&g, ctx.child(SCORE));
        let selection = self.select(&g, &score, ctx.child(SELECT));
        let x = self.reduce(&g, &selection, ctx.child(REDUCE));
        let level = Level::new(x, self.connect(&g, &selection)).with_plan(self.plan_left(&g));
        Pooled { level, score, selection }
    }
}

const SCORE: u64 = 0;
pub(crate) const SELECT: u64 = 1;
const REDUCE: u64 = 2;

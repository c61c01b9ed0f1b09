//! The contract of a whole network: [`Model`] and what it needs and gives.

use std::fmt::Debug;

use coarsen_nn::Ctx;
use coarsen_pool::{Apart, Loss, PlanSpec};
use coarsen_tensor::{Layout, Level};
use tch::Tensor;

/// What a network gives for a batch.
#[derive(Debug, Default)]
pub struct Output {
    /// A row per node of the input, in the layout of [`Needs::layout`].
    pub nodes: Option<Tensor>,
    /// A row per graph, `[B, out_features]`.
    pub graphs: Option<Tensor>,
    /// `[B, outputs]`, where the published network has its own head: the task's is then the identity.
    pub logits: Option<Tensor>,
    /// Auxiliary losses, to be added with their weights.
    pub losses: Vec<Loss>,
    /// Intermediate values, when the pass asks for them ([`Ctx::traced`]).
    pub traces: Vec<Trace>,
}

/// An intermediate value: an assignment, activations, a score.
#[derive(Debug)]
pub struct Trace {
    /// Where it stands: `level0.score`.
    pub name: String,
    /// The value.
    pub value: Tensor,
}

/// What the loader must prepare.
#[derive(Debug, Clone, PartialEq)]
pub struct Needs {
    /// The layout of the batch.
    pub layout: Layout,
    /// Pad every batch to so many nodes; `None`: to its largest graph.
    pub pad_to: Option<i64>,
    /// Host plans for successive levels, the input's first. A batch without them is served too.
    pub plans: Vec<PlanSpec>,
    /// Whether all graphs of a batch must have one size.
    pub equal_sizes: bool,
}

impl Needs {
    /// A batch in this layout, and nothing else.
    pub fn layout(layout: Layout) -> Self {
        Self { layout, pad_to: None, plans: Vec::new(), equal_sizes: false }
    }
}

/// Which parameters learn when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// All parameters, in every step.
    #[default]
    Joint,
    /// Epochs of the task, and between them epochs of one auxiliary loss: memory layers.
    Alternating(Apart),
}

/// A network over all levels of a hierarchy. It gives representations; the task owns the head.
pub trait Model: Debug + Send {
    /// What the loader must prepare.
    fn needs(&self) -> Needs;

    /// Which parameters learn when.
    fn schedule(&self) -> Schedule {
        Schedule::Joint
    }

    /// Whether parts of a batch, each computed alone inside of a [`Group`](coarsen_tensor::Group), give what the batch gives.
    ///
    /// A network that treats each graph alone, but for the batch norm of `coarsen-nn`, may say so: then a step is
    /// divided between threads. The parts share what [`all_gather`](coarsen_tensor::group::all_gather) brings together.
    fn divides(&self) -> bool {
        false
    }

    /// The representations of a batch.
    fn forward(&self, g: &Level, ctx: Ctx) -> Output;

    /// Width of [`Output::graphs`], or of [`Output::logits`] where the network has its own head.
    fn out_features(&self) -> i64;

    /// Width of [`Output::nodes`], `None` where the network gives no row per node: it cannot do tasks of nodes and edges.
    fn node_features(&self) -> Option<i64> {
        None
    }
}

//! What a law is about: an operator, made from parameters and dimensions, and looked at from outside.

use std::sync::Arc;

use coarsen_nn::{Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Layout, Level, Sparse};
use tch::{Device, Kind, Tensor, nn::VarStore, no_grad};

use crate::case::{Case, Direction, Edges, companions};
use crate::seen::Seen;

/// Makes an operator: `&|params, dims| Box::new(Mine::new(params, dims))`.
///
/// What comes in has `dims.features` columns; `dims.outputs` is the width of what goes out, where the operator can be told;
/// `dims.sizes` the sizes of the graphs of the batch and of one more.
pub type Make<'a, M> = dyn Fn(&Params, &Dims) -> Box<M> + 'a;

/// A contract whose implementations are held to laws: `dyn Conv`, `dyn Readout`, `dyn Pool`, `dyn Model`.
pub trait Subject {
    /// Which graphs it is for.
    const DIRECTION: Direction;

    /// What it gives for a level of either layout.
    fn see(&self, g: &Level, ctx: Ctx) -> Seen;

    /// What is wrong with the shapes and kinds of what it gives for a sparse level; `dims` are those it was made with.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    fn malformed(&self, g: &Level, dims: &Dims, ctx: Ctx) -> Result<(), String>;
}

/// An operator and its parameters.
pub(crate) struct Built<'a, M: ?Sized> {
    pub(crate) module: Box<M>,
    store: VarStore,
    made: (&'a Make<'a, M>, Dims, u64),
}

impl<'a, M: Subject + ?Sized> Built<'a, M> {
    /// Made for `dims`, with the parameters of `seed`, in double precision.
    ///
    /// One training pass on a fixed batch moves running statistics, where there are any, away from where every operator starts.
    pub(crate) fn new(make: &'a Make<'a, M>, dims: &Dims, seed: u64) -> Self {
        let built = Self::of(Kind::Double, (make, dims.clone(), seed));
        if built.store.variables().values().any(|t| !t.requires_grad()) {
            no_grad(|| WARM_UP.with(|g| built.module.see(g, Ctx::train(7))));
        }
        built
    }

    /// The same operator in single and in double precision, both with its numbers rounded to single.
    pub(crate) fn in_single_and_double(&self) -> (Self, Self) {
        let [mut single, mut double] =
            [Kind::Float, Kind::Double].map(|kind| Self::of(kind, self.made.clone()));
        single.takes_from(self);
        double.takes_from(&single);
        (single, double)
    }

    fn of(kind: Kind, (make, dims, seed): (&'a Make<'a, M>, Dims, u64)) -> Self {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(kind);
        let module = make(&Params::new(&store.root(), seed), &dims);
        Self { module, store, made: (make, dims, seed) }
    }

    fn takes_from(&mut self, other: &Self) {
        self.store.copy(&other.store).expect("equal parameters, since an operator is made of its seed");
    }

    /// What it gives, without a history.
    pub(crate) fn see(&self, g: &Level, ctx: Ctx) -> Seen {
        no_grad(|| self.module.see(g, ctx))
    }

    /// What it gives for `door(g)`, and the gradients of an objective of all of that.
    pub(crate) fn observe(&self, g: &Level, door: &dyn Fn(&Level) -> Level, ctx: Ctx) -> Seen {
        let mut parameters = self.parameters();
        for (_, parameter) in &mut parameters {
            parameter.zero_grad();
        }
        let leaves = Leaves::of(g);
        let mut seen = self.module.see(&door(&leaves.level), ctx);
        let objective = seen.objective();
        if objective.requires_grad() {
            objective.backward();
        }
        seen.node_gradients = vec![("gradient of x".to_owned(), gradient(&leaves.x))];
        let of_parameter = |(name, p): (String, Tensor)| (format!("gradient of {name}"), gradient(&p));
        seen.gradients = parameters.into_iter().map(of_parameter).collect();
        let of_edges = |weight| ("gradient of the edge weights".to_owned(), gradient(weight).sum(None));
        seen.edge_gradients = leaves.weight.iter().map(of_edges).collect();
        seen
    }

    /// The trainable parameters, by name.
    pub(crate) fn parameters(&self) -> Vec<(String, Tensor)> {
        let mut named: Vec<_> =
            self.store.variables().into_iter().filter(|(_, t)| t.requires_grad()).collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        named
    }
}

/// The level as it was drawn.
pub(crate) fn as_it_is(g: &Level) -> Level {
    g.to_layout(Layout::Sparse)
}

/// A level whose features and weights collect gradients.
struct Leaves {
    level: Level,
    x: Tensor,
    weight: Option<Tensor>,
}

impl Leaves {
    fn of(g: &Level) -> Self {
        let Adjacency::Sparse(a) = &g.adj else { unreachable!("cases are sparse") };
        let leaf = |t: &Tensor| t.detach().copy().set_requires_grad(true);
        let (x, weight) = (leaf(&g.x), a.weight.as_ref().map(leaf));
        let adj = Sparse::new(Arc::clone(&a.pattern), weight.as_ref().map(Tensor::shallow_clone), a.options);
        Self { level: Level::new(x.shallow_clone(), Adjacency::Sparse(adj)), x, weight }
    }
}

/// The gradient of a leaf as it is now; zeros where there is none.
fn gradient(leaf: &Tensor) -> Tensor {
    let gradient = leaf.grad();
    if gradient.defined() { gradient.copy() } else { leaf.zeros_like() }
}

thread_local! {
    static WARM_UP: Level = Case::new(companions().into(), Edges::Unit, 0, Ctx::train(7)).level();
}

/// The rows of `y` that are nodes: `[N, ·]` of a sparse level as they are, `[B, N, ·]` of a dense one without the padding.
pub(crate) fn rows(g: &Level, y: &Tensor) -> Tensor {
    match &g.adj {
        Adjacency::Sparse(_) => y.shallow_clone(),
        Adjacency::Dense(_) => {
            let (b, width) = (y.size()[0], y.size()[1]);
            let of_graph = |(b, n): (usize, u32)| (0..i64::from(n)).map(move |i| b as i64 * width + i);
            let real: Vec<i64> = g.segments().sizes().enumerate().flat_map(of_graph).collect();
            y.reshape([b * width, y.size()[2]])
                .index_select(0, &Tensor::from_slice(&real).to_device(y.device()))
        }
    }
}

/// The rows of `y` that are padding, the others 0.
pub(crate) fn padding(g: &Level, y: &Tensor) -> Option<Tensor> {
    g.mask().map(|mask| y * mask.eq(0.0).to_kind(y.kind()).unsqueeze(-1))
}

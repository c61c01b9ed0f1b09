//! What is timed: a forward pass alone, or with the backward pass of a sum of squares.

use std::hint::black_box;

use coarsen_tensor::{Adjacency, Level};
use tch::{Kind, Tensor, nn::VarStore, no_grad};

use crate::{device, synchronize};

/// An operator, the parameters that learn, and the batch it is run on.
pub struct Stepped<M> {
    /// The operator.
    pub module: M,
    /// Its parameters.
    pub store: VarStore,
    /// The batch; its features want gradients.
    pub level: Level,
}

impl<M> Stepped<M> {
    /// Makes an operator in a store of its own, for a batch whose features want gradients.
    pub fn new(level: &Level, make: impl FnOnce(&VarStore) -> M) -> Self {
        let store = VarStore::new(device());
        let x = level.x.detach().copy().set_requires_grad(true);
        let level = Level::new(x, level.adj.shallow_clone());
        Self { module: make(&store), store, level }
    }

    fn forget_gradients(&mut self) {
        for mut parameter in self.store.trainable_variables() {
            parameter.zero_grad();
        }
        self.level.x.zero_grad();
    }
}

/// A forward pass without a history.
pub fn forward<M, T>(stepped: &Stepped<M>, pass: impl Fn(&M, &Level) -> T) {
    no_grad(|| black_box(pass(&stepped.module, &stepped.level)));
    synchronize();
}

/// A forward pass, and the backward pass of the sum of the squares of what it gives.
pub fn forward_backward<M>(stepped: &mut Stepped<M>, pass: impl Fn(&M, &Level) -> Vec<Tensor>) {
    stepped.forget_gradients();
    let parts = pass(&stepped.module, &stepped.level);
    let sum = |total: Tensor, part: &Tensor| total + part.square().sum(Kind::Float);
    parts.iter().fold(Tensor::zeros([], (Kind::Float, device())), sum).backward();
    synchronize();
}

/// The weights of an adjacency that have a history, if any.
pub fn learned_weights(adj: &Adjacency) -> Option<Tensor> {
    let weights = match adj {
        Adjacency::Sparse(a) => a.weight.as_ref()?.shallow_clone(),
        Adjacency::Dense(a) => a.a.shallow_clone(),
    };
    weights.requires_grad().then_some(weights)
}

//! How a forward pass is run.

use crate::stream::mix;

/// How a forward pass is run: training or evaluation, the seed of its random draws, and whether to keep traces.
///
/// Given equal `Ctx` and input, an operator is a function: dropout and random controls draw from `seed`, never from LibTorch's
/// global state. A module that runs others gives each a [`child`](Self::child), so that no two draw the same numbers.
///
/// # Examples
///
/// ```
/// use coarsen_nn::Ctx;
/// let ctx = Ctx::train(1);
/// assert!(ctx.train && !Ctx::eval().train);
/// assert_ne!(ctx.child(0).seed, ctx.child(1).seed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ctx {
    /// Whether parameters are being learned: dropout drops, batch norm uses the batch and moves its running statistics.
    pub train: bool,
    /// The seed of everything random in this pass.
    pub seed: u64,
    /// Whether the caller wants intermediate values kept (attention, assignments, activations).
    pub trace: bool,
}

impl Ctx {
    /// A training pass.
    pub fn train(seed: u64) -> Self {
        Self { train: true, seed, trace: false }
    }

    /// An evaluation pass; its seed is 0 and matters to random controls alone.
    pub fn eval() -> Self {
        Self { train: false, seed: 0, trace: false }
    }

    /// The same pass with the seed of sub-module `tag`: `mix(mix(seed) ⊕ tag)`, `mix` as in [`derive_seed`](crate::derive_seed).
    #[must_use]
    pub fn child(self, tag: u64) -> Self {
        Self { seed: mix(mix(self.seed) ^ tag), ..self }
    }

    /// The same pass, keeping intermediate values.
    #[must_use]
    pub fn traced(self) -> Self {
        Self { trace: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn children_of_children_have_seeds_of_their_own() {
        let root = Ctx::train(5).traced();
        let children = (0..50).map(|tag| root.child(tag));
        let seeds: BTreeSet<u64> =
            children.flat_map(|c| [c.seed, c.child(0).seed, c.child(1).seed]).chain([root.seed]).collect();
        assert_eq!(seeds.len(), 151);
        assert!(root.child(3).train && root.child(3).trace);
    }
}

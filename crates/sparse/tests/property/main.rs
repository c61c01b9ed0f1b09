//! Properties of every kernel: equal to dense arithmetic, differentiable as stated, the same bits on any executor.

mod products;
mod segments;
mod structure;
mod support;

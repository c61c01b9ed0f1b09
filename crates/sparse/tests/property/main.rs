//! Properties of every kernel: equal to dense arithmetic, differentiable as stated, the same bits on any executor.

mod attention;
mod fused;
mod products;
mod rows;
mod segments;
mod structure;
mod support;

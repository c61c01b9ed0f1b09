//! Laws that every operator obeys, as functions and as tests over every registry.
//!
//! An operator on graphs promises more than its types say: that the order of nodes does not matter, that padding and the rest of
//! the batch do not either, that a graph of one node is a graph. Each promise is a function here. It takes what makes the operator
//! and [`Laws`], which say how it is run; it looks for a batch that breaks the promise, in double precision, and shrinks what it
//! finds. The tests of this crate hold every row of `CONVS`, `READOUTS`, `POOLS` and `MODELS` to them; an operator of your own is
//! tested by the same call.
//!
//! It must not know training, experiments or tables.
//!
//! | law | of | says |
//! | --- | --- | --- |
//! | [`conv::equivariant`], [`readout::invariant`], [`pool::invariant`], [`model::invariant`] | each | the order of nodes does not matter |
//! | [`batch_independent`] | all | a batch gives what each graph gives alone; losses gather by their `Over` |
//! | [`padding_inert`] | all | more padding changes nothing, padded rows stay 0 |
//! | [`layouts_agree`] | all | sparse and dense levels give the same |
//! | [`finite`] | all | no NaN, forward and backward, on degenerate graphs |
//! | [`every_parameter_learns`] | all | no parameter is left without a gradient |
//! | [`repeatable`] | all | equal seeds give equal bits, and the input stays as it is |
//! | [`well_formed`] | all | shapes and kinds are as announced; a cluster's members are of its graph; no graph is lost |
//! | [`conv::parts_do_not_leak`] | convolutions | what is not connected to a node does not reach it |
//! | [`pool::connect_keeps_symmetry`] | pooling | `A = Aᵀ` gives `A' = A'ᵀ` |
//! | [`pool::lift_returns_to_the_nodes`] | pooling | every node gets a row, a dropped one zeros |
//! | [`pool::lift_round_trips`] | pooling | lifting is linear, and what was lifted can be read back |
//! | [`pool::row_sums_as_declared`] | pooling | the weights of a node add up to 1 where that is declared |
//! | [`pool::ties_go_by_index`] | pooling | of equal scores those of lower index stay |
//! | [`tight`] | what is declared | an operator that keeps more than it says is told so |
//! | [`model::tracing_changes_nothing`] | models | traces do not disturb |
//! | [`config::round_trips`], [`config::unknown_key_refused`] | rows | the example is complete; a mistyped key does not run |
//!
//! What agrees does so up to rounding, which is derived from each operator's size and from what it loses in single precision; `docs/LAWS.md` states each law as a formula. What an operator gives is sorted into a [`Seen`], so that a law is written once for all
//! four contracts. What breaks a law is a [`Counterexample`], drawn, and written as Rust. [`function`] holds any function of a graph to laws, without
//! LibTorch.
//!
//! # Examples
//!
//! A pooling operator of one's own, held to all laws of [`Pool`](coarsen_pool::Pool): `examples/own_operator.rs` of the crate
//! `coarsen`. One that counts padded rows is caught:
//!
//! ```
//! use coarsen_laws::{Laws, readout};
//! use coarsen_nn::{Ctx, Readout};
//! use coarsen_pool::Invariance;
//! use coarsen_tensor::{Adjacency, Level, segment};
//! use tch::Tensor;
//!
//! #[derive(Debug)]
//! struct Mean(i64);
//!
//! impl Readout for Mean {
//!     fn forward(&self, g: &Level, _: Ctx) -> Tensor {
//!         match &g.adj {
//!             Adjacency::Sparse(a) => segment::mean(&g.x, a.pattern.graphs()),
//!             Adjacency::Dense(_) => g.x.sum_dim_intlist([1i64].as_slice(), false, None) / g.x.size()[1].max(1) as f64,
//!         }
//!     }
//!     fn out_features(&self) -> i64 {
//!         self.0
//!     }
//! }
//!
//! let broken = readout::check(|_, dims| Box::new(Mean(dims.features)), Invariance::Exact, &Laws::default()).unwrap_err();
//! assert!(broken.to_string().starts_with("padding_inert does not hold"), "{broken}");
//! ```

mod asked;
mod block;
pub mod case;
mod check;
pub mod compare;
pub mod config;
pub mod conv;
mod draw;
mod error;
mod laws;
pub mod model;
pub mod pool;
pub mod readout;
mod rounding;
mod seen;
mod shared;
mod subject;
mod trial;

pub use block::{Block, Members};
pub use coarsen_graph::counterexample::{self, Counterexample};
pub use coarsen_graph::{arbitrary, function, search};
pub use error::Broken;
pub use laws::{EmptyGraphs, Laws, Passes};
pub use seen::{Counted, Seen};
pub use shared::{
    batch_independent, every_parameter_learns, finite, layouts_agree, padding_inert, repeatable, tight,
    well_formed,
};
pub use subject::{Make, Subject};

//! Hierarchical graph pooling on LibTorch: one dependency for the whole workspace.
//!
//! # The idea
//!
//! A graph enters as data, becomes a [level](tensor::Level) `(X, A)`, and is coarsened level by level:
//!
//! | step | equation | default |
//! | --- | --- | --- |
//! | **S**elect | `S = select(score(A, X))`: who goes where | none: it is what operators differ in |
//! | **R**educe | `X' = Sᵀ X`: features of the clusters | [`Pool::reduce`](pool::Pool::reduce) |
//! | **C**onnect | `A' = Sᵀ A S`: edges between them | [`Pool::connect`](pool::Pool::connect) |
//! | **L**ift | `S X'`: features back on the nodes | [`Pool::lift`](pool::Pool::lift) |
//!
//! Select is the one step that an operator must write; layers below, networks, training and tables above are arranged around it.
//! A batch lies in memory in one of two [layouts](tensor::Layout), stacked and sparse or padded and dense; an operator says
//! what it takes and gives, and everything is converted at the door.
//!
//! # Floors
//!
//! Every crate may import those below it, and each can be used alone.
//!
//! ```text
//!        coarsen            this crate                       coarsen-repro   experiments and published tables
//!        coarsen-train      tasks, training runs
//!        coarsen-laws       laws over every registry
//!        coarsen-model      whole networks
//!        coarsen-pool       between two levels
//!        coarsen-nn         inside one level
//!        coarsen-tensor     levels as tensors, autograd
//!   ═════════════════════ above: links LibTorch; below: does not ═════════════════════
//!        coarsen-graph      coarsen-sparse      coarsen-eval
//! ```
//!
//! | module | crate | holds | feature |
//! | --- | --- | --- | --- |
//! | [`graph`] | `coarsen-graph` | samples, readers, the registry of data sets, generators | |
//! | [`sparse`] | `coarsen-sparse` | sparse arithmetic in plain Rust | |
//! | [`tensor`] | `coarsen-tensor` | levels, adjacencies, assignments, their gradients | |
//! | [`nn`] | `coarsen-nn` | convolutions, readouts, their configurations | |
//! | [`pool`] | `coarsen-pool` | the contract [`Pool`](pool::Pool) and the operators | |
//! | [`model`] | `coarsen-model` | networks | |
//! | `eval` | `coarsen-eval` | protocols, metrics, records, tables | `train` (default) |
//! | `train` | `coarsen-train` | experiments and training runs | `train` (default) |
//! | `laws` | `coarsen-laws` | property tests for operators of your own | `laws` |
//!
//! Without default features nothing that trains is compiled; `doc-only` documents and checks without LibTorch.
//!
//! # Examples
//!
//! Zachary's karate club, pooled by Graclus to about half its members:
//!
//! ```
//! use coarsen::graph::{InMemory, generate};
//! use coarsen::nn::{Ctx, Dims, Params};
//! use coarsen::{pool, tensor};
//! use serde_json::json;
//! use tch::{Device, nn::VarStore};
//!
//! let club = InMemory::from_samples("club", vec![generate::karate()], 1)?;
//! let level = tensor::collate(&club, &[0], Device::Cpu);
//!
//! let store = VarStore::new(Device::Cpu);
//! let dims = Dims::new(level.features(), level.features()).with_sizes([34]);
//! let graclus = pool::pool(&json!({"kind": "graclus"}), &Params::new(&store.root(), 7), &dims)?;
//!
//! let pooled = graclus.pool(&level, Ctx::eval());
//! let clusters = pooled.level.segments().rows();
//! assert!((17..34).contains(&clusters));
//! assert_eq!(graclus.lift(&pooled.level.x, &pooled.selection).size(), [34, 34]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! More in `examples/`: `inspect_hierarchy` prints two levels of clusters, `own_operator` is a pooling operator in forty lines, held to
//! the laws, `classify_communities` trains.

pub use coarsen_graph as graph;
pub use coarsen_model as model;
pub use coarsen_nn as nn;
pub use coarsen_pool as pool;
pub use coarsen_sparse as sparse;
pub use coarsen_tensor as tensor;

#[cfg(feature = "train")]
pub use coarsen_eval as eval;
#[cfg(feature = "train")]
pub use coarsen_train as train;

#[cfg(feature = "laws")]
pub use coarsen_laws as laws;

pub mod prelude {
    //! The contracts and what their methods speak of: what a file with an operator of one's own imports.

    pub use coarsen_model::{Model, Needs, Output};
    pub use coarsen_nn::{Config, ConfigError, Conv, Ctx, Dims, Params, Readout};
    pub use coarsen_pool::{Loss, Over, Pool, Pooled, Scores, Selection};
    pub use coarsen_tensor::{Adjacency, Assignment, Layout, Level};
}

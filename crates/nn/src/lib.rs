//! Layers inside one level: convolutions, readouts, batch norm, MLP.
//!
//! A layer takes a level `(X, A)` of `coarsen-tensor`, in either layout, and gives node features ([`Conv`]) or one vector per
//! graph ([`Readout`]). It is made from a checked [configuration](Config), alone or by name through [`conv()`] and [`readout()`]. Its
//! parameters come from streams named after them ([`Params`]), so that equal seeds give equal models whatever else is made.
//!
//! | module | holds |
//! | --- | --- |
//! | [`mod@conv`] | [`Conv`] and the convolutions |
//! | [`pair`] | layers on pairs of nodes: PPGN |
//! | [`mod@readout`] | [`Readout`] and the readouts: maximum, mean, sum, Set2Set, SortPool |
//! | `registry` | [`CONVS`], [`READOUTS`]: what there is, by name |
//! | `config`, `error` | [`Config`], [`parse`], [`ConfigError`]: from JSON to a checked description |
//! | `dims`, `ctx` | [`Dims`], [`Ctx`]: what a layer knows before it exists, and how it is run |
//! | `params`, `stream` | [`Params`], [`Stream`]: parameters and random numbers by name |
//! | `linear`, `mlp`, `batch_norm`, `activation`, `dropout` | the parts |
//!
//! It must not know pooling, whole models, tasks or data sets.
//!
//! # Examples
//!
//! Two graphs, a triangle and a single node, through a GCN layer and a sum:
//!
//! ```
//! use std::sync::Arc;
//! use coarsen_nn::{Ctx, Dims, Params, conv, readout};
//! use coarsen_sparse::Csr;
//! use coarsen_tensor::{Adjacency, Level, Pattern, Segments, Sparse};
//! use serde_json::json;
//! use tch::{Device, Kind, Tensor, nn::VarStore};
//!
//! let csr = Csr::new(4, 4, vec![0, 2, 4, 6, 6], vec![1, 2, 0, 2, 0, 1])?;
//! let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 3, 4]))));
//! let adj = Adjacency::Sparse(Sparse::new(pattern, None, (Kind::Float, Device::Cpu)));
//! let g = Level::new(Tensor::ones([4, 2], (Kind::Float, Device::Cpu)), adj);
//!
//! let store = VarStore::new(Device::Cpu);
//! let params = Params::new(&store.root(), 42);
//! let layer = conv(&json!({"kind": "gcn"}), &params.sub("conv0"), &Dims::new(2, 8))?;
//! let sum = readout(&json!({"kind": "sum"}), &params.sub("readout"), &Dims::new(8, 8))?;
//!
//! let g = g.with_x(layer.forward(&g, Ctx::eval()).relu());
//! assert_eq!(sum.forward(&g, Ctx::eval()).size(), [2, 8]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activation;
mod batch_norm;
mod config;
pub mod conv;
mod ctx;
mod dims;
mod dropout;
mod error;
mod linear;
mod mlp;
pub mod pair;
mod params;
pub mod readout;
mod registry;
mod stream;

pub use activation::Activation;
pub use batch_norm::BatchNorm;
pub use config::{Config, Semantics, describe, parse};
pub use conv::{Conv, SelfLoops};
pub use ctx::Ctx;
pub use dims::Dims;
pub use dropout::{dropout, dropout_mask};
pub use error::ConfigError;
pub use linear::Linear;
pub use mlp::Mlp;
pub use params::Params;
pub use readout::Readout;
pub use registry::{Build, CONVS, ConvSpec, READOUTS, ReadoutSpec, by_kind, conv, readout};
pub use stream::{Stream, derive_seed};

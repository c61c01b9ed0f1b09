//! Levels, adjacencies and assignments as tensors, and backward passes written in Rust.
//!
//! A mini-batch of graphs is one [`Level`]: features `X` and an [`Adjacency`] `A`, in one of two [`Layout`]s. An
//! [`Assignment`] `S` says which node goes to which cluster; [`Assignment::reduce`] is `Sᵀ X`, [`Adjacency::coarsen`] is
//! `Sᵀ A S`, [`Assignment::lift`] is `S X'`. Everything is differentiable. On a CPU the sparse products are the kernels of
//! `coarsen-sparse`, run in LibTorch's own thread pool with backward passes of their own ([`Function`]); on another
//! device they are LibTorch's operations (products of two sparse matrices are done on the host there).
//!
//! This crate must not know parameters: no `VarStore` and no `Path` appears in it.
//!
//! | module | holds |
//! | --- | --- |
//! | [`autograd`] | [`Function`], [`attach`]: the bridge to LibTorch's autograd |
//! | [`level`] | [`Level`], [`Planned`] |
//! | [`adjacency`], [`pattern`] | [`Adjacency`] and what convolutions do with it; the shared [`Pattern`] |
//! | [`attention`] | attention over edges |
//! | [`messages`] | [`Messages`]: rows on directed edges |
//! | [`assignment`], [`coarsen`](Adjacency::coarsen) | [`Assignment`]; `Sᵀ A S`, hops |
//! | [`ego`] | [`Memberships`] of ego-networks, and the [`Networks`] that become clusters |
//! | [`Sparse::attend`], [`Sparse::max`] | what a node makes of those that send to it, beside sums |
//! | [`fn@unit_rows`], [`fn@projections`], [`Relation::products`] | rows of length 1, rows onto two vectors; inner products of pairs of rows |
//! | [`layout`] | [`Layout`] and the door between the two |
//! | [`segment`], [`segments`], [`grouped`], [`batched`] | reductions and products graph by graph |
//! | [`fitness`], [`Networks::weights`], [`fn@flyback`] | AdamGNN's attentions: over egos, over members, over levels |
//! | [`fn@gaussian`] | how far Gaussians are from the standard one |
//! | [`fn@sharpening`] | how far nodes are from a sharper copy of their likeness to some |
//! | [`soft`], [`clusters`] | [`Squares`] of a soft assignment, and what MinCutPool makes of them |
//! | [`top_k`], [`mod@matching`], [`mod@heavy_edge`], [`kron`], [`fields`] | discrete choices on the host |
//! | [`mod@collate`] | samples → [`Level`] |
//! | [`adam`] | the optimiser, one call a step |
//! | [`group`], [`gradients`] | threads that each compute a part of a batch; the sum of what they learn |
//! | [`memory`] | what is kept between steps |
//! | [`executor`] | LibTorch's pool for Rust closures |
//! | [`fn@by_libtorch`], [`on_host`] | what another device computes, on the CPU; whether the kernels serve a tensor |
//!
//! # Examples
//!
//! A path of three nodes, its ends merged into one cluster:
//!
//! ```
//! use std::sync::Arc;
//! use coarsen_sparse::Csr;
//! use coarsen_tensor::{Adjacency, Assignment, Level, Pattern, Segments, Sparse};
//! use tch::{Device, Kind, Tensor};
//!
//! let csr = Csr::new(3, 3, vec![0, 1, 3, 4], vec![1, 0, 2, 1])?;
//! let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 3]))));
//! let adj = Adjacency::Sparse(Sparse::new(pattern, None, (Kind::Double, Device::Cpu)));
//! let g = Level::new(Tensor::from_slice(&[1f64, 2., 4.]).view([3, 1]), adj);
//!
//! let s = Assignment::clusters(&[0, 1, 0], &g);
//! assert_eq!(Vec::<f64>::try_from(s.reduce(&g.x).view(-1))?, [5., 2.]);
//! let coarser = g.adj.coarsen(&s);
//! // Two edges lead from the middle to the merged ends, and two back.
//! assert_eq!(Vec::<f64>::try_from(coarser.degree())?, [2., 2.]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod adam;
pub mod adjacency;
pub mod affine;
pub mod assignment;
mod at_entries;
pub mod attention;
pub mod autograd;
pub mod batch_norm;
pub mod batched;
mod block_edges;
mod blocked;
mod by_libtorch;
pub mod clusters;
mod coarsen;
pub mod collate;
pub mod ego;
mod epilogue;
pub mod error;
pub mod executor;
pub mod fields;
pub mod fitness;
pub mod flyback;
mod foreign;
mod gathering;
pub mod gaussian;
pub mod gradients;
pub mod group;
pub mod grouped;
pub mod heavy_edge;
pub mod kron;
pub mod layout;
pub mod level;
pub mod matching;
pub mod memory;
pub mod messages;
pub mod neighbourhood;
mod normalize;
pub mod pattern;
mod per_device;
mod products;
pub mod projections;
mod propagate;
pub mod relation;
pub mod segment;
pub mod segments;
pub mod sharpening;
pub mod soft;
pub mod soft_losses;
mod spgemm;
mod spmm;
mod spmm_max;
#[cfg(test)]
mod testing;
pub mod top_k;
mod unit_rows;
mod view;
mod weights_first;

pub use adam::Adam;
pub use adjacency::{Adjacency, Loops, Padded, Sparse};
pub use affine::affine;
pub use assignment::{Assignment, Entries};
pub use autograd::{Function, attach};
pub use batch_norm::{batch_norm, moments};
pub use by_libtorch::by_libtorch;
pub use coarsen_graph::cluster::kron::Laplacian;
pub use coarsen_graph::fields::{FieldRule, Labelling};
pub use coarsen_sparse::Act;
pub use coarsen_sparse::rows::Beside;
pub use collate::{classes, collate};
pub use ego::{Memberships, Networks};
pub use error::Error;
pub use executor::TorchPool;
pub use fitness::{Joint, Likeness, Shares};
pub use flyback::flyback;
pub use gathering::Weighing;
pub use gaussian::gaussian;
pub use gradients::move_gradients;
pub use group::Group;
pub use heavy_edge::heavy_edge;
pub use kron::Reduction;
pub use layout::Layout;
pub use level::{Level, Planned};
pub use matching::{Among, matching};
pub use memory::{keep_freed_memory, release_freed_memory};
pub use messages::Messages;
pub use normalize::Norm;
pub use pattern::Pattern;
pub use projections::projections;
pub use relation::Relation;
pub use segments::Segments;
pub use sharpening::sharpening;
pub use soft::Squares;
pub use unit_rows::unit_rows;
pub use view::on_host;

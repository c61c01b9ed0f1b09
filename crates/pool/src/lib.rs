//! Pooling operators between two levels: Select, Reduce, Connect, Lift.
//!
//! An operator takes a [`Level`](coarsen_tensor::Level) `(X, A)` and gives a coarser one. It must not know models, the losses of
//! tasks or data sets.
//!
//! # The four steps
//!
//! | step | equation | method | who writes it |
//! | --- | --- | --- | --- |
//! | **S**elect | `S = select(score(A, X))` | [`Pool::score`] learns, [`Pool::select`] decides | every operator |
//! | **R**educe | `X' = Sᵀ Z`, `Z = X` by default | [`Pool::reduce`] | Graclus (maximum) |
//! | **C**onnect | `A' = Sᵀ A S` | [`Pool::connect`] | Top-k and SAGPool (unit `S`), gPool (nodes two steps apart), Graclus (pattern alone) |
//! | **L**ift | `X = S X'` | [`Pool::lift`] | Top-k, SAGPool and gPool (unit `S`) |
//!
//! What each operator does in them, its losses, layouts, promises, costs and published configurations are the tables of `docs/operators.md`,
//! which `coarsen operators` writes from [`POOLS`]. `"control"` puts random numbers in the place of any score.
//!
//! # Modules
//!
//! | module | holds |
//! | --- | --- |
//! | [`mod@pool`] | [`Pool`], [`Selection`], [`Pooled`], [`Loss`], [`PlanSpec`] |
//! | [`registry`] | [`POOLS`], [`pool()`], [`Invariance`] |
//! | [`asap`] | neighbourhoods by attention, the fittest kept |
//! | [`diffpool`], [`diffpool_loss`] | the operator; its losses as functions of given assignments |
//! | [`diffpool_det`] | the same with clusters that are not learned |
//! | [`ego`] | AdamGNN's ego-networks: the operator |
//! | [`ego_fitness`], [`ego_select`], [`ego_features`], [`ego_unpool`] | how fit they are, which are chosen, what they gather, the way back |
//! | [`ego_loss`] | AdamGNN's losses as functions of given rows |
//! | [`ego_score`] | the score of two rows in its attentions |
//! | [`g_pool`] | Graph U-Nets' operator and its inverse |
//! | [`gmn`], [`gmn_loss`] | the same of memory layers |
//! | [`mincut`], [`mincut_loss`] | the same of `MinCutPool` |
//! | [`sagpool`] | the same, scored by a convolution |
//! | [`structpool`] | the operator and its mean field |
//! | [`clusters`] | how many clusters a graph becomes |
//! | [`top_k`], [`keep`] | the operator; how many nodes stay |
//! | [`graclus`], [`identity`], [`kron`] | operators without parameters |
//! | [`random`] | the random control around any operator |
//! | [`stack`] | stacks of convolutions, as DiffPool's networks are |
//! | [`steps`] | what a row says of its operator beside its code |
//!
//! An operator is one file and one row of [`POOLS`]; `kind` in a configuration names the row.
//!
//! # Examples
//!
//! Two graphs, a path of three nodes and a single node, pooled to half:
//!
//! ```
//! use std::sync::Arc;
//! use coarsen_nn::{Ctx, Dims, Params};
//! use coarsen_tensor::{Adjacency, Level, Pattern, Segments, Sparse};
//! use serde_json::json;
//! use tch::{Device, Kind, Tensor, nn::VarStore};
//!
//! let csr = coarsen_sparse::Csr::new(4, 4, vec![0, 1, 3, 4, 4], vec![1, 0, 2, 1])?;
//! let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 3, 4]))));
//! let adj = Adjacency::Sparse(Sparse::new(pattern, None, (Kind::Float, Device::Cpu)));
//! let g = Level::new(Tensor::from_slice2(&[[1f32, 0.], [0., 2.], [3., 1.], [0., 1.]]), adj);
//!
//! let store = VarStore::new(Device::Cpu);
//! let dims = Dims::new(2, 2).with_sizes([3, 1]);
//! let pool = coarsen_pool::pool(&json!({"kind": "top-k"}), &Params::new(&store.root(), 7), &dims)?;
//! let pooled = pool.pool(&g, Ctx::eval());
//! assert_eq!(pooled.level.x.size(), [2 + 1, 2]);
//! assert_eq!(pool.lift(&pooled.level.x, &pooled.selection).size(), [4, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod asap;
pub mod clusters;
pub mod diffpool;
pub mod diffpool_det;
pub mod diffpool_loss;
pub mod ego;
pub mod ego_features;
pub mod ego_fitness;
pub mod ego_loss;
pub mod ego_score;
pub mod ego_select;
pub mod ego_unpool;
pub mod g_pool;
pub mod gmn;
pub mod gmn_loss;
pub mod graclus;
pub mod identity;
pub mod keep;
pub mod kron;
pub mod mincut;
pub mod mincut_loss;
pub mod pool;
pub mod random;
pub mod registry;
pub mod sagpool;
pub mod stack;
pub mod steps;
pub mod structpool;
pub mod top_k;

pub use asap::{Asap, AsapConfig, Fitness, NewLoops};
pub use clusters::Clusters;
pub use diffpool::{AssignConfig, AssignWidth, DiffPool, DiffPoolConfig, Losses};
pub use diffpool_det::{DiffPoolDet, DiffPoolDetConfig};
pub use ego::{Ego, EgoConfig, Formed, HyperLoops};
pub use ego_score::{Attention, PairScore};
pub use ego_unpool::Unpool;
pub use g_pool::{Edges, GPool, GPoolConfig, Scorer};
pub use gmn::{Gmn, GmnConfig, Kernel, Keys, MemPoolConfig, Memory};
pub use graclus::{ComplementConfig, Graclus, GraclusConfig};
pub use identity::{Identity, IdentityConfig};
pub use keep::Keep;
pub use kron::{Kron, KronConfig};
pub use mincut::{CutEdges, MinCut, MinCutConfig};
pub use pool::{Apart, Loss, Moves, Over, PlanSpec, Pool, Pooled, RowSums, Scores, Selection};
pub use random::{Control, Controlled};
pub use registry::{Invariance, Made, POOLS, PoolSpec, depth, fields, find, invariance, pool};
pub use sagpool::{Form, SagPool, SagPoolConfig};
pub use stack::{Ending, Join, NormAt, Stack, StackConfig};
pub use steps::{Preset, Steps};
pub use structpool::{StructPool, StructPoolConfig};
pub use top_k::{Reach, TopK, TopKConfig};

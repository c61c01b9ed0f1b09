//! Whole networks over all levels: flat and hierarchical graph neural networks.
//!
//! A [`Model`] takes a batch and gives representations of its nodes or graphs; the task owns the head, except where a published
//! network has its own. It must not know data sets, metrics or optimisers.
//!
//! | network | is |
//! | --- | --- |
//! | `adamgnn`, `adamgnn-official` | ego-networks level by level, and what every level knows sent back to the nodes, for nodes and graphs; as printed and as released (Zhong, Li and Pang) |
//! | `dgcnn` | convolutions, SortPool and convolutions over the sorted nodes, with a head of its own (Zhang et al. 2018) |
//! | `diffpool-official` | DiffPool, and without poolings its base network, as released; it breaks laws |
//! | `flat` | convolutions on the input graph, then readouts: of the last layer, of all, or with a head per layer |
//! | `g-unet-official` | Graph U-Net as released, with a head of its own (Gao & Ji 2019) |
//! | `gin` | the flat network of Xu et al. 2019 as published |
//! | `graph-unet` | down over any sparse operators and up again, for nodes and graphs; by default PyG's |
//! | `hierarchical` | convolutions, pooling, convolutions, …, with any row of [`POOLS`](coarsen_pool::POOLS): DiffPool, Top-k and Graclus networks and their random controls are configurations of it |
//! | `patchy-san` | an image's convolutions over receptive fields of nodes in canonical order, with a head of its own (Niepert et al. 2016) |
//! | `three-wl` | products of maps of pairs of nodes, with a head for each block (Maron et al. 2019) |
//!
//! The default of `hierarchical` is DiffPool as its paper describes it, with one pooling; of any other operator the same network
//! makes a twin of the same depth.
//!
//! # What the operators do in it
//!
//! | step | in the network |
//! | --- | --- |
//! | **S**elect | inside [`Pool::pool`](coarsen_pool::Pool::pool); its auxiliary losses are in [`Output::losses`] |
//! | **R**educe | the features of the next level; `Z`, where the operator embeds, is what the level's readout sees |
//! | **C**onnect | the edges of the next level, in the layout the operator gives |
//! | **L**ift | the way up of the U-Nets and of AdamGNN; not used by the others |
//!
//! # Modules
//!
//! | module | holds |
//! | --- | --- |
//! | [`mod@model`] | [`Model`], [`Output`], [`Needs`], [`Schedule`], [`Trace`] |
//! | [`registry`] | [`MODELS`], [`model()`] |
//! | [`adamgnn`], [`flyback`] | [`AdamGnn`]; the attention over its levels |
//! | [`dgcnn`] | [`Dgcnn`] |
//! | [`diffpool_official`] | [`DiffPoolOfficial`] |
//! | [`flat`], [`gin`] | [`Flat`]; its preset |
//! | [`g_unet_official`] | [`GUNetOfficial`] |
//! | [`graph_unet`] | [`GraphUNet`] |
//! | [`hierarchical`], [`network`] | the configuration; [`Hierarchical`] |
//! | [`patchy_san`] | [`PatchySan`] |
//! | [`three_wl`] | [`ThreeWl`] |
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//! use coarsen_nn::{Ctx, Dims, Params};
//! use coarsen_tensor::{Adjacency, Level, Pattern, Segments, Sparse};
//! use serde_json::json;
//! use tch::{Device, Kind, Tensor, nn::VarStore};
//!
//! // Two graphs: a path of three nodes and a single node.
//! let csr = coarsen_sparse::Csr::new(4, 4, vec![0, 1, 3, 4, 4], vec![1, 0, 2, 1])?;
//! let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 3, 4]))));
//! let adj = Adjacency::Sparse(Sparse::new(pattern, None, (Kind::Float, Device::Cpu)));
//! let g = Level::new(Tensor::from_slice2(&[[1f32, 0.], [0., 1.], [1., 0.], [0., 1.]]), adj);
//!
//! let store = VarStore::new(Device::Cpu);
//! let (p, dims) = (Params::new(&store.root(), 7), Dims::new(2, 2).with_sizes([3, 1]));
//! let model = coarsen_model::model(&json!({"kind": "hierarchical", "hidden": 16}), &p, &dims)?;
//! let output = model.forward(&g, Ctx::train(1));
//! assert_eq!(output.graphs.map(|x| x.size()), Some(vec![2, model.out_features()]));
//! assert_eq!(output.losses.iter().map(|loss| loss.name).collect::<Vec<_>>(), ["link", "entropy"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod adamgnn;
pub mod dgcnn;
pub mod diffpool_official;
pub mod flat;
pub mod flyback;
pub mod g_unet_official;
pub mod gin;
pub mod graph_unet;
pub mod hierarchical;
pub mod model;
pub mod network;
pub mod patchy_san;
mod readouts;
pub mod registry;
pub mod three_wl;

pub use adamgnn::{AdamGnn, AdamGnnConfig, Divergence, Passed};
pub use dgcnn::{Dgcnn, DgcnnConfig};
pub use diffpool_official::{DiffPoolOfficial, DiffPoolOfficialConfig, Link, SlotNorm, SlotRead};
pub use flat::{Flat, FlatConfig, Jump};
pub use flyback::{Flyback, FlybackForm};
pub use g_unet_official::{GUNetOfficial, GUNetOfficialConfig};
pub use gin::GinConfig;
pub use graph_unet::{GraphUNet, GraphUNetConfig, Skip};
pub use hierarchical::{HierarchicalConfig, Merge, ReadAt};
pub use model::{Model, Needs, Output, Schedule, Trace};
pub use network::{Hierarchical, Make, Operator};
pub use patchy_san::{PatchySan, PatchySanConfig};
pub use registry::{MODELS, Made, ModelSpec, model};
pub use three_wl::{ThreeWl, ThreeWlConfig};

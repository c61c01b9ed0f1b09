//! Graphs as data: samples, readers, a registry of data sets, feature rules, generators and host clustering.
//!
//! This crate must not know LibTorch, any model, or any metric. It hands out borrowed slices of flat arrays, so that
//! collating a batch above is copying slices; petgraph stands at its edge, for whoever brings or wants such graphs.
//!
//! | module or type | what it is |
//! | --- | --- |
//! | [`Topology`], [`TopologyBuf`] | the edges of one graph, rows receive |
//! | [`SampleRef`], [`Sample`], [`Target`] | one graph with features and target |
//! | [`Dataset`], [`InMemory`], [`DatasetInfo`], [`Stats`] | many of them |
//! | [`RawDataset`], [`read`] | what files say, before features are chosen |
//! | [`FeatureRule`], [`FeaturePart`] | how node features are made |
//! | [`registry`], [`DATASETS`], [`DataDir`] | data sets by name, where they are, whether they are the published ones |
//! | [`generate`] | data sets without files |
//! | [`Permutation`] | renumbering nodes |
//! | [`cluster`], [`fields`] | matchings, eigenvectors and receptive fields, which need no features |
//! | `arbitrary`, `search` (feature `proptest`) | strategies for property tests, and how cases are looked for |
//! | `function` (feature `proptest`) | laws of functions of a graph |
//! | `counterexample` (feature `proptest`) | graphs that break a law, drawn and written as Rust |
//!
//! # Examples
//! ```
//! use coarsen_graph::{DataDir, Dataset, FeatureRule, Target};
//!
//! // Files would be looked for in `data/raw`; generated sets need none.
//! let set = DataDir::new("data").load("COMMUNITIES", &FeatureRule::Auto)?;
//! assert_eq!((set.len(), set.info().classes), (600, 3));
//!
//! let first = set.sample(0);
//! assert_eq!(first.x.nrows(), first.topology.nodes());
//! assert_eq!(first.y, Target::Class(0));
//! # Ok::<(), coarsen_graph::Error>(())
//! ```

#[cfg(feature = "proptest")]
pub mod arbitrary;
pub mod cluster;
mod content;
mod convert;
#[cfg(feature = "proptest")]
pub mod counterexample;
mod data_dir;
mod dataset;
mod error;
mod features;
pub mod fields;
#[cfg(feature = "proptest")]
pub mod function;
pub mod generate;
mod permute;
mod raw;
pub mod read;
pub mod registry;
mod sample;
#[cfg(feature = "proptest")]
pub mod search;
mod sorted;
mod stats;
mod stream;
mod topology;

pub use data_dir::DataDir;
pub use dataset::{Dataset, DatasetInfo, InMemory};
pub use error::Error;
pub use features::{FeaturePart, FeatureRule};
pub use permute::Permutation;
pub use raw::RawDataset;
pub use registry::{DATASETS, DatasetSpec, Family, Mismatch, Published};
pub use sample::{Sample, SampleRef, Target};
pub use stats::Stats;
pub use topology::{Topology, TopologyBuf};

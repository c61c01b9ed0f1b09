//! Clustering on the host: what can be decided from the graph alone, before any network runs.

pub mod graclus;
pub mod heavy_edge;
pub mod kron;
pub mod spectral;

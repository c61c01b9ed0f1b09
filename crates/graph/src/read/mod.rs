//! Readers: raw files to [`RawDataset`](crate::RawDataset).

mod column;
mod edges;
mod lines;
mod number;
mod source;
pub mod tu;

pub(crate) use source::io;

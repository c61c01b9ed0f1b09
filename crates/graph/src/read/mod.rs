//! Readers: raw files to [`RawDataset`](crate::RawDataset).

mod parse;
mod source;
pub mod tu;

pub(crate) use source::io;

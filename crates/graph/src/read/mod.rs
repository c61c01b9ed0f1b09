//! Readers: raw files to [`RawDataset`](crate::RawDataset).

mod blanks;
mod column;
mod edges;
pub mod emails;
mod lines;
mod number;
mod numpy;
mod package;
mod pickle;
pub mod planetoid;
pub mod sdcn;
mod single;
mod source;
pub mod tadw;
pub mod tu;

pub(crate) use package::{Member, Package, io};

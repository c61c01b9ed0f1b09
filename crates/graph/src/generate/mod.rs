//! Data sets that need no files: each is a function of its seed, equal on every machine (integer arithmetic on a named
//! stream). By name they are rows of [`DATASETS`](crate::DATASETS).

mod builder;
mod communities;
mod karate;
mod triangles;

pub use communities::{Arrangement, Communities, communities};
pub use karate::{KARATE_CLUBS, karate, karate_dataset};
pub use triangles::triangles;

//! Shared factories of the benches.

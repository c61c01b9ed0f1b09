//! Flat arrays from graphs that are made one by one.

use crate::TopologyBuf;
use crate::raw::{Labels, RawDataset, Targets};

/// A data set in the making.
pub(super) struct Builder {
    raw: RawDataset,
    class: Vec<u32>,
}

impl Builder {
    pub(super) fn new(name: &str) -> Self {
        Self { raw: RawDataset::empty(name), class: Vec::new() }
    }

    /// Adds a graph with these undirected edges.
    pub(super) fn push(&mut self, nodes: usize, edges: &[(u32, u32)], class: u32) {
        let (row_ptr, col) = TopologyBuf::of_undirected(nodes, edges).into_arrays();
        let base = self.raw.col.len();
        self.raw.row_ptr.extend(row_ptr[1..].iter().map(|at| base + at));
        self.raw.col.extend(col);
        self.raw.node_ptr.push(self.raw.row_ptr.len() - 1);
        self.class.push(class);
    }

    /// `values` are what the classes `0..k` stand for.
    pub(super) fn finish(mut self, values: Vec<i64>) -> RawDataset {
        self.raw.targets = Targets::Classes(Labels { values, code: self.class });
        self.raw
    }
}

//! A fixed sparse 0/1 matrix as the tensors' world sees it: the host's pattern, and its index tensors per device.

use std::sync::{Arc, OnceLock};

use coarsen_sparse::{Csr, Pattern as Edges};
use tch::{Device, Tensor};

use crate::at_entries::dots;
use crate::per_device::PerDevice;

/// Who is related to whom: rows × columns, with the transpose built once.
///
/// The values stand beside it (`[E]` tensors in the order of the entries, row by row). Two things are made when first
/// asked for and kept: the index tensors on a device, and the relation seen from the other side.
#[derive(Debug)]
pub struct Relation {
    edges: Edges,
    row: PerDevice,
    col: PerDevice,
    transposed: OnceLock<Transposed>,
}

/// The transposed relation, and for each of its entries the entry of the original.
#[derive(Debug)]
pub(crate) struct Transposed {
    pub(crate) relation: Arc<Relation>,
    pub(crate) entry: Vec<i64>,
}

impl Relation {
    /// Takes a pattern; its transpose is built here if it is not there yet.
    pub fn new(csr: Csr) -> Self {
        Self::from_pattern(Edges::new(csr))
    }

    /// Takes a pattern with its transpose.
    pub fn from_pattern(edges: Edges) -> Self {
        Self { edges, row: PerDevice::default(), col: PerDevice::default(), transposed: OnceLock::new() }
    }

    /// The host's pattern.
    pub fn pattern(&self) -> &Edges {
        &self.edges
    }

    /// The host's pattern, row by row.
    pub fn csr(&self) -> &Csr {
        self.edges.csr()
    }

    /// Number of rows.
    pub fn rows(&self) -> i64 {
        self.edges.rows() as i64
    }

    /// Number of columns.
    pub fn cols(&self) -> i64 {
        self.edges.cols() as i64
    }

    /// Number of entries.
    pub fn entries(&self) -> i64 {
        self.edges.nnz() as i64
    }

    /// The row of each entry, `[E]` Int64.
    pub fn row(&self, device: Device) -> Tensor {
        self.row.get(device, || {
            let row: Vec<i64> = self.csr().row_of_edges().into_iter().map(i64::from).collect();
            Tensor::from_slice(&row)
        })
    }

    /// The column of each entry, `[E]` Int64.
    pub fn col(&self, device: Device) -> Tensor {
        self.col.get(device, || {
            Tensor::from_slice(&self.csr().col().iter().map(|&j| i64::from(j)).collect::<Vec<_>>())
        })
    }

    /// `⟨a_i, b_j⟩` of each entry `(i, j)`; differentiable.
    ///
    /// # Shapes
    ///
    /// `a: [rows, F]`, `b: [cols, F]` → `[E]`.
    ///
    /// # Complexity
    ///
    /// Time O(E F), memory O(E): no row is copied on a CPU; elsewhere two matrices of entries by features.
    pub fn dots(self: &Arc<Self>, a: &Tensor, b: &Tensor) -> Tensor {
        dots(self, a, b)
    }

    pub(crate) fn transposed(&self) -> &Transposed {
        self.transposed.get_or_init(|| Transposed {
            relation: Arc::new(Self::from_pattern(self.edges.transposed())),
            entry: self.edges.transposed_edge().iter().map(|&e| i64::from(e)).collect(),
        })
    }
}

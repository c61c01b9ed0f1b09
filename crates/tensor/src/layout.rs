//! The two layouts of a level and the one door between them.

use std::sync::Arc;

use coarsen_sparse::Csr;
use tch::{Device, Kind, Tensor};

use crate::adjacency::{Padded, Sparse};
use crate::pattern::Pattern;
use crate::segments::Segments;
use crate::view::integers;

/// How the graphs of a mini-batch lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// All nodes stacked, edges as a block-diagonal pattern. Memory grows with nodes and edges.
    Sparse,
    /// Every graph padded to the largest, edges as squares. Memory grows with graphs × largest².
    Dense,
}

/// Where each stacked node stands in the padded batch: `graph · width + position`.
fn slots(graphs: &Segments, width: i64, device: Device) -> Tensor {
    let mut slot = Vec::with_capacity(graphs.rows());
    for (b, n) in graphs.sizes().enumerate() {
        slot.extend((0..i64::from(n)).map(|i| b as i64 * width + i));
    }
    Tensor::from_slice(&slot).to_device(device)
}

/// Stacked rows to padded ones.
///
/// # Shapes
///
/// `x: [N, F]` → `[B, width, F]`, zeros where a graph has fewer rows.
pub(crate) fn pad_rows(x: &Tensor, graphs: &Segments, width: i64) -> Tensor {
    let (b, f) = (graphs.len() as i64, x.size()[1]);
    let zeros = Tensor::zeros([b * width, f], (x.kind(), x.device()));
    zeros.index_copy(0, &slots(graphs, width, x.device()), x).view([b, width, f])
}

/// Padded rows to stacked ones: the inverse of [`pad_rows`].
pub(crate) fn stack_rows(x: &Tensor, graphs: &Segments) -> Tensor {
    let size = x.size();
    x.reshape([size[0] * size[1], size[2]]).index_select(0, &slots(graphs, size[1], x.device()))
}

/// The mask of padded rows, `[B, width]`; `None` when there is no padding.
fn mask(graphs: &Segments, width: i64, options: (Kind, Device)) -> Option<Tensor> {
    if graphs.sizes().all(|n| i64::from(n) == width) {
        return None;
    }
    let position = Tensor::arange(width, (Kind::Int64, options.1)).unsqueeze(0);
    let sizes = graphs.sizes_tensor((Kind::Int64, options.1)).unsqueeze(1);
    Some(position.lt_tensor(&sizes).to_kind(options.0))
}

/// Edges to squares. Edge attributes have no place there.
pub(crate) fn pad_edges(s: &Sparse, width: i64) -> Padded {
    let graphs = s.pattern.graphs();
    let device = s.options.1;
    let row = slots(graphs, width, device).index_select(0, &s.pattern.row(device));
    let ptr: Vec<i64> = graphs.ptr().iter().map(|&p| i64::from(p)).collect();
    let first = Tensor::from_slice(&ptr).to_device(device).index_select(0, &graphs.index(device));
    let col = s.pattern.col(device) - first.index_select(0, &s.pattern.col(device));
    let b = graphs.len() as i64;
    let flat =
        Tensor::zeros([b * width * width], s.options).index_copy(0, &(row * width + col), &s.weights());
    Padded::new(flat.view([b, width, width]), mask(graphs, width, s.options))
}

/// Squares to edges: every entry that is not 0. Reads the sizes and the entries back to the host.
pub(crate) fn stack_edges(p: &Padded) -> Sparse {
    let size = p.a.size();
    let (b, width) = (size[0], size[1]);
    let graphs = Arc::new(segments(p));
    let entries = integers(&p.a.detach().nonzero());
    let mut row_ptr = vec![0u32; graphs.rows() + 1];
    let mut col = Vec::with_capacity(entries.len() / 3);
    let mut flat = Vec::with_capacity(entries.len() / 3);
    for entry in entries.chunks_exact(3) {
        let first = graphs.ptr()[entry[0] as usize];
        row_ptr[first as usize + entry[1] as usize + 1] += 1;
        col.push(first + entry[2] as u32);
        flat.push((entry[0] * width + entry[1]) * width + entry[2]);
    }
    for i in 1..row_ptr.len() {
        row_ptr[i] += row_ptr[i - 1];
    }
    let nodes = graphs.rows();
    let csr =
        Csr::new(nodes, nodes, row_ptr, col).expect("entries of a square come row by row, columns ascending");
    let flat = Tensor::from_slice(&flat).to_device(p.a.device());
    let weight = p.a.reshape([b * width * width]).index_select(0, &flat);
    Sparse::new(Arc::new(Pattern::new(csr, graphs)), Some(weight), (p.a.kind(), p.a.device()))
}

/// The nodes of each padded graph.
pub(crate) fn segments(p: &Padded) -> Segments {
    let size = p.a.size();
    match &p.mask {
        None => Segments::of_sizes(vec![size[1] as u32; size[0] as usize]),
        Some(mask) => {
            let counts = mask.sum_dim_intlist([1i64].as_slice(), false, mask.kind());
            Segments::of_sizes(integers(&counts).into_iter().map(|n| n as u32))
        }
    }
}

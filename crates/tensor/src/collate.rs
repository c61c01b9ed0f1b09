//! Samples of a data set to one level.

use std::sync::Arc;

use coarsen_graph::{Dataset, SampleRef, Target};
use coarsen_sparse::{Block, block_diagonal};
use tch::{Device, Kind, Tensor};

use crate::adjacency::{Adjacency, Sparse};
use crate::level::Level;
use crate::pattern::Pattern;
use crate::segments::Segments;
use crate::view::filled;

/// The samples named by `index`, in that order, as one sparse level of 32 bit reals.
///
/// Features and edges are copied slice by slice; the transpose of the pattern is built here, once for all layers.
///
/// # Shapes
///
/// `x: [N, F]` with `N` the nodes of all samples; edge attributes `[E, D]` where the data set has them.
///
/// # Panics
///
/// When an index is out of range, or the batch has more than 2³² edges.
pub fn collate(data: &dyn Dataset, index: &[usize], device: Device) -> Level {
    let samples: Vec<SampleRef> = index.iter().map(|&i| data.sample(i)).collect();
    let graphs = Segments::of_sizes(samples.iter().map(|s| s.topology.nodes() as u32));
    let blocks: Vec<_> = samples.iter().map(|s| Block::square(s.topology.row_ptr, s.topology.col)).collect();
    let csr =
        block_diagonal(&blocks).expect("samples are well-formed and a batch's edges are counted in 32 bits");
    let nodes = graphs.rows() as i64;
    let x = stacked(samples.iter().map(|s| s.x.as_slice()), nodes, data.info().features as i64);
    let attr = (data.info().edge_features > 0).then(|| {
        let of_sample = samples.iter().map(|s| s.edge_attr.as_ref().and_then(|a| a.as_slice()));
        stacked(of_sample, csr.nnz() as i64, data.info().edge_features as i64).to_device(device)
    });
    let pattern = Arc::new(Pattern::new(csr, Arc::new(graphs)));
    let adj = Sparse::new(pattern, None, (Kind::Float, device)).with_attr(attr);
    Level::new(x.to_device(device), Adjacency::Sparse(adj))
}

/// The classes of the samples named by `index`, `[B]` Int64.
///
/// # Panics
///
/// When a sample has no class: the data set is not one for classification.
pub fn classes(data: &dyn Dataset, index: &[usize], device: Device) -> Tensor {
    let class = |&i: &usize| match data.sample(i).y {
        Target::Class(c) => i64::from(c),
        Target::Real(_) => panic!("sample {i} of {} has no class", data.info().name),
    };
    Tensor::from_slice(&index.iter().map(class).collect::<Vec<_>>()).to_device(device)
}

fn stacked<'a>(parts: impl Iterator<Item = Option<&'a [f32]>>, rows: i64, width: i64) -> Tensor {
    filled(&[rows, width], |out: &mut [f32]| {
        let mut rest = out;
        for part in parts {
            let part = part.expect("samples are stored row-major");
            let (head, tail) = rest.split_at_mut(part.len());
            head.copy_from_slice(part);
            rest = tail;
        }
        assert!(rest.is_empty(), "every row was written");
    })
}

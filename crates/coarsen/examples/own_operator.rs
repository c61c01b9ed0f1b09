//! A pooling operator of one's own: soft clusters by a linear map, in forty lines, held to the laws and put into a network.
//!
//! `cargo run --example own_operator`
#![allow(clippy::print_stdout)] // an example says what it found

use std::error::Error;

use coarsen::model::{HierarchicalConfig, Model, Operator};
use coarsen::nn::Linear;
use coarsen::pool::Invariance;
use coarsen::prelude::{Assignment, Ctx, Dims, Layout, Level, Params, Pool, Scores, Selection};
use coarsen_laws::Laws;
use tch::{Device, Tensor, nn::VarStore};

/// `S = softmax(X W + b)`: who goes where is read off a node's features alone.
#[derive(Debug)]
struct LinearClusters {
    linear: Linear,
    clusters: u32,
}

impl LinearClusters {
    fn new(p: &Params, dims: &Dims, clusters: u32) -> Self {
        Self { linear: Linear::new(&p.sub("linear"), dims.features, clusters.into()), clusters }
    }
}

impl Pool for LinearClusters {
    /// Takes either layout; the pooled graphs all have as many nodes, so they are dense.
    fn layouts(&self, given: Layout) -> (Layout, Layout) {
        (given, Layout::Dense)
    }

    fn scores(&self) -> Scores {
        Scores::Clusters(self.clusters.into())
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        self.linear.forward(&g.x)
    }

    fn select(&self, g: &Level, logits: &Tensor, _: Ctx) -> Selection {
        Assignment::soft(g.mask_rows(logits.softmax(-1, None)), g).into()
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.with_sizes(vec![self.clusters; dims.sizes.len()])
    }
}

/// Every law, on `cases` random batches each.
fn obeys(laws: &Laws) -> Result<(), coarsen_laws::Broken> {
    let make = |p: &Params, dims: &Dims| -> Box<dyn Pool> { Box::new(LinearClusters::new(p, dims, 3)) };
    coarsen_laws::pool::check(make, Invariance::Exact, laws)
}

fn main() -> Result<(), Box<dyn Error>> {
    let laws = Laws { cases: 16, ..Laws::default() };
    obeys(&laws)?;
    println!("LinearClusters obeys every law on {} batches", laws.cases);

    // In a network with two poolings it stands where a row of the registry would.
    let make = |clusters| Operator {
        depth: 0,
        make: Box::new(move |p: &Params, dims: &Dims| {
            Ok(Box::new(LinearClusters::new(p, dims, clusters)) as Box<dyn Pool>)
        }),
    };
    let store = VarStore::new(Device::Cpu);
    let dims = Dims::new(7, 2).with_sizes([30, 40, 50]);
    let config = HierarchicalConfig::default();
    let network = config.build_with(&[make(10), make(3)], &Params::new(&store.root(), 1), &dims)?;
    println!(
        "a network over it gives {} numbers a graph and has {} parameters",
        network.out_features(),
        store.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_operator_obeys() {
        if let Err(broken) = super::obeys(&super::Laws::default()) {
            panic!("{broken}");
        }
    }
}

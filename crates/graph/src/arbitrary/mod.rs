//! Strategies for property tests of graph code (feature `proptest`): small graphs of many shapes, the degenerate ones weighted in.
//!
//! [`Graphs`] says which graphs are drawn: how many nodes, which [shapes](Shape), whose features [tie](Features), which edges are
//! [weighted](Weights). [`graph`], [`digraph`], [`empty_graph`] and [`batch`] are the usual choices.
//!
//! Shrinking takes nodes, edges and whole graphs away and rounds numbers ([`Tree`]). What is left keeps the rules that the draw kept:
//! an undirected graph stays so, numbers that did not tie do not, weights stay symmetric and positive, no graph has fewer nodes
//! than were asked for.
//!
//! # Distributions
//!
//! | drawn | how |
//! | --- | --- |
//! | nodes | the least number of the range with probability 1/7, else uniform in the range |
//! | shape | by the weights of [`Graphs::shapes`]; [`Shape`] says what each draws |
//! | order of the nodes | as the shape counts them with probability 1/2, else uniform |
//! | features | [`FEATURES`] columns by [`Features`] |
//! | class | uniform in `0..CLASSES` |
//! | graphs of a batch | uniform in the range, each drawn alone, so that sizes are mixed |
//!
//! # Examples
//! ```
//! use coarsen_graph::arbitrary::{Features, Graphs, Shape};
//! use proptest::prelude::*;
//!
//! let circulant = Graphs { features: Features::Constant, ..Graphs::of(Shape::Circulant, 3..=8) };
//! proptest!(|(sample in circulant)| {
//!     let t = sample.view().topology;
//!     prop_assert!((0..t.nodes()).all(|i| t.degree(i) == t.degree(0)));
//! });
//! ```

mod graphs;
mod shape;
mod smaller;

use std::ops::RangeInclusive;

use proptest::prelude::*;

pub use graphs::{Batches, Features, Graphs, Weights};
pub use shape::Shape;
pub use smaller::{Batch, Drawn, Smaller, Tree};

use crate::{Permutation, Sample};

/// Node features of every sample.
pub const FEATURES: usize = 3;
/// Classes of every sample.
pub const CLASSES: u32 = 2;

/// An undirected graph with that many nodes (at least one) and features that do not tie, of any of [`Shape::UNDIRECTED`].
pub fn graph(nodes: RangeInclusive<usize>) -> impl Strategy<Value = Sample> {
    Graphs::new((*nodes.start()).max(1)..=(*nodes.end()).max(1))
}

/// A directed graph without self-loops, in general not symmetric.
pub fn digraph(nodes: RangeInclusive<usize>) -> impl Strategy<Value = Sample> {
    Graphs::of(Shape::Directed, nodes)
}

/// The graph without nodes.
pub fn empty_graph() -> impl Strategy<Value = Sample> {
    Graphs::of(Shape::Empty, 0..=0)
}

/// Several graphs, as for one batch.
pub fn batch(
    graphs: RangeInclusive<usize>,
    nodes: RangeInclusive<usize>,
) -> impl Strategy<Value = Vec<Sample>> {
    Graphs::new((*nodes.start()).max(1)..=(*nodes.end()).max(1)).batch(graphs)
}

/// A permutation of `n` nodes.
pub fn permutation(n: usize) -> impl Strategy<Value = Permutation> {
    let to = Just((0..n as u32).collect::<Vec<u32>>()).prop_shuffle();
    to.prop_filter_map("a shuffled list is a permutation", |to| Permutation::new(to).ok())
}

/// A graph and a permutation of its nodes.
pub fn graph_and_permutation(nodes: RangeInclusive<usize>) -> impl Strategy<Value = (Sample, Permutation)> {
    graph(nodes).prop_flat_map(|sample| {
        let n = sample.view().nodes();
        (Just(sample), permutation(n))
    })
}

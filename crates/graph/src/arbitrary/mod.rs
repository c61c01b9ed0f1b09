//! Strategies for property tests of graph code (feature `proptest`): small graphs with the degenerate ones weighted in.
//!
//! Values shrink towards fewer nodes, fewer edges and identity permutations. Features never tie: all numbers of a
//! sample's `x` are distinct, so that operators that rank nodes are tested away from ties.

use crate::stream::Stream;
use crate::{Permutation, Sample, Target, TopologyBuf};
use ndarray::Array2;
use proptest::prelude::*;
use std::ops::RangeInclusive;

/// Node features of every sample.
pub const FEATURES: usize = 3;
/// Classes of every sample.
pub const CLASSES: u32 = 2;

/// An undirected graph with that many nodes (at least one): random edges, none, or all; isolated nodes, separate parts,
/// a star, a path, a cycle.
pub fn graph(nodes: RangeInclusive<usize>) -> impl Strategy<Value = Sample> {
    let shape = prop_oneof![
        8 => edges().prop_map(Shape::Random),
        1 => Just(Shape::Edgeless),
        1 => Just(Shape::Star),
        1 => Just(Shape::Path),
        1 => Just(Shape::Cycle),
        1 => Just(Shape::Complete),
        2 => edges().prop_map(Shape::HalfIsolated),
        2 => edges().prop_map(Shape::TwoParts),
    ];
    let least = (*nodes.start()).max(1);
    let nodes = prop_oneof![6 => least..=(*nodes.end()).max(least), 1 => Just(least)];
    (nodes, shape, any::<u64>(), 0..CLASSES).prop_map(|(nodes, shape, seed, class)| {
        let edges = shape.edges(nodes as u32);
        sample(TopologyBuf::of_undirected(nodes, &edges), seed, class)
    })
}

/// A directed graph without self-loops, in general not symmetric.
pub fn digraph(nodes: RangeInclusive<usize>) -> impl Strategy<Value = Sample> {
    (nodes, edges(), any::<u64>(), 0..CLASSES).prop_map(|(nodes, edges, seed, class)| {
        let edges = within(&edges, 0, nodes as u32);
        sample(TopologyBuf::of_edges(nodes, &edges), seed, class)
    })
}

/// The graph without nodes.
pub fn empty_graph() -> impl Strategy<Value = Sample> {
    (0..CLASSES).prop_map(|class| sample(TopologyBuf::edgeless(0), 0, class))
}

/// Several graphs, as for one batch.
pub fn batch(
    graphs: RangeInclusive<usize>,
    nodes: RangeInclusive<usize>,
) -> impl Strategy<Value = Vec<Sample>> {
    proptest::collection::vec(graph(nodes), graphs)
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

/// Kinds of undirected graphs; the pairs are reduced to the nodes that there are.
#[derive(Clone, Debug)]
enum Shape {
    Random(Vec<(u16, u16)>),
    Edgeless,
    Star,
    Path,
    Cycle,
    Complete,
    HalfIsolated(Vec<(u16, u16)>),
    TwoParts(Vec<(u16, u16)>),
}

impl Shape {
    fn edges(&self, n: u32) -> Vec<(u32, u32)> {
        let half = n / 2;
        match self {
            Self::Random(edges) => within(edges, 0, n),
            Self::Edgeless => Vec::new(),
            Self::Star => (1..n).map(|leaf| (0, leaf)).collect(),
            Self::Path => (1..n).map(|node| (node - 1, node)).collect(),
            Self::Cycle => (0..n).map(|node| (node, (node + 1) % n)).filter(|(a, b)| a != b).collect(),
            Self::Complete => (1..n).flat_map(|b| (0..b).map(move |a| (a, b))).collect(),
            Self::HalfIsolated(edges) => within(edges, 0, n - half),
            Self::TwoParts(edges) => {
                let (left, right) = edges.split_at(edges.len() / 2);
                let mut both = within(left, 0, half);
                both.extend(within(right, half, n));
                both
            }
        }
    }
}

/// Two to three edges a node for graphs of a dozen nodes.
fn edges() -> impl Strategy<Value = Vec<(u16, u16)>> {
    proptest::collection::vec(any::<(u16, u16)>(), 0..32)
}

/// The pairs as edges between `first..end`, without self-loops.
fn within(pairs: &[(u16, u16)], first: u32, end: u32) -> Vec<(u32, u32)> {
    if first == end {
        return Vec::new();
    }
    let node = |at: u16| first + u32::from(at) % (end - first);
    pairs.iter().map(|&(a, b)| (node(a), node(b))).filter(|(a, b)| a != b).collect()
}

/// Features are evenly spaced numbers in (-1, 1), in an order drawn from the seed.
fn sample(topology: TopologyBuf, seed: u64, class: u32) -> Sample {
    let nodes = topology.view().nodes();
    let count = nodes * FEATURES;
    let mut rank: Vec<usize> = (0..count).collect();
    Stream::new("features", seed).shuffle(&mut rank);
    let x = Array2::from_shape_fn((nodes, FEATURES), |(node, feature)| {
        (2 * rank[node * FEATURES + feature] + 1) as f32 / count as f32 - 1.0
    });
    Sample::of_parts(topology, x, None, Target::Class(class))
}

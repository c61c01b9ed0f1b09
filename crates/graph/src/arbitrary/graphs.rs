//! Which graphs are drawn.

use std::ops::RangeInclusive;

use ndarray::Array2;
use proptest::prelude::*;
use proptest::strategy::NewTree;
use proptest::test_runner::TestRunner;

use super::shape::Shape;
use super::smaller::{Batch, Drawn, Tree};
use super::{CLASSES, FEATURES};
use crate::stream::Stream;
use crate::{Permutation, Sample, Target, TopologyBuf};

/// The graphs of a draw; a strategy of [`Sample`]s.
#[derive(Clone, Debug)]
pub struct Graphs {
    /// How many nodes.
    pub nodes: RangeInclusive<usize>,
    /// Which shapes, and the weight of each in the draw.
    pub shapes: Vec<(u32, Shape)>,
    /// What is on the nodes.
    pub features: Features,
    /// What is on the edges.
    pub weights: Weights,
}

/// What is on the nodes of a drawn graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Features {
    /// Evenly spaced numbers in (-1, 1), in uniform order: no two of a graph are equal, so that what ranks nodes never ties.
    #[default]
    Distinct,
    /// The rows of three nodes of [`Features::Distinct`], one for each node, uniformly: nodes tie.
    Tied,
    /// One row of [`Features::Distinct`] for all nodes: nothing but edges tells them apart.
    Constant,
}

/// What is on the edges of a drawn graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// Nothing.
    #[default]
    Unit,
    /// A weight in `edge_attr: [edges, 1]`, uniform of `0.25, 0.5, …, 2`, the same for an edge and its reverse.
    Symmetric,
}

impl Graphs {
    /// Undirected graphs of all [`Shape::UNDIRECTED`], features that do not tie, edges without weights.
    ///
    /// # Panics
    /// When the range is empty.
    pub fn new(nodes: RangeInclusive<usize>) -> Self {
        assert!(!nodes.is_empty(), "a range of nodes that is not empty");
        Self {
            nodes,
            shapes: Shape::UNDIRECTED.to_vec(),
            features: Features::default(),
            weights: Weights::default(),
        }
    }

    /// The same of one shape.
    pub fn of(shape: Shape, nodes: RangeInclusive<usize>) -> Self {
        Self { shapes: vec![(1, shape)], ..Self::new(nodes) }
    }

    /// Several of them, each drawn alone.
    ///
    /// # Panics
    /// When the range is empty.
    pub fn batch(self, graphs: RangeInclusive<usize>) -> Batches {
        assert!(!graphs.is_empty(), "a range of graphs that is not empty");
        Batches { graphs, each: self }
    }

    pub(super) fn draw(&self, random: &mut Stream) -> Drawn {
        let (least, most) = (*self.nodes.start(), *self.nodes.end());
        let shape = self.shape(random);
        let n = if random.below(7) == 0 { least } else { random.between(least, most) };
        let n = if shape == Shape::Empty { 0 } else { n };
        let mut name: Vec<u32> = (0..n as u32).collect();
        if random.below(2) == 0 {
            random.shuffle(&mut name);
        }
        let named = |(i, j): (u32, u32)| (name[i as usize], name[j as usize]);
        let edges: Vec<(u32, u32)> = shape.edges(n as u32, random).into_iter().map(named).collect();
        let topology = TopologyBuf::of_edges(n, &edges);
        let class = random.below(CLASSES as usize) as u32;
        let x = self.features.draw(n, random);
        let weights = self.weights.draw(&topology, random);
        let sample = Sample::of_parts(topology, x, None, Target::Class(class));
        let sample = match weights {
            Some(weights) => sample.with_edge_attr(weights).expect("a weight per edge"),
            None => sample,
        };
        let to = Permutation::moving(n, random.below(usize::MAX) as u64);
        Drawn::new(sample, to, least.min(n))
    }

    fn shape(&self, random: &mut Stream) -> Shape {
        let total: u32 = self.shapes.iter().map(|(weight, _)| weight).sum();
        assert!(total > 0, "shapes to draw from");
        let mut at = random.below(total as usize) as u32;
        for &(weight, shape) in &self.shapes {
            if at < weight {
                return shape;
            }
            at -= weight;
        }
        unreachable!("a number below the sum of the weights")
    }
}

impl Strategy for Graphs {
    type Tree = Tree<Drawn>;
    type Value = Sample;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(Tree::new(self.draw(&mut stream(runner))))
    }
}

/// Several graphs of a kind; a strategy of lists of [`Sample`]s.
#[derive(Clone, Debug)]
pub struct Batches {
    graphs: RangeInclusive<usize>,
    each: Graphs,
}

impl Batches {
    /// A batch that can still be made smaller, for strategies made of more than graphs.
    pub fn draw(&self, runner: &mut TestRunner) -> Batch {
        let mut random = stream(runner);
        let count = random.between(*self.graphs.start(), *self.graphs.end());
        Batch::new((0..count).map(|_| self.each.draw(&mut random)).collect(), *self.graphs.start())
    }
}

impl Strategy for Batches {
    type Tree = Tree<Batch>;
    type Value = Vec<Sample>;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(Tree::new(self.draw(runner)))
    }
}

fn stream(runner: &mut TestRunner) -> Stream {
    Stream::new("arbitrary", runner.rng().next_u64())
}

impl Features {
    fn draw(self, nodes: usize, random: &mut Stream) -> Array2<f32> {
        let rows = if self == Self::Distinct { nodes } else { 3 };
        let count = rows * FEATURES;
        let mut rank: Vec<usize> = (0..count).collect();
        random.shuffle(&mut rank);
        let value =
            |row: usize, column: usize| (2 * rank[row * FEATURES + column] + 1) as f32 / count as f32 - 1.0;
        let row_of: Vec<usize> = match self {
            Self::Distinct => (0..nodes).collect(),
            Self::Tied => (0..nodes).map(|_| random.below(rows)).collect(),
            Self::Constant => vec![0; nodes],
        };
        Array2::from_shape_fn((nodes, FEATURES), |(node, column)| value(row_of[node], column))
    }
}

impl Weights {
    fn draw(self, topology: &TopologyBuf, random: &mut Stream) -> Option<Array2<f32>> {
        if self == Self::Unit {
            return None;
        }
        let n = topology.view().nodes();
        let quarters: Vec<usize> = (0..n * n).map(|_| random.between(1, 8)).collect();
        let weight = |(i, j): (u32, u32)| quarters[i.min(j) as usize * n + i.max(j) as usize] as f32 / 4.0;
        let weights: Vec<f32> = topology.view().pairs().map(weight).collect();
        Some(Array2::from_shape_vec((weights.len(), 1), weights).expect("one column"))
    }
}

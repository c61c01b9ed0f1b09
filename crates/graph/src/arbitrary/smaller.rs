//! Making counter-examples smaller: nodes, edges and graphs go, numbers become short.

use std::fmt::Debug;

use ndarray::{Array2, ArrayView2, Axis};
use proptest::strategy::ValueTree;

use crate::{Sample, Target, TopologyBuf};

/// A drawn value that can be made smaller in numbered steps.
pub trait Smaller: Clone {
    /// What a property is asked about.
    type Value: Debug;

    /// The value as it is now.
    fn value(&self) -> Self::Value;

    /// How many steps there are.
    fn steps(&self) -> usize;

    /// The value after step `step`, strictly smaller; `None` where there is nothing to do. Steps with low numbers take away most.
    fn step(&self, step: usize) -> Option<Self>;
}

/// Steps of a [`Smaller`] value, one after the other, until none helps.
///
/// A step that leaves a counter-example is kept; then the step of the same number is tried again, since what came after has moved
/// up. Shrinking ends after a round in which no step helped: no single step makes the value that is left smaller.
#[derive(Clone, Debug)]
pub struct Tree<T> {
    best: T,
    tried: Option<T>,
    next: usize,
    idle: usize,
}

impl<T: Smaller> Tree<T> {
    /// Begins with the value as it was drawn.
    pub fn new(drawn: T) -> Self {
        Self { best: drawn, tried: None, next: 0, idle: 0 }
    }

    fn advance(&mut self) -> bool {
        let steps = self.best.steps();
        while self.idle < steps {
            if self.next >= steps {
                self.next = 0;
            }
            self.idle += 1;
            self.tried = self.best.step(self.next);
            if self.tried.is_some() {
                return true;
            }
            self.next += 1;
        }
        false
    }
}

impl<T: Smaller> ValueTree for Tree<T> {
    type Value = T::Value;

    fn current(&self) -> T::Value {
        self.tried.as_ref().unwrap_or(&self.best).value()
    }

    fn simplify(&mut self) -> bool {
        if let Some(smaller) = self.tried.take() {
            self.best = smaller;
            self.idle = 0;
        }
        self.advance()
    }

    fn complicate(&mut self) -> bool {
        if self.tried.take().is_none() {
            return false;
        }
        self.next += 1;
        self.advance()
    }
}

/// A drawn graph.
///
/// Its steps: each node goes, with its edges; each edge goes, with its reverse; weights become 1; the class becomes 0; features have
/// one decimal place, or two, or three, where numbers that differ still do.
#[derive(Clone, Debug)]
pub struct Drawn {
    sample: Sample,
    least: usize,
}

/// Decimal places that features are rounded to, by the step.
const PLACES: [i32; 3] = [1, 2, 3];

impl Drawn {
    /// A graph that keeps `least` nodes.
    pub fn new(sample: Sample, least: usize) -> Self {
        Self { sample, least }
    }

    /// The graph.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    fn with(&self, sample: Sample) -> Self {
        Self { sample, least: self.least }
    }

    /// Unordered pairs of nodes joined in either direction, ascending.
    fn joined(&self) -> Vec<(u32, u32)> {
        let mut pairs: Vec<_> =
            self.sample.view().topology.pairs().map(|(i, j)| (i.min(j), i.max(j))).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    fn without_node(&self, gone: usize) -> Option<Self> {
        let n = self.sample.view().nodes();
        (n > self.least).then(|| self.with(part(&self.sample, |i| i as usize != gone, |_, _| true)))
    }

    fn without_edge(&self, at: usize) -> Option<Self> {
        let (a, b) = *self.joined().get(at)?;
        Some(self.with(part(&self.sample, |_| true, |i, j| (i.min(j), i.max(j)) != (a, b))))
    }

    fn unweighted(&self) -> Option<Self> {
        let weights = self.sample.view().edge_attr.filter(|w| w.iter().any(|w| (w - 1.0).abs() > 0.0))?;
        let ones = Array2::ones(weights.dim());
        Some(self.with(self.sample.clone().with_edge_attr(ones).expect("a row an edge, as before")))
    }

    fn of_first_class(&self) -> Option<Self> {
        let other = self.sample.view().y != Target::Class(0);
        other.then(|| self.with(self.sample.clone().with_target(Target::Class(0))))
    }

    fn rounded(&self, places: i32) -> Option<Self> {
        let x = self.sample.view().x;
        let is_short = PLACES.iter().take_while(|&&fewer| fewer <= places).any(|&p| x == round(x, p));
        let short = round(x, places);
        let apart = kinds(short.iter()) == kinds(x.iter());
        (!is_short && apart).then(|| self.with(refeatured(&self.sample, short)))
    }
}

fn round(x: ArrayView2<'_, f32>, places: i32) -> Array2<f32> {
    let power = 10f32.powi(places);
    x.mapv(|value| (value * power).round() / power)
}

/// How many different numbers there are.
fn kinds<'a>(values: impl Iterator<Item = &'a f32>) -> usize {
    let mut bits: Vec<u32> = values.map(|value| (value + 0.0).to_bits()).collect();
    bits.sort_unstable();
    bits.dedup();
    bits.len()
}

impl Smaller for Drawn {
    type Value = Sample;

    fn value(&self) -> Sample {
        self.sample.clone()
    }

    fn steps(&self) -> usize {
        self.sample.view().nodes() + self.joined().len() + 2 + PLACES.len()
    }

    fn step(&self, step: usize) -> Option<Self> {
        let nodes = self.sample.view().nodes();
        let rest = nodes + self.joined().len();
        match step {
            node if node < nodes => self.without_node(node),
            edge if edge < rest => self.without_edge(edge - nodes),
            weights if weights == rest => self.unweighted(),
            class if class == rest + 1 => self.of_first_class(),
            round => self.rounded(*PLACES.get(round - rest - 2)?),
        }
    }
}

/// A drawn list of graphs.
///
/// Its steps: each graph goes; then those of each graph.
#[derive(Clone, Debug)]
pub struct Batch {
    graphs: Vec<Drawn>,
    least: usize,
}

impl Batch {
    /// A batch that keeps `least` graphs.
    pub fn new(graphs: Vec<Drawn>, least: usize) -> Self {
        Self { graphs, least }
    }
}

impl Smaller for Batch {
    type Value = Vec<Sample>;

    fn value(&self) -> Vec<Sample> {
        self.graphs.iter().map(Drawn::value).collect()
    }

    fn steps(&self) -> usize {
        self.graphs.len() + self.graphs.iter().map(Drawn::steps).sum::<usize>()
    }

    fn step(&self, step: usize) -> Option<Self> {
        let mut graphs = self.graphs.clone();
        if step < graphs.len() {
            graphs.remove(step);
            return (graphs.len() >= self.least).then_some(Self { graphs, least: self.least });
        }
        let mut step = step - graphs.len();
        for graph in &mut graphs {
            if step < graph.steps() {
                *graph = graph.step(step)?;
                return Some(Self { graphs, least: self.least });
            }
            step -= graph.steps();
        }
        None
    }
}

/// The nodes and edges that are kept, with all they carry.
fn part(sample: &Sample, node: impl Fn(u32) -> bool, edge: impl Fn(u32, u32) -> bool) -> Sample {
    let view = sample.view();
    let nodes: Vec<usize> = (0..view.nodes()).filter(|&i| node(i as u32)).collect();
    let mut name = vec![0; view.nodes()];
    nodes.iter().enumerate().for_each(|(new, &old)| name[old] = new as u32);
    let kept = view.topology.pairs().enumerate().filter(|&(_, (i, j))| node(i) && node(j) && edge(i, j));
    let (entries, pairs): (Vec<usize>, Vec<(u32, u32)>) =
        kept.map(|(entry, (i, j))| (entry, (name[i as usize], name[j as usize]))).unzip();
    let topology = TopologyBuf::of_edges(nodes.len(), &pairs);
    let class = view.node_class.map(|class| nodes.iter().map(|&i| class[i]).collect());
    let mut part = Sample::of_parts(topology, view.x.select(Axis(0), &nodes), class, view.y);
    if let Some(attr) = view.edge_attr {
        part = part.with_edge_attr(attr.select(Axis(0), &entries)).expect("entries keep their order");
    }
    if let Some(label) = view.node_label {
        part = part.with_node_label(nodes.iter().map(|&i| label[i]).collect()).expect("a label a node");
    }
    part
}

/// The same graph with other features.
fn refeatured(sample: &Sample, x: Array2<f32>) -> Sample {
    let view = sample.view();
    let class = view.node_class.map(<[u32]>::to_vec);
    let mut other = Sample::of_parts(view.topology.to_owned(), x, class, view.y);
    if let Some(attr) = view.edge_attr {
        other = other.with_edge_attr(attr.to_owned()).expect("the same edges");
    }
    if let Some(label) = view.node_label {
        other = other.with_node_label(label.to_vec()).expect("the same nodes");
    }
    other
}

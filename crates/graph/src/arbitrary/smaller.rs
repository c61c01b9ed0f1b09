//! Making counter-examples smaller: nodes, edges and graphs go, numbers become short.

use std::fmt::Debug;

use ndarray::{Array2, ArrayView2, Axis};
use proptest::strategy::ValueTree;

use crate::{Permutation, Sample, Target, TopologyBuf};

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

/// A drawn graph, and a renumbering of its nodes for laws about their order.
///
/// Its steps: each node goes, with its edges; each edge goes, with its reverse; weights become 1; the class becomes 0; features have
/// one decimal place, or two, or three, where numbers that differ still do; each node is called what it was. Of the renumbering the nodes
/// that are left keep their order among each other, so that it does not change behind the back of a law.
#[derive(Clone, Debug)]
pub struct Drawn {
    sample: Sample,
    to: Permutation,
    least: usize,
}

/// Decimal places that features are rounded to, by the step.
const PLACES: [i32; 3] = [1, 2, 3];

impl Drawn {
    /// A graph that keeps `least` nodes.
    pub(super) fn new(sample: Sample, to: Permutation, least: usize) -> Self {
        Self { sample, to, least }
    }

    fn with(&self, sample: Sample) -> Self {
        Self { sample, ..self.clone() }
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
        let left =
            |(i, &to): (usize, &u32)| (i != gone).then_some(to - u32::from(to > self.to.as_slice()[gone]));
        let to = self.to.as_slice().iter().enumerate().filter_map(left).collect();
        (n > self.least).then(|| Self {
            sample: part(&self.sample, |i| i as usize != gone, |_, _| true),
            to: Permutation::new(to).expect("numbers above the one that went move down"),
            least: self.least,
        })
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

    fn with_name_kept(&self, node: usize) -> Option<Self> {
        let mut to = self.to.as_slice().to_vec();
        let other = to.iter().position(|&name| name as usize == node)?;
        to.swap(node, other);
        let to = Permutation::new(to).expect("two names exchanged");
        (other != node).then(|| Self { to, ..self.clone() })
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
        2 * self.sample.view().nodes() + self.joined().len() + 2 + PLACES.len()
    }

    fn step(&self, step: usize) -> Option<Self> {
        let nodes = self.sample.view().nodes();
        let rest = nodes + self.joined().len();
        match step {
            node if node < nodes => self.without_node(node),
            edge if edge < rest => self.without_edge(edge - nodes),
            weights if weights == rest => self.unweighted(),
            class if class == rest + 1 => self.of_first_class(),
            more => match PLACES.get(more - rest - 2) {
                Some(&places) => self.rounded(places),
                None => self.with_name_kept(more - rest - 2 - PLACES.len()),
            },
        }
    }
}

/// A drawn list of graphs.
///
/// Its steps: each graph goes; then those of each graph; then each pair of nodes goes, since some rules see but every second node.
#[derive(Clone, Debug)]
pub struct Batch {
    graphs: Vec<Drawn>,
    least: usize,
}

impl Batch {
    /// A batch that keeps `least` graphs.
    pub(super) fn new(graphs: Vec<Drawn>, least: usize) -> Self {
        Self { graphs, least }
    }

    /// Graphs that were not drawn, each with a renumbering of its nodes; none has a least size, and one of them stays.
    ///
    /// # Panics
    /// Unless each permutation is of the nodes of its graph.
    pub fn of(graphs: Vec<(Sample, Permutation)>) -> Self {
        let drawn = |(sample, to): (Sample, Permutation)| {
            assert_eq!(sample.view().nodes(), to.len(), "a permutation of the nodes");
            Drawn::new(sample, to, 0)
        };
        Self::new(graphs.into_iter().map(drawn).collect(), 1)
    }

    /// The same with more graphs behind.
    #[must_use]
    pub fn followed_by(mut self, more: Self) -> Self {
        self.graphs.extend(more.graphs);
        self
    }

    /// A renumbering of the nodes of each graph; as drawn, each moves some node, if there are two.
    pub fn renumberings(&self) -> Vec<Permutation> {
        self.graphs.iter().map(|graph| graph.to.clone()).collect()
    }
}

impl Batch {
    /// Every node: its graph, and its number there.
    fn places(&self) -> Vec<(usize, usize)> {
        let of_graph = |(b, graph): (usize, &Drawn)| {
            (0..graph.sample.view().nodes()).map(move |node| (b, node)).collect::<Vec<_>>()
        };
        self.graphs.iter().enumerate().flat_map(of_graph).collect()
    }
}

impl Smaller for Batch {
    type Value = Vec<Sample>;

    fn value(&self) -> Vec<Sample> {
        self.graphs.iter().map(Drawn::value).collect()
    }

    fn steps(&self) -> usize {
        let nodes = self.places().len();
        let of_graphs = self.graphs.iter().map(Drawn::steps).sum::<usize>();
        self.graphs.len() + of_graphs + nodes * nodes.saturating_sub(1) / 2
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
        let places = self.places();
        let mut pairs = (0..places.len()).flat_map(|second| (0..second).map(move |first| (first, second)));
        let (first, second) = pairs.nth(step)?;
        // The one that comes later first, so that the other keeps its place.
        for (graph, node) in [places[second], places[first]] {
            graphs[graph] = graphs[graph].without_node(node)?;
        }
        Some(Self { graphs, least: self.least })
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

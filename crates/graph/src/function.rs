//! Laws of functions of a graph (feature `proptest`): graph kernels, colourings, statistics, networks of any library.
//!
//! A law takes a function and [`Laws`], which say on what it is tried. It looks for a graph on which the function does not do what the law says,
//! shrinks it, and returns it as a [`Counterexample`]. Nothing here knows tensors.
//!
//! | law | says, for all `G`, `H` and renumberings `π` |
//! | --- | --- |
//! | [`invariant`] | `f(πG) = f(G)` |
//! | [`equivariant`] | `f(πG)[π(i)] = f(G)[i]` for every node `i` |
//! | [`additive`] | `f(G ⊎ H) = f(G) + f(H)` |
//! | [`local`] | `f(G ⊎ H)[i] = f(G)[i]` for every node `i` of `G` |
//! | [`finite`] | no `f(G)` holds NaN or an infinity |
//!
//! Numbers are compared by [`agree`]: `|got − want| ≤ tolerance · max(1, max|want|)`.
//!
//! # Examples
//! The sum of degrees has no order; degrees weighted by the number of their node have one.
//! ```
//! use coarsen_graph::function::{Laws, invariant};
//! use coarsen_graph::SampleRef;
//!
//! let degrees = |g: SampleRef<'_>| vec![(0..g.nodes()).map(|i| g.topology.degree(i) as f64).sum()];
//! invariant(degrees, &Laws::default())?;
//!
//! let ordered = |g: SampleRef<'_>| vec![(0..g.nodes()).map(|i| (i * g.topology.degree(i)) as f64).sum()];
//! let found = invariant(ordered, &Laws::default()).unwrap_err();
//! assert_eq!(found.nodes(), 3);
//! println!("{found}");
//! # Ok::<(), Box<coarsen_graph::counterexample::Counterexample>>(())
//! ```

use std::fmt;

use proptest::strategy::{Just, NewTree, Strategy};
use proptest::test_runner::TestRunner;

use crate::arbitrary::{Batch, Graphs, Shape, Smaller, Tree};
use crate::counterexample::{Counterexample, agree, literal};
use crate::search::{Found, Search};
use crate::{Permutation, Sample, SampleRef, TopologyBuf};

/// What a law says of a function: nothing, or where it does not hold.
pub type Verdict = Result<(), Box<Counterexample>>;

/// On what a function is tried.
#[derive(Clone, Debug)]
pub struct Laws {
    /// The draw. By default undirected graphs of up to nine nodes, one in twenty without any node, with features that do not tie.
    pub graphs: Graphs,
    /// Numbers agree up to this, relative from 1 on; 1e-9 by default: what is left of a million roundings in double precision
    /// (`10⁶ ε = 2e-10`), and far less than any wrong number.
    pub tolerance: f64,
    /// How many draws, and where failing ones are kept.
    pub search: Search,
    /// Cases to be tried in place of drawn ones: counter-examples from earlier, each as many graphs as the law takes.
    pub given: Vec<Vec<Sample>>,
}

impl Default for Laws {
    fn default() -> Self {
        let mut graphs = Graphs::new(1..=9);
        graphs.shapes.push((1, Shape::Empty));
        Self { graphs, tolerance: 1e-9, search: Search::default(), given: Vec::new() }
    }
}

impl Laws {
    /// The same, keeping failing seeds beside the test `file!()`.
    #[must_use]
    pub fn remembered(mut self, file: &'static str) -> Self {
        self.search.regressions = Some(file);
        self
    }

    /// The same on these graphs alone: a counter-example from earlier.
    #[must_use]
    pub fn on(mut self, graphs: Vec<Sample>) -> Self {
        self.given.push(graphs);
        self
    }

    fn hold(
        &self,
        law: &'static str,
        count: usize,
        property: impl Fn(&Drawing) -> Result<(), String>,
    ) -> Verdict {
        if self.given.is_empty() {
            let drawings = Drawings { graphs: self.graphs.clone(), count };
            return self.search.hold(&drawings, &property).map_err(|found| counterexample(law, found));
        }
        for graphs in &self.given {
            assert_eq!(graphs.len(), count, "{law} is about {count} graphs at a time");
            let once = Search { cases: 1, regressions: None, ..self.search.clone() };
            let drawing = Drawing { graphs: graphs.clone(), to: None };
            // A given case is not drawn: there is no seed of it.
            let unseeded = |found| Box::new(Counterexample { seed: None, ..*counterexample(law, found) });
            once.hold(&Just(drawing), &property).map_err(unseeded)?;
        }
        Ok(())
    }
}

fn counterexample(law: &'static str, found: Found<Drawing>) -> Box<Counterexample> {
    let Drawing { graphs, to } = found.case;
    let literal = format!("Laws::default().on({})", literal(&graphs));
    let renumbered = law == INVARIANT || law == EQUIVARIANT;
    let setting = match to {
        Some(to) if renumbered => format!("the renumbering that calls nodes 0, 1, … now {:?}", to.as_slice()),
        _ => String::new(),
    };
    let bare = Counterexample::new(law, found.how, graphs);
    Box::new(Counterexample { setting, literal, seed: found.seed, ..bare })
}

const INVARIANT: &str = "invariant";
const EQUIVARIANT: &str = "equivariant";

/// The order of the nodes does not matter: `f(πG) = f(G)`.
///
/// # Errors
/// The smallest graph found on which it does.
pub fn invariant(f: impl Fn(SampleRef<'_>) -> Vec<f64>, laws: &Laws) -> Verdict {
    laws.hold(INVARIANT, 1, |drawing| {
        let graph = &drawing.graphs[0];
        let want = f(graph.view());
        drawing.renumberings().iter().try_for_each(|to| {
            let got = f(renumbered(graph, to).view());
            agree("the value of the renumbered graph", &got, &want, &[want.len()], laws.tolerance)
        })
    })
}

/// A row per node, whose order is that of the nodes and which the order does not touch otherwise: `f(πG)[π(i)] = f(G)[i]`.
///
/// # Errors
/// The smallest graph found on which that is not so, or on which there is not one row per node.
pub fn equivariant(f: impl Fn(SampleRef<'_>) -> Vec<Vec<f64>>, laws: &Laws) -> Verdict {
    laws.hold(EQUIVARIANT, 1, |drawing| {
        let graph = &drawing.graphs[0];
        let want = per_node(&f, graph)?;
        drawing.renumberings().iter().try_for_each(|to| {
            let got = per_node(&f, &renumbered(graph, to))?;
            let back: Vec<Vec<f64>> = (0..to.len()).map(|i| got[to.to(i)].clone()).collect();
            rows_agree("the value", &back, &want, laws.tolerance)
        })
    })
}

/// Of separate graphs the values add up: `f(G ⊎ H) = f(G) + f(H)`, as counts and kernels of substructures do.
///
/// # Errors
/// The smallest pair found whose do not.
pub fn additive(f: impl Fn(SampleRef<'_>) -> Vec<f64>, laws: &Laws) -> Verdict {
    laws.hold("additive", 2, |drawing| {
        let [first, second] = [&drawing.graphs[0], &drawing.graphs[1]].map(|graph| f(graph.view()));
        if first.len() != second.len() {
            return Err(format!("{} numbers of one graph and {} of another", first.len(), second.len()));
        }
        let want: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a + b).collect();
        let got = f(union(&drawing.graphs[0], &drawing.graphs[1]).view());
        agree("the value of both as one graph", &got, &want, &[want.len()], laws.tolerance)
    })
}

/// What is not connected to a node does not reach it: `f(G ⊎ H)[i] = f(G)[i]`.
///
/// # Errors
/// The smallest pair found where it does, or where there is not one row per node.
pub fn local(f: impl Fn(SampleRef<'_>) -> Vec<Vec<f64>>, laws: &Laws) -> Verdict {
    laws.hold("local", 2, |drawing| {
        let (graph, beside) = (&drawing.graphs[0], &drawing.graphs[1]);
        let want = per_node(&f, graph)?;
        let mut got = per_node(&f, &union(graph, beside))?;
        got.truncate(want.len());
        rows_agree("beside the other graph the value", &got, &want, laws.tolerance)
    })
}

/// Every value is a number, on graphs without edges and without nodes as well.
///
/// # Errors
/// The smallest graph found on which one is not.
pub fn finite(f: impl Fn(SampleRef<'_>) -> Vec<f64>, laws: &Laws) -> Verdict {
    laws.hold("finite", 1, |drawing| {
        let values = f(drawing.graphs[0].view());
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(at) => Err(format!("number {at} is {}", values[at])),
        }
    })
}

fn per_node(f: impl Fn(SampleRef<'_>) -> Vec<Vec<f64>>, graph: &Sample) -> Result<Vec<Vec<f64>>, String> {
    let rows = f(graph.view());
    let nodes = graph.view().nodes();
    if rows.len() == nodes { Ok(rows) } else { Err(format!("{} rows for {nodes} nodes", rows.len())) }
}

fn rows_agree(what: &str, got: &[Vec<f64>], want: &[Vec<f64>], tolerance: f64) -> Result<(), String> {
    got.iter().zip(want).enumerate().try_for_each(|(i, (got, want))| {
        agree(&format!("{what} of node {i}"), got, want, &[want.len()], tolerance)
    })
}

fn renumbered(graph: &Sample, to: &Permutation) -> Sample {
    graph.permuted(to).expect("a permutation of as many nodes")
}

/// Both as one graph without an edge between them.
fn union(first: &Sample, second: &Sample) -> Sample {
    let (a, b) = (first.view(), second.view());
    let moved = b.topology.pairs().map(|(i, j)| (i + a.nodes() as u32, j + a.nodes() as u32));
    let pairs: Vec<(u32, u32)> = a.topology.pairs().chain(moved).collect();
    let topology = TopologyBuf::of_edges(a.nodes() + b.nodes(), &pairs);
    let stacked = |a, b| ndarray::concatenate(ndarray::Axis(0), &[a, b]).expect("tables of one width");
    let both = Sample::of_parts(topology, stacked(a.x, b.x), None, a.y);
    match (a.edge_attr, b.edge_attr) {
        (Some(a), Some(b)) => both.with_edge_attr(stacked(a, b)).expect("entries in the order of rows"),
        _ => both,
    }
}

/// Graphs, and how the nodes of the first are renumbered; `None`: in every way, as far as there are not too many.
#[derive(Clone)]
struct Drawing {
    graphs: Vec<Sample>,
    to: Option<Permutation>,
}

impl fmt::Debug for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&literal(&self.graphs).split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Renumberings of a graph that was given: all of six nodes.
const MOST_RENUMBERINGS: u64 = 720;

impl Drawing {
    fn renumberings(&self) -> Vec<Permutation> {
        let n = self.graphs[0].view().nodes();
        match &self.to {
            Some(to) => vec![to.clone()],
            None if n <= 6 => every_renumbering(n),
            None => (0..MOST_RENUMBERINGS).map(|seed| Permutation::random(n, seed)).collect(),
        }
    }
}

fn every_renumbering(n: usize) -> Vec<Permutation> {
    let mut orders: Vec<Vec<u32>> = vec![Vec::new()];
    for i in 0..n as u32 {
        let grown = |order: &Vec<u32>| {
            let order = order.clone();
            (0..=order.len()).map(move |at| {
                let mut longer = order.clone();
                longer.insert(at, i);
                longer
            })
        };
        orders = orders.iter().flat_map(grown).collect();
    }
    orders.into_iter().map(|to| Permutation::new(to).expect("each number once")).collect()
}

#[derive(Clone, Debug)]
struct Drawings {
    graphs: Graphs,
    count: usize,
}

impl Strategy for Drawings {
    type Tree = Tree<Shrinking>;
    type Value = Drawing;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(Tree::new(Shrinking(self.graphs.clone().batch(self.count..=self.count).draw(runner))))
    }
}

#[derive(Clone)]
struct Shrinking(Batch);

impl Smaller for Shrinking {
    type Value = Drawing;

    fn value(&self) -> Drawing {
        Drawing { graphs: self.0.value(), to: self.0.renumberings().into_iter().next() }
    }

    fn steps(&self) -> usize {
        self.0.steps()
    }

    fn step(&self, step: usize) -> Option<Self> {
        self.0.step(step).map(Self)
    }
}

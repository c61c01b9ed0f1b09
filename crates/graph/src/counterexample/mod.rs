//! Counter-examples a person can read (feature `proptest`): a drawing, a graph for Graphviz, an expression to paste into a test.
//!
//! # Examples
//! ```
//! use coarsen_graph::counterexample::{Counterexample, graph};
//!
//! let path = graph(&[[0.5], [1.0], [-1.0]], &[(0, 1), (1, 0), (1, 2), (2, 1)]);
//! let found = Counterexample::new("invariant", "the sum is off", vec![path]);
//! assert_eq!(found.drawing(), "\
//! graph 0: 3 nodes, 2 edges
//!   0───1───2
//!   x of 0: [0.5]
//!   x of 1: [1.0]
//!   x of 2: [-1.0]
//! ");
//! ```

mod dot;
mod drawing;
mod literal;

use std::fmt;

pub use literal::{graph, literal, weighted_graph};

use crate::Sample;

/// A case that breaks a law.
///
/// Printed, it says which law, what differs first, on which graphs (drawn), in which setting, and how to have it again: as an expression to
/// paste into a test and as the seed of the draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    /// The law.
    pub law: &'static str,
    /// What differs, by how much and how much is allowed; or what is missing.
    pub how: String,
    /// The graphs it is seen on: the smallest that shrinking came to.
    pub graphs: Vec<Sample>,
    /// What else makes the case: the pass, the renumbering.
    pub setting: String,
    /// Rust that makes the case.
    pub literal: String,
    /// The line of a `proptest-regressions` file that draws the case again, before it was made smaller.
    pub seed: Option<String>,
}

impl Counterexample {
    /// Of graphs and nothing else.
    pub fn new(law: &'static str, how: impl Into<String>, graphs: Vec<Sample>) -> Self {
        let literal = literal(&graphs);
        Self { law, how: how.into(), graphs, setting: String::new(), literal, seed: None }
    }

    /// The number of nodes of all graphs.
    pub fn nodes(&self) -> usize {
        self.graphs.iter().map(|graph| graph.view().nodes()).sum()
    }

    /// The graphs as text: nodes in a row, one line for each edge between nodes that do not stand side by side; arrows on edges that
    /// have no reverse.
    pub fn drawing(&self) -> String {
        self.graphs.iter().enumerate().map(|(b, graph)| drawing::drawn(b, graph)).collect()
    }

    /// The graphs in the language of Graphviz, by petgraph: one graph of all, node `i` of graph `b` labelled `b.i` and with its features.
    pub fn dot(&self) -> String {
        dot::dot(&self.graphs)
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} does not hold: {}", self.law, self.how)?;
        if !self.setting.is_empty() {
            writeln!(f, "in {}", self.setting)?;
        }
        write!(f, "{}", self.drawing())?;
        if !self.graphs.is_empty() {
            write!(f, "for Graphviz:\n{}", self.dot())?;
        }
        if !self.literal.is_empty() {
            writeln!(f, "to paste into a test:\n{}", self.literal)?;
        }
        match &self.seed {
            Some(seed) => {
                write!(f, "to draw it again, put this line into the test's file of regressions:\n{seed}")
            }
            None => Ok(()),
        }
    }
}

impl std::error::Error for Counterexample {}

/// Compares numbers one by one: `|got − want| ≤ tolerance · max(1, max|want|)`. NaN and infinity agree with nothing.
///
/// # Errors
/// Where they differ first, both values, and how much was allowed. `shape` turns the place into an index, row by row.
pub fn agree(what: &str, got: &[f64], want: &[f64], shape: &[usize], tolerance: f64) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{what} has {} numbers in place of {}", got.len(), want.len()));
    }
    let scale = want.iter().fold(1.0f64, |most, w| most.max(w.abs()));
    let allowed = tolerance * scale;
    let fits = |(g, w): (&f64, &f64)| (g - w).abs() <= allowed;
    let Some(at) = got.iter().zip(want).position(|pair| !fits(pair)) else { return Ok(()) };
    let off = got.iter().zip(want).map(|(g, w)| (g - w).abs()).fold(0.0, f64::max);
    let place = if shape.is_empty() { String::new() } else { format!(" first at {:?}", index(at, shape)) };
    Err(format!(
        "{what} differs{place}: {:?} in place of {:?}; off by up to {off:.3e} where {allowed:.1e} is allowed",
        got[at], want[at]
    ))
}

/// Entry `at` of an array of this shape, stored row by row.
fn index(at: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = at;
    let mut index = vec![0; shape.len()];
    for (place, &width) in index.iter_mut().zip(shape).rev() {
        *place = rest % width.max(1);
        rest /= width.max(1);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let message = agree("x", &[1.0, 2.0, 3.0, 9.0], &[1.0, 2.5, 3.0, 4.0], &[2, 2], 0.05).unwrap_err();
        assert_eq!(
            message,
            "x differs first at [0, 1]: 2.0 in place of 2.5; off by up to 5.000e0 where 2.0e-1 is allowed"
        );
        assert_eq!(agree("x", &[1.0], &[1.5], &[], 0.5), Ok(()));
        assert_eq!(agree("x", &[], &[], &[0], 0.0), Ok(()));
        assert!(agree("x", &[1.0], &[], &[1], 0.0).is_err());
        for none in [f64::NAN, f64::INFINITY] {
            assert!(agree("x", &[none], &[none], &[1], 1.0).is_err());
        }
        assert_eq!(index(23, &[2, 3, 4]), [1, 2, 3]);
    }

    #[test]
    fn everything_is_printed() {
        let pair = graph(&[[0.5], [1.0]], &[(0, 1), (1, 0)]);
        let mut found = Counterexample::new("invariant", "the sum is off", vec![pair]);
        found.setting = "a dream".to_owned();
        found.seed = Some("cc 12".to_owned());
        let want = "\
invariant does not hold: the sum is off
in a dream
graph 0: 2 nodes, 1 edge
  0───1
  x of 0: [0.5]
  x of 1: [1.0]
for Graphviz:
graph {
    0 [ label = \"0.0\\l0.5\" ]
    1 [ label = \"0.1\\l1\" ]
    0 -- 1 [ ]
}
to paste into a test:
vec![
    graph(&[[0.5], [1.0]], &[(1, 0), (0, 1)]),
]
to draw it again, put this line into the test's file of regressions:
cc 12";
        assert_eq!(found.to_string(), want);
    }
}

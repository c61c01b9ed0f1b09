//! Renumbering the nodes of a graph.

use crate::stream::Stream;
use crate::{Error, Sample, TopologyBuf};
use ndarray::{Array2, ArrayView2, Axis};

/// A checked permutation of `0..n`: node `i` goes to position `to(i)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permutation {
    to: Vec<u32>,
}

impl Permutation {
    /// Checks that `to` names each of `0..to.len()` once.
    ///
    /// # Errors
    /// [`Error::Permutation`] with the first entry that is too large or repeated.
    pub fn new(to: Vec<u32>) -> Result<Self, Error> {
        let mut seen = vec![false; to.len()];
        for &position in &to {
            match seen.get_mut(position as usize) {
                None => {
                    let rule = format!("positions must be below {}", to.len());
                    return Err(Error::Permutation { rule, got: position.to_string() });
                }
                Some(true) => {
                    let rule = "no position may occur twice".to_owned();
                    return Err(Error::Permutation { rule, got: format!("{position} again") });
                }
                Some(slot) => *slot = true,
            }
        }
        Ok(Self { to })
    }

    /// The permutation that changes nothing.
    pub fn identity(n: usize) -> Self {
        Self { to: (0..n as u32).collect() }
    }

    /// A permutation drawn from a seed; equal seeds give equal permutations on every machine.
    pub fn random(n: usize, seed: u64) -> Self {
        let mut to: Vec<u32> = (0..n as u32).collect();
        Stream::new("permutation", seed).shuffle(&mut to);
        Self { to }
    }

    /// As [`Permutation::random`], but never the one that changes nothing: then every node goes to the next place. Of one node there is no other.
    pub fn moving(n: usize, seed: u64) -> Self {
        let drawn = Self::random(n, seed);
        if n < 2 || drawn != Self::identity(n) {
            return drawn;
        }
        Self { to: (0..n as u32).map(|i| (i + 1) % n as u32).collect() }
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.to.len()
    }

    /// Is it over no node at all.
    pub fn is_empty(&self) -> bool {
        self.to.is_empty()
    }

    /// Where node `i` goes.
    pub fn to(&self, i: usize) -> usize {
        self.to[i] as usize
    }

    /// All positions: entry `i` is where node `i` goes.
    pub fn as_slice(&self) -> &[u32] {
        &self.to
    }

    /// The permutation that takes everything back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let mut to = vec![0; self.to.len()];
        for (node, &position) in self.to.iter().enumerate() {
            to[position as usize] = node as u32;
        }
        Self { to }
    }

    /// Renumbers the nodes of a graph, and with them the rows of everything it carries.
    ///
    /// # Errors
    /// [`Error::Sample`] when the graph has another number of nodes.
    pub fn apply(&self, sample: &Sample) -> Result<Sample, Error> {
        let view = sample.view();
        if view.nodes() != self.len() {
            let rule = format!("a permutation of {} needs as many nodes", self.len());
            return Err(Error::Sample { rule, got: view.nodes().to_string() });
        }
        let from = self.inverse();
        let mut row_ptr = vec![0];
        let (mut col, mut entries) = (Vec::with_capacity(view.edges()), Vec::with_capacity(view.edges()));
        for target in 0..self.len() {
            let old = from.to(target);
            let mut row: Vec<(u32, usize)> = view
                .topology
                .row(old)
                .map(|entry| (self.to[view.topology.col[entry] as usize], entry))
                .collect();
            row.sort_unstable();
            col.extend(row.iter().map(|&(source, _)| source));
            entries.extend(row.iter().map(|&(_, entry)| entry));
            row_ptr.push(col.len());
        }
        let nodes: Vec<usize> = from.to.iter().map(|&old| old as usize).collect();
        let mut out = Sample::new(TopologyBuf::new(row_ptr, col)?, rows(view.x, &nodes), view.y)?;
        if let Some(attr) = view.edge_attr {
            out = out.with_edge_attr(rows(attr, &entries))?;
        }
        if let Some(label) = view.node_label {
            out = out.with_node_label(nodes.iter().map(|&old| label[old]).collect())?;
        }
        if let Some(class) = view.node_class {
            out = out.with_node_class(nodes.iter().map(|&old| class[old]).collect())?;
        }
        Ok(out)
    }
}

fn rows(table: ArrayView2<'_, f32>, index: &[usize]) -> Array2<f32> {
    table.select(Axis(0), index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;
    use ndarray::array;

    #[test]
    fn only_permutations_are_accepted() {
        assert_eq!(
            Permutation::new(vec![0, 2]).unwrap_err().to_string(),
            "permutation: positions must be below 2, got 2"
        );
        assert_eq!(
            Permutation::new(vec![1, 1]).unwrap_err().to_string(),
            "permutation: no position may occur twice, got 1 again"
        );
        assert!(Permutation::new(vec![]).unwrap().is_empty());
    }

    #[test]
    fn something_always_moves() {
        for n in 0..4 {
            for seed in 0..40 {
                let moved = Permutation::moving(n, seed);
                assert_eq!(moved == Permutation::identity(n), n < 2, "{moved:?}");
                assert!(Permutation::new(moved.as_slice().to_vec()).is_ok());
            }
        }
    }

    #[test]
    fn everything_moves_together() {
        // 0 → 1 → 2 with distinguishable rows.
        let path = TopologyBuf::from_edges(3, [(0, 1), (1, 2)]).unwrap();
        let sample = Sample::new(path, array![[0.0], [1.0], [2.0]], Target::Class(0))
            .and_then(|s| s.with_edge_attr(array![[0.1], [1.2]]))
            .and_then(|s| s.with_node_label(vec![5, 6, 7]))
            .unwrap();
        let moved = sample.permuted(&Permutation::new(vec![2, 0, 1]).unwrap()).unwrap();
        let view = moved.view();
        assert_eq!(view.topology.pairs().collect::<Vec<_>>(), [(2, 0), (0, 1)]);
        assert_eq!(view.x, array![[1.0], [2.0], [0.0]]);
        assert_eq!(view.edge_attr.unwrap(), array![[0.1], [1.2]]);
        assert_eq!(view.node_label.unwrap(), [6, 7, 5]);
        assert!(sample.permuted(&Permutation::identity(2)).is_err());
    }
}

//! Kron reduction: a network of conductances as some of its nodes see it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Topology;

/// Which Laplacian of a weighted graph, `D` being the diagonal of its degrees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Laplacian {
    /// `L = D − A`.
    Combinatorial,
    /// `L = I − D^{-1/2} A D^{-1/2}`; the row of a node without edges is 0.
    #[default]
    Normalized,
}

/// An undirected graph of positive weights without loops: conductances between nodes.
///
/// # Examples
/// The middle of a path is taken out: two resistors in series.
/// ```
/// use coarsen_graph::{TopologyBuf, cluster::kron::{Laplacian, Network}};
///
/// let path = TopologyBuf::from_undirected(3, [(0, 1), (1, 2)])?;
/// let ends = Network::new(&path.view(), None).reduced(&[true, false, true], Laplacian::Combinatorial);
/// assert_eq!(ends.row(0), [(1, 0.5)]);
/// # Ok::<(), coarsen_graph::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The neighbours of each node in ascending order, and the weights.
    rows: Vec<Vec<(u32, f64)>>,
}

impl Network {
    /// The network of a graph, with `weights` in the order of `t.col`, 1 without.
    ///
    /// Of an edge and its reverse the mean counts, a missing one as 0. Loops count for nothing, nor do weights that are not between
    /// 1e-150 and 1e150, whose products could not be told from 0 or infinity.
    ///
    /// # Complexity
    /// O(N + E log E) time, O(N + E) memory.
    ///
    /// # Panics
    /// When `weights` has not one entry per edge.
    pub fn new(t: &Topology<'_>, weights: Option<&[f64]>) -> Self {
        if let Some(weights) = weights {
            assert_eq!(weights.len(), t.edges(), "kron: one weight per edge");
        }
        let mut rows: Vec<Vec<(u32, f64)>> = vec![Vec::new(); t.nodes()];
        for i in 0..t.nodes() {
            for (e, &j) in t.row(i).zip(t.neighbours(i)) {
                let half = weights.map_or(1.0, |w| w[e]) / 2.0;
                if j as usize != i && conducts(half) {
                    rows[i].push((j, half));
                    rows[j as usize].push((i as u32, half));
                }
            }
        }
        for row in &mut rows {
            row.sort_unstable_by_key(|&(j, _)| j);
            row.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                kept.1 += if same { next.1 } else { 0.0 };
                same
            });
        }
        Self { rows }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.rows.len()
    }

    /// The neighbours of node `i` in ascending order, and the weights.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn row(&self, i: usize) -> &[(u32, f64)] {
        &self.rows[i]
    }

    /// The sum of the weights of node `i`.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn degree(&self, i: usize) -> f64 {
        self.rows[i].iter().map(|&(_, w)| w).sum()
    }

    /// The nodes of each connected component, in ascending order, the components by their first node.
    ///
    /// # Complexity
    /// O(N log N + E) time, O(N) memory.
    pub fn components(&self) -> Vec<Vec<u32>> {
        let mut seen = vec![false; self.nodes()];
        let mut components = Vec::new();
        for first in 0..self.nodes() {
            if seen[first] {
                continue;
            }
            seen[first] = true;
            let mut members = vec![first as u32];
            let mut next = 0;
            while let Some(&i) = members.get(next) {
                for &(j, _) in &self.rows[i as usize] {
                    if !std::mem::replace(&mut seen[j as usize], true) {
                        members.push(j);
                    }
                }
                next += 1;
            }
            members.sort_unstable();
            components.push(members);
        }
        components
    }

    /// The network between the nodes `kept`: `−L'` off the diagonal, `L' = L₊₊ − L₊₋ L₋₋⁻¹ L₋₊` (Kron 1939; Dörfler and Bullo 2013).
    ///
    /// Nodes are taken out one by one, that with the fewest neighbours first: `wᵢⱼ += wᵢₖ wₖⱼ / Σ wₖ`, sums of positive numbers, so
    /// that no inverse is needed and nothing is singular. What is connected to no kept node leaves nothing behind. The effective
    /// resistances of the [combinatorial](Laplacian::Combinatorial) network stay what they were. The normalised Laplacian gives the
    /// same weights over `√(dᵢ dⱼ)`, the degrees before the reduction, since `L'` is the Schur complement of `D^{-1/2} L D^{-1/2}`.
    ///
    /// # Complexity
    /// O(N + E + Σ d²) time for the degrees `d` that nodes have when they are taken out; at worst O(N³) time and O(N²) memory.
    ///
    /// # Panics
    /// When `kept` has not one entry per node.
    #[must_use]
    pub fn reduced(&self, kept: &[bool], laplacian: Laplacian) -> Self {
        assert_eq!(kept.len(), self.nodes(), "kron: kept or not for every node");
        let mut rows = self.rows.clone();
        let mut queue: BTreeSet<(usize, u32)> =
            (0..self.nodes()).filter(|&i| !kept[i]).map(|i| (rows[i].len(), i as u32)).collect();
        while let Some((_, out)) = queue.pop_first() {
            let star = std::mem::take(&mut rows[out as usize]);
            let total: f64 = star.iter().map(|&(_, w)| w).sum();
            for &(i, own) in &star {
                let mesh = star.iter().filter(|&&(j, _)| j != i).map(|&(j, w)| (j, own * w / total));
                let merged = merged(rows[i as usize].iter().filter(|&&(j, _)| j != out).copied(), mesh);
                let before = std::mem::replace(&mut rows[i as usize], merged).len();
                if !kept[i as usize] {
                    queue.remove(&(before, i));
                    queue.insert((rows[i as usize].len(), i));
                }
            }
        }
        let mut number = vec![0; self.nodes()];
        let mut nodes = 0;
        for (number, _) in number.iter_mut().zip(kept).filter(|(_, kept)| **kept) {
            *number = nodes;
            nodes += 1;
        }
        let degrees: Vec<f64> = (0..self.nodes()).map(|i| self.degree(i)).collect();
        let scale = |i: usize, j: usize| match laplacian {
            Laplacian::Combinatorial => 1.0,
            Laplacian::Normalized => (degrees[i] * degrees[j]).sqrt(),
        };
        let renumbered = |i: usize| {
            let row = rows[i].iter().map(|&(j, w)| (number[j as usize], w / scale(i, j as usize)));
            row.filter(|&(_, w)| conducts(w)).collect()
        };
        Self { rows: (0..self.nodes()).filter(|&i| kept[i]).map(renumbered).collect() }
    }

    /// The same nodes, without the edges that weigh less than `least`.
    #[must_use]
    pub fn sparsified(mut self, least: f64) -> Self {
        for row in &mut self.rows {
            row.retain(|&(_, w)| w >= least);
        }
        self
    }
}

fn conducts(weight: f64) -> bool {
    (1e-150..=1e150).contains(&weight)
}

/// The sum of two rows, each in ascending order.
fn merged(a: impl Iterator<Item = (u32, f64)>, b: impl Iterator<Item = (u32, f64)>) -> Vec<(u32, f64)> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    let mut sum = Vec::with_capacity(a.size_hint().1.unwrap_or(0) + b.size_hint().1.unwrap_or(0));
    while let (Some(&(i, v)), Some(&(j, w))) = (a.peek(), b.peek()) {
        if i <= j {
            a.next();
        }
        if j <= i {
            b.next();
        }
        sum.push(match i.cmp(&j) {
            std::cmp::Ordering::Less => (i, v),
            std::cmp::Ordering::Equal => (i, v + w),
            std::cmp::Ordering::Greater => (j, w),
        });
    }
    sum.extend(a);
    sum.extend(b);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TopologyBuf;
    use proptest::prelude::*;

    fn network(nodes: usize, edges: &[(u32, u32)]) -> Network {
        Network::new(&TopologyBuf::from_undirected(nodes, edges.iter().copied()).unwrap().view(), None)
    }

    #[test]
    fn a_path_becomes_resistors_in_series() {
        let path = network(4, &[(0, 1), (1, 2), (2, 3)]);
        let reduced = path.reduced(&[false, true, false, true], Laplacian::Combinatorial);
        assert_eq!(reduced.rows, [[(1, 0.5)], [(0, 0.5)]]);
        // The degrees of nodes 1 and 3 are 2 and 1.
        let normalized = path.reduced(&[false, true, false, true], Laplacian::Normalized);
        assert_eq!(normalized.row(0), [(1, 0.5 / 2f64.sqrt())]);
    }

    #[test]
    fn a_triangle_becomes_two_resistors_in_parallel() {
        let triangle = network(3, &[(0, 1), (1, 2), (2, 0)]);
        let reduced = triangle.reduced(&[true, true, false], Laplacian::Combinatorial);
        assert_eq!(reduced.rows, [[(1, 1.5)], [(0, 1.5)]]);
        let normalized = triangle.reduced(&[true, true, false], Laplacian::Normalized);
        assert_eq!(normalized.rows, [[(1, 0.75)], [(0, 0.75)]]);
    }

    #[test]
    fn a_star_becomes_a_mesh_which_sparsification_thins() {
        let star = network(4, &[(0, 1), (0, 2), (0, 3)]);
        let mesh = star.reduced(&[false, true, true, true], Laplacian::Combinatorial);
        assert_eq!(mesh.row(0), [(1, 1.0 / 3.0), (2, 1.0 / 3.0)]);
        assert_eq!(mesh.clone().sparsified(0.3), mesh);
        assert_eq!(mesh.sparsified(0.4).rows, [[], [], []]);
    }

    #[test]
    fn degenerate_graphs_are_values() {
        let nobody = network(0, &[]).reduced(&[], Laplacian::Normalized);
        assert_eq!(nobody.nodes(), 0);
        let pair = network(3, &[(0, 1)]);
        assert_eq!(pair.components(), [vec![0, 1], vec![2]]);
        assert_eq!(pair.reduced(&[false, false, true], Laplacian::Normalized).rows, [[]]);
        assert_eq!(pair.reduced(&[false; 3], Laplacian::Combinatorial).nodes(), 0);
    }

    #[test]
    fn directions_are_averaged_and_what_cannot_conduct_is_left_out() {
        let t = TopologyBuf::from_edges(3, [(0, 1), (1, 0), (2, 1), (2, 2), (0, 2)]).unwrap();
        let weight_of = |(from, to)| match (from, to) {
            (0, 1) => 3.0,
            (2, 1) => 4.0,
            (0, 2) => f64::NAN,
            _ => 1.0,
        };
        let weights: Vec<f64> = t.view().pairs().map(weight_of).collect();
        let network = Network::new(&t.view(), Some(&weights));
        assert_eq!(network.rows, [vec![(1, 2.0)], vec![(0, 2.0), (2, 2.0)], vec![(1, 2.0)]]);
        assert_eq!((network.degree(1), network.degree(2)), (4.0, 2.0));
    }

    /// `R(a, b)`: the potential at `a` when a unit current enters there and leaves at `b`, which is earthed.
    fn resistance(network: &Network, a: usize, b: usize) -> f64 {
        let n = network.nodes();
        let mut m = vec![vec![0.0; n + 1]; n];
        for (i, row) in m.iter_mut().enumerate() {
            if i == b {
                row[i] = 1.0;
                continue;
            }
            row[i] = network.degree(i);
            network.row(i).iter().for_each(|&(j, w)| row[j as usize] -= w);
            row[n] = if i == a { 1.0 } else { 0.0 };
        }
        for p in 0..n {
            let pivot = m[p].clone();
            for row in m.iter_mut().skip(p + 1) {
                let factor = row[p] / pivot[p];
                row.iter_mut().zip(&pivot).for_each(|(x, p)| *x -= factor * p);
            }
        }
        let mut x = vec![0.0; n];
        for i in (0..n).rev() {
            x[i] = (m[i][n] - (i + 1..n).map(|j| m[i][j] * x[j]).sum::<f64>()) / m[i][i];
        }
        x[a]
    }

    proptest! {
        #[test]
        fn effective_resistances_stay(
            parents in proptest::collection::vec(0..1000u32, 2..12),
            chords in proptest::collection::vec((0..12u32, 0..12u32, 1..50u32), 0..12),
            sides in proptest::collection::vec(any::<bool>(), 12),
        ) {
            let nodes = parents.len() + 1;
            let tree = parents.iter().enumerate().map(|(i, p)| (p % (i as u32 + 1), i as u32 + 1, 1 + p % 7));
            let chords = chords.into_iter().map(|(i, j, w)| (i % nodes as u32, j % nodes as u32, w));
            let edges: Vec<(u32, u32, u32)> = tree.chain(chords).filter(|(i, j, _)| i != j).collect();
            let t = TopologyBuf::from_undirected(nodes, edges.iter().map(|&(i, j, _)| (i, j))).unwrap();
            let weight = |(i, j): (u32, u32)| {
                let of = |e: &&(u32, u32, u32)| (e.0.min(e.1), e.0.max(e.1)) == (i.min(j), i.max(j));
                f64::from(edges.iter().find(of).unwrap().2)
            };
            let weights: Vec<f64> = t.view().pairs().map(weight).collect();
            let network = Network::new(&t.view(), Some(&weights));
            let kept: Vec<bool> = (0..nodes).map(|i| i == 0 || i == nodes - 1 || sides[i]).collect();
            let reduced = network.reduced(&kept, Laplacian::Combinatorial);
            let names: Vec<usize> = (0..nodes).filter(|&i| kept[i]).collect();
            prop_assert_eq!(reduced.nodes(), names.len());
            for a in 0..names.len() {
                for b in 0..a {
                    let (want, got) = (resistance(&network, names[a], names[b]), resistance(&reduced, a, b));
                    prop_assert!((want - got).abs() <= 1e-9 * want, "{} and {}: {got} in place of {want}", names[a], names[b]);
                }
            }
        }
    }
}

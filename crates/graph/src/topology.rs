//! The edges of one graph as compressed rows: borrowed [`Topology`], owned [`TopologyBuf`].
//!
//! Rows receive: the edge `j → i` is the entry `A[i, j]`, stored in row `i`.

use crate::Error;
use crate::sorted::Sorted;
use std::ops::Range;

/// The edges of one graph, borrowed: row `i` receives from `col[row_ptr[i] - row_ptr[0] .. row_ptr[i + 1] - row_ptr[0]]`.
///
/// Columns are local node ids, strictly ascending inside a row. `row_ptr` may begin anywhere, so that it can be a
/// slice of a table over a whole data set.
#[derive(Clone, Copy, Debug)]
pub struct Topology<'a> {
    /// `nodes + 1` ascending offsets.
    pub row_ptr: &'a [usize],
    /// One source node per edge.
    pub col: &'a [u32],
}

impl<'a> Topology<'a> {
    /// Checks arrays that come from outside.
    ///
    /// # Errors
    /// [`Error::Topology`] unless `row_ptr` is not empty and ascending, spans `col`, and every row is strictly
    /// ascending with ids below the number of nodes.
    pub fn new(row_ptr: &'a [usize], col: &'a [u32]) -> Result<Self, Error> {
        let fail = |rule: &str, got: String| Err(Error::Topology { rule: rule.to_owned(), got });
        let (Some(first), Some(last)) = (row_ptr.first(), row_ptr.last()) else {
            return fail("row_ptr must have nodes + 1 entries", "none".to_owned());
        };
        if row_ptr.windows(2).any(|pair| pair[0] > pair[1]) {
            return fail("row_ptr must be ascending", format!("{row_ptr:?}"));
        }
        if last - first != col.len() {
            let got = format!("{} and {}", last - first, col.len());
            return fail("row_ptr must span as many entries as col has", got);
        }
        let topology = Self { row_ptr, col };
        for node in 0..topology.nodes() {
            let row = topology.neighbours(node);
            if row.windows(2).any(|pair| pair[0] >= pair[1]) {
                return fail(
                    "columns must be strictly ascending inside a row",
                    format!("{row:?} in row {node}"),
                );
            }
            if row.last().is_some_and(|&id| id as usize >= topology.nodes()) {
                let rule = format!("node ids must be below {}", topology.nodes());
                return fail(&rule, format!("{row:?} in row {node}"));
            }
        }
        Ok(topology)
    }

    /// The number of nodes.
    pub fn nodes(&self) -> usize {
        self.row_ptr.len() - 1
    }

    /// The number of directed edges (an undirected edge counts twice).
    pub fn edges(&self) -> usize {
        self.col.len()
    }

    /// Where the entries of row `node` stand in `col` (and in any array with one value per edge).
    pub fn row(&self, node: usize) -> Range<usize> {
        let base = self.row_ptr[0];
        self.row_ptr[node] - base..self.row_ptr[node + 1] - base
    }

    /// The nodes that `node` receives from, ascending.
    pub fn neighbours(&self, node: usize) -> &'a [u32] {
        &self.col[self.row(node)]
    }

    /// The number of edges that end at `node`.
    pub fn degree(&self, node: usize) -> usize {
        self.row(node).len()
    }

    /// The edges `(source, target)` in storage order: by target, then by source.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + 'a {
        let topology = *self;
        (0..self.nodes()).flat_map(move |target| {
            topology.neighbours(target).iter().map(move |&source| (source, target as u32))
        })
    }

    /// Is `A` equal to its transpose.
    ///
    /// # Complexity
    /// O(N + E) time, O(N) memory.
    pub fn is_symmetric(&self) -> bool {
        let Mirrored { pairs, loops } = self.mirrored(&mut Vec::new());
        2 * pairs + loops == self.edges()
    }

    /// The number of edges from a node to itself.
    pub fn self_loops(&self) -> usize {
        (0..self.nodes()).filter(|&node| self.neighbours(node).binary_search(&(node as u32)).is_ok()).count()
    }

    /// The number of unordered pairs of distinct nodes joined in at least one direction.
    ///
    /// # Complexity
    /// O(N + E) time, O(N) memory.
    pub fn undirected_edges(&self) -> usize {
        let Mirrored { pairs, loops } = self.mirrored(&mut Vec::new());
        self.edges() - loops - pairs
    }

    /// The number of nodes at which no edge ends or begins.
    pub fn isolated_nodes(&self) -> usize {
        if (0..self.nodes()).all(|node| self.degree(node) > 0) {
            return 0;
        }
        let mut silent = vec![true; self.nodes()];
        for &source in self.col {
            silent[source as usize] = false;
        }
        (0..self.nodes()).filter(|&node| silent[node] && self.degree(node) == 0).count()
    }

    /// An owned copy.
    pub fn to_owned(&self) -> TopologyBuf {
        let base = self.row_ptr[0];
        TopologyBuf { row_ptr: self.row_ptr.iter().map(|&at| at - base).collect(), col: self.col.to_vec() }
    }

    /// Rows are visited in ascending order, so the mirror of each entry left of the diagonal is met by one cursor per row
    /// that begins at the diagonal and only moves forward. `cursor` is memory, whatever it holds.
    pub(crate) fn mirrored(&self, cursor: &mut Vec<usize>) -> Mirrored {
        cursor.clear();
        let mut mirrored = Mirrored { pairs: 0, loops: 0 };
        for target in 0..self.nodes() {
            let row = self.row(target);
            let left = self.col[row.clone()].iter().take_while(|&&source| (source as usize) < target);
            let mut diagonal = row.start;
            for &source in left {
                let at = &mut cursor[source as usize];
                let rest = &self.col[*at..self.row(source as usize).end];
                *at += rest.iter().take_while(|&&other| (other as usize) < target).count();
                let met = self.col[..self.row(source as usize).end].get(*at);
                mirrored.pairs += usize::from(met.is_some_and(|&other| other as usize == target));
                diagonal += 1;
            }
            let on = self.col[diagonal..row.end].first().is_some_and(|&source| source as usize == target);
            mirrored.loops += usize::from(on);
            cursor.push(diagonal);
        }
        mirrored
    }
}

/// How an adjacency matrix lies about its diagonal.
pub(crate) struct Mirrored {
    /// Unordered pairs of distinct nodes joined in both directions.
    pub(crate) pairs: usize,
    /// Edges from a node to itself.
    pub(crate) loops: usize,
}

impl PartialEq for Topology<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.nodes() == other.nodes()
            && self.col == other.col
            && (0..self.nodes()).all(|node| self.row(node) == other.row(node))
    }
}

impl Eq for Topology<'_> {}

/// The edges of one graph, owned; the invariants of [`Topology`] hold, offsets begin at 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyBuf {
    pub(crate) row_ptr: Vec<usize>,
    pub(crate) col: Vec<u32>,
}

impl TopologyBuf {
    /// Takes arrays that come from outside.
    ///
    /// # Errors
    /// As [`Topology::new`]; also when `row_ptr` does not begin at 0.
    pub fn new(row_ptr: Vec<usize>, col: Vec<u32>) -> Result<Self, Error> {
        Topology::new(&row_ptr, &col)?;
        if row_ptr[0] != 0 {
            return Err(Error::Topology {
                rule: "row_ptr must begin at 0".to_owned(),
                got: row_ptr[0].to_string(),
            });
        }
        Ok(Self { row_ptr, col })
    }

    /// A graph without edges.
    pub fn edgeless(nodes: usize) -> Self {
        Self { row_ptr: vec![0; nodes + 1], col: Vec::new() }
    }

    /// Collects directed edges `(source, target)`; repeated edges are merged, self-loops are kept.
    ///
    /// # Errors
    /// [`Error::Topology`] when an id is not below `nodes`.
    pub fn from_edges(nodes: usize, edges: impl IntoIterator<Item = (u32, u32)>) -> Result<Self, Error> {
        let pairs: Vec<(u32, u32)> = edges.into_iter().collect();
        Ok(Sorted::from_pairs(nodes, &checked(nodes, pairs)?).topology)
    }

    /// Collects undirected edges: as [`TopologyBuf::from_edges`] with both directions of each pair.
    ///
    /// # Errors
    /// [`Error::Topology`] when an id is not below `nodes`.
    pub fn from_undirected(nodes: usize, edges: impl IntoIterator<Item = (u32, u32)>) -> Result<Self, Error> {
        Self::from_edges(nodes, edges.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]))
    }

    /// The borrowed view.
    pub fn view(&self) -> Topology<'_> {
        Topology { row_ptr: &self.row_ptr, col: &self.col }
    }

    /// As [`TopologyBuf::from_edges`], for ids that are known to be below `nodes`.
    pub(crate) fn of_edges(nodes: usize, pairs: &[(u32, u32)]) -> Self {
        Sorted::from_pairs(nodes, pairs).topology
    }

    /// Also: for each entry, the position of the first pair that says so.
    pub(crate) fn of_edges_with_origin(nodes: usize, pairs: &[(u32, u32)]) -> (Self, Vec<u32>) {
        let sorted = Sorted::from_pairs(nodes, pairs);
        (sorted.topology, sorted.origin)
    }

    /// As [`TopologyBuf::from_undirected`], for ids that are known to be below `nodes`.
    pub(crate) fn of_undirected(nodes: usize, edges: &[(u32, u32)]) -> Self {
        let pairs: Vec<(u32, u32)> = edges.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).collect();
        Self::of_edges(nodes, &pairs)
    }

    pub(crate) fn into_arrays(self) -> (Vec<usize>, Vec<u32>) {
        (self.row_ptr, self.col)
    }
}

fn checked(nodes: usize, pairs: Vec<(u32, u32)>) -> Result<Vec<(u32, u32)>, Error> {
    let limit = u32::MAX as usize;
    let count = nodes.max(pairs.len());
    if count >= limit {
        let rule = format!("nodes and edges must each be fewer than {limit}");
        return Err(Error::Topology { rule, got: count.to_string() });
    }
    match pairs.iter().find(|&&(a, b)| a.max(b) as usize >= nodes) {
        Some(pair) => {
            let rule = format!("node ids must be below {nodes}");
            Err(Error::Topology { rule, got: format!("the edge {pair:?}") })
        }
        None => Ok(pairs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_receive_and_duplicates_merge() {
        let t = TopologyBuf::from_edges(3, [(2, 0), (1, 0), (2, 0), (0, 1), (1, 1)]).unwrap();
        assert_eq!(t.view().neighbours(0), [1, 2]);
        assert_eq!(t.view().neighbours(1), [0, 1]);
        assert_eq!(t.view().neighbours(2), [] as [u32; 0]);
        assert_eq!(t.view().pairs().collect::<Vec<_>>(), [(1, 0), (2, 0), (0, 1), (1, 1)]);
        assert!(!t.view().is_symmetric());
        assert_eq!((t.view().self_loops(), t.view().undirected_edges()), (1, 2));
    }

    #[test]
    fn a_slice_of_a_longer_table_is_a_topology() {
        let row_ptr = [7, 8, 10, 11];
        let path = Topology::new(&row_ptr, &[1, 0, 2, 1]).unwrap();
        assert_eq!(path.neighbours(1), [0, 2]);
        assert!(path.is_symmetric());
        assert_eq!(path.to_owned().view(), path);
    }

    #[test]
    fn isolated_means_no_edge_in_or_out() {
        let t = TopologyBuf::from_edges(4, [(0, 1), (2, 1)]).unwrap();
        assert_eq!(t.view().isolated_nodes(), 1);
        assert_eq!(TopologyBuf::edgeless(2).view().isolated_nodes(), 2);
    }

    #[test]
    fn bad_arrays_are_refused() {
        let refused = |row_ptr: &[usize], col: &[u32]| Topology::new(row_ptr, col).unwrap_err().to_string();
        assert!(refused(&[], &[]).contains("nodes + 1"));
        assert!(refused(&[0, 2, 1], &[0]).contains("ascending, got [0, 2, 1]"));
        assert!(refused(&[0, 2], &[0]).contains("span as many entries as col has, got 2 and 1"));
        assert!(refused(&[0, 2, 2], &[1, 1]).contains("strictly ascending inside a row"));
        assert!(refused(&[0, 1], &[1]).contains("below 1, got [1] in row 0"));
        let outside = TopologyBuf::from_edges(2, [(0, 1), (1, 2)]).unwrap_err();
        assert_eq!(outside.to_string(), "topology: node ids must be below 2, got the edge (1, 2)");
    }
}

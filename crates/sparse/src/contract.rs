//! A structure whose nodes are merged into clusters.

use crate::csr::{Csr, accumulate};

impl Csr {
    /// The entries between different clusters: `(cluster of i, cluster of j)` for each entry `(i, j)`, once, without the diagonal.
    ///
    /// # Shapes
    ///
    /// `[n, n]` and `cluster: [n]` of numbers below `clusters` to `[clusters, clusters]`.
    ///
    /// # Complexity
    ///
    /// O(n + nnz + clusters), and the sorting of each new row.
    ///
    /// # Panics
    ///
    /// When the structure is not square, `cluster` has another length, or a cluster is out of range.
    #[must_use]
    pub fn contracted(&self, cluster: &[u32], clusters: usize) -> Self {
        assert_eq!(self.rows(), self.cols(), "contracted: the structure must be square");
        assert_eq!(cluster.len(), self.rows(), "contracted: one cluster a node");
        let (first, members) = by_cluster(cluster, clusters);
        let mut row_ptr = Vec::with_capacity(clusters + 1);
        row_ptr.push(0);
        let mut cols: Vec<u32> = Vec::with_capacity(self.nnz());
        // The last row that holds each cluster; a row counts as holding its own.
        let mut held_by = vec![u32::MAX; clusters];
        for (own, ends) in first.windows(2).enumerate() {
            let start = cols.len();
            held_by[own] = own as u32;
            for &node in &members[ends[0] as usize..ends[1] as usize] {
                for &col in self.row(node as usize) {
                    let other = cluster[col as usize];
                    if held_by[other as usize] != own as u32 {
                        held_by[other as usize] = own as u32;
                        cols.push(other);
                    }
                }
            }
            let row = &mut cols[start..];
            if !row.is_sorted() {
                row.sort_unstable();
            }
            row_ptr.push(cols.len() as u32);
        }
        Self::trusted(clusters, row_ptr, cols)
    }
}

/// Where the members of each cluster begin, and the members, cluster by cluster, ascending in each.
fn by_cluster(cluster: &[u32], clusters: usize) -> (Vec<u32>, Vec<u32>) {
    let mut first = vec![0; clusters + 1];
    for &c in cluster {
        first[c as usize + 1] += 1;
    }
    accumulate(&mut first);
    let mut next = first.clone();
    let mut members = vec![0; cluster.len()];
    for (node, &c) in cluster.iter().enumerate() {
        let place = &mut next[c as usize];
        members[*place as usize] = node as u32;
        *place += 1;
    }
    (first, members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_four_in_pairs() {
        // 0 - 1 - 2 - 3 with a loop at 3; pairs {0, 2} and {1, 3}, and a cluster nobody is in.
        let path = Csr::from_edges(4, 4, [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (3, 3)]).unwrap();
        let pairs = path.contracted(&[0, 2, 0, 2], 3);
        assert_eq!((pairs.row_ptr(), pairs.col()), (&[0, 1, 1, 2][..], &[2, 0][..]));
        let ends = path.contracted(&[1, 0, 0, 1], 2);
        assert_eq!((ends.row_ptr(), ends.col()), (&[0, 1, 2][..], &[1, 0][..]));
    }
}

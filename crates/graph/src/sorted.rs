//! Rows from a list of edges, by counting sorts.

use crate::TopologyBuf;

/// Rows built from a list of edges, and which of them each entry is.
pub(crate) struct Sorted {
    pub(crate) topology: TopologyBuf,
    /// For each entry, the position in the list of the first edge that says so.
    pub(crate) origin: Vec<u32>,
}

impl Sorted {
    /// Of equal edges the first comes first. Ids are below `nodes`; there are fewer than 2³² pairs.
    pub(crate) fn from_pairs(nodes: usize, pairs: &[(u32, u32)]) -> Self {
        let mut work = Work::default();
        work.order(nodes, pairs);
        let origin = work.order;
        let mut row_ptr = vec![0; nodes + 1];
        for &edge in &origin {
            row_ptr[pairs[edge as usize].1 as usize + 1] += 1;
        }
        for node in 0..nodes {
            row_ptr[node + 1] += row_ptr[node];
        }
        let col = origin.iter().map(|&edge| pairs[edge as usize].0).collect();
        Self { topology: TopologyBuf { row_ptr, col }, origin }
    }

    /// Takes the self-loops out; returns their nodes, ascending.
    pub(crate) fn remove_loops(&mut self) -> Vec<u32> {
        let TopologyBuf { row_ptr, col } = &mut self.topology;
        let (mut loops, mut kept, mut start) = (Vec::new(), 0, 0);
        for node in 0..row_ptr.len() - 1 {
            let end = row_ptr[node + 1];
            for entry in start..end {
                if col[entry] as usize == node {
                    loops.push(node as u32);
                } else {
                    col[kept] = col[entry];
                    self.origin[kept] = self.origin[entry];
                    kept += 1;
                }
            }
            start = end;
            row_ptr[node + 1] = kept;
        }
        col.truncate(kept);
        self.origin.truncate(kept);
        loops
    }
}

/// Memory for sorting one list after another.
#[derive(Default)]
pub(crate) struct Work {
    next: Vec<u32>,
    by_source: Vec<u32>,
    order: Vec<u32>,
}

impl Work {
    /// The positions of distinct edges in the list, of equal ones the first, by target and then by source: two stable
    /// counting sorts, O(N + E). Ids are below `nodes`; there are fewer than 2³² pairs.
    pub(crate) fn order(&mut self, nodes: usize, pairs: &[(u32, u32)]) -> &[u32] {
        let Self { next, by_source, order } = self;
        let (source, target) = (|edge: u32| pairs[edge as usize].0, |edge: u32| pairs[edge as usize].1);
        let all = 0..pairs.len() as u32;
        if pairs.is_sorted_by_key(|&(source, _)| source) {
            counting_sort(next, nodes, all, target, order);
        } else {
            counting_sort(next, nodes, all, source, by_source);
            counting_sort(next, nodes, by_source.iter().copied(), target, order);
        }
        let mut last = None;
        order.retain(|&edge| last.replace(pairs[edge as usize]) != Some(pairs[edge as usize]));
        order
    }
}

fn counting_sort(
    next: &mut Vec<u32>,
    keys: usize,
    items: impl ExactSizeIterator<Item = u32> + Clone,
    key: impl Fn(u32) -> u32,
    sorted: &mut Vec<u32>,
) {
    next.clear();
    next.resize(keys + 1, 0);
    for item in items.clone() {
        next[key(item) as usize + 1] += 1;
    }
    for k in 0..keys {
        next[k + 1] += next[k];
    }
    sorted.clear();
    sorted.resize(items.len(), 0);
    for item in items {
        let at = &mut next[key(item) as usize];
        sorted[*at as usize] = item;
        *at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_taken_out_with_their_origin() {
        let mut sorted = Sorted::from_pairs(3, &[(1, 1), (2, 1), (0, 0), (0, 1), (1, 1)]);
        assert_eq!(sorted.remove_loops(), [0, 1]);
        assert_eq!(sorted.topology.view().neighbours(1), [0, 2]);
        assert_eq!(sorted.origin, [3, 1]);
    }
}

//! Pairs of nodes that are not joined, drawn at random.

use coarsen_graph::Topology;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Unordered pairs `u < v` without an edge in either direction, drawn uniformly without repetition, ascending; none of them is in
/// `taken`, whose pairs are of this kind, ascending and distinct.
///
/// They are `count`, or as many as there are.
///
/// # Complexity
///
/// Time O(c (log c + log d)) for `c` pairs and rows of `d` edges, and O(n²) where more than half of all such pairs are asked for; the
/// expected number of draws is below `4 c` where at most half of all pairs are edges.
///
/// # Panics
///
/// In debug builds, when `topology` is not symmetric.
///
/// # Examples
///
/// ```
/// use coarsen_graph::TopologyBuf;
/// use coarsen_train::task::non_edges;
///
/// let path = TopologyBuf::from_undirected(4, [(0, 1), (1, 2), (2, 3)])?;
/// assert_eq!(non_edges(path.view(), 9, &[(0, 3)], 7), [(0, 2), (1, 3)]);
/// # Ok::<(), coarsen_graph::Error>(())
/// ```
pub fn non_edges(topology: Topology, count: usize, taken: &[(u32, u32)], seed: u64) -> Vec<(u32, u32)> {
    debug_assert!(topology.is_symmetric(), "edges have no direction");
    debug_assert!(taken.is_sorted_by(|a, b| a < b), "ascending and distinct");
    let n = topology.nodes();
    let open = |&(u, v): &(u32, u32)| {
        topology.neighbours(u as usize).binary_search(&v).is_err() && taken.binary_search(&(u, v)).is_err()
    };
    let all = n * n.saturating_sub(1) / 2;
    let there = all - topology.undirected_edges() - taken.len();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    if 2 * count > there {
        let pairs = (0..n as u32).flat_map(|u| (u + 1..n as u32).map(move |v| (u, v)));
        return some_of(pairs.filter(open), there, count.min(there), &mut rng);
    }
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count {
        let pair = || {
            let (a, b) = (rng.random_range(0..n as u32), rng.random_range(0..n as u32));
            (a.min(b), a.max(b))
        };
        let pairs = std::iter::repeat_with(pair).filter(|(u, v)| u < v).filter(open);
        // As many as are missing: none of those drawn has to be dropped but for having come before.
        drawn.extend(pairs.take(count - drawn.len()));
        drawn.sort_unstable();
        drawn.dedup();
    }
    drawn
}

/// `count` of `there` items, in their order (Knuth's algorithm S).
fn some_of<T>(items: impl Iterator<Item = T>, there: usize, count: usize, rng: &mut ChaCha8Rng) -> Vec<T> {
    let mut chosen = Vec::with_capacity(count);
    for (seen, item) in items.enumerate() {
        if rng.random_range(0..there - seen) < count - chosen.len() {
            chosen.push(item);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_graph::TopologyBuf;
    use std::collections::BTreeMap;

    fn ring(n: u32) -> TopologyBuf {
        TopologyBuf::from_undirected(n as usize, (0..n).map(|i| (i, (i + 1) % n))).expect("a ring")
    }

    #[test]
    fn pairs_are_distinct_not_joined_and_not_taken() {
        let ring = ring(12);
        for (count, want) in [(0, 0), (5, 5), (20, 20), (40, 40), (50, 50), (99, 52)] {
            let taken = [(0, 2), (3, 7)];
            let pairs = non_edges(ring.view(), count, &taken, 3);
            assert_eq!(pairs.len(), want, "54 pairs are not joined and two of them taken");
            assert!(pairs.is_sorted_by(|a, b| a < b), "{pairs:?}");
            let fit = |&(u, v): &(u32, u32)| u < v && v < 12 && (v - u) % 10 != 1;
            assert!(pairs.iter().all(|pair| fit(pair) && !taken.contains(pair)), "{pairs:?}");
        }
        assert!(non_edges(TopologyBuf::edgeless(0).view(), 3, &[], 0).is_empty());
        assert!(non_edges(TopologyBuf::edgeless(1).view(), 3, &[], 0).is_empty());
        assert!(non_edges(ring.view(), 3, &[], 3) != non_edges(ring.view(), 3, &[], 4));
    }

    /// Both ways of drawing give each of the 9 pairs of a ring of 6 its share.
    #[test]
    fn every_pair_comes_as_often() {
        let ring = ring(6);
        for count in [2, 7] {
            let mut seen = BTreeMap::<(u32, u32), u32>::new();
            for seed in 0..9000 {
                for pair in non_edges(ring.view(), count, &[], seed) {
                    *seen.entry(pair).or_default() += 1;
                }
            }
            let want = 1000 * count as u32;
            assert!(seen.len() == 9 && seen.values().all(|&times| times.abs_diff(want) < 150), "{seen:?}");
        }
    }
}

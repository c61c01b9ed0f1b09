//! Receptive fields: neighbourhoods of equal size in a canonical order, so that an image's convolution can read a graph
//! (Niepert, Ahmed and Kutzkov 2016).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::Topology;

/// What ranks nodes, the larger first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labelling {
    /// The shortest paths between other nodes that lead through a node (Brandes 2001), to six digits behind the point, so that rounding
    /// makes no difference between nodes that are alike.
    #[default]
    Betweenness,
    /// The number of neighbours.
    Degree,
}

/// Which fields of which size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldRule {
    /// What ranks nodes.
    pub labelling: Labelling,
    /// `w`: how many fields.
    pub fields: u32,
    /// `s`: every so many nodes of the ranking have a field.
    pub stride: u32,
    /// `k`: how many nodes a field has.
    pub size: u32,
}

/// The nodes of `w` fields of `k` places each, field after field; `None` where nobody is left.
///
/// The roots are nodes `0, s, 2 s, …` of the ranking by label. From a root the neighbourhood grows by whole rings until it has `k` nodes.
/// It is ranked by distance from the root, then label; the first `k` stay and are ranked again among themselves. Nodes that are equal so
/// far are told apart by 1-WL colours, in a field by refining again after each choice; what remains are nodes that the
/// structure does not tell apart, and the lower index comes first: their features may differ, and then renumbering nodes changes
/// the fields. Directions and loops count for nothing.
///
/// # Complexity
/// Betweenness O(N E) time; a field O(its neighbourhood + k⁴) time; O(N + E + w k) memory.
///
/// # Examples
/// A star: the centre is first, and its field has room for two of the three others.
/// ```
/// use coarsen_graph::{TopologyBuf, fields::{FieldRule, Labelling, receptive}};
///
/// let star = TopologyBuf::from_undirected(4, [(3, 0), (3, 1), (3, 2)])?;
/// let rule = FieldRule { labelling: Labelling::Degree, fields: 2, stride: 1, size: 3 };
/// assert_eq!(receptive(&star.view(), rule), [Some(3), Some(0), Some(1), Some(0), Some(3), Some(1)]);
/// # Ok::<(), coarsen_graph::Error>(())
/// ```
pub fn receptive(t: &Topology<'_>, rule: FieldRule) -> Vec<Option<u32>> {
    let near = undirected(t);
    let label = match rule.labelling {
        Labelling::Degree => near.iter().map(|row| row.len() as u64).collect(),
        Labelling::Betweenness => betweenness(&near),
    };
    let all: Vec<u32> = (0..near.len() as u32).collect();
    let ranked = ordered(&all, &refined(&near, ranks(&label, |a, b| b.cmp(a))));
    let mut fields = Vec::with_capacity((rule.fields * rule.size) as usize);
    let roots = ranked.iter().step_by(rule.stride.max(1) as usize).take(rule.fields as usize);
    for &root in roots {
        let field = field(&near, &label, root, rule.size as usize);
        let empty = rule.size as usize - field.len();
        fields.extend(field.into_iter().map(Some).chain(std::iter::repeat_n(None, empty)));
    }
    fields.resize((rule.fields * rule.size) as usize, None);
    fields
}

/// The neighbours of each node, ascending, without loops.
fn undirected(t: &Topology<'_>) -> Vec<Vec<u32>> {
    let mut near = vec![Vec::new(); t.nodes()];
    for (from, to) in t.pairs().filter(|(from, to)| from != to) {
        near[from as usize].push(to);
        near[to as usize].push(from);
    }
    for row in &mut near {
        row.sort_unstable();
        row.dedup();
    }
    near
}

/// Millionths of shortest paths through each node, by Brandes' accumulation; each pair counts twice.
fn betweenness(near: &[Vec<u32>]) -> Vec<u64> {
    let n = near.len();
    let mut through = vec![0.0f64; n];
    let (mut distance, mut paths, mut share) = (vec![usize::MAX; n], vec![0.0f64; n], vec![0.0f64; n]);
    for source in 0..n {
        distance.fill(usize::MAX);
        paths.fill(0.0);
        share.fill(0.0);
        (distance[source], paths[source]) = (0, 1.0);
        let mut visited = vec![source];
        let mut next = 0;
        while let Some(&i) = visited.get(next) {
            for j in near[i].iter().map(|&j| j as usize) {
                if distance[j] == usize::MAX {
                    distance[j] = distance[i] + 1;
                    visited.push(j);
                }
                if distance[j] == distance[i] + 1 {
                    paths[j] += paths[i];
                }
            }
            next += 1;
        }
        for &j in visited.iter().skip(1).rev() {
            for i in near[j].iter().map(|&i| i as usize).filter(|&i| distance[i] + 1 == distance[j]) {
                share[i] += paths[i] / paths[j] * (1.0 + share[j]);
            }
            through[j] += share[j];
        }
    }
    through.iter().map(|b| (b * 1e6).round() as u64).collect()
}

/// The field of a root: at most `size` nodes, in canonical order.
fn field(near: &[Vec<u32>], label: &[u64], root: u32, size: usize) -> Vec<u32> {
    let mut nodes = vec![(root, 0u32)];
    let mut seen = vec![false; near.len()];
    seen[root as usize] = true;
    let mut ring = VecDeque::from([(root, 0u32)]);
    while let Some((i, distance)) = ring.pop_front() {
        // A ring is taken whole: the neighbourhood is large enough when the next would begin.
        if nodes.len() >= size && nodes[nodes.len() - 1].1 <= distance {
            break;
        }
        for &j in &near[i as usize] {
            if !std::mem::replace(&mut seen[j as usize], true) {
                nodes.push((j, distance + 1));
                ring.push_back((j, distance + 1));
            }
        }
    }
    nodes.sort_unstable();
    let coloured = |nodes: &[(u32, u32)]| {
        let keys: Vec<_> =
            nodes.iter().map(|&(i, distance)| (distance, u64::MAX - label[i as usize])).collect();
        let inside = induced(near, nodes);
        let colours = refined(&inside, ranks(&keys, Ord::cmp));
        (inside, colours)
    };
    let (_, colours) = coloured(&nodes);
    let mut kept = ordered(&nodes, &colours);
    kept.truncate(size);
    kept.sort_unstable();
    let (inside, mut colours) = coloured(&kept);
    while let Some(shared) = (0..kept.len()).find(|c| colours.iter().filter(|own| *own == c).count() > 1) {
        // The first of the class goes before the others of it.
        let first = colours.iter().position(|&c| c == shared).unwrap_or(0);
        for (at, c) in colours.iter_mut().enumerate() {
            *c += usize::from(*c == shared && at != first);
        }
        colours = refined(&inside, colours);
    }
    ordered(&kept, &colours).into_iter().map(|(i, _)| i).collect()
}

/// The edges between `nodes`, which ascend, by their places.
fn induced(near: &[Vec<u32>], nodes: &[(u32, u32)]) -> Vec<Vec<u32>> {
    let place = |j: &u32| nodes.binary_search_by_key(j, |&(i, _)| i).ok().map(|at| at as u32);
    nodes.iter().map(|&(i, _)| near[i as usize].iter().filter_map(place).collect()).collect()
}

/// For each item, how many are less: equal items share a rank.
fn ranks<T>(items: &[T], compare: impl Fn(&T, &T) -> std::cmp::Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|&a, &b| compare(&items[a], &items[b]));
    let mut ranks = vec![0; items.len()];
    for at in 1..order.len() {
        let equal = compare(&items[order[at - 1]], &items[order[at]]).is_eq();
        ranks[order[at]] = if equal { ranks[order[at - 1]] } else { at };
    }
    ranks
}

/// 1-WL: classes are split by the classes of their neighbours until nothing changes, in order, more neighbours first.
fn refined(near: &[Vec<u32>], mut colours: Vec<usize>) -> Vec<usize> {
    loop {
        let seen: Vec<(usize, usize, Vec<usize>)> = near
            .iter()
            .zip(&colours)
            .map(|(row, &own)| {
                let mut around: Vec<usize> = row.iter().map(|&j| colours[j as usize]).collect();
                around.sort_unstable();
                (own, usize::MAX - row.len(), around)
            })
            .collect();
        let finer = ranks(&seen, Ord::cmp);
        if finer == colours {
            return colours;
        }
        colours = finer;
    }
}

/// The items by rising colour, of equal ones the earlier first.
fn ordered<T: Copy>(items: &[T], colours: &[usize]) -> Vec<T> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&at| colours[at]);
    order.into_iter().map(|at| items[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Permutation, TopologyBuf};
    use proptest::prelude::*;

    fn graph(nodes: usize, edges: &[(u32, u32)]) -> TopologyBuf {
        TopologyBuf::from_undirected(nodes, edges.iter().copied()).unwrap()
    }

    fn rule(fields: u32, size: u32) -> FieldRule {
        FieldRule { labelling: Labelling::Betweenness, fields, stride: 1, size }
    }

    #[test]
    fn betweenness_counts_shortest_paths() {
        // A path of four: node 1 lies between 0 and the two others. A square: each node has half of one pair's paths.
        let of = |t: &TopologyBuf| betweenness(&undirected(&t.view()));
        assert_eq!(of(&graph(4, &[(0, 1), (1, 2), (2, 3)])), [0, 4_000_000, 4_000_000, 0]);
        assert_eq!(of(&graph(4, &[(0, 1), (1, 2), (2, 3), (3, 0)])), [1_000_000; 4]);
        assert_eq!(of(&graph(3, &[])), [0; 3]);
    }

    #[test]
    fn fields_of_a_path_by_hand() {
        // 0 – 1 – 2 – 3 – 4: the middle first, then its neighbours. Around node 1: itself, then node 2 before 0 by its label.
        let path = graph(5, &[(0, 1), (1, 2), (2, 3), (3, 4)]);
        let fields = receptive(&path.view(), rule(3, 3));
        let some = |nodes: [u32; 3]| nodes.map(Some);
        assert_eq!(fields, [some([2, 1, 3]), some([1, 2, 0]), some([3, 2, 4])].concat());
    }

    #[test]
    fn a_ring_is_taken_whole_before_it_is_cropped() {
        // Root 0 with neighbours 1, 2, 3, 6; of these 3 has most edges, so it stays when one place is left.
        let t = graph(7, &[(0, 1), (0, 2), (0, 3), (0, 6), (3, 4), (3, 5), (4, 5)]);
        let degrees = FieldRule { labelling: Labelling::Degree, ..rule(2, 2) };
        assert_eq!(receptive(&t.view(), degrees)[..4], [Some(0), Some(3), Some(3), Some(0)]);
    }

    #[test]
    fn missing_nodes_and_fields_are_empty() {
        let pair = graph(3, &[(0, 1)]);
        let fields = receptive(&pair.view(), rule(4, 2));
        let want = [Some(0), Some(1), Some(1), Some(0), Some(2), None, None, None];
        assert_eq!(fields, want);
        assert_eq!(receptive(&graph(0, &[]).view(), rule(2, 1)), [None, None]);
    }

    #[test]
    fn a_stride_skips_roots() {
        let path = graph(5, &[(0, 1), (1, 2), (2, 3), (3, 4)]);
        let fields = receptive(&path.view(), FieldRule { stride: 2, ..rule(4, 1) });
        assert_eq!(fields, [Some(2), Some(3), Some(4), None]);
    }

    /// The edges of each field, by places.
    fn shapes(t: &Topology<'_>, fields: &[Option<u32>], size: usize) -> Vec<Vec<(usize, usize)>> {
        let edges_of = |field: &[Option<u32>]| {
            let at = |i: u32| field.iter().position(|&own| own == Some(i));
            let mut edges: Vec<_> = t.pairs().filter_map(|(i, j)| at(i).zip(at(j))).collect();
            edges.sort_unstable();
            edges
        };
        fields.chunks(size).map(edges_of).collect()
    }

    proptest! {
        #[test]
        fn a_field_holds_a_node_once_and_its_root_first(
            nodes in 1..15usize,
            pairs in proptest::collection::vec((0..15u32, 0..15u32), 0..25),
            size in 1..6u32,
        ) {
            let inside = pairs.into_iter().map(|(i, j)| (i % nodes as u32, j % nodes as u32));
            let t = TopologyBuf::from_undirected(nodes, inside.filter(|(i, j)| i != j)).unwrap();
            let fields = receptive(&t.view(), rule(nodes as u32, size));
            let mut roots: Vec<_> = fields.chunks(size as usize).map(|field| field[0].unwrap()).collect();
            for field in fields.chunks(size as usize) {
                let mut own: Vec<u32> = field.iter().flatten().copied().collect();
                own.sort_unstable();
                own.dedup();
                prop_assert_eq!(own.len(), field.iter().flatten().count());
            }
            roots.sort_unstable();
            prop_assert!(roots.into_iter().eq(0..nodes as u32));
        }

        /// Trees, on which 1-WL tells all nodes apart that can be told apart.
        #[test]
        fn renumbering_a_tree_leaves_the_shapes_of_its_fields(
            parents in proptest::collection::vec(0..1000u32, 1..12),
            seed in any::<u64>(),
        ) {
            let nodes = parents.len() + 1;
            let tree = parents.iter().enumerate().map(|(i, p)| (p % (i as u32 + 1), i as u32 + 1));
            let tree: Vec<(u32, u32)> = tree.collect();
            let permutation = Permutation::random(nodes, seed);
            let to = |i: u32| permutation.to(i as usize) as u32;
            let renumbered: Vec<(u32, u32)> = tree.iter().map(|&(i, j)| (to(i), to(j))).collect();
            let (a, b) = (graph(nodes, &tree), graph(nodes, &renumbered));
            let shapes = |t: &TopologyBuf| shapes(&t.view(), &receptive(&t.view(), rule(5, 4)), 4);
            prop_assert_eq!(shapes(&a), shapes(&b));
        }
    }
}

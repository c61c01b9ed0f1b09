//! A small graph in box-drawing characters.

use std::fmt::Write;

use crate::Sample;

/// Columns from one node to the next.
const PITCH: usize = 4;

/// Which way an edge goes.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Both,
    Right,
    Left,
}

/// An edge from `left` to a node further right.
#[derive(Clone, Copy)]
struct Arc {
    left: usize,
    right: usize,
    way: Way,
}

/// Title, nodes and edges, features, weights.
pub(super) fn drawn(b: usize, sample: &Sample) -> String {
    let view = sample.view();
    let n = view.nodes();
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let t = view.topology;
    let edges = t.undirected_edges() + t.self_loops();
    let directed = if t.is_symmetric() { "" } else { "directed " };
    let mut text =
        format!("graph {b}: {}, {}\n", counted(n, "node"), counted(edges, &format!("{directed}edge")));
    if n > 0 {
        text += &rows(sample);
    }
    for (i, x) in view.x.rows().into_iter().enumerate() {
        let _ = writeln!(text, "  x of {i}: {:?}", x.to_vec());
    }
    if let Some(attr) = view.edge_attr {
        for (entry, (source, target)) in t.pairs().enumerate() {
            let _ = writeln!(text, "  on {source} → {target}: {:?}", attr.row(entry).to_vec());
        }
    }
    text
}

/// The line of nodes, and below it a line for each edge that does not join neighbours on it, short ones first.
fn rows(sample: &Sample) -> String {
    let n = sample.view().nodes();
    let (beside, mut below): (Vec<Arc>, Vec<Arc>) =
        arcs(sample).into_iter().partition(|arc| arc.right == arc.left + 1);
    below.sort_by_key(|arc| (arc.right - arc.left, arc.left));
    let mut lines = vec![nodes(sample, n, &beside)];
    for (row, arc) in below.iter().enumerate() {
        lines.push(line(arc, &below[row + 1..], n));
    }
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "  {}", line.iter().collect::<String>().trim_end());
    }
    text
}

fn arcs(sample: &Sample) -> Vec<Arc> {
    let t = sample.view().topology;
    let has = |i: u32, j: u32| t.neighbours(j as usize).binary_search(&i).is_ok();
    let way = |(i, j): (u32, u32)| match (has(i, j), has(j, i)) {
        (true, true) => Some(Way::Both),
        (true, false) => Some(Way::Right),
        (false, true) => Some(Way::Left),
        (false, false) => None,
    };
    let n = t.nodes() as u32;
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    pairs
        .filter_map(|(i, j)| way((i, j)).map(|way| Arc { left: i as usize, right: j as usize, way }))
        .collect()
}

/// Numbers of nodes; `↺` behind one with a loop.
fn nodes(sample: &Sample, n: usize, beside: &[Arc]) -> Vec<char> {
    let mut line = vec![' '; PITCH * n];
    for arc in beside {
        line[arc.left * PITCH..arc.right * PITCH].fill('─');
        point(&mut line, *arc);
    }
    for i in 0..n {
        let number = i.to_string();
        let looped = sample.view().topology.neighbours(i).binary_search(&(i as u32)).is_ok();
        let label = number.chars().chain(looped.then_some('↺'));
        line[i * PITCH..].iter_mut().zip(label).for_each(|(place, c)| *place = c);
    }
    line
}

/// An edge, and the ends of those on lines below it.
fn line(arc: &Arc, later: &[Arc], n: usize) -> Vec<char> {
    let mut line = vec![' '; PITCH * n];
    line[arc.left * PITCH..=arc.right * PITCH].fill('─');
    let passes = |i: usize| later.iter().any(|arc| arc.left == i || arc.right == i);
    for i in 0..n {
        let inside = arc.left < i && i < arc.right;
        let mark = match (i == arc.left, i == arc.right, passes(i)) {
            (true, _, true) => '├',
            (true, _, false) => '└',
            (_, true, true) => '┤',
            (_, true, false) => '┘',
            (false, false, true) if inside => '┼',
            (false, false, true) => '│',
            (false, false, false) => continue,
        };
        line[i * PITCH] = mark;
    }
    point(&mut line, *arc);
    line
}

fn point(line: &mut [char], arc: Arc) {
    match arc.way {
        Way::Both => {}
        Way::Right => line[arc.right * PITCH - 1] = '▶',
        Way::Left => line[arc.left * PITCH + 1] = '◀',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counterexample::{graph, weighted_graph};

    fn check(sample: &Sample, want: &str) {
        assert_eq!(drawn(0, sample), want, "\n{}", drawn(0, sample));
    }

    #[test]
    fn edges_are_arcs_below_the_nodes() {
        let both =
            |pairs: &[(u32, u32)]| pairs.iter().flat_map(|&(i, j)| [(i, j), (j, i)]).collect::<Vec<_>>();
        let x = [[0.0f32; 0]; 5];
        let edges = both(&[(0, 1), (1, 3), (0, 3), (2, 4), (4, 4)]);
        check(
            &graph(&x, &edges),
            "\
graph 0: 5 nodes, 5 edges
  0───1   2   3   4↺
  │   └───┼───┤   │
  │       └───┼───┘
  └───────────┘
  x of 0: []
  x of 1: []
  x of 2: []
  x of 3: []
  x of 4: []
",
        );
    }

    #[test]
    fn one_way_edges_have_arrows() {
        check(
            &graph(&[[1.0], [2.0], [0.5]], &[(0, 1), (2, 1), (2, 0)]),
            "\
graph 0: 3 nodes, 3 directed edges
  0──▶1◀──2
  └◀──────┘
  x of 0: [1.0]
  x of 1: [2.0]
  x of 2: [0.5]
",
        );
    }

    #[test]
    fn weights_are_listed_and_nothing_is_nothing() {
        check(
            &weighted_graph(&[[1.0], [2.0]], &[(0, 1, 0.25), (1, 0, 0.25)]),
            "\
graph 0: 2 nodes, 1 edge
  0───1
  x of 0: [1.0]
  x of 1: [2.0]
  on 1 → 0: [0.25]
  on 0 → 1: [0.25]
",
        );
        check(&graph::<3>(&[], &[]), "graph 0: 0 nodes, 0 edges\n");
    }
}

//! How many nodes the ego-networks of the fittest egos hold.

use coarsen_eval::figure::curves::{self, Axes, Series, Stroke};
use coarsen_graph::Topology;
use serde::{Deserialize, Serialize};

use crate::figure::seen::Seen;

/// Points of a line at most.
const POINTS: usize = 200;

/// Nodes of a graph in closed networks of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Coverage {
    /// `(r, y)`: of the `⌈r n⌉` fittest egos the networks hold `y n` nodes.
    fittest: Vec<(f64, f64)>,
    /// The same of the egos that were chosen.
    chosen: (f64, f64),
}

/// By the fitness of the nodes, of equals the first first; loops do not count, nor do directions.
pub(super) fn covered(topology: Topology, fitness: &[f64], egos: &[usize]) -> Coverage {
    let n = topology.nodes();
    let mut around: Vec<Vec<usize>> = vec![Vec::new(); n];
    for (source, target) in topology.pairs() {
        around[source as usize].push(target as usize);
        around[target as usize].push(source as usize);
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| fitness[b].total_cmp(&fitness[a]).then(a.cmp(&b)));
    let counts = growing(&around, &order);
    let share = |count: usize| count as f64 / n.max(1) as f64;
    let step = n.div_ceil(POINTS).max(1);
    let places = (0..=n).step_by(step).chain((!n.is_multiple_of(step)).then_some(n));
    let chosen = growing(&around, egos).last().copied().unwrap_or(0);
    Coverage {
        fittest: places.map(|k| (share(k), share(counts[k]))).collect(),
        chosen: (share(egos.len()), share(chosen)),
    }
}

/// How many nodes the networks of the first 0, 1, 2, … egos hold.
fn growing(around: &[Vec<usize>], egos: &[usize]) -> Vec<usize> {
    let mut held = vec![false; around.len()];
    let mut count = 0;
    let mut counts = vec![0];
    for &ego in egos {
        for &node in around[ego].iter().chain([&ego]) {
            count += usize::from(!std::mem::replace(&mut held[node], true));
        }
        counts.push(count);
    }
    counts
}

/// A line an experiment and its beginning, the chosen egos as points on it, and what dropping nodes keeps.
pub(super) fn svg(seen: &[Seen]) -> String {
    let line = |(colour, one): (usize, &Seen)| {
        let series = |what: &str, coverage: &Coverage, stroke| Series {
            name: format!("{}, {what}", one.dataset),
            points: coverage.fittest.clone(),
            marked: Some(coverage.chosen),
            colour,
            stroke,
        };
        [series("trained", &one.trained, Stroke::Solid), series("untrained", &one.untrained, Stroke::Dashed)]
    };
    let mut all: Vec<Series> = seen.iter().enumerate().flat_map(line).collect();
    all.push(Series {
        name: "nodes kept by Top-k".to_owned(),
        points: vec![(0.0, 0.0), (1.0, 1.0)],
        marked: None,
        colour: 7,
        stroke: Stroke::Solid,
    });
    let axes = Axes {
        x: ("selected nodes, share of all".to_owned(), 0.0, 1.0),
        y: ("nodes in their ego-networks, share of all".to_owned(), 0.0, 1.0),
    };
    curves::svg("Coverage of ego-networks; points: adaptive selection", &axes, &all)
}

#[cfg(test)]
mod tests {
    use coarsen_graph::TopologyBuf;

    use super::*;

    /// A star of four, with a loop, beside a node alone.
    fn star() -> TopologyBuf {
        TopologyBuf::from_edges(5, [(1, 0), (2, 0), (0, 3), (0, 0)]).expect("a graph")
    }

    #[test]
    fn a_network_holds_its_ego_and_all_around_it() {
        let got = covered(star().view(), &[0.9, 0.2, 0.2, 0.1, 0.0], &[0]);
        let fifth = |k: usize| k as f64 / 5.0;
        assert_eq!(got.chosen, (fifth(1), fifth(4)));
        assert_eq!(
            got.fittest,
            [0, 4, 4, 4, 4, 5].iter().enumerate().map(|(k, &y)| (fifth(k), fifth(y))).collect::<Vec<_>>()
        );
        let leaves_first = covered(star().view(), &[0.0, 0.2, 0.3, 0.3, 0.4], &[]);
        assert_eq!(
            leaves_first.fittest[1..4],
            [(fifth(1), fifth(1)), (fifth(2), fifth(3)), (fifth(3), fifth(4))]
        );
        assert_eq!(leaves_first.chosen, (0.0, 0.0));
    }

    #[test]
    fn a_line_has_its_ends() {
        let path = TopologyBuf::from_undirected(1001, (1..1001).map(|i| (i - 1, i))).expect("a path");
        let got = covered(path.view(), &vec![1.0; 1001], &[]).fittest;
        assert_eq!((got.first(), got.last()), (Some(&(0.0, 0.0)), Some(&(1.0, 1.0))));
        assert!(got.len() <= POINTS + 2 && got.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
    }
}

//! Laws of functions of a graph: right ones obey, wrong ones are caught on a graph as small as can be.

mod pasted;

use std::fs;

use coarsen_graph::SampleRef;
use coarsen_graph::arbitrary::{Features, Graphs, Shape, Weights};
use coarsen_graph::counterexample::Counterexample;
use coarsen_graph::function::{Laws, Verdict, additive, equivariant, finite, invariant, local};
use coarsen_graph::search::Search;

fn laws() -> Laws {
    Laws { search: Search { cases: 256, ..Search::default() }, ..Laws::default() }
}

#[track_caller]
fn obeys(verdict: Verdict) {
    if let Err(found) = verdict {
        panic!("a right function was caught: {found}");
    }
}

/// This law says so, of a graph (or a pair) of so many nodes at most.
#[track_caller]
fn caught(verdict: Verdict, law: &str, most: usize) -> Box<Counterexample> {
    let found = verdict.expect_err("a wrong function passed");
    assert_eq!(found.law, law, "{found}");
    assert!(found.nodes() <= most, "{found}");
    assert!(found.seed.as_ref().is_some_and(|seed| seed.starts_with("cc ")), "{found}");
    found
}

/// Mean of each node's neighbours, 0 of none.
fn means(g: SampleRef<'_>) -> Vec<Vec<f64>> {
    let mean = |i: usize| {
        let near = g.topology.neighbours(i);
        let of = |column: usize| near.iter().map(|&j| f64::from(g.x[[j as usize, column]])).sum::<f64>();
        (0..g.x.ncols()).map(|column| of(column) / near.len().max(1) as f64).collect()
    };
    (0..g.nodes()).map(mean).collect()
}

fn summed(rows: &[Vec<f64>]) -> Vec<f64> {
    vec![rows.iter().flatten().sum()]
}

#[test]
fn message_passing_obeys() {
    let weighted = Graphs { weights: Weights::Symmetric, ..laws().graphs };
    let tied = Graphs { features: Features::Tied, ..laws().graphs };
    let directed = Graphs::of(Shape::Directed, 1..=9);
    for graphs in [laws().graphs, weighted, tied, directed] {
        let laws = Laws { graphs, ..laws() };
        obeys(equivariant(means, &laws));
        obeys(local(means, &laws));
        obeys(invariant(|g| summed(&means(g)), &laws));
        obeys(additive(|g| summed(&means(g)), &laws));
        obeys(finite(|g| summed(&means(g)), &laws));
    }
}

#[test]
fn what_depends_on_the_order_is_caught_on_two_nodes() {
    let first = |g: SampleRef<'_>| g.x.rows().into_iter().take(1).map(|row| f64::from(row[0])).collect();
    let found = caught(invariant(first, &laws()), "invariant", 2);
    assert_eq!(found.graphs[0].view().edges(), 0, "{found}");
    assert!(found.how.starts_with("the value of the renumbered graph differs first at [0]: "), "{found}");
    assert!(found.setting.contains("now [1, 0]"), "{found}");
    let numbered = |g: SampleRef<'_>| (0..g.nodes()).map(|i| vec![i as f64]).collect();
    caught(equivariant(numbered, &laws()), "equivariant", 2);
}

#[test]
fn an_edge_that_counts_once_is_caught_with_one_edge() {
    // Of an undirected edge the end that comes first gets the message.
    let one_way = |g: SampleRef<'_>| {
        let later = |i: usize| g.topology.neighbours(i).iter().filter(|&&j| j as usize > i).count();
        (0..g.nodes()).map(|i| vec![later(i) as f64]).collect()
    };
    let found = caught(equivariant(one_way, &laws()), "equivariant", 2);
    assert_eq!(found.graphs[0].view().edges(), 2);
}

#[test]
fn lost_nodes_are_caught() {
    // The number of nodes read off the edges: isolated nodes at the end are lost.
    let counted = |g: SampleRef<'_>| {
        let nodes = g.topology.col.iter().max().map_or(0, |&last| last as usize + 1);
        vec![vec![1.0]; nodes]
    };
    let found = caught(equivariant(counted, &laws()), "equivariant", 1);
    assert_eq!(found.how, "0 rows for 1 nodes");
}

#[test]
fn what_reaches_other_parts_is_caught() {
    let centred = |g: SampleRef<'_>| {
        let mean = g.x.iter().copied().map(f64::from).sum::<f64>() / g.x.len().max(1) as f64;
        g.x.rows().into_iter().map(|row| row.iter().map(|&x| f64::from(x) - mean).collect()).collect()
    };
    obeys(equivariant(centred, &laws()));
    caught(local(centred, &laws()), "local", 2);
    let mean_degree = |g: SampleRef<'_>| vec![g.edges() as f64 / g.nodes().max(1) as f64];
    obeys(invariant(mean_degree, &laws()));
    caught(additive(mean_degree, &laws()), "additive", 3);
}

#[test]
fn numbers_that_are_none_and_panics_are_caught() {
    let inverse = |g: SampleRef<'_>| (0..g.nodes()).map(|i| 1.0 / g.topology.degree(i) as f64).collect();
    let found = caught(finite(inverse, &laws()), "finite", 1);
    assert_eq!(found.how, "number 0 is inf");
    let mean = |g: SampleRef<'_>| vec![g.edges() as f64 / g.nodes() as f64];
    assert_eq!(caught(finite(mean, &laws()), "finite", 0).how, "number 0 is NaN");
    let hub = |g: SampleRef<'_>| {
        let most = (0..g.nodes()).map(|i| g.topology.degree(i)).max().expect("the fault of no node");
        vec![most as f64]
    };
    assert!(caught(invariant(hub, &laws()), "invariant", 0).how.contains("the fault of no node"));
}

/// A tie broken by the number of the node: seen where nodes tie and nowhere else.
#[test]
fn ties_are_seen_on_features_that_tie() {
    // The edges of the first node with the largest feature.
    let first_of_largest = |g: SampleRef<'_>| {
        let better = |best: usize, i: usize| if g.x[[i, 0]] > g.x[[best, 0]] { i } else { best };
        (0..g.nodes()).reduce(better).map(|best| g.topology.degree(best) as f64).into_iter().collect()
    };
    obeys(invariant(first_of_largest, &laws()));
    let tied = Laws { graphs: Graphs { features: Features::Tied, ..laws().graphs }, ..laws() };
    caught(invariant(first_of_largest, &tied), "invariant", 3);
}

#[test]
fn the_tolerance_is_what_it_says() {
    let off = |g: SampleRef<'_>| vec![g.x.first().map_or(0.0, |&x| f64::from(x) * 1e-6)];
    caught(invariant(off, &laws()), "invariant", 2);
    obeys(invariant(off, &Laws { tolerance: 1e-5, ..laws() }));
}

/// What was found once is tried first, from the file beside the test.
#[test]
fn a_remembered_case_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("test.rs");
    fs::write(&source, "").expect("a file");
    let file: &'static str = Box::leak(source.to_string_lossy().into_owned().into_boxed_str());
    let first = |g: SampleRef<'_>| g.x.rows().into_iter().take(1).map(|row| f64::from(row[0])).collect();
    let found = caught(invariant(first, &laws().remembered(file)), "invariant", 2);
    let kept = fs::read_to_string(source.with_extension("proptest-regressions")).expect("a file beside it");
    assert!(kept.contains(found.seed.as_deref().expect("a seed")), "{kept}");
    assert!(kept.contains("shrinks to vec![ graph("), "{kept}");

    let again = Laws { search: Search { cases: 1, ..laws().remembered(file).search }, ..laws() };
    let back = invariant(first, &again).expect_err("the case is remembered");
    assert_eq!((back.seed, back.graphs), (None, found.graphs));
}

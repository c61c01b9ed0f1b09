//! What a counter-example says is to be pasted into a test compiles and makes the case again.

use coarsen_graph::SampleRef;
use coarsen_graph::counterexample::{graph, literal, weighted_graph};
use coarsen_graph::function::{Laws, invariant};
use coarsen_graph::{Sample, Target};

fn graphs() -> Vec<Sample> {
    vec![
        graph(&[[0.5, -1.0], [1.0, 0.25], [-0.1, 3.0]], &[(1, 0), (0, 1), (2, 1), (2, 2)]),
        weighted_graph(&[[1e-7, 1.0], [0.0, -2.5]], &[(1, 0, 0.25), (0, 1, 0.25)]),
        graph::<2>(&[], &[]).with_target(Target::Class(1)),
        graph(&[[1.0, 2.0]], &[]).with_target(Target::Real(0.5)),
    ]
}

#[test]
fn a_list_of_graphs() {
    assert_eq!(literal(&graphs()), include_str!("graphs.in").trim_end());
    let pasted: Vec<Sample> = include!("graphs.in");
    assert_eq!(pasted, graphs());
}

#[test]
fn a_case_of_a_law() {
    let first = |g: SampleRef<'_>| vec![f64::from(g.x[[0, 0]])];
    let found = invariant(first, &Laws::default().on(vec![graphs().remove(0)])).expect_err("an order");
    assert_eq!(found.literal, include_str!("laws.in").trim_end());
    let pasted: Laws = include!("laws.in");
    assert_eq!(invariant(first, &pasted).expect_err("the same"), found);
}

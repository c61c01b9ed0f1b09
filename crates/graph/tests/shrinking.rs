//! What shrinking leaves keeps the rules of the draw: every step of [`coarsen_graph::arbitrary::Tree`] is looked at.

use std::cell::RefCell;
use std::collections::BTreeSet;

use coarsen_graph::Sample;
use coarsen_graph::arbitrary::{FEATURES, Features, Graphs, Shape, Weights};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// The smallest value found that breaks `rule`, and all that were tried on the way, in a run with a fixed seed.
fn shrunk<S: Strategy>(strategy: &S, seed: u8, rule: impl Fn(&S::Value) -> bool) -> (S::Value, Vec<S::Value>)
where
    S::Value: Clone,
{
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]));
    let tried = RefCell::new(Vec::new());
    let outcome = runner.run(strategy, |value| {
        tried.borrow_mut().push(value.clone());
        if rule(&value) { Ok(()) } else { Err(TestCaseError::fail("broken")) }
    });
    let Err(TestError::Fail(_, value)) = outcome else { panic!("no counterexample in 256 draws") };
    (value, tried.into_inner())
}

fn edges(sample: &Sample) -> usize {
    sample.view().topology.undirected_edges()
}

fn kinds(sample: &Sample) -> usize {
    sample.view().x.iter().map(|x| x.to_bits()).collect::<BTreeSet<_>>().len()
}

/// Whether every edge has its reverse, of the same weight.
fn is_symmetric(sample: &Sample) -> bool {
    let view = sample.view();
    let weight = |entry: usize| view.edge_attr.map_or(1.0, |w| w[[entry, 0]]);
    let mut seen: Vec<(u32, u32, u32)> =
        view.topology.pairs().enumerate().map(|(e, (i, j))| (i, j, weight(e).to_bits())).collect();
    let mut turned: Vec<(u32, u32, u32)> = seen.iter().map(|&(i, j, w)| (j, i, w)).collect();
    seen.sort_unstable();
    turned.sort_unstable();
    seen == turned
}

#[test]
fn undirected_weighted_graphs_stay_so_and_keep_their_least_size() {
    let strategy = Graphs { weights: Weights::Symmetric, ..Graphs::new(3..=9) };
    for seed in 0..16 {
        let (left, tried) = shrunk(&strategy, seed, |sample| edges(sample) < 3);
        for sample in &tried {
            assert!(is_symmetric(sample), "{sample:?}");
            assert!(sample.view().nodes() >= 3, "{sample:?}");
            assert!(sample.view().edge_attr.is_some_and(|w| w.iter().all(|&w| w > 0.0)), "{sample:?}");
            assert_eq!(kinds(sample), sample.view().nodes() * FEATURES, "features that do not tie");
        }
        assert_eq!(edges(&left), 3);
        assert!(left.view().edge_attr.is_some_and(|w| w.iter().all(|&w| w.to_bits() == 1f32.to_bits())));
        assert!(left.view().x.iter().all(|x| format!("{x}").len() <= "-0.12".len()), "{left:?}");
    }
}

/// Of a weight that matters the others are left out, and it stays.
#[test]
fn what_the_rule_is_about_is_kept() {
    let strategy = Graphs { weights: Weights::Symmetric, ..Graphs::new(1..=9) };
    for seed in 0..16 {
        let light = |sample: &Sample| sample.view().edge_attr.is_none_or(|w| w.iter().all(|&w| w <= 1.5));
        let (left, _) = shrunk(&strategy, seed, light);
        assert_eq!((left.view().nodes(), left.view().edges()), (2, 2), "{left:?}");
        assert!(!light(&left));
    }
}

#[test]
fn ties_stay_and_none_come_up() {
    let tied = Graphs { features: Features::Tied, ..Graphs::new(4..=9) };
    let constant = Graphs { features: Features::Constant, ..Graphs::of(Shape::Circulant, 2..=9) };
    for seed in 0..16 {
        let (_, tried) = shrunk(&tied, seed, |sample| edges(sample) < 2);
        assert!(tried.iter().all(|sample| kinds(sample) <= 3 * FEATURES));
        assert!(tried.iter().any(|sample| kinds(sample) < sample.view().nodes() * FEATURES));
        let (_, tried) = shrunk(&constant, seed, |sample| edges(sample) < 2);
        assert!(tried.iter().all(|sample| kinds(sample) == FEATURES));
    }
}

#[test]
fn batches_lose_graphs_nodes_and_edges() {
    let mut shapes = Shape::UNDIRECTED.to_vec();
    shapes.push((3, Shape::Empty));
    let strategy = Graphs { shapes, ..Graphs::new(1..=9) }.batch(1..=4);
    for seed in 0..16 {
        let (left, tried) =
            shrunk(&strategy, seed, |batch| batch.iter().map(edges).max().is_none_or(|most| most < 2));
        assert_eq!(left.iter().map(edges).collect::<Vec<_>>(), [2]);
        assert!(tried.iter().all(|batch| (1..=4).contains(&batch.len())));
        let (left, _) = shrunk(&strategy, seed, |batch| batch.len() < 3);
        assert!(left.iter().all(|graph| graph.view().nodes() <= 1), "{left:?}");
        assert_eq!(left.len(), 3);
    }
}

/// Sizes in a batch are mixed, and every shape comes up.
#[test]
fn the_draw_is_as_it_says() {
    let mut runner = TestRunner::new_with_rng(
        Config { failure_persistence: None, ..Config::default() },
        TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]),
    );
    let (mut mixed, mut least, mut total) = (0, 0, 0);
    let strategy = Graphs::new(1..=9).batch(2..=4);
    for _ in 0..400 {
        let batch = {
            use proptest::strategy::ValueTree;
            strategy.new_tree(&mut runner).expect("nothing is rejected").current()
        };
        let sizes: BTreeSet<usize> = batch.iter().map(|graph| graph.view().nodes()).collect();
        mixed += usize::from(sizes.len() > 1);
        total += batch.len();
        least += batch.iter().filter(|graph| graph.view().nodes() == 1).count();
    }
    assert!(mixed > 300, "{mixed} of 400 batches are of mixed sizes");
    // 1/7 + 6/7 · 1/9 = 0.24.
    let share = least as f64 / total as f64;
    assert!((0.2..0.28).contains(&share), "{share} of the graphs have one node");
}

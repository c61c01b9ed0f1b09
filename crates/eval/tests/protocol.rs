//! Properties of splits: disjoint, complete, proportionate, repeatable.

use std::collections::{BTreeMap, BTreeSet};

use coarsen_eval::{Error, Protocol, Split, ValidFrom};
use proptest::prelude::*;

fn holdout() -> impl Strategy<Value = Protocol> {
    let fractions = prop_oneof![
        Just([0.8, 0.1, 0.1]),
        Just([0.6, 0.2, 0.2]),
        Just([0.5, 0.25, 0.25]),
        Just([0.7, 0.2, 0.1]),
        Just([0.1, 0.05, 0.15]),
    ];
    (fractions, 1..4_u32, any::<bool>()).prop_map(|([train, valid, test], repeats, stratified)| {
        Protocol::Holdout { train, valid, test, repeats, stratified }
    })
}

fn k_fold() -> impl Strategy<Value = Protocol> {
    let valid = prop_oneof![
        Just(ValidFrom::Test),
        Just(ValidFrom::NextFold),
        Just(ValidFrom::Inner { fraction: 0.1 }),
        Just(ValidFrom::Inner { fraction: 0.3 }),
    ];
    (3..11_u32, valid, 1..3_u32, any::<bool>())
        .prop_map(|(folds, valid, repeats, stratified)| Protocol::KFold { folds, valid, repeats, stratified })
}

/// Enough samples that no part of any of the protocols above is empty.
fn labels() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..4_u32, 20..150)
}

fn validates_on_test(protocol: &Protocol) -> bool {
    matches!(protocol, Protocol::KFold { valid: ValidFrom::Test, .. })
}

fn counts(labels: &[u32], part: &[usize]) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for &sample in part {
        *counts.entry(labels[sample]).or_default() += 1;
    }
    counts
}

fn all(labels: &[u32]) -> Vec<usize> {
    (0..labels.len()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_are_disjoint_sorted_and_complete(
        protocol in prop_oneof![holdout(), k_fold()], labels in labels(), seed: u64,
    ) {
        let splits = protocol.splits(&labels, seed).unwrap();
        prop_assert_eq!(splits.len(), protocol.folds() as usize);
        for (index, split) in splits.iter().enumerate() {
            prop_assert_eq!(split.index as usize, index);
            let mut parts = vec![&split.train, &split.test];
            if validates_on_test(&protocol) {
                prop_assert_eq!(&split.valid, &split.test);
            } else {
                parts.push(&split.valid);
            }
            for part in &parts {
                prop_assert!(!part.is_empty() && part.is_sorted());
            }
            let union: BTreeSet<usize> = parts.iter().flat_map(|part| part.iter().copied()).collect();
            prop_assert_eq!(union.len(), parts.iter().map(|part| part.len()).sum::<usize>());
            prop_assert!(union.iter().all(|&sample| sample < labels.len()));
            if !matches!(protocol, Protocol::Holdout { train: 0.1, .. }) {
                prop_assert_eq!(union.len(), labels.len());
            }
        }
    }

    #[test]
    fn splits_are_a_function_of_the_seed(protocol in prop_oneof![holdout(), k_fold()], labels in labels(), seed: u64) {
        let splits = protocol.splits(&labels, seed).unwrap();
        prop_assert_eq!(&splits, &protocol.splits(&labels, seed).unwrap());
        let others = protocol.splits(&labels, seed ^ 1).unwrap();
        prop_assert!(splits.iter().zip(&others).all(|(a, b)| a.seed != b.seed));
    }

    #[test]
    fn only_stratified_splits_look_at_labels(protocol in prop_oneof![holdout(), k_fold()], labels in labels(), seed: u64) {
        let stratified =
            matches!(protocol, Protocol::Holdout { stratified: true, .. } | Protocol::KFold { stratified: true, .. });
        let zeros = vec![0; labels.len()];
        if !stratified {
            prop_assert_eq!(protocol.splits(&labels, seed).unwrap(), protocol.splits(&zeros, seed).unwrap());
        }
    }

    #[test]
    fn a_stratified_holdout_keeps_the_proportions(labels in labels(), seed: u64) {
        let protocol =
            Protocol::Holdout { train: 0.6, valid: 0.2, test: 0.2, repeats: 1, stratified: true };
        let split = protocol.splits(&labels, seed).unwrap().remove(0);
        prop_assert_eq!(split.test.len(), labels.len().div_ceil(5));
        prop_assert_eq!(split.valid.len(), labels.len().div_ceil(5));
        for (class, size) in counts(&labels, &all(&labels)) {
            for part in [&split.test, &split.valid] {
                let got = counts(&labels, part).get(&class).copied().unwrap_or(0) as f64;
                let quota = part.len() as f64 * size as f64 / labels.len() as f64;
                prop_assert!((got - quota).abs() < 1.5, "class {class}: {got} for {quota}");
            }
        }
    }

    #[test]
    fn every_sample_tests_once_a_repeat_in_folds_of_equal_size(
        labels in labels(), folds in 2..11_u32, stratified: bool, seed: u64,
    ) {
        let protocol = Protocol::KFold { folds, valid: ValidFrom::Test, repeats: 2, stratified };
        let splits = protocol.splits(&labels, seed).unwrap();
        for repeat in splits.chunks(folds as usize) {
            let mut tested: Vec<usize> = repeat.iter().flat_map(|split| split.test.iter().copied()).collect();
            tested.sort_unstable();
            prop_assert_eq!(tested, all(&labels));
            let even = |sizes: Vec<usize>| sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1;
            prop_assert!(even(repeat.iter().map(|split| split.test.len()).collect()));
            if stratified {
                for class in 0..4 {
                    let of_class = |split: &Split| counts(&labels, &split.test).get(&class).copied().unwrap_or(0);
                    prop_assert!(even(repeat.iter().map(of_class).collect()));
                }
            }
        }
    }
}

#[test]
fn seeds_and_repeats_draw_different_splits() {
    let holdout = Protocol::Holdout { train: 0.8, valid: 0.1, test: 0.1, repeats: 5, stratified: true };
    let k_fold = Protocol::KFold { folds: 5, valid: ValidFrom::Test, repeats: 2, stratified: false };
    for protocol in [holdout, k_fold] {
        let splits = (0..4).flat_map(|seed| protocol.splits(&[0; 200], seed).unwrap());
        let tests: BTreeSet<Vec<usize>> = splits.map(|split| split.test).collect();
        assert_eq!(tests.len(), 4 * protocol.folds() as usize);
    }
}

#[test]
fn the_next_fold_validates() {
    let protocol = Protocol::KFold { folds: 5, valid: ValidFrom::NextFold, repeats: 1, stratified: false };
    let splits = protocol.splits(&[0; 50], 3).unwrap();
    for fold in 0..5 {
        assert_eq!(splits[fold].valid, splits[(fold + 1) % 5].test);
    }
}

#[test]
fn decimal_fractions_round_as_they_are_written() {
    let protocol = Protocol::default();
    let sizes = |n| {
        let split = protocol.splits(&vec![0; n], 0).unwrap().remove(0);
        [split.train.len(), split.valid.len(), split.test.len()]
    };
    assert_eq!(sizes(30), [24, 3, 3]);
    assert_eq!(sizes(188), [150, 19, 19]);
    assert_eq!(sizes(1113), [889, 112, 112]);
    assert_eq!(sizes(3), [1, 1, 1]);
}

#[test]
fn too_few_samples_are_counted() {
    let message = |protocol: &Protocol, n| protocol.splits(&vec![0; n], 0).unwrap_err().to_string();
    assert_eq!(
        message(&Protocol::default(), 2),
        "holdout of 2 samples leaves 0 to train, 1 to validate and 1 to test; each part needs one"
    );
    let k_fold = Protocol::KFold { folds: 10, valid: ValidFrom::Test, repeats: 1, stratified: false };
    assert_eq!(
        message(&k_fold, 9),
        "k-fold of 9 samples leaves 9 to train, 0 to validate and 0 to test; each part needs one"
    );
    assert!(message(&Protocol::default(), 0).contains("of 0 samples"));
}

#[test]
fn fields_out_of_range_are_named() {
    let message = |json: &str| match serde_json::from_str::<Protocol>(json).unwrap().check() {
        Err(error @ Error::Config { .. }) => error.to_string(),
        other => panic!("{json}: {other:?}"),
    };
    assert_eq!(
        message(r#"{"kind": "holdout", "train": 0.8, "valid": 0.2, "test": 0.1}"#),
        "holdout: `train + valid + test` must be at most 1, got 1.1"
    );
    assert_eq!(
        message(r#"{"kind": "holdout", "train": 0.8, "valid": 0.0, "test": 0.1}"#),
        "holdout: `valid` must be in (0, 1), got 0"
    );
    assert_eq!(
        message(r#"{"kind": "k-fold", "folds": 1, "valid": "test"}"#),
        "k-fold: `folds` must be at least 2, got 1"
    );
    assert_eq!(
        message(r#"{"kind": "k-fold", "folds": 2, "valid": "next-fold"}"#),
        "k-fold: `folds` must be at least 3 when the next fold validates, got 2"
    );
    assert_eq!(
        message(r#"{"kind": "k-fold", "folds": 10, "valid": {"inner": {"fraction": 1.0}}}"#),
        "k-fold: `valid.inner.fraction` must be in (0, 1), got 1"
    );
    assert_eq!(
        message(r#"{"kind": "k-fold", "folds": 10, "valid": "test", "repeats": 0}"#),
        "k-fold: `repeats` must be at least 1, got 0"
    );
}

#[test]
fn json_is_strict_and_has_the_documented_defaults() {
    let read = |text: &str| serde_json::from_str::<Protocol>(text);
    let default = read(r#"{"kind": "holdout", "train": 0.8, "valid": 0.1, "test": 0.1}"#).unwrap();
    assert_eq!(default, Protocol::default());
    let k_fold = read(r#"{"kind": "k-fold", "folds": 10, "valid": "test"}"#).unwrap();
    assert_eq!(k_fold, Protocol::KFold { folds: 10, valid: ValidFrom::Test, repeats: 1, stratified: false });
    assert!(read(r#"{"kind": "k-fold", "folds": 10, "valid": "test", "shuffle": true}"#).is_err());
    assert!(read(r#"{"kind": "k-fold", "folds": 10, "valid": {"inner": {"fractoin": 0.1}}}"#).is_err());
    for protocol in [default, k_fold] {
        assert_eq!(read(&serde_json::to_string(&protocol).unwrap()).unwrap(), protocol);
    }
}

/// What is held out is what the rule gives, half of it for each; the counts are those of AdamGNN's code.
#[test]
fn a_rule_says_what_is_held_out() {
    let protocol = Protocol::default();
    for (n, held) in [(34, 6), (2405, 480), (2708, 541)] {
        let mut asked = Vec::new();
        let splits = protocol.held_out(n, 3, |order, count| {
            asked.push(count);
            order[..count].to_vec()
        });
        for (split, &count) in splits.unwrap().iter().zip(&asked) {
            assert_eq!(count, held);
            assert_eq!((split.valid.len(), split.test.len()), (held / 2, held - held / 2));
            let mut all = [&split.train[..], &split.valid, &split.test].concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..n));
        }
        assert_eq!(asked.len(), 10);
    }
    let odd = protocol.held_out(30, 3, |order, count| {
        order.iter().copied().filter(|sample| sample % 2 == 1).take(count).collect()
    });
    assert!(
        odd.unwrap().iter().all(|split| split.valid.iter().chain(&split.test).all(|sample| sample % 2 == 1))
    );

    let refused =
        |protocol: Protocol| protocol.held_out(30, 3, |order, _| order.to_vec()).unwrap_err().to_string();
    let stratified = Protocol::Holdout { train: 0.8, valid: 0.1, test: 0.1, repeats: 1, stratified: true };
    assert_eq!(refused(stratified), "holdout: `stratified` must be false, for parts of one graph, got true");
    let folds = Protocol::KFold { folds: 3, valid: ValidFrom::NextFold, repeats: 1, stratified: false };
    assert_eq!(refused(folds), "k-fold: `kind` must be holdout, for parts of one graph, got k-fold");
    assert!(refused(protocol).contains("leaves 0 to train"), "nothing is left to train on");
}

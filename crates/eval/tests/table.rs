//! Rendered tables are golden files; the numbers in them come from records.

mod common;

use coarsen_eval::table::{Cell, Comparison};
use coarsen_eval::{Interval, Record, Rule, Unit};
use common::{check_golden, record, table};

#[test]
fn text_is_golden() {
    check_golden("table.txt", &table().to_text());
}

#[test]
fn markdown_is_golden() {
    check_golden("table.md", &table().to_markdown());
}

#[test]
fn a_frozen_record_is_read_and_scored() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/record.json");
    let record = Record::read(&path).unwrap();
    assert_eq!(record.id(), "demo/frozen");
    assert_eq!(record.hash, "8bf711b5e4878456");
    let values = |rule| record.scores(rule).unwrap().iter().map(|scored| scored.value).collect::<Vec<_>>();
    assert_eq!(values(Rule::Honest), [0.6, 0.2]);
    assert_eq!(values(Rule::MaxOfMeanCurve), [0.9, 0.1]);
}

#[test]
fn delta_is_ours_minus_published() {
    let record = record("NCI1", "diffpool", 0.77, 3);
    let cell = Cell::new(&record, Rule::LastEpoch, Unit::Percent, Some(76.0));
    let mean = 100.0 * record.score(Rule::LastEpoch).unwrap().mean;
    assert!((cell.delta().unwrap() - (mean - 76.0)).abs() < 1e-12);
    assert_eq!(Cell { published: None, ..cell.clone() }.delta(), None);
    assert_eq!(Cell { ours: None, ..cell }.delta(), None);
}

#[test]
fn a_comparison_says_whose_runs_are_missing() {
    let complete = record("NCI1", "diffpool", 0.77, 3);
    let unfinished = Record { planned: 4, ..record("NCI1", "random", 0.77, 3) };
    let compare = |control| {
        Comparison::new("NCI1", ("DiffPool", &complete), ("random", control), Rule::Honest, Unit::One)
    };
    assert_eq!(compare(&unfinished).outcome.unwrap_err(), "random: 3 of 4 runs are recorded");
    let Interval { low, high } = compare(&complete).outcome.unwrap().interval.unwrap();
    assert!(low == 0.0 && high == 0.0, "a record against itself: {low} {high}");
}

//! A table with every kind of cell, from synthetic records.

use coarsen_eval::table::{Cell, Comparison, Row, RowKind, Score, Table};
use coarsen_eval::{Curves, Environment, Metric, Outcome, Record, Rule, Run, Summary, Unit, stream};

pub(crate) fn environment() -> Environment {
    Environment {
        version: "0.1.0".to_owned(),
        commit: Some("0123abcd".to_owned()),
        dirty: Some(true),
        libtorch: "2.11.0".to_owned(),
        device: "cpu".to_owned(),
        threads: 2,
        started: "2001-02-03T04:05:06Z".to_owned(),
        os: "linux".to_owned(),
        arch: "x86_64".to_owned(),
    }
}

/// A number in [0, 1) for every run and epoch, the same for every method of a data set.
fn noise(set: &str, run: u32, epoch: u32) -> f64 {
    (stream(u64::from(run), set, u64::from(epoch)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Runs whose curves rise to about `level` and flatten.
pub(crate) fn record(set: &str, method: &str, level: f64, runs: u32) -> Record {
    let epochs = 60;
    let experiment =
        serde_json::json!({"id": format!("demo/table1/{}/{method}", set.to_lowercase()), "seed": 0});
    let mut record = Record::new(experiment, Metric::Accuracy, runs, environment());
    for index in 0..runs {
        let curve = |name: &str, height: f64, jitter: f64| -> Vec<f64> {
            let rise = |epoch: u32| f64::from(epoch) / f64::from(epoch + 3);
            let at = |epoch| {
                0.5 + (height - 0.5) * rise(epoch)
                    + jitter * (noise(&format!("{set}{name}"), index, epoch) - 0.5)
            };
            (0..epochs).map(at).collect()
        };
        let own = 0.03 * (noise(&format!("{set}{method}"), index, 0) - 0.5);
        let curves = Curves {
            train_loss: curve("loss", 0.1, 0.01),
            train: curve("train", level + 0.12, 0.01),
            valid: curve("valid", level + 0.01, 0.04),
            test: curve("test", level + own, 0.05),
            ..Curves::default()
        };
        let outcome = Outcome::Done { curves, epochs, seconds: 1.0 };
        record.put(Run { index, seed: stream(0, "run", u64::from(index)), outcome });
    }
    record
}

pub(crate) fn table() -> Table {
    let (rule, unit) = (Rule::Honest, Unit::Percent);
    let diffpool = [record("NCI1", "diffpool", 0.77, 10), record("D&D", "diffpool", 0.76, 10)];
    let random = [record("NCI1", "random", 0.745, 10), record("D&D", "random", 0.758, 10)];
    let mut failed = record("NCI1", "structpool", 0.8, 10);
    let error = "loss is NaN at epoch 7 <lr too large>".to_owned();
    failed.put(Run { index: 3, seed: 0, outcome: Outcome::Failed { error } });
    let unfinished = record("MUTAG", "diffpool", 0.7, 4);
    let unfinished = Record { planned: 10, ..unfinished };
    let single = record("MUTAG", "random", 0.7, 1);

    let row = |method: &str, cells: [Cell; 3]| Row {
        method: method.to_owned(),
        kind: RowKind::Method,
        cells: cells.into(),
    };
    let cell = |record: &Record, published| Cell::new(record, rule, unit, published);
    let published = |value| Cell { published: Some(value), ..Cell::default() };
    let majority = |mean, std| {
        let summary = Summary { n: 10, mean, std: Some(std) };
        Cell { ours: Some(Score::new(summary, rule, unit)), ..Cell::default() }
    };
    let noted =
        Cell { note: Some("one graph of this test set is 5.3 points".to_owned()), ..cell(&single, None) };
    let compare = |set: &str, a: &Record, b: &Record| {
        Comparison::new(set, ("DiffPool", a), ("random DiffPool", b), rule, unit)
    };
    Table {
        title: "Demonstration: graph classification".to_owned(),
        metric: Metric::Accuracy,
        unit,
        rule,
        columns: ["NCI1", "D&D", "MUTAG"].map(str::to_owned).to_vec(),
        rows: vec![
            row(
                "DiffPool",
                [
                    cell(&diffpool[0], Some(76.47)),
                    cell(&diffpool[1], Some(76.16)),
                    cell(&unfinished, Some(73.61)),
                ],
            ),
            row(
                "DiffPool, published rule",
                [
                    Cell::new(&diffpool[0], Rule::MaxOfMeanCurve, unit, Some(76.47)),
                    Cell::new(&diffpool[1], Rule::MaxOfMeanCurve, unit, Some(76.16)),
                    Cell::default(),
                ],
            ),
            row("random DiffPool", [cell(&random[0], None), cell(&random[1], None), noted]),
            row("StructPool | CRF", [cell(&failed, Some(77.61)), published(80.10), Cell::default()]),
            Row {
                method: "majority class".to_owned(),
                kind: RowKind::Reference,
                cells: vec![majority(0.5004, 0.021), majority(0.587, 0.034), majority(0.665, 0.101)],
            },
        ],
        comparisons: vec![
            compare("NCI1", &diffpool[0], &random[0]),
            compare("D&D", &diffpool[1], &random[1]),
            compare("MUTAG", &unfinished, &single),
        ],
        notes: vec!["Synthetic curves: this table reports nothing.".to_owned()],
    }
}

/// Compares with a golden file; `COARSEN_BLESS=1` writes it.
pub(crate) fn check_golden(name: &str, got: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("COARSEN_BLESS").is_some() {
        std::fs::write(&path, got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap();
    let line = got.lines().zip(want.lines()).position(|(got, want)| got != want);
    assert!(got == want, "{name} differs, first in line {:?}:\n{got}", line.map(|line| line + 1));
}

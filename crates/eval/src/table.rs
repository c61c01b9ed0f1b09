//! Tables: our numbers beside the published ones, and learned operators beside their controls.
//!
//! A [`Table`] is a plain value that a caller fills from records; printing it is a pure function ([`Table::to_text`],
//! [`Table::to_markdown`]). All its numbers are in its [`Unit`].
//!
//! # Examples
//!
//! ```
//! use coarsen_eval::table::{Cell, Row, RowKind, Score, Table};
//! use coarsen_eval::{Metric, Rule, Summary, Unit};
//!
//! let summary = Summary::of(&[0.70, 0.74]).expect("there are values");
//! let ours = Score::new(summary, Rule::Honest, Unit::Percent);
//! let cell = Cell { ours: Some(ours), published: Some(71.9), ..Cell::default() };
//! let table = Table {
//!     title: "graph classification".to_owned(),
//!     metric: Metric::Accuracy,
//!     unit: Unit::Percent,
//!     rule: Rule::Honest,
//!     columns: vec!["PROTEINS".to_owned()],
//!     rows: vec![Row { method: "DiffPool".to_owned(), kind: RowKind::Method, cells: vec![cell] }],
//!     comparisons: vec![],
//!     notes: vec![],
//! };
//! assert!(table.to_text().contains("DiffPool  72.00 ± 2.83 (2) |     71.90 | +0.10"));
//! ```

use crate::{Difference, Interval, Metric, Record, Rule, Summary, Unit, paired};

/// A table: methods by data sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// What its numbers measure.
    pub metric: Metric,
    /// The unit of all its numbers.
    pub unit: Unit,
    /// The rule behind our numbers, unless a cell says otherwise.
    pub rule: Rule,
    /// The data sets.
    pub columns: Vec<String>,
    /// The methods.
    pub rows: Vec<Row>,
    /// Learned operators against their controls.
    pub comparisons: Vec<Comparison>,
    /// Remarks for the foot.
    pub notes: Vec<String>,
}

/// A row of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The name of the method.
    pub method: String,
    /// What kind of row it is.
    pub kind: RowKind,
    /// One cell for every column.
    pub cells: Vec<Cell>,
}

/// What a row is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// A method of the published table, or one of ours.
    Method,
    /// A yardstick that has learned nothing, as the majority class.
    Reference,
}

/// A cell of a [`Table`]: `ours ± std (n) | published | Δ`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    /// Our number.
    pub ours: Option<Score>,
    /// The published number.
    pub published: Option<f64>,
    /// A remark for the foot.
    pub note: Option<String>,
    /// Why there is no number of ours although it was tried.
    pub failed: Option<String>,
}

/// Our number in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Mean over the runs.
    pub mean: f64,
    /// Sample standard deviation; a single run has none.
    pub std: Option<f64>,
    /// Number of runs.
    pub n: usize,
    /// How the epoch was chosen.
    pub rule: Rule,
}

/// A learned operator minus its control on one data set, run by run.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The data set.
    pub column: String,
    /// What is learned.
    pub learned: String,
    /// Its control.
    pub control: String,
    /// The mean paired difference, or why there is none.
    pub outcome: Result<Difference, String>,
}

impl Score {
    /// A summary of plain numbers in the unit of a table.
    pub fn new(summary: Summary, rule: Rule, unit: Unit) -> Self {
        let Summary { n, mean, std } = summary.scaled(unit);
        Self { mean, std, n, rule }
    }
}

impl Cell {
    /// The cell of a record: its score, or the reason why it has none.
    pub fn new(record: &Record, rule: Rule, unit: Unit, published: Option<f64>) -> Self {
        match record.score(rule) {
            Ok(summary) => Self { ours: Some(Score::new(summary, rule, unit)), published, ..Self::default() },
            Err(error) => Self { published, failed: Some(error.to_string()), ..Self::default() },
        }
    }

    /// Ours minus published.
    pub fn delta(&self) -> Option<f64> {
        Some(self.ours?.mean - self.published?)
    }

    /// Whether there is nothing to print.
    pub fn is_blank(&self) -> bool {
        self.ours.is_none() && self.published.is_none() && self.failed.is_none()
    }
}

impl Comparison {
    /// Compares two records run by run under a rule.
    pub fn new(
        column: &str,
        learned: (&str, &Record),
        control: (&str, &Record),
        rule: Rule,
        unit: Unit,
    ) -> Self {
        let scores =
            |(name, record): (&str, &Record)| record.scores(rule).map_err(|error| format!("{name}: {error}"));
        let difference = || {
            let (learned, control) = (scores(learned)?, scores(control)?);
            paired(&learned, &control).map_err(|error| error.to_string())
        };
        Self {
            column: column.to_owned(),
            learned: learned.0.to_owned(),
            control: control.0.to_owned(),
            outcome: difference().map(|difference| difference.scaled(unit)),
        }
    }
}

impl Summary {
    /// A summary of plain numbers in another unit.
    #[must_use]
    pub fn scaled(self, unit: Unit) -> Self {
        Self { n: self.n, mean: unit.scale(self.mean), std: self.std.map(|std| unit.scale(std)) }
    }
}

impl Difference {
    /// A difference of plain numbers in another unit.
    #[must_use]
    pub fn scaled(self, unit: Unit) -> Self {
        let interval = self
            .interval
            .map(|Interval { low, high }| Interval { low: unit.scale(low), high: unit.scale(high) });
        Self { summary: self.summary.scaled(unit), interval }
    }
}

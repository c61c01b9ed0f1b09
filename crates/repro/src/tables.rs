//! Tables from records: a pure function of what was recorded and what was printed.

use anyhow::Result;
use coarsen_eval::published::{Paper, PublishedTable};
use coarsen_eval::table::{Cell, Comparison, Row, RowKind, Score, Table};
use coarsen_eval::{Metric, Outcome, Record, Rule, Unit};
use coarsen_graph::{Family, registry};
use coarsen_train::{Checked, Experiment, TaskConfig};

use crate::plan::{ColumnPlan, Plan, TablePlan};
use crate::reproduce::Results;
use crate::suite::{Column, Library, Method, Place, TableSpec};

/// All tables of a plan.
pub(crate) fn tables(plan: &Plan, results: &Results, library: &Library) -> Result<Vec<Table>> {
    plan.tables.iter().map(|table| one(plan, table, results, library)).collect()
}

fn one(plan: &Plan, table: &TablePlan, results: &Results, library: &Library) -> Result<Table> {
    let spec = plan.spec(table);
    let (paper, printed) = library.table(&spec.published)?;
    let unit = printed.unit;

    let mut rows = vec![Row {
        method: without_looking(printed.metric).to_owned(),
        kind: RowKind::Reference,
        cells: table.columns.iter().map(|column| yardstick(&column.majority, spec, unit, results)).collect(),
    }];
    for (place, method) in table.methods.iter().enumerate() {
        let cell = |column: &ColumnPlan| {
            let mut cell = measured(&column.experiments[place], spec.rule, unit, results);
            if !generated(&column.column) {
                cell.published = value(printed, method, &column.column);
                cell.note = also(&spec.also, method, &column.column, library)?;
            }
            Ok(cell)
        };
        let cells = table.columns.iter().map(cell).collect::<Result<_>>()?;
        rows.push(Row { method: method.name.clone(), kind: RowKind::Method, cells });
    }

    let mut notes = Vec::new();
    let title = match &plan.suite.budget {
        None => spec.title.clone(),
        Some(budget) => {
            notes.push(format!("{}: reduced budget, not the papers' protocol: {budget}", plan.name));
            format!("{} ({}: reduced budget, not the papers' protocol)", spec.title, plan.name)
        }
    };
    if plan.builtin {
        notes.push("GENERATED DATA: nothing is published about these data sets.".to_owned());
    } else {
        notes.push(format!("Published: {} ({}).", origin(paper), printed.protocol));
    }
    notes.extend(spec.notes.iter().cloned());
    for column in &table.columns {
        let name = &column.column.dataset;
        notes.extend(column.experiments.first().map(|first| format!("{name}: {}.", extent(first))));
        notes.extend(column.column.note.as_ref().map(|note| format!("{name}: {note}")));
        notes.extend(results.absent.get(name).map(|why| format!("{name} was not run: {why}.")));
    }
    Ok(Table {
        title,
        metric: printed.metric,
        unit,
        rule: spec.rule,
        columns: table.columns.iter().map(|column| column.column.dataset.clone()).collect(),
        rows,
        comparisons: comparisons(table, spec.rule, unit, results),
        notes,
    })
}

/// The answer that the best row without a look at the samples gives.
fn without_looking(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "majority class",
        Metric::RocAuc => "one score for all",
        Metric::Mae => "median",
    }
}

/// `3 runs of at most 60 epochs, batches of 32`.
fn extent(experiment: &Checked) -> String {
    let Experiment { protocol, train, task, .. } = experiment.experiment();
    let patience = train
        .patience
        .map_or(String::new(), |patience| format!(", stopped after {patience} without progress"));
    let step = match task {
        TaskConfig::NodeClassification(_) | TaskConfig::LinkPrediction(_) => {
            "the whole graph in each step".to_owned()
        }
        _ => format!("batches of {} graphs", train.batch),
    };
    format!("{} runs of at most {} epochs{patience}; {step}", protocol.folds(), train.epochs)
}

/// Our number of an experiment, or why there is none.
fn measured(experiment: &Checked, rule: Rule, unit: Unit, results: &Results) -> Cell {
    let problem = results.problems.get(experiment.hash());
    match (problem, results.records.get(experiment.hash())) {
        (Some(problem), _) => Cell { failed: Some(problem.clone()), ..Cell::default() },
        (None, Some(record)) => Cell::new(record, rule, unit, None),
        (None, None) => Cell::default(),
    }
}

/// The majority class has nothing to select: its number goes with every rule.
fn yardstick(experiment: &Checked, spec: &TableSpec, unit: Unit, results: &Results) -> Cell {
    let mut cell = measured(experiment, Rule::LastEpoch, unit, results);
    cell.ours = cell.ours.map(|score| Score { rule: spec.rule, ..score });
    cell
}

fn value(printed: &PublishedTable, method: &Method, column: &Column) -> Option<f64> {
    printed.value(method.printed.as_deref()?, column.printed())
}

/// What other tables print for the same cell.
fn also(places: &[Place], method: &Method, column: &Column, library: &Library) -> Result<Option<String>> {
    let mut texts = Vec::new();
    for place in places {
        let (paper, table) = library.table(place)?;
        if let Some(value) = value(table, method, column) {
            texts.push(format!("{value:.2} in {} ({}).", origin(paper), table.protocol));
        }
    }
    Ok((!texts.is_empty()).then(|| texts.join(" ")))
}

/// `Ying et al. 2018: Table 1`: where the numbers were read, without remarks.
fn origin(paper: &Paper) -> &str {
    paper.source.split(';').next().unwrap_or(&paper.source)
}

/// Learned minus control, for every pair that has both records.
fn comparisons(table: &TablePlan, rule: Rule, unit: Unit, results: &Results) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for column in &table.columns {
        let record = |method: &str| {
            let place = table.methods.iter().position(|m| m.key == method)?;
            let record = results.records.get(column.experiments[place].hash())?;
            Some((table.methods[place].name.as_str(), record))
        };
        for control in &table.methods {
            let Some(learned) = control.control_of.as_deref().and_then(record) else { continue };
            if let Some(control) = record(&control.key) {
                comparisons.push(Comparison::new(&column.column.dataset, learned, control, rule, unit));
            }
        }
    }
    comparisons
}

pub(crate) fn generated(column: &Column) -> bool {
    registry::find(&column.dataset).is_ok_and(|spec| spec.family == Family::Generated)
}

/// One line about a finished experiment: `72.10 ± 3.40 % (3)  31.2 s`.
pub(crate) fn outcome(record: &Record, experiment: &Checked) -> String {
    let validates_on_test = experiment.experiment().protocol.validates_on_test();
    let rule = if validates_on_test { Rule::MaxOfMeanCurve } else { Rule::Honest };
    let unit = record.metric.unit();
    let number = |value: f64| format!("{:.*}", unit.decimals(), unit.scale(value));
    let seconds: f64 = record
        .runs
        .iter()
        .map(|run| match &run.outcome {
            Outcome::Done { seconds, .. } => *seconds,
            Outcome::Failed { .. } => 0.0,
        })
        .sum();
    match record.score(rule) {
        Ok(summary) => {
            let std = summary.std.map_or(String::new(), |std| format!(" ± {}", number(std)));
            format!("{}{std} {} ({})  {seconds:.1} s", number(summary.mean), unit.sign(), summary.n)
        }
        Err(error) => format!("no number: {error}"),
    }
}

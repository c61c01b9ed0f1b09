//! Plans: the experiments that a suite stands for.

use anyhow::{Context as _, Result, bail};
use coarsen_eval::Protocol;
use coarsen_graph::registry;
use coarsen_train::Checked;
use serde_json::{Value, json};

use crate::suite::{Column, Method, Name, Suite, TableSpec};

/// The key of the row that has learned nothing.
const MAJORITY: &str = "majority";

/// The budget of a suite that is only looked at.
const GLANCE: &str = "two epochs of one split. It shows that everything runs; its numbers mean nothing.";
const GLANCE_EPOCHS: u32 = 2;

/// What the user chose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    pub(crate) suite: Name,
    /// Generated data in place of the published sets.
    pub(crate) builtin: bool,
    /// Repeats of holdouts, in place of the suite's number.
    pub(crate) seeds: Option<u32>,
    /// How much of each experiment is done.
    pub(crate) extent: Extent,
}

/// How much of each experiment is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All that the suite says.
    Whole,
    /// Two epochs of one split.
    Glance,
}

/// A suite, experiment by experiment.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) suite: Suite,
    pub(crate) tables: Vec<TablePlan>,
    /// Whether all its data is generated.
    pub(crate) builtin: bool,
    /// The first part of the records' paths, and the name of the pages.
    pub(crate) name: String,
}

/// A table, cell by cell.
#[derive(Debug)]
pub(crate) struct TablePlan {
    /// Place of its description in the suite.
    pub(crate) place: usize,
    pub(crate) methods: Vec<Method>,
    pub(crate) columns: Vec<ColumnPlan>,
}

/// A data set of a table and what is to be known of it.
#[derive(Debug)]
pub(crate) struct ColumnPlan {
    pub(crate) column: Column,
    /// The yardstick: the best answer that does not look at the sample.
    pub(crate) majority: Checked,
    /// An experiment for every method.
    pub(crate) experiments: Vec<Checked>,
}

impl ColumnPlan {
    /// What an epoch costs, in nodes, as far as the registry tells.
    pub(crate) fn cost(&self) -> f64 {
        let published = registry::find(&self.column.dataset).map(|spec| spec.published).ok();
        let nodes = published.and_then(|p| Some(p.graphs? as f64 * p.nodes_mean?));
        nodes.unwrap_or(10_000.0)
    }

    /// All experiments, the yardstick first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Checked> {
        std::iter::once(&self.majority).chain(&self.experiments)
    }
}

impl Plan {
    /// The plan of a suite.
    pub(crate) fn new(choice: Choice) -> Result<Self> {
        let mut suite = Suite::load(choice.suite)?;
        let smoke = suite.tables.iter().all(|table| table.columns.is_empty());
        let mut name = choice.suite.text().to_owned();
        if choice.extent == Extent::Glance {
            name.push_str("-smoke");
            suite.budget = Some(GLANCE.to_owned());
        }
        let mut tables = Vec::new();
        for (place, spec) in suite.tables.iter().enumerate() {
            let columns = if choice.builtin || smoke { &spec.builtin } else { &spec.columns };
            if columns.is_empty() {
                continue;
            }
            let methods = spec.methods()?;
            let columns = columns
                .iter()
                .map(|column| column_plan(&name, spec, &methods, column, choice))
                .collect::<Result<_>>()
                .with_context(|| format!("suite {name}, table {}", spec.id))?;
            tables.push(TablePlan { place, methods, columns });
        }
        let builtin = choice.builtin || smoke;
        if choice.builtin && !smoke {
            name.push_str("-builtin");
        }
        Ok(Self { suite, tables, builtin, name })
    }

    /// The description of a table.
    pub(crate) fn spec(&self, table: &TablePlan) -> &TableSpec {
        &self.suite.tables[table.place]
    }

    /// The experiments that train something.
    pub(crate) fn trained(&self) -> impl Iterator<Item = &Checked> {
        self.tables.iter().flat_map(|table| &table.columns).flat_map(|column| &column.experiments)
    }

    /// All experiments, the yardsticks included.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Checked> {
        self.tables.iter().flat_map(|table| &table.columns).flat_map(ColumnPlan::all)
    }
}

fn column_plan(
    suite: &str,
    spec: &TableSpec,
    methods: &[Method],
    column: &Column,
    choice: Choice,
) -> Result<ColumnPlan> {
    let mut protocol = spec.protocol.clone();
    let seeds = choice.seeds.or((choice.extent == Extent::Glance).then_some(1));
    if let (Protocol::Holdout { repeats, .. }, Some(seeds)) = (&mut protocol, seeds) {
        *repeats = seeds;
    }
    if let Some(other) = column.of.keys().find(|key| methods.iter().all(|method| method.key != **key)) {
        bail!("column {}: there is no row `{other}`", column.dataset);
    }
    let published = registry::find(&column.dataset).is_ok_and(|spec| spec.url.is_some());
    let experiment = |key: &str, printed: Option<&str>, model: Value, note: &str| {
        let mut words = json!({
            "id": format!("{suite}/{}/{}/{key}", spec.id, column.dataset),
            "version": 1,
            "note": note,
            "dataset": column.dataset,
            "protocol": protocol,
            "model": model,
            "seed": spec.seed,
        });
        if let Some(task) = &spec.task {
            words["task"] = task.clone();
        }
        if let Some(row) = printed.filter(|_| published) {
            let place = &spec.published;
            words["cell"] =
                json!({"paper": place.paper, "table": place.table, "row": row, "column": column.printed()});
        }
        words
    };
    let note = "metric on the test samples of the best answer that does not look at the sample";
    let majority = experiment(MAJORITY, None, json!({ "kind": MAJORITY }), note);
    let experiments = methods.iter().map(|method| {
        let mut words =
            experiment(&method.key, method.printed.as_deref(), method.model.clone().into(), &method.note);
        words["train"] = spec.train.clone();
        let mut checked = Checked::from_value(words)?;
        let own = column.of.get(&method.key).into_iter().flatten();
        for (path, value) in column.set.iter().chain(&method.set).chain(own) {
            checked = checked.with(path, value.clone())?;
        }
        if choice.extent == Extent::Glance {
            checked = checked.with("train/epochs", GLANCE_EPOCHS)?;
        }
        Ok(checked)
    });
    Ok(ColumnPlan {
        column: column.clone(),
        majority: Checked::from_value(majority)?,
        experiments: experiments.collect::<Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::ValueEnum as _;

    use super::*;
    use crate::suite::Library;

    fn plans() -> impl Iterator<Item = Plan> {
        let choices = Name::value_variants().iter().flat_map(|suite| {
            [false, true].map(|builtin| Choice { suite: *suite, builtin, seeds: None, extent: Extent::Whole })
        });
        choices.map(|choice| Plan::new(choice).unwrap())
    }

    #[test]
    fn every_suite_is_made_of_experiments_with_their_own_records() {
        for plan in plans() {
            let records: Vec<(&str, &str)> =
                plan.all().map(|checked| (checked.experiment().id.as_str(), checked.hash())).collect();
            let names: BTreeSet<&str> = records.iter().map(|(id, _)| *id).collect();
            assert!(!records.is_empty(), "{}", plan.name);
            assert_eq!(names.len(), records.len(), "{}: two experiments of one name", plan.name);
            // Nothing is trained twice. Tables on the same splits have the same yardstick, which costs nothing.
            let trained: Vec<&str> = plan.trained().map(Checked::hash).collect();
            let hashes: BTreeSet<&str> = trained.iter().copied().collect();
            assert_eq!(hashes.len(), trained.len(), "{}: one experiment under two names", plan.name);
        }
    }

    #[test]
    fn every_network_can_be_made() {
        use coarsen_nn::{Dims, Params};
        use coarsen_train::TaskConfig;
        let store = tch::nn::VarStore::new(tch::Device::Cpu);
        for plan in plans() {
            for experiment in plan.trained() {
                let p = Params::new(&store.root(), 0).sub(experiment.hash());
                let dims = Dims::new(3, 2).with_sizes([5, 9]);
                let experiment = experiment.experiment();
                let model = coarsen_model::model(&experiment.model, &p, &dims)
                    .unwrap_or_else(|error| panic!("{}: {error}", experiment.id));
                let of_nodes = matches!(
                    experiment.task,
                    TaskConfig::NodeClassification(_) | TaskConfig::LinkPrediction(_)
                );
                assert!(!of_nodes || model.node_features().is_some(), "{}", experiment.id);
            }
        }
    }

    #[test]
    fn what_is_said_to_be_printed_is_printed() {
        let library = Library::open().unwrap();
        for plan in plans() {
            for table in &plan.tables {
                let (_, printed) = library.table(&plan.spec(table).published).unwrap();
                for method in table.methods.iter().filter_map(|method| method.printed.as_ref()) {
                    assert!(printed.row(method).is_some(), "{}: no row {method}", plan.name);
                }
                for column in table.columns.iter().filter(|_| !plan.builtin) {
                    assert!(printed.columns.iter().any(|name| name == column.column.printed()));
                }
            }
        }
    }

    #[test]
    fn a_control_differs_from_its_twin_in_the_control_alone() {
        let plan =
            Plan::new(Choice { suite: Name::Quick, builtin: false, seeds: Some(5), extent: Extent::Whole })
                .unwrap();
        let table = &plan.tables[0];
        let place = |key: &str| table.methods.iter().position(|method| method.key == key).unwrap();
        let column = &table.columns[0];
        let (learned, control) =
            (&column.experiments[place("diffpool")], &column.experiments[place("diffpool-random")]);
        assert_eq!(learned.experiment().protocol.folds(), 5);
        let undone = control.experiment().model["pool"].as_object().map(|pool| {
            let mut pool = pool.clone();
            assert_eq!(pool.remove("control"), Some("normal".into()));
            Value::from(pool)
        });
        assert_eq!(undone.as_ref(), Some(&learned.experiment().model["pool"]));
        assert_eq!(control.experiment().train, learned.experiment().train);
        assert_eq!(control.experiment().seed, learned.experiment().seed);
    }
}

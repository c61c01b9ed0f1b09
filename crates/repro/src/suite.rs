//! Suites as data: which methods are trained on which data sets, and where the published numbers stand.
//!
//! `experiments/methods.json` says what the methods are, `experiments/<suite>.json` what a suite does with them,
//! `published/<paper>.json` what was printed. All are compiled in.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow};
use clap::ValueEnum;
use coarsen_eval::published::{Paper, PublishedTable};
use coarsen_eval::{Protocol, Rule};
use serde::Deserialize;
use serde_json::{Map, Value};

const METHODS: &str = include_str!("../experiments/methods.json");
const PUBLISHED: &[&[u8]] = &[
    include_bytes!("../published/adamgnn.json"),
    include_bytes!("../published/diffpool.json"),
    include_bytes!("../published/graph-u-nets.json"),
    include_bytes!("../published/rethinking.json"),
];

/// The suites by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Three seeds and few epochs: minutes
    Quick,
    /// The papers' protocols: hours to days
    Full,
    /// Convolutions and readouts: the networks without a pooling operator, ten seeds
    Layers,
    /// Pooling operators and their random controls: one network for all, and the printed ones
    Pooling,
    /// Nodes and edges of one graph: AdamGNN's second table, ten seeds
    Nodes,
    /// AdamGNN on graphs: its row of its first table, ten seeds
    AdamgnnGraphs,
    /// AdamGNN without one loss and the other: its third table, ten seeds
    AdamgnnLosses,
    /// AdamGNN without flyback: its fifth table, ten seeds
    AdamgnnFlyback,
    /// AdamGNN with 2 to 5 levels: its eighth table, ten seeds
    AdamgnnLevels,
    /// Two epochs on built-in data, to see that everything runs
    Smoke,
}

impl Name {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
            Self::Layers => "layers",
            Self::Pooling => "pooling",
            Self::Nodes => "nodes",
            Self::AdamgnnGraphs => "adamgnn-graphs",
            Self::AdamgnnLosses => "adamgnn-losses",
            Self::AdamgnnFlyback => "adamgnn-flyback",
            Self::AdamgnnLevels => "adamgnn-levels",
            Self::Smoke => "smoke",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Quick => include_str!("../experiments/quick.json"),
            Self::Full => include_str!("../experiments/full.json"),
            Self::Layers => include_str!("../experiments/layers.json"),
            Self::Pooling => include_str!("../experiments/pooling.json"),
            Self::Nodes => include_str!("../experiments/nodes.json"),
            Self::AdamgnnGraphs => include_str!("../experiments/adamgnn-graphs.json"),
            Self::AdamgnnLosses => include_str!("../experiments/adamgnn-losses.json"),
            Self::AdamgnnFlyback => include_str!("../experiments/adamgnn-flyback.json"),
            Self::AdamgnnLevels => include_str!("../experiments/adamgnn-levels.json"),
            Self::Smoke => include_str!("../experiments/smoke.json"),
        }
    }
}

/// Some tables.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suite {
    /// The heading of its page.
    pub(crate) title: String,
    /// In what less is done than the papers did; `null`: in nothing.
    pub(crate) budget: Option<String>,
    pub(crate) tables: Vec<TableSpec>,
}

/// One table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableSpec {
    /// Part of the records' paths.
    pub(crate) id: String,
    pub(crate) title: String,
    /// The printed table whose values stand beside ours.
    pub(crate) published: Place,
    /// Printed tables whose values are mentioned at the foot.
    #[serde(default)]
    pub(crate) also: Vec<Place>,
    /// How a run's epoch is chosen.
    pub(crate) rule: Rule,
    /// Keys of methods.
    pub(crate) methods: Vec<String>,
    /// What is predicted; the class of every graph where nothing is said.
    #[serde(default)]
    pub(crate) task: Option<Value>,
    pub(crate) protocol: Protocol,
    /// The training part of the experiments.
    pub(crate) train: Value,
    #[serde(default)]
    pub(crate) seed: u64,
    #[serde(default)]
    pub(crate) columns: Vec<Column>,
    /// Columns of generated data, in place of the others.
    pub(crate) builtin: Vec<Column>,
    #[serde(default)]
    pub(crate) notes: Vec<String>,
}

/// A printed table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) paper: String,
    pub(crate) table: String,
}

/// A data set of a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    pub(crate) dataset: String,
    /// Its name in print, where it differs.
    #[serde(default)]
    pub(crate) printed: Option<String>,
    /// Fields of its experiments that differ: paths as `train/epochs`.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, Value>,
    /// Fields that differ in the experiments of one method alone, by its key: settings that were chosen set by set. They outweigh
    /// the method's own.
    #[serde(default)]
    pub(crate) of: BTreeMap<String, BTreeMap<String, Value>>,
    /// What a reader should know.
    #[serde(default)]
    pub(crate) note: Option<String>,
}

impl Column {
    /// Its name in published tables.
    pub(crate) fn printed(&self) -> &str {
        self.printed.as_deref().unwrap_or(&self.dataset)
    }
}

/// A method: a network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Method {
    /// Part of the records' paths.
    pub(crate) key: String,
    /// The name of its row.
    pub(crate) name: String,
    /// Its row in print, if it has one.
    #[serde(default)]
    pub(crate) printed: Option<String>,
    /// The network; absent where it is that of another method.
    #[serde(default)]
    pub(crate) model: Map<String, Value>,
    /// The method whose network this is, but for the fields of `set`.
    #[serde(default)]
    pub(crate) like: Option<String>,
    /// The method that this is the control of.
    #[serde(default)]
    pub(crate) control_of: Option<String>,
    /// Fields of its experiments that differ: paths as `model/pool/control`; of a control, beside those of its twin.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, Value>,
    /// Where the hyper-parameters come from.
    pub(crate) note: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Methods {
    methods: Vec<Method>,
}

impl Suite {
    /// The suite of a name.
    pub(crate) fn load(name: Name) -> Result<Self> {
        serde_json::from_str(name.source()).with_context(|| format!("experiments/{}.json", name.text()))
    }
}

impl TableSpec {
    /// The methods of its rows.
    pub(crate) fn methods(&self) -> Result<Vec<Method>> {
        let all = methods()?;
        self.methods.iter().map(|key| method(&all, key).cloned()).collect()
    }
}

fn methods() -> Result<Vec<Method>> {
    let mut all = serde_json::from_str::<Methods>(METHODS).context("experiments/methods.json")?.methods;
    let written = all.clone();
    for method in &mut all {
        let mut of = method.clone();
        while let Some(key) = of.control_of.as_ref().or(of.like.as_ref()) {
            of = self::method(&written, key)?.clone();
            method.model.clone_from(&of.model);
            for (path, value) in of.set.clone() {
                method.set.entry(path).or_insert(value);
            }
        }
    }
    Ok(all)
}

fn method<'a>(all: &'a [Method], key: &str) -> Result<&'a Method> {
    all.iter()
        .find(|method| method.key == key)
        .with_context(|| format!("experiments/methods.json has no `{key}`"))
}

/// What was printed.
pub(crate) struct Library(Vec<Paper>);

impl Library {
    /// All papers that are compiled in.
    pub(crate) fn open() -> Result<Self> {
        let papers = PUBLISHED.iter().map(|json| Paper::parse(json).map_err(|fault| anyhow!(fault)));
        Ok(Self(papers.collect::<Result<_>>().context("published tables")?))
    }

    /// A printed table and its paper.
    pub(crate) fn table(&self, place: &Place) -> Result<(&Paper, &PublishedTable)> {
        let paper = self.0.iter().find(|paper| paper.paper == place.paper);
        paper
            .and_then(|paper| Some((paper, paper.table(&place.table)?)))
            .with_context(|| format!("no published table {} of {}", place.table, place.paper))
    }
}

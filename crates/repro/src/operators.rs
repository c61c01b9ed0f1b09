//! `coarsen operators`: the registries as a page of tables, which is `docs/operators.md`.
//!
//! What a row does not say is asked of the operator itself, made with its default configuration: layouts, whether it has a score, its
//! auxiliary losses, the names of parameters and widths.

use std::sync::Arc;

use anyhow::Result;
use coarsen_nn::{CONVS, ConfigError, ConvSpec, Ctx, Dims, Params, READOUTS, ReadoutSpec};
use coarsen_pool::{POOLS, PoolSpec, Scores};
use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Layout, Level, Pattern, Segments, Sparse};
use tch::{Device, Kind, Tensor, nn::VarStore};

use crate::Ending;
use crate::output::say;

/// Arguments of `coarsen operators`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(_: &Args) -> Result<Ending> {
    say(page()?.trim_end())?;
    Ok(Ending::Done)
}

const HEAD: &str = "\
# Operators

Written from the registries by `cargo run -p coarsen-repro -- operators > docs/operators.md`; a test fails when it is stale. The
name of an operator is the `kind` of its configuration. `N` nodes and `E` edges in a batch of `B` graphs; `F` features, `K`
clusters; `A[i, j]` is the edge `j → i`.
";

const STEPS: &str = "\
## Pooling: the four steps

Select makes the assignment `S`, Reduce the features `X'` and Connect the edges `A'` of the coarser graph; Lift brings features back. The
losses are added to that of the task. All of it is that of the default configuration.
";

const PROMISES: &str = "\
## Pooling: promises and costs

Layouts: what an operator works on, and what it gives; an *either* converts nothing. Controls: whether `\"control\"` (`normal`,
`uniform`, `bernoulli` or `invariant`) can put random numbers in the place of what it learns, without the losses. When the nodes of a graph
are renumbered, the coarser graph is the same (*exact*), or the same unless two nodes have equal scores (*up to ties*), or
another one of a family (*seeded*); an operator that *breaks* laws is shown to break them by a test. Cost: from a sparse level.
";

const PRESETS: &str = "\
## Pooling: published configurations

Fields that differ from the default. Each configuration is held to the laws of its operator.
";

const CONVS_HEAD: &str = "\
## Convolutions

From features to features inside one level, in either layout. The equation is that of the default configuration. More on the
parameters: `PARAMETERS.md`.
";

const READOUTS_HEAD: &str = "\
## Readouts

From the features of the nodes to one vector for each graph, in either layout.
";

/// The page.
fn page() -> Result<String> {
    let steps = |spec: &PoolSpec| {
        let s = spec.steps;
        Ok([s.select, s.reduce, s.connect, s.lift, &Asked::of(spec)?.losses].map(str::to_owned).to_vec())
    };
    let promises = |spec: &PoolSpec| {
        let asked = Asked::of(spec)?;
        let guarantee = spec.invariance.to_string();
        Ok([&asked.layouts, asked.control, &guarantee, spec.cost, spec.paper].map(str::to_owned).to_vec())
    };
    let mut page = HEAD.to_owned();
    page += &table(STEPS, "operator | select | reduce | connect | lift | losses", &rows(POOLS, steps)?);
    let columns = "operator | layouts | controls | renumbering | cost | paper";
    page += &table(PROMISES, columns, &rows(POOLS, promises)?);
    page += &table(PRESETS, "operator | whose | fields", &presets());
    page += &table(CONVS_HEAD, "convolution | equation | time | parameters | paper", &rows(CONVS, conv)?);
    page +=
        &table(READOUTS_HEAD, "readout | equation | time | parameters | paper", &rows(READOUTS, readout)?);
    Ok(page)
}

/// A row of a registry.
trait Named {
    fn name(&self) -> &'static str;
}

impl Named for PoolSpec {
    fn name(&self) -> &'static str {
        self.name
    }
}

impl Named for ConvSpec {
    fn name(&self) -> &'static str {
        self.name
    }
}

impl Named for ReadoutSpec {
    fn name(&self) -> &'static str {
        self.name
    }
}

/// A row of cells for every row of a registry, its name first.
fn rows<S: Named>(
    registry: &[S],
    cells: impl Fn(&S) -> Result<Vec<String>, ConfigError>,
) -> Result<Vec<Vec<String>>, ConfigError> {
    let row = |spec: &S| Ok([vec![code(spec.name())], cells(spec)?].concat());
    registry.iter().map(row).collect()
}

fn presets() -> Vec<Vec<String>> {
    let of = |spec: &'static PoolSpec| {
        spec.presets.iter().map(move |preset| {
            vec![code(spec.name), preset.name.to_owned(), code(&(preset.fields)().to_string())]
        })
    };
    POOLS.iter().flat_map(of).collect()
}

fn conv(spec: &ConvSpec) -> Result<Vec<String>, ConfigError> {
    let store = VarStore::new(Device::Cpu);
    (spec.build)(&(spec.example)(), &Params::new(&store.root(), 0), &dims())?;
    Ok(vec![spec.equation.to_owned(), code(spec.time), parameters(&store), spec.paper.to_owned()])
}

fn readout(spec: &ReadoutSpec) -> Result<Vec<String>, ConfigError> {
    let store = VarStore::new(Device::Cpu);
    (spec.build)(&(spec.example)(), &Params::new(&store.root(), 0), &dims())?;
    Ok(vec![spec.equation.to_owned(), code(spec.time), parameters(&store), spec.paper.to_owned()])
}

const FEATURES: i64 = 3;

/// Two graphs of three nodes.
fn dims() -> Dims {
    Dims::new(FEATURES, FEATURES).with_sizes([3, 3])
}

/// Two paths of three nodes.
fn level() -> Level {
    let csr = Csr::new(6, 6, vec![0, 1, 3, 4, 5, 7, 8], vec![1, 0, 2, 1, 4, 3, 5, 4]).expect("two paths");
    let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 3, 6])));
    let adj = Sparse::new(Arc::new(pattern), None, (Kind::Double, Device::Cpu));
    let x = Tensor::arange(6 * FEATURES, (Kind::Double, Device::Cpu)).sin().view([6, FEATURES]);
    Level::new(x, Adjacency::Sparse(adj))
}

/// What a pooling operator says of itself.
struct Asked {
    layouts: String,
    control: &'static str,
    losses: String,
}

impl Asked {
    fn of(spec: &PoolSpec) -> Result<Self, ConfigError> {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let pool = (spec.build)(&(spec.example)(), &Params::new(&store.root(), 0), &dims())?;
        let word = |layout| match layout {
            Layout::Sparse => "sparse",
            Layout::Dense => "dense",
        };
        let [(sparse, from_sparse), (dense, _)] = [Layout::Sparse, Layout::Dense].map(|l| pool.layouts(l));
        let takes = if sparse == dense { word(sparse) } else { "either" };
        let losses: Vec<&str> =
            pool.pool(&level(), Ctx::train(0)).selection.losses.iter().map(|loss| loss.name).collect();
        Ok(Self {
            layouts: format!("{takes} → {}", word(from_sparse)),
            control: if pool.scores() == Scores::Nothing { "–" } else { "yes" },
            losses: if losses.is_empty() { "–".to_owned() } else { losses.join(", ") },
        })
    }
}

fn parameters(store: &VarStore) -> String {
    let mut names: Vec<String> = store.variables().into_keys().map(|name| code(&name)).collect();
    names.sort();
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A section: its text, then its table.
fn table(text: &str, columns: &str, rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = columns.split(" | ").map(|_| "---").collect::<Vec<_>>().join(" | ");
    let escaped =
        |row: &Vec<String>| line(&row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>());
    let body: String = rows.iter().map(escaped).collect();
    format!("\n{text}\n| {columns} |\n| {rule} |\n{body}")
}

#[cfg(test)]
mod tests {
    use super::{page, table};

    #[test]
    fn the_page_in_the_documents_is_fresh() {
        let kept = include_str!("../../../docs/operators.md");
        let fresh = page().expect("every default configuration is accepted");
        assert!(
            kept == fresh,
            "docs/operators.md is stale; `cargo run -p coarsen-repro -- operators > docs/operators.md` writes it"
        );
    }

    #[test]
    fn a_bar_in_a_cell_is_escaped() {
        let rows = [vec!["a".to_owned(), "1/|N|".to_owned()]];
        assert_eq!(
            table("Text.\n", "x | y", &rows),
            "\nText.\n\n| x | y |\n| --- | --- |\n| a | 1/\\|N\\| |\n"
        );
    }
}

//! [`DATASETS`]: the data sets known by name, where they come from, and what is published about them.

mod files;
mod table;

use crate::{Error, RawDataset, Stats};
use std::fmt;

pub use files::read;
pub use table::DATASETS;

/// How a data set comes into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// Files in TU format, to be fetched: [`crate::read::tu`].
    Tu,
    /// One graph, from pickled files: [`crate::read::planetoid`].
    Planetoid,
    /// One graph: [`crate::read::sdcn`].
    Sdcn,
    /// One graph: [`crate::read::tadw`].
    Tadw,
    /// The same files, with features of other nodes: [`crate::read::tadw::read_as_published`].
    TadwAsPublished,
    /// One graph: [`crate::read::emails`].
    Emails,
    /// Made by [`crate::generate`]; `NAME@SEED` names other draws than seed 0.
    Generated,
}

/// In one word.
impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Tu => "TU",
            Self::Planetoid => "Planetoid",
            Self::Sdcn => "SDCN",
            Self::Tadw | Self::TadwAsPublished => "TADW",
            Self::Emails => "SNAP",
            Self::Generated => "generated",
        })
    }
}

/// Published or measured statistics; `None` where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// Graphs.
    pub graphs: Option<usize>,
    /// Classes.
    pub classes: Option<usize>,
    /// Nodes per graph, to two decimals.
    pub nodes_mean: Option<f64>,
    /// Undirected edges per graph, to two decimals.
    pub edges_mean: Option<f64>,
    /// Distinct node labels.
    pub node_labels: Option<usize>,
    /// Real attributes per node.
    pub node_attributes: Option<usize>,
    /// Distinct edge labels.
    pub edge_labels: Option<usize>,
    /// Real attributes per edge.
    pub edge_attributes: Option<usize>,
}

impl Published {
    /// Nothing is said.
    pub const NOTHING: Self = Self {
        graphs: None,
        classes: None,
        nodes_mean: None,
        edges_mean: None,
        node_labels: None,
        node_attributes: None,
        edge_labels: None,
        edge_attributes: None,
    };

    const fn of(graphs: usize, classes: usize, nodes: f64, edges: f64, node_labels: usize) -> Self {
        Self {
            graphs: Some(graphs),
            classes: Some(classes),
            nodes_mean: Some(nodes),
            edges_mean: Some(edges),
            node_labels: Some(node_labels),
            node_attributes: Some(0),
            edge_labels: Some(0),
            edge_attributes: Some(0),
        }
    }

    /// Of a set of one graph.
    const fn one(nodes: usize, edges: usize, features: usize, classes: usize) -> Self {
        Self::of(1, classes, nodes as f64, edges as f64, 0).node_attributes(features)
    }

    const fn node_attributes(self, width: usize) -> Self {
        Self { node_attributes: Some(width), ..self }
    }

    const fn edge_labels(self, count: usize) -> Self {
        Self { edge_labels: Some(count), ..self }
    }
}

/// A row of [`DATASETS`].
#[derive(Clone, Copy, Debug)]
pub struct DatasetSpec {
    /// The name, as in file names.
    pub name: &'static str,
    /// How it comes into being.
    pub family: Family,
    /// Where it is published: an archive, or the place below which [`DatasetSpec::files`] are; `None` for generated sets.
    pub url: Option<&'static str>,
    /// The files that are published one by one; none where there is an archive.
    pub files: &'static [&'static str],
    /// The set whose files these are, where it is another one.
    pub files_of: Option<&'static str>,
    /// [`RawDataset::content_hash`](crate::RawDataset::content_hash) of the published files, or of the draw with seed
    /// 0; `None` where no copy could be read yet.
    pub content_hash: Option<&'static str>,
    /// The statistics as printed. For generated sets: of the draw with seed 0.
    pub published: Published,
    /// What our reader counts where the print counts otherwise; the `note` says why.
    pub clean: Published,
    /// What a user should know.
    pub note: &'static str,
    /// What to cite.
    pub citation: &'static str,
    /// How a generated set is made from a seed.
    draw: Option<fn(u64) -> RawDataset>,
}

/// A statistic that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The data set.
    pub dataset: &'static str,
    /// The key of [`Stats`].
    pub statistic: &'static str,
    /// What the registry says.
    pub published: String,
    /// What was measured.
    pub measured: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dataset, statistic, published, measured } = self;
        write!(out, "{dataset}: {statistic} is {measured}, published {published}")
    }
}

impl DatasetSpec {
    /// Draws a generated set; `None` for sets that come from files.
    pub fn generate(&self, seed: u64) -> Option<RawDataset> {
        let mut raw = self.draw?(seed);
        raw.name = if seed == 0 { self.name.to_owned() } else { format!("{}@{seed}", self.name) };
        Some(raw)
    }

    /// Compares measured statistics with the row: counts exactly, means to the two printed decimals. Returns every
    /// difference.
    ///
    /// # Examples
    /// ```
    /// use coarsen_graph::{Stats, registry};
    ///
    /// let measured = Stats { graphs: 187, ..Stats::default() };
    /// let first = &registry::find("MUTAG")?.check(&measured)[0];
    /// assert_eq!(first.to_string(), "MUTAG: graphs is 187, published 188");
    /// # Ok::<(), coarsen_graph::Error>(())
    /// ```
    pub fn check(&self, measured: &Stats) -> Vec<Mismatch> {
        let (clean, print) = (&self.clean, &self.published);
        let counts = [
            ("graphs", clean.graphs.or(print.graphs), measured.graphs),
            ("classes", clean.classes.or(print.classes), measured.classes),
            ("node_labels", clean.node_labels.or(print.node_labels), measured.node_labels),
            ("node_attributes", clean.node_attributes.or(print.node_attributes), measured.node_attributes),
            ("edge_labels", clean.edge_labels.or(print.edge_labels), measured.edge_labels),
            ("edge_attributes", clean.edge_attributes.or(print.edge_attributes), measured.edge_attributes),
        ];
        let means = [
            ("nodes_mean", clean.nodes_mean.or(print.nodes_mean), measured.nodes_mean),
            ("edges_mean", clean.edges_mean.or(print.edges_mean), measured.edges_mean),
        ];
        let counts = counts.into_iter().filter_map(|(statistic, want, got)| {
            let want = want.filter(|&want| want != got)?;
            Some((statistic, want.to_string(), got.to_string()))
        });
        let means = means.into_iter().filter_map(|(statistic, want, got)| {
            let want = want.filter(|&want| !prints_as(got, want))?;
            Some((statistic, format!("{want:.2}"), format!("{got:.4}")))
        });
        counts
            .chain(means)
            .map(|(statistic, published, measured)| Mismatch {
                dataset: self.name,
                statistic,
                published,
                measured,
            })
            .collect()
    }
}

/// Is `print` the measured value rounded to two decimals (a tie may have gone either way).
fn prints_as(measured: f64, print: f64) -> bool {
    (measured - print).abs() <= 0.005 + 1e-9
}

/// The row of a data set; `NAME@SEED` finds the row of a generated set.
///
/// # Errors
/// [`Error::UnknownDataset`] with all known names.
pub fn find(name: &str) -> Result<&'static DatasetSpec, Error> {
    parse(name).map(|(spec, _)| spec)
}

/// The row of a data set and the seed of its draw: 0, unless the name is `NAME@SEED` of a generated set.
///
/// # Errors
/// [`Error::UnknownDataset`] with all known names.
pub fn parse(name: &str) -> Result<(&'static DatasetSpec, u64), Error> {
    let (base, seed) = match name.split_once('@') {
        None => (name, Some(0)),
        Some((base, seed)) => (base, seed.parse().ok()),
    };
    let row = DATASETS.iter().find(|row| row.name == base);
    match (row, seed) {
        (Some(row), Some(seed)) if row.family == Family::Generated || !name.contains('@') => Ok((row, seed)),
        _ => Err(Error::UnknownDataset { name: name.to_owned(), known: known() }),
    }
}

fn known() -> String {
    let shown = |row: &DatasetSpec| match row.family {
        Family::Generated => format!("{}[@SEED]", row.name),
        _ => row.name.to_owned(),
    };
    DATASETS.iter().map(shown).collect::<Vec<_>>().join(", ")
}

//! `coarsen data`: statistics of a data set.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use coarsen_graph::registry::{self, DatasetSpec};
use coarsen_graph::{DataDir, Error, RawDataset, Stats};

use crate::Ending;
use crate::output::say;

/// Arguments of `coarsen data`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coarsen data MUTAG                        a registered set, from data/raw; beside its published statistics
  coarsen data ~/tudatasets/NCI1.zip        any archive or folder in TU format, registered or not
  coarsen data COMMUNITIES@7 --json         a generated set, drawn with seed 7
  coarsen data both.zip --name SECOND       one of several sets in an archive
  coarsen data wiki                         a set of one graph; classes and isolated nodes are those of its nodes

edges_mean counts undirected edges without self-loops and duplicates; labels are numbers of
distinct values, attributes numbers of dimensions, 0 if there are none.")]
pub(crate) struct Args {
    /// A folder or zip archive with a data set, in TU format unless it is a registered one, or the name of a set
    #[arg(value_name = "PATH-OR-NAME")]
    set: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Which set, where an archive or folder holds several
    #[arg(long)]
    name: Option<String>,
    /// The folder that names are looked for in: NAME.zip or NAME/ in its folder `raw`
    #[arg(long, value_name = "FOLDER", default_value = "data")]
    data: PathBuf,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Ending> {
    let raw = load(args)?;
    let stats = raw.stats();
    if args.json {
        say(serde_json::to_string_pretty(&stats)?)?;
    } else {
        say(shown(&raw, &stats, registry::find(raw.name()).ok()).trim_end())?;
    }
    Ok(Ending::Done)
}

/// A path if it looks like one; else a name, and if there is no such data set, what lies at that path.
fn load(args: &Args) -> Result<RawDataset> {
    let path = Path::new(&args.set);
    let at_path = || Ok(registry::read(path, args.name.as_deref())?);
    let looks_like_path =
        path.components().count() > 1 || path.is_absolute() || path.extension().is_some_and(|e| e == "zip");
    if looks_like_path || args.name.is_some() {
        return at_path();
    }
    match DataDir::new(&args.data).load_raw(&args.set) {
        Err(Error::NoData { .. } | Error::UnknownDataset { .. }) if path.exists() => at_path(),
        loaded => loaded.with_context(|| format!("no data set {} can be read", args.set)),
    }
}

/// A table for people; the published statistics stand beside ours where the set is registered.
fn shown(raw: &RawDataset, stats: &Stats, spec: Option<&DatasetSpec>) -> String {
    let mut text = format!("{}\n", raw.name());
    let rows = rows(stats, spec);
    let width = |column: fn(&Line) -> &str| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
    let (ours, published) = (width(|row| &row.ours), width(|row| &row.published));
    for row in &rows {
        let line = format!("  {:<16}  {:>ours$}   {:>published$}", row.name, row.ours, row.published);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "  content hash      {}", raw.content_hash());
    let Some(spec) = spec else { return text };
    let registered = match spec.content_hash {
        Some(hash) if hash == raw.content_hash() => "as registered",
        Some(_) => "not the registered content",
        None => "no content hash is registered",
    };
    let _ = writeln!(text, "  {registered}; {}", spec.note);
    for mismatch in spec.check(stats) {
        let _ = writeln!(text, "  differs: {mismatch}");
    }
    text
}

struct Line {
    name: &'static str,
    ours: String,
    published: String,
}

fn rows(stats: &Stats, spec: Option<&DatasetSpec>) -> Vec<Line> {
    let print = spec.map(|spec| spec.published);
    let count = |name, ours: usize, published: Option<usize>| Line {
        name,
        ours: ours.to_string(),
        published: published.map_or(String::new(), |count| count.to_string()),
    };
    let mean = |name, ours: f64, published: Option<f64>| Line {
        name,
        ours: format!("{ours:.2}"),
        published: published.map_or(String::new(), |mean| format!("{mean:.2}")),
    };
    let head = Line {
        name: "",
        ours: "measured".into(),
        published: if spec.is_some() { "published".into() } else { String::new() },
    };
    vec![
        head,
        count("graphs", stats.graphs, print.and_then(|p| p.graphs)),
        count("classes", stats.classes, print.and_then(|p| p.classes)),
        mean("nodes_mean", stats.nodes_mean, print.and_then(|p| p.nodes_mean)),
        mean("edges_mean", stats.edges_mean, print.and_then(|p| p.edges_mean)),
        count("node_labels", stats.node_labels, print.and_then(|p| p.node_labels)),
        count("node_attributes", stats.node_attributes, print.and_then(|p| p.node_attributes)),
        count("edge_labels", stats.edge_labels, print.and_then(|p| p.edge_labels)),
        count("edge_attributes", stats.edge_attributes, print.and_then(|p| p.edge_attributes)),
        count("isolated_nodes", stats.isolated_nodes, None),
        count("empty_graphs", stats.empty_graphs, None),
        count("self_loops", stats.self_loops, None),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_statistics_stand_beside_ours() {
        let raw = DataDir::new("none").load_raw("KARATE").unwrap();
        let text = shown(&raw, &raw.stats(), registry::find("KARATE").ok());
        assert!(text.contains("nodes_mean           34.00       34.00\n"), "{text}");
        assert!(text.contains("as registered; One graph"), "{text}");

        let unknown = shown(&raw, &raw.stats(), None);
        assert!(
            unknown.contains("nodes_mean           34.00\n") && !unknown.contains("registered"),
            "{unknown}"
        );
    }
}

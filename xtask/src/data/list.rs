//! `--list`: every data set, measured beside published.

use std::path::Path;

use anyhow::{Result, bail};
use coarsen_graph::{
    DataDir,
    registry::{DatasetSpec, Family},
};

use super::verify::{Content, Verdict, verify};
use crate::workspace;

const COLUMNS: [(&str, usize); 8] = [
    ("set", 17),
    ("family", 9),
    ("present", 7),
    ("graphs", 7),
    ("classes", 7),
    ("nodes", 8),
    ("edges", 19),
    ("node labels", 11),
];

/// Prints the table, a row as soon as its set is read.
///
/// # Errors
/// If a set that is here does not match.
pub(super) fn print(sets: &[&DatasetSpec], dir: &DataDir, from: Option<&Path>) -> Result<()> {
    let place = from.map_or_else(|| workspace::shown(&dir.raw()), |from| from.display().to_string());
    println!("data sets in {place}; means are per graph, edges undirected without self-loops");
    println!(
        "1 as measured and printed · 1 (2) measured (printed otherwise; the note says why) · [2] printed, not here\n"
    );
    println!("{}  content", row(&COLUMNS.map(|(title, _)| title.to_owned())));
    let mut bad = Vec::new();
    for &spec in sets {
        let found = measure(spec, dir, from);
        let (present, verdict, content) = match &found {
            None => ("no", None, "-".to_owned()),
            Some(Err(error)) => ("yes", None, format!("UNREADABLE: {error:#}")),
            Some(Ok(verdict)) => ("yes", Some(verdict), said(verdict)),
        };
        let present = if spec.family == Family::Generated { "made" } else { present };
        let names = [spec.name.to_owned(), spec.family.to_string(), present.to_owned()];
        let cells: Vec<_> = names.into_iter().chain(statistics(spec, verdict)).collect();
        println!("{}  {content}", row(&cells));
        if found.is_some_and(|found| found.map_or(true, |verdict| !verdict.usable())) {
            bad.push(spec.name);
        }
    }
    println!();
    for spec in sets.iter().filter(|spec| spec.clean != coarsen_graph::registry::Published::NOTHING) {
        println!("{}: {}", spec.name, spec.note);
    }
    if bad.is_empty() { Ok(()) } else { bail!("not as published: {}", bad.join(", ")) }
}

fn measure(spec: &DatasetSpec, dir: &DataDir, from: Option<&Path>) -> Option<Result<Verdict>> {
    if spec.family == Family::Generated {
        let made = dir.load_raw(spec.name).map_err(anyhow::Error::from);
        return Some(made.map(|raw| Verdict::of(spec, &raw, None)));
    }
    let found = match from {
        Some(from) => spec.find_in(from),
        None => Ok(dir.locate(spec.name)),
    };
    let path = found.transpose()?;
    Some(path.map_err(anyhow::Error::from).and_then(|path| verify(spec, &path, dir)))
}

fn said(verdict: &Verdict) -> String {
    match verdict.content {
        Content::Same if verdict.mismatches.is_empty() => "ok".to_owned(),
        Content::Unknown if verdict.mismatches.is_empty() => {
            format!("no hash registered, is {}", verdict.hash)
        }
        Content::Accepted => "changed, accepted".to_owned(),
        _ => format!("MISMATCH: {verdict}"),
    }
}

/// Graphs, classes, nodes, edges and node labels, measured beside printed.
fn statistics(spec: &DatasetSpec, verdict: Option<&Verdict>) -> [String; 5] {
    let print = &spec.published;
    let measured = verdict.map(|verdict| verdict.stats);
    let count = |value: Option<usize>| value.map(|value| value.to_string());
    let mean = |value: Option<f64>| value.map(|value| format!("{value:.2}"));
    [
        cell(count(measured.map(|stats| stats.graphs)), count(print.graphs)),
        cell(count(measured.map(|stats| stats.classes)), count(print.classes)),
        cell(mean(measured.map(|stats| stats.nodes_mean)), mean(print.nodes_mean)),
        cell(mean(measured.map(|stats| stats.edges_mean)), mean(print.edges_mean)),
        cell(count(measured.map(|stats| stats.node_labels)), count(print.node_labels)),
    ]
}

fn cell(measured: Option<String>, print: Option<String>) -> String {
    match (measured, print) {
        (Some(measured), Some(print)) if measured != print => format!("{measured} ({print})"),
        (Some(measured), _) => measured,
        (None, Some(print)) => format!("[{print}]"),
        (None, None) => "-".to_owned(),
    }
}

fn row(cells: &[String]) -> String {
    let padded = cells.iter().zip(COLUMNS).enumerate().map(|(i, (cell, (_, width)))| {
        if i < 3 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
    });
    padded.collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use coarsen_graph::DataDir;

    use super::{cell, measure, print, said, statistics};
    use crate::data::verify::tests::{spec, write};

    #[test]
    fn a_cell_shows_what_differs() {
        assert_eq!(cell(Some("188".to_owned()), Some("188".to_owned())), "188");
        assert_eq!(cell(Some("2457.22".to_owned()), Some("2457.78".to_owned())), "2457.22 (2457.78)");
        assert_eq!(cell(Some("3".to_owned()), None), "3");
        assert_eq!(cell(None, Some("188".to_owned())), "[188]");
        assert_eq!(cell(None, None), "-");
    }

    #[test]
    fn a_set_in_a_folder_is_measured_where_it_is() {
        let (from, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = DataDir::new(data.path());
        assert!(measure(&spec(None), &dir, Some(from.path())).is_none());
        write(&from.path().join("TINY"), "0\n1\n");
        let verdict = measure(&spec(None), &dir, Some(from.path())).unwrap().unwrap();
        assert_eq!(statistics(&spec(None), Some(&verdict))[..3], ["2", "2", "1.50"]);
        assert!(said(&verdict).starts_with("no hash registered"));
        assert!(measure(&spec(None), &dir, None).is_none(), "nothing was copied");
    }

    #[test]
    fn a_set_that_does_not_match_fails_the_list() {
        let (from, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(&from.path().join("TINY"), "0\n0\n");
        let error = print(&[&spec(None)], &DataDir::new(data.path()), Some(from.path())).unwrap_err();
        assert_eq!(error.to_string(), "not as published: TINY");
    }
}

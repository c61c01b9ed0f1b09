//! Reader of the TU format (Morris et al., arXiv:2007.08663): a folder or zip of `<NAME>_*.txt` files.
//!
//! | file | one line per | content |
//! | --- | --- | --- |
//! | `_A` | directed edge | `source, target`, node ids counted from 1 over the whole set |
//! | `_graph_indicator` | node | id of its graph, counted from 1, not decreasing |
//! | `_graph_labels` | graph | class, any integers; `_graph_attributes` (one real target) may stand instead |
//! | `_node_labels`, `_edge_labels` | node, line of `_A` | optional: integers, one or several columns |
//! | `_node_attributes`, `_edge_attributes` | node, line of `_A` | optional: reals |
//!
//! Accepted as they occur in the published sets: repeated edges (the first counts, with what is attached to it),
//! self-loops (dropped and counted), one direction only (kept as it is: line `i, j` is the edge `i → j`), isolated
//! nodes, graphs without nodes, labels with gaps or signs, `,` with or without blanks, CRLF, a missing last line end,
//! blank lines at the end, further files. Everything else is an error that names file, line, rule and value.

use super::column::{Column, Columns, Indicator};
use super::edges::Edges;
use super::lines::Lines;
use super::number::Number;
use super::package::Member;
use super::source::Source;
use crate::Error;
use crate::raw::{Labels, RawDataset, Table, Targets};
use std::path::Path;
use std::thread;

/// Reads a data set from a folder or a zip archive; `name` chooses among several sets in one place.
///
/// # Errors
/// [`Error`] with file, line, rule and value when a file breaks the format; when files are missing; when the archive
/// is broken; when there is no set, or several and none is named.
///
/// # Complexity
/// O(bytes) time, over two threads and one that reads ahead. Memory besides the result: some blocks of text, the lines of
/// one graph, and 8 bytes per label or attribute; where the lines of graphs are mixed, 20 bytes per line of `_A.txt`.
pub fn read(path: &Path, name: Option<&str>) -> Result<RawDataset, Error> {
    let mut source = Source::open(path, name)?;
    let mut other = source.again()?;
    thread::scope(|scope| {
        let tables = scope.spawn(move || Tables::read(&mut other));
        let mut raw = RawDataset::empty(source.set());
        raw.targets = targets(&mut source)?;
        let graphs = match &raw.targets {
            Targets::Classes(labels) => labels.code.len(),
            Targets::Reals(values) => values.len(),
        };
        let mut indicator = Indicator::over(graphs);
        source.required("graph_indicator")?.each(&mut indicator)?;
        let graph_of = indicator.graph_of;
        raw.node_ptr = node_ptr(&graph_of, graphs);
        let origin = (source.has("edge_labels") || source.has("edge_attributes")).then(Vec::new);
        let mut edges = Edges::over(&graph_of, &raw.node_ptr, origin);
        let counted = source.required("A").and_then(|lines| lines.each(&mut edges));
        let rows = edges.finish();

        let tables = tables.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let nodes = (graph_of.len(), "node");
        raw.node_labels = labels(&tables.node_labels?.of(nodes)?);
        let Columns { width, values, .. } = tables.node_attributes?.of(nodes)?;
        raw.node_attributes = Table { width, values };
        let lines = (counted? as usize, "line of the `_A.txt` file");
        let origin = rows.origin.unwrap_or_default();
        raw.edge_labels = labels(&picked(tables.edge_labels?.of(lines)?, &origin));
        let Columns { width, values, .. } = picked(tables.edge_attributes?.of(lines)?, &origin);
        raw.edge_attributes = Table { width, values };
        (raw.row_ptr, raw.col, raw.self_loops) = (rows.row_ptr, rows.col, rows.loops);
        Ok(raw)
    })
}

/// The files of a set.
pub(crate) fn files(path: &Path, name: &str) -> Result<Vec<Member>, Error> {
    Source::open(path, Some(name)).map(Source::into_members)
}

/// The optional files, which nothing else is needed to read.
struct Tables {
    node_labels: Result<Counted<i64>, Error>,
    node_attributes: Result<Counted<f64>, Error>,
    edge_labels: Result<Counted<i64>, Error>,
    edge_attributes: Result<Counted<f64>, Error>,
}

impl Tables {
    fn read(source: &mut Source) -> Self {
        Self {
            node_labels: Counted::read(source, "node_labels", "label"),
            node_attributes: Counted::read(source, "node_attributes", "attribute"),
            edge_labels: Counted::read(source, "edge_labels", "label"),
            edge_attributes: Counted::read(source, "edge_attributes", "attribute"),
        }
    }
}

/// What an optional file says.
struct Counted<T> {
    columns: Columns<T>,
    /// The file and its number of lines, if it is there.
    file: Option<(String, u64)>,
}

impl<T: Number> Counted<T> {
    fn read(source: &mut Source, part: &str, what: &'static str) -> Result<Self, Error> {
        let mut columns = Columns::of(what);
        let Some(lines) = source.lines(part)? else {
            return Ok(Self { columns, file: None });
        };
        let file = lines.file().to_owned();
        let count = lines.each(&mut columns)?;
        Ok(Self { columns, file: Some((file, count)) })
    }

    /// The columns, if the file has one line for each of these many things.
    fn of(self, (want, what): (usize, &str)) -> Result<Columns<T>, Error> {
        match self.file {
            Some((file, got)) if got != want as u64 => {
                Err(Error::Count { file, rule: format!("one line per {what} ({want})"), got })
            }
            _ => Ok(self.columns),
        }
    }
}

fn targets(source: &mut Source) -> Result<Targets, Error> {
    let missing = source.missing(&["graph_labels", "graph_attributes"]);
    if let Some(lines) = source.lines("graph_labels")? {
        return Ok(Targets::Classes(Labels::compact(column(lines, "class")?)));
    }
    let lines = source.lines("graph_attributes")?.ok_or(missing)?;
    column(lines, "target").map(Targets::Reals)
}

/// A file with one value per line and at least one line.
fn column<T: Number>(lines: Lines<'_>, what: &'static str) -> Result<Vec<T>, Error> {
    let file = lines.file().to_owned();
    let mut column = Column::of(what);
    if lines.each(&mut column)? == 0 {
        return Err(Error::Count { file, rule: "at least one line".to_owned(), got: 0 });
    }
    Ok(column.values)
}

fn node_ptr(graph_of: &[u32], graphs: usize) -> Vec<usize> {
    let mut node_ptr = vec![0; graphs + 1];
    for &graph in graph_of {
        node_ptr[graph as usize + 1] += 1;
    }
    for graph in 0..graphs {
        node_ptr[graph + 1] += node_ptr[graph];
    }
    node_ptr
}

fn labels(columns: &Columns<i64>) -> Vec<Labels> {
    let column = |at: usize| columns.values.iter().skip(at).step_by(columns.width).copied();
    (0..columns.width).map(|at| Labels::compact(column(at))).collect()
}

/// The lines that edges are from.
fn picked<T: Number>(mut columns: Columns<T>, origin: &[u32]) -> Columns<T> {
    let width = columns.width;
    let line = |&line: &u32| &columns.values[line as usize * width..][..width];
    columns.values = origin.iter().flat_map(line).copied().collect();
    columns
}

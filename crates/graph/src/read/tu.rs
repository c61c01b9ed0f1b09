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

use super::parse::{Lines, fields, id, integer, real};
use super::source::Source;
use crate::Error;
use crate::raw::{Labels, RawDataset, Table, Targets};
use crate::sorted::Sorted;
use std::path::Path;

/// The largest number of nodes, edge lines or graphs.
const LIMIT: usize = u32::MAX as usize;

/// Reads a data set from a folder or a zip archive; `name` chooses among several sets in one place.
///
/// # Errors
/// [`Error`] with file, line, rule and value when a file breaks the format; when files are missing; when the archive
/// is broken; when there is no set, or several and none is named.
///
/// # Complexity
/// O(bytes) time. Memory: 12 bytes per line of `_A.txt`, besides the result.
pub fn read(path: &Path, name: Option<&str>) -> Result<RawDataset, Error> {
    let mut source = Source::open(path, name)?;
    let mut raw = RawDataset::empty(source.set());
    raw.targets = targets(&mut source)?;
    let graphs = match &raw.targets {
        Targets::Classes(labels) => labels.code.len(),
        Targets::Reals(values) => values.len(),
    };
    let graph_of = indicator(&mut source.required("graph_indicator")?, graphs)?;
    raw.node_ptr = node_ptr(&graph_of, graphs);

    let nodes = Rows { what: "node", count: graph_of.len() };
    raw.node_labels =
        columns(&mut source, "node_labels", nodes)?.iter().map(|column| Labels::compact(column)).collect();
    raw.node_attributes = table(&mut source, "node_attributes", nodes)?;

    let pairs = edges(&mut source.required("A")?, &graph_of)?;
    let lines = Rows { what: "line of the `_A.txt` file", count: pairs.len() };
    let mut sorted = Sorted::from_pairs(graph_of.len(), &pairs);
    drop(pairs);
    raw.self_loops = sorted.remove_loops().into_iter().map(|node| node as usize).collect();
    for column in columns(&mut source, "edge_labels", lines)? {
        let kept: Vec<i64> = sorted.origin.iter().map(|&line| column[line as usize]).collect();
        raw.edge_labels.push(Labels::compact(&kept));
    }
    let attributes = table(&mut source, "edge_attributes", lines)?;
    raw.edge_attributes.width = attributes.width;
    for &line in &sorted.origin {
        raw.edge_attributes.values.extend_from_slice(attributes.row(line as usize));
    }
    (raw.row_ptr, raw.col) = sorted.topology.into_arrays();
    localise(&mut raw);
    Ok(raw)
}

/// What a file has one line for.
#[derive(Clone, Copy)]
struct Rows {
    what: &'static str,
    count: usize,
}

impl Rows {
    fn check(self, lines: &Lines<'_>, got: u64) -> Result<(), Error> {
        if got == self.count as u64 {
            return Ok(());
        }
        let rule = format!("one line per {} ({})", self.what, self.count);
        Err(Error::Count { file: lines.file().to_owned(), rule, got })
    }
}

fn targets(source: &mut Source) -> Result<Targets, Error> {
    let missing = source.missing(&["graph_labels", "graph_attributes"]);
    if let Some(mut lines) = source.lines("graph_labels")? {
        let values = column(&mut lines, |field| integer(field).map_err(|rule| format!("class {rule}")))?;
        return Ok(Targets::Classes(Labels::compact(&values)));
    }
    let mut lines = source.lines("graph_attributes")?.ok_or(missing)?;
    column(&mut lines, |field| real(field).map_err(|rule| format!("target {rule}"))).map(Targets::Reals)
}

/// A file with one value per line and at least one line.
fn column<T>(lines: &mut Lines<'_>, parse: impl Fn(&[u8]) -> Result<T, String>) -> Result<Vec<T>, Error> {
    let mut values = Vec::new();
    lines.each(|line| push(&mut values, parse(line)?))?;
    if values.is_empty() {
        return Err(Error::Count {
            file: lines.file().to_owned(),
            rule: "at least one line".to_owned(),
            got: 0,
        });
    }
    Ok(values)
}

fn push<T>(values: &mut Vec<T>, value: T) -> Result<(), String> {
    if values.len() == LIMIT {
        return Err(format!("must be among the first {LIMIT} lines"));
    }
    values.push(value);
    Ok(())
}

/// The graph of each node, counted from 0.
fn indicator(lines: &mut Lines<'_>, graphs: usize) -> Result<Vec<u32>, Error> {
    let mut graph_of = Vec::new();
    let mut last = 0;
    lines.each(|line| {
        let graph = id(line, "graph id", graphs)?;
        if graph < last {
            return Err(format!("graph ids must not decrease (the line before says {})", last + 1));
        }
        last = graph;
        push(&mut graph_of, graph)
    })?;
    Ok(graph_of)
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

/// The edges `(source, target)`, nodes counted from 0 over the set.
fn edges(lines: &mut Lines<'_>, graph_of: &[u32]) -> Result<Vec<(u32, u32)>, Error> {
    let mut pairs = Vec::new();
    lines.each(|line| {
        let comma =
            line.iter().position(|&byte| byte == b',').ok_or("must be two node ids with a comma between")?;
        let node = |field: &[u8]| id(field.trim_ascii(), "node id", graph_of.len());
        let (source, target) = (node(&line[..comma])?, node(&line[comma + 1..])?);
        let (from, to) = (graph_of[source as usize], graph_of[target as usize]);
        if from != to {
            return Err(format!(
                "an edge must stay inside a graph (these nodes are in {} and {})",
                from + 1,
                to + 1
            ));
        }
        push(&mut pairs, (source, target))
    })?;
    Ok(pairs)
}

/// The columns of an optional file of integers.
fn columns(source: &mut Source, part: &str, rows: Rows) -> Result<Vec<Vec<i64>>, Error> {
    let Some(mut lines) = source.lines(part)? else {
        return Ok(Vec::new());
    };
    let mut columns: Vec<Vec<i64>> = Vec::new();
    let mut first = true;
    let got = lines.each(|line| {
        let mut width = 0;
        for field in fields(line) {
            let value = integer(field).map_err(|rule| format!("label {rule}"))?;
            if first {
                columns.push(Vec::new());
            }
            if let Some(column) = columns.get_mut(width) {
                column.push(value);
            }
            width += 1;
        }
        first = false;
        equal_width(width, columns.len())
    })?;
    rows.check(&lines, got)?;
    Ok(columns)
}

/// An optional file of reals.
fn table(source: &mut Source, part: &str, rows: Rows) -> Result<Table, Error> {
    let Some(mut lines) = source.lines(part)? else {
        return Ok(Table::default());
    };
    let mut table = Table::default();
    let got = lines.each(|line| {
        let before = table.values.len();
        for field in fields(line) {
            table.values.push(real(field).map_err(|rule| format!("attribute {rule}"))?);
        }
        let width = table.values.len() - before;
        if before == 0 {
            table.width = width;
        }
        equal_width(width, table.width)
    })?;
    rows.check(&lines, got)?;
    Ok(table)
}

fn equal_width(got: usize, want: usize) -> Result<(), String> {
    if got == want {
        return Ok(());
    }
    Err(format!("must have as many values as the first line ({want} and not {got})"))
}

/// Renumbers sources from the whole set to their graph.
fn localise(raw: &mut RawDataset) {
    for nodes in raw.node_ptr.windows(2) {
        let entries = raw.row_ptr[nodes[0]]..raw.row_ptr[nodes[1]];
        for source in &mut raw.col[entries] {
            *source -= nodes[0] as u32;
        }
    }
}

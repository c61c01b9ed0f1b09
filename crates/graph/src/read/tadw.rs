//! Reader of the format of TADW (Yang et al., IJCAI 2015): Wiki, as it is and as AdamGNN's code reads it.
//!
//! | file | one line per | content |
//! | --- | --- | --- |
//! | `group.txt` | node | node, class; nodes count up from 0 |
//! | `graph.txt` | link | two nodes, either direction, repeated or not, a page's link to itself too |
//! | `tfidf.txt` | feature of a node that is not 0 | node, feature, value, ascending |
//!
//! AdamGNN's code numbers the nodes anew, in the order in which the lines of `graph.txt` name them; classes and links follow,
//! features do not: of 2405 pages one keeps its own. [`read_as_published`] does the same, because
//! the numbers of that paper can be compared on nothing else.

use super::blanks::{ClassOfEach, Edges, Entries};
use super::package::{Member, Package};
use super::single::single;
use crate::raw::Table;
use crate::{Error, RawDataset};
use std::path::Path;

/// What is read from the files.
struct Wiki {
    class: Vec<i64>,
    links: Vec<(u32, u32)>,
    features: Table,
    /// The file of links.
    graph: String,
}

/// The files of the set: classes, links, features.
pub(crate) fn files(package: &Package, name: &str) -> Result<[Member; 3], Error> {
    let file = |file: &str| package.find(name, &[&format!("wiki/{file}"), file]);
    Ok([file("group.txt")?, file("graph.txt")?, file("tfidf.txt")?])
}

/// Reads the set from a folder or a zip archive, each node with its own features.
///
/// # Errors
/// [`Error`] with file, line, rule and value when a file breaks the format; when files are missing; when the archive is
/// broken.
///
/// # Complexity
/// O(bytes + nodes · features) time, eight bytes of memory per node and feature.
pub fn read(path: &Path, name: &str) -> Result<RawDataset, Error> {
    let Wiki { class, links, features, .. } = parts(path, name)?;
    Ok(single(name, &links, class, features))
}

/// Reads the set as AdamGNN's code does: nodes numbered as the lines of `graph.txt` name them, features as they were numbered
/// before.
///
/// # Errors
/// As [`read`]; also [`Error::Count`] when a node is on no line of `graph.txt`, and so gets no number.
///
/// # Complexity
/// As [`read`].
pub fn read_as_published(path: &Path, name: &str) -> Result<RawDataset, Error> {
    let Wiki { class, links, features, graph } = parts(path, name)?;
    let mut number = vec![None; class.len()];
    let mut order = Vec::with_capacity(class.len());
    for node in links.iter().flat_map(|&(a, b)| [a, b]) {
        let own: &mut Option<u32> = &mut number[node as usize];
        if own.is_none() {
            *own = Some(order.len() as u32);
            order.push(node);
        }
    }
    let of = |node: u32| number[node as usize].unwrap_or(node);
    if order.len() < class.len() {
        let rule = format!("lines that name each of {} nodes ({} are named)", class.len(), order.len());
        return Err(Error::Count { file: graph, rule, got: links.len() as u64 });
    }
    let links: Vec<(u32, u32)> = links.iter().map(|&(a, b)| (of(a), of(b))).collect();
    let class = order.iter().map(|&node| class[node as usize]).collect();
    Ok(single(name, &links, class, features))
}

fn parts(path: &Path, name: &str) -> Result<Wiki, Error> {
    let mut package = Package::open(path)?;
    let [group, graph, tfidf] = files(&package, name)?;
    let mut classes = ClassOfEach::default();
    package.lines(&group)?.each(&mut classes)?;
    let nodes = classes.class.len();
    let mut edges = Edges::between(nodes);
    let lines = package.lines(&graph)?;
    let graph = lines.file().to_owned();
    lines.each(&mut edges)?;
    let mut entries = Entries::of(nodes);
    package.lines(&tfidf)?.each(&mut entries)?;
    Ok(Wiki { class: classes.class, links: edges.pairs, features: entries.table(), graph })
}

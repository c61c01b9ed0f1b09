//! Reader of the format of SDCN (Bo et al., WWW 2020): ACM and DBLP.
//!
//! | file | one line per | content |
//! | --- | --- | --- |
//! | `NAME_label.txt` | node | its class |
//! | `NAME.txt` | node | its features, all of them, blanks between |
//! | `NAME_graph.txt` | directed edge | two nodes, counted from 0, a blank between |
//!
//! The number of nodes is that of the lines of the class file: DBLP's edges name neither the first nor the last node.

use super::blanks::{Edges, Reals};
use super::column::Column;
use super::package::{Member, Package};
use super::single::single;
use crate::{Error, RawDataset};
use std::path::Path;

/// The files of a set: classes, features, edges.
pub(crate) fn files(package: &Package, name: &str) -> Result<[Member; 3], Error> {
    let file = |rest: &str| package.find(name, &[&format!("{name}{rest}.txt")]);
    Ok([file("_label")?, file("")?, file("_graph")?])
}

/// Reads a set from a folder or a zip archive.
///
/// # Errors
/// [`Error`] with file, line, rule and value when a file breaks the format; when files are missing; when the archive is
/// broken.
///
/// # Complexity
/// O(bytes) time, eight bytes of memory per feature.
pub fn read(path: &Path, name: &str) -> Result<RawDataset, Error> {
    let mut package = Package::open(path)?;
    let [classes, features, graph] = files(&package, name)?;
    let mut class = Column::<i64>::of("class");
    package.lines(&classes)?.each(&mut class)?;
    let mut reals = Reals::default();
    let lines = package.lines(&features)?;
    let file = lines.file().to_owned();
    let got = lines.each(&mut reals)?;
    let nodes = class.values.len();
    if got != nodes as u64 {
        return Err(Error::Count { file, rule: format!("one line per node ({nodes})"), got });
    }
    let mut edges = Edges::between(nodes);
    package.lines(&graph)?.each(&mut edges)?;
    Ok(single(name, &edges.pairs, class.values, reals.table))
}

//! Reader of the format of Planetoid (Yang, Cohen and Salakhutdinov, ICML 2016): Cora and Citeseer.
//!
//! | file | content |
//! | --- | --- |
//! | `ind.NAME.allx`, `ind.NAME.ally` | features (sparse) and classes (one-hot) of the first nodes, row by row; a pickle |
//! | `ind.NAME.tx`, `ind.NAME.ty` | the same of the test nodes; a pickle |
//! | `ind.NAME.test.index` | one line per row of `tx`: which node it is of; not in order |
//! | `ind.NAME.graph` | the neighbours of each node, repeated or not, the node itself too; a pickle |
//!
//! `ind.NAME.x` and `.y` are the rows of `allx` and `ally` that one split trains on, and are not read. Some nodes of Citeseer
//! behind those of `allx` are no test nodes, and have no row anywhere: their features are 0, and their class is the first, as
//! in every program that takes the largest entry of a row of zeros.

use super::blanks::id;
use super::lines::Row;
use super::numpy::{Array, SparseRows};
use super::package::{Member, Package};
use super::pickle::{Pickle, Place};
use super::single::{room_for, single};
use crate::raw::Table;
use crate::{Error, RawDataset};
use std::path::Path;

/// The longest pickle that is read.
const LONGEST: u64 = 1 << 26;
/// The most nodes, and the most neighbours of all.
const LIMIT: usize = 1 << 22;

/// The files of a set: `allx`, `ally`, `tx`, `ty`, `graph`, `test.index`.
pub(crate) fn files(package: &Package, name: &str) -> Result<[Member; 6], Error> {
    let file = |part: &str| package.find(name, &[&format!("ind.{name}.{part}")]);
    Ok([file("allx")?, file("ally")?, file("tx")?, file("ty")?, file("graph")?, file("test.index")?])
}

/// Reads a set from a folder or a zip archive. Attributes are as they stand there, ones and zeros.
///
/// # Errors
/// [`Error`] with file, line or byte, rule and value when a file breaks the format; when files are missing; when the archive
/// is broken.
///
/// # Complexity
/// O(bytes + nodes · features) time, eight bytes of memory per node and feature. A pickle of more than 64 MiB, and a table of
/// more than 2²⁷ features, are refused.
pub fn read(path: &Path, name: &str) -> Result<RawDataset, Error> {
    let mut package = Package::open(path)?;
    let [allx, ally, tx, ty, graph, test] = files(&package, name)?;
    let first = Part::read(&mut package, [&allx, &ally], None)?;
    let last = Part::read(&mut package, [&tx, &ty], Some(&first))?;
    let (width, before) = (first.features.width, first.features.rows());
    let (nodes, edges) = pickled(&mut package, &graph, |place| {
        let lists = place.dict("a file of neighbours")?;
        if lists.len() < before || lists.len() > LIMIT {
            let rule =
                format!("there must be one node per row of `allx` ({before}), and at most {LIMIT} in all");
            return Err(place.broken(rule, lists.len().to_string()));
        }
        room_for(lists.len(), width).map_err(|rule| place.broken(rule, format!("{} nodes", lists.len())))?;
        neighbours(place)
    })?;
    let mut rows = TestRows { nodes: before..nodes, node: Vec::new(), seen: vec![false; nodes] };
    let lines = package.lines(&test)?;
    let file = lines.file().to_owned();
    let got = lines.each(&mut rows)?;
    if got != last.features.rows() as u64 {
        let rule = format!("one line per row of `tx` ({})", last.features.rows());
        return Err(Error::Count { file, rule, got });
    }

    let mut values = vec![0.0; nodes * width];
    let mut class = vec![0; nodes];
    let placed =
        rows.node.iter().map(|&node| node as usize).enumerate().map(|(row, node)| (&last, row, node));
    for (part, row, node) in (0..before).map(|row| (&first, row, row)).chain(placed) {
        part.features.put(row, &mut values[node * width..(node + 1) * width]);
        class[node] = part.class[row];
    }
    Ok(single(name, &edges, class, Table { width, values }))
}

/// Takes apart one pickled file.
fn pickled<T>(
    package: &mut Package,
    member: &Member,
    take: impl FnOnce(Place<'_, '_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (file, bytes) = package.bytes(member, LONGEST)?;
    take(Pickle::load(&file, &bytes)?.root())
}

/// Features and classes of some nodes.
struct Part {
    features: SparseRows,
    class: Vec<i64>,
    /// How many classes there are.
    classes: usize,
}

impl Part {
    /// `like` is the part whose columns these must be.
    fn read(package: &mut Package, files: [&Member; 2], like: Option<&Self>) -> Result<Self, Error> {
        let features = pickled(package, files[0], |place| {
            let features = SparseRows::read(place)?;
            same(place, "columns of features", features.width, like.map(|like| like.features.width))?;
            Ok(features)
        })?;
        pickled(package, files[1], |place| {
            let Array { shape: [rows, classes], values } = Array::<i32, 2>::read(place, "one-hot classes")?;
            same(place, "rows of one-hot classes", rows, Some(features.rows()))?;
            same(place, "classes", classes, like.map(|like| like.classes))?;
            let one_hot = |row: usize| {
                let of = &values[row * classes..(row + 1) * classes];
                let class = of.iter().position(|&slot| slot == 1);
                let class = class.filter(|_| of.iter().filter(|&&slot| slot != 0).count() == 1);
                let rule = "a row must have a one, and else zeros";
                class
                    .map(|class| class as i64)
                    .ok_or_else(|| place.broken(rule, format!("another in row {row}")))
            };
            let class = (0..rows).map(one_hot).collect::<Result<_, _>>()?;
            Ok(Self { features, class, classes })
        })
    }
}

/// Fails unless there are as many as another file says.
fn same(place: Place<'_, '_>, what: &str, got: usize, want: Option<usize>) -> Result<(), Error> {
    match want {
        Some(want) if want != got => {
            Err(place.broken(format!("there must be as many {what} as before ({want})"), got.to_string()))
        }
        _ => Ok(()),
    }
}

/// The number of nodes, and both of each node and a neighbour.
fn neighbours(place: Place<'_, '_>) -> Result<(usize, Vec<(u32, u32)>), Error> {
    let lists = place.dict("a file of neighbours")?;
    let nodes = lists.len();
    let most = nodes.saturating_sub(1);
    let (mut seen, mut edges) = (vec![false; nodes], Vec::new());
    for (key, list) in lists {
        let node = key.count("a node", most)?;
        if std::mem::replace(&mut seen[node], true) {
            return Err(key.broken("a node must occur once", node.to_string()));
        }
        for neighbour in list.list("the neighbours of a node")? {
            // One list may stand for several nodes, so that there may be more neighbours than bytes.
            if edges.len() == LIMIT {
                return Err(list.broken(format!("there may be {LIMIT} neighbours in all"), "one more"));
            }
            edges.push((node as u32, neighbour.count("a neighbour", most)? as u32));
        }
    }
    Ok((nodes, edges))
}

/// The node of each row of `tx`.
struct TestRows {
    /// The nodes that are not in `allx`.
    nodes: std::ops::Range<usize>,
    node: Vec<u32>,
    seen: Vec<bool>,
}

impl Row for TestRows {
    fn by_rule(&mut self, line: &[u8]) -> Result<(), String> {
        let node = id(line, "test node", self.nodes.end)?;
        if (node as usize) < self.nodes.start {
            return Err(format!("test node must be none of the {} of `allx`", self.nodes.start));
        }
        if std::mem::replace(&mut self.seen[node as usize], true) {
            return Err("test node must occur once".to_owned());
        }
        self.node.push(node);
        Ok(())
    }
}

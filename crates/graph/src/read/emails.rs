//! Reader of the mails between the members of a research institution (Yin et al., KDD 2017), as AdamGNN and P-GNN use them.
//!
//! | file | or | one line per | content |
//! | --- | --- | --- | --- |
//! | `email-Eu-core-department-labels.txt` | `email_labels.txt` | member | member, department; members count up from 0 |
//! | `email-Eu-core.txt` | `email.txt` | sender and receiver | two members, a blank between |
//!
//! Kept are the members of departments with more than 20 members, numbered anew in their order, and the mails between them.
//! Either file may be compressed by gzip, its name then ending with `.gz`.

use super::blanks::{ClassOfEach, Edges};
use super::package::{Member, Package};
use super::single::single;
use crate::raw::{Labels, Table};
use crate::{Error, RawDataset};
use std::path::Path;

/// The most members of a department that is left out.
const SMALL: usize = 20;

/// The files of the set: departments, mails.
pub(crate) fn files(package: &Package, name: &str) -> Result<[Member; 2], Error> {
    Ok([
        package.find(name, &["email-Eu-core-department-labels.txt", "email_labels.txt"])?,
        package.find(name, &["email-Eu-core.txt", "email.txt"])?,
    ])
}

/// Reads the set from a folder or a zip archive. There are no attributes.
///
/// # Errors
/// [`Error`] with file, line, rule and value when a file breaks the format; when files are missing; when the archive is
/// broken.
///
/// # Complexity
/// O(bytes) time.
pub fn read(path: &Path, name: &str) -> Result<RawDataset, Error> {
    let mut package = Package::open(path)?;
    let [labels, mails] = files(&package, name)?;
    let mut members = ClassOfEach::default();
    package.lines(&labels)?.each(&mut members)?;
    let mut edges = Edges::between(members.class.len());
    package.lines(&mails)?.each(&mut edges)?;

    let department = Labels::compact(members.class.iter().copied());
    let mut size = vec![0usize; department.values.len()];
    department.code.iter().for_each(|&code| size[code as usize] += 1);
    let large = |code: u32| size[code as usize] > SMALL;
    let mut kept = 0u32;
    let number: Vec<Option<u32>> = department
        .code
        .iter()
        .map(|&code| {
            large(code).then(|| {
                kept += 1;
                kept - 1
            })
        })
        .collect();
    let of = |member: u32| number[member as usize];
    let inside: Vec<(u32, u32)> = edges.pairs.iter().filter_map(|&(a, b)| of(a).zip(of(b))).collect();
    let class = members.class.iter().zip(&department.code).filter(|(_, code)| large(**code)).map(|(&c, _)| c);
    Ok(single(name, &inside, class.collect(), Table::default()))
}

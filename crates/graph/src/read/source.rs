//! Which files of a folder or archive make a TU set.

use super::lines::Lines;
use super::package::{Member, Package};
use crate::Error;
use std::collections::BTreeMap;
use std::path::Path;

/// The files of one set: those named `<SET>_<part>.txt` beside `<SET>_A.txt`.
pub(crate) struct Source {
    package: Package,
    set: String,
    members: BTreeMap<String, Member>,
}

const EDGES: &str = "_A.txt";

impl Source {
    /// Finds the set in a folder or archive: the only one there, or the one that is named.
    pub(crate) fn open(path: &Path, name: Option<&str>) -> Result<Self, Error> {
        let package = Package::open(path)?;
        let (prefix, set) = choose(path, name, package.members())?;
        let mut parts = BTreeMap::new();
        for member in package.members() {
            let part = member.shown.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".txt"));
            if let Some(part) = part.filter(|part| !part.contains('/')) {
                parts.entry(part.to_owned()).or_insert_with(|| member.clone());
            }
        }
        Ok(Self { package, set, members: parts })
    }

    /// The same set, to read other files of it at the same time.
    pub(crate) fn again(&self) -> Result<Self, Error> {
        let (set, members) = (self.set.clone(), self.members.clone());
        Ok(Self { package: self.package.again()?, set, members })
    }

    /// All its files.
    pub(crate) fn into_members(self) -> Vec<Member> {
        self.members.into_values().collect()
    }

    /// Is there a file `<SET>_<part>.txt`.
    pub(crate) fn has(&self, part: &str) -> bool {
        self.members.contains_key(part)
    }

    /// The name of the set.
    pub(crate) fn set(&self) -> &str {
        &self.set
    }

    /// The lines of `<SET>_<part>.txt`, if there is one.
    pub(crate) fn lines(&mut self, part: &str) -> Result<Option<Lines<'_>>, Error> {
        match self.members.get(part) {
            Some(member) => self.package.lines(member).map(Some),
            None => Ok(None),
        }
    }

    /// The lines of a file that every set has.
    pub(crate) fn required(&mut self, part: &str) -> Result<Lines<'_>, Error> {
        let missing = self.missing(&[part]);
        self.lines(part)?.ok_or(missing)
    }

    /// The error that one of these files had to be there.
    pub(crate) fn missing(&self, parts: &[&str]) -> Error {
        let looked_for: Vec<String> = parts.iter().map(|part| format!("{}_{part}.txt", self.set)).collect();
        Error::MissingFile {
            path: self.package.path().to_owned(),
            set: self.set.clone(),
            looked_for: looked_for.join(" or "),
        }
    }
}

/// The set's files begin with the first string; the second is its name.
fn choose(path: &Path, name: Option<&str>, files: &[Member]) -> Result<(String, String), Error> {
    let mut sets: Vec<(&str, &str)> = files
        .iter()
        .filter_map(|file| file.shown.strip_suffix(EDGES))
        .map(|stem| (stem, stem.rsplit('/').next().unwrap_or(stem)))
        .filter(|(_, set)| !set.is_empty() && name.is_none_or(|name| name == *set))
        .collect();
    sets.sort_unstable();
    match sets.as_slice() {
        [(stem, set)] => Ok((format!("{stem}_"), (*set).to_owned())),
        [] => {
            let looked_for = format!("{}{EDGES}", name.unwrap_or("NAME"));
            Err(Error::NoSet { path: path.to_owned(), looked_for })
        }
        several => {
            let sets = several.iter().map(|(stem, _)| format!("{stem}{EDGES}")).collect();
            Err(Error::SeveralSets { path: path.to_owned(), sets })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::package::member;
    use super::*;

    fn chosen(name: Option<&str>, files: &[&str]) -> Result<(String, String), Error> {
        let files: Vec<Member> = files.iter().map(|file| member(file)).collect();
        choose(Path::new("here"), name, &files)
    }

    #[test]
    fn sets_are_found_by_their_edge_file() {
        let own = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(chosen(None, &["X_A.txt", "X_graph_labels.txt"]).unwrap(), own("X_", "X"));
        assert_eq!(chosen(None, &["X/README.txt", "X/X_A.txt"]).unwrap(), own("X/X_", "X"));
        assert_eq!(chosen(Some("Y"), &["X/X_A.txt", "Y/Y_A.txt"]).unwrap(), own("Y/Y_", "Y"));
        let several = chosen(None, &["Y/Y_A.txt", "X/X_A.txt"]).unwrap_err();
        assert_eq!(several.to_string(), "here: several data sets: X/X_A.txt, Y/Y_A.txt; name one of them");
        let none = chosen(Some("Z"), &["X/X_A.txt", "_A.txt"]).unwrap_err();
        assert_eq!(none.to_string(), "here: no TU data set: looked for Z_A.txt");
    }
}

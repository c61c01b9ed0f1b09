//! Where the files of a TU set are: a folder or a zip archive, nested or not, with doubled slashes or not.

use super::lines::Lines;
use crate::Error;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::result::ZipError;

/// The files of one set: those named `<SET>_<part>.txt` beside `<SET>_A.txt`.
pub(crate) struct Source {
    path: PathBuf,
    set: String,
    /// Where the file of each part is: below the folder, or as a member's number.
    members: BTreeMap<String, Member>,
    archive: Option<ZipArchive<BufReader<File>>>,
}

/// How to open a file, and its path inside the folder or archive without doubled slashes.
#[derive(Clone)]
struct Member {
    shown: String,
    place: Place,
}

#[derive(Clone)]
enum Place {
    File(PathBuf),
    Index(usize),
}

/// How many folders deep a folder is searched.
const DEPTH: usize = 3;
const EDGES: &str = "_A.txt";

impl Source {
    /// Finds the set in a folder or archive: the only one there, or the one that is named.
    pub(crate) fn open(path: &Path, name: Option<&str>) -> Result<Self, Error> {
        let (archive, files) = if path.is_dir() {
            let mut files = Vec::new();
            walk(path, "", DEPTH, &mut files)?;
            (None, files)
        } else {
            let archive = unzip(path)?;
            let files = members(&archive);
            (Some(archive), files)
        };
        let (prefix, set) = choose(path, name, &files)?;
        let mut parts = BTreeMap::new();
        for member in files {
            let part = member.shown.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".txt"));
            if let Some(part) = part.filter(|part| !part.contains('/')).map(str::to_owned) {
                parts.entry(part).or_insert(member);
            }
        }
        Ok(Self { path: path.to_owned(), set, members: parts, archive })
    }

    /// The same set, to read other files of it at the same time.
    pub(crate) fn again(&self) -> Result<Self, Error> {
        let archive = self.archive.is_some().then(|| unzip(&self.path)).transpose()?;
        let (path, set, members) = (self.path.clone(), self.set.clone(), self.members.clone());
        Ok(Self { path, set, members, archive })
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
        let Some(Member { shown, place }) = self.members.get(part).cloned() else {
            return Ok(None);
        };
        match (place, &mut self.archive) {
            (Place::Index(index), Some(archive)) => {
                let shown = format!("{}: {shown}", self.path.display());
                let file = archive
                    .by_index(index)
                    .map_err(|error| Error::Archive { path: self.path.clone(), reason: error.to_string() })?;
                Ok(Some(Lines::new(shown, Box::new(file))))
            }
            (Place::File(file), _) => {
                let open = File::open(&file).map_err(|source| io(&file, source))?;
                Ok(Some(Lines::new(file.display().to_string(), Box::new(open))))
            }
            (Place::Index(_), None) => Ok(None),
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
            path: self.path.clone(),
            set: self.set.clone(),
            looked_for: looked_for.join(" or "),
        }
    }
}

fn unzip(path: &Path) -> Result<ZipArchive<BufReader<File>>, Error> {
    let file = File::open(path).map_err(|source| io(path, source))?;
    let broken = |error: ZipError| Error::Archive { path: path.to_owned(), reason: error.to_string() };
    ZipArchive::new(BufReader::new(file)).map_err(broken)
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

/// The files of an archive, without folders and without the shadow files that some systems pack.
fn members(archive: &ZipArchive<BufReader<File>>) -> Vec<Member> {
    let names = (0..archive.len()).filter_map(|index| Some((index, archive.name_for_index(index)?.ok()?)));
    names
        .filter(|(_, name)| !name.ends_with(['/', '\\']))
        .map(|(index, name)| {
            let parts: Vec<&str> =
                name.split(['/', '\\']).filter(|part| !matches!(*part, "" | ".")).collect();
            Member { shown: parts.join("/"), place: Place::Index(index) }
        })
        .filter(|member| !member.shown.split('/').any(|part| part.starts_with("._") || part == "__MACOSX"))
        .collect()
}

fn walk(folder: &Path, prefix: &str, depth: usize, files: &mut Vec<Member>) -> Result<(), Error> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.map_err(|source| io(folder, source))?;
    entries.sort_unstable_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, Ok(file)) = (entry.path(), entry.file_name().into_string()) else {
            continue;
        };
        if file.starts_with('.') {
            continue;
        }
        if !path.is_dir() {
            files.push(Member { shown: format!("{prefix}{file}"), place: Place::File(path) });
        } else if depth > 1 {
            walk(&path, &format!("{prefix}{file}/"), depth - 1, files)?;
        }
    }
    Ok(())
}

pub(crate) fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(name: Option<&str>, files: &[&str]) -> Result<(String, String), Error> {
        let member = |file: &&str| Member { shown: (*file).to_owned(), place: Place::Index(0) };
        choose(Path::new("here"), name, &files.iter().map(member).collect::<Vec<_>>())
    }

    #[test]
    fn sets_are_found_by_their_edge_file() {
        let own = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(chosen(None, &["X_A.txt", "X_graph_labels.txt"]).unwrap(), own("X_", "X"));
        assert_eq!(chosen(None, &["X/README.txt", "X/X_A.txt"]).unwrap(), own("X/X_", "X"));
        assert_eq!(chosen(Some("Y"), &["X/X_A.txt", "Y/Y_A.txt"]).unwrap(), own("Y/Y_", "Y"));
        let several = chosen(None, &["Y/Y_A.txt", "X/X_A.txt"]).unwrap_err();
        assert_eq!(several.to_string(), "here: several TU data sets: X/X_A.txt, Y/Y_A.txt; name one of them");
        let none = chosen(Some("Z"), &["X/X_A.txt", "_A.txt"]).unwrap_err();
        assert_eq!(none.to_string(), "here: no TU data set: looked for Z_A.txt");
    }
}

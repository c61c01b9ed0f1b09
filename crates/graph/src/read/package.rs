//! A folder or a zip archive, and the files in it: nested or not, with doubled slashes or not.

use super::lines::Lines;
use crate::Error;
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::result::ZipError;

/// Files in one place.
pub(crate) struct Package {
    path: PathBuf,
    members: Vec<Member>,
    archive: Option<ZipArchive<BufReader<File>>>,
}

/// How to open a file, and its path inside the folder or archive without doubled slashes.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) shown: String,
    place: Place,
}

impl Member {
    /// The file itself, where it is one.
    pub(crate) fn file(self) -> Option<PathBuf> {
        match self.place {
            Place::File(file) => Some(file),
            Place::Index(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file of a folder.
    File(PathBuf),
    /// A member of an archive, by number.
    Index(usize),
}

/// How many folders deep a folder is searched.
const DEPTH: usize = 3;
/// What names of files compressed by gzip end with.
const GZIP: &str = ".gz";

impl Package {
    /// Lists the files of a folder or an archive.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let (archive, members) = if path.is_dir() {
            let mut files = Vec::new();
            walk(path, "", DEPTH, &mut files)?;
            (None, files)
        } else {
            let archive = unzip(path)?;
            let files = members(&archive);
            (Some(archive), files)
        };
        Ok(Self { path: path.to_owned(), members, archive })
    }

    /// The same files, to read others of them at the same time.
    pub(crate) fn again(&self) -> Result<Self, Error> {
        let archive = self.archive.is_some().then(|| unzip(&self.path)).transpose()?;
        Ok(Self { path: self.path.clone(), members: self.members.clone(), archive })
    }

    /// The folder or archive.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its files.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The file whose path ends with one of these (or with one of these and `.gz`), the first that is there.
    ///
    /// # Errors
    /// [`Error::MissingFile`] when there is none, [`Error::SeveralFiles`] when several end with the same.
    pub(crate) fn find(&self, set: &str, names: &[&str]) -> Result<Member, Error> {
        let ends = |shown: &str, name: &str| {
            let stem = shown.strip_suffix(GZIP).unwrap_or(shown);
            stem.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        for name in names {
            let found: Vec<&Member> =
                self.members.iter().filter(|member| ends(&member.shown, name)).collect();
            match found.as_slice() {
                [] => {}
                [member] => return Ok((*member).clone()),
                several => {
                    let files = several.iter().map(|member| member.shown.clone()).collect();
                    return Err(Error::SeveralFiles { path: self.path.clone(), files });
                }
            }
        }
        let looked_for = names.join(" or ");
        Err(Error::MissingFile { path: self.path.clone(), set: set.to_owned(), looked_for })
    }

    /// The lines of a file.
    pub(crate) fn lines(&mut self, member: &Member) -> Result<Lines<'_>, Error> {
        let (shown, reader) = self.open_member(member)?;
        Ok(Lines::new(shown, reader))
    }

    /// What messages call a file, and all its bytes, of which there may be so many.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read or is longer.
    pub(crate) fn bytes(&mut self, member: &Member, most: u64) -> Result<(String, Vec<u8>), Error> {
        let (shown, reader) = self.open_member(member)?;
        let mut bytes = Vec::new();
        match reader.take(most + 1).read_to_end(&mut bytes) {
            Ok(read) if read as u64 <= most => Ok((shown, bytes)),
            Ok(_) => {
                let source = std::io::Error::other(format!("must have at most {most} bytes, and has more"));
                Err(Error::Io { path: shown, source })
            }
            Err(source) => Err(Error::Io { path: shown, source }),
        }
    }

    fn open_member(&mut self, member: &Member) -> Result<(String, Box<dyn Read + Send + '_>), Error> {
        let (shown, reader): (String, Box<dyn Read + Send + '_>) = match (&member.place, &mut self.archive) {
            (Place::Index(index), Some(archive)) => {
                let broken =
                    |error: ZipError| Error::Archive { path: self.path.clone(), reason: error.to_string() };
                let shown = format!("{}: {}", self.path.display(), member.shown);
                (shown, Box::new(archive.by_index(*index).map_err(broken)?))
            }
            (Place::Index(_), None) => {
                let source = std::io::Error::other("is a member of another archive");
                return Err(Error::Io { path: member.shown.clone(), source });
            }
            (Place::File(file), _) => {
                let open = File::open(file).map_err(|source| io(file, source))?;
                (file.display().to_string(), Box::new(open))
            }
        };
        Ok((shown, if member.shown.ends_with(GZIP) { Box::new(MultiGzDecoder::new(reader)) } else { reader }))
    }
}

/// A file of an archive, to be found by its path.
#[cfg(test)]
pub(crate) fn member(shown: &str) -> Member {
    Member { shown: shown.to_owned(), place: Place::Index(0) }
}

fn unzip(path: &Path) -> Result<ZipArchive<BufReader<File>>, Error> {
    let file = File::open(path).map_err(|source| io(path, source))?;
    let broken = |error: ZipError| Error::Archive { path: path.to_owned(), reason: error.to_string() };
    ZipArchive::new(BufReader::new(file)).map_err(broken)
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

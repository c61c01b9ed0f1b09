//! Where the files of registered sets are, and reading them.

use super::{DATASETS, DatasetSpec, Family, find};
use crate::read::{Member, Package, emails, io, planetoid, sdcn, tadw, tu};
use crate::{Error, RawDataset};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads what lies in a folder or archive: the set that `name` says, in the format of its row if it is registered, in TU format
/// if it is not. Without a name, the only set in TU format, or if there is none the only registered set whose files are there.
///
/// # Errors
/// The reader's; [`Error::SeveralSets`] when it is not clear which set is meant.
pub fn read(path: &Path, name: Option<&str>) -> Result<RawDataset, Error> {
    if let Some(name) = name {
        return match find(name) {
            Ok(spec) => spec.read(path),
            Err(_) => tu::read(path, Some(name)),
        };
    }
    let none = match tu::read(path, None) {
        Err(error @ Error::NoSet { .. }) => error,
        read => return read,
    };
    let here = |spec: &&DatasetSpec| spec.files_of.is_none() && spec.files_in(path).is_ok();
    let here: Vec<&DatasetSpec> = DATASETS.iter().filter(|spec| spec.has_own_format()).filter(here).collect();
    match here.as_slice() {
        [] => Err(none),
        [spec] => spec.read(path),
        several => {
            let sets = several.iter().map(|spec| spec.name.to_owned()).collect();
            Err(Error::SeveralSets { path: path.to_owned(), sets })
        }
    }
}

impl DatasetSpec {
    /// Reads the set from a folder or archive, in the format of its family; what is generated may be there in TU format.
    ///
    /// # Errors
    /// With file, line or byte, rule and value when a file breaks the format; when files are missing; when the archive is
    /// broken.
    pub fn read(&self, path: &Path) -> Result<RawDataset, Error> {
        match self.family {
            Family::Tu | Family::Generated => tu::read(path, Some(self.name)),
            Family::Planetoid => planetoid::read(path, self.name),
            Family::Sdcn => sdcn::read(path, self.name),
            Family::Tadw => tadw::read(path, self.name),
            Family::TadwAsPublished => tadw::read_as_published(path, self.name),
            Family::Emails => emails::read(path, self.name),
        }
    }

    /// The name that its files are stored under: its own, or that of the set whose files they are.
    pub fn stored_as(&self) -> &'static str {
        self.files_of.unwrap_or(self.name)
    }

    /// What must be copied to have the set: its files in a folder, or the archive itself.
    ///
    /// # Errors
    /// [`Error::NoSet`], [`Error::MissingFile`] and what the disk says when the set is not there.
    pub fn files_in(&self, path: &Path) -> Result<Vec<PathBuf>, Error> {
        let members: Vec<Member> = match self.family {
            Family::Tu | Family::Generated => tu::files(path, self.name)?,
            Family::Planetoid => planetoid::files(&Package::open(path)?, self.name)?.into(),
            Family::Sdcn => sdcn::files(&Package::open(path)?, self.name)?.into(),
            Family::Tadw | Family::TadwAsPublished => tadw::files(&Package::open(path)?, self.name)?.into(),
            Family::Emails => emails::files(&Package::open(path)?, self.name)?.into(),
        };
        let files: Vec<PathBuf> = members.into_iter().filter_map(Member::file).collect();
        Ok(if files.is_empty() { vec![path.to_owned()] } else { files })
    }

    /// Where a folder holds the set: as `NAME.zip`, as a folder `NAME`; sets of one graph also as files of the folder itself,
    /// or in an archive whose name contains the set's. [`DatasetSpec::stored_as`] is the name that counts.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be read.
    pub fn find_in(&self, folder: &Path) -> Result<Option<PathBuf>, Error> {
        let name = self.stored_as();
        let holds = |path: &Path| self.files_in(path).is_ok();
        let archive = folder.join(format!("{name}.zip"));
        if archive.is_file() {
            return Ok(Some(archive));
        }
        let own = Some(folder.join(name)).filter(|own| own.is_dir() && holds(own));
        if own.is_some() || !self.has_own_format() {
            return Ok(own);
        }
        if holds(folder) {
            return Ok(Some(folder.to_owned()));
        }
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut paths: Vec<PathBuf> =
            entries.map_err(|source| io(folder, source))?.iter().map(fs::DirEntry::path).collect();
        paths.sort_unstable();
        let named = |path: &&PathBuf| {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase());
            path.extension().is_some_and(|end| end == "zip") && stem.is_some_and(|stem| stem.contains(name))
        };
        Ok(paths.iter().filter(named).find(|path| holds(path)).cloned())
    }

    /// Is the set in files that only sets of its family have.
    fn has_own_format(&self) -> bool {
        !matches!(self.family, Family::Tu | Family::Generated)
    }
}

//! [`DataDir`]: where raw data lives on disk, and loading by name. No network.

use crate::read::{self, io};
use crate::{DatasetSpec, Error, FeatureRule, InMemory, RawDataset, registry};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of data: raw sets are `raw/<NAME>.zip` or `raw/<NAME>/` in it.
///
/// Beside them `raw/<NAME>.accepted` may hold a content hash that the user accepts although the registry says another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The folder need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where raw sets are kept.
    pub fn raw(&self) -> PathBuf {
        self.root.join("raw")
    }

    /// The archive or folder of a raw set (of the one whose files it shares), if it is there; the archive comes first.
    pub fn locate(&self, name: &str) -> Option<PathBuf> {
        if !is_plain(name) {
            return None;
        }
        let name = registry::find(name).ok().map_or(name, |spec: &DatasetSpec| spec.stored_as());
        let archive = self.raw().join(format!("{name}.zip"));
        let folder = self.raw().join(name);
        if archive.is_file() { Some(archive) } else { folder.is_dir().then_some(folder) }
    }

    /// Loads a data set by name and makes its features: a registered one, a generated one (`NAME` or `NAME@SEED`), or
    /// any set in TU format that lies in the folder.
    ///
    /// # Errors
    /// As [`DataDir::load_raw`] and [`RawDataset::into_dataset`].
    pub fn load(&self, name: &str, rule: &FeatureRule) -> Result<InMemory, Error> {
        self.load_raw(name)?.into_dataset(rule)
    }

    /// Loads a data set by name, without features. The content hash of a registered set is verified.
    ///
    /// # Errors
    /// [`Error::NoData`] and [`Error::UnknownDataset`] when there is none; [`Error::ContentChanged`] when a registered
    /// set has another content than the registry says and than was accepted; the errors of [`DatasetSpec::read`].
    pub fn load_raw(&self, name: &str) -> Result<RawDataset, Error> {
        let spec = match registry::parse(name) {
            Ok((spec, seed)) => match spec.generate(seed) {
                Some(raw) => return Ok(raw),
                None => Some(spec),
            },
            Err(unknown) if self.locate(name).is_none() => return Err(unknown),
            Err(_) => None,
        };
        let path =
            self.locate(name).ok_or_else(|| Error::NoData { name: name.to_owned(), folder: self.raw() })?;
        let raw = match spec {
            Some(spec) => spec.read(&path)?,
            None => read::tu::read(&path, Some(name))?,
        };
        let Some(want) = spec.and_then(|spec| spec.content_hash) else {
            return Ok(raw);
        };
        let got = raw.content_hash();
        if got == want || self.accepted(name)?.as_deref() == Some(got) {
            return Ok(raw);
        }
        let (want, got) = (want.to_owned(), got.to_owned());
        Err(Error::ContentChanged { name: name.to_owned(), path, want, got })
    }

    /// The content hash that was accepted for a set, if any.
    ///
    /// # Errors
    /// [`Error::Io`] when the marker file cannot be read.
    pub fn accepted(&self, name: &str) -> Result<Option<String>, Error> {
        let path = self.marker(name)?;
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io(&path, error)),
        }
    }

    /// Accepts a content hash for a set, so that it loads although the registry says another.
    ///
    /// # Errors
    /// [`Error::Io`] when the marker file cannot be written.
    pub fn accept(&self, name: &str, content_hash: &str) -> Result<(), Error> {
        let path = self.marker(name)?;
        fs::create_dir_all(self.raw()).map_err(|error| io(&self.raw(), error))?;
        fs::write(&path, format!("{content_hash}\n")).map_err(|error| io(&path, error))
    }

    fn marker(&self, name: &str) -> Result<PathBuf, Error> {
        if is_plain(name) {
            return Ok(self.raw().join(format!("{name}.accepted")));
        }
        registry::find(name).map(|spec| self.raw().join(format!("{}.accepted", spec.name)))
    }
}

/// Is the name one that may stand in a path: letters, digits, `-`, `_`, `.`, not beginning with `.`.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

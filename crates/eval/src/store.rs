//! Records on disk: the identity of an experiment, atomic files, one folder for all.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Error, Record};

/// The identity of an experiment: the first 16 hexadecimal digits of the SHA-256 of its canonical JSON.
///
/// Canonical means keys sorted, no spaces, whole numbers without a point. The fields `id` and `note` at the top are left out: a
/// renamed or better explained experiment is the same experiment.
pub fn experiment_hash(experiment: &Value) -> String {
    let mut text = String::new();
    match experiment {
        Value::Object(fields) => {
            canonical_object(
                fields.iter().filter(|(key, _)| !matches!(key.as_str(), "id" | "note")),
                &mut text,
            );
        }
        other => canonical(other, &mut text),
    }
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let (first, _) = digest.split_first_chunk::<8>().expect("a digest has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*first))
}

fn canonical(value: &Value, to: &mut String) {
    match value {
        Value::Object(fields) => canonical_object(fields.iter(), to),
        Value::Array(items) => {
            to.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    to.push(',');
                }
                canonical(item, to);
            }
            to.push(']');
        }
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                to.push_str(&(float as i64).to_string());
            }
            _ => to.push_str(&number.to_string()),
        },
        scalar => to.push_str(&scalar.to_string()),
    }
}

fn canonical_object<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>, to: &mut String) {
    let mut fields: Vec<_> = fields.collect();
    fields.sort_by_key(|(key, _)| *key);
    to.push('{');
    for (place, (key, value)) in fields.into_iter().enumerate() {
        if place > 0 {
            to.push(',');
        }
        to.push_str(&Value::from(key.as_str()).to_string());
        to.push(':');
        canonical(value, to);
    }
    to.push('}');
}

impl Record {
    /// Reads and checks a record.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read; [`Error::Broken`] if it is no record of this version, so that the caller can move
    /// it aside.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let broken = |reason: String| Error::Broken { path: path.to_owned(), expected: "record", reason };
        let record: Self = serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
        match record.fault() {
            None => Ok(record),
            Some(fault) => Err(broken(fault)),
        }
    }

    /// Writes the record so that a reader sees the old file or the new one, never a part: a temporary file in the same folder is
    /// written, flushed to the disk and renamed. Folders are made as needed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a step fails; [`Error::Broken`] if the record could not be read back.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let broken = |reason: String| Error::Broken { path: path.to_owned(), expected: "record", reason };
        if let Some(fault) = self.fault() {
            return Err(broken(fault));
        }
        let mut text = serde_json::to_vec(self).map_err(|error| broken(error.to_string()))?;
        text.push(b'\n');
        write_atomically(path, &text).map_err(|source| Error::Io { path: path.to_owned(), source })
    }
}

fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?.to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary); // the first error is the one to report
    }
    written
}

/// A folder of records, each at `<id>-<hash>.json`.
#[derive(Debug, Clone)]
pub struct RecordDir {
    root: PathBuf,
}

impl RecordDir {
    /// The folder, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file of an experiment, from its `id` and its hash.
    ///
    /// # Errors
    ///
    /// [`Error::Id`] if the experiment has no `id` that can be a path below the folder.
    pub fn path(&self, experiment: &Value) -> Result<PathBuf, Error> {
        let id = experiment["id"].as_str().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let name = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain);
        if !id.split('/').all(name) {
            return Err(Error::Id { id: id.to_owned() });
        }
        Ok(self.root.join(format!("{id}-{}.json", experiment_hash(experiment))))
    }

    /// The record of an experiment, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`RecordDir::path`] and [`Record::read`].
    pub fn read(&self, experiment: &Value) -> Result<Option<Record>, Error> {
        match Record::read(&self.path(experiment)?) {
            Ok(record) => Ok(Some(record)),
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a record in its place and gives the path.
    ///
    /// # Errors
    ///
    /// As [`RecordDir::path`] and [`Record::write`].
    pub fn write(&self, record: &Record) -> Result<PathBuf, Error> {
        let path = self.path(&record.experiment)?;
        record.write(&path)?;
        Ok(path)
    }

    /// The files of all records, sorted. A folder that does not exist has none.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a folder cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries.and_then(Iterator::collect::<Result<Vec<_>, _>>),
            };
            for entry in entries.map_err(|source| Error::Io { path: folder, source })? {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "json") {
                    files.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

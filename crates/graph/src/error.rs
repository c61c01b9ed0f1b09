//! What can go wrong when data enters: one enum, whose messages name the thing, the rule and the value.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file, or `ARCHIVE: MEMBER`.
        path: String,
        /// What the operating system (or the decompressor) said.
        source: std::io::Error,
    },
    /// A zip archive is broken or uses a feature that is not supported.
    #[error("{path}: not a readable zip archive: {reason}", path = path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What the zip reader said.
        reason: String,
    },
    /// A folder or archive holds no data set in TU format.
    #[error("{path}: no TU data set: looked for {looked_for}", path = path.display())]
    NoSet {
        /// The folder or archive.
        path: PathBuf,
        /// The file names that would have been accepted.
        looked_for: String,
    },
    /// A folder or archive holds several data sets and none, or one that occurs twice, was named.
    #[error("{path}: several data sets: {sets}; name one of them", path = path.display(), sets = sets.join(", "))]
    SeveralSets {
        /// The folder or archive.
        path: PathBuf,
        /// Where the sets begin: the paths of their `_A.txt` files inside it.
        sets: Vec<String>,
    },
    /// Several files of a folder or archive could be the one that a data set needs.
    #[error("{path}: must hold one file of a name, got {files}", path = path.display(), files = files.join(", "))]
    SeveralFiles {
        /// The folder or archive.
        path: PathBuf,
        /// The paths of the files inside it.
        files: Vec<String>,
    },
    /// A data set lacks a required file.
    #[error("{path}: the data set {set} has no {looked_for}", path = path.display())]
    MissingFile {
        /// The folder or archive.
        path: PathBuf,
        /// The data set.
        set: String,
        /// The file names that would have been accepted.
        looked_for: String,
    },
    /// A line of a raw file breaks a rule of its format.
    #[error("{file}, line {line}: {rule}, got `{got}`")]
    Line {
        /// The file, or `ARCHIVE: MEMBER`.
        file: String,
        /// 1-based.
        line: u64,
        /// What was expected.
        rule: String,
        /// What stands there, shortened.
        got: String,
    },
    /// A pickled file breaks a rule: of pickles, or of what the file should hold.
    #[error("{file}, byte {byte}: {rule}, got {got}")]
    Pickle {
        /// The file, or `ARCHIVE: MEMBER`.
        file: String,
        /// Where the operation begins that breaks the rule or made the value that does, counted from 0.
        byte: u64,
        /// What was expected.
        rule: String,
        /// What stands there, shortened.
        got: String,
    },
    /// A raw file has the wrong number of lines.
    #[error("{file}: must have {rule}, got {got} lines")]
    Count {
        /// The file, or `ARCHIVE: MEMBER`.
        file: String,
        /// What was expected.
        rule: String,
        /// The number of lines found.
        got: u64,
    },
    /// Arrays do not describe a graph.
    #[error("topology: {rule}, got {got}")]
    Topology {
        /// What was expected.
        rule: String,
        /// What was given.
        got: String,
    },
    /// Parts of a sample, or samples of a set, do not fit together.
    #[error("sample: {rule}, got {got}")]
    Sample {
        /// What was expected.
        rule: String,
        /// What was given.
        got: String,
    },
    /// A list is not a permutation.
    #[error("permutation: {rule}, got {got}")]
    Permutation {
        /// What was expected.
        rule: String,
        /// What was given.
        got: String,
    },
    /// A feature rule cannot be applied to a data set.
    #[error("{dataset}: feature rule: {rule}, got {got}")]
    Features {
        /// The data set.
        dataset: String,
        /// What was expected.
        rule: String,
        /// What was given.
        got: String,
    },
    /// A name is neither registered nor in the data folder.
    #[error("unknown data set `{name}`: known are {known}")]
    UnknownDataset {
        /// The name asked for.
        name: String,
        /// All registered names.
        known: String,
    },
    /// A registered data set is not in the data folder.
    #[error("{name} is not in {folder}; run `cargo xtask data {name}`, or `cargo xtask data {name} --from FOLDER` where FOLDER holds {name}.zip", folder = folder.display())]
    NoData {
        /// The data set.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The content of a registered data set differs from the registry's.
    #[error("{path}: the content of {name} must have hash {want}, got {got}; `cargo xtask data {name}` fetches it anew, `cargo xtask data {name} --accept-changed` accepts this content", path = path.display())]
    ContentChanged {
        /// The data set.
        name: String,
        /// What was read.
        path: PathBuf,
        /// The registry's hash.
        want: String,
        /// The hash of what was read.
        got: String,
    },
}

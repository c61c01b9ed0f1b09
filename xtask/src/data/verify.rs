//! Whether a raw data set is the published one: its content hash, and its statistics.

use std::{fmt, path::Path};

use anyhow::Result;
use coarsen_graph::{
    DataDir, RawDataset, Stats,
    registry::{DatasetSpec, Mismatch},
};

/// What was found in a raw data set.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) stats: Stats,
    pub(super) hash: String,
    pub(super) content: Content,
    pub(super) mismatches: Vec<Mismatch>,
}

/// A content hash against the registry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// As registered.
    Same,
    /// Not as registered, and accepted by the user before.
    Accepted,
    /// Not as registered.
    Changed,
    /// The registry has no hash yet: statistics alone speak.
    Unknown,
}

impl Verdict {
    pub(super) fn of(spec: &DatasetSpec, raw: &RawDataset, accepted: Option<&str>) -> Self {
        let (stats, hash) = (raw.stats(), raw.content_hash().to_owned());
        let content = match spec.content_hash {
            Some(want) if want == hash => Content::Same,
            _ if accepted == Some(hash.as_str()) => Content::Accepted,
            Some(_) => Content::Changed,
            None => Content::Unknown,
        };
        Self { mismatches: spec.check(&stats), stats, hash, content }
    }

    /// Whether the set may be used without asking.
    pub(super) fn usable(&self) -> bool {
        match self.content {
            Content::Accepted => true,
            Content::Same | Content::Unknown => self.mismatches.is_empty(),
            Content::Changed => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differences = self.mismatches.iter().map(|mismatch| {
            format!("{} is {}, published {}", mismatch.statistic, mismatch.measured, mismatch.published)
        });
        let differences = differences.collect::<Vec<_>>().join("; ");
        match (self.content, self.mismatches.is_empty()) {
            (Content::Same, true) => f.write_str("verified by content and statistics"),
            (Content::Accepted, _) => f.write_str("differs from the registry as you accepted"),
            (Content::Unknown, true) => {
                f.write_str("has the published statistics (no content hash is registered)")
            }
            (Content::Changed, true) => {
                write!(f, "has the published statistics but another content (hash {})", self.hash)
            }
            (_, false) => write!(f, "does not match: {differences}"),
        }
    }
}

/// Reads a raw set and compares it with its row of the registry.
///
/// # Errors
/// What the reader says about the files.
pub(super) fn verify(spec: &DatasetSpec, path: &Path, dir: &DataDir) -> Result<Verdict> {
    let raw = spec.read(path)?;
    Ok(Verdict::of(spec, &raw, dir.accepted(spec.name)?.as_deref()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::{fs, path::Path};

    use coarsen_graph::{
        DataDir,
        registry::{DatasetSpec, Published, find},
    };

    use super::{Content, verify};

    /// A row for a set of two graphs, a pair and a single node.
    pub(in super::super) fn spec(content_hash: Option<&'static str>) -> DatasetSpec {
        let mut spec = *find("MUTAG").unwrap();
        (spec.name, spec.url, spec.content_hash) = ("TINY", None, content_hash);
        spec.published =
            Published { graphs: Some(2), classes: Some(2), nodes_mean: Some(1.5), ..Published::NOTHING };
        spec
    }

    pub(in super::super) fn write(folder: &Path, classes: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("TINY_A.txt"), "1, 2\n2, 1\n").unwrap();
        fs::write(folder.join("TINY_graph_indicator.txt"), "1\n1\n2\n").unwrap();
        fs::write(folder.join("TINY_graph_labels.txt"), classes).unwrap();
    }

    #[test]
    fn content_and_statistics_must_match() {
        let root = tempfile::tempdir().unwrap();
        let (dir, folder) = (DataDir::new(root.path()), root.path().join("raw/TINY"));
        write(&folder, "0\n1\n");
        let unknown = verify(&spec(None), &folder, &dir).unwrap();
        assert_eq!((unknown.content, unknown.usable()), (Content::Unknown, true));

        let registered: &'static str = Box::leak(unknown.hash.into_boxed_str());
        let same = verify(&spec(Some(registered)), &folder, &dir).unwrap();
        assert_eq!((same.content, same.usable()), (Content::Same, true));

        write(&folder, "1\n0\n");
        let changed = verify(&spec(Some(registered)), &folder, &dir).unwrap();
        assert_eq!((changed.content, changed.usable()), (Content::Changed, false));
        assert!(changed.to_string().contains("another content"), "{changed}");

        dir.accept("TINY", &changed.hash).unwrap();
        assert!(verify(&spec(Some(registered)), &folder, &dir).unwrap().usable(), "accepted");
    }

    #[test]
    fn statistics_that_differ_are_named() {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("TINY"), "1\n1\n");
        let verdict = verify(&spec(None), &root.path().join("TINY"), &DataDir::new(root.path())).unwrap();
        assert!(!verdict.usable());
        assert_eq!(verdict.to_string(), "does not match: classes is 1, published 2");
    }
}

//! Disk space: what is free, what is needed, and what to say when it ran out.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::progress::megabytes;

/// Free bytes of the file system that holds `path`, or will when the missing folders are made.
pub(crate) fn free(path: &Path) -> Result<u64> {
    let there = existing(path);
    let stat = rustix::fs::statvfs(&there).with_context(|| format!("free space of {}", there.display()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Checks that every `(folder, bytes)` can be written; folders of one file system are added up.
///
/// # Errors
/// The folder that lacks space, how much is needed and how much is there.
pub(crate) fn require(needs: &[(&Path, u64)]) -> Result<()> {
    let mut by_device: BTreeMap<u64, (u64, &Path)> = BTreeMap::new();
    for &(folder, bytes) in needs {
        let there = existing(folder);
        let device = fs::metadata(&there).with_context(|| there.display().to_string())?.dev();
        by_device.entry(device).or_insert((0, folder)).0 += bytes;
    }
    for (needed, folder) in by_device.into_values() {
        let free = free(folder)?;
        if free < needed {
            bail!(
                "not enough disk space for {}: {} needed, {} free. Free some; downloads can be kept on another \
                 disk with COARSEN_CACHE=FOLDER, and `target` may be a link to a folder there",
                folder.display(),
                megabytes(needed),
                megabytes(free)
            );
        }
    }
    Ok(())
}

/// An error of writing `path`, with what to do when the disk is full.
pub(crate) fn write_error(error: io::Error, path: &Path) -> anyhow::Error {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let context = format!("writing {}", path.display());
    let error = anyhow::Error::new(error).context(context);
    if full {
        error.context("the disk is full; what was half written is removed. Free some space and run the same command again")
    } else {
        error
    }
}

/// The nearest folder above `path` that exists.
fn existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    if found.as_os_str().is_empty() { PathBuf::from(".") } else { found.to_path_buf() }
}

#[cfg(test)]
mod tests {
    use std::{io, path::Path};

    use super::{free, require, write_error};

    #[test]
    fn needs_of_one_disk_are_added_up() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        let most = free(folder.path()).unwrap();
        assert!(require(&[(&a, 1), (&b, 1)]).is_ok());
        let message = require(&[(&a, most / 2 + most / 4), (&b, most / 2)]).unwrap_err().to_string();
        assert!(message.contains("not enough disk space"), "{message}");
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let full = write_error(io::Error::from(io::ErrorKind::StorageFull), Path::new("x"));
        assert!(format!("{full:#}").starts_with("the disk is full"), "{full:#}");
        let other = write_error(io::Error::from(io::ErrorKind::PermissionDenied), Path::new("x"));
        assert!(format!("{other:#}").starts_with("writing x"), "{other:#}");
    }
}

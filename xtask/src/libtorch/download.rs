//! pip downloads the pinned wheels into the user's cache folder; no host is named here.
//!
//! pip follows whatever index, mirror, proxy and certificates the site has set up for it. It downloads and never
//! installs, one wheel at a time into a folder beside the cache, so that an interrupted run keeps what was complete.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use super::requirement::{Requirement, Requirements};
use crate::disk;

/// The wheels are those of one Python, whichever Python runs pip.
const PYTHON: [&str; 4] = ["--python-version", "3.11", "--implementation", "cp"];
const PLATFORMS: [&str; 5] = [
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_25_x86_64",
    "manylinux_2_18_x86_64",
    "manylinux2014_x86_64",
];

const NO_PIP: &str = "Python 3 with pip is needed to download LibTorch, and only for that. Install it \
    (Debian, Ubuntu: `apt install python3 python3-pip`; Fedora: `dnf install python3-pip`), or take LibTorch from \
    somewhere else: `cargo xtask libtorch --from PATH` (an archive, an unpacked folder, or an installed `torch`)";

/// Where the wheels are kept: `COARSEN_CACHE`, else the user's cache folder.
pub(super) fn cache() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("COARSEN_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("coarsen")))
        .or_else(|| set("HOME").map(|folder| folder.join(".cache").join("coarsen")))
        .context("no cache folder: neither COARSEN_CACHE, XDG_CACHE_HOME nor HOME is set")?;
    Ok(std::path::absolute(base)?.join("wheels"))
}

/// The pinned wheels in the cache, each with its path; downloads those that are missing or damaged.
///
/// # Errors
/// No pip, no network, a wrong hash, no disk space: each with what to do.
pub(super) fn wheels(requirements: &Requirements) -> Result<Vec<(Requirement, PathBuf)>> {
    let cache = cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("making the cache folder {}", cache.display()))?;
    let count = requirements.wheels.len();
    let mut found = Vec::with_capacity(count);
    for (i, wheel) in requirements.wheels.iter().enumerate() {
        let path = match cached(wheel, &cache)? {
            Some(path) => path,
            None => download(wheel, &cache, &format!("{} of {count}", i + 1))?,
        };
        found.push((wheel.clone(), path));
    }
    Ok(found)
}

/// Whether every pinned wheel is in the cache under its name (its content is checked when it is used).
pub(super) fn complete(requirements: &Requirements) -> Result<bool> {
    let cache = cache()?;
    Ok(requirements.wheels.iter().all(|wheel| wheel.find(&cache).is_some()))
}

fn cached(wheel: &Requirement, cache: &Path) -> Result<Option<PathBuf>> {
    let Some(path) = wheel.find(cache) else { return Ok(None) };
    if wheel.verify(&path)? {
        return Ok(Some(path));
    }
    eprintln!("{} is damaged (its sha256 is not the pinned one); downloading it again", path.display());
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    Ok(None)
}

fn download(wheel: &Requirement, cache: &Path, which: &str) -> Result<PathBuf> {
    require_pip()?;
    eprintln!("downloading {} {} ({which})", wheel.name, wheel.version);
    // Beside the cache: one file system, so that the last step is a rename and pip's own temporary files fit as well.
    let beside = cache.join(format!("pip.tmp{}", std::process::id()));
    let _ = fs::remove_dir_all(&beside);
    fs::create_dir_all(&beside).map_err(|error| disk::write_error(error, &beside))?;
    let outcome = pip(wheel, &beside).and_then(|()| {
        let path = wheel.find(&beside).with_context(|| format!("pip left no wheel of {}", wheel.name))?;
        let kept = cache.join(path.file_name().unwrap_or_default());
        fs::rename(&path, &kept).map_err(|error| disk::write_error(error, &kept))?;
        Ok(kept)
    });
    let _ = fs::remove_dir_all(&beside);
    outcome
}

fn pip(wheel: &Requirement, into: &Path) -> Result<()> {
    let list = into.join("requirement.txt");
    fs::write(&list, wheel.line()).map_err(|error| disk::write_error(error, &list))?;
    let mut command = Command::new("python3");
    command.args([
        "-m",
        "pip",
        "--no-input",
        "download",
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
    ]);
    // The wheels are kept once, in our cache.
    command.args(["--no-cache-dir", "--disable-pip-version-check"]).args(PYTHON);
    command.args(PLATFORMS.iter().flat_map(|platform| ["--platform", platform]));
    command.arg("-d").arg(into).arg("-r").arg(&list).env("TMPDIR", into).stdin(Stdio::null());
    let status = command.status().context(NO_PIP)?;
    if status.success() {
        return Ok(());
    }
    bail!(
        "pip could not download {} {} (its message is above). Check the network and pip's own settings (`pip config \
         list` shows index and proxy), or take LibTorch from somewhere else: `cargo xtask libtorch --from PATH`",
        wheel.name,
        wheel.version
    )
}

fn require_pip() -> Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    if pip.status().is_ok_and(|status| status.success()) { Ok(()) } else { bail!(NO_PIP) }
}

/// Removes what killed downloads left in the cache.
pub(super) fn remove_stale() -> Result<()> {
    let Ok(entries) = fs::read_dir(cache()?) else { return Ok(()) };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(pid) = name.to_string_lossy().strip_prefix("pip.tmp").map(str::to_owned) else { continue };
        // Another checkout may be downloading into the same cache.
        if !Path::new("/proc").join(&pid).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

//! `cargo xtask data`: data sets by name, verified by content and by their published statistics before they are used.

mod fetch;
mod list;
mod verify;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use coarsen_graph::{
    DataDir,
    registry::{DATASETS, DatasetSpec, Family, find},
};
use fetch::{Fetched, Origin, Staging};
use verify::{Verdict, verify};

use crate::{disk, workspace};

/// Arguments of `cargo xtask data`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask data MUTAG PROTEINS                fetch two sets and verify them
  cargo xtask data --all --from ~/tudatasets     take what that folder holds (NAME.zip, or NAME/ with its files)
  cargo xtask data cora wiki emails              sets of one graph, whose nodes have classes
  cargo xtask data --list                        what is here, measured beside published
  cargo xtask data --list --from ~/tudatasets    the same for a folder, copying nothing

Archives are kept in data/raw (COARSEN_DATA names another folder than data). COARSEN_DATA_FROM=FOLDER is looked into
before anything is downloaded. A set is verified by a hash of its parsed content, since archives of the same data differ
in their bytes from site to site, and by its published statistics; what does not match is refused.")]
pub(crate) struct Args {
    /// Names of data sets
    #[arg(value_name = "NAME", required_unless_present_any = ["all", "list"])]
    names: Vec<String>,
    /// Every registered data set
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Take archives or folders from here and download nothing
    #[arg(long, value_name = "FOLDER", alias = "data-from")]
    from: Option<PathBuf>,
    /// Print what is here, measured beside published
    #[arg(long)]
    list: bool,
    /// Use data that differs from the registry, and remember its content hash
    #[arg(long, conflicts_with = "list")]
    accept_changed: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<()> {
    let from = args.from.as_deref().map(existing_folder).transpose()?;
    let sets = if args.names.is_empty() {
        DATASETS.iter().collect()
    } else {
        args.names.iter().map(|name| find(name).map_err(anyhow::Error::from)).collect::<Result<Vec<_>>>()?
    };
    let dir = folder();
    if args.list {
        return list::print(&sets, &dir, from.as_deref());
    }
    let mut origin = match from {
        Some(folder) => Origin::only(folder),
        None => Origin::folder_then_network(environment_folder()?),
    };
    let mut failed = Vec::new();
    for spec in sets {
        match obtain(spec, &dir, &mut origin, args.accept_changed) {
            Ok(said) => eprintln!("{}: {said}", spec.name),
            // Of all sets, those that a folder does not hold are no surprise.
            Err(error) if args.all && error.is::<fetch::NotThere>() => eprintln!("{}: {error:#}", spec.name),
            Err(error) => {
                eprintln!("{}: {error:#}", spec.name);
                failed.push(spec.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("not to be had: {} (reasons above)", failed.join(", ")) }
}

/// The data folder: `COARSEN_DATA`, else `data` in the workspace.
pub(crate) fn folder() -> DataDir {
    let set = env::var_os("COARSEN_DATA").filter(|folder| !folder.is_empty());
    DataDir::new(set.map_or_else(|| workspace::root().join("data"), PathBuf::from))
}

/// The registered sets that are files, and whether each is in the data folder.
pub(crate) fn present() -> Vec<(&'static str, bool)> {
    let dir = folder();
    let files = DATASETS.iter().filter(|spec| spec.family != Family::Generated);
    files.map(|spec| (spec.name, dir.locate(spec.name).is_some())).collect()
}

/// Gets sets from the data folder, from `from` (or `COARSEN_DATA_FROM`), or from the network; says what it did.
///
/// Returns the names that are not to be had.
///
/// # Errors
/// A folder that does not exist, or an unregistered name.
pub(crate) fn obtain_all(names: &[&'static str], from: Option<&Path>) -> Result<Vec<&'static str>> {
    let given = from.map(existing_folder).transpose()?;
    let mut origin =
        Origin::folder_then_network(given.map_or_else(environment_folder, |folder| Ok(Some(folder)))?);
    let dir = folder();
    let mut missing = Vec::new();
    for &name in names {
        match obtain(find(name)?, &dir, &mut origin, false) {
            Ok(said) => eprintln!("{name}: {said}"),
            Err(error) => {
                eprintln!("{name}: {error:#}");
                missing.push(name);
            }
        }
    }
    Ok(missing)
}

fn environment_folder() -> Result<Option<PathBuf>> {
    match env::var_os("COARSEN_DATA_FROM").filter(|folder| !folder.is_empty()) {
        Some(folder) => existing_folder(Path::new(&folder)).context("COARSEN_DATA_FROM").map(Some),
        None => Ok(None),
    }
}

fn existing_folder(path: &Path) -> Result<PathBuf> {
    if path.is_dir() {
        return Ok(std::path::absolute(path)?);
    }
    bail!("{} is no folder; name the one that holds NAME.zip files (or NAME/ folders)", path.display())
}

/// Makes sure that a set is in the data folder and verified; returns what to tell the user.
fn obtain(spec: &DatasetSpec, dir: &DataDir, origin: &mut Origin, accept: bool) -> Result<String> {
    if spec.family == Family::Generated {
        return Ok("made from its description, needs no file".to_owned());
    }
    if let Some(path) = dir.locate(spec.name) {
        match verify(spec, &path, dir) {
            Ok(verdict) if verdict.usable() => {
                return Ok(format!("is in {}, {verdict}", workspace::shown(&path)));
            }
            Ok(verdict) if accept => return accept_changed(spec, dir, &verdict),
            Ok(verdict) => {
                eprintln!("{}: {} {verdict}; fetching it anew", spec.name, workspace::shown(&path));
            }
            Err(error) => eprintln!("{}: {error}; fetching it anew", spec.name),
        }
    }
    let staging = Staging::new(&dir.raw())?;
    let Fetched { path, source } = origin.fetch(spec, &staging)?;
    let verdict =
        verify(spec, &path, dir).with_context(|| format!("what came from {source} cannot be read"))?;
    if !verdict.usable() && !accept {
        bail!(
            "refused: what came from {source} {verdict}. `cargo xtask data {} --accept-changed` uses it all the same",
            spec.name
        );
    }
    let place = put_in_place(spec.stored_as(), &path, &dir.raw())?;
    if verdict.usable() {
        return Ok(format!("from {source} to {}, {verdict}", workspace::shown(&place)));
    }
    accept_changed(spec, dir, &verdict)
}

fn accept_changed(spec: &DatasetSpec, dir: &DataDir, verdict: &Verdict) -> Result<String> {
    dir.accept(spec.name, &verdict.hash)?;
    Ok(format!(
        "ACCEPTED although it {verdict}; its content hash is remembered in {}",
        workspace::shown(&dir.raw())
    ))
}

/// Moves a verified archive or folder to its place; the other form of the same set goes.
fn put_in_place(name: &str, from: &Path, raw: &Path) -> Result<PathBuf> {
    let (archive, folder) = (raw.join(format!("{name}.zip")), raw.join(name));
    let place = if from.is_dir() { folder.clone() } else { archive.clone() };
    if folder.is_dir() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    if archive.is_file() && from.is_dir() {
        fs::remove_file(&archive).with_context(|| format!("removing {}", archive.display()))?;
    }
    fs::rename(from, &place).map_err(|error| disk::write_error(error, &place))?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::put_in_place;

    #[test]
    fn a_set_is_there_in_one_form_only() {
        let raw = tempfile::tempdir().unwrap();
        let at = |name: &str| raw.path().join(name);
        fs::write(at("new.zip"), "first").unwrap();
        put_in_place("SET", &at("new.zip"), raw.path()).unwrap();
        assert!(at("SET.zip").is_file());
        fs::create_dir(at("new")).unwrap();
        put_in_place("SET", &at("new"), raw.path()).unwrap();
        assert!(at("SET").is_dir() && !at("SET.zip").exists());
        fs::write(at("again.zip"), "second").unwrap();
        put_in_place("SET", &at("again.zip"), raw.path()).unwrap();
        assert!(at("SET.zip").is_file() && !at("SET").exists());
    }
}

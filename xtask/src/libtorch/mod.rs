//! `cargo xtask libtorch`: the LibTorch that the pinned `tch` wants, in `target/libtorch`.
//!
//! The folder is filled beside its place, checked, and moved there by one rename; a lock file keeps a second run out
//! meanwhile, and what a killed run left is removed by the next one.

mod download;
mod installed;
mod requirement;
mod source;
mod unpack;

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
pub(crate) use installed::{Installed, Place, unresolved};
use requirement::Requirements;
use rustix::fs::{FlockOperation, flock};
use source::Source;
use unpack::{Content, Packed};

use crate::{
    disk,
    progress::{Progress, megabytes},
    workspace::{self, shown},
};

/// The version that the pinned `tch` is a binding of.
pub(crate) const VERSION: &str = "2.11.0";

const STAMP: &str = "xtask.stamp";
/// Room that is asked for before anything is downloaded: wheels in the cache, and files in `target`.
const ROOM: [(Flavour, u64, u64); 2] =
    [(Flavour::Cpu, 700_000_000, 800_000_000), (Flavour::Cuda, 2_900_000_000, 4_100_000_000)];

/// Arguments of `cargo xtask libtorch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask libtorch                      what is there if it will do, else the CPU flavour (550 MB to download)
  cargo xtask libtorch --cuda               with the CUDA 13.0 libraries (2.5 GB to download, 7 GB of disk)
  cargo xtask libtorch --from libtorch.zip  from an archive, an unpacked folder, an installed `torch` or wheels

pip downloads the wheels pinned in xtask/libtorch/*.txt, by hash, from whatever index it is set up for; they are kept in
the cache folder (COARSEN_CACHE, else coarsen/wheels under XDG_CACHE_HOME or ~/.cache) and never installed. With
LIBTORCH=FOLDER set, builds use that folder, and nothing is installed.")]
pub(crate) struct Args {
    /// The CPU flavour
    #[arg(long, conflicts_with = "cuda")]
    cpu: bool,
    /// The flavour with CUDA libraries; works without a device too, on the CPU
    #[arg(long)]
    cuda: bool,
    /// Take LibTorch from here and download nothing
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
}

/// Which libraries an installation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// `libtorch_cpu` alone.
    Cpu,
    /// `libtorch_cuda` and the CUDA libraries as well.
    Cuda,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

impl Flavour {
    fn of_stamp(text: &str) -> Option<Self> {
        [Self::Cpu, Self::Cuda].into_iter().find(|flavour| text.lines().next() == Some(&flavour.to_string()))
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<()> {
    let wanted = match (args.cpu, args.cuda) {
        (true, _) => Some(Flavour::Cpu),
        (_, true) => Some(Flavour::Cuda),
        _ => None,
    };
    if let Place::Own(folder) = Place::current() {
        let found = own(&folder)?;
        eprintln!(
            "LIBTORCH is set to {}: builds use that one ({}, {}).",
            folder.display(),
            found.version,
            found.flavour
        );
        eprintln!("Nothing to do; unset LIBTORCH to let this command install one into target/libtorch.");
        return Ok(());
    }
    match &args.from {
        Some(path) => install_from(path, wanted),
        None => install_pinned(wanted),
    }
}

/// LibTorch as builds will find it; installs the CPU flavour if there is none.
///
/// # Errors
/// Why it cannot be had, and what to do.
pub(crate) fn ensure() -> Result<Installed> {
    if let Place::Own(folder) = Place::current() {
        return own(&folder);
    }
    install_pinned(None)?;
    let folder = Place::current().folder().to_path_buf();
    Installed::at(&folder).with_context(|| format!("{} was not filled", shown(&folder)))
}

fn own(folder: &Path) -> Result<Installed> {
    let Some(found) = Installed::at(folder) else {
        bail!(
            "LIBTORCH is set to {}, which holds no LibTorch (no lib/libtorch_cpu.so). Correct it, or unset it and run \
             `cargo xtask libtorch`",
            folder.display()
        )
    };
    found.check_version().context("LIBTORCH is set; correct or unset it")?;
    Ok(found)
}

fn home() -> PathBuf {
    workspace::root().join("target").join("libtorch")
}

fn install_pinned(wanted: Option<Flavour>) -> Result<()> {
    if up_to_date(wanted)? {
        return Ok(());
    }
    let flavour = wanted.unwrap_or(Flavour::Cpu);
    let _lock = lock()?;
    if up_to_date(wanted)? {
        return Ok(()); // another run installed it while this one waited
    }
    let requirements = Requirements::of(flavour)?;
    download::remove_stale()?;
    if !download::complete(&requirements)? {
        for (_, wheels, files) in ROOM.iter().filter(|(of, ..)| *of == flavour) {
            disk::require(&[(&download::cache()?, *wheels), (&home(), *files)])?;
        }
    }
    let content =
        |name: &str| if name == "torch" { Content::Torch(flavour) } else { Content::Nvidia(flavour) };
    let wheels = download::wheels(&requirements)?.into_iter();
    let packed: Vec<_> = wheels.map(|(wheel, path)| Packed { path, content: content(&wheel.name) }).collect();
    install(&Source::Zips(packed), flavour, &format!("{flavour}\n{}", requirements.text))
}

fn install_from(path: &Path, wanted: Option<Flavour>) -> Result<()> {
    let path = std::path::absolute(path)?;
    let (source, flavour) = Source::find(&path, wanted)?;
    if path.starts_with(home()) {
        bail!("{} is where LibTorch would be put; name another place", shown(&path));
    }
    let _lock = lock()?;
    install(&source, flavour, &format!("{flavour}\nfrom {}\n", path.display()))
}

/// Says so and is true if what is installed will do.
fn up_to_date(wanted: Option<Flavour>) -> Result<bool> {
    let Ok(stamp) = fs::read_to_string(home().join(STAMP)) else { return Ok(false) };
    let Some(found) = Installed::at(&home().join("torch")) else { return Ok(false) };
    let pinned = format!("{}\n{}", found.flavour, Requirements::of(found.flavour)?.text);
    let current = stamp == pinned || stamp.lines().nth(1).is_some_and(|line| line.starts_with("from "));
    let will_do = current && found.version == VERSION && wanted.is_none_or(|wanted| wanted == found.flavour);
    if will_do {
        eprintln!("LibTorch {VERSION} ({}) is in {}", found.flavour, shown(&found.folder));
    }
    Ok(will_do)
}

/// Waits for other runs of this command in this checkout; the lock ends with the returned file.
fn lock() -> Result<File> {
    let path = workspace::root().join("target").join("libtorch.lock");
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))
        .map_err(|error| disk::write_error(error, &path))?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| disk::write_error(error, &path))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        eprintln!("waiting for another `cargo xtask libtorch` in this checkout …");
        flock(&file, FlockOperation::LockExclusive).with_context(|| format!("locking {}", path.display()))?;
    }
    Ok(file)
}

/// A folder beside the final place that is removed unless it gets there.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn install(source: &Source, flavour: Flavour, stamp: &str) -> Result<()> {
    let home = home();
    remove_temporary()?;
    let before = fs::read_to_string(home.join(STAMP)).ok().and_then(|text| Flavour::of_stamp(&text));
    let beside = home.with_file_name(format!("libtorch.tmp{}", std::process::id()));
    let temporary = Temporary(beside);
    fs::create_dir_all(&temporary.0).map_err(|error| disk::write_error(error, &temporary.0))?;
    match source {
        Source::Zips(packed) => {
            let bytes = unpack::size(packed)?;
            disk::require(&[(&home, bytes + bytes / 10)])?;
            let mut progress =
                Progress::start(format!("unpacking LibTorch {VERSION} ({flavour})"), Some(bytes));
            unpack::unpack(packed, &temporary.0, &mut progress)?;
        }
        Source::Folder { torch, nvidia } => {
            let mut progress = Progress::start(format!("copying {}", torch.display()), None);
            source::copy(torch, nvidia.as_deref(), &temporary.0, &mut progress)?;
        }
    }
    complete(&temporary.0, stamp)?;
    put_in_place(&temporary.0, &home)?;
    eprintln!("LibTorch {VERSION} ({flavour}) is in {}", shown(&home.join("torch")));
    forget_builds(before, flavour)
}

/// Adds what a source may lack, and checks that the libraries resolve from where they are.
fn complete(folder: &Path, stamp: &str) -> Result<()> {
    let torch = folder.join("torch");
    let whole = torch.join("lib").join("libtorch.so");
    if !whole.exists() {
        symlink("libtorch_cpu.so", &whole).map_err(|error| disk::write_error(error, &whole))?;
    }
    fs::write(torch.join("build-version"), format!("{VERSION}\n"))?;
    fs::write(folder.join(STAMP), stamp)?;
    let missing = unresolved(&torch);
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "LibTorch needs libraries that are neither with it nor on this system: {}. Take it from somewhere else \
         (`--from PATH`), or download the pinned one (without --from)",
        missing.join(", ")
    )
}

fn put_in_place(folder: &Path, home: &Path) -> Result<()> {
    let old = folder.with_extension("old");
    if home.exists() {
        fs::rename(home, &old).with_context(|| format!("moving {} away", shown(home)))?;
    }
    fs::rename(folder, home).with_context(|| format!("moving LibTorch to {}", shown(home)))?;
    let _ = fs::remove_dir_all(old);
    Ok(())
}

/// Removes what killed runs left; the lock says that none is running.
fn remove_temporary() -> Result<()> {
    let target = workspace::root().join("target");
    for entry in fs::read_dir(&target).with_context(|| shown(&target))?.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with("libtorch.tmp") {
            eprintln!("removing {}, left by a run that was stopped", shown(&entry.path()));
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// The binding was compiled for another flavour, and Cargo does not see that.
fn forget_builds(before: Option<Flavour>, now: Flavour) -> Result<()> {
    if before == Some(now) {
        return Ok(());
    }
    let target = workspace::Metadata::load()?.target_directory;
    for profile in ["dev", "release"] {
        let folder = if profile == "dev" { "debug" } else { profile };
        if target.join(folder).is_dir() {
            let packages = ["-p", "torch-sys", "-p", "coarsen-tensor"];
            workspace::run(workspace::cargo().args(["clean", "--profile", profile]).args(packages))?;
        }
    }
    Ok(())
}

/// Where the wheels are kept, and what they fill.
pub(crate) fn cache_summary() -> Result<String> {
    let cache = download::cache()?;
    let files = fs::read_dir(&cache).into_iter().flatten().filter_map(|entry| entry.ok()?.metadata().ok());
    let bytes: u64 = files.filter(fs::Metadata::is_file).map(|file| file.len()).sum();
    Ok(format!("{} ({})", cache.display(), megabytes(bytes)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Flavour, put_in_place};

    #[test]
    fn a_stamp_begins_with_its_flavour() {
        assert_eq!(Flavour::of_stamp("cpu\ntorch==2.11.0"), Some(Flavour::Cpu));
        assert_eq!(Flavour::of_stamp("cuda\nfrom /opt/libtorch\n"), Some(Flavour::Cuda));
        assert_eq!(Flavour::of_stamp("cpux\n"), None);
        assert_eq!(Flavour::of_stamp(""), None);
    }

    #[test]
    fn a_new_installation_replaces_the_old_one_whole() {
        let target = tempfile::tempdir().unwrap();
        let (home, temporary) = (target.path().join("libtorch"), target.path().join("libtorch.tmp1"));
        for (folder, file) in [(&home, "old"), (&temporary, "new")] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join(file), "").unwrap();
        }
        put_in_place(&temporary, &home).unwrap();
        assert!(home.join("new").exists() && !home.join("old").exists());
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}

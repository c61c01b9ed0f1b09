//! `cargo xtask tidy`: what the compiler does not check, each rule in its own file.

mod files;
mod floors;
mod generated;
mod manifests;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::workspace::{self, Metadata, output_of};

/// Arguments of `cargo xtask tidy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Checks: no crate imports one of its own floor or above · LibTorch stays above floor 1 · every member inherits version,
edition, licence and lints · every crate has a README · every Rust file begins with module docs and is at most 500 lines
(past 350 with a reason after the word `Length:`) · no path of a private machine and no registry host in any file ·
generated parts of documents are fresh.")]
pub(crate) struct Args {
    /// Write the generated parts anew instead of complaining that they are stale
    #[arg(long)]
    fix: bool,
}

/// Packages that build and test where LibTorch is not, in the order of their floors.
pub(crate) use floors::without_libtorch;

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    let metadata = Metadata::load()?;
    let tracked = tracked(&root)?;
    let mut complaints = floors::check(&metadata);
    complaints.extend(manifests::check(&metadata, &root));
    complaints.extend(files::check(&root, &tracked));
    complaints.extend(generated::check(&root, args.fix)?);
    if complaints.is_empty() {
        println!("tidy: {} packages and {} files are in order", metadata.packages.len(), tracked.len());
        return Ok(());
    }
    for complaint in &complaints {
        println!("{complaint}");
    }
    bail!("tidy: {} {} to mend", complaints.len(), if complaints.len() == 1 { "thing" } else { "things" })
}

/// The files that belong to the repository, or will when they are added; relative to the root.
fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let listed = output_of("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut files = match listed {
        Some(listed) => listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect(),
        None => walked(root)?, // not a git checkout: a source archive
    };
    files.retain(|path| root.join(path).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}

fn walked(root: &Path) -> Result<Vec<PathBuf>> {
    let (mut folders, mut files) = (vec![root.to_path_buf()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() && !["target", "data", "results", ".git"].iter().any(|skipped| name == *skipped)
            {
                folders.push(path);
            } else if path.is_file() {
                files.push(path.strip_prefix(root).unwrap_or(&path).to_path_buf());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::walked;

    #[test]
    fn a_source_archive_is_walked_without_its_build_folder() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["crates/graph/src", "target/debug"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("crates/graph/src/lib.rs"), "").unwrap();
        fs::write(root.path().join("target/debug/x.rs"), "").unwrap();
        assert_eq!(walked(root.path()).unwrap(), [Path::new("crates/graph/src/lib.rs")]);
    }
}

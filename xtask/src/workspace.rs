//! The workspace as Cargo describes it, and the commands that run in it.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// The part of `cargo metadata` that the commands read.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// A member of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    #[serde(default)]
    pub(crate) rust_version: Option<String>,
    #[serde(default)]
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for `[dependencies]`, else `dev` or `build`.
    #[serde(default)]
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// Reads the members of the workspace; needs no network.
    pub(crate) fn load() -> Result<Self> {
        let mut command = cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let output = command.output().context("`cargo metadata` did not start")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed:\n{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The features `PACKAGE/doc-only` of every member that has one, as `--features` wants them.
    pub(crate) fn doc_only(&self) -> String {
        let having = self.packages.iter().filter(|package| package.features.contains_key("doc-only"));
        having.map(|package| format!("{}/doc-only", package.name)).collect::<Vec<_>>().join(",")
    }
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// `path` from the root of the workspace when it lies inside, for messages.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Cargo, in the root of the workspace.
pub(crate) fn cargo() -> Command {
    in_root(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// This program again, with other arguments.
pub(crate) fn xtask() -> Result<Command> {
    Ok(in_root(env::current_exe().context("the path of this program is unknown")?))
}

/// A program, in the root of the workspace.
pub(crate) fn in_root(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    command.current_dir(root());
    command
}

/// Prints a command as one would type it, runs it, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let typed = typed(command);
    eprintln!("$ {typed}");
    let status = command.status().with_context(|| format!("`{typed}` did not start"))?;
    if status.success() { Ok(()) } else { bail!("`{typed}` failed ({})", ending(status)) }
}

/// What a finished command said, or `None` if it is not installed or failed.
pub(crate) fn output_of(program: &str, args: &[&str]) -> Option<String> {
    let output = in_root(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A command line without the folders of the programs.
fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn ending(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}

#[cfg(test)]
mod tests {
    use super::{Metadata, typed};

    #[test]
    fn doc_only_names_the_members_that_have_the_feature() {
        let metadata: Metadata = serde_json::from_str(
            r#"{"target_directory": "/t", "packages": [
                {"name": "a", "manifest_path": "/a/Cargo.toml", "dependencies": [], "features": {"doc-only": []}},
                {"name": "b", "manifest_path": "/b/Cargo.toml", "dependencies": [], "features": {"x": []}},
                {"name": "c", "manifest_path": "/c/Cargo.toml", "dependencies": [], "features": {"doc-only": []}}]}"#,
        )
        .unwrap();
        assert_eq!(metadata.doc_only(), "a/doc-only,c/doc-only");
    }

    #[test]
    fn commands_are_shown_without_folders() {
        let mut command = std::process::Command::new("/opt/bin/cargo");
        command.args(["test", "--workspace"]);
        assert_eq!(typed(&command), "cargo test --workspace");
    }
}

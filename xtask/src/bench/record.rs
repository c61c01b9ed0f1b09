//! The folder of a record, and the machine in words.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{
    libtorch,
    workspace::{self, output_of},
};

/// Where what is measured today on this machine is kept.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) date: String,
}

impl Folder {
    /// `benches/records/<date>-<host>`, made where it is not there.
    pub(super) fn today() -> Result<Self> {
        let date = output_of("date", &["-u", "+%Y-%m-%d"]).context("`date` did not run")?;
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let path = workspace::root().join("benches/records").join(format!("{date}-{}", folder_name(&host)));
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self { path, date })
    }
}

/// The machine and the versions, a line each; `command` is what measured, `threads` how many an operation had.
pub(super) fn machine(command: &str, threads_set: &str) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let said =
        |program: &str, args: &[&str]| output_of(program, args).unwrap_or_else(|| "unknown".to_owned());
    let commit = output_of("git", &["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    // What is recorded changes no program.
    let changes = ["status", "--porcelain", "--", ".", ":!benches/records"];
    let dirty = output_of("git", &changes).is_some_and(|changes| !changes.is_empty());
    let device = output_of("nvidia-smi", &["--query-gpu=name", "--format=csv,noheader"]);
    format!(
        "- processor: {}, {threads} threads\n- memory: {} GB\n- device: {}\n- compiler: {}\n- LibTorch: {}\n\
         - threads set: {threads_set}\n- commit: {commit}{}\n- command: `{command}`\n",
        model.map_or("unknown", |(_, model)| model),
        kilobytes / 1_000_000,
        device.as_deref().unwrap_or("none"),
        said("rustc", &["--version"]),
        libtorch::VERSION,
        if dirty { ", with changes" } else { "" },
    )
}

fn folder_name(host: &str) -> String {
    let name: String = host.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if name.is_empty() { "machine".to_owned() } else { name.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::folder_name;

    #[test]
    fn a_host_name_is_made_a_folder_name() {
        assert_eq!(folder_name("My.Box-1\n"), "mybox-1");
        assert_eq!(folder_name("\n"), "machine");
    }
}

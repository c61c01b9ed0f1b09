//! `cargo xtask bench`: the benchmarks, and the record of a run with the machine it ran on.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    libtorch,
    workspace::{self, Metadata, output_of, shown},
};

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench                 every group
  cargo xtask bench -- pool/        the benchmarks whose name holds `pool/`
  cargo xtask bench --save          and write benches/records/<date>-<host>/ with the machine described

No claim about speed is made without such a folder.")]
pub(crate) struct Args {
    /// Write what was measured in this run to `benches/records/<date>-<host>/`
    #[arg(long)]
    save: bool,
    /// Arguments of the benchmark programs: a part of a name, or options of criterion
    #[arg(last = true, value_name = "ARGS")]
    more: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<()> {
    libtorch::ensure()?;
    let started = SystemTime::now();
    let mut command = workspace::cargo();
    command.args(["bench", "-p", "coarsen-benches", "--benches", "--"]).args(&args.more);
    workspace::run(&mut command)?;
    if args.save { save(started) } else { Ok(()) }
}

fn save(started: SystemTime) -> Result<()> {
    let mut results = BTreeMap::new();
    collect(&Metadata::load()?.target_directory.join("criterion"), started, &mut results)?;
    if results.is_empty() {
        bail!("no benchmark ran, so there is nothing to save");
    }
    let date = output_of("date", &["-u", "+%Y-%m-%d"]).context("`date` did not run")?;
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let folder = workspace::root().join("benches/records").join(format!("{date}-{}", folder_name(&host)));
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(folder.join("results.json"), serde_json::to_string_pretty(&results)? + "\n")?;
    fs::write(folder.join("README.md"), machine(&date))?;
    eprintln!("{} benchmarks in {}", results.len(), shown(&folder));
    Ok(())
}

/// The estimates that criterion wrote since `started`, by the name of the benchmark.
fn collect(folder: &Path, started: SystemTime, results: &mut BTreeMap<String, Value>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()) {
        if path.file_name().is_some_and(|name| name == "new") {
            if let Some((name, estimate)) = estimate(&path, started)? {
                results.insert(name, estimate);
            }
        } else {
            collect(&path, started, results)?;
        }
    }
    Ok(())
}

fn estimate(folder: &Path, started: SystemTime) -> Result<Option<(String, Value)>> {
    let file = folder.join("estimates.json");
    if fs::metadata(&file).and_then(|file| file.modified()).is_ok_and(|written| written < started) {
        return Ok(None);
    }
    let read = |path: PathBuf| -> Result<Value> {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    };
    let (estimates, benchmark) = (read(file)?, read(folder.join("benchmark.json"))?);
    let name = benchmark["full_id"].as_str().context("a benchmark without `full_id`")?.to_owned();
    let of = |what: &str| estimates[what]["point_estimate"].clone();
    Ok(Some((
        name,
        serde_json::json!({"mean_ns": of("mean"), "median_ns": of("median"), "std_ns": of("std_dev")}),
    )))
}

/// The machine, in words.
fn machine(date: &str) -> String {
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
    let dirty = output_of("git", &["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let device = output_of("nvidia-smi", &["--query-gpu=name", "--format=csv,noheader"]);
    format!(
        "# Benchmarks of {date}\n\n- processor: {}, {threads} threads\n- memory: {} GB\n- device: {}\n- compiler: {}\n\
         - LibTorch: {}\n- threads set: OMP_NUM_THREADS={}\n- commit: {commit}{}\n- command: `cargo xtask bench --save`\n\n\
         `results.json` holds nanoseconds per iteration, by the name of the benchmark.\n",
        model.map_or("unknown", |(_, model)| model),
        kilobytes / 1_000_000,
        device.as_deref().unwrap_or("none"),
        said("rustc", &["--version"]),
        libtorch::VERSION,
        env::var("OMP_NUM_THREADS").as_deref().unwrap_or("not set"),
        if dirty { ", with changes" } else { "" },
    )
}

fn folder_name(host: &str) -> String {
    let name: String = host.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if name.is_empty() { "machine".to_owned() } else { name.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        fs,
        time::{Duration, SystemTime},
    };

    use super::{collect, folder_name};

    #[test]
    fn estimates_of_this_run_are_collected_by_name() {
        let target = tempfile::tempdir().unwrap();
        let folder = target.path().join("pool/diffpool/new");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("benchmark.json"), r#"{"full_id": "pool/diffpool/fwd/B20"}"#).unwrap();
        let estimates = r#"{"mean": {"point_estimate": 2.5}, "median": {"point_estimate": 2.0}, "std_dev": {"point_estimate": 0.5}}"#;
        fs::write(folder.join("estimates.json"), estimates).unwrap();
        let mut results = BTreeMap::new();
        collect(target.path(), SystemTime::UNIX_EPOCH, &mut results).unwrap();
        assert_eq!(results["pool/diffpool/fwd/B20"]["mean_ns"], 2.5);
        let mut later = BTreeMap::new();
        collect(target.path(), SystemTime::now() + Duration::from_secs(60), &mut later).unwrap();
        assert!(later.is_empty(), "an earlier run's");
    }

    #[test]
    fn a_host_name_is_made_a_folder_name() {
        assert_eq!(folder_name("My.Box-1\n"), "mybox-1");
        assert_eq!(folder_name("\n"), "machine");
    }
}

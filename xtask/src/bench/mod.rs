//! `cargo xtask bench`: the benchmarks, the comparison with another library, and the record of a run with the machine it ran on.
//!
//! | module | holds |
//! | --- | --- |
//! | [`peers`] | `--peers`: another library and ours in turn |
//! | [`growth`] | `--growth`: AdamGNN on graphs of several sizes |
//! | [`compare`] | pairs of runs to ratios, and what they should be |
//! | [`table`] | the ratios for readers |
//! | [`quiet`] | waiting for a machine that others leave alone |
//! | [`record`] | the folder of a record; the machine in words |

mod compare;
mod growth;
mod peers;
mod quiet;
mod record;
mod table;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    bench::record::Folder,
    libtorch,
    workspace::{self, Metadata, shown},
};

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench                 every group
  cargo xtask bench -- pool/        the benchmarks whose name holds `pool/`
  cargo xtask bench --save          and write benches/records/<date>-<host>/ with the machine described
  cargo xtask bench --peers VENV --peer-scripts FOLDER --models gcn,gin --datasets NCI1 --repeat 3
                                    training epochs of PyTorch Geometric and ours in turn, and the ratios
  cargo xtask bench --growth --sizes 1000,10000
                                    AdamGNN on graphs of two sizes: seconds and memory of an epoch

No claim about speed is made without such a folder.")]
pub(crate) struct Args {
    /// Write what was measured in this run to `benches/records/<date>-<host>/`
    #[arg(long)]
    save: bool,
    /// Arguments of the benchmark programs: a part of a name, or options of criterion
    #[arg(last = true, value_name = "ARGS")]
    more: Vec<String>,
    #[command(flatten)]
    growth: growth::Measurement,
    #[command(flatten)]
    peers: peers::Flags,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<()> {
    libtorch::ensure()?;
    if let Some(peer) = args.peers.peer() {
        return peers::run(&args.peers, &peer);
    }
    if args.growth.growth {
        return growth::run(&args.growth);
    }
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
    let Folder { path: folder, date } = Folder::today()?;
    fs::write(folder.join("results.json"), serde_json::to_string_pretty(&results)? + "\n")?;
    let threads = env::var("OMP_NUM_THREADS").unwrap_or_else(|_| "not set".to_owned());
    let readme = format!(
        "# Benchmarks of {date}\n\n{}\n`results.json` holds nanoseconds per iteration, by the name of the benchmark.\n",
        record::machine("cargo xtask bench --save", &threads)
    );
    fs::write(folder.join("README.md"), readme)?;
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

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        fs,
        time::{Duration, SystemTime},
    };

    use super::collect;

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
}

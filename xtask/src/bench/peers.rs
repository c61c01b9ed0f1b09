//! `cargo xtask bench --peers`: training epochs of another library and of ours, in turn.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    bench::{
        compare::{self, Targets, file_name},
        quiet,
        record::{self, Folder},
        table,
    },
    workspace::{self, Metadata, shown},
};

/// The flags of the comparison.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Comparison with PyTorch Geometric")]
pub(super) struct Flags {
    /// Compare training epochs with the PyTorch Geometric of this virtual environment
    #[arg(long, value_name = "VENV", requires = "peer_scripts", conflicts_with_all = ["save", "more"])]
    peers: Option<PathBuf>,
    /// The folder of the peer's program, `pyg_baseline.py`
    #[arg(long, value_name = "FOLDER", requires = "peers")]
    peer_scripts: Option<PathBuf>,
    /// The folder of the data sets: NAME.zip in its folder `raw`
    #[arg(long, value_name = "FOLDER", default_value = "data", requires = "peers")]
    data: PathBuf,
    /// These networks only
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "peers")]
    models: Vec<String>,
    /// These data sets only
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "peers")]
    datasets: Vec<String>,
    /// Epochs of a run, two of warm-up included
    #[arg(long, value_name = "N", default_value_t = 9, requires = "peers")]
    epochs: u32,
    /// A run ends after the epoch that passes this, three timed epochs at least
    #[arg(long, value_name = "SECONDS", default_value_t = 90, requires = "peers")]
    max_seconds: u32,
    /// Pairs of runs for each variant of the peer
    #[arg(long, value_name = "N", default_value_t = 1, requires = "peers")]
    repeat: u32,
    /// Threads inside an operation
    #[arg(long, value_name = "N", default_value_t = 2, requires = "peers")]
    threads: u32,
}

/// Where the other library is.
pub(super) struct Peer {
    python: PathBuf,
    script: PathBuf,
}

/// A way to run the peer that changes its speed and not its numbers.
struct Variant {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

const DEFAULT: Variant = Variant { name: "default", arguments: &[], environment: &[] };
/// A sparse adjacency in compressed rows in place of a list of edges.
const CSR: Variant = Variant { name: "csr", arguments: &["--adj", "csr"], environment: &[] };
/// glibc told to keep its memory.
const MALLOC: Variant = Variant {
    name: "malloc",
    arguments: &[],
    environment: &[
        ("MALLOC_TRIM_THRESHOLD_", "2000000000"),
        ("MALLOC_MMAP_THRESHOLD_", "1000000000"),
        ("MALLOC_TOP_PAD_", "67108864"),
    ],
};
/// Another network in the place of one that the peer's environment cannot run.
const SCALED: Variant = Variant { name: "scaled", arguments: &[], environment: &[] };

/// The networks for which the peer takes compressed rows.
const WITH_CSR: [&str; 3] = ["gcn", "sage", "gin"];

impl Flags {
    /// The peer, where it is asked for.
    pub(super) fn peer(&self) -> Option<Peer> {
        let (venv, scripts) = self.peers.as_ref().zip(self.peer_scripts.as_ref())?;
        // Programs are run in the root of the workspace. A link is not followed: it is what makes the environment virtual.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let (python, script) = (venv.join("bin/python"), scripts.join("pyg_baseline.py"));
        Some(Peer { python: absolute(python), script: absolute(script) })
    }

    /// Data sets and networks to compare, those with a target unless others are named.
    fn wanted(&self, targets: &Targets) -> Vec<(String, String)> {
        let datasets = or(&self.datasets, || targets.ratios.keys().cloned().collect());
        let of_dataset = |dataset: String| {
            let known = || {
                targets.ratios.get(&dataset).into_iter().flat_map(|models| models.keys().cloned()).collect()
            };
            or(&self.models, known).into_iter().map(move |model| (dataset.clone(), model)).collect::<Vec<_>>()
        };
        datasets.into_iter().flat_map(of_dataset).collect()
    }
}

fn or(given: &[String], known: impl FnOnce() -> Vec<String>) -> Vec<String> {
    if given.is_empty() { known() } else { given.to_vec() }
}

/// The variants of the peer for a network.
fn variants(model: &str, targets: &Targets) -> Vec<&'static Variant> {
    if targets.scaled(model).is_some() {
        return vec![&SCALED];
    }
    let csr = WITH_CSR.contains(&model).then_some(&CSR);
    [Some(&DEFAULT), csr, Some(&MALLOC)].into_iter().flatten().collect()
}

/// Runs the comparison and writes its record.
pub(super) fn run(flags: &Flags, peer: &Peer) -> Result<()> {
    for file in [&peer.python, &peer.script] {
        if !file.is_file() {
            bail!(
                "{} is not there: --peers names a virtual environment, --peer-scripts the folder of pyg_baseline.py",
                file.display()
            );
        }
    }
    workspace::run(workspace::cargo().args(["build", "--release", "-p", "coarsen-repro"]))?;
    let binary = Metadata::load()?.target_directory.join("release/coarsen");
    let targets = Targets::read(&workspace::root().join("benches/targets.json"))?;
    let Folder { path: folder, date } = Folder::today()?;
    let epochs = folder.join("epochs");
    fs::create_dir_all(&epochs).with_context(|| format!("making {}", epochs.display()))?;
    let sitting = Sitting {
        flags,
        peer,
        binary: &binary,
        data: fs::canonicalize(&flags.data).with_context(|| flags.data.display().to_string())?,
        epochs: &epochs,
        targets: &targets,
    };
    let wanted = flags.wanted(&targets);
    for (i, (dataset, model)) in wanted.iter().enumerate() {
        eprintln!("[{}/{}] {dataset} {model}", i + 1, wanted.len());
        sitting.compare(dataset, model)?;
        let rows = compare::rows(&compare::pairs(&epochs, &targets)?, &targets);
        let machine = record::machine("cargo xtask bench --peers", &flags.threads.to_string());
        fs::write(folder.join("table.md"), table::page(&date, &machine, &versions(&epochs), &rows))?;
    }
    eprintln!("{}", shown(&folder.join("table.md")));
    Ok(())
}

/// What stays the same over all runs.
struct Sitting<'a> {
    flags: &'a Flags,
    peer: &'a Peer,
    binary: &'a Path,
    data: PathBuf,
    epochs: &'a Path,
    targets: &'a Targets,
}

impl Sitting<'_> {
    /// All pairs of one network on one data set; what an earlier sitting left of them is removed.
    fn compare(&self, dataset: &str, model: &str) -> Result<()> {
        let own = format!("{dataset}.{model}.");
        for entry in fs::read_dir(self.epochs)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&own) {
                fs::remove_file(entry.path())?;
            }
        }
        let mut variants = variants(model, self.targets);
        for turn in 0..self.flags.repeat {
            variants.retain(|variant| {
                self.pair(dataset, model, variant, turn)
                    .inspect_err(|error| {
                        eprintln!("{dataset} {model}, {}: left out: {error:#}", variant.name);
                    })
                    .is_ok()
            });
        }
        Ok(())
    }

    /// The peer, then ours.
    fn pair(&self, dataset: &str, model: &str, variant: &Variant, turn: u32) -> Result<()> {
        let file = |who| self.epochs.join(file_name(dataset, model, variant.name, turn, who));
        let network = self.targets.scaled(model).map_or(model, |scaled| &scaled.by);
        let mut command = workspace::in_root(&self.peer.python);
        command.arg(&self.peer.script).args(variant.arguments).envs(variant.environment.iter().copied());
        command.env("TU_ZIPS", self.data.join("raw")).env("PYTHONDONTWRITEBYTECODE", "1");
        self.finish(&mut command, dataset, network, &file("peer"))?;
        let mut command = workspace::in_root(self.binary);
        command.args(["bench", "epoch", "--data"]).arg(&self.data);
        self.finish(&mut command, dataset, model, &file("coarsen"))
    }

    /// Adds what both programs understand, and runs.
    fn finish(&self, command: &mut Command, dataset: &str, model: &str, json: &Path) -> Result<()> {
        let Flags { epochs, threads, max_seconds, .. } = self.flags;
        command.args(["--model", model, "--dataset", dataset, "--infer-passes", "3", "--warmup", "2"]);
        for (flag, value) in [("--epochs", epochs), ("--threads", threads), ("--max-seconds", max_seconds)] {
            command.args([flag, &value.to_string()]);
        }
        // Both set the number themselves; ours for tests must not be in their way.
        command.env_remove("OMP_NUM_THREADS");
        quiet::wait();
        workspace::run(command.arg("--json").arg(json))?;
        without_path(json)
    }
}

/// Takes the report's own path out of it: a record is for other machines too.
fn without_path(json: &Path) -> Result<()> {
    let mut report: Value = serde_json::from_str(&fs::read_to_string(json)?)?;
    if let Some(arguments) = report["args"].as_object_mut() {
        arguments.remove("json");
    }
    Ok(fs::write(json, format!("{report}\n"))?)
}

/// What was compared: a line for the peer and one for ours, out of any run of each.
fn versions(epochs: &Path) -> String {
    let report = |who: &str| -> Option<Value> {
        let ending = format!(".{who}.json");
        let mut files = fs::read_dir(epochs).ok()?.flatten().map(|entry| entry.path());
        let file = files.find(|file| file.to_string_lossy().ends_with(&ending))?;
        serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
    };
    let (peer, ours) = (report("peer").unwrap_or_default(), report("coarsen").unwrap_or_default());
    let word = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
    format!(
        "- peer: torch_geometric {}, torch {}, {} instructions\n- ours: coarsen {}, LibTorch {}, {} instructions\n",
        word(&peer["machine"]["torch_geometric"]),
        word(&peer["machine"]["torch"]),
        word(&peer["machine"]["cpu_capability"]),
        word(&ours["coarsen"]["version"]),
        word(&ours["coarsen"]["libtorch"]),
        word(&ours["machine"]["cpu_capability"]),
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        bench: crate::bench::Args,
    }

    fn flags(line: &str) -> Result<Flags, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.bench.peers)
    }

    fn targets() -> Targets {
        Targets::read(&workspace::root().join("benches/targets.json")).expect("targets")
    }

    #[test]
    fn networks_with_a_target_are_compared_unless_others_are_named() {
        let all = flags("bench --peers v --peer-scripts s").unwrap().wanted(&targets());
        assert_eq!(all.len(), 18);
        assert!(all.contains(&("DD".to_owned(), "diffpool".to_owned())));
        let some = flags("bench --peers v --peer-scripts s --models gcn,topk --datasets NCI1").unwrap();
        let pair = |model: &str| ("NCI1".to_owned(), model.to_owned());
        assert_eq!(some.wanted(&targets()), [pair("gcn"), pair("topk")]);
    }

    #[test]
    fn a_peer_needs_its_program_and_its_flags_need_a_peer() {
        assert!(flags("bench --peers v").is_err() && flags("bench --models gcn").is_err());
        assert!(flags("bench").unwrap().peer().is_none());
        let peer = flags("bench --peers v --peer-scripts s").unwrap().peer().expect("a peer");
        assert!(peer.script.is_absolute() && peer.script.ends_with("s/pyg_baseline.py"));
    }

    #[test]
    fn the_variants_are_those_the_network_has() {
        let names =
            |model| variants(model, &targets()).iter().map(|variant| variant.name).collect::<Vec<_>>();
        assert_eq!(names("gcn"), ["default", "csr", "malloc"]);
        assert_eq!(names("topk"), ["default", "malloc"]);
        assert_eq!(names("graclus"), ["scaled"]);
    }
}

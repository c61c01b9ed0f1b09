//! `coarsen bench ops`: the operations that graph pooling is made of, one by one.
//!
//! Names and sizes are those of the peer's program, so that two JSON files can be laid side by side. `f` is the forward pass without a
//! history, `fb` forward and backward with a fixed gradient of the output. Everything is on the CPU.
//!
//! | module | holds |
//! | --- | --- |
//! | [`products`] | groups `spmm`, `softmax`, `spspmm`, on graphs drawn uniformly |
//! | [`batches`] | groups `graph` and `parse`, on data sets |
//! | [`growth`] | group `growth`: a training step beside the product of the same graph |
//! | [`runner`] | how an operation is timed, printed and kept |

mod batches;
mod growth;
mod products;
mod runner;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::Ending;
use crate::bench::measure;
use crate::bench::ops::runner::Runner;
use crate::environment::{Machine, On};

/// The groups, in the order they are run.
const GROUPS: [&str; 6] = ["spmm", "softmax", "spspmm", "graph", "parse", "growth"];

/// Arguments of `coarsen bench ops`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coarsen bench ops --only spmm --threads 2
  coarsen bench ops --only graph,parse --data data --json ops.json

A number is the median (least-greatest) of five blocks of repetitions, the quietest of up to three rounds.")]
pub(crate) struct Args {
    /// Numbers of threads inside an operation, each timed
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,2",
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Vec<u32>,
    /// These groups only: spmm, softmax, spspmm, graph, parse, growth
    #[arg(long, value_name = "GROUP,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Time spent on each operation with each number of threads
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    seconds: f64,
    /// The data sets of the groups graph and parse
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "NCI1,DD")]
    datasets: Vec<String>,
    /// The graphs of the group growth. Memory is told best where a process has one size, and this group, alone
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "10000,100000,1000000")]
    nodes: Vec<usize>,
    /// The folder of the data sets: NAME.zip or NAME/ in its folder `raw`
    #[arg(long, value_name = "FOLDER", default_value = "data")]
    data: PathBuf,
    /// Write everything measured to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<Ending> {
    let unknown = args.only.iter().find(|group| !GROUPS.contains(&group.as_str()));
    ensure!(
        unknown.is_none(),
        "--only: unknown group `{}`; known are {}",
        unknown.map_or("", String::as_str),
        GROUPS.join(", ")
    );
    let most = args.threads.iter().copied().max().unwrap_or(1);
    let machine = Machine::alone(On::Cpu, most)?;
    let mut runner = Runner::new(&args.threads, args.seconds);
    for group in
        GROUPS.into_iter().filter(|group| args.only.is_empty() || args.only.iter().any(|o| o == group))
    {
        match group {
            "spmm" => products::spmm(&mut runner)?,
            "softmax" => products::softmax(&mut runner)?,
            "spspmm" => products::spspmm(&mut runner)?,
            "graph" => batches::graph(&mut runner, &args.data, &args.datasets)?,
            "parse" => batches::parse(&mut runner, &args.data, &args.datasets)?,
            _ => growth::growth(&mut runner, &args.nodes)?,
        }
    }
    if let Some(path) = &args.json {
        let mut report = runner.into_report();
        report["machine_info"] = measure::machine();
        report["coarsen"] = serde_json::to_value(machine.environment())?;
        std::fs::write(path, format!("{report}\n")).with_context(|| path.display().to_string())?;
    }
    Ok(Ending::Done)
}

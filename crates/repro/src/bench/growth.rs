//! `coarsen bench growth`: training epochs of AdamGNN on one generated graph, and the memory they take, at one size.
//!
//! A process measures one size: the peak of its memory is that size's. `cargo xtask bench --growth` runs it at several and writes the record.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use coarsen_graph::{Dataset as _, InMemory, Sample, Target, TopologyBuf};
use coarsen_nn::Ctx;
use coarsen_train::task::NodeClassificationConfig;
use coarsen_train::{Stepper, Streams, Task, TaskConfig, TrainConfig, Trained};
use ndarray::Array2;
use serde_json::{Value, json};
use tch::{Device, Kind, no_grad};

use crate::Ending;
use crate::bench::measure::{self, Foreign, Summary};
use crate::bench::split::SplitMix64;
use crate::environment::{Machine, On};
use crate::output::say;

/// Features of a node and width of the network.
const WIDTH: usize = 64;
/// Undirected edges of a node: each ends at two.
const EDGES: usize = 5;
const CLASSES: u32 = 4;
/// Repetitions of the product that an epoch is held against.
const PRODUCTS: usize = 5;

/// Arguments of `coarsen bench growth`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coarsen bench growth --nodes 100000
  coarsen bench growth --nodes 10000 --kl dec --json dec.json

The graph has NODES nodes, edges between pairs drawn uniformly, ten to a node on average, 64 features and 4
classes. An epoch is one step of node classification on it: forward, backward, Adam, with non-edges drawn anew
for L_R. `--kl dec` adds the text's L_KL, which compares all nodes with all egos: its memory grows with the
square of the nodes.")]
pub(crate) struct Args {
    /// Nodes of the graph
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=4_000_000))]
    nodes: u32,
    /// The divergence: none, gaussian, or dec, which is not linear
    #[arg(long, value_name = "NAME", default_value = "none")]
    kl: String,
    /// Levels, the graph's own counted
    #[arg(long, value_name = "N", default_value_t = 3)]
    levels: u32,
    /// Epochs timed, behind one of warm-up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Threads of the run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    /// Write everything measured to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Ending> {
    let machine = Machine::alone(On::Cpu, args.threads)?;
    let before = measure::rss_mb().context("/proc does not tell how much memory is used")?;
    let data = graph(args.nodes)?;
    let edges = data.sample(0).topology.edges();
    let model = json!({"kind": "adamgnn", "levels": args.levels, "hidden": WIDTH, "kl": args.kl});
    let task = TaskConfig::NodeClassification(NodeClassificationConfig::default()).on(&data)?;
    let config = TrainConfig { reconstruction: 0.01, ..TrainConfig::default() };
    let streams = Streams::new(0, 0);
    let trained = Trained::new(&model, task.as_ref(), streams.init(), Device::Cpu)?;
    let (seconds, foreign) = epochs(args, &trained, task.as_ref(), &config, streams)?;
    let peak = measure::peak_rss_mb().context("/proc does not tell the peak of memory")?;

    let (kept, clean) = measure::clean(&seconds, &foreign, args.threads);
    let kept: Vec<f64> = kept.iter().map(|&epoch| seconds[epoch]).collect();
    let epoch = Summary::of(&kept).context("no epoch was timed")?;
    let product = product(&trained, task.as_ref()).context("no product was timed")?;
    let report = json!({
        "args": {"nodes": args.nodes, "kl": args.kl, "levels": args.levels, "epochs": args.epochs, "threads": args.threads},
        "nodes": args.nodes,
        "edges_directed": edges,
        "sizes": sizes(&trained, task.as_ref()),
        "epoch_s": epoch,
        "clean_epochs": clean,
        "spmm_s": product,
        "epoch_over_spmm": epoch.median / product.median,
        "peak_rss_mb": peak,
        "bytes_per_edge": (peak - before) * 1024.0 * 1024.0 / edges as f64,
        "machine": measure::machine(),
        "coarsen": machine.environment(),
        "experiment": {"model": model, "reconstruction": config.reconstruction},
    });
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{report}\n")).with_context(|| path.display().to_string())?;
    }
    say(line(&report))?;
    Ok(Ending::Done)
}

/// Pairs of nodes drawn uniformly, with features between −1 and 1 and classes at random.
fn graph(nodes: u32) -> Result<InMemory> {
    let mut stream = SplitMix64(u64::from(nodes));
    let n = nodes as usize;
    let pairs: Vec<(u32, u32)> = (0..EDGES * n)
        .map(|_| (stream.below(n) as u32, stream.below(n) as u32))
        .filter(|(a, b)| a != b)
        .collect();
    let topology = TopologyBuf::from_undirected(n, pairs)?;
    let class = (0..n).map(|_| stream.below(CLASSES as usize) as u32).collect();
    let x = Array2::from_shape_fn((n, WIDTH), |(i, j)| ((i * WIDTH + j) as f32).sin());
    let sample = Sample::new(topology, x, Target::Class(0))?.with_node_class(class)?;
    Ok(InMemory::from_samples("uniform", vec![sample], CLASSES)?)
}

/// Seconds of each epoch, and the cores that other programs used meanwhile.
fn epochs(
    args: &Args,
    trained: &Trained,
    task: &dyn Task,
    config: &TrainConfig,
    streams: Streams,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut stepper = Stepper::new(trained, task, config, streams, args.threads as usize)?;
    let samples: Vec<usize> = (0..args.nodes as usize * 4 / 5).collect();
    stepper.epoch(1, &samples)?;
    let (mut seconds, mut foreign) = (Vec::new(), Foreign::new());
    for epoch in 0..args.epochs {
        let now = Instant::now();
        let loss = stepper.epoch(2 + epoch, &samples)?.score.loss;
        seconds.push(now.elapsed().as_secs_f64());
        foreign.repeated();
        ensure!(loss.is_finite(), "the loss is {loss} in epoch {}", 2 + epoch);
    }
    Ok((seconds, foreign.cores()))
}

/// Forward and backward of `A x` of the same graph.
fn product(trained: &Trained, task: &dyn Task) -> Option<Summary> {
    let level = task.batch(&[0], 0, &trained.model.needs(), Device::Cpu).level;
    let x = level.x.detach().set_requires_grad(true);
    let once = || {
        let mut x = x.shallow_clone();
        x.zero_grad();
        let now = Instant::now();
        level.adj.matmul(&x).sum(Kind::Float).backward();
        now.elapsed().as_secs_f64()
    };
    once();
    Summary::of(&(0..PRODUCTS).map(|_| once()).collect::<Vec<_>>())
}

/// Nodes of each level that is pooled, as the network stands.
fn sizes(trained: &Trained, task: &dyn Task) -> Vec<usize> {
    let batch = task.batch(&[0], 0, &trained.model.needs(), Device::Cpu);
    let out = no_grad(|| trained.model.forward(&batch.level, Ctx::eval().traced()));
    let scores = out.traces.iter().filter(|trace| trace.name.split('.').next_back() == Some("score"));
    scores.map(|trace| trace.value.numel()).collect()
}

fn line(report: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    format!(
        "n={} E={} kl={} levels {} epoch {:.3} s ({:.1} products) rss {:.0} MB, {:.0} bytes an edge",
        report["nodes"],
        report["edges_directed"],
        report["args"]["kl"].as_str().unwrap_or_default(),
        report["sizes"],
        number(&report["epoch_s"]["median"]),
        number(&report["epoch_over_spmm"]),
        number(&report["peak_rss_mb"]),
        number(&report["bytes_per_edge"]),
    )
}

//! `coarsen bench epoch`: training epochs of one network, and inference, as the peer's program times them.
//!
//! An epoch is everything between two looks at the validation samples: a fresh order, collation, host plans, forward, backward, the
//! optimiser's step and the reading of the loss, by the code that `coarsen train` trains with ([`Stepper`]).

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use coarsen_graph::{DataDir, Dataset, FeaturePart, FeatureRule, InMemory};
use coarsen_nn::Ctx;
use coarsen_train::{
    Batch, EpochScores, Observer as _, Parts, Score, Stepper, Streams, Task, TrainConfig, Trained,
};
use serde_json::{Value, json};
use tch::{Cuda, Device, Tensor, no_grad};

use crate::Ending;
use crate::bench::measure::{self, Foreign, Summary};
use crate::bench::models::{self, Preset};
use crate::bench::split::{Split, split};
use crate::environment::{Machine, On};
use crate::interrupt::Interrupt;
use crate::output::say;
use crate::progress::{Progress, Work};

/// The last slot of one-hot degrees, where a data set has no node labels.
const DEGREES: usize = 63;

/// Arguments of `coarsen bench epoch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coarsen bench epoch --model gcn --dataset NCI1 --json gcn.json
  coarsen bench epoch --model diffpool --dataset DD --threads 2 --epochs 5 --max-seconds 120

An epoch is clean if other programs used less than 0.12 cores while it ran (0.6 with one thread). The figures
are medians of the clean epochs, or of the three fastest where fewer than three were clean.")]
pub(crate) struct Args {
    /// The network: gcn, sage, gat, gin, set2set, sortpool, topk, sagpool, asap, graclus, mincut, diffpool or adamgnn
    #[arg(long, value_name = "NAME")]
    model: String,
    /// The data set
    #[arg(long, value_name = "NAME")]
    dataset: String,
    /// Graphs per step; 0: 64 for diffpool, else 128
    #[arg(long, value_name = "N", default_value_t = 0)]
    batch: u32,
    /// Width of the layers
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    hidden: u32,
    /// Epochs, those of the warm-up included
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Epochs left out of the timing
    #[arg(long, value_name = "N", default_value_t = 2)]
    warmup: u32,
    /// Stop after the epoch that passes this, three timed epochs at least
    #[arg(long, value_name = "SECONDS", default_value_t = 1e9)]
    max_seconds: f64,
    /// Threads of the run
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    /// Decides the split and everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Passes over all graphs without training
    #[arg(long, value_name = "N", default_value_t = 5)]
    infer_passes: u32,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = On::Cpu, value_name = "DEVICE")]
    device: On,
    /// The folder of the data sets: NAME.zip or NAME/ in its folder `raw`
    #[arg(long, value_name = "FOLDER", default_value = "data")]
    data: PathBuf,
    /// Write everything measured to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Ending> {
    let preset = models::preset(&args.model, &args.dataset, args.hidden)?;
    let machine = Machine::alone(args.device, args.threads)?;
    let data = load(&args.data, &args.dataset)?;
    let task = preset.task.on(&data)?;
    let split = split(data.len(), args.seed);
    let batch = if args.batch == 0 { preset.batch } else { args.batch };
    let reconstruction = preset.reconstruction;
    let config = TrainConfig { batch, epochs: args.epochs, reconstruction, ..TrainConfig::default() };
    let streams = Streams::new(args.seed, 0);
    let trained = Trained::new(&preset.model, task.as_ref(), streams.init(), machine.device())?;
    let mut stepper = Stepper::new(&trained, task.as_ref(), &config, streams, args.threads as usize)?;

    let measured = train(args, &mut stepper, &split)?;
    let inference = infer(args.infer_passes, &trained, &stepper, data.len());
    let report = Report { args, batch, preset: &preset, data: &data, task: task.as_ref(), trained: &trained };
    let report = report.json(&split, &measured, &inference, &machine)?;
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{report}\n")).with_context(|| path.display().to_string())?;
    }
    say(line(&report))?;
    Ok(Ending::Done)
}

/// The data set with the peer's features: one-hot node labels, or degrees where there are none.
fn load(folder: &Path, name: &str) -> Result<InMemory> {
    let raw = DataDir::new(folder).load_raw(name)?;
    let part = match raw.node_label_values().next() {
        Some(_) => FeaturePart::Label,
        None => FeaturePart::Degree { cap: DEGREES },
    };
    Ok(raw.into_dataset(&FeatureRule::Parts(vec![part]))?)
}

/// What was measured of the epochs.
#[derive(Debug, Default)]
struct Measured {
    /// Of every epoch, the warm-up included.
    losses: Vec<f64>,
    /// Of the timed epochs: wall-clock time, its parts, processor time, cores that other programs used.
    seconds: Vec<f64>,
    parts: Vec<Parts>,
    cpu: Vec<f64>,
    foreign: Vec<f64>,
    steps: u32,
    best: Option<Best>,
}

/// The epoch of the best validation accuracy, the first of equals.
#[derive(Debug, Clone, Copy)]
struct Best {
    valid: f64,
    test: f64,
    epoch: u32,
}

fn train(args: &Args, stepper: &mut Stepper, split: &Split) -> Result<Measured> {
    let mut progress = Progress::new(Interrupt::default());
    let work = Work { kind: "", units: 1.0, abreast: 1.0 };
    progress.plan(work, args.epochs);
    progress.begin(&format!("{} {}", args.model, args.dataset), work);
    progress.run_started(0, 1, args.epochs);
    let mut measured = Measured::default();
    let mut foreign = None;
    let started = Instant::now();
    for epoch in 1..=args.epochs {
        let timed = epoch > args.warmup || args.epochs <= args.warmup;
        if timed && foreign.is_none() {
            foreign = Some(Foreign::new());
        }
        let (cpu, now) = (measure::process_seconds(), Instant::now());
        let trained = stepper.epoch(epoch, &split.train)?;
        let seconds = now.elapsed().as_secs_f64();
        ensure!(trained.score.loss.is_finite(), "the loss is {} in epoch {epoch}", trained.score.loss);
        measured.losses.push(trained.score.loss);
        measured.steps = trained.steps;
        if let Some(foreign) = &mut foreign {
            let cpu = cpu.zip(measure::process_seconds());
            measured.cpu.push(cpu.map_or(f64::NAN, |(before, after)| after - before));
            measured.seconds.push(seconds);
            measured.parts.push(trained.parts);
            foreign.repeated();
        }
        let valid = stepper.score(&split.valid)?.metric;
        if measured.best.is_none_or(|best| valid > best.valid) {
            let Score { metric: test, .. } = stepper.score(&split.test)?;
            measured.best = Some(Best { valid, test, epoch });
        }
        let Score { metric: train, loss } = trained.score;
        progress.epoch(0, epoch, &EpochScores { loss, train, valid, test: f64::NAN, seconds });
        if started.elapsed().as_secs_f64() > args.max_seconds && measured.seconds.len() >= 3 {
            break;
        }
    }
    measured.foreign = foreign.map_or_else(Vec::new, Foreign::cores);
    Ok(measured)
}

/// Graphs a second over the whole data set: with collation, and of batches that are there.
struct Inference {
    collated: Vec<f64>,
    ready: Vec<f64>,
}

fn infer(passes: u32, trained: &Trained, stepper: &Stepper, graphs: usize) -> Inference {
    let all: Vec<usize> = (0..graphs).collect();
    let answer = |batch: &Batch| {
        let out = trained.model.forward(&batch.level, Ctx::eval());
        trained.head.predict(&out, batch.at.as_ref(), Ctx::eval())
    };
    let rate = |pass: &dyn Fn()| {
        let now = Instant::now();
        pass();
        if let Device::Cuda(index) = trained.vars.device() {
            Cuda::synchronize(index as i64);
        }
        graphs as f64 / now.elapsed().as_secs_f64()
    };
    no_grad(|| {
        let there: Vec<Batch> = stepper.fixed(&all, |batches| batches.collect());
        let mut inference = Inference { collated: Vec::new(), ready: Vec::new() };
        for _ in 0..passes {
            inference.collated.push(rate(&|| {
                stepper.fixed(&all, |batches| batches.for_each(|batch| drop(answer(&batch))));
            }));
            inference.ready.push(rate(&|| there.iter().for_each(|batch| drop(answer(batch)))));
        }
        inference
    })
}

/// What the report is about.
struct Report<'a> {
    args: &'a Args,
    batch: u32,
    preset: &'a Preset,
    data: &'a InMemory,
    task: &'a dyn Task,
    trained: &'a Trained,
}

impl Report<'_> {
    /// With the keys of the peer's program, and some of our own.
    fn json(&self, split: &Split, got: &Measured, inference: &Inference, machine: &Machine) -> Result<Value> {
        let Self { args, data, .. } = self;
        let (kept, clean) = measure::clean(&got.seconds, &got.foreign, args.threads);
        let of = |values: &[f64]| kept.iter().map(|&i| values[i]).collect::<Vec<_>>();
        let part = |which: fn(&Parts) -> f64| {
            Summary::of(&of(&got.parts.iter().map(which).collect::<Vec<_>>())).map(|part| part.median)
        };
        let epoch = Summary::of(&of(&got.seconds)).context("no epoch was timed")?;
        let best = got.best.context("no epoch was trained")?;
        let dims = self.task.dims();
        let parameters = self.trained.vars.trainable_variables();
        let stats = (0..data.len()).map(|i| data.sample(i).topology);
        Ok(json!({
            "args": {
                "model": args.model, "dataset": args.dataset, "batch": self.batch, "hidden": args.hidden,
                "epochs": args.epochs, "warmup": args.warmup, "max_seconds": args.max_seconds,
                "threads": args.threads, "seed": args.seed, "infer_passes": args.infer_passes,
                "device": machine.environment().device,
            },
            "graphs_total": data.len(),
            "graphs": data.len(),
            "nodes": stats.clone().map(|graph| graph.nodes()).sum::<usize>(),
            "edges_directed": stats.map(|graph| graph.edges()).sum::<usize>(),
            "max_nodes": dims.max_nodes(),
            "mean_nodes": dims.mean_nodes(),
            "features": dims.features,
            "classes": dims.outputs,
            "params": parameters.iter().map(Tensor::numel).sum::<usize>(),
            "clean_epochs": clean,
            "timed_epochs": got.seconds.len(),
            "foreign_cores": Summary::of(&got.foreign),
            "epoch_s_all": Summary::of(&got.seconds),
            "epoch_cpu_s": Summary::of(&of(&got.cpu)),
            "epoch_s": epoch,
            "train_graphs_per_s": split.train.len() as f64 / epoch.median,
            "epoch_parts_s": {
                "loader": part(|parts| parts.loader),
                "forward": part(|parts| parts.forward),
                "backward": part(|parts| parts.backward),
                "optimizer": part(|parts| parts.optimizer),
            },
            "steps_per_epoch": got.steps,
            "val_acc": best.valid,
            "test_acc": best.test,
            "best_epoch": best.epoch - 1,
            "epochs_run": got.losses.len(),
            "loss_first": got.losses.first(),
            "loss_last": got.losses.last(),
            "infer_graphs_per_s": Summary::of(&inference.collated),
            "infer_graphs_per_s_precollated": Summary::of(&inference.ready),
            "peak_rss_mb": measure::peak_rss_mb(),
            "machine": measure::machine(),
            "coarsen": machine.environment(),
            "experiment": { "model": self.preset.model, "task": self.preset.task },
        }))
    }
}

/// One line for people.
fn line(report: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let (args, epoch, parts) = (&report["args"], &report["epoch_s"], &report["epoch_parts_s"]);
    let parts =
        ["loader", "forward", "backward", "optimizer"].map(|part| format!("{:.3}", number(&parts[part])));
    format!(
        "{:9} {:10} b{} t{} [{}/{}] epoch {:.3} s ({:.3}-{:.3}) parts {} infer {:.0} g/s rss {:.0} MB acc {:.3} loss {:.3}->{:.3}",
        text(&args["model"]),
        text(&args["dataset"]),
        args["batch"],
        args["threads"],
        report["clean_epochs"],
        report["timed_epochs"],
        number(&epoch["median"]),
        number(&epoch["min"]),
        number(&epoch["max"]),
        parts.join("/"),
        number(&report["infer_graphs_per_s"]["median"]),
        number(&report["peak_rss_mb"]),
        number(&report["test_acc"]),
        number(&report["loss_first"]),
        number(&report["loss_last"]),
    )
}

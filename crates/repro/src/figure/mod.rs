//! `coarsen figure`: AdamGNN's figures, drawn from what trained networks do.
//!
//! | module | holds |
//! | --- | --- |
//! | [`seen`] | what a network does to the nodes of a graph, and its record |
//! | [`coverage`] | how many nodes the networks of the fittest egos hold |
//! | [`flyback`] | what each class looks at |

mod coverage;
mod flyback;
mod seen;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use coarsen_graph::DataDir;
use coarsen_train::RunError;

use crate::Ending;
use crate::environment::{self, Machine};
use crate::experiments;
use crate::figure::seen::{Archive, Seen, watch};
use crate::interrupt::Interrupt;
use crate::output::say;
use crate::progress::{Progress, Work};

/// Arguments of `coarsen figure`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coarsen figure flyback nodes/adamgnn-table2-nodes/acm/nodes-adamgnn nodes/adamgnn-table2-nodes/dblp/nodes-adamgnn
  coarsen figure coverage nodes/adamgnn-table2-nodes/emails/nodes-adamgnn

An experiment classifies nodes with AdamGNN: a JSON file, or one of a suite by its name. Its first run is trained
again, as `coarsen train` and `coarsen reproduce` train it, and looked at in evaluation mode at the epoch of the best
validation value. What was seen is kept in FOLDER/figures beside the figure, so that drawing it again trains nothing.")]
pub(crate) struct Args {
    /// What is drawn
    #[arg(value_enum, value_name = "FIGURE")]
    figure: Figure,
    /// Experiments, a panel or a line each: JSON files, or names of experiments of suites
    #[arg(value_name = "EXPERIMENT", required = true)]
    experiments: Vec<String>,
    /// Change one field of all experiments: keys joined by points; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The folder of the data sets: NAME.zip or NAME/ in its folder `raw`
    #[arg(long, value_name = "FOLDER", default_value = "data", help_heading = "Running")]
    data: PathBuf,
    /// The folder of the results
    #[arg(long, value_name = "FOLDER", default_value = "results", help_heading = "Running")]
    out: PathBuf,
    #[command(flatten)]
    machine: environment::Flags,
}

/// The figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Attention of each class over the levels (AdamGNN, Figure 2)
    Flyback,
    /// Nodes in the networks of the fittest egos (AdamGNN, Figure 3)
    Coverage,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Ending> {
    let named = |name: &String| experiments::experiment(name, &args.set);
    let experiments = args.experiments.iter().map(named).collect::<Result<Vec<_>>>()?;
    let machine = Machine::set_up(&args.machine)?;
    let archive = Archive::new(&args.out);
    let mut progress = Progress::new(Interrupt::install()?);
    let work = Work { kind: "", units: 1.0, abreast: 1.0 };
    let mut seen: Vec<Seen> = Vec::with_capacity(experiments.len());
    for experiment in &experiments {
        let plan = experiment.experiment();
        let data = DataDir::new(&args.data).load(&plan.dataset, &plan.features)?;
        if let Some(known) = archive.find(experiment, &data)? {
            seen.push(known);
            continue;
        }
        progress.plan(work, plan.train.epochs);
        progress.begin(&experiment.name(), work);
        match watch(experiment, &data, &machine, &mut progress) {
            Ok(one) => {
                archive.keep(experiment, &one)?;
                seen.push(one);
            }
            Err(RunError::Interrupted) => {
                drop(progress);
                eprintln!("interrupted; the same command trains {} anew", experiment.name());
                return Ok(Ending::Interrupted);
            }
            Err(error) => return Err(error).with_context(|| experiment.name()),
        }
    }
    drop(progress);
    let (name, svg) = match args.figure {
        Figure::Flyback => ("flyback.svg", flyback::svg(&seen)?),
        Figure::Coverage => ("coverage.svg", coverage::svg(&seen)),
    };
    let path = archive.folder().join(name);
    fs::write(&path, svg).with_context(|| path.display().to_string())?;
    say(format!("written: {}; what was seen is beside it", path.display()))?;
    Ok(Ending::Done)
}

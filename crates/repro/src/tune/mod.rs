//! `coarsen tune`: a small search for hyper-parameters that looks at validation samples alone.
//!
//! | module | holds |
//! | --- | --- |
//! | [`grid`] | what is tried: levels, learning rates, dropouts |
//! | [`search`] | what came of it: the record of a search, its table, its winner |

mod grid;
mod search;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use coarsen_eval::Protocol;
use coarsen_graph::{DataDir, InMemory};
use coarsen_nn::Params;
use coarsen_train::{Checked, RunError};
use tch::{Device, nn::VarStore};

use crate::Ending;
use crate::environment::{self, Machine};
use crate::experiments;
use crate::interrupt::Interrupt;
use crate::output::say;
use crate::progress::{Progress, Work};
use crate::tune::grid::{Configuration, Grid};
use crate::tune::search::{Files, Tried};

/// Arguments of `coarsen tune`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coarsen tune nodes/adamgnn-table2-nodes/cora/nodes-adamgnn                  3 × 2 × 2 configurations
  coarsen tune nodes/adamgnn-table2-nodes/cora/nodes-adamgnn --levels 2,3,4,5 --lr 0.01 --dropout 0,0.5,0.9
  coarsen tune mine.json --lr 0.01,0.003 --dropout 0,0.1 --set train.epochs=100

Every configuration is trained once, on the first split of the experiment, and judged by the best validation
value of its epochs. Test values are neither shown nor kept. At most 12 configurations are tried: the best
of many validation values is luck.

The search is kept in FOLDER/tuned after every configuration, and the same command goes on where it was
interrupted. The winner becomes an experiment with all the splits of the one it came from, in a file beside
the search; `coarsen train --experiment FILE` runs it.")]
pub(crate) struct Args {
    /// The experiment to be varied: a JSON file, or the name of an experiment of a suite
    #[arg(value_name = "EXPERIMENT")]
    experiment: String,
    #[command(flatten)]
    grid: Grid,
    /// Change one field of the experiment for all configurations: keys joined by points; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Search")]
    set: Vec<String>,
    /// Try everything again although it is recorded
    #[arg(long, help_heading = "Running")]
    fresh: bool,
    /// The folder of the data sets: NAME.zip or NAME/ in its folder `raw`
    #[arg(long, value_name = "FOLDER", default_value = "data", help_heading = "Running")]
    data: PathBuf,
    /// The folder of the results
    #[arg(long, value_name = "FOLDER", default_value = "results", help_heading = "Running")]
    out: PathBuf,
    #[command(flatten)]
    machine: environment::Flags,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Ending> {
    let whole = experiments::experiment(&args.experiment, &args.set)?;
    let first = on_one_split(&whole)?;
    let configurations = args.grid.configurations(&whole)?;
    let plan = whole.experiment();
    let data = DataDir::new(&args.data).load(&plan.dataset, &plan.features)?;
    let task = plan.task.on(&data)?;
    let mut experiments = Vec::with_capacity(configurations.len());
    for configuration in configurations {
        let experiment = configuration.of(&first).with_context(|| configuration.name.clone())?;
        // A value that breaks its rule must be told before hours of training.
        let nowhere = VarStore::new(Device::Cpu);
        coarsen_model::model(&experiment.experiment().model, &Params::new(&nowhere.root(), 0), &task.dims())
            .with_context(|| configuration.name.clone())?;
        experiments.push((configuration, experiment));
    }

    let machine = Machine::set_up(&args.machine)?;
    let files = Files::of(&args.out, &first, experiments.iter().map(|(configuration, _)| configuration));
    let mut search = files.open(&first, &data, task.metric(), machine.environment(), args.fresh)?;
    let open =
        experiments.iter().filter(|(configuration, _)| search.of(&configuration.name).is_none()).count();
    say(format!("{}: {} configurations, {open} of them to try", whole.name(), experiments.len()))?;
    let interrupt = Interrupt::install()?;
    let mut progress = Progress::new(interrupt);
    let work = Work { kind: "", units: 1.0, abreast: 1.0 };
    progress.plan(work, open as u32 * plan.train.epochs);
    for (configuration, experiment) in &experiments {
        if search.of(&configuration.name).is_some() {
            continue;
        }
        progress.begin(&configuration.name, work);
        let tried = match tried(configuration, experiment, &data, &machine, &mut progress) {
            Err(RunError::Interrupted) => {
                drop(progress);
                eprintln!("interrupted; what was tried is in {}", files.search.display());
                eprintln!("the same command goes on from there");
                return Ok(Ending::Interrupted);
            }
            tried => tried?,
        };
        progress.lines().err(&search.line(&tried));
        search.tried.push(tried);
        files.keep(&search)?;
    }
    drop(progress);
    say(search.table())?;
    let Some(best) = search.best() else {
        bail!("no configuration has a validation value: the search is in {}", files.search.display());
    };
    let (_, winner) = experiments
        .iter()
        .find(|(configuration, _)| configuration.name == best.name)
        .context("the search is of other configurations")?;
    files.keep_winner(&whole, winner, &search)?;
    say(format!("search: {}", files.search.display()))?;
    say(format!("run it: coarsen train --experiment {}", files.winner.display()))?;
    Ok(Ending::Done)
}

/// The same experiment on its first split alone.
fn on_one_split(experiment: &Checked) -> Result<Checked> {
    match experiment.experiment().protocol.clone() {
        Protocol::Holdout { train, valid, test, stratified, .. } => {
            let one = Protocol::Holdout { train, valid, test, stratified, repeats: 1 };
            Ok(experiment.with("protocol", serde_json::to_value(one)?)?)
        }
        Protocol::KFold { .. } => {
            bail!("{}: the protocol must be a holdout, whose first split is tuned on", experiment.name())
        }
    }
}

/// What the validation samples say of a configuration.
fn tried(
    configuration: &Configuration,
    experiment: &Checked,
    data: &InMemory,
    machine: &Machine,
    progress: &mut Progress,
) -> Result<Tried, RunError> {
    let record = coarsen_train::run(experiment, data, &machine.place(), None, &mut |_| Ok(()), progress)?;
    Ok(Tried::of(configuration, &record))
}

//! `coarsen train`: one experiment, from flags or a file, to its record and its numbers.

use std::path::PathBuf;

use anyhow::Result;
use coarsen_eval::{Metric, Record, Rule, Summary};
use coarsen_graph::{DataDir, Dataset};
use coarsen_train::{Checked, RunError, blind};

use crate::Ending;
use crate::environment::{self, Machine};
use crate::experiments;
use crate::flags::{self, Flags};
use crate::interrupt::Interrupt;
use crate::output::say;
use crate::progress::{Lines, Progress, Work};
use crate::workplace::{Archive, is_complete, on_same_data, open_runs, run_line};

/// The heading of the flags that do not change what is trained.
const RUNNING: &str = "Running";

/// Arguments of `coarsen train`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coarsen train --dataset PROTEINS --pool diffpool                    ten splits, 150 epochs at most
  coarsen train --dataset PROTEINS --pool diffpool --control normal   with random assignments
  coarsen train --dataset COMMUNITIES --pool top-k --seeds 3          a built-in set needs no files
  coarsen train --dataset MUTAG --model gin --hidden 32 --print       show the experiment only
  coarsen train --experiment mine.json --set train.epochs=20          a file, with one change
  coarsen train --experiment nodes/adamgnn-table2-nodes/cora/nodes-gcn one experiment of a suite

An experiment is JSON; the flags are a short way to write it, and --print shows it. Only `dataset`
and `model` must be in it; a key that no part knows is refused.

Every finished run is kept in FOLDER/records, in a file named after what the experiment says. The
same command goes on where it was interrupted, and shows the numbers again when all runs are there.")]
pub(crate) struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Take the experiment from a JSON file instead, or one of a suite by its name
    #[arg(long, value_name = "FILE|NAME", help_heading = "Experiment", conflicts_with = "words")]
    experiment: Option<String>,
    /// Change one field of the experiment: keys joined by points, as model.pool.ratio=0.1; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Experiment")]
    set: Vec<String>,
    /// Print the experiment and train nothing
    #[arg(long, help_heading = RUNNING)]
    print: bool,
    /// Begin anew although there is a record
    #[arg(long, help_heading = RUNNING)]
    fresh: bool,
    /// The folder of the data sets: NAME.zip or NAME/ in its folder `raw`
    #[arg(long, value_name = "FOLDER", default_value = "data", help_heading = RUNNING)]
    data: PathBuf,
    /// The folder of the results
    #[arg(long, value_name = "FOLDER", default_value = "results", help_heading = RUNNING)]
    out: PathBuf,
    #[command(flatten)]
    machine: environment::Flags,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Ending> {
    let experiment = described(args)?;
    if args.print {
        say(serde_json::to_string_pretty(experiment.explicit())?)?;
        return Ok(Ending::Done);
    }
    let machine = Machine::set_up(&args.machine)?;
    let plan = experiment.experiment();
    let data = DataDir::new(&args.data).load(&plan.dataset, &plan.features)?;
    let archive = Archive::new(&args.out);
    let previous = if args.fresh { None } else { archive.find(&experiment)? };
    let previous = on_same_data(previous, &data);

    say(format!(
        "{}  (experiment {}; {} graphs, {} features)",
        experiment.name(),
        experiment.hash(),
        data.len(),
        data.info().features
    ))?;
    if let Some(previous) = &previous {
        resumes(previous, &machine);
    }
    let mut progress = Progress::new(Interrupt::install()?);
    let lines = progress.lines();
    let open = open_runs(&experiment, previous.as_ref());
    let work = Work { kind: "", units: 1.0, abreast: machine.abreast(open) };
    progress.plan(work, open * plan.train.epochs);
    progress.begin(&experiment.name(), work);

    let mut shown = Shown::new(lines, previous.as_ref());
    let ran =
        archive.run(&experiment, &data, &machine, previous, &mut |record| shown.more(record), &mut progress);
    drop(progress);
    let record = match ran {
        Ok(record) => record,
        Err(RunError::Interrupted) => {
            match archive.path(&experiment)? {
                path if path.exists() => eprintln!("interrupted; finished runs are in {}", path.display()),
                _ => eprintln!("interrupted before a run had finished"),
            }
            eprintln!("the same command goes on from there");
            return Ok(Ending::Interrupted);
        }
        Err(error) => return Err(error.into()),
    };
    say(format!("\n{}", summary(&record, &blind(&data, &plan.task, &plan.protocol, plan.seed)?)))?;
    say(format!("record: {}", archive.path(&experiment)?.display()))?;
    Ok(if is_complete(&record) { Ending::Done } else { Ending::Failed })
}

/// The experiment of the file or of the flags, with its changes and with an id.
fn described(args: &Args) -> Result<Checked> {
    let mut experiment = match &args.experiment {
        Some(named) => experiments::named(named)?,
        None => args.flags.experiment()?,
    };
    for change in &args.set {
        experiment = flags::set(&experiment, change)?;
    }
    if experiment.experiment().id.is_empty() {
        experiment = experiment.with("id", flags::id(&format!("train/{}", experiment.name())))?;
    }
    Ok(experiment)
}

/// Says what is there already, and whether it was made elsewhere.
fn resumes(previous: &Record, machine: &Machine) {
    let done = previous.runs.len() - previous.failures().count();
    eprintln!("{done} of {} runs are recorded (--fresh runs them again)", previous.planned);
    let (there, here) = (&previous.environment, machine.environment());
    let facts = [
        ("device", &there.device, &here.device),
        ("threads", &there.threads.to_string(), &here.threads.to_string()),
        ("LibTorch", &there.libtorch, &here.libtorch),
        ("version", &there.version, &here.version),
    ];
    for (what, there, here) in facts.into_iter().filter(|(_, there, here)| there != here) {
        eprintln!("note: they were made with {what} {there}, here it is {here}");
    }
}

/// Prints each run once.
struct Shown {
    lines: Lines,
    indices: std::collections::BTreeSet<u32>,
}

impl Shown {
    /// Begins with the finished runs of an earlier record.
    fn new(lines: Lines, previous: Option<&Record>) -> Self {
        let mut shown = Self { lines, indices: std::collections::BTreeSet::new() };
        if let Some(previous) = previous {
            let failed: Vec<u32> = previous.failures().map(|(index, _)| index).collect();
            shown.indices.extend(failed.iter().copied());
            shown.more(previous);
            for index in failed {
                shown.indices.remove(&index);
            }
        }
        shown
    }

    fn more(&mut self, record: &Record) {
        for run in &record.runs {
            if self.indices.insert(run.index) {
                self.lines.out(&run_line(record, run));
            }
        }
    }
}

/// The numbers by the honest and the published rule, and the yardstick.
fn summary(record: &Record, blind: &[f64]) -> String {
    let unit = record.metric.unit();
    let number = |value: f64| format!("{:.*}", unit.decimals(), unit.scale(value));
    let shown = |summary: Summary| {
        let std = summary.std.map_or(String::new(), |std| format!(" ± {}", number(std)));
        let sign = if unit.sign().is_empty() { String::new() } else { format!(" {}", unit.sign()) };
        format!("{}{std}{sign} ({})", number(summary.mean), summary.n)
    };
    let mut lines = Vec::new();
    for rule in [Rule::Honest, Rule::MaxOfMeanCurve] {
        let value = record.score(rule).map_or_else(|error| format!("– ({error})"), shown);
        lines.push(format!("{:<18} {value:<22} {}", rule.name(), rule.description()));
    }
    let reference = Summary::of(blind).map_or(String::new(), shown);
    let (name, answer) = match record.metric {
        Metric::Accuracy => ("majority class", "always the commonest class of the training set"),
        Metric::RocAuc => ("one score for all", "samples are not told apart"),
        Metric::Mae => ("median", "always the median of the training set"),
    };
    lines.push(format!("{name:<18} {reference:<22} {answer}"));
    lines.join("\n")
}

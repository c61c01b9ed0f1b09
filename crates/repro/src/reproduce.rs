//! `coarsen reproduce`: what is missing of a suite is trained, then its tables are printed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use coarsen_eval::{Curves, Outcome, Record, Rule, Run};
use coarsen_graph::{DataDir, Dataset, Error, InMemory};
use coarsen_train::{Checked, RunError, blind};

use crate::Ending;
use crate::environment::{self, Machine};
use crate::interrupt::Interrupt;
use crate::output::say;
use crate::page;
use crate::plan::{Choice, ColumnPlan, Extent, Plan};
use crate::progress::{Progress, Work};
use crate::suite::{self, Library, Method};
use crate::tables;
use crate::workplace::{Archive, is_complete, on_same_data, open_runs};

/// Arguments of `coarsen reproduce`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coarsen reproduce                               MUTAG and PROTEINS, three seeds: minutes
  coarsen reproduce --builtin                     the same on generated data: needs no files
  coarsen reproduce --suite full --device cuda    the papers' protocols
  coarsen reproduce --render                      the tables of the records that are there

Experiments that are recorded under FOLDER/records are not run again; the tables are written to
FOLDER/SUITE.md and FOLDER/SUITE.html (SUITE-builtin with --builtin, SUITE-smoke with --smoke). Ctrl-C stops after the running
epoch: the same command goes on with the runs it interrupted.
Exit status: 0, or 1 if a cell of a table failed, or 130 if interrupted.")]
pub(crate) struct Args {
    /// Which experiments
    #[arg(long, value_enum, default_value_t = suite::Name::Quick, value_name = "SUITE")]
    suite: suite::Name,
    /// Use generated data: no files are needed, and nothing published can stand beside its numbers
    #[arg(long)]
    builtin: bool,
    /// Seeds of each experiment on random splits, in place of the suite's number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    seeds: Option<u32>,
    /// Two epochs of one split of each experiment, to see that everything runs; the numbers mean nothing
    #[arg(long)]
    smoke: bool,
    /// Train nothing: print the tables of the records that are there
    #[arg(long)]
    render: bool,
    /// The folder of the data sets: NAME.zip or NAME/ in its folder `raw`
    #[arg(long, value_name = "FOLDER", default_value = "data")]
    data: PathBuf,
    /// The folder of the results
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    out: PathBuf,
    #[command(flatten)]
    machine: environment::Flags,
}

/// What is known of the experiments of a plan, by their hashes.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) records: BTreeMap<String, Record>,
    /// Why an experiment has no record although it was tried.
    pub(crate) problems: BTreeMap<String, String>,
    /// Data sets that are not there.
    pub(crate) absent: BTreeMap<String, String>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Ending> {
    let extent = if args.smoke { Extent::Glance } else { Extent::Whole };
    let plan = Plan::new(Choice { suite: args.suite, builtin: args.builtin, seeds: args.seeds, extent })?;
    let library = Library::open()?;
    if plan.builtin {
        eprintln!("GENERATED DATA: this runs on built-in data sets; no published numbers exist for them.");
    }
    let archive = Archive::new(&args.out);
    let mut results = Results::default();
    for experiment in plan.all() {
        if let Some(record) = archive.find(experiment)? {
            results.records.insert(experiment.hash().to_owned(), record);
        }
    }
    if !args.render {
        let machine = Machine::set_up(&args.machine)?;
        let interrupt = Interrupt::install()?;
        let mut runner = Runner {
            archive: &archive,
            machine,
            data: DataDir::new(&args.data),
            progress: Progress::new(interrupt.clone()),
            results: &mut results,
        };
        runner.announce(&plan);
        let finished = runner.all(&plan)?;
        drop(runner);
        if !finished || interrupt.asked() {
            let recorded = |e: &&Checked| results.records.get(e.hash()).is_some_and(is_complete);
            eprintln!(
                "interrupted: {} of {} experiments are recorded in {}; the same command goes on from there",
                plan.trained().filter(recorded).count(),
                plan.trained().count(),
                archive.root().display()
            );
            return Ok(Ending::Interrupted);
        }
    }
    if results.records.is_empty() && results.problems.is_empty() {
        let absent: Vec<&str> = results.absent.values().map(String::as_str).collect();
        match absent.as_slice() {
            [] => bail!("there are no records of the suite {} in {}", plan.name, archive.root().display()),
            absent => bail!("no data set is there (--builtin needs none):\n  {}", absent.join("\n  ")),
        }
    }
    let tables = tables::tables(&plan, &results, &library)?;
    for table in &tables {
        say(table.to_text())?;
    }
    let written = page::write(&plan, &results, &tables, &args.out, &command(args))?;
    eprintln!("written: {}; records in {}", written.join(", "), archive.root().display());
    Ok(ending(&plan, &results))
}

/// Whether every experiment that was tried has a number.
fn ending(plan: &Plan, results: &Results) -> Ending {
    let failed = |experiment: &Checked| match results.records.get(experiment.hash()) {
        Some(record) => record.score(Rule::LastEpoch).is_err(),
        None => results.problems.contains_key(experiment.hash()),
    };
    if plan.all().any(failed) { Ending::Failed } else { Ending::Done }
}

/// The command that makes the same tables again.
fn command(args: &Args) -> String {
    let builtin = if args.builtin { " --builtin" } else { "" };
    let smoke = if args.smoke { " --smoke" } else { "" };
    let seeds = args.seeds.map_or(String::new(), |seeds| format!(" --seeds {seeds}"));
    format!("coarsen reproduce --suite {}{builtin}{smoke}{seeds}", args.suite.text())
}

/// Trains what is missing.
struct Runner<'a> {
    archive: &'a Archive,
    machine: Machine,
    data: DataDir,
    progress: Progress,
    results: &'a mut Results,
}

impl Runner<'_> {
    /// Runs of an experiment that are to be trained.
    fn open(&self, experiment: &Checked) -> u32 {
        open_runs(experiment, self.results.records.get(experiment.hash()))
    }

    /// What an epoch of an experiment costs; all experiments of a method go at one pace.
    fn work<'a>(&self, column: &ColumnPlan, method: &'a Method, experiment: &Checked) -> Work<'a> {
        Work { kind: &method.key, units: column.cost(), abreast: self.machine.abreast(self.open(experiment)) }
    }

    /// Epochs of an experiment that are to be trained, at most.
    fn epochs(&self, experiment: &Checked) -> u32 {
        self.open(experiment) * experiment.experiment().train.epochs
    }

    /// Tells the bar about all open work.
    fn announce(&mut self, plan: &Plan) {
        let open = plan.trained().filter(|experiment| self.open(experiment) > 0).count();
        eprintln!("{}: {} experiments, {open} of them to run", plan.name, plan.trained().count());
        for table in &plan.tables {
            for column in &table.columns {
                for (method, experiment) in table.methods.iter().zip(&column.experiments) {
                    let work = self.work(column, method, experiment);
                    self.progress.plan(work, self.epochs(experiment));
                }
            }
        }
    }

    /// Runs every column; `false` when interrupted.
    fn all(&mut self, plan: &Plan) -> Result<bool> {
        for table in &plan.tables {
            for column in &table.columns {
                if column.all().all(|experiment| self.open(experiment) == 0) {
                    continue;
                }
                let Some(data) = self.load(column, &table.methods) else { continue };
                self.majority(column, &data)?;
                for (method, experiment) in table.methods.iter().zip(&column.experiments) {
                    if self.open(experiment) > 0 && !self.experiment(column, method, experiment, &data)? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// The data of a column, or the reason why not, kept.
    fn load(&mut self, column: &ColumnPlan, methods: &[Method]) -> Option<InMemory> {
        let rule = &column.experiments.first()?.experiment().features;
        let name = &column.column.dataset;
        let error = match self.data.load(name, rule) {
            Ok(data) => return Some(data),
            Err(error) => error,
        };
        self.progress.lines().err(&format!("NOT RUN: {error}"));
        for (method, experiment) in methods.iter().zip(&column.experiments) {
            let work = self.work(column, method, experiment);
            self.progress.forgo(work, self.epochs(experiment));
        }
        match error {
            Error::NoData { .. } => {
                self.results.absent.insert(name.clone(), error.to_string());
            }
            error => {
                for experiment in column.all() {
                    self.results.problems.insert(experiment.hash().to_owned(), error.to_string());
                }
            }
        }
        None
    }

    /// Records the yardstick.
    fn majority(&mut self, column: &ColumnPlan, data: &dyn Dataset) -> Result<()> {
        let experiment = &column.majority;
        if self.open(experiment) == 0 {
            return Ok(());
        }
        let plan = experiment.experiment();
        let values = match blind(data, &plan.task, &plan.protocol, plan.seed) {
            Ok(values) => values,
            Err(error) => {
                self.results.problems.insert(experiment.hash().to_owned(), error.to_string());
                return Ok(());
            }
        };
        let words = experiment.explicit().clone();
        let environment = self.machine.environment();
        let mut record = Record::new(words, plan.task.metric(), values.len() as u32, environment)
            .on_data(&data.info().content_hash);
        for (index, value) in (0..).zip(values) {
            // Nothing was trained and nothing selected: one epoch that has a test value alone.
            let curves = Curves {
                train_loss: vec![f64::NAN],
                valid: vec![f64::NAN],
                test: vec![value],
                ..Curves::default()
            };
            let seed = coarsen_eval::stream(plan.seed, "run", index.into());
            record.put(Run { index, seed, outcome: Outcome::Done { curves, epochs: 1, seconds: 0.0 } });
        }
        self.archive.keep(&record)?;
        self.results.records.insert(experiment.hash().to_owned(), record);
        Ok(())
    }

    /// Runs one experiment; `false` when interrupted.
    fn experiment(
        &mut self,
        column: &ColumnPlan,
        method: &Method,
        experiment: &Checked,
        data: &InMemory,
    ) -> Result<bool> {
        let title = format!("{}  {}", column.column.dataset, method.name);
        let work = self.work(column, method, experiment);
        self.progress.begin(&title, work);
        let previous = on_same_data(self.results.records.remove(experiment.hash()), data);
        let mut last = previous.clone();
        let ran = self.archive.run(
            experiment,
            data,
            &self.machine,
            previous,
            &mut |record| last = Some(record.clone()),
            &mut self.progress,
        );
        let line = match &ran {
            Ok(record) => tables::outcome(record, experiment),
            Err(error) => format!("failed: {error}"),
        };
        let kept = match ran {
            Ok(record) => Some(record),
            Err(RunError::Interrupted) => {
                self.results.records.extend(last.map(|record| (experiment.hash().to_owned(), record)));
                return Ok(false);
            }
            Err(error @ RunError::Save(_)) => return Err(error.into()),
            Err(error) => {
                self.results.problems.insert(experiment.hash().to_owned(), error.to_string());
                last
            }
        };
        self.results.records.extend(kept.map(|record| (experiment.hash().to_owned(), record)));
        self.progress.lines().err(&format!("{title:<34}  {line}"));
        Ok(true)
    }
}

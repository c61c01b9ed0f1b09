//! Progress on stderr: a bar with the time left on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use coarsen_eval::Run;
use coarsen_train::{EpochScores, Observer};
use indicatif::{ProgressBar, ProgressStyle};

use crate::estimate::{Estimate, rough};
use crate::interrupt::Interrupt;
use crate::output::say;

/// Steps of the bar.
const STEPS: u64 = 1000;
/// Where there is no bar, something is said at least this often.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Watches experiments, one after the other, and says how far they are.
pub(crate) struct Progress {
    lines: Lines,
    estimate: Estimate,
    interrupt: Interrupt,
    now: Experiment,
    said: Instant,
}

/// The experiment whose runs go on.
#[derive(Default)]
struct Experiment {
    name: String,
    kind: String,
    /// Cost of an epoch.
    units: f64,
    abreast: f64,
    runs: u32,
    epochs: u32,
    /// The epoch of every run that goes on.
    epoch: BTreeMap<u32, u32>,
}

/// A kind of work that goes at one pace, and how many units of it an epoch is. Where runs go side by side, an epoch of one of
/// them is that much less of the wall-clock time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) kind: &'a str,
    pub(crate) units: f64,
    pub(crate) abreast: f64,
}

/// Lines of text that do not tear the bar.
#[derive(Clone)]
pub(crate) struct Lines(Option<ProgressBar>);

impl Lines {
    /// A line on stdout. A run goes on when nobody can read it: its record says the same.
    pub(crate) fn out(&self, line: &str) {
        self.aside(|| drop(say(line)));
    }

    /// A line on stderr.
    pub(crate) fn err(&self, line: &str) {
        self.aside(|| eprintln!("{line}"));
    }

    fn aside(&self, print: impl FnOnce()) {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Progress {
    pub(crate) fn new(interrupt: Interrupt) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(STEPS);
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3} %  {wide_msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self {
            lines: Lines(bar),
            estimate: Estimate::default(),
            interrupt,
            now: Experiment::default(),
            said: Instant::now(),
        }
    }

    /// Where lines go meanwhile.
    pub(crate) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Announces work: so many epochs.
    pub(crate) fn plan(&mut self, work: Work, epochs: u32) {
        self.estimate.plan(work.kind, f64::from(epochs) * work.units / work.abreast);
    }

    /// Announced work that will not be done.
    pub(crate) fn forgo(&mut self, work: Work, epochs: u32) {
        self.estimate.forgo(work.kind, f64::from(epochs) * work.units / work.abreast);
    }

    /// The experiment that comes now.
    pub(crate) fn begin(&mut self, name: &str, work: Work) {
        self.now = Experiment {
            name: name.to_owned(),
            kind: work.kind.to_owned(),
            units: work.units,
            abreast: work.abreast,
            ..Experiment::default()
        };
    }

    /// `NAME  run 1+2 of 3  epoch 13+12 of 25  loss 0.652  valid 0.712  about 3 min left`.
    fn message(&self, scores: &EpochScores) -> String {
        let Experiment { name, runs, epochs, epoch, .. } = &self.now;
        let joined = |numbers: Vec<String>| numbers.join("+");
        let run = joined(epoch.keys().map(|run| (run + 1).to_string()).collect());
        let epoch = joined(epoch.values().map(u32::to_string).collect());
        let left = self.estimate.left().map_or(String::new(), |left| format!("  about {} left", rough(left)));
        format!(
            "{name}  run {run} of {runs}  epoch {epoch} of {epochs}  loss {:.3}  valid {:.3}{left}",
            scores.loss, scores.valid
        )
    }

    fn show(&mut self, message: &str) {
        match &self.lines.0 {
            Some(bar) => {
                bar.set_position((self.estimate.fraction() * STEPS as f64) as u64);
                bar.set_message(message.to_owned());
            }
            None if self.said.elapsed() >= HEARTBEAT => {
                eprintln!("{:3.0} %  {message}", 100.0 * self.estimate.fraction());
                self.said = Instant::now();
            }
            None => {}
        }
    }
}

impl Observer for Progress {
    fn run_started(&mut self, run: u32, runs: u32, epochs: u32) {
        (self.now.runs, self.now.epochs) = (runs, epochs);
        self.now.epoch.insert(run, 0);
    }

    fn epoch(&mut self, run: u32, epoch: u32, scores: &EpochScores) {
        self.now.epoch.insert(run, epoch);
        let Experiment { kind, units, abreast, .. } = &self.now;
        self.estimate.done(kind, units / abreast, scores.seconds / abreast);
        let message = self.message(scores);
        self.show(&message);
    }

    fn run_finished(&mut self, run: &Run) {
        let reached = self.now.epoch.remove(&run.index).unwrap_or(0);
        let forgone = f64::from(self.now.epochs.saturating_sub(reached));
        self.estimate.forgo(&self.now.kind, forgone * self.now.units / self.now.abreast);
    }

    fn interrupted(&self) -> bool {
        self.interrupt.asked()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.lines.0 {
            bar.finish_and_clear();
        }
    }
}

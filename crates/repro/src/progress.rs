//! Progress on stderr: a bar with the time left on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use coarsen_eval::{Outcome, Run};
use coarsen_train::{EpochScores, Observer};
use indicatif::{ProgressBar, ProgressStyle};

use crate::estimate::{Estimate, rough};
use crate::interrupt::Interrupt;

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

/// The experiment that runs.
#[derive(Default)]
struct Experiment {
    name: String,
    kind: String,
    /// Cost of an epoch.
    units: f64,
    run: String,
    epochs: u32,
    epoch: u32,
}

/// Lines of text that do not tear the bar.
#[derive(Clone)]
pub(crate) struct Lines(Option<ProgressBar>);

impl Lines {
    /// A line on stdout.
    pub(crate) fn out(&self, line: &str) {
        self.aside(|| println!("{line}"));
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

    /// Announces work: so many epochs that cost `units` each. Work of one `kind` goes at one pace.
    pub(crate) fn plan(&mut self, kind: &str, epochs: u32, units: f64) {
        self.estimate.plan(kind, f64::from(epochs) * units);
    }

    /// The experiment that comes now, with what [`plan`](Self::plan) was told.
    pub(crate) fn begin(&mut self, name: &str, kind: &str, units: f64) {
        self.now =
            Experiment { name: name.to_owned(), kind: kind.to_owned(), units, ..Experiment::default() };
    }

    /// Announced work that will not be done.
    pub(crate) fn forgo(&mut self, kind: &str, epochs: u32, units: f64) {
        self.estimate.forgo(kind, f64::from(epochs) * units);
    }

    /// `3 min left`, or nothing.
    fn left(&self) -> String {
        self.estimate.left().map_or(String::new(), |left| format!("about {} left", rough(left)))
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
        self.now.run = format!("run {}/{runs}", run + 1);
        (self.now.epochs, self.now.epoch) = (epochs, 0);
    }

    fn epoch(&mut self, _run: u32, epoch: u32, scores: &EpochScores) {
        self.now.epoch = epoch;
        self.estimate.done(&self.now.kind, self.now.units, scores.seconds);
        let Experiment { name, run, epochs, .. } = &self.now;
        let message = format!(
            "{name}  {run}  epoch {epoch}/{epochs}  loss {:.3}  valid {:.3}  {}",
            scores.loss,
            scores.valid,
            self.left()
        );
        self.show(&message);
    }

    fn run_finished(&mut self, run: &Run) {
        let reached = match &run.outcome {
            Outcome::Done { epochs, .. } => *epochs,
            Outcome::Failed { .. } => self.now.epoch,
        };
        let forgone = self.now.epochs.saturating_sub(reached);
        self.estimate.forgo(&self.now.kind, f64::from(forgone) * self.now.units);
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

//! Who watches a run.

use coarsen_eval::Run;

/// What was measured in one epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochScores {
    /// Mean training loss, auxiliary losses included.
    pub loss: f64,
    /// Metric of the passes that trained: dropout is on, and the parameters move meanwhile.
    pub train: f64,
    /// Metric on the validation samples.
    pub valid: f64,
    /// Metric on the test samples. It decides nothing.
    pub test: f64,
    /// Wall-clock time of the epoch with its evaluations.
    pub seconds: f64,
}

/// Sees runs as they go, and may end them. Runs may go side by side: every call names its run.
pub trait Observer {
    /// Run `run` of `runs` begins, with at most `epochs` epochs.
    fn run_started(&mut self, _run: u32, _runs: u32, _epochs: u32) {}

    /// Epoch `epoch` (counted from 1) of run `run` has ended.
    fn epoch(&mut self, _run: u32, _epoch: u32, _scores: &EpochScores) {}

    /// A run has ended, well or not.
    fn run_finished(&mut self, _run: &Run) {}

    /// Should training end after the running epoch?
    fn interrupted(&self) -> bool {
        false
    }
}

/// Sees nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

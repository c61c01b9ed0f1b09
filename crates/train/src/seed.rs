//! The random streams of a run, one per use.

use coarsen_eval::stream;

/// One seed per use, all derived from the experiment's seed and the run's index: adding a consumer of randomness shifts no
/// other, and a control shares every stream with its learned twin.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    seed: u64,
    run: u64,
}

impl Streams {
    /// The streams of run `run` of an experiment.
    pub fn new(seed: u64, run: u32) -> Self {
        Self { seed, run: u64::from(run) }
    }

    /// Initial parameters; each parameter has its own stream below this one, by its name.
    pub fn init(self) -> u64 {
        stream(self.seed, "init", self.run)
    }

    /// The order of the training samples in an epoch.
    pub fn shuffle(self, epoch: u32) -> u64 {
        stream(stream(self.seed, "shuffle", self.run), "epoch", u64::from(epoch))
    }

    /// Pairs of nodes that are not joined, drawn anew in an epoch.
    pub fn negatives(self, epoch: u32) -> u64 {
        stream(stream(self.seed, "negatives", self.run), "epoch", u64::from(epoch))
    }

    /// Dropout in a training step.
    pub fn dropout(self, step: u64) -> u64 {
        stream(stream(self.seed, "dropout", self.run), "step", step)
    }

    /// Host clustering of the training samples in an epoch.
    pub fn cluster(self, epoch: u32) -> u64 {
        stream(stream(self.seed, "cluster", self.run), "epoch", u64::from(epoch))
    }

    /// Host clustering of samples that are evaluated: the same in every epoch.
    pub fn cluster_eval(self) -> u64 {
        stream(self.seed, "cluster", self.run)
    }
}

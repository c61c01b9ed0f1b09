//! What can keep an experiment from becoming a record.

use coarsen_nn::ConfigError;

/// An error of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The experiment is not one.
    #[error("experiment: {0}")]
    Parse(String),
    /// A value of the experiment breaks its rule.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The protocol cannot be followed with this data.
    #[error(transparent)]
    Protocol(#[from] coarsen_eval::Error),
    /// The data set does not fit the task.
    #[error("{dataset}: {rule}, got {got}")]
    Data {
        /// The data set.
        dataset: String,
        /// What the task needs.
        rule: &'static str,
        /// What there is.
        got: String,
    },
    /// The loss left the finite numbers: the run has failed, and is recorded as failed.
    #[error("the training loss is {loss} in epoch {epoch}: try a lower `lr` or a `clip_norm`")]
    Diverged {
        /// The epoch, counted from 1.
        epoch: u32,
        /// The loss.
        loss: f64,
    },
    /// LibTorch failed in a step.
    #[error("LibTorch: {0}")]
    Torch(#[from] tch::TchError),
    /// The optimiser failed.
    #[error(transparent)]
    Step(#[from] coarsen_tensor::Error),
    /// The observer asked to stop. Finished runs were saved.
    #[error("interrupted; finished runs are kept and the same command goes on from there")]
    Interrupted,
    /// A record could not be kept.
    #[error("the record could not be saved: {0}")]
    Save(String),
}

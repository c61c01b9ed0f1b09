//! What can be wrong with an evaluation.

use std::path::PathBuf;

/// Every failure of this crate; each message names the thing, the rule and the value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of a configuration is out of its range.
    #[error("{thing}: `{field}` must be {rule}, got {got}")]
    Config {
        /// What is configured, as in `k-fold`.
        thing: &'static str,
        /// The field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
        /// What it is.
        got: String,
    },
    /// A protocol leaves a part of a split without samples.
    #[error(
        "{protocol} of {samples} samples leaves {train} to train, {valid} to validate and {test} to test; each part needs one"
    )]
    TooFewSamples {
        /// The kind of protocol.
        protocol: &'static str,
        /// Samples of the data set.
        samples: usize,
        /// Samples left to train.
        train: usize,
        /// Samples left to validate.
        valid: usize,
        /// Samples left to test.
        test: usize,
    },
    /// Predictions and targets do not belong together.
    #[error("{metric}: {predictions} predictions for {targets} targets")]
    Lengths {
        /// The metric.
        metric: &'static str,
        /// Number of predictions.
        predictions: usize,
        /// Number of targets.
        targets: usize,
    },
    /// A metric of nothing.
    #[error("{metric} of no samples")]
    NoSamples {
        /// The metric.
        metric: &'static str,
    },
    /// The area under the ROC curve needs both classes.
    #[error("roc-auc needs both classes, got {positive} positive and {negative} negative samples")]
    OneClass {
        /// Positive samples.
        positive: usize,
        /// Negative samples.
        negative: usize,
    },
    /// Two sets of runs have no common pairing.
    #[error("runs cannot be paired: {reason}")]
    Unpaired {
        /// The first difference found.
        reason: String,
    },
    /// A run of a record failed, so the record has no score.
    #[error("run {index} failed: {error}")]
    FailedRun {
        /// The run.
        index: u32,
        /// Its error, as recorded.
        error: String,
    },
    /// A record lacks runs, so it has no score yet.
    #[error("{done} of {planned} runs are recorded")]
    Incomplete {
        /// Runs in the record.
        done: usize,
        /// Runs the protocol asks for.
        planned: u32,
    },
    /// No epoch satisfies a selection rule.
    #[error("rule `{rule}` selects no epoch: {reason}")]
    NoEpoch {
        /// The rule.
        rule: &'static str,
        /// Why not.
        reason: String,
    },
    /// An experiment id cannot be a path of a record.
    #[error(
        "experiment id `{id}` must be names of [A-Za-z0-9._-] joined by `/`, none of them starting with a dot"
    )]
    Id {
        /// The id.
        id: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: std::io::Error,
    },
    /// A file is there, but is not what it should be. The caller decides whether to move it aside.
    #[error("{}: not a {expected}: {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// `record` or `published paper`.
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

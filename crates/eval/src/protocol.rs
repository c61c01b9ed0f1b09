//! Protocols: how samples become training, validation and test sets.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::draw::Draw;
use crate::{Error, stream};

/// How an experiment splits its data, and how often.
///
/// The default is AdamGNN's graph classification: 80/10/10, ten times, not stratified.
///
/// # Examples
///
/// ```
/// use coarsen_eval::Protocol;
/// let splits = Protocol::default().splits(&[0; 188], 0)?;
/// assert_eq!(splits.len(), 10);
/// assert_eq!((splits[0].train.len(), splits[0].valid.len(), splits[0].test.len()), (150, 19, 19));
/// # Ok::<(), coarsen_eval::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Protocol {
    /// Independent random splits. Shuffle; the first `⌈test·n⌉` samples test, the next `⌈valid·n⌉` validate, the rest train
    /// (the first `⌊train·n⌋` of the rest, where the three fractions sum to less than one).
    Holdout {
        /// Fraction that trains.
        #[serde(default = "most")]
        train: f64,
        /// Fraction that validates.
        #[serde(default = "tenth")]
        valid: f64,
        /// Fraction that tests.
        #[serde(default = "tenth")]
        test: f64,
        /// Number of splits.
        #[serde(default = "ten")]
        repeats: u32,
        /// Whether every part keeps the proportions of the classes.
        #[serde(default)]
        stratified: bool,
    },
    /// Cross-validation: every sample tests once a repeat. Sizes of folds differ by at most one.
    KFold {
        /// Number of folds.
        folds: u32,
        /// Where the validation samples come from.
        valid: ValidFrom,
        /// Number of independent partitions into folds.
        #[serde(default = "one")]
        repeats: u32,
        /// Whether every fold keeps the proportions of the classes.
        #[serde(default)]
        stratified: bool,
    },
}

/// Where the validation samples of a cross-validation come from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ValidFrom {
    /// They are the test fold: `DiffPool`'s published protocol. A number selected on it is not an estimate of anything unseen.
    Test,
    /// They are the next fold.
    NextFold,
    /// They are drawn from the training folds: the first `⌈fraction·rest⌉` after a shuffle.
    Inner {
        /// Fraction of the samples outside the test fold.
        fraction: f64,
    },
}

/// The samples of one run, each part ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The run: `0 .. protocol.folds()`.
    pub index: u32,
    /// The seed of everything else that is random in this run: `stream(seed, "run", index)`.
    pub seed: u64,
    /// Samples to train on.
    pub train: Vec<usize>,
    /// Samples to select on.
    pub valid: Vec<usize>,
    /// Samples to report on.
    pub test: Vec<usize>,
}

fn one() -> u32 {
    1
}

fn ten() -> u32 {
    10
}

fn most() -> f64 {
    0.8
}

fn tenth() -> f64 {
    0.1
}

impl Default for Protocol {
    fn default() -> Self {
        Self::Holdout { train: most(), valid: tenth(), test: tenth(), repeats: ten(), stratified: false }
    }
}

impl Protocol {
    /// Whether the fields are in their ranges.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the first field that is not.
    pub fn check(&self) -> Result<(), Error> {
        let thing = self.kind();
        let fault = |field, rule, got: String| Err(Error::Config { thing, field, rule, got });
        let fraction = |field, value: f64| {
            if value > 0.0 && value < 1.0 { Ok(()) } else { fault(field, "in (0, 1)", value.to_string()) }
        };
        let repeats = match *self {
            Self::Holdout { train, valid, test, repeats, .. } => {
                fraction("train", train)?;
                fraction("valid", valid)?;
                fraction("test", test)?;
                let sum = train + valid + test;
                if sum > 1.0 + ROUNDING {
                    return fault("train + valid + test", "at most 1", sum.to_string());
                }
                repeats
            }
            Self::KFold { folds, valid, repeats, .. } => {
                match valid {
                    ValidFrom::Inner { fraction: value } => fraction("valid.inner.fraction", value)?,
                    ValidFrom::NextFold if folds < 3 => {
                        return fault("folds", "at least 3 when the next fold validates", folds.to_string());
                    }
                    ValidFrom::Test | ValidFrom::NextFold => {}
                }
                if folds < 2 {
                    return fault("folds", "at least 2", folds.to_string());
                }
                repeats
            }
        };
        if repeats == 0 {
            return fault("repeats", "at least 1", repeats.to_string());
        }
        Ok(())
    }

    /// Number of runs.
    pub fn folds(&self) -> u32 {
        match *self {
            Self::Holdout { repeats, .. } => repeats,
            Self::KFold { folds, repeats, .. } => folds.saturating_mul(repeats),
        }
    }

    /// Whether the validation samples are the test samples: no number selected on them is honest.
    pub fn validates_on_test(&self) -> bool {
        matches!(self, Self::KFold { valid: ValidFrom::Test, .. })
    }

    /// The splits of all runs, a function of the protocol, the labels and the seed.
    ///
    /// The shuffle of repeat `r` is seeded by `stream(seed, "split", r)`, that of an inner holdout by
    /// `stream(seed, "inner", run)`; both use `ChaCha8`. Only the number of `labels` counts unless the protocol is stratified: a
    /// data set without classes passes zeros.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] as [`Protocol::check`]; [`Error::TooFewSamples`] if a part of a split would be empty.
    pub fn splits(&self, labels: &[u32], seed: u64) -> Result<Vec<Split>, Error> {
        self.check()?;
        let (Self::Holdout { repeats, stratified, .. } | Self::KFold { repeats, stratified, .. }) = *self;
        let draw = if stratified { Draw::Stratified(labels) } else { Draw::Plain };

        let mut splits = Vec::with_capacity(self.folds() as usize);
        for repeat in 0..repeats {
            let order = draw.shuffle((0..labels.len()).collect(), stream(seed, "split", u64::from(repeat)));
            match *self {
                Self::Holdout { train, valid, test, .. } => {
                    let parts = holdout(draw, order, [train, valid, test]);
                    splits.push(self.split(repeat, seed, parts)?);
                }
                Self::KFold { folds, valid, .. } => {
                    for fold in 0..folds {
                        let index = repeat * folds + fold;
                        let inner = stream(seed, "inner", u64::from(index));
                        splits.push(self.split(
                            index,
                            seed,
                            k_fold(draw, &order, folds, fold, valid, inner),
                        )?);
                    }
                }
            }
        }
        Ok(splits)
    }

    /// The splits of samples of which a rule says what may be held out: the nodes or edges of one graph.
    ///
    /// In every repeat `hold` gets all samples in random order, as [`splits`](Self::splits) shuffles them, and the number asked for,
    /// `⌊n (1 − train)⌋` in floating point, as AdamGNN's code has it (of 2405 samples 480 at 0.8). Of those that it gives, which may be
    /// fewer, the first validate, in the proportion of `valid` to `test` and rounded down; the others test, and all else trains.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] as [`Protocol::check`], and unless this is a holdout of all samples that is not stratified;
    /// [`Error::TooFewSamples`] if a part of a split would be empty.
    pub fn held_out(
        &self,
        samples: usize,
        seed: u64,
        mut hold: impl FnMut(&[usize], usize) -> Vec<usize>,
    ) -> Result<Vec<Split>, Error> {
        self.check()?;
        let fault = |field, rule, got: String| Err(Error::Config { thing: self.kind(), field, rule, got });
        let Self::Holdout { train, valid, test, repeats, stratified } = *self else {
            return fault("kind", "holdout, for parts of one graph", self.kind().to_owned());
        };
        if stratified {
            return fault("stratified", "false, for parts of one graph", "true".to_owned());
        }
        if train + valid + test < 1.0 - ROUNDING {
            return fault(
                "train + valid + test",
                "1, for parts of one graph",
                (train + valid + test).to_string(),
            );
        }
        let split = |run: u32| {
            let order = Draw::Plain.shuffle((0..samples).collect(), stream(seed, "split", u64::from(run)));
            let mut valid_part = hold(&order, (samples as f64 * (1.0 - train)) as usize);
            let held: BTreeSet<usize> = valid_part.iter().copied().collect();
            let test_part = valid_part.split_off(round_down(valid / (valid + test), valid_part.len()));
            let rest = (0..samples).filter(|sample| !held.contains(sample)).collect();
            self.split(run, seed, Parts { train: rest, valid: valid_part, test: test_part })
        };
        (0..repeats).map(split).collect()
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Holdout { .. } => "holdout",
            Self::KFold { .. } => "k-fold",
        }
    }

    fn split(&self, index: u32, seed: u64, parts: Parts) -> Result<Split, Error> {
        let Parts { mut train, mut valid, mut test } = parts;
        if train.is_empty() || valid.is_empty() || test.is_empty() {
            let shared = if valid == test { 0 } else { valid.len() };
            return Err(Error::TooFewSamples {
                protocol: self.kind(),
                samples: train.len() + shared + test.len(),
                train: train.len(),
                valid: valid.len(),
                test: test.len(),
            });
        }
        for part in [&mut train, &mut valid, &mut test] {
            part.sort_unstable();
        }
        Ok(Split { index, seed: stream(seed, "run", u64::from(index)), train, valid, test })
    }
}

struct Parts {
    train: Vec<usize>,
    valid: Vec<usize>,
    test: Vec<usize>,
}

/// Cuts shuffled samples into the three parts.
fn holdout(draw: Draw<'_>, mut rest: Vec<usize>, [train, valid, test]: [f64; 3]) -> Parts {
    let n = rest.len();
    let test_size = round_up(test, n);
    let valid_size = round_up(valid, n).min(n - test_size);
    let test_part = draw.take(&mut rest, test_size);
    let valid_part = draw.take(&mut rest, valid_size);
    if train + valid + test < 1.0 - ROUNDING {
        let train_size = round_down(train, n).min(rest.len());
        rest = draw.take(&mut rest, train_size);
    }
    Parts { train: rest, valid: valid_part, test: test_part }
}

/// Deals shuffled samples to the folds in turn; the fold of position `p` is `p mod folds`.
fn k_fold(
    draw: Draw<'_>,
    order: &[usize],
    folds: u32,
    fold: u32,
    valid: ValidFrom,
    inner_seed: u64,
) -> Parts {
    let of =
        |fold: u32| order.iter().skip(fold as usize).step_by(folds as usize).copied().collect::<Vec<_>>();
    let without =
        |out: &[u32]| (0..folds).filter(|fold| !out.contains(fold)).flat_map(of).collect::<Vec<_>>();
    let test = of(fold);
    match valid {
        ValidFrom::Test => Parts { train: without(&[fold]), valid: test.clone(), test },
        ValidFrom::NextFold => {
            let next = (fold + 1) % folds;
            Parts { train: without(&[fold, next]), valid: of(next), test }
        }
        ValidFrom::Inner { fraction } => {
            let mut train = draw.shuffle(without(&[fold]), inner_seed);
            let size = round_up(fraction, train.len());
            let valid = draw.take(&mut train, size);
            Parts { train, valid, test }
        }
    }
}

/// Fractions are written in decimal: `0.1 · 30` must be 3, not the next number above it.
const ROUNDING: f64 = 1e-9;

fn round_up(fraction: f64, n: usize) -> usize {
    ((fraction * n as f64 - ROUNDING).ceil() as usize).min(n)
}

fn round_down(fraction: f64, n: usize) -> usize {
    (fraction * n as f64 + ROUNDING).floor() as usize
}

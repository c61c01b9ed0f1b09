//! Metrics: what a number in a table measures, and how it is computed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Split};

/// What a model is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Fraction of samples whose largest logit is that of their class.
    Accuracy,
    /// Area under the ROC curve.
    RocAuc,
    /// Mean absolute error.
    Mae,
}

/// The unit of numbers in a table. Records hold plain numbers: an accuracy of one half is `0.5` there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Plain numbers times 100.
    Percent,
    /// Plain numbers.
    One,
}

impl Metric {
    /// Whether more is better.
    pub fn higher_is_better(self) -> bool {
        self != Self::Mae
    }

    /// Whether `a` is better than `b`; nothing is better, and nothing is worse, than a NaN.
    pub fn better(self, a: f64, b: f64) -> bool {
        if self.higher_is_better() { a > b } else { a < b }
    }

    /// The name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::RocAuc => "roc-auc",
            Self::Mae => "mae",
        }
    }

    /// The usual unit in tables.
    pub fn unit(self) -> Unit {
        match self {
            Self::Accuracy | Self::RocAuc => Unit::Percent,
            Self::Mae => Unit::One,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Unit {
    /// A plain number in this unit.
    pub fn scale(self, value: f64) -> f64 {
        match self {
            Self::Percent => 100.0 * value,
            Self::One => value,
        }
    }

    /// Decimals that tables print.
    pub fn decimals(self) -> usize {
        match self {
            Self::Percent => 2,
            Self::One => 3,
        }
    }

    /// The sign after a number, or nothing.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Percent => "%",
            Self::One => "",
        }
    }
}

/// The place of the largest entry of a row, the first of equal ones. A NaN is never larger.
pub fn argmax(row: &[f64]) -> usize {
    let mut best = 0;
    for (place, &value) in row.iter().enumerate() {
        if value > row[best] || (row[best].is_nan() && !value.is_nan()) {
            best = place;
        }
    }
    best
}

/// Fraction of rows whose [`argmax`] is their label.
///
/// A NaN among the logits makes the accuracy NaN: a network that diverged predicts nothing.
///
/// # Shapes
///
/// `logits` is `[n, classes]` row after row, `labels` is `[n]`.
///
/// # Errors
///
/// [`Error::Lengths`] if the two do not belong together, [`Error::NoSamples`] if `n` is zero.
///
/// # Examples
///
/// ```
/// use coarsen_eval::metric::accuracy;
/// assert_eq!(accuracy(&[0.2, 0.8, 3.0, 3.0], 2, &[1, 1])?, 0.5); // a tie goes to the first class
/// # Ok::<(), coarsen_eval::Error>(())
/// ```
pub fn accuracy(logits: &[f64], classes: usize, labels: &[u32]) -> Result<f64, Error> {
    let metric = Metric::Accuracy.name();
    let predictions = logits.len().checked_div(classes).unwrap_or(0);
    if predictions != labels.len() || predictions * classes != logits.len() {
        return Err(Error::Lengths { metric, predictions, targets: labels.len() });
    }
    let n = some(metric, labels.len())?;
    if logits.iter().any(|logit| logit.is_nan()) {
        return Ok(f64::NAN);
    }
    let right =
        logits.chunks(classes).zip(labels).filter(|(row, label)| argmax(row) == **label as usize).count();
    Ok(right as f64 / n)
}

/// Area under the ROC curve: the probability that a positive sample scores above a negative one, ties counting one half.
///
/// A NaN among the scores makes the area NaN.
///
/// # Shapes
///
/// `score` and `positive` are `[n]`.
///
/// # Complexity
///
/// `O(n log n)` time: the ranks of the positive samples are summed, equal scores sharing their mean rank.
///
/// # Errors
///
/// [`Error::Lengths`] if the lengths differ, [`Error::NoSamples`] if they are zero, [`Error::OneClass`] if a class is absent.
pub fn roc_auc(score: &[f64], positive: &[bool]) -> Result<f64, Error> {
    let metric = Metric::RocAuc.name();
    if score.len() != positive.len() {
        return Err(Error::Lengths { metric, predictions: score.len(), targets: positive.len() });
    }
    some(metric, score.len())?;
    let positives = positive.iter().filter(|yes| **yes).count();
    let negatives = positive.len() - positives;
    if positives == 0 || negatives == 0 {
        return Err(Error::OneClass { positive: positives, negative: negatives });
    }
    if score.iter().any(|score| score.is_nan()) {
        return Ok(f64::NAN);
    }

    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[a].total_cmp(&score[b]));
    let mut below = 0; // samples with a lower score
    let mut doubled_rank_sum = 0; // an integer, so that the sum is exact
    #[expect(clippy::float_cmp, reason = "a tie is equality")]
    for tied in order.chunk_by(|&a, &b| score[a] == score[b]) {
        let members = tied.iter().filter(|&&sample| positive[sample]).count();
        doubled_rank_sum += members * (2 * below + tied.len() + 1);
        below += tied.len();
    }
    let doubled_wins = doubled_rank_sum - positives * (positives + 1);
    Ok(doubled_wins as f64 / (2.0 * positives as f64 * negatives as f64))
}

/// Mean absolute error.
///
/// # Shapes
///
/// `prediction` and `target` are `[n]`.
///
/// # Errors
///
/// [`Error::Lengths`] if the lengths differ, [`Error::NoSamples`] if they are zero.
pub fn mae(prediction: &[f64], target: &[f64]) -> Result<f64, Error> {
    let metric = Metric::Mae.name();
    if prediction.len() != target.len() {
        return Err(Error::Lengths { metric, predictions: prediction.len(), targets: target.len() });
    }
    let n = some(metric, prediction.len())?;
    Ok(prediction.iter().zip(target).map(|(p, t)| (p - t).abs()).sum::<f64>() / n)
}

/// The accuracy on the test set of always answering the commonest class of the training set (of equal ones the lowest).
///
/// # Errors
///
/// [`Error::NoSamples`] if the training or the test set is empty.
pub fn majority(labels: &[u32], split: &Split) -> Result<f64, Error> {
    let metric = "majority accuracy";
    some(metric, split.train.len())?;
    let n = some(metric, split.test.len())?;
    let mut counts = std::collections::BTreeMap::<u32, usize>::new();
    for &sample in &split.train {
        *counts.entry(labels[sample]).or_default() += 1;
    }
    let commonest = counts.into_iter().max_by_key(|&(class, count)| (count, std::cmp::Reverse(class)));
    let right =
        split.test.iter().filter(|&&sample| commonest.is_some_and(|(class, _)| labels[sample] == class));
    Ok(right.count() as f64 / n)
}

fn some(metric: &'static str, n: usize) -> Result<f64, Error> {
    if n == 0 { Err(Error::NoSamples { metric }) } else { Ok(n as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_logits_wins_and_nan_never_does() {
        assert_eq!(argmax(&[1.0, 2.0, 2.0]), 1);
        assert_eq!(argmax(&[f64::NAN, -1.0, f64::NAN]), 1);
        assert_eq!(argmax(&[f64::NEG_INFINITY, f64::NEG_INFINITY]), 0);
    }

    #[test]
    fn nan_makes_every_metric_nan() {
        assert!(accuracy(&[0.0, f64::NAN], 2, &[0]).unwrap().is_nan());
        assert!(roc_auc(&[0.0, f64::NAN], &[true, false]).unwrap().is_nan());
        assert!(mae(&[0.0, f64::NAN], &[0.0, 0.0]).unwrap().is_nan());
    }

    #[test]
    fn faults_name_their_counts() {
        let message = |result: Result<f64, Error>| result.unwrap_err().to_string();
        assert_eq!(message(accuracy(&[0.0; 5], 2, &[0, 1])), "accuracy: 2 predictions for 2 targets");
        assert_eq!(message(accuracy(&[], 0, &[0])), "accuracy: 0 predictions for 1 targets");
        assert_eq!(message(accuracy(&[], 2, &[])), "accuracy of no samples");
        assert_eq!(message(mae(&[1.0], &[])), "mae: 1 predictions for 0 targets");
        assert_eq!(
            message(roc_auc(&[0.1, 0.2], &[true, true])),
            "roc-auc needs both classes, got 2 positive and 0 negative samples"
        );
    }

    #[test]
    fn the_majority_is_that_of_the_training_set() {
        let labels = [1, 1, 0, 0, 0, 0];
        let split = Split { index: 0, seed: 0, train: vec![0, 1, 2], valid: vec![3], test: vec![1, 4, 5] };
        assert!((majority(&labels, &split).unwrap() - 1.0 / 3.0).abs() < 1e-15);
        let tied = Split { train: vec![0, 2], ..split };
        assert!((majority(&labels, &tied).unwrap() - 2.0 / 3.0).abs() < 1e-15);
    }
}

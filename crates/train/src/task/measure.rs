//! Metrics of tensors, and what they are of answers that do not look at the sample.

use coarsen_eval::{Error, Split, metric};
use tch::{Device, Kind, Tensor};

use crate::error::RunError;

/// Of logits `[n, classes]` and classes `[n]`.
pub(crate) fn accuracy(logits: &Tensor, targets: &Tensor) -> Result<f64, RunError> {
    let classes = logits.size()[1] as usize;
    let labels: Vec<i64> = targets.to_device(Device::Cpu).try_into()?;
    let labels: Vec<u32> = labels.into_iter().map(|c| c as u32).collect();
    Ok(metric::accuracy(&reals(logits)?, classes, &labels)?)
}

/// Of scores and targets `[n]`, 1 for what is positive.
pub(crate) fn roc_auc(scores: &Tensor, targets: &Tensor) -> Result<f64, RunError> {
    let positive: Vec<bool> = reals(targets)?.into_iter().map(|target| target > 0.5).collect();
    Ok(metric::roc_auc(&reals(scores)?, &positive)?)
}

/// Of predictions and targets `[n]`.
pub(crate) fn mae(predictions: &Tensor, targets: &Tensor) -> Result<f64, RunError> {
    Ok(metric::mae(&reals(predictions)?, &reals(targets)?)?)
}

/// The error of always answering the median of the training samples, which has the least there.
pub(crate) fn median_mae(values: &[f32], split: &Split) -> Result<f64, RunError> {
    let of = |part: &[usize]| part.iter().map(|&sample| f64::from(values[sample])).collect::<Vec<_>>();
    let (mut train, test) = (of(&split.train), of(&split.test));
    train.sort_by(f64::total_cmp);
    let middle = train.get(train.len() / 2).ok_or(Error::NoSamples { metric: "median error" })?;
    Ok(metric::mae(&vec![*middle; test.len()], &test)?)
}

fn reals(values: &Tensor) -> Result<Vec<f64>, RunError> {
    Ok(values.to_device(Device::Cpu).to_kind(Kind::Double).reshape(-1).try_into()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_the_training_samples() {
        let split = Split { index: 0, seed: 0, train: vec![0, 1, 2], valid: vec![3], test: vec![3, 4] };
        let error = median_mae(&[5.0, 1.0, 3.0, 7.0, 1.0], &split).expect("samples");
        assert!((error - 3.0).abs() < 1e-12, "{error}");
        let none = Split { train: vec![], ..split };
        assert_eq!(
            median_mae(&[0.0; 5], &none).expect_err("refused").to_string(),
            "median error of no samples"
        );
    }
}

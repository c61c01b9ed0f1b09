//! When training stops before its last epoch.

use coarsen_eval::Metric;

/// Counts epochs without a better validation value.
#[derive(Debug)]
pub(crate) struct EarlyStop {
    metric: Metric,
    patience: Option<u32>,
    best: Option<f64>,
    stale: u32,
}

impl EarlyStop {
    pub(crate) fn new(metric: Metric, patience: Option<u32>) -> Self {
        Self { metric, patience, best: None, stale: 0 }
    }

    /// Notes the validation value of an epoch; `true` when training should stop. A NaN is never better.
    pub(crate) fn stops_after(&mut self, valid: f64) -> bool {
        if !valid.is_nan() && self.best.is_none_or(|best| self.metric.better(valid, best)) {
            self.best = Some(valid);
            self.stale = 0;
        } else {
            self.stale += 1;
        }
        self.patience.is_some_and(|patience| self.stale >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equal_value_is_not_better() {
        let mut stop = EarlyStop::new(Metric::Accuracy, Some(2));
        assert_eq!([0.5, 0.6, 0.6, f64::NAN].map(|v| stop.stops_after(v)), [false, false, false, true]);
        let mut never = EarlyStop::new(Metric::Accuracy, None);
        assert!((0..100).all(|_| !never.stops_after(0.1)));
    }
}

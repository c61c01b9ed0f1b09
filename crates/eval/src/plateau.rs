//! A learning rate that falls when a metric stops improving.

use serde::{Deserialize, Serialize};

use crate::{Error, Metric};

/// Which way a watched value improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Less is better, as for losses.
    Min,
    /// More is better.
    Max,
}

impl From<Metric> for Mode {
    fn from(metric: Metric) -> Self {
        if metric.higher_is_better() { Self::Max } else { Self::Min }
    }
}

/// When and how far a [`Plateau`] lowers the rate; the defaults are `PyTorch`'s.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlateauConfig {
    /// The rate is multiplied by this.
    pub factor: f64,
    /// Steps without improvement that are tolerated: the next one lowers the rate.
    pub patience: u32,
    /// The rate never falls below this.
    pub min_lr: f64,
    /// A value improves when it beats the best one by this fraction of it.
    pub threshold: f64,
}

impl Default for PlateauConfig {
    fn default() -> Self {
        Self { factor: 0.1, patience: 10, min_lr: 0.0, threshold: 1e-4 }
    }
}

impl PlateauConfig {
    /// Whether the fields are in their ranges.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the first field that is not.
    pub fn check(&self) -> Result<(), Error> {
        let fault = |field, rule, got: f64| {
            Err(Error::Config { thing: "plateau", field, rule, got: got.to_string() })
        };
        if !(self.factor > 0.0 && self.factor < 1.0) {
            return fault("factor", "in (0, 1)", self.factor);
        }
        if self.min_lr < 0.0 || self.min_lr.is_nan() {
            return fault("min_lr", "at least 0", self.min_lr);
        }
        if self.threshold < 0.0 || self.threshold.is_nan() {
            return fault("threshold", "at least 0", self.threshold);
        }
        Ok(())
    }
}

/// The schedule of `PyTorch`'s `ReduceLROnPlateau` with a relative threshold and no cooldown.
///
/// # Examples
///
/// ```
/// use coarsen_eval::plateau::{Mode, Plateau, PlateauConfig};
/// let mut plateau = Plateau::new(PlateauConfig { factor: 0.5, patience: 1, ..Default::default() }, Mode::Max, 0.4);
/// let rates: Vec<f64> = [0.7, 0.6, 0.7, 0.8].iter().map(|accuracy| plateau.step(*accuracy)).collect();
/// assert_eq!(rates, [0.4, 0.4, 0.2, 0.2]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Plateau {
    config: PlateauConfig,
    mode: Mode,
    lr: f64,
    best: f64,
    stale: u32,
}

/// Reductions smaller than this are not made.
const EPS: f64 = 1e-8;

impl Plateau {
    /// Starts at a rate.
    pub fn new(config: PlateauConfig, mode: Mode, lr: f64) -> Self {
        let best = match mode {
            Mode::Min => f64::INFINITY,
            Mode::Max => f64::NEG_INFINITY,
        };
        Self { config, mode, lr, best, stale: 0 }
    }

    /// The rate now.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Watches the value of one more epoch and gives the rate of the next. A NaN is no improvement.
    pub fn step(&mut self, value: f64) -> f64 {
        let improved = match self.mode {
            Mode::Min => value < self.best * (1.0 - self.config.threshold),
            Mode::Max => value > self.best * (1.0 + self.config.threshold),
        };
        if improved {
            self.best = value;
            self.stale = 0;
        } else {
            self.stale += 1;
        }
        if self.stale > self.config.patience {
            self.stale = 0;
            let lower = (self.lr * self.config.factor).max(self.config.min_lr);
            if self.lr - lower > EPS {
                self.lr = lower;
            }
        }
        self.lr
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_counts_as_no_improvement() {
        let mut plateau = Plateau::new(PlateauConfig { patience: 0, ..Default::default() }, Mode::Min, 1.0);
        assert!((plateau.step(f64::NAN) - 0.1).abs() < 1e-15);
    }

    #[test]
    fn reductions_that_are_too_small_are_not_made() {
        let config = PlateauConfig { factor: 0.5, patience: 0, ..Default::default() };
        let mut plateau = Plateau::new(config, Mode::Max, 3e-8);
        let rates: Vec<f64> = [f64::NAN; 3].iter().map(|value| plateau.step(*value)).collect();
        assert_eq!(rates, [1.5e-8, 1.5e-8, 1.5e-8]);
    }

    #[test]
    fn fields_out_of_range_are_named() {
        let config = PlateauConfig { factor: 1.0, ..Default::default() };
        assert_eq!(config.check().unwrap_err().to_string(), "plateau: `factor` must be in (0, 1), got 1");
        assert!(PlateauConfig { min_lr: f64::NAN, ..Default::default() }.check().is_err());
        assert!(serde_json::from_str::<PlateauConfig>(r#"{"patienc": 3}"#).is_err());
    }
}

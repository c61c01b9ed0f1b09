//! How a network is trained, as data.

use coarsen_eval::plateau::PlateauConfig;
use coarsen_nn::ConfigError;
use serde::{Deserialize, Serialize};

/// The training part of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// What moves the parameters.
    pub optimizer: Optimizer,
    /// Most epochs that are trained.
    pub epochs: u32,
    /// Graphs per step.
    pub batch: u32,
    /// Epochs without a better validation value after which training stops; `null`: never before the last epoch.
    pub patience: Option<u32>,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Longest gradient, over all parameters together; `null`: any.
    pub clip_norm: Option<f64>,
    /// `δ` of `L + δ L_R`: what the reconstruction of the edges from the rows of the nodes weighs beside the task's loss (AdamGNN, eq. 6).
    /// Link prediction, whose own loss is `L_R`, takes 0 alone.
    pub reconstruction: f64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            optimizer: Optimizer::default(),
            epochs: 100,
            batch: 64,
            patience: None,
            schedule: Schedule::Constant,
            clip_norm: None,
            reconstruction: 0.0,
        }
    }
}

/// What moves the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Optimizer {
    /// Adam (β 0.9 and 0.999, ε 1e-8), weight decay added to the gradient.
    Adam {
        /// Learning rate.
        #[serde(default = "default_lr")]
        lr: f64,
        /// Weight decay.
        #[serde(default)]
        weight_decay: f64,
    },
}

fn default_lr() -> f64 {
    1e-3
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adam { lr: default_lr(), weight_decay: 0.0 }
    }
}

/// How the learning rate changes from epoch to epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// Times `factor` after every `every` epochs.
    Step {
        /// Epochs between two changes.
        every: u32,
        /// What the rate is multiplied with.
        factor: f64,
    },
    /// Times a factor when the validation metric stops improving (PyTorch's `ReduceLROnPlateau`).
    Plateau(PlateauConfig),
}

impl TrainConfig {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        const NAME: &str = "train";
        let fail = |field: &str, rule: &str, got: String| Err(ConfigError::value(NAME, field, rule, got));
        let Optimizer::Adam { lr, weight_decay } = self.optimizer;
        if !(lr > 0.0 && lr.is_finite()) {
            return fail("optimizer.lr", "a positive number", lr.to_string());
        }
        if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
            return fail("optimizer.weight_decay", "0 or a positive number", weight_decay.to_string());
        }
        if self.epochs == 0 {
            return fail("epochs", "at least 1", "0".into());
        }
        if self.batch == 0 {
            return fail("batch", "at least 1", "0".into());
        }
        if self.patience == Some(0) {
            return fail("patience", "at least 1, or null for none", "0".into());
        }
        if let Some(norm) = self.clip_norm.filter(|n| n.is_nan() || *n <= 0.0) {
            return fail("clip_norm", "a positive number, or null for none", norm.to_string());
        }
        if !(self.reconstruction >= 0.0 && self.reconstruction.is_finite()) {
            return fail("reconstruction", "0 or a positive number", self.reconstruction.to_string());
        }
        match self.schedule {
            Schedule::Step { every: 0, .. } => fail("schedule.every", "at least 1", "0".into()),
            Schedule::Step { factor, .. } if !(factor > 0.0 && factor <= 1.0) => {
                fail("schedule.factor", "in (0, 1]", factor.to_string())
            }
            Schedule::Plateau(plateau) => plateau
                .check()
                .map_err(|e| ConfigError::value(NAME, "schedule", "a valid plateau", e.to_string())),
            Schedule::Step { .. } | Schedule::Constant => Ok(()),
        }
    }
}

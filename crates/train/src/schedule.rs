//! The learning rate of every epoch.

use coarsen_eval::Metric;
use coarsen_eval::plateau::Plateau;

use crate::config::Schedule;

/// Gives the learning rate of the next epoch.
#[derive(Debug)]
pub(crate) enum Rate {
    Constant(f64),
    Step { lr: f64, every: u32, factor: f64, epochs: u32 },
    Plateau(Plateau),
}

impl Rate {
    pub(crate) fn new(schedule: Schedule, lr: f64, metric: Metric) -> Self {
        match schedule {
            Schedule::Constant => Self::Constant(lr),
            Schedule::Step { every, factor } => Self::Step { lr, every, factor, epochs: 0 },
            Schedule::Plateau(config) => Self::Plateau(Plateau::new(config, metric.into(), lr)),
        }
    }

    /// The rate after an epoch with this validation value.
    pub(crate) fn after(&mut self, valid: f64) -> f64 {
        match self {
            Self::Constant(lr) => *lr,
            Self::Step { lr, every, factor, epochs } => {
                *epochs += 1;
                *lr * factor.powi((*epochs / *every) as i32)
            }
            Self::Plateau(plateau) => plateau.step(valid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_comes_after_every_so_many_epochs() {
        let mut rate = Rate::new(Schedule::Step { every: 2, factor: 0.5 }, 0.8, Metric::Accuracy);
        let rates: Vec<f64> = (0..5).map(|_| rate.after(0.0)).collect();
        assert_eq!(rates, [0.8, 0.4, 0.4, 0.2, 0.2]);
    }

    #[test]
    fn a_plateau_watches_the_metric_its_own_way_round() {
        let config = coarsen_eval::plateau::PlateauConfig { factor: 0.5, patience: 0, ..Default::default() };
        let mut rate = Rate::new(Schedule::Plateau(config), 1.0, Metric::Mae);
        let rates: Vec<f64> = [3.0, 2.0, 2.5].into_iter().map(|v| rate.after(v)).collect();
        assert_eq!(rates, [1.0, 1.0, 0.5]);
    }
}

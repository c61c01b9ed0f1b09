//! Two groups of parameters: what the task moves, and what an auxiliary loss moves in epochs of its own.

use std::collections::BTreeMap;

use coarsen_model::Schedule;
use coarsen_pool::{Apart, Loss, Moves};
use coarsen_tensor::Adam;
use tch::Tensor;

use crate::error::RunError;
use crate::trainer::Trained;

/// What an epoch descends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Objective {
    /// The task's loss and all auxiliary ones, a step a batch.
    Joint,
    /// The task's loss and all auxiliary ones but this, a step a batch.
    Without(&'static str),
    /// This auxiliary loss alone, one step for the whole epoch.
    Only(&'static str),
}

impl Objective {
    /// That of an epoch, counted from 1.
    pub(crate) fn of(schedule: Schedule, epoch: u32) -> Self {
        match schedule {
            Schedule::Alternating(apart) if epoch.is_multiple_of(apart.every) => Self::Only(apart.loss),
            Schedule::Alternating(apart) => Self::Without(apart.loss),
            _ => Self::Joint,
        }
    }

    /// The auxiliary losses that count.
    pub(crate) fn auxiliaries(self, losses: Vec<Loss>) -> Vec<Loss> {
        let counts = |loss: &Loss| match self {
            Self::Joint => true,
            Self::Without(left_out) => loss.name != left_out,
            Self::Only(alone) => loss.name == alone,
        };
        losses.into_iter().filter(counts).collect()
    }

    /// The loss of the task as far as it counts.
    pub(crate) fn task(self, loss: Tensor) -> Tensor {
        if self.is_apart() { loss.zeros_like() } else { loss }
    }

    /// Whether the epoch is one auxiliary loss's own, with a single step at its end.
    pub(crate) fn is_apart(self) -> bool {
        matches!(self, Self::Only(_))
    }
}

/// The optimisers of a network's parameters, one a group.
#[derive(Debug)]
pub(crate) struct Groups {
    task: Group,
    /// Of the epochs apart, at the first learning rate.
    apart: Option<(Group, f64)>,
}

#[derive(Debug)]
struct Group {
    optimizer: Adam,
    /// Parameters that get gradients in its epochs and are not moved.
    others: Vec<Tensor>,
}

impl Groups {
    pub(crate) fn new(trained: &Trained, schedule: Schedule, weight_decay: f64, lr: f64) -> Self {
        let all = || trained.parameters();
        let adam = |parameters| Adam::new(parameters, weight_decay);
        match schedule {
            Schedule::Alternating(Apart { moves: Moves::Named(name), .. }) => {
                let named: BTreeMap<String, Tensor> = trained.vars.variables().into_iter().collect();
                let trained = named.into_iter().filter(|(_, t)| t.requires_grad());
                let (own, rest): (Vec<_>, Vec<_>) = trained.partition(|(full, _)| last(full) == name);
                let copies =
                    |group: &[(String, Tensor)]| group.iter().map(|(_, t)| t.shallow_clone()).collect();
                let task = Group { optimizer: adam(copies(&rest)), others: copies(&own) };
                let apart = Group { optimizer: adam(copies(&own)), others: copies(&rest) };
                Self { task, apart: Some((apart, lr)) }
            }
            Schedule::Alternating(Apart { moves: Moves::All, .. }) => {
                let group = || Group { optimizer: adam(all()), others: Vec::new() };
                Self { task: group(), apart: Some((group(), lr)) }
            }
            _ => Self { task: Group { optimizer: adam(all()), others: Vec::new() }, apart: None },
        }
    }

    /// A step along the gradients of an epoch with this objective, at rate `lr` where it is the task's. All gradients are dropped.
    pub(crate) fn step(
        &mut self,
        objective: Objective,
        lr: f64,
        clip_norm: Option<f64>,
    ) -> Result<(), RunError> {
        let (group, lr) = match (objective, &mut self.apart) {
            (Objective::Only(_), Some((group, first))) => (group, *first),
            _ => (&mut self.task, lr),
        };
        if let Some(norm) = clip_norm {
            group.optimizer.clip_norm(norm);
        }
        group.optimizer.step(lr)?;
        for parameter in &mut group.others {
            parameter.zero_grad();
        }
        Ok(())
    }
}

/// The last part of a full name.
fn last(full: &str) -> &str {
    full.rsplit('.').next().unwrap_or(full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_pool::Over;

    const APART: Apart = Apart { loss: "kl", every: 5, moves: Moves::Named("keys") };

    #[test]
    fn every_fifth_epoch_is_apart() {
        let apart = |epoch| Objective::of(Schedule::Alternating(APART), epoch) == Objective::Only("kl");
        assert_eq!((1..=11).filter(|&epoch| apart(epoch)).collect::<Vec<_>>(), [5, 10]);
        assert_eq!(Objective::of(Schedule::Joint, 5), Objective::Joint);
    }

    #[test]
    fn a_loss_apart_counts_in_its_own_epochs_alone() {
        let loss = |name| Loss { name, value: Tensor::from(1f32), weight: 1.0, over: Over::Sum, count: 1.0 };
        let of = |objective: Objective| {
            let names =
                objective.auxiliaries(vec![loss("kl"), loss("cut")]).into_iter().map(|loss| loss.name);
            (objective.task(Tensor::from(3f32)).double_value(&[]), names.collect::<Vec<_>>())
        };
        assert_eq!(of(Objective::Joint), (3.0, vec!["kl", "cut"]));
        assert_eq!(of(Objective::Without("kl")), (3.0, vec!["cut"]));
        assert_eq!(of(Objective::Only("kl")), (0.0, vec!["kl"]));
    }
}

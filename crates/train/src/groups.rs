//! Two groups of parameters: what the task moves, and what an auxiliary loss moves in epochs of its own.

use std::collections::BTreeMap;

use coarsen_model::{Output, Schedule};
use coarsen_pool::{Apart, Moves};
use coarsen_tensor::Adam;
use tch::nn::VarStore;
use tch::{Kind, Tensor};

use crate::error::RunError;

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

    /// `L + Σ weight · auxiliary` over the losses that count, without `L` where the task does not.
    pub(crate) fn loss(self, task: Tensor, out: &Output) -> Tensor {
        debug_assert_eq!(task.kind(), Kind::Float, "training is in 32 bit reals");
        let counts = |name| match self {
            Self::Joint => true,
            Self::Without(left_out) => name != left_out,
            Self::Only(alone) => name == alone,
        };
        let start = if let Self::Only(_) = self { task.zeros_like() } else { task };
        let losses = out.losses.iter().filter(|loss| counts(loss.name));
        losses.fold(start, |sum, auxiliary| sum + &auxiliary.value * auxiliary.weight)
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
    pub(crate) fn new(vars: &VarStore, schedule: Schedule, weight_decay: f64, lr: f64) -> Self {
        let all = || vars.trainable_variables();
        let adam = |parameters| Adam::new(parameters, weight_decay);
        match schedule {
            Schedule::Alternating(Apart { moves: Moves::Named(name), .. }) => {
                let named: BTreeMap<String, Tensor> = vars.variables().into_iter().collect();
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
    use coarsen_pool::{Loss, Over};
    use tch::Device;

    const APART: Apart = Apart { loss: "kl", every: 5, moves: Moves::Named("keys") };

    #[test]
    fn every_fifth_epoch_is_apart() {
        let apart = |epoch| Objective::of(Schedule::Alternating(APART), epoch) == Objective::Only("kl");
        assert_eq!((1..=11).filter(|&epoch| apart(epoch)).collect::<Vec<_>>(), [5, 10]);
        assert_eq!(Objective::of(Schedule::Joint, 5), Objective::Joint);
    }

    #[test]
    fn a_loss_apart_counts_in_its_own_epochs_alone() {
        let loss =
            |name, value: f32, weight| Loss { name, value: Tensor::from(value), weight, over: Over::Sum };
        let out = Output { losses: vec![loss("kl", 3.0, 2.0), loss("cut", 0.5, 1.0)], ..Output::default() };
        let of = |objective: Objective| objective.loss(Tensor::from(1f32), &out).double_value(&[]);
        assert_eq!(
            [Objective::Joint, Objective::Without("kl"), Objective::Only("kl")].map(of),
            [7.5, 1.5, 6.0]
        );
    }

    /// `(x + y)²` moves one group or the other, and leaves no gradient behind.
    #[test]
    fn a_step_moves_its_group_alone() {
        for (moves, of_apart) in [(Moves::Named("keys"), [false, true]), (Moves::All, [true, true])] {
            let vars = VarStore::new(Device::Cpu);
            let weight = vars.root().sub("layer").var("weight", &[1], tch::nn::Init::Const(1.0));
            let keys = vars.root().sub("layer").var("keys", &[1], tch::nn::Init::Const(2.0));
            let mut groups = Groups::new(&vars, Schedule::Alternating(Apart { moves, ..APART }), 0.0, 0.1);
            let mut moved = |objective| {
                let before = [weight.copy(), keys.copy()];
                (&weight + &keys).square().sum(None).backward();
                groups.step(objective, 0.1, None).expect("a step");
                let zero = |t: &Tensor| !t.grad().defined() || t.grad().abs().max().double_value(&[]) == 0.0;
                assert!(zero(&weight) && zero(&keys), "gradients are dropped");
                [!weight.equal(&before[0]), !keys.equal(&before[1])]
            };
            assert_eq!(moved(Objective::Only("kl")), of_apart, "{moves:?}");
            let of_task = [true, moves == Moves::All];
            assert_eq!(moved(Objective::Without("kl")), of_task, "{moves:?}");
        }
    }
}

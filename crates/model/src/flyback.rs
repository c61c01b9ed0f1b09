//! AdamGNN's flyback: what each level tells the nodes, weighed by attention.

use coarsen_nn::{Ctx, Params, dropout_mask};
use coarsen_pool::{Attention, PairScore};
use coarsen_tensor::flyback::{Scored, flyback};
use coarsen_tensor::unit_rows;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// How the messages of the levels reach the nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlybackForm {
    /// `H = H_0 + Σ_k β_k ⊙ Ĥ_k` with `β` the softmax over the levels of `aᵀ leaky([W Ĥ_k ‖ W H_0])`, as printed.
    #[default]
    Raw,
    /// The same of rows divided by their norms, with `leaky(w [Ĥ_k ‖ H_0] + b)`, as released.
    Unit,
    /// `H = H_0`: the paper's ablation.
    Off,
}

/// Attention of every node over the levels above it.
///
/// Parameters of a [`PairScore`], but for [`FlybackForm::Off`].
#[derive(Debug)]
pub struct Flyback {
    form: FlybackForm,
    score: Option<PairScore>,
    dropout: f64,
}

impl Flyback {
    /// Makes the parameters for rows of `sizes.0` numbers, mapped to `sizes.1` in front of an attention vector; `slope` is that of the
    /// leaky ReLU, `dropout` the probability of dropping a `β`.
    pub fn new(form: FlybackForm, p: &Params, sizes: (i64, i64), slope: f64, dropout: f64) -> Self {
        let score = |attention| Some(PairScore::new(attention, p, sizes, slope));
        let score = match form {
            FlybackForm::Raw => score(Attention::VectorLast),
            FlybackForm::Unit => score(Attention::VectorFirst),
            FlybackForm::Off => None,
        };
        Self { form, score, dropout }
    }

    /// The nodes' representations of `H_0` and the messages `Ĥ_1, Ĥ_2, …`, and `β` before dropout.
    ///
    /// # Shapes
    ///
    /// `[N, d]` each → `[N, d]` and `[levels − 1, N]`, `None` of [`FlybackForm::Off`].
    ///
    /// # Complexity
    ///
    /// Time O(levels · N d²) of [`FlybackForm::Raw`], O(levels · N d) of [`FlybackForm::Unit`].
    ///
    /// # Panics
    ///
    /// Without a message, but for [`FlybackForm::Off`].
    pub fn forward(&self, h: &Tensor, messages: &[Tensor], ctx: Ctx) -> (Tensor, Option<Tensor>) {
        let Some(score) = &self.score else { return (h.shallow_clone(), None) };
        let seen = |x: &Tensor| match self.form {
            FlybackForm::Unit => unit_rows(x),
            FlybackForm::Raw | FlybackForm::Off => x.shallow_clone(),
        };
        let scored = |x: &Tensor| {
            let x = seen(x);
            Scored { shares: score.shares(&x), x }
        };
        let (h, messages) = (scored(h), messages.iter().map(scored).collect::<Vec<_>>());
        let shape = [messages.len() as i64, h.x.size()[0]];
        let keep = dropout_mask(&shape, self.dropout, ctx, (h.x.kind(), h.x.device()));
        let [sum, beta] = flyback(&h, &messages, score.slope(), keep.as_ref());
        (sum, Some(beta))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, nn::VarStore, no_grad};

    #[test]
    fn with_parameters_0_the_messages_are_averaged() {
        let of = |form| {
            let store = VarStore::new(Device::Cpu);
            let flyback = Flyback::new(form, &Params::new(&store.root(), 1), (2, 3), 0.2, 0.0);
            no_grad(|| store.variables().into_values().for_each(|mut v| drop(v.zero_())));
            let [h, one, two] =
                [[0f32, 5.], [2., 0.], [0., -6.]].map(|row| Tensor::from_slice(&row).view([1, 2]));
            let (y, beta) = flyback.forward(&h, &[one, two], Ctx::eval());
            let beta = beta.map_or_else(Vec::new, |beta| Vec::<f32>::try_from(beta.view(-1)).expect("two"));
            (Vec::<f32>::try_from(y.view(-1)).expect("a row"), beta)
        };
        assert_eq!(of(FlybackForm::Raw), (vec![1.0, 2.0], vec![0.5, 0.5]));
        assert_eq!(of(FlybackForm::Unit), (vec![0.5, 0.5], vec![0.5, 0.5]));
        assert_eq!(of(FlybackForm::Off), (vec![0.0, 5.0], vec![]));
    }
}

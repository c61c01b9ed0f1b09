//! What messages of several levels add to the nodes, weighed by attention over the levels, differentiable (AdamGNN, eqs. 4 and 5).

use std::ffi::CStr;

use coarsen_sparse::rows::{weigh, weigh_backward};
use tch::{Kind, Tensor, no_grad};

use crate::autograd::{Function, attach};
use crate::executor::TorchPool;
use crate::fitness::{Shares, leaky, leaky_gradient};
use crate::view::{Dense, Real, by_kind, filled, on_host};

/// A matrix of a row a node, and what its rows add to scores.
#[derive(Debug)]
pub struct Scored {
    /// `[N, F]`
    pub x: Tensor,
    /// `[N, 2]`: of a row as a message, and as what receives it.
    pub shares: Tensor,
}

/// `h + Σ_k β_k ⊙ m_k` and `β`, the softmax over the messages `m_k` of `leaky(u_k + v)`, with `u_k` the shares of messages and `v` those
/// of `h`; `slope` is that of the leaky ReLU below 0 (`None`: nothing goes over the sum).
///
/// `keep` is the factor of each `β` that dropout needs, not differentiated; `β` is given before it.
///
/// # Shapes
///
/// `h` and `K` messages of `[N, F]` each, `keep: [K, N]`; gives `[N, F]` and `[K, N]`.
///
/// # Complexity
///
/// Time and memory O(K N F) on the way back, O(N (F + K)) of memory before.
///
/// # Panics
///
/// Without a message.
pub fn flyback(h: &Scored, messages: &[Scored], slope: Option<f64>, keep: Option<&Tensor>) -> [Tensor; 2] {
    assert!(!messages.is_empty(), "a message at least");
    if !on_host(&h.x) {
        return composed(h, messages, slope, keep);
    }
    let mut saved = Flyback {
        own: h.shares.detach(),
        shares: messages.iter().map(|message| message.shares.detach()).collect(),
        messages: messages.iter().map(|message| message.x.detach()).collect(),
        slope,
        keep: keep.map(Tensor::shallow_clone),
        beta: Tensor::new(),
    };
    let y = no_grad(|| {
        by_kind!(h.x.kind(), T => {
            saved.beta = saved.beta::<T>();
            saved.sum::<T>(&h.x)
        })
    });
    let beta = saved.beta.shallow_clone();
    let of_messages = messages.iter().flat_map(|message| [&message.x, &message.shares]);
    let inputs: Vec<&Tensor> = [&h.x, &h.shares].into_iter().chain(of_messages).collect();
    match attach(&inputs, &[y, beta], saved) {
        Ok(outputs) => outputs.try_into().expect("two outputs"),
        Err(error) => panic!("{error}"),
    }
}

/// The same of LibTorch's own operations.
fn composed(h: &Scored, messages: &[Scored], slope: Option<f64>, keep: Option<&Tensor>) -> [Tensor; 2] {
    let own = h.shares.select(1, 1);
    let score =
        |message: &Scored| Shares { of: &message.shares, slope }.composed(&message.shares.select(1, 0), &own);
    let scores: Vec<Tensor> = messages.iter().map(score).collect();
    let beta = Tensor::stack(&scores, 0).softmax(0, None::<Kind>);
    let used = keep.map_or_else(|| beta.shallow_clone(), |keep| &beta * keep);
    let add = |sum, (k, message): (i64, &Scored)| sum + used.select(0, k).unsqueeze(1) * &message.x;
    [(0i64..).zip(messages).fold(h.x.shallow_clone(), add), beta]
}

struct Flyback {
    /// `[N, 2]`, of what receives.
    own: Tensor,
    /// `[N, 2]` of each message.
    shares: Vec<Tensor>,
    messages: Vec<Tensor>,
    slope: Option<f64>,
    keep: Option<Tensor>,
    beta: Tensor,
}

impl Flyback {
    fn nodes(&self) -> usize {
        self.own.size()[0] as usize
    }

    /// The sums under the leaky ReLU, message by message: `[K, N]`.
    fn sums<T: Real>(&self) -> Vec<T> {
        let own = Dense::new(&self.own);
        let of_message = |shares: &Tensor| {
            let shares = Dense::new(shares);
            let both = shares.slice::<T>().chunks_exact(2).zip(own.slice::<T>().chunks_exact(2));
            both.map(|(message, own)| message[0] + own[1]).collect::<Vec<T>>()
        };
        self.shares.iter().flat_map(of_message).collect()
    }

    fn beta<T: Real>(&self) -> Tensor {
        let (n, sums) = (self.nodes(), self.sums::<T>());
        filled(&[self.shares.len() as i64, n as i64], |beta: &mut [T]| {
            beta.iter_mut().zip(&sums).for_each(|(beta, &sum)| *beta = leaky(self.slope, sum));
            for v in 0..n {
                let column = (v..sums.len()).step_by(n);
                let largest =
                    column.clone().map(|at| beta[at]).fold(beta[v], |a, b| if b > a { b } else { a });
                let mut total = T::real(0.0);
                for at in column.clone() {
                    beta[at] = (beta[at] - largest).exp();
                    total += beta[at];
                }
                column.for_each(|at| beta[at] /= total);
            }
        })
    }

    /// `β` behind dropout.
    fn used<T: Real>(&self) -> Vec<T> {
        let beta = Dense::new(&self.beta);
        let beta = beta.slice::<T>();
        let Some(keep) = &self.keep else { return beta.to_vec() };
        beta.iter().zip(Dense::new(keep).slice::<T>()).map(|(&beta, &keep)| beta * keep).collect()
    }

    fn sum<T: Real>(&self, h: &Tensor) -> Tensor {
        let (width, h) = (h.size()[1] as usize, Dense::new(h));
        let messages: Vec<Dense> = self.messages.iter().map(Dense::new).collect();
        let parts: Vec<&[T]> = messages.iter().map(Dense::slice).collect();
        filled(&h.size(), |y| weigh(&TorchPool, width, h.slice::<T>(), &parts, &self.used::<T>(), y))
    }

    fn gradients<T: Real>(&self, grad: &Tensor, of_beta: Option<&Tensor>) -> Vec<Tensor> {
        let (n, width, dense) = (self.nodes(), grad.size()[1] as usize, Dense::new(grad));
        let used = self.used::<T>();
        let mut d_beta = vec![T::real(0.0); used.len()];
        let mut d_messages = Vec::with_capacity(self.messages.len());
        for (k, message) in self.messages.iter().enumerate() {
            let (message, at) = (Dense::new(message), k * n..(k + 1) * n);
            d_messages.push(filled(&grad.size(), |d_message| {
                let part = (message.slice::<T>(), &used[at.clone()]);
                weigh_backward(&TorchPool, width, part, dense.slice::<T>(), d_message, &mut d_beta[at]);
            }));
        }
        if let Some(keep) = &self.keep {
            d_beta.iter_mut().zip(Dense::new(keep).slice::<T>()).for_each(|(d, &keep)| *d *= keep);
        }
        if let Some(more) = of_beta {
            d_beta.iter_mut().zip(Dense::new(more).slice::<T>()).for_each(|(d, &more)| *d += more);
        }
        let (beta, sums) = (Dense::new(&self.beta), self.sums::<T>());
        let beta = beta.slice::<T>();
        let mut d_own = vec![T::real(0.0); n];
        let mut inner = vec![T::real(0.0); n];
        for (at, (&beta, &d)) in beta.iter().zip(&d_beta).enumerate() {
            inner[at % n] += beta * d;
        }
        for (at, d) in d_beta.iter_mut().enumerate() {
            *d = beta[at] * (*d - inner[at % n]) * leaky_gradient(self.slope, sums[at]);
            d_own[at % n] += *d;
        }
        let pairs = |column: usize, values: &[T]| {
            filled(&[n as i64, 2], |out: &mut [T]| {
                for (out, &value) in out.chunks_exact_mut(2).zip(values) {
                    out[column] = value;
                    out[1 - column] = T::real(0.0);
                }
            })
        };
        let of_message = |(k, d_x)| [d_x, pairs(0, &d_beta[k * n..(k + 1) * n])];
        let of_messages = d_messages.into_iter().enumerate().flat_map(of_message);
        [grad.shallow_clone(), pairs(1, &d_own)].into_iter().chain(of_messages).collect()
    }
}

impl Function for Flyback {
    const NAME: &'static CStr = c"flyback";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        let grad = grads[0].as_ref().map_or_else(|| self.messages[0].zeros_like(), Tensor::shallow_clone);
        let of_beta = grads[1].as_ref();
        by_kind!(grad.kind(), T => self.gradients::<T>(&grad, of_beta)).into_iter().map(Some).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};

    type Form = fn(&Scored, &[Scored], Option<f64>, Option<&Tensor>) -> [Tensor; 2];

    #[test]
    fn equals_libtorch_with_its_gradients() {
        let drawn = [0, 4].map(|n| ramp(&[2, n], 0.4).detach());
        let cases = [
            (4, false, Some(0.2), true),
            (4, true, Some(0.01), false),
            (4, true, None, true),
            (0, true, None, true),
        ];
        for (n, drops, slope, seen) in cases {
            let keep = drops.then_some(&drawn[usize::from(n > 0)]);
            let run = |f: Form| {
                let x: Vec<Tensor> = [0.7, 0.5, 1.3].map(|step| ramp(&[n, 3], step)).into();
                let shares: Vec<Tensor> = [0.9, 0.2, 1.6].map(|step| ramp(&[n, 2], step)).into();
                let scored = |k: usize| Scored { x: x[k].shallow_clone(), shares: shares[k].shallow_clone() };
                let [y, beta] = f(&scored(0), &[scored(1), scored(2)], slope, keep);
                let seen = if seen { &beta * ramp(&[2, n], 0.6).detach() } else { beta.detach() };
                let loss = (&y * ramp(&[n, 3], 1.1).detach()).sum(Kind::Double) + seen.sum(Kind::Double);
                loss.backward();
                let gradients = x.iter().chain(&shares).map(Tensor::grad);
                [y.detach(), beta.detach()].into_iter().chain(gradients).collect::<Vec<_>>()
            };
            assert_close(&run(flyback), &run(composed), 1e-12);
        }
    }

    #[test]
    fn scores_far_apart_are_numbers() {
        let scored =
            |share: f64| Scored { x: ramp(&[1, 3], 0.7), shares: Tensor::from_slice2(&[[share, share]]) };
        let [y, beta] = flyback(&scored(0.0), &[scored(1e3), scored(-1e3)], Some(0.2), None);
        assert_close(&[beta], &[Tensor::from_slice2(&[[1f64], [0.0]])], 0.0);
        assert_eq!(y.isfinite().all().int64_value(&[]), 1);
    }
}

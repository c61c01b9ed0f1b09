//! Batch normalisation by the statistics of the batch, fused with the activation behind it.

use std::ffi::CStr;

use coarsen_sparse::Act;
use coarsen_sparse::rows::{self, Norm};
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::epilogue::composed;
use crate::executor::TorchPool;
use crate::view::{Dense, Real, by_kind, filled, filled_beside, on_host};

/// What a batch says of each column.
#[derive(Debug)]
pub struct Moments {
    /// `[F]`.
    pub mean: Tensor,
    /// Biased, `[F]`.
    pub variance: Tensor,
}

/// Mean and biased variance of each column, not recorded.
///
/// # Shapes
///
/// `x: [N, F]`.
pub fn moments(x: &Tensor) -> Moments {
    no_grad(|| {
        if !on_host(x) {
            let over = [0i64].as_slice();
            let n = x.size()[0].max(1) as f64;
            let mean = x.sum_dim_intlist(over, false, x.kind()) / n;
            let variance = (x - &mean).square().sum_dim_intlist(over, false, x.kind()) / n;
            return Moments { mean, variance };
        }
        let width = x.size()[1];
        let (mean, variance) = by_kind!(x.kind(), T => {
            let x = Dense::new(x);
            filled_beside(&[width], &[width], |mean, variance| {
                rows::moments(&TorchPool, width as usize, x.slice::<T>(), mean, variance);
            })
        });
        Moments { mean, variance }
    })
}

/// `act(γ (x − μ) / √(σ² + ε) + β)`, where `μ` and `σ²` are the [`moments`] of `x` itself: the gradient goes through them.
///
/// # Shapes
///
/// `x: [N, F]`, kept; `gamma, beta: [F]`.
///
/// # Complexity
///
/// Time `O(N F)`: one pass forward, two backward.
pub fn batch_norm(x: &Tensor, of_x: &Moments, gamma: &Tensor, beta: &Tensor, eps: f64, act: Act) -> Tensor {
    if !on_host(x) {
        let none = None::<&Tensor>;
        return composed(x.batch_norm(Some(gamma), Some(beta), none, none, true, 0.0, eps, false), None, act);
    }
    let saved = BatchNorm {
        x: x.shallow_clone(),
        mean: of_x.mean.shallow_clone(),
        variance: of_x.variance.shallow_clone(),
        gamma: gamma.shallow_clone(),
        beta: beta.shallow_clone(),
        eps,
        act,
        y: Tensor::new(),
    };
    let y = no_grad(|| by_kind!(x.kind(), T => saved.forward::<T>()));
    let saved = BatchNorm { y: y.shallow_clone(), ..saved };
    record(&[x, gamma, beta], y, saved)
}

struct BatchNorm {
    x: Tensor,
    y: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor,
    beta: Tensor,
    eps: f64,
    act: Act,
}

impl BatchNorm {
    fn forward<T: Real>(&self) -> Tensor {
        let x = Dense::new(&self.x);
        let width = self.mean.numel();
        self.norm(|norm| {
            filled(&self.x.size(), |y| rows::normalize(&TorchPool, width, x.slice::<T>(), norm, self.act, y))
        })
    }

    fn norm<T: Real, R>(&self, run: impl FnOnce(&Norm<'_, T>) -> R) -> R {
        let [mean, var, weight, bias] = [&self.mean, &self.variance, &self.gamma, &self.beta].map(Dense::new);
        run(&Norm {
            mean: mean.slice(),
            var: var.slice(),
            weight: weight.slice(),
            bias: bias.slice(),
            eps: T::real(self.eps),
        })
    }
}

impl Function for BatchNorm {
    const NAME: &'static CStr = c"batch normalisation";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return vec![None, None, None] };
        by_kind!(grad.kind(), T => {
            let [x, y, grad] = [&self.x, &self.y, grad].map(Dense::new);
            let width = self.mean.numel();
            let features = [width as i64];
            let mut parameters = None;
            let dx = filled(&self.x.size(), |dx: &mut [T]| {
                parameters = Some(filled_beside(&features, &features, |gamma, beta| {
                    self.norm(|norm| {
                        let (x, y, grad) = (x.slice::<T>(), y.slice::<T>(), grad.slice::<T>());
                        rows::normalize_backward(&TorchPool, width, x, y, grad, norm, self.act, dx, gamma, beta);
                    });
                }));
            });
            let (gamma, beta) = parameters.expect("made by the closure");
            vec![Some(dx), Some(gamma), Some(beta)]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};
    use tch::Kind;

    #[test]
    fn equals_libtorch_with_its_gradients() {
        for act in [Act::Identity, Act::Relu] {
            let run = |f: &dyn Fn(&Tensor, &Tensor, &Tensor) -> Tensor| {
                let (x, gamma, beta) = (ramp(&[9, 3], 0.7), ramp(&[3], 0.3), ramp(&[3], 1.9));
                let y = f(&x, &gamma, &beta);
                (&y * ramp(&y.size(), 1.1).detach()).sum(Kind::Double).backward();
                [y.detach(), x.grad(), gamma.grad(), beta.grad()]
            };
            let ours = run(&|x, g, b| batch_norm(x, &moments(x), g, b, 1e-5, act));
            let none = None::<&Tensor>;
            let theirs = run(&|x, g, b| {
                composed(x.batch_norm(Some(g), Some(b), none, none, true, 0.0, 1e-5, false), None, act)
            });
            assert_close(&ours, &theirs, 1e-11);
        }
    }
}

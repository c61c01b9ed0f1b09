//! Batch normalisation by the statistics of the batch, fused with the activation behind it.
//!
//! Where several threads compute parts of a batch ([`Group`](crate::Group)), the statistics are those of all parts.

use std::ffi::CStr;

use coarsen_sparse::Act;
use coarsen_sparse::rows::{self, Norm, Sums};
use tch::{Kind, Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::epilogue::composed;
use crate::executor::TorchPool;
use crate::group::{all_gather, all_sum, is_whole};
use crate::view::{Dense, Real, by_kind, filled, filled_beside, on_host};

/// What a batch says of each column.
#[derive(Debug)]
pub struct Moments {
    /// `[F]`.
    pub mean: Tensor,
    /// Biased, `[F]`.
    pub variance: Tensor,
    /// Rows they are of.
    pub rows: f64,
}

/// Mean and biased variance of each column, not recorded.
///
/// # Shapes
///
/// `x: [N, F]`.
pub fn moments(x: &Tensor) -> Moments {
    no_grad(|| {
        let (rows, width) = (x.size()[0] as f64, x.size()[1]);
        if !on_host(x) {
            let (over, n) = ([0i64].as_slice(), rows.max(1.0));
            let mean = x.sum_dim_intlist(over, false, x.kind()) / n;
            let variance = (x - &mean).square().sum_dim_intlist(over, false, x.kind()) / n;
            return Moments { mean, variance, rows };
        }
        let (mean, variance) = by_kind!(x.kind(), T => {
            let x = Dense::new(x);
            filled_beside(&[width], &[width], |mean, variance| {
                rows::moments(&TorchPool, width as usize, x.slice::<T>(), mean, variance);
            })
        });
        Moments { mean, variance, rows }.of_all_parts()
    })
}

impl Moments {
    /// Of the rows of all parts, where these are of one (Chan et al. 1983, eq. 2.1).
    fn of_all_parts(self) -> Self {
        if is_whole() {
            return self;
        }
        let width = self.mean.numel();
        let mut brought = vec![0.0; 1 + 2 * width];
        brought[0] = self.rows;
        for (part, of) in brought[1..].chunks_exact_mut(width.max(1)).zip([&self.mean, &self.variance]) {
            of.to_kind(Kind::Double).copy_data(part, width);
        }
        let (mut rows, mut mean, mut squares) = (0.0, vec![0.0; width], vec![0.0; width]);
        for part in all_gather(brought).iter().filter(|part| part[0] > 0.0) {
            let (n, total) = (part[0], rows + part[0]);
            for column in 0..width {
                let apart = part[1 + column] - mean[column];
                mean[column] += apart * n / total;
                squares[column] += part[1 + width + column] * n + apart * apart * rows * n / total;
            }
            rows = total;
        }
        let variance: Vec<f64> = squares.iter().map(|squares| squares / rows.max(1.0)).collect();
        let like = |of: &[f64]| Tensor::from_slice(of).to_kind(self.mean.kind());
        Self { mean: like(&mean), variance: like(&variance), rows }
    }
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
            let (x, y, grad) = (x.slice::<T>(), y.slice::<T>(), grad.slice::<T>());
            self.norm(|norm| {
                let here = rows::normalize_sums(&TorchPool, width, x, y, grad, norm, self.act);
                let parameter = |sums: &[f64]| {
                    filled(&[width as i64], |out: &mut [T]| {
                        out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = T::real(sum));
                    })
                };
                let (gamma, beta) = (parameter(&here.weight), parameter(&here.bias));
                let sums = of_all_parts(here);
                let dx = filled(&self.x.size(), |dx| {
                    rows::normalize_backward(&TorchPool, width, x, y, grad, norm, self.act, &sums, dx);
                });
                vec![Some(dx), Some(gamma), Some(beta)]
            })
        })
    }
}

/// Sums over the rows of all parts, where these are over one.
fn of_all_parts(here: Sums) -> Sums {
    if is_whole() {
        return here;
    }
    let mut sums = all_sum([&[here.rows], &here.bias[..], &here.weight].concat());
    let weight = sums.split_off(1 + here.bias.len());
    let bias = sums.split_off(1);
    Sums { rows: sums[0], bias, weight }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Group;
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

    /// Rows and their gradients, cut at a row, give the same in two parts as in one; gradients of the parameters add up.
    #[test]
    fn parts_of_a_batch_have_its_moments() {
        let run = |from: i64, to: i64| {
            let x = ramp(&[9, 3], 0.7).detach().narrow(0, from, to - from).set_requires_grad(true);
            let (gamma, beta) = (ramp(&[3], 0.3), ramp(&[3], 1.9));
            let y = batch_norm(&x, &moments(&x), &gamma, &beta, 1e-5, Act::Relu);
            let weight = ramp(&[9, 3], 1.1).detach().narrow(0, from, to - from);
            (&y * weight).sum(Kind::Double).backward();
            [y.detach(), x.grad(), gamma.grad(), beta.grad()]
        };
        let [y, dx, dgamma, dbeta] = run(0, 9);
        for cut in [0, 1, 5, 9] {
            let group = Group::new(2);
            let [first, second] = std::thread::scope(|scope| {
                [(0, 0, cut), (1, cut, 9)]
                    .map(|(rank, from, to)| {
                        let group = &group;
                        scope.spawn(move || group.join(rank, || Ok::<_, String>(run(from, to))))
                    })
                    .map(|part| part.join().expect("no panic").expect("no error"))
            });
            let both = |k: usize| Tensor::cat(&[&first[k], &second[k]], 0);
            let sums = [2, 3].map(|k| &first[k] + &second[k]);
            assert_close(&[both(0), both(1)], &[&y, &dx].map(Tensor::shallow_clone), 1e-11);
            assert_close(&sums, &[&dgamma, &dbeta].map(Tensor::shallow_clone), 1e-11);
        }
    }
}

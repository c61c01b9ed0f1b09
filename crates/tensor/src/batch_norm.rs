//! Batch normalisation by the statistics of the batch, fused with the activation behind it.
//!
//! Where several threads compute parts of a batch ([`Group`](crate::Group)), the statistics are those of all parts.

use std::ffi::CStr;

use coarsen_sparse::Act;
use coarsen_sparse::rows::{self, Beside, Norm, Sums};
use tch::{Tensor, no_grad};

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

/// Mean and biased variance of each column of `act(x)`, not recorded.
///
/// # Shapes
///
/// `x: […, F]`.
pub fn moments(x: &Tensor, act: Act) -> Moments {
    no_grad(|| {
        let width = width(x);
        let rows = x.numel() as f64 / width.max(1) as f64;
        if !on_host(x) {
            let x = composed(x.reshape([-1, width]), None, act);
            let (over, n) = ([0i64].as_slice(), rows.max(1.0));
            let mean = x.sum_dim_intlist(over, false, x.kind()) / n;
            let variance = (&x - &mean).square().sum_dim_intlist(over, false, x.kind()) / n;
            return Moments { mean, variance, rows };
        }
        let mut rows = rows;
        let (mean, variance) = by_kind!(x.kind(), T => {
            let x = Dense::new(x);
            filled_beside(&[width], &[width], |mean: &mut [T], variance| {
                rows::moments(&TorchPool, width as usize, x.slice::<T>(), act, mean, variance);
                if !is_whole() {
                    rows = of_all_parts(rows, mean, variance);
                }
            })
        });
        Moments { mean, variance, rows }
    })
}

impl Moments {
    /// The variance of which the sample's is an estimate, `n / (n − 1)` times the biased one; of at least two rows.
    pub fn unbiased(&self) -> Tensor {
        let factor = self.rows / (self.rows - 1.0);
        if !on_host(&self.variance) {
            return &self.variance * factor;
        }
        by_kind!(self.variance.kind(), T => {
            let variance = Dense::new(&self.variance);
            filled(&variance.size(), |out: &mut [T]| {
                out.iter_mut().zip(variance.slice::<T>()).for_each(|(out, &v)| *out = v * T::real(factor));
            })
        })
    }
}

/// Makes moments of the rows here those of the rows of all parts, and gives how many these are (Chan et al. 1983, eq. 2.1).
fn of_all_parts<T: Real>(rows: f64, mean: &mut [T], variance: &mut [T]) -> f64 {
    let width = mean.len();
    let here = mean.iter().chain(&*variance).map(|x| x.to_f64());
    let brought = [rows].into_iter().chain(here).collect();
    let (mut rows, mut means, mut squares) = (0.0, vec![0.0; width], vec![0.0; width]);
    for part in all_gather(brought).iter().filter(|part| part[0] > 0.0) {
        let (n, total) = (part[0], rows + part[0]);
        for column in 0..width {
            let apart = part[1 + column] - means[column];
            means[column] += apart * n / total;
            squares[column] += part[1 + width + column] * n + apart * apart * rows * n / total;
        }
        rows = total;
    }
    for (column, (mean, variance)) in mean.iter_mut().zip(variance).enumerate() {
        *mean = T::real(means[column]);
        *variance = T::real(squares[column] / rows.max(1.0));
    }
    rows
}

/// `act(γ (x − μ) / √(σ² + ε) + β)`, or `γ (act(x) − μ) / √(σ² + ε) + β`, where `μ` and `σ²` are the [`moments`] of what is normalised: the gradient goes
/// through them.
///
/// # Shapes
///
/// `x: […, F]`, kept; `gamma, beta: [F]`.
///
/// # Complexity
///
/// Time `O(rows · F)`: one pass forward, two backward.
pub fn batch_norm(
    x: &Tensor,
    of_x: &Moments,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f64,
    beside: Beside,
) -> Tensor {
    if !on_host(x) {
        let (before, behind) = beside.sides();
        let (none, rows) = (None::<&Tensor>, composed(x.reshape([-1, width(x)]), None, before));
        let y = rows.batch_norm(Some(gamma), Some(beta), none, none, true, 0.0, eps, false);
        return composed(y.reshape(x.size()), None, behind);
    }
    let saved = BatchNorm {
        x: x.shallow_clone(),
        mean: of_x.mean.shallow_clone(),
        variance: of_x.variance.shallow_clone(),
        gamma: gamma.shallow_clone(),
        beta: beta.shallow_clone(),
        eps,
        beside,
        y: Tensor::new(),
    };
    let y = no_grad(|| by_kind!(x.kind(), T => saved.forward::<T>()));
    let saved = BatchNorm { y: y.shallow_clone(), ..saved };
    record(&[x, gamma, beta], y, saved)
}

fn width(x: &Tensor) -> i64 {
    x.size().last().copied().unwrap_or(1)
}

struct BatchNorm {
    x: Tensor,
    y: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor,
    beta: Tensor,
    eps: f64,
    beside: Beside,
}

impl BatchNorm {
    fn forward<T: Real>(&self) -> Tensor {
        let x = Dense::new(&self.x);
        let width = self.mean.numel();
        self.norm(|norm| {
            filled(&self.x.size(), |y| {
                rows::normalize(&TorchPool, width, x.slice::<T>(), norm, self.beside, y);
            })
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
                let here = rows::normalize_sums(&TorchPool, width, x, y, grad, norm, self.beside);
                let parameter = |sums: &[f64]| {
                    filled(&[width as i64], |out: &mut [T]| {
                        out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = T::real(sum));
                    })
                };
                let (gamma, beta) = (parameter(&here.weight), parameter(&here.bias));
                let sums = sums_of_all_parts(here);
                let dx = filled(&self.x.size(), |dx| {
                    rows::normalize_backward(&TorchPool, width, x, y, grad, norm, self.beside, &sums, dx);
                });
                vec![Some(dx), Some(gamma), Some(beta)]
            })
        })
    }
}

/// Sums over the rows of all parts, where these are over one.
fn sums_of_all_parts(here: Sums) -> Sums {
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
    use crate::testing::{assert_both_close, assert_close, ramp};
    use tch::Kind;

    #[test]
    fn equals_libtorch_with_its_gradients() {
        let sides = [Act::Identity, Act::Relu].map(|act| [Beside::Before(act), Beside::Behind(act)]);
        for beside in sides.into_iter().flatten() {
            let (before, behind) = beside.sides();
            let run = |f: &dyn Fn(&Tensor, &Tensor, &Tensor) -> Tensor| {
                let (x, gamma, beta) = (ramp(&[9, 3], 0.7), ramp(&[3], 0.3), ramp(&[3], 1.9));
                let y = f(&x, &gamma, &beta);
                (&y * ramp(&y.size(), 1.1).detach()).sum(Kind::Double).backward();
                [y.detach(), x.grad(), gamma.grad(), beta.grad()]
            };
            let ours = || run(&|x, g, b| batch_norm(x, &moments(x, before), g, b, 1e-5, beside));
            let none = None::<&Tensor>;
            let theirs = run(&|x, g, b| {
                let x = composed(x.shallow_clone(), None, before);
                composed(x.batch_norm(Some(g), Some(b), none, none, true, 0.0, 1e-5, false), None, behind)
            });
            assert_both_close(ours, &theirs, 1e-11);
        }
    }

    #[test]
    fn moments_by_hand() {
        let x = Tensor::from_slice2(&[[1f64, -5.0], [2.0, -5.0], [6.0, -5.0]]);
        for (act, mean) in [(Act::Identity, -5.0), (Act::Relu, 0.0)] {
            let pair = |a: f64| Tensor::from_slice(&[a, 0.0]);
            let seen = || {
                let of_x = moments(&x, act);
                assert!((of_x.rows - 3.0).abs() < 1e-15);
                [of_x.mean.shallow_clone(), of_x.variance.shallow_clone(), of_x.unbiased()]
            };
            assert_both_close(seen, &[Tensor::from_slice(&[3.0, mean]), pair(14.0 / 3.0), pair(7.0)], 1e-14);
        }
    }

    /// Rows and their gradients, cut at a row, give the same in two parts as in one; gradients of the parameters add up.
    #[test]
    fn parts_of_a_batch_have_its_moments() {
        let run = |from: i64, to: i64| {
            let x = ramp(&[9, 3], 0.7).detach().narrow(0, from, to - from).set_requires_grad(true);
            let (gamma, beta) = (ramp(&[3], 0.3), ramp(&[3], 1.9));
            let y =
                batch_norm(&x, &moments(&x, Act::Identity), &gamma, &beta, 1e-5, Beside::Behind(Act::Relu));
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

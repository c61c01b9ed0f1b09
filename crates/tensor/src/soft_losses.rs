//! What DiffPool's auxiliary losses are made of, each one recorded operation on the CPU.

use std::ffi::CStr;

use coarsen_sparse::rows;
use coarsen_sparse::sums::dot;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::TorchPool;
use crate::soft::Squares;
use crate::view::{Dense, Real, by_kind, filled, on_host};

/// `−Σ s ln(s + under)` over all numbers: the entropy of every row, added up.
///
/// # Shapes
///
/// `s: […, K]`, not negative; gives a scalar.
///
/// # Complexity
///
/// Time `O(rows · K)`, without memory beside the gradient.
pub fn entropy(s: &Tensor, under: f64) -> Tensor {
    if !on_host(s) {
        return -(s * (s + under).log()).sum(None);
    }
    let sum = no_grad(|| {
        by_kind!(s.kind(), T => {
            let rows = Dense::new(s);
            let sum = rows::entropy(&TorchPool, width(s), rows.slice::<T>(), T::real(under));
            filled(&[], |out: &mut [T]| out[0] = T::real(sum))
        })
    });
    record(&[s], sum, Entropy { s: s.shallow_clone(), under })
}

fn width(s: &Tensor) -> usize {
    s.size().last().map_or(1, |&width| width as usize)
}

struct Entropy {
    s: Tensor,
    under: f64,
}

impl Function for Entropy {
    const NAME: &'static CStr = c"entropy of rows";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|grad| {
            by_kind!(grad.kind(), T => {
                let [s, grad] = [&self.s, grad].map(Dense::new);
                let (under, factor) = (T::real(self.under), grad.slice::<T>()[0]);
                filled(&s.size(), |ds| {
                    rows::entropy_backward(&TorchPool, width(&self.s), s.slice(), under, factor, ds);
                })
            })
        })]
    }
}

/// `‖A − S Sᵀ‖` of every graph, from `‖A‖²` and the squares of `S`: `√(max(‖A‖² − 2 tr(Sᵀ A S) + ‖Sᵀ S‖², 0) + under)`.
///
/// # Shapes
///
/// `norms: [B]`, `‖A_b‖²`; gives `[B]`.
///
/// # Complexity
///
/// Time and memory `O(B K²)`.
pub fn distances(norms: &Tensor, squares: &Squares, under: f64) -> Tensor {
    let Squares { between, gram, .. } = squares;
    if !on_host(between) {
        let trace = between.diagonal(0, 1, 2).sum_dim_intlist([-1i64].as_slice(), false, None);
        let gram = gram.square().sum_dim_intlist([-1i64, -2].as_slice(), false, None);
        return ((norms - trace * 2.0 + gram).clamp_min(0.0) + under).sqrt();
    }
    let y = no_grad(|| by_kind!(between.kind(), T => measured::<T>(norms, between, gram, under)));
    let saved = Distances { gram: gram.shallow_clone(), y: y.shallow_clone(), under };
    record(&[norms, between, gram], y, saved)
}

fn measured<T: Real>(norms: &Tensor, between: &Tensor, gram: &Tensor, under: f64) -> Tensor {
    let k = gram.size()[2] as usize;
    let [norms, between, gram] = [norms, between, gram].map(Dense::new);
    let (norms, between, gram) = (norms.slice::<T>(), between.slice::<T>(), gram.slice::<T>());
    filled(&[norms.len() as i64], |y| {
        for (b, (y, &norm)) in y.iter_mut().zip(norms).enumerate() {
            let [between, gram] = [between, gram].map(|all| &all[b * k * k..][..k * k]);
            let trace = between.iter().step_by(k + 1).fold(T::real(0.0), |sum, &x| sum + x);
            let squared = norm - (trace + trace) + dot(gram, gram);
            *y = (if squared < T::real(0.0) { T::real(0.0) } else { squared } + T::real(under)).sqrt();
        }
    })
}

struct Distances {
    gram: Tensor,
    y: Tensor,
    under: f64,
}

impl Distances {
    /// Of `‖A‖²`, of `Sᵀ A S` and of `Sᵀ S`.
    fn gradients<T: Real>(&self, grad: &Tensor) -> [Tensor; 3] {
        let (shape, k) = (self.gram.size(), self.gram.size()[2] as usize);
        let [grad, y, gram] = [grad, &self.y, &self.gram].map(Dense::new);
        // Where rounding left less than nothing, the root is of `under` alone.
        let lowest = T::real(self.under).sqrt();
        let slope = |(&grad, &y): (&T, &T)| if y > lowest { grad / (y + y) } else { T::real(0.0) };
        let slopes: Vec<T> = grad.slice::<T>().iter().zip(y.slice::<T>()).map(slope).collect();
        let of_norms = filled(&[slopes.len() as i64], |out: &mut [T]| out.copy_from_slice(&slopes));
        let size = (k * k).max(1);
        let of_between = filled(&shape, |out: &mut [T]| {
            out.fill(T::real(0.0));
            for (out, &slope) in out.chunks_exact_mut(size).zip(&slopes) {
                out.iter_mut().step_by(k + 1).for_each(|out| *out = T::real(0.0) - (slope + slope));
            }
        });
        let of_gram = filled(&shape, |out: &mut [T]| {
            let graphs = out.chunks_exact_mut(size).zip(gram.slice::<T>().chunks_exact(size));
            for ((out, gram), &slope) in graphs.zip(&slopes) {
                out.iter_mut().zip(gram).for_each(|(out, &x)| *out = (slope + slope) * x);
            }
        });
        [of_norms, of_between, of_gram]
    }
}

impl Function for Distances {
    const NAME: &'static CStr = c"distances of an adjacency from a soft assignment";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return vec![None, None, None] };
        let gradients = by_kind!(grad.kind(), T => self.gradients::<T>(grad));
        gradients.into_iter().zip(needs).map(|(gradient, needed)| needed.then_some(gradient)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_both_close, ramp};
    use tch::Kind;

    #[test]
    fn the_entropy_is_libtorchs_with_its_gradient() {
        for shape in [&[5, 3][..], &[2, 3, 7], &[700, 28], &[0, 4], &[4, 0]] {
            let run = |f: &dyn Fn(&Tensor) -> Tensor| {
                let s = ramp(shape, 0.7).square().detach().set_requires_grad(true);
                let y = f(&s);
                (&y * 1.7).backward();
                [y.detach(), s.grad()]
            };
            let theirs = run(&|s| -(s * (s + 1e-15).log()).sum(Kind::Double));
            assert_both_close(|| run(&|s| entropy(s, 1e-15)), &theirs, 1e-9);
        }
    }

    #[test]
    fn zeros_have_no_entropy_and_a_finite_gradient() {
        let s = Tensor::from_slice2(&[[0f32, 1.0], [0.0, 0.0]]).set_requires_grad(true);
        let sum = entropy(&s, 1e-15);
        sum.backward();
        assert!(sum.double_value(&[]).abs() < 1e-12 && s.grad().isfinite().all().int64_value(&[]) == 1);
        assert!((s.grad().double_value(&[0, 0]) - 34.54).abs() < 0.01);
    }

    #[test]
    fn distances_are_libtorchs_with_their_gradients() {
        for (graphs, k) in [(3, 4), (1, 1), (0, 3), (2, 0)] {
            let run = |f: &dyn Fn(&Tensor, &Squares) -> Tensor| {
                let (between, gram) = (ramp(&[graphs, k, k], 0.7), ramp(&[graphs, k, k], 0.3));
                let norms = (ramp(&[graphs], 1.3) + 20.0).detach().set_requires_grad(true);
                let degrees = Tensor::zeros([graphs], (Kind::Double, tch::Device::Cpu));
                let squares =
                    Squares { between: between.shallow_clone(), gram: gram.shallow_clone(), degrees };
                let y = f(&norms, &squares);
                (&y * ramp(&y.size(), 1.1).detach()).sum(None).backward();
                [y.detach(), norms.grad(), between.grad(), gram.grad()]
            };
            let theirs = run(&|norms, Squares { between, gram, .. }| {
                let trace = (between * Tensor::eye(k, (Kind::Double, tch::Device::Cpu))).sum_dim_intlist(
                    [-1i64, -2].as_slice(),
                    false,
                    None,
                );
                let gram = gram.square().sum_dim_intlist([-1i64, -2].as_slice(), false, None);
                ((norms - trace * 2.0 + gram).clamp_min(0.0) + 1e-12).sqrt()
            });
            assert_both_close(|| run(&|norms, squares| distances(norms, squares, 1e-12)), &theirs, 1e-10);
        }
    }

    #[test]
    fn a_distance_of_nothing_teaches_nothing() {
        let squares = Squares {
            between: ramp(&[1, 2, 2], 0.7).square() + 1.0,
            gram: Tensor::zeros([1, 2, 2], (Kind::Double, tch::Device::Cpu)),
            degrees: Tensor::zeros([1], (Kind::Double, tch::Device::Cpu)),
        };
        let norms = ramp(&[1], 0.0) * 0.0;
        let between = squares.between.detach().set_requires_grad(true);
        let y = distances(&norms, &Squares { between: between.shallow_clone(), ..squares }, 1e-12);
        y.sum(None).backward();
        assert!(
            (y.double_value(&[0]) - 1e-6).abs() < 1e-12
                && between.grad().abs().max().double_value(&[]) == 0.0
        );
    }
}

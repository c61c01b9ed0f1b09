//! What MinCutPool makes of the squares of an assignment: the edges between clusters, and how far clusters are from even.
//!
//! A square of a graph stays in a core's cache while it is read twice. Of LibTorch's own operations each reads and writes those of the
//! whole batch.

use std::ffi::CStr;

use coarsen_sparse::sums::{dot, sum};
use tch::{Kind, Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::side_by_side;
use crate::view::{Dense, Real, by_kind, filled, on_host};

/// Keeps the gradient of a root finite at 0.
const UNDER_ROOT: f64 = 1e-12;

/// `D̂^-½ Â D̂^-½`, where `Â` is `a` without its diagonal: the edges between clusters. A row that sums to 0 or less is not scaled.
///
/// # Shapes
///
/// `[B, K, K]` → `[B, K, K]`.
///
/// # Complexity
///
/// Time and memory `O(B K²)`.
pub fn between_clusters(a: &Tensor) -> Tensor {
    if !on_host(a) {
        return between_composed(a);
    }
    let y = no_grad(|| by_kind!(a.kind(), T => between::<T>(a)));
    record(&[a], y, Between { a: a.shallow_clone() })
}

/// `‖G / ‖G‖_F − I / √K‖_F` of every square: 0 for clusters of equal size that share nothing, of which `G` is the Gram matrix.
///
/// 1e-12 is added below the root, and `‖G‖²` is at least that.
///
/// # Shapes
///
/// `[B, K, K]` → `[B]`.
///
/// # Complexity
///
/// Time `O(B K²)`; memory, with the gradient, the same.
pub fn unevenness(gram: &Tensor) -> Tensor {
    if !on_host(gram) {
        return unevenness_composed(gram);
    }
    let y = no_grad(|| by_kind!(gram.kind(), T => distances::<T>(gram)));
    record(&[gram], y.shallow_clone(), Unevenness { gram: gram.shallow_clone(), y })
}

/// The same of LibTorch's own operations.
fn between_composed(a: &Tensor) -> Tensor {
    let off = 1.0 - Tensor::eye(a.size()[1], (a.kind(), a.device()));
    let between: Tensor = a * off;
    let degree = between.sum_dim_intlist([-1i64].as_slice(), true, None::<Kind>);
    let scale: Tensor = degree.masked_fill(&degree.le(0.0), 1.0).rsqrt();
    between * &scale * scale.transpose(1, 2)
}

/// The same of LibTorch's own operations.
fn unevenness_composed(gram: &Tensor) -> Tensor {
    let total = |x: &Tensor| x.sum_dim_intlist([-1i64, -2].as_slice(), false, None::<Kind>);
    let clusters = gram.size()[1];
    let ideal = Tensor::eye(clusters, (gram.kind(), gram.device())) / (clusters as f64).sqrt();
    let norm = total(&gram.square()).clamp_min(UNDER_ROOT).sqrt().view([-1, 1, 1]);
    (total(&(gram / norm - ideal).square()) + UNDER_ROOT).sqrt()
}

fn between<T: Real>(a: &Tensor) -> Tensor {
    let k = a.size()[1] as usize;
    let a = Dense::new(a);
    let a = a.slice::<T>();
    of_squares(a, k, |b, out| {
        let a = &a[b * k * k..][..k * k];
        let (scale, _) = scales(a, k);
        for (i, (a, out)) in a.chunks_exact(k).zip(out.chunks_exact_mut(k)).enumerate() {
            for ((out, &a), &other) in out.iter_mut().zip(a).zip(&scale) {
                *out = a * scale[i] * other;
            }
            out[i] = T::real(0.0);
        }
    })
}

/// `D̂^-½`, and which rows are scaled.
fn scales<T: Real>(a: &[T], k: usize) -> (Vec<T>, Vec<bool>) {
    let scale = |(i, row): (usize, &[T])| {
        let degree = (sum(&row[..i]) + sum(&row[i + 1..])).to_f64();
        if degree > 0.0 { (T::real(1.0 / degree.sqrt()), true) } else { (T::real(1.0), false) }
    };
    a.chunks_exact(k.max(1)).enumerate().map(scale).unzip()
}

struct Between {
    a: Tensor,
}

impl Between {
    /// With `R = D̂^-½` and `T = G ⊙ Â`: `dÂ = R G R + d 1ᵀ`, `d_i = −½ r_i³ Σ_j (T_ij + T_ji) r_j` where a row is scaled.
    fn gradient<T: Real>(&self, grad: &Tensor) -> Tensor {
        let k = self.a.size()[1] as usize;
        let (a, grad) = (Dense::new(&self.a), Dense::new(grad));
        let (a, grad) = (a.slice::<T>(), grad.slice::<T>());
        of_squares(a, k, |b, out| {
            let [a, grad] = [a, grad].map(|x| &x[b * k * k..][..k * k]);
            let (scale, scaled) = scales(a, k);
            let (mut received, mut row) = (vec![T::real(0.0); k], vec![T::real(0.0); k]);
            for (i, (a, grad)) in a.chunks_exact(k).zip(grad.chunks_exact(k)).enumerate() {
                for ((t, &a), &grad) in row.iter_mut().zip(a).zip(grad) {
                    *t = a * grad;
                }
                row[i] = T::real(0.0);
                for (received, &t) in received.iter_mut().zip(&row) {
                    *received += t * scale[i];
                }
                received[i] += dot(&row, &scale);
            }
            for (i, (grad, out)) in grad.chunks_exact(k).zip(out.chunks_exact_mut(k)).enumerate() {
                let r = scale[i];
                let of_degree =
                    if scaled[i] { T::real(-0.5) * r * r * r * received[i] } else { T::real(0.0) };
                for ((out, &grad), &other) in out.iter_mut().zip(grad).zip(&scale) {
                    *out = grad * r * other + of_degree;
                }
                out[i] = T::real(0.0);
            }
        })
    }
}

impl Function for Between {
    const NAME: &'static CStr = c"edges between clusters";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|grad| by_kind!(grad.kind(), T => self.gradient::<T>(grad)))]
    }
}

fn distances<T: Real>(gram: &Tensor) -> Tensor {
    let (batch, k) = (gram.size()[0], gram.size()[1] as usize);
    let gram = Dense::new(gram);
    let gram = gram.slice::<T>();
    filled(&[batch], |out: &mut [T]| {
        side_by_side(out, 1, |b, out| {
            let gram = &gram[b * k * k..][..k * k];
            let (norm, _) = norm(gram);
            let mut row = vec![T::real(0.0); k];
            let squares = gram.chunks_exact(k.max(1)).enumerate().map(|(i, gram)| {
                difference(gram, i, norm, &mut row);
                dot(&row, &row).to_f64()
            });
            *out = T::real((squares.sum::<f64>() + UNDER_ROOT).sqrt());
        });
    })
}

/// `‖G‖_F`, and whether it is the square root of a sum that was large enough.
fn norm<T: Real>(gram: &[T]) -> (T, bool) {
    let squared = dot(gram, gram).to_f64();
    (T::real(squared.max(UNDER_ROOT).sqrt()), squared >= UNDER_ROOT)
}

/// Row `i` of `G / ‖G‖ − I / √K`.
fn difference<T: Real>(gram: &[T], i: usize, norm: T, row: &mut [T]) {
    for (row, &gram) in row.iter_mut().zip(gram) {
        *row = gram / norm;
    }
    row[i] -= T::real(1.0 / (gram.len() as f64).sqrt());
}

struct Unevenness {
    gram: Tensor,
    y: Tensor,
}

impl Unevenness {
    /// With `Δ = G / ‖G‖ − I / √K`: `dG = g / y (Δ / ‖G‖ − G ⟨Δ, G⟩ / ‖G‖³)`.
    fn gradient<T: Real>(&self, grad: &Tensor) -> Tensor {
        let k = self.gram.size()[1] as usize;
        let [gram, y, grad] = [&self.gram, &self.y, grad].map(Dense::new);
        let [gram, y, grad] = [&gram, &y, &grad].map(Dense::slice::<T>);
        of_squares(gram, k, |b, out| {
            let gram = &gram[b * k * k..][..k * k];
            let (norm, varies) = norm(gram);
            let mut along = T::real(0.0);
            for (i, (gram, out)) in gram.chunks_exact(k).zip(out.chunks_exact_mut(k)).enumerate() {
                difference(gram, i, norm, out);
                along += dot(out, gram);
            }
            let share = grad[b] / y[b] / norm;
            let back = if varies { along / (norm * norm) } else { T::real(0.0) };
            for (out, &gram) in out.iter_mut().zip(gram) {
                *out = share * (*out - gram * back);
            }
        })
    }
}

impl Function for Unevenness {
    const NAME: &'static CStr = c"unevenness of clusters";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|grad| by_kind!(grad.kind(), T => self.gradient::<T>(grad)))]
    }
}

/// As many squares as there are in `x`, each written by one call, which is told its number.
fn of_squares<T: Real>(x: &[T], k: usize, each: impl Fn(usize, &mut [T]) + Sync) -> Tensor {
    let square = (k * k).max(1);
    let side = k as i64;
    filled(&[(x.len() / square) as i64, side, side], |out: &mut [T]| {
        side_by_side(out.chunks_exact_mut(square), 1, each);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};

    fn run(squares: &Tensor, f: &dyn Fn(&Tensor) -> Tensor) -> [Tensor; 2] {
        let x = squares.detach().copy().set_requires_grad(true);
        let y = f(&x);
        (&y * ramp(&y.size(), 1.1).detach()).sum(Kind::Double).backward();
        [y.detach(), x.grad()]
    }

    #[test]
    fn equal_libtorch_with_their_gradients() {
        for side in [1, 3, 16, 21] {
            let squares = ramp(&[2, side, side], 0.7).detach().abs() + 0.1;
            assert_close(&run(&squares, &between_clusters), &run(&squares, &between_composed), 1e-12);
            assert_close(&run(&squares, &unevenness), &run(&squares, &unevenness_composed), 1e-12);
        }
    }

    /// Two clusters joined by an edge of weight 4, and a third without edges.
    #[test]
    fn edges_between_clusters_by_hand() {
        let a = Tensor::from_slice(&[9f64, 4., 0., 4., 7., 0., 0., 0., 2.]).view([1, 3, 3]);
        let want = Tensor::from_slice(&[0f64, 1., 0., 1., 0., 0., 0., 0., 0.]).view([1, 3, 3]);
        assert!(between_clusters(&a).equal(&want));
        assert_close(&run(&a, &between_clusters), &run(&a, &between_composed), 1e-12);
    }

    #[test]
    fn clusters_of_equal_size_are_even() {
        let y = unevenness(&(Tensor::eye(4, (Kind::Double, tch::Device::Cpu)) * 3.0).unsqueeze(0));
        assert!(y.double_value(&[0]) < 2e-6);
    }

    #[test]
    fn squares_of_zeros_have_finite_gradients() {
        let zeros = Tensor::zeros([2, 3, 3], (Kind::Double, tch::Device::Cpu));
        for f in [between_clusters, unevenness] {
            let [_, gradient] = run(&zeros, &f);
            assert_eq!(gradient.isfinite().all().int64_value(&[]), 1);
        }
        assert_close(&run(&zeros, &unevenness), &run(&zeros, &unevenness_composed), 1e-12);
        let none = Tensor::zeros([0, 3, 3], (Kind::Double, tch::Device::Cpu));
        assert_eq!((between_clusters(&none).size(), unevenness(&none).size()), (vec![0, 3, 3], vec![0]));
    }
}

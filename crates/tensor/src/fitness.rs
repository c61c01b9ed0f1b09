//! How fit a node is for an ego-network: AdamGNN's attention over the egos of a member, differentiable.
//!
//! On the CPU it is one function with its own backward pass, in place of a chain of operations on a number a pair.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse::{segment as kernel, spmm, spmm_transposed};
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::ego::Memberships;
use crate::executor::TorchPool;
use crate::relation::Relation;
use crate::spmm::entry_products;
use crate::view::{Dense, Real, by_kind, filled, on_host};

/// The score of a pair of nodes: what each of them adds to it, and what goes over the sum.
#[derive(Debug)]
pub struct Shares<'a> {
    /// `[N, 2]`: of a node as a member, and as an ego.
    pub of: &'a Tensor,
    /// Slope below 0 of the leaky ReLU over the sum; `None`: nothing goes over it.
    pub slope: Option<f64>,
}

impl Shares<'_> {
    /// The scores, of what members and egos add pair by pair.
    pub(crate) fn composed(&self, of_members: &Tensor, of_egos: &Tensor) -> Tensor {
        let sum = of_members + of_egos;
        match self.slope {
            Some(slope) => sum.where_self(&sum.gt(0.0), &(&sum * slope)),
            None => sum,
        }
    }
}

/// `f^c`: how like two nodes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// `sigmoid(h_jᵀ h_i)`
    Sigmoid,
    /// The softmax of `h_jᵀ h_i` over the egos of the member.
    Softmax,
}

/// `φ`: what becomes of both factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// `f^s f^c`
    Product,
    /// The softmax of `f^s f^c` over the egos of the member.
    Softmax,
}

impl Memberships {
    /// `φ_ij` of each pair of a member `j` and an ego `i`: of `f^s_ij`, the softmax of their score over the egos of the member, and
    /// `f^c_ij`, how like they are.
    ///
    /// A share of the member that nothing goes over cancels in the softmax: it gets the gradient 0.
    ///
    /// # Shapes
    ///
    /// `h: [N, F]` → `[pairs]`; differentiable.
    ///
    /// # Complexity
    ///
    /// Time O(pairs · F), memory O(pairs): no row of features is copied on a CPU.
    pub fn fitness(&self, shares: &Shares<'_>, h: &Tensor, likeness: Likeness, joint: Joint) -> Tensor {
        if !on_host(h) {
            return self.composed(shares, h, likeness, joint);
        }
        let relation = Arc::clone(self.relation());
        let factors =
            no_grad(|| by_kind!(h.kind(), T => factors::<T>(&relation, shares, h, likeness, joint)));
        let phi = factors[2].shallow_clone();
        let slope = shares.slope;
        let saved =
            Fitness { relation, shares: shares.of.detach(), h: h.detach(), slope, factors, likeness, joint };
        record(&[shares.of, h], phi, saved)
    }

    /// The same by operations of LibTorch and of this crate.
    fn composed(&self, shares: &Shares<'_>, h: &Tensor, likeness: Likeness, joint: Joint) -> Tensor {
        let of = |column| shares.of.select(1, column);
        let of_members = match shares.slope {
            Some(_) => self.of_members(&of(0)),
            None => self.of_members(&of(0).zeros_like()),
        };
        let structural = self.softmax_over_egos(&shares.composed(&of_members, &self.of_egos(&of(1))));
        let like = self.similarities(h);
        let like = match likeness {
            Likeness::Sigmoid => like.sigmoid(),
            Likeness::Softmax => self.softmax_over_egos(&like),
        };
        match joint {
            Joint::Product => structural * like,
            Joint::Softmax => self.softmax_over_egos(&(structural * like)),
        }
    }
}

/// `f^s`, `f^c` and `φ`.
fn factors<T: Real>(
    relation: &Relation,
    shares: &Shares<'_>,
    h: &Tensor,
    likeness: Likeness,
    joint: Joint,
) -> [Tensor; 3] {
    let (csr, pairs, of) = (relation.csr(), relation.entries(), Dense::new(shares.of));
    let of = of.slice::<T>();
    let mut score = Vec::with_capacity(csr.nnz());
    for j in 0..csr.rows() {
        let sums = csr.row(j).iter().map(|&i| sum(shares.slope, of[2 * j], of[2 * i as usize + 1]));
        score.extend(sums.map(|sum| leaky(shares.slope, sum)));
    }
    let softmax = |x: &[T]| filled(&[pairs], |y| kernel::softmax(&TorchPool, csr.row_ptr(), x, 1, y));
    let structural = softmax(&score);
    let inner = Dense::new(&entry_products::<T>(relation, h, h));
    let inner = inner.slice::<T>();
    let like = match likeness {
        Likeness::Sigmoid => filled(&[pairs], |y: &mut [T]| {
            y.iter_mut().zip(inner).for_each(|(y, &x)| *y = T::ONE / (T::ONE + (T::real(0.0) - x).exp()));
        }),
        Likeness::Softmax => softmax(inner),
    };
    let factors = [&structural, &like].map(Dense::new);
    let both = factors[0].slice::<T>().iter().zip(factors[1].slice());
    let phi = match joint {
        Joint::Product => filled(&[pairs], |phi: &mut [T]| {
            phi.iter_mut().zip(both).for_each(|(phi, (&s, &c))| *phi = s * c);
        }),
        Joint::Softmax => softmax(&both.map(|(&s, &c)| s * c).collect::<Vec<T>>()),
    };
    [structural, like, phi]
}

/// The member's share cancels where nothing goes over the sum: then nothing of it is left, not even rounding.
fn sum<T: Real>(slope: Option<f64>, member: T, ego: T) -> T {
    if slope.is_some() { member + ego } else { ego }
}

pub(crate) fn leaky<T: Real>(slope: Option<f64>, sum: T) -> T {
    match slope {
        Some(slope) if sum <= T::real(0.0) => sum * T::real(slope),
        _ => sum,
    }
}

/// The factor of a gradient on its way through [`leaky`].
pub(crate) fn leaky_gradient<T: Real>(slope: Option<f64>, sum: T) -> T {
    match slope {
        Some(slope) if sum <= T::real(0.0) => T::real(slope),
        _ => T::ONE,
    }
}

struct Fitness {
    relation: Arc<Relation>,
    shares: Tensor,
    h: Tensor,
    slope: Option<f64>,
    /// `f^s`, `f^c` and `φ`.
    factors: [Tensor; 3],
    likeness: Likeness,
    joint: Joint,
}

impl Fitness {
    /// Gradients of the shares and of `h`.
    fn gradients<T: Real>(&self, grad: &Tensor) -> [Tensor; 2] {
        let ptr = self.relation.csr().row_ptr();
        let grad = Dense::new(grad);
        let factors = self.factors.each_ref().map(Dense::new);
        let [structural, like, phi] = factors.each_ref().map(Dense::slice::<T>);
        let through = |y: &[T], grad: &[T]| {
            let mut dx = vec![T::real(0.0); y.len()];
            kernel::softmax_backward(&TorchPool, ptr, y, grad, 1, &mut dx);
            dx
        };
        let d_both = match self.joint {
            Joint::Product => grad.slice().to_vec(),
            Joint::Softmax => through(phi, grad.slice()),
        };
        let times = |factor: &[T]| d_both.iter().zip(factor).map(|(&d, &f)| d * f).collect::<Vec<T>>();
        let d_score = through(structural, &times(like));
        let d_like = times(structural);
        let d_inner = match self.likeness {
            Likeness::Sigmoid => {
                d_like.iter().zip(like).map(|(&d, &c)| d * c * (T::ONE - c)).collect::<Vec<T>>()
            }
            Likeness::Softmax => through(like, &d_like),
        };
        [self.of_shares(&d_score), self.of_features::<T>(&d_inner)]
    }

    fn of_shares<T: Real>(&self, d_score: &[T]) -> Tensor {
        let (csr, of) = (self.relation.csr(), Dense::new(&self.shares));
        let of = of.slice::<T>();
        filled(&self.shares.size(), |d: &mut [T]| {
            d.fill(T::real(0.0));
            for j in 0..csr.rows() {
                let mut of_member = T::real(0.0);
                for (&i, &score) in csr.row(j).iter().zip(&d_score[csr.range(j)]) {
                    let i = i as usize;
                    let d_sum = score * leaky_gradient(self.slope, sum(self.slope, of[2 * j], of[2 * i + 1]));
                    of_member += d_sum;
                    d[2 * i + 1] += d_sum;
                }
                d[2 * j] = if self.slope.is_some() { of_member } else { T::real(0.0) };
            }
        })
    }

    /// `Σ_i d_ji h_i + Σ_i d_ij h_i`: one product where every pair has its reverse.
    fn of_features<T: Real>(&self, d_inner: &[T]) -> Tensor {
        let (pattern, h, width) = (self.relation.pattern(), Dense::new(&self.h), self.h.size()[1] as usize);
        let h = h.slice::<T>();
        if pattern.is_symmetric() {
            let reverse = pattern.transposed_edge().iter().map(|&e| d_inner[e as usize]);
            let both: Vec<T> = d_inner.iter().zip(reverse).map(|(&there, back)| there + back).collect();
            return filled(&self.h.size(), |dh| spmm(&TorchPool, pattern.csr(), Some(&both), h, width, dh));
        }
        let mut of_egos = vec![T::real(0.0); h.len()];
        spmm_transposed(&TorchPool, pattern, Some(d_inner), h, width, &mut of_egos);
        filled(&self.h.size(), |dh: &mut [T]| {
            spmm(&TorchPool, pattern.csr(), Some(d_inner), h, width, dh);
            dh.iter_mut().zip(&of_egos).for_each(|(dh, &more)| *dh += more);
        })
    }
}

impl Function for Fitness {
    const NAME: &'static CStr = c"fitness for ego-networks";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return vec![None, None] };
        by_kind!(grad.kind(), T => self.gradients::<T>(grad)).map(Some).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adjacency::Sparse;
    use crate::pattern::Pattern;
    use crate::segments::Segments;
    use crate::testing::{assert_close, ramp};
    use coarsen_sparse::Csr;
    use tch::{Device, Kind};

    /// Five nodes, one of them alone; `back` closes every edge.
    fn memberships(back: &[(u32, u32)]) -> Memberships {
        let there = [(0, 1), (0, 2), (1, 3), (2, 3)];
        let csr = Csr::from_edges(5, 5, there.iter().chain(back).copied()).expect("edges in range");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 5]))));
        Memberships::of(&Sparse::new(pattern, None, (Kind::Double, Device::Cpu)), 1)
    }

    #[test]
    fn equals_libtorch_with_its_gradients() {
        let (symmetric, directed) = ([(1, 0), (2, 0), (3, 1), (3, 2)], [(1, 0), (2, 1)]);
        let forms = [(Likeness::Sigmoid, Joint::Product), (Likeness::Softmax, Joint::Softmax)];
        for pairs in [&symmetric[..], &directed].map(memberships) {
            for ((likeness, joint), slope) in
                forms.into_iter().flat_map(|form| [(form, Some(0.2)), (form, None)])
            {
                let run = |f: &dyn Fn(&Shares<'_>, &Tensor) -> Tensor| {
                    let (of, h) = (ramp(&[5, 2], 0.9), ramp(&[5, 3], 0.7));
                    let phi = f(&Shares { of: &of, slope }, &h);
                    (&phi * ramp(&phi.size(), 1.1).detach()).sum(Kind::Double).backward();
                    [phi.detach(), of.grad(), h.grad()]
                };
                let ours = run(&|shares, h| pairs.fitness(shares, h, likeness, joint));
                let theirs = run(&|shares, h| pairs.composed(shares, h, likeness, joint));
                assert_close(&ours, &theirs, 1e-12);
            }
        }
    }
}

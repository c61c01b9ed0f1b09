//! What the members of a chosen ego-network weigh in its features: AdamGNN's attention over members, differentiable.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse::segment as kernel;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::ego::Networks;
use crate::executor::TorchPool;
use crate::fitness::{Shares, leaky, leaky_gradient};
use crate::relation::Relation;
use crate::view::{Dense, Real, by_kind, filled, filled_beside, on_host};

/// What a member weighs, with `α` the softmax over the members of a network, the node that names it included, and `s` what
/// [`Networks::assignment`] holds: `φ` of a member and 1 of the node that names the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighing {
    /// `α` of the scores `s_ji u_j`, and 1 of the node that names the network.
    Scaled,
    /// `α_ji s_ji` of the scores of [`Shares`].
    Scaling,
}

impl Networks {
    /// The weight of each member in the features of its network, for [`gather`](Self::gather).
    ///
    /// `keep` is the factor of each `α` that dropout needs; it is not differentiated. Of [`Weighing::Scaled`] nothing may go over
    /// the shares, of which that of the ego cancels.
    ///
    /// # Shapes
    ///
    /// `phi: [pairs]`, `keep: [entries]` → `[entries]`, cluster by cluster; differentiable.
    ///
    /// # Complexity
    ///
    /// Time and memory O(entries).
    pub fn weights(
        &self,
        form: Weighing,
        shares: &Shares<'_>,
        phi: &Tensor,
        keep: Option<&Tensor>,
    ) -> Tensor {
        if !on_host(phi) {
            return self.composed(form, shares, phi, keep);
        }
        let mut saved = Gathering {
            networks: Arc::clone(&self.members),
            form,
            slope: shares.slope,
            shares: shares.of.detach(),
            phi: phi.detach(),
            keep: keep.map(Tensor::shallow_clone),
            alpha: Tensor::new(),
        };
        let weights = no_grad(|| {
            by_kind!(phi.kind(), T => {
                saved.alpha = saved.alpha::<T>();
                saved.weights::<T>()
            })
        });
        record(&[shares.of, phi], weights, saved)
    }

    /// The same by operations of LibTorch and of this crate.
    fn composed(&self, form: Weighing, shares: &Shares<'_>, phi: &Tensor, keep: Option<&Tensor>) -> Tensor {
        let s = self.by_cluster(phi);
        let of_members = self.of_members(&shares.of.select(1, 0));
        let score = match form {
            Weighing::Scaled => &s * of_members,
            Weighing::Scaling => shares.composed(&of_members, &self.of_named(&shares.of.select(1, 1))),
        };
        let alpha = self.softmax_over_members(&score);
        let alpha = keep.map_or_else(|| alpha.shallow_clone(), |keep| &alpha * keep);
        match form {
            Weighing::Scaled => self.with_own(&alpha),
            Weighing::Scaling => alpha * s,
        }
    }
}

/// The memberships of chosen networks, network by network, on the host.
#[derive(Debug)]
pub(crate) struct Members {
    /// Networks × nodes.
    pub(crate) relation: Arc<Relation>,
    /// The pair behind each entry; `None` where a node names the network.
    pub(crate) pair: Vec<Option<u32>>,
    /// The node that names each network.
    pub(crate) named: Vec<i64>,
}

/// An entry, its member, the node that names its network, and its pair.
type Entry = (usize, usize, usize, Option<usize>);

impl Members {
    fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let csr = self.relation.csr();
        let of_network = move |(k, &named): (usize, &i64)| {
            let entry = move |e: usize| {
                (e, csr.col()[e] as usize, named as usize, self.pair[e].map(|pair| pair as usize))
            };
            csr.range(k).map(entry)
        };
        self.named.iter().enumerate().flat_map(of_network)
    }

    fn ptr(&self) -> &[u32] {
        self.relation.csr().row_ptr()
    }
}

struct Gathering {
    networks: Arc<Members>,
    form: Weighing,
    slope: Option<f64>,
    shares: Tensor,
    phi: Tensor,
    keep: Option<Tensor>,
    alpha: Tensor,
}

impl Gathering {
    fn alpha<T: Real>(&self) -> Tensor {
        let (of, phi) = (Dense::new(&self.shares), Dense::new(&self.phi));
        let (of, phi) = (of.slice::<T>(), phi.slice::<T>());
        let score = |(_, j, i, pair): Entry| match self.form {
            Weighing::Scaled => pair.map_or(T::ONE, |pair| phi[pair]) * of[2 * j],
            Weighing::Scaling => leaky(self.slope, of[2 * j] + of[2 * i + 1]),
        };
        let score: Vec<T> = self.networks.entries().map(score).collect();
        filled(&[score.len() as i64], |alpha| {
            kernel::softmax(&TorchPool, self.networks.ptr(), &score, 1, alpha);
        })
    }

    fn weights<T: Real>(&self) -> Tensor {
        let (phi, alpha) = (Dense::new(&self.phi), Dense::new(&self.alpha));
        let (phi, alpha) = (phi.slice::<T>(), alpha.slice::<T>());
        let keep = self.keep.as_ref().map(Dense::new);
        let keep = keep.as_ref().map(Dense::slice::<T>);
        filled(&[alpha.len() as i64], |weights: &mut [T]| {
            for ((e, weight), pair) in weights.iter_mut().enumerate().zip(&self.networks.pair) {
                let alpha = keep.map_or(alpha[e], |keep| alpha[e] * keep[e]);
                *weight = match (self.form, pair) {
                    (Weighing::Scaled, None) => T::ONE,
                    (Weighing::Scaled, Some(_)) | (Weighing::Scaling, None) => alpha,
                    (Weighing::Scaling, Some(pair)) => alpha * phi[*pair as usize],
                };
            }
        })
    }

    /// Gradients of the shares and of `φ`.
    fn gradients<T: Real>(&self, grad: &Tensor) -> [Tensor; 2] {
        let [of, phi, alpha, grad] = [&self.shares, &self.phi, &self.alpha, grad].map(Dense::new);
        let [of, phi, alpha, grad] = [&of, &phi, &alpha, &grad].map(Dense::slice::<T>);
        let keep = self.keep.as_ref().map(Dense::new);
        let keep = keep.as_ref().map(Dense::slice::<T>);
        let kept: Vec<T> =
            keep.map_or_else(|| grad.to_vec(), |keep| grad.iter().zip(keep).map(|(&g, &k)| g * k).collect());
        let mut d_alpha = kept.clone();
        for (d_alpha, pair) in d_alpha.iter_mut().zip(&self.networks.pair) {
            match (self.form, pair) {
                (Weighing::Scaled, None) => *d_alpha = T::real(0.0),
                (Weighing::Scaling, Some(pair)) => *d_alpha *= phi[*pair as usize],
                (Weighing::Scaled, Some(_)) | (Weighing::Scaling, None) => {}
            }
        }
        let mut d_score = vec![T::real(0.0); alpha.len()];
        kernel::softmax_backward(&TorchPool, self.networks.ptr(), alpha, &d_alpha, 1, &mut d_score);
        let both = filled_beside(&self.shares.size(), &self.phi.size(), |d: &mut [T], d_phi: &mut [T]| {
            d.fill(T::real(0.0));
            d_phi.fill(T::real(0.0));
            for (e, j, i, pair) in self.networks.entries() {
                let of_pair = match self.form {
                    Weighing::Scaled => {
                        d[2 * j] += d_score[e] * pair.map_or(T::ONE, |pair| phi[pair]);
                        d_score[e] * of[2 * j]
                    }
                    Weighing::Scaling => {
                        let d_sum = d_score[e] * leaky_gradient(self.slope, of[2 * j] + of[2 * i + 1]);
                        d[2 * j] += d_sum;
                        d[2 * i + 1] += d_sum;
                        kept[e] * alpha[e]
                    }
                };
                if let Some(pair) = pair {
                    d_phi[pair] = of_pair;
                }
            }
        });
        both.into()
    }
}

impl Function for Gathering {
    const NAME: &'static CStr = c"weights of the members of ego-networks";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return vec![None, None] };
        by_kind!(grad.kind(), T => self.gradients::<T>(grad)).map(Some).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adjacency::Sparse;
    use crate::ego::Memberships;
    use crate::pattern::Pattern;
    use crate::segments::Segments;
    use crate::testing::{assert_close, ramp};
    use coarsen_sparse::Csr;
    use tch::{Device, Kind};

    /// A path of four nodes, whose ends are chosen, and a node alone.
    fn networks() -> (Networks, i64) {
        let csr = Csr::from_edges(5, 5, [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]).expect("a path");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 5]))));
        let pairs = Memberships::of(&Sparse::new(pattern, None, (Kind::Double, Device::Cpu)), 2);
        (pairs.choose(&[true, false, false, true, false]), pairs.pairs())
    }

    #[test]
    fn equals_libtorch_with_its_gradients() {
        let (networks, pairs) = networks();
        let entries = networks.members.pair.len() as i64;
        let drawn = ramp(&[entries], 0.4).detach();
        for (form, slope) in
            [(Weighing::Scaled, None), (Weighing::Scaling, Some(0.2)), (Weighing::Scaling, None)]
        {
            for keep in [None, Some(&drawn)] {
                let run = |f: &dyn Fn(&Shares<'_>, &Tensor) -> Tensor| {
                    let (of, phi) = (ramp(&[5, 2], 0.9), ramp(&[pairs], 0.7));
                    let weights = f(&Shares { of: &of, slope }, &phi);
                    (&weights * ramp(&[entries], 1.1).detach()).sum(Kind::Double).backward();
                    [weights.detach(), of.grad(), phi.grad()]
                };
                let ours = run(&|shares, phi| networks.weights(form, shares, phi, keep));
                let theirs = run(&|shares, phi| networks.composed(form, shares, phi, keep));
                assert_close(&ours, &theirs, 1e-12);
            }
        }
    }
}

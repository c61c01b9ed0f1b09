//! Affine maps with their activation, one recorded operation.

use std::ffi::CStr;

use coarsen_sparse::Act;
use tch::{Device, Tensor, no_grad};

use crate::adjacency::Adjacency;
use crate::autograd::{Function, record};
use crate::blocked::{self, Gradients, Term};
use crate::epilogue::composed;
use crate::propagate::spmm_beside;
use crate::view::{Dense, Real, by_kind, filled, fresh, on_host};
use crate::weights_first::weights_first;

/// So many times as wide as its output an input is at least, when its weights come before sparse edges: what is sent stands beside what is there,
/// so that edges skip every other row, and features without a gradient are propagated on the way back, too.
const WIDER: i64 = 2;

/// `act(Σ_t x_t W_tᵀ + b)`: an affine map, or the sum of several of different inputs.
///
/// On the CPU the products add up in one place, bias and activation are one pass over it, and so are their gradients.
///
/// # Shapes
///
/// Each term `x_t: […, in_t]`, `W_t: [out, in_t]`; `bias: [out]` → `[…, out]`.
///
/// # Complexity
///
/// Time `O(rows · Σ in_t · out)`.
///
/// # Panics
///
/// Without any term.
pub fn affine(terms: &[(&Tensor, &Tensor)], bias: Option<&Tensor>, act: Act) -> Tensor {
    let (first, weight) = terms.first().expect("at least one term");
    if !on_host(first) {
        let products = terms.iter().map(|(x, w)| x.linear(w, None::<&Tensor>));
        return composed(products.reduce(|sum, y| sum + y).expect("at least one term"), bias, act);
    }
    let y = no_grad(|| by_kind!(weight.kind(), T => forward::<T>(terms, bias, act)));
    let inputs: Vec<&Tensor> = terms.iter().flat_map(|(x, w)| [*x, *w]).chain(bias).collect();
    let saved = Affine {
        terms: terms.iter().map(|(x, w)| (x.shallow_clone(), w.shallow_clone())).collect(),
        act,
        y: (act != Act::Identity).then(|| y.shallow_clone()),
    };
    record(&inputs, y, saved)
}

impl Adjacency {
    /// `act(A x Wᵀ + x Vᵀ + b)`: what a node receives and what it has, each with weights of its own.
    ///
    /// Where `W` makes rows half as wide or less, or no wider on a dense level, it comes before `A`.
    ///
    /// # Shapes
    ///
    /// `x: […, F]`, `neighbour` (`W`) and `root` (`V`): `[out, F]`, `bias: [out]` → `[…, out]`.
    pub fn affine(
        &self,
        x: &Tensor,
        neighbour: &Tensor,
        root: &Tensor,
        bias: Option<&Tensor>,
        act: Act,
    ) -> Tensor {
        let (outputs, inputs) = (neighbour.size()[0], neighbour.size()[1]);
        match self {
            _ if !on_host(x) => {
                let received = self.matmul(x).linear(neighbour, None::<&Tensor>);
                composed(received + x.linear(root, None::<&Tensor>), bias, act)
            }
            Self::Sparse(s) if inputs < WIDER * outputs => {
                let both = Tensor::cat(&[neighbour, root], 1);
                affine(&[(&spmm_beside(s.edges(), x), &both)], bias, act)
            }
            Self::Dense(_) if inputs < outputs => {
                affine(&[(&self.matmul(x), neighbour), (x, root)], bias, act)
            }
            _ => weights_first(self, x, [neighbour, root], bias, act),
        }
    }
}

fn forward<T: Real>(terms: &[(&Tensor, &Tensor)], bias: Option<&Tensor>, act: Act) -> Tensor {
    let held: Vec<_> = terms.iter().map(|(x, w)| (Dense::new(x), Dense::new(w))).collect();
    let bias = bias.map(Dense::new);
    let (mut shape, outputs) = (terms[0].0.size(), terms[0].1.size()[0]);
    *shape.last_mut().expect("rows of features") = outputs;
    filled(&shape, |y| {
        if !y.is_empty() {
            let bias = bias.as_ref().map(Dense::slice::<T>);
            blocked::forward(&borrowed(&held), outputs as usize, bias, act, y);
        }
    })
}

fn borrowed<T: Real>(held: &[(Dense, Dense)]) -> Vec<Term<'_, T>> {
    held.iter().map(|(x, w)| Term { x: x.slice(), w: w.slice(), inputs: w.size()[1] as usize }).collect()
}

struct Affine {
    /// Input and weight of each.
    terms: Vec<(Tensor, Tensor)>,
    act: Act,
    /// The output, where the activation's slope depends on it.
    y: Option<Tensor>,
}

impl Affine {
    fn gradients<T: Real>(&self, grad: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        let held: Vec<_> = self.terms.iter().map(|(x, w)| (Dense::new(x), Dense::new(w))).collect();
        let (grad, y) = (Dense::new(grad), self.y.as_ref().map(Dense::new));
        let outputs = self.terms[0].1.size()[0];
        let (of_terms, of_bias) = needs.split_at(2 * self.terms.len());
        let shapes = self
            .terms
            .iter()
            .flat_map(|(x, w)| [x.size(), w.size()])
            .chain(of_bias.first().map(|_| vec![outputs]));
        let new = |(shape, needed): (Vec<i64>, &bool)| {
            let options = (T::KIND, Device::Cpu);
            // Without rows nothing is written, and the sums over none are 0.
            needed.then(|| {
                if grad.numel() > 0 { Tensor::empty(shape, options) } else { Tensor::zeros(shape, options) }
            })
        };
        let mut result: Vec<Option<Tensor>> = shapes.zip(needs).map(new).collect();
        if grad.numel() > 0 {
            let (pairs, bias) = result.split_at_mut(of_terms.len());
            let (mut inputs, mut weights) = (Vec::new(), Vec::new());
            for pair in pairs.chunks_exact_mut(2) {
                let [x, w] = pair else { unreachable!("pieces of two") };
                inputs.push(x.as_mut().map(fresh::<T>));
                weights.push(w.as_mut().map(fresh::<T>));
            }
            let bias = bias.first_mut().and_then(|t| t.as_mut().map(fresh::<T>));
            let gate = (self.act, y.as_ref().map(Dense::slice::<T>));
            blocked::backward(
                &borrowed(&held),
                outputs as usize,
                gate,
                grad.slice::<T>(),
                Gradients { inputs, weights, bias },
            );
        }
        result
    }
}

impl Function for Affine {
    const NAME: &'static CStr = c"affine map";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        by_kind!(grad.kind(), T => self.gradients::<T>(grad, needs))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use coarsen_sparse::Csr;
    use tch::Kind;

    use super::*;
    use crate::adjacency::{Padded, Sparse};
    use crate::pattern::Pattern;
    use crate::segments::Segments;
    use crate::testing::{assert_both_close, assert_close, ramp};

    #[test]
    fn equals_libtorch_with_its_gradients() {
        for act in [Act::Identity, Act::Relu] {
            for shape in [&[7, 3][..], &[2, 4, 3], &[0, 3]] {
                let run = |f: &dyn Fn(&Tensor, &Tensor, &Tensor) -> Tensor| {
                    let (x, w, b) = (ramp(shape, 0.7), ramp(&[5, 3], 0.3), ramp(&[5], 1.9));
                    let y = f(&x, &w, &b);
                    (&y * ramp(&y.size(), 1.1).detach()).sum(None).backward();
                    [y.detach(), x.grad(), w.grad(), b.grad()]
                };
                let ours = || run(&|x, w, b| affine(&[(x, w)], Some(b), act));
                let theirs = run(&|x, w, b| composed(x.linear(w, None::<&Tensor>), Some(b), act));
                assert_both_close(ours, &theirs, 1e-12);
                let ours = || run(&|x, w, b| affine(&[(x, w), (&(x * 2.0), &w.square())], Some(b), act));
                let two = |x: &Tensor, w: &Tensor| {
                    x.linear(w, None::<&Tensor>) + (x * 2.0).linear(&w.square(), None::<&Tensor>)
                };
                assert_both_close(ours, &run(&|x, w, b| composed(two(x, w), Some(b), act)), 1e-12);
            }
        }
    }

    /// A path of three nodes, sparse and as a square, with weights that widen rows and with ones that make them narrow.
    #[test]
    fn what_is_received_and_what_is_there_in_either_order() {
        let csr = Csr::from_edges(3, 3, [(0, 1), (1, 0), (1, 2), (2, 1)]).expect("a path");
        let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 3])));
        let sparse = Adjacency::Sparse(Sparse::new(Arc::new(pattern), None, (Kind::Double, Device::Cpu)));
        let a = Tensor::from_slice2(&[[0f64, 1., 0.], [1., 0., 1.], [0., 1., 0.]]);
        let dense = Adjacency::Dense(Padded::new(a.unsqueeze(0), None));
        for (inputs, outputs) in [(4, 2), (4, 3), (2, 3)] {
            let run = |f: &dyn Fn(&Tensor, [&Tensor; 3]) -> Tensor| {
                let (x, w, v) =
                    (ramp(&[3, inputs], 0.7), ramp(&[outputs, inputs], 0.3), ramp(&[outputs, inputs], 1.3));
                let b = ramp(&[outputs], 1.9);
                let y = f(&x, [&w, &v, &b]);
                (&y * ramp(&y.size(), 1.1).detach()).sum(None).backward();
                [y.detach(), x.grad(), w.grad(), v.grad(), b.grad()]
            };
            let want =
                run(&|x, [w, v, b]| (a.matmul(x).linear(w, Some(b)) + x.linear(v, None::<&Tensor>)).relu());
            let ragged = || run(&|x, [w, v, b]| sparse.affine(x, w, v, Some(b), Act::Relu));
            assert_both_close(ragged, &want, 1e-12);
            let padded = || {
                run(&|x, [w, v, b]| dense.affine(&x.unsqueeze(0), w, v, Some(b), Act::Relu).squeeze_dim(0))
            };
            assert_both_close(padded, &want, 1e-12);
        }
    }

    /// Three blocks, the last one short: the sums over blocks are right, and their bits do not depend on threads.
    #[test]
    fn blocks_add_up_and_threads_change_no_bit() {
        let run = |f: &dyn Fn(&Tensor, &Tensor, &Tensor) -> Tensor| {
            let (x, w, b) = (ramp(&[1300, 7], 0.37), ramp(&[5, 7], 0.3), ramp(&[5], 1.9));
            let y = f(&x, &w, &b);
            (&y * ramp(&y.size(), 1.1).detach()).sum(None).backward();
            [y.detach(), x.grad(), w.grad(), b.grad()]
        };
        let ours = || run(&|x, w, b| affine(&[(x, w)], Some(b), Act::Relu));
        let theirs = run(&|x, w, b| composed(x.linear(w, None::<&Tensor>), Some(b), Act::Relu));
        assert_close(&ours(), &theirs, 1e-10);
        tch::set_num_threads(1);
        let alone = ours();
        tch::set_num_threads(2);
        assert!(alone.iter().zip(&ours()).all(|(a, b)| a.equal(b)));
    }
}

//! Propagation over a square relation, fused with what a convolution does before and after it.
//!
//! Each is one recorded operation with a backward pass of its own on the CPU, and a composition of LibTorch's operations
//! elsewhere. Weights have a gradient in all of them.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse::{self as sparse, Act};
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::epilogue::{Gate, composed};
use crate::executor::TorchPool;
use crate::relation::Relation;
use crate::spmm::{Side, entry_products, product, spmm};
use crate::view::{Dense, Real, by_kind, filled, on_host};

/// `A` of a propagation: who sends to whom, and with what weight (`None`: ones).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edges<'a> {
    pub(crate) relation: &'a Arc<Relation>,
    pub(crate) weight: Option<&'a Tensor>,
}

/// `act(A x + 1 bᵀ)`.
///
/// # Shapes
///
/// `x: [N, F]`, `bias: [F]` → `[N, F]`.
pub(crate) fn spmm_act(a: Edges<'_>, x: &Tensor, bias: Option<&Tensor>, act: Act) -> Tensor {
    if !on_host(x) {
        return composed(spmm(a.relation, Side::Rows, a.weight, x), bias, act);
    }
    let y = no_grad(|| {
        by_kind!(x.kind(), T => a.forward::<T>(x, 1, |csr, weight, x, width, y| {
            let bias = bias.map(Dense::new);
            let bias = bias.as_ref().map(Dense::slice::<T>);
            sparse::spmm_act(&TorchPool, csr, weight, x, width, bias, act, y);
        }))
    });
    let saved = SpmmAct { edges: Saved::of(a, x), gate: Gate::of(act, &y), weighted: a.weight.is_some() };
    let inputs: Vec<&Tensor> = [Some(x), a.weight, bias].into_iter().flatten().collect();
    record(&inputs, y, saved)
}

/// `own · x + A x`.
///
/// # Shapes
///
/// `x: [N, F]`, kept.
pub(crate) fn spmm_own(a: Edges<'_>, own: f64, x: &Tensor) -> Tensor {
    if !on_host(x) {
        return x * own + spmm(a.relation, Side::Rows, a.weight, x);
    }
    let y = no_grad(|| {
        by_kind!(x.kind(), T => a.forward::<T>(x, 1, |csr, weight, x, width, y| {
            sparse::spmm_own(&TorchPool, csr, weight, T::real(own), x, width, y);
        }))
    });
    a.record(x, y, SpmmOwn { edges: Saved::of(a, x), own })
}

/// `[A x ‖ x]`.
///
/// # Shapes
///
/// `x: [N, F]` → `[N, 2 F]`.
pub(crate) fn spmm_beside(a: Edges<'_>, x: &Tensor) -> Tensor {
    if !on_host(x) {
        return Tensor::cat(&[&spmm(a.relation, Side::Rows, a.weight, x), x], 1);
    }
    let y = no_grad(|| {
        by_kind!(x.kind(), T => a.forward::<T>(x, 2, |csr, weight, x, width, y| {
            sparse::spmm_beside(&TorchPool, csr, weight, x, width, y);
        }))
    });
    a.record(x, y, Beside { edges: Saved::of(a, x) })
}

impl Edges<'_> {
    /// Runs a kernel over `x` into rows `times` as wide.
    fn forward<T: Real>(
        &self,
        x: &Tensor,
        times: i64,
        kernel: impl FnOnce(&sparse::Csr, Option<&[T]>, &[T], usize, &mut [T]),
    ) -> Tensor {
        let width = x.size()[1];
        let (x, weight) = (Dense::new(x), self.weight.map(Dense::new));
        let weight = weight.as_ref().map(Dense::slice::<T>);
        filled(&[self.relation.rows(), times * width], |y| {
            kernel(self.relation.csr(), weight, x.slice::<T>(), width as usize, y);
        })
    }

    fn record<F: Function>(&self, x: &Tensor, y: Tensor, function: F) -> Tensor {
        match self.weight {
            Some(weight) => record(&[x, weight], y, function),
            None => record(&[x], y, function),
        }
    }
}

/// What the backward passes keep of `A`, and of `x` where the weights want a gradient.
struct Saved {
    relation: Arc<Relation>,
    weight: Option<Tensor>,
    x: Option<Tensor>,
}

impl Saved {
    fn of(a: Edges<'_>, x: &Tensor) -> Self {
        Self {
            relation: Arc::clone(a.relation),
            weight: a.weight.map(Tensor::shallow_clone),
            x: a.weight.is_some_and(Tensor::requires_grad).then(|| x.shallow_clone()),
        }
    }

    /// Runs a kernel over the gradient, whose rows are `times` as wide as `x`.
    fn backward<T: Real>(
        &self,
        grad: &Tensor,
        times: i64,
        kernel: impl FnOnce(&sparse::Pattern, Option<&[T]>, &[T], usize, &mut [T]),
    ) -> Tensor {
        let width = grad.size()[1] / times;
        let (grad, weight) = (Dense::new(grad), self.weight.as_ref().map(Dense::new));
        let weight = weight.as_ref().map(Dense::slice::<T>);
        filled(&[self.relation.cols(), width], |dx| {
            kernel(self.relation.pattern(), weight, grad.slice::<T>(), width as usize, dx);
        })
    }

    /// `⟨grad_i, x_j⟩` at every entry.
    fn weight_gradient<T: Real>(&self, grad: &Tensor) -> Option<Tensor> {
        self.x.as_ref().map(|x| entry_products::<T>(&self.relation, grad, x))
    }
}

struct SpmmAct {
    edges: Saved,
    gate: Gate,
    weighted: bool,
}

impl Function for SpmmAct {
    const NAME: &'static CStr = c"sparse product with activation";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        let at_bias = if self.weighted { 2 } else { 1 };
        let (before, bias) = self.gate.backward(grad, needs.get(at_bias) == Some(&true));
        by_kind!(grad.kind(), T => {
            let Saved { relation, weight, .. } = &self.edges;
            let mut result = vec![needs[0].then(|| product::<T>(relation, Side::Cols, weight.as_ref(), &before))];
            if self.weighted {
                result.push(needs[1].then(|| self.edges.weight_gradient::<T>(&before)).flatten());
            }
            if needs.len() > at_bias {
                result.push(bias);
            }
            result
        })
    }
}

struct SpmmOwn {
    edges: Saved,
    own: f64,
}

impl Function for SpmmOwn {
    const NAME: &'static CStr = c"sparse product with its own rows";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        by_kind!(grad.kind(), T => {
            let dx = needs[0].then(|| self.edges.backward::<T>(grad, 1, |a, weight, grad, width, dx| {
                sparse::spmm_own_transposed(&TorchPool, a, weight, T::real(self.own), grad, width, dx);
            }));
            let weight = needs.get(1).map(|&n| n.then(|| self.edges.weight_gradient::<T>(grad)).flatten());
            [Some(dx), weight].into_iter().flatten().collect()
        })
    }
}

struct Beside {
    edges: Saved,
}

impl Function for Beside {
    const NAME: &'static CStr = c"sparse product beside its own rows";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        by_kind!(grad.kind(), T => {
            let dx = needs[0].then(|| self.edges.backward::<T>(grad, 2, |a, weight, grad, width, dx| {
                sparse::spmm_beside_backward(&TorchPool, a, weight, grad, width, dx);
            }));
            let received = || grad.narrow(1, 0, grad.size()[1] / 2);
            let weight = needs.get(1).map(|&n| n.then(|| self.edges.weight_gradient::<T>(&received())).flatten());
            [Some(dx), weight].into_iter().flatten().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_both_close, ramp};
    use coarsen_sparse::Csr;

    /// A node without entries, a loop, an edge one way only.
    fn relation() -> Arc<Relation> {
        let csr = Csr::new(4, 4, vec![0, 2, 2, 5, 6], vec![0, 3, 0, 1, 3, 2]).unwrap();
        Arc::new(Relation::new(csr))
    }

    /// Runs `ours` and the composition of LibTorch's operations on a dense `A`, with and without weights.
    fn check(
        ours: impl Fn(Edges<'_>, &Tensor, &Tensor) -> Tensor,
        plain: impl Fn(&Tensor, &Tensor, &Tensor) -> Tensor,
    ) {
        let r = relation();
        let place = &r.row(tch::Device::Cpu) * 4 + r.col(tch::Device::Cpu);
        for weighted in [true, false] {
            let run = |f: &dyn Fn(&Tensor, &Tensor, &Tensor) -> Tensor| {
                let (x, b) = (ramp(&[4, 3], 0.7), ramp(&[3], 1.3));
                let w = if weighted { ramp(&[6], 0.4) } else { ramp(&[6], 0.0) + 1.0 };
                let w = w.detach().set_requires_grad(weighted);
                let y = f(&x, &w, &b);
                (&y * ramp(&y.size(), 1.1).detach()).sum(None).backward();
                let weight = if weighted { w.grad() } else { w.detach() };
                let bias = if b.grad().defined() { b.grad() } else { b.zeros_like() };
                [y.detach(), x.grad(), weight, bias]
            };
            let dense = |w: &Tensor| {
                Tensor::zeros([16], (w.kind(), w.device())).index_copy(0, &place, w).view([4, 4])
            };
            let ours = || run(&|x, w, b| ours(Edges { relation: &r, weight: weighted.then_some(w) }, x, b));
            assert_both_close(ours, &run(&|x, w, b| plain(&dense(w), x, b)), 1e-12);
        }
    }

    #[test]
    fn each_equals_its_plain_formula_with_gradients() {
        for act in [Act::Identity, Act::Relu] {
            check(|a, x, b| spmm_act(a, x, Some(b), act), |a, x, b| composed(a.matmul(x), Some(b), act));
            check(|a, x, _| spmm_act(a, x, None, act), |a, x, _| composed(a.matmul(x), None, act));
        }
        check(|a, x, _| spmm_own(a, 1.5, x), |a, x, _| a.matmul(x) + x * 1.5);
        check(|a, x, _| spmm_beside(a, x), |a, x, _| Tensor::cat(&[&a.matmul(x), x], 1));
    }
}

//! Largest value over the columns of a row, differentiable.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse as sparse;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::TorchPool;
use crate::relation::Relation;
use crate::view::{Dense, Real, by_kind, filled, on_host};

/// `max_j a_ij x_j` over the columns of each row, number by number; 0 for a row without any. `weight` `None`: ones.
///
/// The gradient goes to the first column that holds the maximum.
///
/// # Shapes
///
/// `weight: [E]`, `x: [cols, F]` → `[rows, F]`.
pub(crate) fn spmm_max(relation: &Arc<Relation>, weight: Option<&Tensor>, x: &Tensor) -> Tensor {
    let shape = [relation.rows(), x.size()[1]];
    if !on_host(x) {
        let messages = x.index_select(0, &relation.col(x.device()));
        let messages = match weight {
            Some(weight) => messages * weight.unsqueeze(1),
            None => messages,
        };
        let zeros = Tensor::zeros(shape, (x.kind(), x.device()));
        return zeros.index_reduce(0, &relation.row(x.device()), &messages, "amax", false);
    }
    let mut from = vec![0u32; (shape[0] * shape[1]) as usize];
    let y = no_grad(|| {
        by_kind!(x.kind(), T => {
            let (input, weight) = (Dense::new(x), weight.map(Dense::new));
            let weight = weight.as_ref().map(Dense::slice::<T>);
            filled(&shape, |y| {
                let x = input.slice::<T>();
                sparse::spmm_max(&TorchPool, relation.csr(), weight, x, shape[1] as usize, y, &mut from);
            })
        })
    });
    let function = Max {
        relation: Arc::clone(relation),
        from,
        weight: weight.map(Tensor::shallow_clone),
        x: weight.is_some_and(Tensor::requires_grad).then(|| x.shallow_clone()),
    };
    match weight {
        Some(weight) => record(&[x, weight], y, function),
        None => record(&[x], y, function),
    }
}

struct Max {
    relation: Arc<Relation>,
    from: Vec<u32>,
    weight: Option<Tensor>,
    /// Kept only where the weights want a gradient.
    x: Option<Tensor>,
}

impl Max {
    fn features<T: Real>(&self, grad: &Tensor) -> Tensor {
        let (width, weight) = (grad.size()[1], self.weight.as_ref().map(Dense::new));
        let (grad, weight) = (Dense::new(grad), weight.as_ref().map(Dense::slice::<T>));
        filled(&[self.relation.cols(), width], |dx| {
            let (a, grad) = (self.relation.pattern(), grad.slice::<T>());
            sparse::spmm_max_backward(&TorchPool, a, weight, grad, &self.from, width as usize, dx);
        })
    }

    fn weights<T: Real>(&self, grad: &Tensor, x: &Tensor) -> Tensor {
        let width = grad.size()[1] as usize;
        let (grad, x) = (Dense::new(grad), Dense::new(x));
        filled(&[self.relation.entries()], |dw| {
            let (grad, x) = (grad.slice::<T>(), x.slice::<T>());
            sparse::spmm_max_values(&TorchPool, self.relation.csr(), grad, &self.from, x, width, dw);
        })
    }
}

impl Function for Max {
    const NAME: &'static CStr = c"maximum over columns";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        by_kind!(grad.kind(), T => {
            let dx = needs[0].then(|| self.features::<T>(grad));
            let weight = needs.get(1).map(|&wanted| {
                self.x.as_ref().filter(|_| wanted).map(|x| self.weights::<T>(grad, x))
            });
            [Some(dx), weight].into_iter().flatten().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_both_close, ramp};
    use coarsen_sparse::Csr;
    use tch::Device;

    #[test]
    fn kernel_and_gather_agree_with_their_gradients() {
        // Row 1 is empty.
        let csr = Csr::new(3, 4, vec![0, 2, 2, 5], vec![1, 3, 0, 1, 2]).unwrap();
        let relation = Arc::new(Relation::new(csr));
        let (row, col) = (relation.row(Device::Cpu), relation.col(Device::Cpu));
        let gathered = |weight: Option<&Tensor>, x: &Tensor| {
            let sent = x.index_select(0, &col) * weight.map_or(Tensor::from(1.0), |w| w.unsqueeze(1));
            let zeros = Tensor::zeros([3, 5], (x.kind(), Device::Cpu));
            zeros.index_reduce(0, &row, &sent, "amax", false)
        };
        for weighted in [false, true] {
            let run = |f: &dyn Fn(Option<&Tensor>, &Tensor) -> Tensor| {
                let (x, weight) = (ramp(&[4, 5], 0.7), ramp(&[5], 1.3));
                let y = f(weighted.then_some(&weight), &x);
                (&y * ramp(&[3, 5], 0.4).detach()).sum(None).backward();
                let weight = if weighted { weight.grad() } else { weight.detach() };
                [y.detach(), x.grad(), weight]
            };
            assert_both_close(|| run(&|w, x| spmm_max(&relation, w, x)), &run(&gathered), 1e-12);
        }
    }
}

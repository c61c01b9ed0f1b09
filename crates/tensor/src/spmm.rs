//! Sparse times dense, differentiable: `A x` and `Aᵀ x`.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse as sparse;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::TorchPool;
use crate::relation::Relation;
use crate::view::{Dense, Real, by_kind, filled, on_host};

/// Which side of the relation receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// `y = A x`: rows receive from columns.
    Rows,
    /// `y = Aᵀ x`: columns receive from rows.
    Cols,
}

/// `A x` or `Aᵀ x`, where `A` has the entries of `relation` with the given weights (`None`: ones).
///
/// On the CPU this is the kernel of `coarsen-sparse` in LibTorch's pool, with its own backward pass; elsewhere it is a
/// gather and an `index_add` of LibTorch.
///
/// # Shapes
///
/// `weight: [E]`, `x: [cols, F]` (or `[rows, F]` for the transposed product) or one-dimensional, result alike.
pub(crate) fn spmm(relation: &Arc<Relation>, side: Side, weight: Option<&Tensor>, x: &Tensor) -> Tensor {
    if x.dim() == 1 {
        return spmm(relation, side, weight, &x.unsqueeze(1)).squeeze_dim(1);
    }
    if !on_host(x) {
        return gathered(relation, side, weight, x);
    }
    let y = no_grad(|| by_kind!(x.kind(), T => product::<T>(relation, side, weight, x)));
    let function = Spmm {
        relation: Arc::clone(relation),
        side,
        weight: weight.map(Tensor::shallow_clone),
        x: weight.is_some_and(Tensor::requires_grad).then(|| x.shallow_clone()),
    };
    match weight {
        Some(w) => record(&[x, w], y, function),
        None => record(&[x], y, function),
    }
}

/// The same product of LibTorch's own operations: the path of devices without a kernel of ours.
fn gathered(relation: &Relation, side: Side, weight: Option<&Tensor>, x: &Tensor) -> Tensor {
    let (row, col) = (relation.row(x.device()), relation.col(x.device()));
    let (to, from, size) = match side {
        Side::Rows => (row, col, relation.rows()),
        Side::Cols => (col, row, relation.cols()),
    };
    let messages = x.index_select(0, &from);
    let messages = match weight {
        Some(w) => messages * w.unsqueeze(1),
        None => messages,
    };
    Tensor::zeros([size, x.size()[1]], (x.kind(), x.device())).index_add(0, &to, &messages)
}

struct Spmm {
    relation: Arc<Relation>,
    side: Side,
    weight: Option<Tensor>,
    /// Kept only where the weights want a gradient.
    x: Option<Tensor>,
}

impl Function for Spmm {
    const NAME: &'static CStr = c"sparse product";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        let other = match self.side {
            Side::Rows => Side::Cols,
            Side::Cols => Side::Rows,
        };
        by_kind!(grad.kind(), T => {
            let dx = needs[0].then(|| product::<T>(&self.relation, other, self.weight.as_ref(), grad));
            let mut result = vec![dx];
            if let Some(&wanted) = needs.get(1) {
                let x = self.x.as_ref().filter(|_| wanted);
                result.push(x.map(|x| match self.side {
                    Side::Rows => entry_products::<T>(&self.relation, grad, x),
                    Side::Cols => entry_products::<T>(&self.relation, x, grad),
                }));
            }
            result
        })
    }
}

pub(crate) fn product<T: Real>(
    relation: &Relation,
    side: Side,
    weight: Option<&Tensor>,
    x: &Tensor,
) -> Tensor {
    let width = x.size()[1] as usize;
    let (x, weight) = (Dense::new(x), weight.map(Dense::new));
    let weight = weight.as_ref().map(Dense::slice::<T>);
    let pattern = relation.pattern();
    match side {
        Side::Rows => filled(&[relation.rows(), width as i64], |y| {
            sparse::spmm(&TorchPool, pattern.csr(), weight, x.slice::<T>(), width, y);
        }),
        Side::Cols => filled(&[relation.cols(), width as i64], |y| {
            sparse::spmm_transposed(&TorchPool, pattern, weight, x.slice::<T>(), width, y);
        }),
    }
}

/// `⟨a_i, b_j⟩` of every entry `(i, j)`.
pub(crate) fn entry_products<T: Real>(relation: &Relation, a: &Tensor, b: &Tensor) -> Tensor {
    let width = a.size()[1] as usize;
    let (a, b) = (Dense::new(a), Dense::new(b));
    filled(&[relation.entries()], |out| {
        sparse::sddmm(&TorchPool, relation.csr(), a.slice::<T>(), b.slice::<T>(), width, out);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_sparse::Csr;
    use tch::{Device, Kind};

    fn relation() -> Arc<Relation> {
        // 3 × 4: (0,1) (0,3) (2,0) (2,1) (2,2); row 1 is empty.
        let csr = Csr::new(3, 4, vec![0, 2, 2, 5], vec![1, 3, 0, 1, 2]).unwrap();
        Arc::new(Relation::new(csr))
    }

    fn random(shape: &[i64], seed: i64) -> Tensor {
        let n: i64 = shape.iter().product();
        let v: Vec<f64> = (0..n).map(|i| (((i * 37 + seed * 101) % 23) as f64 - 11.0) / 7.0).collect();
        Tensor::from_slice(&v).view(shape).set_requires_grad(true)
    }

    #[test]
    fn kernel_and_gather_agree_with_their_gradients() {
        let r = relation();
        for (side, n, m) in [(Side::Rows, 4, 3), (Side::Cols, 3, 4)] {
            let probe = random(&[m, 5], 3).detach();
            let run = |f: &dyn Fn(&Tensor, &Tensor) -> Tensor| {
                let (x, w) = (random(&[n, 5], 1), random(&[5], 2));
                let y = f(&x, &w);
                (&y * &probe).sum(Kind::Double).backward();
                [y.detach(), x.grad(), w.grad()]
            };
            let ours = run(&|x, w| spmm(&r, side, Some(w), x));
            let theirs = run(&|x, w| gathered(&r, side, Some(w), x));
            for (a, b) in ours.iter().zip(&theirs) {
                assert!((a - b).abs().max().double_value(&[]) < 1e-12, "{side:?}: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn without_weights_rows_are_summed() {
        let x = Tensor::from_slice(&[1f32, 2., 4., 8.]);
        let y = spmm(&relation(), Side::Rows, None, &x);
        assert_eq!(Vec::<f32>::try_from(&y).unwrap(), [10., 0., 7.]);
    }

    #[test]
    fn a_matrix_without_entries_gives_zeros() {
        let r = Arc::new(Relation::new(Csr::new(2, 3, vec![0, 0, 0], vec![]).unwrap()));
        let x = Tensor::ones([3, 2], (Kind::Double, Device::Cpu)).set_requires_grad(true);
        let y = spmm(&r, Side::Rows, None, &x);
        y.sum(Kind::Double).backward();
        let zeros = Tensor::zeros([2, 2], (Kind::Double, Device::Cpu));
        assert!(y.detach().equal(&zeros) && x.grad().equal(&Tensor::zeros_like(&x)));
    }
}

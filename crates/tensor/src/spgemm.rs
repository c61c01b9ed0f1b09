//! Sparse times sparse, differentiable in the values; the pattern of the product is fixed by the factors' patterns.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse::Product;
use tch::{Device, Kind, Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::TorchPool;
use crate::relation::Relation;
use crate::view::{Dense, by_kind, filled};

/// A sparse matrix: a relation and its values, `[E]` (`None`: ones).
pub(crate) struct Matrix {
    pub(crate) relation: Arc<Relation>,
    pub(crate) value: Option<Tensor>,
}

impl Matrix {
    /// The transposed matrix; the values' gradients find their way back.
    pub(crate) fn transposed(&self) -> Self {
        let transposed = self.relation.transposed();
        let value = self.value.as_ref().map(|v| {
            let entry = Tensor::from_slice(&transposed.entry).to_device(v.device());
            v.index_select(0, &entry)
        });
        Self { relation: Arc::clone(&transposed.relation), value }
    }
}

/// `A B`. An entry stays in the pattern when its value happens to be 0.
///
/// The arithmetic is done on the host; values on another device are taken there and back.
///
/// # Complexity
///
/// Time `O(Σ_{(i,k) ∈ A} |B_k|)` for the pattern and again for the values and each gradient.
pub(crate) fn spgemm(a: &Matrix, b: &Matrix, options: (Kind, Device)) -> Matrix {
    let host = |v: &Option<Tensor>| v.as_ref().map(|v| v.to_device(Device::Cpu));
    let (av, bv) = (host(&a.value), host(&b.value));
    let product = Product::new(&TorchPool, a.relation.csr(), b.relation.csr())
        .expect("the entries of a product are counted in 32 bits");
    let relation = Arc::new(Relation::new(product.csr().clone()));
    let function = Spgemm {
        a: Matrix { relation: Arc::clone(&a.relation), value: av.as_ref().map(Tensor::shallow_clone) },
        b: Matrix { relation: Arc::clone(&b.relation), value: bv.as_ref().map(Tensor::shallow_clone) },
        product,
        inputs: [av.is_some(), bv.is_some()],
    };
    let value = no_grad(|| function.values(options.0));
    let inputs: Vec<&Tensor> = [av.as_ref(), bv.as_ref()].into_iter().flatten().collect();
    let value = if inputs.is_empty() { value } else { record(&inputs, value, function) };
    Matrix { relation, value: Some(value.to_device(options.1)) }
}

struct Spgemm {
    a: Matrix,
    b: Matrix,
    product: Product,
    /// Which of the two values are inputs of the recorded operation.
    inputs: [bool; 2],
}

impl Spgemm {
    fn values(&self, kind: Kind) -> Tensor {
        by_kind!(kind, T => {
            let (av, bv) = (self.a.value.as_ref().map(Dense::new), self.b.value.as_ref().map(Dense::new));
            let (av, bv) = (av.as_ref().map(Dense::slice::<T>), bv.as_ref().map(Dense::slice::<T>));
            filled(&[self.product.csr().nnz() as i64], |c| {
                self.product.values(&TorchPool, self.a.relation.csr(), av, self.b.relation.csr(), bv, c);
            })
        })
    }

    fn backward_left(&self, grad: &Tensor) -> Tensor {
        by_kind!(grad.kind(), T => {
            let (bv, g) = (self.b.value.as_ref().map(Dense::new), Dense::new(grad));
            let bv = bv.as_ref().map(Dense::slice::<T>);
            let (a, b) = (self.a.relation.csr(), self.b.relation.csr());
            filled(&[a.nnz() as i64], |da| {
                self.product.backward_left(&TorchPool, a, b, bv, g.slice::<T>(), da);
            })
        })
    }

    fn backward_right(&self, grad: &Tensor) -> Tensor {
        by_kind!(grad.kind(), T => {
            let (av, g) = (self.a.value.as_ref().map(Dense::new), Dense::new(grad));
            let av = av.as_ref().map(Dense::slice::<T>);
            let (a, b) = (self.a.relation.pattern(), self.b.relation.csr());
            filled(&[b.nnz() as i64], |db| {
                self.product.backward_right(&TorchPool, a, av, b, g.slice::<T>(), db);
            })
        })
    }
}

impl Function for Spgemm {
    const NAME: &'static CStr = c"product of two sparse matrices";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        let mut needs = needs.iter();
        let mut result = Vec::with_capacity(2);
        if self.inputs[0] {
            result.push(needs.next().filter(|&&n| n).map(|_| self.backward_left(grad)));
        }
        if self.inputs[1] {
            result.push(needs.next().filter(|&&n| n).map(|_| self.backward_right(grad)));
        }
        result
    }
}

//! Largest value over the members of each cluster, differentiable.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse as sparse;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::TorchPool;
use crate::relation::Relation;
use crate::view::{Dense, by_kind, filled, on_host};

/// Largest value of each number over the rows related to each column; 0 for a column without any.
///
/// The gradient goes to the first row that holds the maximum.
///
/// # Shapes
///
/// `x: [rows, F]` → `[cols, F]`.
pub(crate) fn spmm_max(relation: &Arc<Relation>, x: &Tensor) -> Tensor {
    row_max(&relation.transposed().relation, x)
}

/// Largest value of each number over the columns related to each row; 0 for a row without any.
///
/// # Shapes
///
/// `x: [cols, F]` → `[rows, F]`.
pub(crate) fn row_max(relation: &Arc<Relation>, x: &Tensor) -> Tensor {
    let shape = [relation.rows(), x.size()[1]];
    if !on_host(x) {
        let members = x.index_select(0, &relation.col(x.device()));
        let zeros = Tensor::zeros(shape, (x.kind(), x.device()));
        return zeros.index_reduce(0, &relation.row(x.device()), &members, "amax", false);
    }
    let mut from = vec![0u32; (shape[0] * shape[1]) as usize];
    let y = no_grad(|| {
        by_kind!(x.kind(), T => {
            let input = Dense::new(x);
            filled(&shape, |y| {
                sparse::spmm_max(&TorchPool, relation.csr(), input.slice::<T>(), shape[1] as usize, y, &mut from);
            })
        })
    });
    record(&[x], y, Max { relation: Arc::clone(relation), from })
}

struct Max {
    relation: Arc<Relation>,
    from: Vec<u32>,
}

impl Function for Max {
    const NAME: &'static CStr = c"maximum over members";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|grad| {
            by_kind!(grad.kind(), T => {
                let (grad, width) = (Dense::new(grad), grad.size()[1]);
                filled(&[self.relation.cols(), width], |dx| {
                    let pattern = self.relation.pattern();
                    sparse::spmm_max_backward(&TorchPool, pattern, grad.slice::<T>(), &self.from, width as usize, dx);
                })
            })
        })]
    }
}

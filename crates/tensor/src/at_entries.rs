//! Numbers at the entries of a relation, from what its rows and columns have: differentiable, one pass on a CPU.

use std::ffi::CStr;
use std::sync::Arc;

use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::relation::Relation;
use crate::spmm::{Side, entry_products, product};
use crate::view::{Dense, by_kind, filled, on_host};

/// An end of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    Row,
    Col,
}

/// `v` of the row, or of the column, of each entry.
///
/// # Shapes
///
/// `[rows]` or `[cols]` → `[E]`.
pub(crate) fn at_entries(relation: &Arc<Relation>, end: Ends, v: &Tensor) -> Tensor {
    if !on_host(v) {
        let index = match end {
            Ends::Row => relation.row(v.device()),
            Ends::Col => relation.col(v.device()),
        };
        return v.index_select(0, &index);
    }
    let csr = relation.csr();
    let y = no_grad(|| {
        by_kind!(v.kind(), T => {
            let v = Dense::new(v);
            let v = v.slice::<T>();
            filled(&[relation.entries()], |y: &mut [T]| match end {
                Ends::Row => (0..csr.rows()).for_each(|i| y[csr.range(i)].fill(v[i])),
                Ends::Col => y.iter_mut().zip(csr.col()).for_each(|(y, &j)| *y = v[j as usize]),
            })
        })
    });
    record(&[v], y, AtEntries { relation: Arc::clone(relation), end })
}

struct AtEntries {
    relation: Arc<Relation>,
    end: Ends,
}

impl Function for AtEntries {
    const NAME: &'static CStr = c"numbers at entries";

    /// The sums over the entries of each row, or of each column.
    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        let (side, others) = match self.end {
            Ends::Row => (Side::Rows, self.relation.cols()),
            Ends::Col => (Side::Cols, self.relation.rows()),
        };
        vec![grads[0].as_ref().map(|grad| {
            let ones = Tensor::ones([others, 1], (grad.kind(), grad.device()));
            by_kind!(grad.kind(), T => product::<T>(&self.relation, side, Some(grad), &ones)).squeeze_dim(1)
        })]
    }
}

impl Relation {
    /// `⟨a_i, b_j⟩` of each entry `(i, j)`, row by row; differentiable.
    ///
    /// # Shapes
    ///
    /// `a: [rows, F]`, `b: [cols, F]` → `[E]`.
    ///
    /// # Complexity
    ///
    /// Time O(E F), memory O(E) beside the operands; off the CPU two matrices of entries by features.
    pub fn products(self: &Arc<Self>, a: &Tensor, b: &Tensor) -> Tensor {
        if !on_host(a) {
            let (row, col) = (self.row(a.device()), self.col(a.device()));
            let products = a.index_select(0, &row) * b.index_select(0, &col);
            return products.sum_dim_intlist([1i64].as_slice(), false, a.kind());
        }
        let y = no_grad(|| by_kind!(a.kind(), T => entry_products::<T>(self, a, b)));
        let saved = Dots { relation: Arc::clone(self), a: a.shallow_clone(), b: b.shallow_clone() };
        record(&[a, b], y, saved)
    }
}

struct Dots {
    relation: Arc<Relation>,
    a: Tensor,
    b: Tensor,
}

impl Function for Dots {
    const NAME: &'static CStr = c"inner products at entries";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return vec![None, None] };
        by_kind!(grad.kind(), T => vec![
            needs[0].then(|| product::<T>(&self.relation, Side::Rows, Some(grad), &self.b)),
            needs[1].then(|| product::<T>(&self.relation, Side::Cols, Some(grad), &self.a)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_both_close, ramp};
    use coarsen_sparse::Csr;
    use tch::{Device, Kind};

    /// 3 × 4, a row and a column without entries.
    fn relation() -> Arc<Relation> {
        Arc::new(Relation::new(Csr::new(3, 4, vec![0, 2, 2, 4], vec![1, 3, 0, 1]).expect("four entries")))
    }

    fn gradients(leaves: &[Tensor], y: &Tensor) -> Vec<Tensor> {
        (y * ramp(&y.size(), 1.1).detach()).sum(Kind::Double).backward();
        [y.detach()].into_iter().chain(leaves.iter().map(Tensor::grad)).collect()
    }

    #[test]
    fn ends_are_gathered_and_their_gradients_summed() {
        let r = relation();
        for (end, n, index) in [(Ends::Row, 3, r.row(Device::Cpu)), (Ends::Col, 4, r.col(Device::Cpu))] {
            let run = |f: &dyn Fn(&Tensor) -> Tensor| {
                let v = ramp(&[n], 0.7);
                let y = f(&v);
                gradients(&[v], &y)
            };
            assert_both_close(
                || run(&|v| at_entries(&r, end, v)),
                &run(&|v| v.index_select(0, &index)),
                1e-12,
            );
        }
    }

    #[test]
    fn inner_products_have_the_gradients_of_their_factors() {
        let r = relation();
        let run = |f: &dyn Fn(&Tensor, &Tensor) -> Tensor| {
            let (a, b) = (ramp(&[3, 2], 0.7), ramp(&[4, 2], 0.3));
            let y = f(&a, &b);
            gradients(&[a, b], &y)
        };
        let plain = |a: &Tensor, b: &Tensor| {
            let products = a.index_select(0, &r.row(Device::Cpu)) * b.index_select(0, &r.col(Device::Cpu));
            products.sum_dim_intlist([1i64].as_slice(), false, Kind::Double)
        };
        assert_both_close(|| run(&|a, b| r.products(a, b)), &run(&plain), 1e-12);
    }
}

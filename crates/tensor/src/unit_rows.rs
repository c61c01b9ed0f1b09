//! Rows of length 1, one pass over them.

use std::ffi::CStr;

use coarsen_sparse::rows::{SHORTEST, unit, unit_backward};
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::TorchPool;
use crate::view::{Dense, by_kind, filled, on_host};

/// Each row divided by its length; rows of (almost) no length become zeros, with gradient 0.
///
/// # Shapes
///
/// `[…, F]`, kept.
///
/// # Complexity
///
/// Time and memory O(rows · F).
pub fn unit_rows(x: &Tensor) -> Tensor {
    if !on_host(x) {
        return composed(x);
    }
    let y = no_grad(|| {
        by_kind!(x.kind(), T => {
            let dense = Dense::new(x);
            filled(&x.size(), |y| unit(&TorchPool, width(x), dense.slice::<T>(), y))
        })
    });
    record(&[x], y, UnitRows { x: x.shallow_clone() })
}

/// The same of LibTorch's own operations.
fn composed(x: &Tensor) -> Tensor {
    let length = x.norm_scalaropt_dim(2, [-1_i64].as_slice(), true);
    x / length.masked_fill(&length.le(SHORTEST), f64::INFINITY)
}

fn width(x: &Tensor) -> usize {
    x.size().last().map_or(1, |&width| width as usize)
}

struct UnitRows {
    x: Tensor,
}

impl Function for UnitRows {
    const NAME: &'static CStr = c"rows of length 1";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|grad| {
            by_kind!(grad.kind(), T => {
                let (x, grad) = (Dense::new(&self.x), Dense::new(grad));
                filled(&x.size(), |dx| {
                    unit_backward(&TorchPool, width(&self.x), x.slice::<T>(), grad.slice(), dx);
                })
            })
        })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};
    use tch::Kind;

    fn run(x: &Tensor, f: &dyn Fn(&Tensor) -> Tensor) -> [Tensor; 2] {
        let x = x.detach().copy().set_requires_grad(true);
        let y = f(&x);
        (&y * ramp(&y.size(), 1.1).detach()).sum(Kind::Double).backward();
        [y.detach(), x.grad()]
    }

    #[test]
    fn equal_libtorch_with_their_gradient() {
        for shape in [&[5, 3][..], &[2, 3, 20], &[600, 17], &[0, 4]] {
            let x = ramp(shape, 0.7);
            assert_close(&run(&x, &unit_rows), &run(&x, &composed), 1e-12);
        }
    }

    #[test]
    fn a_row_without_length_is_zeros_and_learns_nothing() {
        let x = Tensor::from_slice2(&[[0f64, 0.], [3., 4.], [1e-13, 0.]]);
        let [y, gradient] = run(&x, &unit_rows);
        assert!(y.equal(&Tensor::from_slice2(&[[0f64, 0.], [0.6, 0.8], [0., 0.]])));
        assert_close(&[y, gradient], &run(&x, &composed), 1e-12);
    }
}

//! Rows onto two vectors, differentiable.

use std::ffi::CStr;

use coarsen_sparse::rows::{project, project_backward};
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::TorchPool;
use crate::view::{Dense, Real, by_kind, filled, filled_beside, on_host};

/// `x Vᵀ` of two vectors, a matrix too narrow for a library's products; `shift` is added to what the first of them gives.
///
/// # Shapes
///
/// `x: [N, F]`, `vectors: [2, F]`, `shift: [1]` → `[N, 2]`.
///
/// # Complexity
///
/// Time O(N F).
pub fn projections(x: &Tensor, vectors: &Tensor, shift: Option<&Tensor>) -> Tensor {
    if !on_host(x) {
        return composed(x, vectors, shift);
    }
    let y = no_grad(|| {
        by_kind!(x.kind(), T => {
            let [rows, vectors] = [x, vectors].map(Dense::new);
            let shift = shift.map(Dense::new);
            filled(&[x.size()[0], 2], |y| {
                project(&TorchPool, width(x), rows.slice::<T>(), vectors.slice(), y);
                if let Some(shift) = &shift {
                    let shift = shift.slice::<T>()[0];
                    y.iter_mut().step_by(2).for_each(|y| *y += shift);
                }
            })
        })
    });
    let inputs: Vec<&Tensor> = [x, vectors].into_iter().chain(shift).collect();
    record(&inputs, y, Projections { x: x.detach(), vectors: vectors.detach() })
}

/// The same of LibTorch's own operations.
fn composed(x: &Tensor, vectors: &Tensor, shift: Option<&Tensor>) -> Tensor {
    x.linear(vectors, shift.map(|shift| shift.constant_pad_nd([0, 1])))
}

fn width(x: &Tensor) -> usize {
    x.size()[1] as usize
}

struct Projections {
    x: Tensor,
    vectors: Tensor,
}

impl Projections {
    fn gradients<T: Real>(&self, grad: &Tensor) -> [Tensor; 3] {
        let [x, vectors, grad] = [&self.x, &self.vectors, grad].map(Dense::new);
        let grad = grad.slice::<T>();
        let (dx, d_vectors) = filled_beside(&x.size(), &vectors.size(), |dx, d_vectors| {
            let of = (x.slice::<T>(), vectors.slice());
            project_backward(&TorchPool, width(&self.x), of, grad, dx, d_vectors);
        });
        let d_shift = T::real(grad.iter().step_by(2).map(|g| g.to_f64()).sum());
        [dx, d_vectors, filled(&[1], |out| out[0] = d_shift)]
    }
}

impl Function for Projections {
    const NAME: &'static CStr = c"projections onto two vectors";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        let gradients = by_kind!(grad.kind(), T => self.gradients::<T>(grad));
        gradients.into_iter().take(needs.len()).map(Some).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};
    use tch::Kind;

    #[test]
    fn equal_libtorch_with_their_gradients() {
        type Map = fn(&Tensor, &Tensor, Option<&Tensor>) -> Tensor;
        for (rows, width) in [(5, 3), (300, 17), (0, 4)] {
            for shifted in [false, true] {
                let run = |f: Map| {
                    let (x, vectors) = (ramp(&[rows, width], 0.7), ramp(&[2, width], 0.3));
                    let shift = shifted.then(|| ramp(&[1], 1.9));
                    let y = f(&x, &vectors, shift.as_ref());
                    (&y * ramp(&y.size(), 1.1).detach()).sum(Kind::Double).backward();
                    let gradients = [x, vectors].into_iter().chain(shift).map(|t| t.grad());
                    [y.detach()].into_iter().chain(gradients).collect::<Vec<_>>()
                };
                assert_close(&run(projections), &run(composed), 1e-11);
            }
        }
    }
}

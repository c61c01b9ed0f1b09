//! Rows of length 1, one pass over them.

use std::ffi::CStr;

use coarsen_sparse::sums::dot;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::executor::side_by_side;
use crate::view::{Dense, Real, by_kind, filled, on_host};

/// A row of at most this length becomes a row of zeros.
const FLOOR: f64 = 1e-12;
/// Rows of a task.
const ROWS: usize = 512;

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
    let y = no_grad(|| by_kind!(x.kind(), T => divided::<T>(x)));
    record(&[x], y, UnitRows { x: x.shallow_clone() })
}

/// The same of LibTorch's own operations.
fn composed(x: &Tensor) -> Tensor {
    let length = x.norm_scalaropt_dim(2, [-1_i64].as_slice(), true);
    x / length.masked_fill(&length.le(FLOOR), f64::INFINITY)
}

fn divided<T: Real>(x: &Tensor) -> Tensor {
    let x = Dense::new(x);
    by_rows(&x.size(), [x.slice::<T>(); 2], |[x, _], y| {
        let length = length(x);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x / length;
        }
    })
}

/// Infinite where a row becomes zeros.
fn length<T: Real>(x: &[T]) -> T {
    let length = dot(x, x).to_f64().sqrt();
    T::real(if length <= FLOOR { f64::INFINITY } else { length })
}

/// A tensor of this shape, written row by row; a call is told the same row of both tensors.
fn by_rows<T: Real>(shape: &[i64], of: [&[T]; 2], each: impl Fn([&[T]; 2], &mut [T]) + Sync) -> Tensor {
    let width = shape.last().map_or(1, |&width| width.max(1) as usize);
    let block = ROWS * width;
    filled(shape, |y: &mut [T]| {
        let [first, second] = of.map(|x| x.chunks(block));
        side_by_side(first.zip(second).zip(y.chunks_mut(block)), 1, |_, ((first, second), y)| {
            let rows = first.chunks_exact(width).zip(second.chunks_exact(width));
            for ((first, second), y) in rows.zip(y.chunks_exact_mut(width)) {
                each([first, second], y);
            }
        });
    })
}

struct UnitRows {
    x: Tensor,
}

impl UnitRows {
    /// With `u = x / ‖x‖`: `dx = (g − ⟨u, g⟩ u) / ‖x‖`.
    fn gradient<T: Real>(&self, grad: &Tensor) -> Tensor {
        let [x, grad] = [&self.x, grad].map(Dense::new);
        by_rows(&x.size(), [x.slice::<T>(), grad.slice()], |[x, grad], dx| {
            let length = length(x);
            let along = dot(x, grad) / length / length;
            for ((dx, &x), &grad) in dx.iter_mut().zip(x).zip(grad) {
                *dx = (grad - along * x) / length;
            }
        })
    }
}

impl Function for UnitRows {
    const NAME: &'static CStr = c"rows of length 1";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|grad| by_kind!(grad.kind(), T => self.gradient::<T>(grad)))]
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

//! Products of the matrices of two batches, one by one.

use std::ffi::CStr;

use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::products::{Flip, Product, products};
use crate::view::{by_kind, on_host};

/// `A_b X_b` for every matrix of a batch.
///
/// # Shapes
///
/// `a: [B, M, K]`, `x: [B, K, F]` → `[B, M, F]`.
///
/// # Complexity
///
/// Time `O(B M K F)`.
pub fn matmul(a: &Tensor, x: &Tensor) -> Tensor {
    recorded(Flip::Neither, a, x)
}

/// `A_bᵀ X_b` for every matrix of a batch.
///
/// # Shapes
///
/// `a: [B, M, K]`, `x: [B, M, F]` → `[B, K, F]`.
///
/// # Complexity
///
/// Time `O(B M K F)`.
pub fn transposed_matmul(a: &Tensor, x: &Tensor) -> Tensor {
    recorded(Flip::Left, a, x)
}

fn recorded(flip: Flip, a: &Tensor, x: &Tensor) -> Tensor {
    if !on_host(a) {
        return composed(flip, a, x);
    }
    let y = no_grad(|| multiplied(flip, a, x));
    record(&[a, x], y, Batched { flip, a: a.shallow_clone(), x: x.shallow_clone() })
}

/// The same of LibTorch's own operations.
fn composed(flip: Flip, a: &Tensor, x: &Tensor) -> Tensor {
    match flip {
        Flip::Neither => a.bmm(x),
        Flip::Left => a.transpose(1, 2).bmm(x),
        Flip::Right => a.bmm(&x.transpose(1, 2)),
    }
}

fn multiplied(flip: Flip, a: &Tensor, x: &Tensor) -> Tensor {
    if !on_host(a) {
        return composed(flip, a, x);
    }
    let (of_a, of_x) = (a.size(), x.size());
    let [batch, rows, cols] = [of_a[0], of_a[1], of_a[2]];
    let (m, k) = if flip == Flip::Left { (cols, rows) } else { (rows, cols) };
    let n = if flip == Flip::Right { of_x[1] } else { of_x[2] };
    let fits = of_x[0] == batch && if flip == Flip::Right { of_x[2] == k } else { of_x[1] == k };
    assert!(fits, "matrices of {of_a:?} are not multiplied ({flip:?} transposed) with those of {of_x:?}");
    let of_matrix = |b: usize| Product { m, n, k, a: b as i64 * rows * cols, b: b as i64 * n * k };
    let matrices = (0..batch as usize).map(of_matrix);
    by_kind!(a.kind(), T => products::<T>(a, x, &[batch, m, n], flip, matrices))
}

struct Batched {
    flip: Flip,
    a: Tensor,
    x: Tensor,
}

impl Function for Batched {
    const NAME: &'static CStr = c"products of a batch";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return vec![None, None] };
        let Self { flip, a, x } = self;
        let of_a = || match flip {
            Flip::Left => multiplied(Flip::Right, x, grad), // dA = X Gᵀ
            _ => multiplied(Flip::Right, grad, x),          // dA = G Xᵀ
        };
        let of_x = || match flip {
            Flip::Left => multiplied(Flip::Neither, a, grad), // dX = A G
            _ => multiplied(Flip::Left, a, grad),             // dX = Aᵀ G
        };
        vec![needs[0].then(of_a), needs[1].then(of_x)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};
    use tch::Kind;

    #[test]
    fn equals_libtorch_with_its_gradients() {
        for (flip, other) in [(Flip::Neither, [3, 4, 5]), (Flip::Left, [3, 2, 5])] {
            let run = |f: &dyn Fn(&Tensor, &Tensor) -> Tensor| {
                let (a, x) = (ramp(&[3, 2, 4], 0.7), ramp(&other, 0.3));
                let y = f(&a, &x);
                (&y * ramp(&y.size(), 1.1).detach()).sum(Kind::Double).backward();
                [y.detach(), a.grad(), x.grad()]
            };
            let ours = run(&|a, x| recorded(flip, a, x));
            let theirs = run(&|a, x| composed(flip, a, x));
            assert_close(&ours, &theirs, 1e-12);
        }
    }

    #[test]
    #[should_panic(expected = "are not multiplied")]
    fn sizes_that_do_not_fit_are_named() {
        drop(matmul(&ramp(&[3, 2, 4], 0.7), &ramp(&[3, 2, 4], 0.7)));
    }
}

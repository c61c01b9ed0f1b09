//! The affine map with its activation, one recorded operation.

use std::ffi::CStr;

use coarsen_sparse::Act;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::epilogue::{Gate, bias_act, composed};
use crate::view::{by_kind, on_host};

/// `act(x Wᵀ + b)`.
///
/// On the CPU the bias and the activation are one pass over the product, and so are their gradients.
///
/// # Shapes
///
/// `x: […, in]`, `weight: [out, in]`, `bias: [out]` → `[…, out]`.
///
/// # Complexity
///
/// Time `O(rows · in · out)`.
pub fn affine(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, act: Act) -> Tensor {
    if !on_host(x) {
        return composed(x.linear(weight, None::<&Tensor>), bias, act);
    }
    let shape = x.size();
    let (&inputs, leading) = shape.split_last().expect("x has a last dimension");
    let x = if leading.len() == 1 { x.shallow_clone() } else { x.reshape([-1, inputs]) };
    let y = no_grad(|| {
        let mut y = x.mm(&weight.tr());
        by_kind!(x.kind(), T => bias_act::<T>(&mut y, bias, act));
        y
    });
    let saved = Affine { x: x.detach(), weight: weight.detach(), gate: Gate::of(act, &y) };
    let y = match bias {
        Some(bias) => record(&[&x, weight, bias], y, saved),
        None => record(&[&x, weight], y, saved),
    };
    if leading.len() == 1 { y } else { y.view([leading, &[weight.size()[0]]].concat().as_slice()) }
}

struct Affine {
    x: Tensor,
    weight: Tensor,
    gate: Gate,
}

impl Function for Affine {
    const NAME: &'static CStr = c"affine map";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        let (before, bias) = self.gate.backward(grad, needs.get(2) == Some(&true));
        let x = needs[0].then(|| before.mm(&self.weight));
        let weight = needs[1].then(|| before.tr().mm(&self.x));
        [x, weight, bias].into_iter().take(needs.len()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};

    #[test]
    fn equals_libtorch_with_its_gradients() {
        for act in [Act::Identity, Act::Relu] {
            for shape in [&[7, 3][..], &[2, 4, 3], &[0, 3]] {
                let run = |f: &dyn Fn(&Tensor, &Tensor, &Tensor) -> Tensor| {
                    let (x, w, b) = (ramp(shape, 0.7), ramp(&[5, 3], 0.3), ramp(&[5], 1.9));
                    let y = f(&x, &w, &b);
                    (&y * ramp(&y.size(), 1.1).detach()).sum(None).backward();
                    [y.detach(), x.grad(), w.grad(), b.grad()]
                };
                let ours = run(&|x, w, b| affine(x, w, Some(b), act));
                let theirs = run(&|x, w, b| composed(x.linear(w, None::<&Tensor>), Some(b), act));
                assert_close(&ours, &theirs, 1e-12);
            }
        }
    }
}

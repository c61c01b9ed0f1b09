//! Affine maps with their activation, one recorded operation.

use std::ffi::CStr;

use coarsen_sparse::Act;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::epilogue::{Gate, bias_act, composed};
use crate::view::{by_kind, on_host};

/// `act(Σ_t x_t W_tᵀ + b)`: an affine map, or the sum of several of different inputs.
///
/// On the CPU the products add up in one place, bias and activation are one pass over it, and so are their gradients.
///
/// # Shapes
///
/// Each term `x_t: […, in_t]`, `W_t: [out, in_t]`; `bias: [out]` → `[…, out]`.
///
/// # Complexity
///
/// Time `O(rows · Σ in_t · out)`.
///
/// # Panics
///
/// Without any term.
pub fn affine(terms: &[(&Tensor, &Tensor)], bias: Option<&Tensor>, act: Act) -> Tensor {
    let (first, weight) = terms.first().expect("at least one term");
    if !on_host(first) {
        let products = terms.iter().map(|(x, w)| x.linear(w, None::<&Tensor>));
        return composed(products.reduce(|sum, y| sum + y).expect("at least one term"), bias, act);
    }
    let (shape, outputs) = (first.size(), weight.size()[0]);
    let leading = &shape[..shape.len() - 1];
    let rows = |x: &Tensor| {
        if leading.len() == 1 { x.shallow_clone() } else { x.reshape([-1, x.size()[leading.len()]]) }
    };
    let x: Vec<Tensor> = terms.iter().map(|(x, _)| rows(x)).collect();
    let y = no_grad(|| {
        let mut y = x[0].mm(&weight.tr());
        for (x, (_, w)) in x.iter().zip(terms).skip(1) {
            let _ = y.addmm_(x, &w.tr());
        }
        by_kind!(y.kind(), T => bias_act::<T>(&mut y, bias, act));
        y
    });
    let inputs: Vec<&Tensor> = x.iter().zip(terms).flat_map(|(x, (_, w))| [x, *w]).chain(bias).collect();
    let saved = Affine {
        terms: x.iter().zip(terms).map(|(x, (_, w))| (x.shallow_clone(), w.shallow_clone())).collect(),
        gate: Gate::of(act, &y),
    };
    let y = record(&inputs, y, saved);
    if leading.len() == 1 { y } else { y.view([leading, &[outputs]].concat().as_slice()) }
}

struct Affine {
    /// Input and weight of each.
    terms: Vec<(Tensor, Tensor)>,
    gate: Gate,
}

impl Function for Affine {
    const NAME: &'static CStr = c"affine map";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        let (of_terms, of_bias) = needs.split_at(2 * self.terms.len());
        let (before, bias) = self.gate.backward(grad, of_bias == [true]);
        let pairs = self.terms.iter().zip(of_terms.chunks_exact(2));
        let products = pairs.flat_map(|((x, w), needs)| {
            [needs[0].then(|| before.mm(w)), needs[1].then(|| before.tr().mm(x))]
        });
        let mut result: Vec<_> = products.collect();
        if !of_bias.is_empty() {
            result.push(bias);
        }
        result
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
                let ours = run(&|x, w, b| affine(&[(x, w)], Some(b), act));
                let theirs = run(&|x, w, b| composed(x.linear(w, None::<&Tensor>), Some(b), act));
                assert_close(&ours, &theirs, 1e-12);
                let ours = run(&|x, w, b| affine(&[(x, w), (&(x * 2.0), &w.square())], Some(b), act));
                let two = |x: &Tensor, w: &Tensor| {
                    x.linear(w, None::<&Tensor>) + (x * 2.0).linear(&w.square(), None::<&Tensor>)
                };
                assert_close(&ours, &run(&|x, w, b| composed(two(x, w), Some(b), act)), 1e-12);
            }
        }
    }
}

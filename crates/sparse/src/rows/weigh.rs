//! Rows beside one another, added with a weight of their own each.

use pulp::{Simd, WithSimd};

use super::{same, whole};
use crate::lanes::dispatch;
use crate::parallel::{Executor, Rows, over};
use crate::scalar::Scalar;
use crate::sums::dot;

/// `out_i = base_i + Σ_k weights_ki parts_k,i`.
///
/// # Shapes
///
/// `base`, each of the `K` `parts`, `out`: `[n, width]`; `weights: [K, n]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn weigh<T: Scalar>(
    exec: &dyn Executor,
    width: usize,
    base: &[T],
    parts: &[&[T]],
    weights: &[T],
    out: &mut [T],
) {
    same("weigh", base.len(), &[out.len()]);
    same("weigh", base.len(), &parts.iter().map(|part| part.len()).collect::<Vec<_>>());
    if whole("weigh", width, base.len()).is_none() {
        return;
    }
    let n = base.len() / width;
    assert_eq!(weights.len(), parts.len() * n, "rows::weigh: `weights` must be [{}, {n}]", parts.len());
    over(
        exec,
        n,
        |row| row * width * (1 + parts.len()),
        Rows { data: out, width },
        |rows, out| {
            dispatch(Forward { width, first: rows.start, base, parts, weights, out: out.data });
        },
    );
}

/// Gradients of [`weigh`] but for that of `base`, which is `grad`: `d_parts_k,i = weights_ki g_i` and `d_weights_ki = ⟨g_i, parts_k,i⟩` of
/// one part.
///
/// # Shapes
///
/// `part, grad, d_part: [n, width]`, `weights, d_weights: [n]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn weigh_backward<T: Scalar>(
    exec: &dyn Executor,
    width: usize,
    (part, weights): (&[T], &[T]),
    grad: &[T],
    d_part: &mut [T],
    d_weights: &mut [T],
) {
    same("weigh_backward", part.len(), &[grad.len(), d_part.len()]);
    if whole("weigh_backward", width, part.len()).is_none() {
        return d_weights.fill(T::ZERO);
    }
    let n = part.len() / width;
    assert_eq!((weights.len(), d_weights.len()), (n, n), "rows::weigh_backward: `weights` must be [{n}]");
    let outs = (Rows { data: d_part, width }, Rows { data: d_weights, width: 1 });
    over(
        exec,
        n,
        |row| row * width * 2,
        outs,
        |rows, (d_part, d_weights)| {
            let numbers = rows.start * width..rows.end * width;
            dispatch(Backward {
                width,
                part: &part[numbers.clone()],
                grad: &grad[numbers],
                weights: &weights[rows],
                d_part: d_part.data,
                d_weights: d_weights.data,
            });
        },
    );
}

struct Forward<'a, T> {
    width: usize,
    first: usize,
    base: &'a [T],
    parts: &'a [&'a [T]],
    weights: &'a [T],
    out: &'a mut [T],
}

impl<T: Scalar> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { width, first, base, parts, weights, out } = self;
        let n = base.len() / width;
        for (row, out) in (first..).zip(out.chunks_exact_mut(width)) {
            out.copy_from_slice(&base[row * width..][..width]);
            for (k, part) in parts.iter().enumerate() {
                let weight = weights[k * n + row];
                for (out, &x) in out.iter_mut().zip(&part[row * width..][..width]) {
                    *out += weight * x;
                }
            }
        }
    }
}

struct Backward<'a, T> {
    width: usize,
    part: &'a [T],
    grad: &'a [T],
    weights: &'a [T],
    d_part: &'a mut [T],
    d_weights: &'a mut [T],
}

impl<T: Scalar> WithSimd for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.part.chunks_exact(self.width).zip(self.grad.chunks_exact(self.width));
        let outs = self.d_part.chunks_exact_mut(self.width).zip(self.d_weights);
        for (((part, grad), (d_part, d_weight)), &weight) in rows.zip(outs).zip(self.weights) {
            *d_weight = dot(part, grad);
            for (d_part, &grad) in d_part.iter_mut().zip(grad) {
                *d_part = weight * grad;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::tests::{machines, on};
    use crate::parallel::Serial;

    #[test]
    fn by_hand_and_the_same_bits_on_every_machine() {
        let (base, one, two) = ([1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0], [0.5, -0.5, 0.0, 1.0]);
        for machine in machines() {
            let (out, d_part, d_weights) = on(machine, || {
                let [mut out, mut d_part, mut d_weights] = [vec![0.0; 4], vec![0.0; 4], vec![0.0; 2]];
                weigh(&Serial, 2, &base, &[&one, &two], &[1.0, 0.1, 2.0, -1.0], &mut out);
                weigh_backward(&Serial, 2, (&one, &[1.0, 0.1]), &base, &mut d_part, &mut d_weights);
                (out, d_part, d_weights)
            });
            assert_eq!(out, [12.0, 21.0, 6.0, 7.0]);
            assert_eq!((d_part, d_weights), (vec![1.0, 2.0, 0.1 * 3.0, 0.1 * 4.0], vec![50.0, 250.0]));
        }
    }
}

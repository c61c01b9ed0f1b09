//! Rows divided by their length.

use pulp::{Simd, WithSimd};

use super::{same, whole};
use crate::lanes::dispatch;
use crate::parallel::{Executor, Rows, over};
use crate::scalar::Scalar;
use crate::sums::dot;

/// A row of at most this length becomes a row of zeros under [`fn@unit`].
pub const SHORTEST: f64 = 1e-12;

/// `y_i = x_i / ‖x_i‖`; a row of (almost) no length becomes zeros.
///
/// # Shapes
///
/// `x, y: [n, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn unit<T: Scalar>(exec: &dyn Executor, width: usize, x: &[T], y: &mut [T]) {
    same("unit", x.len(), &[y.len()]);
    if whole("unit", width, x.len()).is_none() {
        return;
    }
    over(
        exec,
        x.len() / width,
        |row| row * width,
        Rows { data: y, width },
        |rows, y| {
            dispatch(Forward { width, x: &x[rows.start * width..rows.end * width], y: y.data });
        },
    );
}

/// Gradient of [`fn@unit`]: `dx_i = (g_i − ⟨u_i, g_i⟩ u_i) / ‖x_i‖` with `u_i = x_i / ‖x_i‖`; 0 of a row that became zeros.
///
/// # Shapes
///
/// `x, grad, dx: [n, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn unit_backward<T: Scalar>(exec: &dyn Executor, width: usize, x: &[T], grad: &[T], dx: &mut [T]) {
    same("unit_backward", x.len(), &[grad.len(), dx.len()]);
    if whole("unit_backward", width, x.len()).is_none() {
        return;
    }
    over(
        exec,
        x.len() / width,
        |row| row * width,
        Rows { data: dx, width },
        |rows, dx| {
            let numbers = rows.start * width..rows.end * width;
            dispatch(Backward { width, x: &x[numbers.clone()], grad: &grad[numbers], dx: dx.data });
        },
    );
}

/// Infinite where a row becomes zeros.
#[inline(always)]
fn length<T: Scalar>(x: &[T]) -> T {
    let length = dot(x, x).to_f64().sqrt();
    T::from_f64(if length <= SHORTEST { f64::INFINITY } else { length })
}

struct Forward<'a, T> {
    width: usize,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Scalar> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (x, y) in self.x.chunks_exact(self.width).zip(self.y.chunks_exact_mut(self.width)) {
            let length = length(x);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x / length;
            }
        }
    }
}

struct Backward<'a, T> {
    width: usize,
    x: &'a [T],
    grad: &'a [T],
    dx: &'a mut [T],
}

impl<T: Scalar> WithSimd for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.x.chunks_exact(self.width).zip(self.grad.chunks_exact(self.width));
        for ((x, grad), dx) in rows.zip(self.dx.chunks_exact_mut(self.width)) {
            let length = length(x);
            let along = dot(x, grad) / length / length;
            for ((dx, &x), &grad) in dx.iter_mut().zip(x).zip(grad) {
                *dx = (grad - along * x) / length;
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
    fn of_length_one_and_the_same_bits_on_every_machine() {
        for width in [1, 3, 17, 64] {
            let x: Vec<f32> = (0..5 * width).map(|at| ((at * 7 % 13) as f32) - 5.5).collect();
            let grad: Vec<f32> = (0..5 * width).map(|at| ((at * 5 % 11) as f32) - 4.0).collect();
            let both = || {
                let [mut y, mut dx] = [vec![0.0; x.len()], vec![0.0; x.len()]];
                unit(&Serial, width, &x, &mut y);
                unit_backward(&Serial, width, &x, &grad, &mut dx);
                [y, dx]
            };
            let plain = both();
            for machine in machines() {
                assert_eq!(on(machine, both), plain);
            }
            let [y, dx] = &plain;
            for (y, dx) in y.chunks_exact(width).zip(dx.chunks_exact(width)) {
                // Of length 1, and what changes it turns it.
                assert!((dot(y, y) - 1.0).abs() < 1e-6 && dot(y, dx).abs() < 1e-6);
            }
        }
    }
}

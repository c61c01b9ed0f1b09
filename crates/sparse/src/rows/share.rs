//! Rows divided by their sums.

use pulp::{Simd, WithSimd};

use super::{same, whole};
use crate::lanes::dispatch;
use crate::parallel::{Executor, Rows, over};
use crate::scalar::Scalar;
use crate::sums::{dot, sum};

/// `y_i = x_i / max(Σ_j x_ij, floor)`, and the sums; a row whose divisor is 0 becomes zeros.
///
/// # Shapes
///
/// `x, y: [n, width]`, `sums: [n]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn share<T: Scalar>(exec: &dyn Executor, width: usize, x: &[T], floor: T, y: &mut [T], sums: &mut [T]) {
    same("share", x.len(), &[y.len(), sums.len() * width]);
    if whole("share", width, x.len()).is_none() {
        return;
    }
    let outs = (Rows { data: y, width }, Rows { data: sums, width: 1 });
    over(
        exec,
        x.len() / width,
        |row| row * width,
        outs,
        |rows, (y, sums)| {
            let x = &x[rows.start * width..rows.end * width];
            dispatch(Forward { width, floor, x, y: y.data, sums: sums.data });
        },
    );
}

/// Gradient of [`share`]: `dx_ij = (g_ij − Σ_k g_ik y_ik) / d_i` with `d_i = max(Σ_j x_ij, floor)`, without the sum where the floor holds; 0 of a row
/// that became zeros.
///
/// # Shapes
///
/// `y, grad, dx: [n, width]`, `sums: [n]`: `y` and `sums` as [`share`] gave them.
///
/// # Panics
///
/// On a slice of another length.
pub fn share_backward<T: Scalar>(
    exec: &dyn Executor,
    width: usize,
    (y, sums): (&[T], &[T]),
    floor: T,
    grad: &[T],
    dx: &mut [T],
) {
    same("share_backward", y.len(), &[grad.len(), dx.len(), sums.len() * width]);
    if whole("share_backward", width, y.len()).is_none() {
        return;
    }
    over(
        exec,
        sums.len(),
        |row| row * width,
        Rows { data: dx, width },
        |rows, dx| {
            let numbers = rows.start * width..rows.end * width;
            let (y, grad) = (&y[numbers.clone()], &grad[numbers]);
            dispatch(Backward { width, floor, y, sums: &sums[rows], grad, dx: dx.data });
        },
    );
}

/// One over the sum or the floor, 0 where both are 0.
#[inline(always)]
fn scale<T: Scalar>(sum: T, floor: T) -> T {
    let divisor = if sum < floor { floor } else { sum };
    if divisor > T::ZERO { T::ONE / divisor } else { T::ZERO }
}

struct Forward<'a, T> {
    width: usize,
    floor: T,
    x: &'a [T],
    y: &'a mut [T],
    sums: &'a mut [T],
}

impl<T: Scalar> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.x.chunks_exact(self.width).zip(self.y.chunks_exact_mut(self.width));
        for ((x, y), of_row) in rows.zip(self.sums) {
            *of_row = sum(x);
            let scale = scale(*of_row, self.floor);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x * scale;
            }
        }
    }
}

struct Backward<'a, T> {
    width: usize,
    floor: T,
    y: &'a [T],
    sums: &'a [T],
    grad: &'a [T],
    dx: &'a mut [T],
}

impl<T: Scalar> WithSimd for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.y.chunks_exact(self.width).zip(self.grad.chunks_exact(self.width));
        for (((y, grad), dx), &sum) in rows.zip(self.dx.chunks_exact_mut(self.width)).zip(self.sums) {
            let along = if sum >= self.floor { dot(grad, y) } else { T::ZERO };
            let scale = scale(sum, self.floor);
            for (dx, &grad) in dx.iter_mut().zip(grad) {
                *dx = (grad - along) * scale;
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
    fn of_sum_one_and_the_same_bits_on_every_machine() {
        for width in [1, 3, 17, 64] {
            let x: Vec<f32> = (0..5 * width).map(|at| ((at * 7 % 13) as f32) + 0.5).collect();
            let grad: Vec<f32> = (0..5 * width).map(|at| ((at * 5 % 11) as f32) - 4.0).collect();
            let all = || {
                let [mut y, mut dx] = [vec![0.0; x.len()], vec![0.0; x.len()]];
                let mut sums = vec![0.0; 5];
                share(&Serial, width, &x, 0.0, &mut y, &mut sums);
                share_backward(&Serial, width, (&y, &sums), 0.0, &grad, &mut dx);
                [y, dx, sums]
            };
            let plain = all();
            for machine in machines() {
                assert_eq!(on(machine, all), plain);
            }
            let [y, dx, _] = &plain;
            for ((x, y), dx) in x.chunks_exact(width).zip(y.chunks_exact(width)).zip(dx.chunks_exact(width)) {
                // They add up to 1, and whatever is multiplied by a number has the same shares.
                assert!((sum(y) - 1.0).abs() < 1e-6 && dot(x, dx).abs() < 1e-4, "{width}");
            }
        }
    }

    #[test]
    fn a_floor_and_a_row_of_nothing() {
        let (mut y, mut sums, mut dx) = ([7.0; 6], [7.0; 3], [7.0; 6]);
        let x = [1.0, 3.0, 0.0, 0.0, 0.25, 0.25];
        share(&Serial, 2, &x, 0.0, &mut y, &mut sums);
        assert_eq!((y, sums), ([0.25, 0.75, 0.0, 0.0, 0.5, 0.5], [4.0, 0.0, 0.5]));
        share_backward(&Serial, 2, (&y, &sums), 0.0, &[1.0, 0.0, 1.0, 1.0, 1.0, 0.0], &mut dx);
        assert_eq!(dx, [0.1875, -0.0625, 0.0, 0.0, 1.0, -1.0]);
        share(&Serial, 2, &x, 1.0, &mut y, &mut sums);
        assert_eq!(y, [0.25, 0.75, 0.0, 0.0, 0.25, 0.25]);
        share_backward(&Serial, 2, (&y, &sums), 1.0, &[1.0, 0.0, 1.0, 1.0, 1.0, 0.0], &mut dx);
        assert_eq!(dx, [0.1875, -0.0625, 1.0, 1.0, 1.0, 0.0]);
    }
}

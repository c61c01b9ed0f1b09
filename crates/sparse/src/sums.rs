//! Sums over slices, in an order that depends on no machine.

use crate::scalar::Scalar;

/// Numbers that are added side by side, so that a compiler may use vector registers.
const LANES: usize = 16;

/// `Σ x_k`.
#[inline(always)]
pub fn sum<T: Scalar>(x: &[T]) -> T {
    by_lanes(x, x, |x, _| x)
}

/// `Σ x_k y_k`, over the shorter of both.
#[inline(always)]
pub fn dot<T: Scalar>(x: &[T], y: &[T]) -> T {
    by_lanes(x, y, |x, y| x * y)
}

/// `Σ term(x_k, y_k)`, over the shorter of both.
#[inline(always)]
pub(crate) fn by_lanes<T: Scalar>(x: &[T], y: &[T], term: impl Fn(T, T) -> T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += term(x, y);
        }
    }
    for (lane, (&x, &y)) in lanes.iter_mut().zip(x_rest.iter().zip(y_rest)) {
        *lane += term(x, y);
    }
    by_halves(lanes)
}

/// The sum of all lanes: the upper half is added to the lower until one is left, so that additions wait for each other four times, not sixteen.
#[inline(always)]
fn by_halves<T: Scalar>(mut lanes: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_groups_of_lanes_and_what_is_left() {
        for length in [0_usize, 1, 15, 16, 33] {
            let x: Vec<f64> = (0..length).map(|k| k as f64).collect();
            let twice: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
            assert_eq!((sum(&x), dot(&x, &twice)), (x.iter().sum(), x.iter().map(|x| 2.0 * x * x).sum()));
        }
    }
}

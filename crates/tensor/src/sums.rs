//! Sums over slices, in an order that depends on no machine.

use crate::view::Real;

/// Numbers that are added side by side, so that a compiler may use vector registers.
const LANES: usize = 16;

/// `Σ x_k`.
pub(crate) fn sum<T: Real>(x: &[T]) -> T {
    by_lanes(x, x, |x, _| x)
}

/// `Σ x_k y_k`, over the shorter of both.
pub(crate) fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    by_lanes(x, y, |x, y| x * y)
}

fn by_lanes<T: Real>(x: &[T], y: &[T], term: impl Fn(T, T) -> T) -> T {
    let mut lanes = [T::real(0.0); LANES];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        for lane in 0..LANES {
            lanes[lane] += term(x[lane], y[lane]);
        }
    }
    for (lane, (&x, &y)) in lanes.iter_mut().zip(x_rest.iter().zip(y_rest)) {
        *lane += term(x, y);
    }
    lanes.into_iter().fold(T::real(0.0), |sum, x| sum + x)
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

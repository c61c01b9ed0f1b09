//! How far Gaussians are from the standard one, and the gradient (Kingma and Welling 2014, appendix B).

use pulp::{Simd, WithSimd};

use crate::lanes::dispatch;
use crate::scalar::Scalar;
use crate::sums::by_lanes;

/// `Σ_c −½ (1 + s_c − m_c² − exp(s_c))` of the means `m` and logarithmic variances `s` of a row.
///
/// # Shapes
///
/// `mean, log_variance: [F]`.
///
/// # Panics
///
/// On slices of different lengths.
///
/// # Examples
///
/// ```
/// assert_eq!(coarsen_sparse::gaussian(&[1.0, 0.0], &[0.0, 0.0]), 0.5);
/// ```
pub fn gaussian<T: Scalar>(mean: &[T], log_variance: &[T]) -> T {
    assert_eq!(mean.len(), log_variance.len(), "gaussian: a variance for each mean");
    dispatch(Divergence { mean, log_variance })
}

/// Gradients of `scale` times [`gaussian`]: `scale m_c` and `½ scale (exp(s_c) − 1)`.
///
/// # Shapes
///
/// All `[F]`.
///
/// # Panics
///
/// On slices of different lengths.
pub fn gaussian_backward<T: Scalar>(
    (mean, log_variance): (&[T], &[T]),
    scale: T,
    d_mean: &mut [T],
    d_log_variance: &mut [T],
) {
    let lengths = [log_variance.len(), d_mean.len(), d_log_variance.len()];
    assert_eq!(lengths, [mean.len(); 3], "gaussian_backward: slices of one length");
    dispatch(Gradient { mean, log_variance, scale, d_mean, d_log_variance });
}

struct Divergence<'a, T> {
    mean: &'a [T],
    log_variance: &'a [T],
}

impl<T: Scalar> WithSimd for Divergence<'_, T> {
    type Output = T;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> T {
        let half = T::from_f64(0.5);
        half * by_lanes(self.mean, self.log_variance, |m, s| m * m + (s.exp() - T::ONE - s))
    }
}

struct Gradient<'a, T> {
    mean: &'a [T],
    log_variance: &'a [T],
    scale: T,
    d_mean: &'a mut [T],
    d_log_variance: &'a mut [T],
}

impl<T: Scalar> WithSimd for Gradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let half = T::from_f64(0.5) * self.scale;
        for (d, &m) in self.d_mean.iter_mut().zip(self.mean) {
            *d = self.scale * m;
        }
        for (d, &s) in self.d_log_variance.iter_mut().zip(self.log_variance) {
            *d = half * (s.exp() - T::ONE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::tests::{machines, on};

    #[test]
    fn equals_its_formula_and_differences_on_every_machine() {
        let mean: Vec<f64> = (0..19).map(|c| f64::from(c) * 0.1 - 0.9).collect();
        let log_variance: Vec<f64> = (0..19).map(|c| f64::from(c * c % 7) * 0.3 - 0.8).collect();
        let want: f64 = mean.iter().zip(&log_variance).map(|(m, s)| -0.5 * (1.0 + s - m * m - s.exp())).sum();
        for machine in machines() {
            let (got, [d_mean, d_log_variance]) = on(machine, || {
                let mut d = [vec![0.0; 19], vec![0.0; 19]];
                let [d_mean, d_log_variance] = &mut d;
                gaussian_backward((&mean, &log_variance), 2.0, d_mean, d_log_variance);
                (gaussian(&mean, &log_variance), d)
            });
            assert!((got - want).abs() < 1e-12);
            for c in 0..19 {
                assert!((d_mean[c] - 2.0 * mean[c]).abs() < 1e-12);
                assert!((d_log_variance[c] - log_variance[c].exp() + 1.0).abs() < 1e-12);
            }
        }
    }
}

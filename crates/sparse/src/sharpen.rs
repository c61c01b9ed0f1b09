//! How far soft likeness to centres is from a sharper copy of itself (Xie, Girshick and Farhadi 2016, eqs. 1 to 3).

use pulp::{Simd, WithSimd};

use crate::lanes::dispatch;
use crate::scalar::Scalar;
use crate::sums::{by_lanes, sum};

/// `Σ_j Σ_i p_ji ln(p_ji / q_ji)` of `n` points and `m` centres; `t` is left with `t_ji (p_ji − q_ji)`: `μ` times the gradient of the
/// squared distances `d_ji`, where `p` is a target without one.
///
/// `t_ji = 1 / (1 + d_ji/μ)`, `q_ji = t_ji / Σ_i' t_ji'`, `g_i = Σ_j q_ji`, `p_ji = (q_ji²/g_i) / Σ_i' (q_ji'²/g_i')`, with
/// `d_ji = max(0, points_j + centres_i − 2 t_ji)` of what `t` holds before: inner products. With one centre, or none, everything is 0.
///
/// # Shapes
///
/// `t: [n, m]`; `points: [n]` and `centres: [m]` squared norms.
///
/// # Complexity
///
/// O(n m), memory O(n + m); on the calling thread.
///
/// # Panics
///
/// On a slice of another length.
///
/// # Examples
///
/// Points 0 and 2 on a line are the centres, 1 lies between them:
///
/// ```
/// let mut t = [0.0, 0.0, 0.0, 2.0, 0.0, 4.0];
/// let divergence = coarsen_sparse::sharpen(&mut t, &[0.0, 1.0, 4.0], &[0.0, 4.0], 1.0);
/// assert!(divergence > 0.0 && t[0] > 0.0 && t[2] == 0.0 && t[0] == t[5]);
/// ```
pub fn sharpen<T: Scalar>(t: &mut [T], points: &[T], centres: &[T], mu: T) -> f64 {
    assert_eq!(t.len(), points.len() * centres.len(), "sharpen: `t` must be [points, centres]");
    if centres.len() < 2 {
        t.fill(T::ZERO);
        return 0.0;
    }
    dispatch(Task { t, points, centres, mu })
}

struct Task<'a, T> {
    t: &'a mut [T],
    points: &'a [T],
    centres: &'a [T],
    mu: T,
}

impl<T: Scalar> WithSimd for Task<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let Self { t, points, centres, mu } = self;
        let m = centres.len();
        let per_mu = T::ONE / mu;
        let mut received = vec![T::ZERO; m];
        let scale: Vec<T> = t
            .chunks_exact_mut(m)
            .zip(points)
            .map(|(t, &point)| {
                for (t, &centre) in t.iter_mut().zip(centres) {
                    let distance = point + centre - (*t + *t);
                    let distance = if distance < T::ZERO { T::ZERO } else { distance };
                    *t = T::ONE / (T::ONE + distance * per_mu);
                }
                let scale = T::ONE / sum(t);
                for (received, &t) in received.iter_mut().zip(&*t) {
                    *received += t * scale;
                }
                scale
            })
            .collect();
        let per_received: Vec<T> = received.into_iter().map(|g| T::ONE / g).collect();
        let rows = t.chunks_exact_mut(m).zip(scale);
        rows.map(|(t, scale)| row(t, scale, &per_received)).sum()
    }
}

/// The divergence of one point, whose `t` become what [`sharpen`] leaves.
#[inline(always)]
fn row<T: Scalar>(t: &mut [T], scale: T, per_received: &[T]) -> f64 {
    let total = by_lanes(t, per_received, |t, per_received| {
        let q = t * scale;
        q * q * per_received
    });
    let per_total = T::ONE / total;
    let divergence = by_lanes(t, per_received, |t, per_received| {
        let q = t * scale;
        let ratio = q * per_received * per_total;
        q * ratio * ratio.ln_positive()
    });
    for (t, &per_received) in t.iter_mut().zip(per_received) {
        let q = *t * scale;
        *t *= q * (q * per_received * per_total) - q;
    }
    divergence.to_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::tests::{machines, on};

    /// As the formulas are written, in double precision.
    fn written_out(t: &[f64], points: &[f64], centres: &[f64], mu: f64) -> (f64, Vec<f64>) {
        let m = centres.len();
        let t: Vec<f64> = (0..t.len())
            .map(|at| 1.0 / (1.0 + (points[at / m] + centres[at % m] - 2.0 * t[at]).max(0.0) / mu))
            .collect();
        let shares = |x: &[f64]| -> Vec<f64> {
            x.chunks(m)
                .flat_map(|row| row.iter().map(|x| x / row.iter().sum::<f64>()).collect::<Vec<_>>())
                .collect()
        };
        let q = shares(&t);
        let g: Vec<f64> = (0..m).map(|i| q.iter().skip(i).step_by(m).sum()).collect();
        let p = shares(&q.iter().enumerate().map(|(at, q)| q * q / g[at % m]).collect::<Vec<_>>());
        let divergence = p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum();
        (divergence, t.iter().zip(p.iter().zip(&q)).map(|(t, (p, q))| t * (p - q)).collect())
    }

    /// Inner products and squared norms of points on a line, and of some of them.
    fn line(n: usize, m: usize) -> [Vec<f64>; 3] {
        let x: Vec<f64> = (0..n).map(|j| (j * j % 7) as f64 - 0.3 * j as f64).collect();
        let t = x.iter().flat_map(|x_j| x[..m].iter().map(move |x_i| x_j * x_i)).collect();
        let square = |x: &[f64]| x.iter().map(|x| x * x).collect();
        [t, square(&x), square(&x[..m])]
    }

    #[test]
    fn equals_its_formula_on_every_machine() {
        let narrow = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<_>>();
        for (n, m) in [(3, 2), (9, 5), (40, 33)] {
            let [inner, points, centres] = line(n, m);
            let (want, want_t) = written_out(&inner, &points, &centres, 1.5);
            for machine in machines() {
                let mut t = inner.clone();
                let got = on(machine, || sharpen(&mut t, &points, &centres, 1.5));
                assert!((got - want).abs() < 1e-12 * want.max(1.0), "{got} in place of {want}");
                assert!(t.iter().zip(&want_t).all(|(got, want)| (got - want).abs() < 1e-12));
                let mut t = narrow(&inner);
                let got = on(machine, || sharpen(&mut t, &narrow(&points), &narrow(&centres), 1.5));
                assert!((got - want).abs() < 1e-4 * want.max(1.0), "{got} in place of {want}");
                assert!(t.iter().zip(&want_t).all(|(got, want)| (f64::from(*got) - want).abs() < 1e-4));
            }
        }
    }

    #[test]
    fn one_centre_or_none_has_nothing_to_sharpen() {
        let mut t = [3.0, 4.0];
        assert_eq!((sharpen(&mut t, &[1.0, 2.0], &[1.0], 1.0), t), (0.0, [0.0; 2]));
        assert_eq!(sharpen(&mut [], &[1.0f32, 2.0], &[], 1.0), 0.0);
    }

    #[test]
    fn far_away_is_no_nan() {
        let mut t = [0.0f32, 0.0, 1e15, 0.0];
        let divergence = sharpen(&mut t, &[0.0, 1e15], &[0.0, 1e15], 1e-15);
        assert!(divergence.is_finite() && t.iter().all(|t| t.is_finite()), "{divergence}, {t:?}");
    }
}

//! Summaries of repeated runs: mean, spread, confidence, paired differences.

use serde::{Deserialize, Serialize};

use crate::{Error, Scored};

/// Mean and spread of the runs of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of runs.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation (divided by `n − 1`); a single run has none.
    pub std: Option<f64>,
}

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The mean of paired differences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Mean and spread of `a − b` over the pairs.
    pub summary: Summary,
    /// 95 % interval of the mean; a single pair has none.
    pub interval: Option<Interval>,
}

impl Summary {
    /// Summarises values; `None` of no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let std = (n > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / (n - 1) as f64).sqrt()
        });
        (n > 0).then_some(Self { n, mean, std })
    }

    /// The 95 % confidence interval of the mean under Student's t; a single value has none.
    ///
    /// It speaks of repetitions of the whole run. The folds of one cross-validation share training samples and are no
    /// independent repetitions, so that their interval is too narrow.
    pub fn interval(&self) -> Option<Interval> {
        let std = self.std?;
        let half = t_quantile(0.975, self.n as u32 - 1) * std / (self.n as f64).sqrt();
        Some(Interval { low: self.mean - half, high: self.mean + half })
    }
}

/// The mean of `a − b` over runs of the same index and seed.
///
/// # Errors
///
/// [`Error::Unpaired`] if there are no runs, or if the two sides are not runs of the same indices and seeds.
///
/// # Examples
///
/// ```
/// use coarsen_eval::{Scored, paired};
/// let run = |index, value| Scored { index, seed: 7 + u64::from(index), epoch: 0, value };
/// let learned = [run(0, 0.75), run(1, 0.71)];
/// let control = [run(0, 0.74), run(1, 0.72)];
/// assert!(paired(&learned, &control)?.summary.mean.abs() < 1e-12);
/// # Ok::<(), coarsen_eval::Error>(())
/// ```
pub fn paired(a: &[Scored], b: &[Scored]) -> Result<Difference, Error> {
    if a.len() != b.len() {
        return Err(Error::Unpaired { reason: format!("{} runs against {}", a.len(), b.len()) });
    }
    let name = |run: &Scored| format!("run {} (seed {})", run.index, run.seed);
    if let Some((a, b)) = a.iter().zip(b).find(|(a, b)| (a.index, a.seed) != (b.index, b.seed)) {
        return Err(Error::Unpaired { reason: format!("{} against {}", name(a), name(b)) });
    }
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a.value - b.value).collect();
    let summary = Summary::of(&differences)
        .ok_or_else(|| Error::Unpaired { reason: "there are no runs".to_owned() })?;
    Ok(Difference { summary, interval: summary.interval() })
}

/// The quantile of Student's t distribution: the `t` with `P(T ≤ t) = p`, for `p` in (1/2, 1) and at least one degree of freedom.
///
/// Solved by bisection; the distribution function is monotone, and the interval is halved until it cannot shrink further.
pub fn t_quantile(p: f64, degrees: u32) -> f64 {
    debug_assert!(p > 0.5 && p < 1.0 && degrees > 0, "t_quantile({p}, {degrees})");
    let mut high = 1.0;
    while t_cdf(high, degrees) < p {
        high *= 2.0;
    }
    let mut low = 0.0;
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if t_cdf(middle, degrees) < p { low = middle } else { high = middle }
    }
}

/// `P(T ≤ t)` for `t ≥ 0`. For a whole number of degrees the incomplete beta function is a finite sum in `θ = atan(t / √degrees)`
/// (Abramowitz and Stegun, 26.7.3 and 26.7.4).
fn t_cdf(t: f64, degrees: u32) -> f64 {
    let theta = (t / f64::from(degrees).sqrt()).atan();
    let (sin, cos) = theta.sin_cos();
    let odd = degrees % 2;
    let mut term = if odd == 1 { cos } else { 1.0 };
    let mut sum = 0.0;
    // Powers of the cosine: 1, 3, …, degrees − 2 for odd degrees; 0, 2, …, degrees − 2 for even ones.
    let mut power = odd;
    while power + 2 <= degrees {
        sum += term;
        power += 2;
        term *= cos * cos * f64::from(power - 1) / f64::from(power);
    }
    let within = if odd == 1 { std::f64::consts::FRAC_2_PI * (theta + sin * sum) } else { sin * sum };
    0.5 + 0.5 * within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_the_tables() {
        let tabulated = [
            (0.975, 1, 12.706_205),
            (0.975, 2, 4.302_653),
            (0.975, 3, 3.182_446),
            (0.975, 4, 2.776_445),
            (0.975, 9, 2.262_157),
            (0.975, 19, 2.093_024),
            (0.975, 30, 2.042_272),
            (0.975, 120, 1.979_930),
            (0.95, 9, 1.833_113),
            (0.995, 5, 4.032_143),
            (0.999, 10, 4.143_700),
        ];
        for (p, degrees, t) in tabulated {
            let got = t_quantile(p, degrees);
            assert!((got - t).abs() < 1e-6, "t({p}, {degrees}) = {got}, tabulated {t}");
        }
    }

    #[test]
    fn spread_divides_by_one_less_than_n() {
        let summary = Summary::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!((summary.mean - 5.0).abs() < 1e-15);
        assert!((summary.std.unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-15);
        assert_eq!(Summary::of(&[3.0]).unwrap(), Summary { n: 1, mean: 3.0, std: None });
        assert_eq!(Summary::of(&[3.0]).unwrap().interval(), None);
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn an_interval_worked_by_hand() {
        // mean 2, s = 1, s/√3 = 0.57735, t(0.975, 2) = 4.302653
        let Interval { low, high } = Summary::of(&[1.0, 2.0, 3.0]).unwrap().interval().unwrap();
        assert!((low - (2.0 - 2.484_138)).abs() < 1e-6 && (high - (2.0 + 2.484_138)).abs() < 1e-6);
    }

    #[test]
    fn only_the_same_runs_are_paired() {
        let run = |index, seed, value| Scored { index, seed, epoch: 0, value };
        let a = [run(0, 10, 3.0), run(1, 11, 5.0)];
        let difference = paired(&a, &[run(0, 10, 2.0), run(1, 11, 3.0)]).unwrap();
        assert!((difference.summary.mean - 1.5).abs() < 1e-15);
        assert_eq!(difference.summary.n, 2);

        let refused = |b: &[Scored]| paired(&a, b).unwrap_err().to_string();
        assert_eq!(refused(&a[..1]), "runs cannot be paired: 2 runs against 1");
        assert_eq!(
            refused(&[run(0, 10, 0.0), run(1, 12, 0.0)]),
            "runs cannot be paired: run 1 (seed 11) against run 1 (seed 12)"
        );
        assert_eq!(paired(&[], &[]).unwrap_err().to_string(), "runs cannot be paired: there are no runs");
    }
}

//! The entropy of rows that are distributions.

use super::{same, whole};
use crate::parallel::Executor;
use crate::scalar::Scalar;

/// `−Σ p ln(p + under)` over all numbers.
///
/// # Shapes
///
/// `p: [n, width]`, not negative.
///
/// # Panics
///
/// When the length is not that of whole rows.
pub fn entropy<T: Scalar>(exec: &dyn Executor, width: usize, p: &[T], under: T) -> f64 {
    let Some(grid) = whole("entropy", width, p.len()) else { return 0.0 };
    let [columns] = grid.total(exec, (), |block, columns, ()| {
        grid.sum_block(block, [p], [], columns, |[p], []| [p * (p + under).ln_positive()]);
    });
    -columns.iter().sum::<f64>()
}

/// Gradient of [`fn@entropy`], `grad` that of its sum: `dp = −grad (ln(p + under) + p / (p + under))`.
///
/// # Shapes
///
/// `p, dp: [n, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn entropy_backward<T: Scalar>(
    exec: &dyn Executor,
    width: usize,
    p: &[T],
    under: T,
    grad: T,
    dp: &mut [T],
) {
    same("entropy_backward", p.len(), &[dp.len()]);
    let Some(grid) = whole("entropy_backward", width, p.len()) else { return };
    let grad = T::ZERO - grad;
    grid.map(exec, [p], [], dp, |[p], []| {
        let above = p + under;
        grad * (above.ln_positive() + p / above)
    });
}

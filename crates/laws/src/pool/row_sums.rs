//! The scale of `S`.

use coarsen_pool::{Pool, RowSums};

use super::pooled;
use crate::check;
use crate::compare::close;
use crate::error::Broken;
use crate::laws::Laws;
use crate::subject::{Make, rows};
use crate::trial::Trial;

/// The weights of a node add up to what the operator [declares](Pool::row_sums): `Σ_c S_ic = 1` of every node `i` for [`RowSums::One`], up to
/// rounding. Nothing is asked for [`RowSums::Any`].
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn row_sums_as_declared(make: &Make<dyn Pool>, laws: &Laws) -> Result<(), Broken> {
    check::alone("row_sums_as_declared", declared, make, laws)
}

pub(super) fn declared(trial: &Trial<dyn Pool>) -> Result<(), String> {
    if trial.built().module.row_sums() == RowSums::Any {
        return Ok(());
    }
    let (g, pooled) = pooled(trial);
    let one_column = pooled.level.x.narrow(-1, 0, 1).ones_like();
    let sums = rows(&g, &pooled.selection.s.lift(&one_column));
    trial.agree(|tolerance| close("the sum of each row of S", &sums, &sums.ones_like(), tolerance.values))
}

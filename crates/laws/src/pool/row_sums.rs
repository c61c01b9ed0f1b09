//! The scale of `S`.

use coarsen_pool::{Pool, RowSums};

use crate::case::Direction;
use crate::compare::close;
use crate::error::Broken;
use crate::laws::Laws;
use crate::subject::{Built, Make, rows};

/// The weights of a node add up to what the operator [declares](Pool::row_sums): `Σ_c S_ic = 1` of every node `i` for [`RowSums::One`], to
/// [`Laws::tolerance`]. Nothing is asked for [`RowSums::Any`].
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn row_sums_as_declared(make: &Make<dyn Pool>, laws: &Laws) -> Result<(), Broken> {
    laws.hold("row_sums_as_declared", Direction::Undirected, |case| {
        let built = Built::new(make, &case.dims(), case.seed);
        if built.module.row_sums() == RowSums::Any {
            return Ok(());
        }
        let g = case.level();
        let g = g.to_layout(built.module.layouts(g.layout()).0);
        let pooled = built.module.pool(&g, case.ctx);
        let one_column = pooled.level.x.detach().narrow(-1, 0, 1).ones_like();
        let sums = rows(&g, &pooled.selection.s.lift(&one_column));
        close("the sum of each row of S", &sums, &sums.ones_like(), laws.tolerance)
    })
}

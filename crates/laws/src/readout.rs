//! Laws of [`Readout`].

use coarsen_nn::{Ctx, Dims, Params, Readout};
use coarsen_pool::Invariance;
use coarsen_tensor::Level;

use crate::asked;
use crate::case::Direction;
use crate::check::{self, Asks, Law, Promise};
use crate::compare::require;
use crate::error::Broken;
use crate::laws::Laws;
use crate::seen::Seen;
use crate::shared;
use crate::subject::{Make, Subject};

impl Subject for dyn Readout {
    const DIRECTION: Direction = Direction::Any;

    fn see(&self, g: &Level, ctx: Ctx) -> Seen {
        Seen { graphs: vec![("the reading".to_owned(), self.forward(g, ctx))], ..Seen::default() }
    }

    fn malformed(&self, g: &Level, _: &Dims, ctx: Ctx) -> Result<(), String> {
        let y = self.forward(g, ctx);
        let want = [g.graphs(), self.out_features()];
        require(y.size() == want, || format!("shape {:?} in place of {want:?}", y.size()))?;
        require(y.kind() == g.x.kind(), || format!("{:?} in place of {:?}", y.kind(), g.x.kind()))
    }
}

const LAWS: &[Law<dyn Readout>] = &[
    Law { name: "well_formed", promise: Promise::Always, asks: Asks::Of(asked::well_formed) },
    Law { name: "finite", promise: Promise::Always, asks: Asks::Own(shared::finite_degenerate) },
    Law { name: "finite", promise: Promise::Always, asks: Asks::Of(asked::finite) },
    Law { name: "repeatable", promise: Promise::Always, asks: Asks::Of(asked::repeatable) },
    Law { name: "invariant", promise: Promise::Order, asks: Asks::Of(asked::order) },
    Law { name: "batch_independent", promise: Promise::Batch, asks: Asks::Of(asked::batch_independent) },
    Law { name: "padding_inert", promise: Promise::Padding, asks: Asks::Of(asked::padding_inert) },
    Law { name: "layouts_agree", promise: Promise::Always, asks: Asks::Of(asked::layouts_agree) },
    Law {
        name: "every_parameter_learns",
        promise: Promise::Always,
        asks: Asks::Own(shared::every_parameter_learns),
    },
];

/// Holds a readout to all laws: `well_formed`, `finite`, `repeatable`, `invariant`, `batch_independent`, `padding_inert`,
/// `layouts_agree`, `every_parameter_learns`.
///
/// # Errors
///
/// The first law that does not hold, or one that is declared broken and holds.
///
/// # Examples
///
/// ```
/// use coarsen_laws::{Laws, readout};
/// use coarsen_nn::{Config, readout::MeanConfig};
/// use coarsen_pool::Invariance;
///
/// let laws = Laws { cases: 4, ..Laws::default() };
/// readout::check(|params, dims| Box::new(MeanConfig {}.init(params, dims)), Invariance::Exact, &laws)?;
/// # Ok::<(), coarsen_laws::Broken>(())
/// ```
pub fn check(
    make: impl Fn(&Params, &Dims) -> Box<dyn Readout>,
    invariance: Invariance,
    laws: &Laws,
) -> Result<(), Broken> {
    check::check(LAWS, &make, invariance, laws)
}

/// Renumbering the nodes of a graph changes nothing; the gradient of the features is renumbered with them.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn invariant(make: &Make<dyn Readout>, laws: &Laws) -> Result<(), Broken> {
    shared::order("invariant", make, laws)
}

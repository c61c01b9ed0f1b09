//! Laws of [`Conv`].

use coarsen_nn::{Conv, Ctx, Dims};
use coarsen_pool::Invariance;
use coarsen_tensor::Level;

use crate::asked;
use crate::case::Direction;
use crate::check::{self, Asks, Law, Promise};
use crate::compare::require;
use crate::error::Broken;
use crate::laws::Laws;
use crate::rounding;
use crate::seen::Seen;
use crate::shared;
use crate::subject::{Built, Make, Subject, padding, rows};
use crate::trial::Trial;

impl Subject for dyn Conv {
    const DIRECTION: Direction = Direction::Any;

    fn see(&self, g: &Level, ctx: Ctx) -> Seen {
        let y = self.forward(g, ctx);
        let zeros = padding(g, &y).into_iter().map(|y| ("a padded row".to_owned(), y)).collect();
        Seen { nodes: vec![("x".to_owned(), rows(g, &y))], zeros, ..Seen::default() }
    }

    fn malformed(&self, g: &Level, _: &Dims, ctx: Ctx) -> Result<(), String> {
        let y = self.forward(g, ctx);
        let want = [g.x.size()[0], self.out_features()];
        require(y.size() == want, || format!("shape {:?} in place of {want:?}", y.size()))?;
        require(y.kind() == g.x.kind(), || format!("{:?} in place of {:?}", y.kind(), g.x.kind()))
    }
}

const LAWS: &[Law<dyn Conv>] = &[
    Law { name: "well_formed", promise: Promise::Always, asks: Asks::Of(asked::well_formed) },
    Law { name: "finite", promise: Promise::Always, asks: Asks::Own(shared::finite_degenerate) },
    Law { name: "finite", promise: Promise::Always, asks: Asks::Of(asked::finite) },
    Law { name: "repeatable", promise: Promise::Always, asks: Asks::Of(asked::repeatable) },
    Law { name: "equivariant", promise: Promise::Order, asks: Asks::Of(asked::order) },
    Law { name: "parts_do_not_leak", promise: Promise::Always, asks: Asks::Of(parted) },
    Law { name: "batch_independent", promise: Promise::Batch, asks: Asks::Of(asked::batch_independent) },
    Law { name: "padding_inert", promise: Promise::Padding, asks: Asks::Of(asked::padding_inert) },
    Law { name: "layouts_agree", promise: Promise::Always, asks: Asks::Of(asked::layouts_agree) },
    Law {
        name: "every_parameter_learns",
        promise: Promise::Always,
        asks: Asks::Own(shared::every_parameter_learns),
    },
];

/// Holds a convolution to all laws: `well_formed`, `finite`, `repeatable`, `equivariant`, `parts_do_not_leak`, `batch_independent`,
/// `padding_inert`, `layouts_agree`, `every_parameter_learns`.
///
/// # Errors
///
/// The first law that does not hold.
///
/// # Examples
///
/// ```
/// use coarsen_laws::{Laws, conv};
/// use coarsen_nn::{Config, conv::GcnConfig};
///
/// let laws = Laws { cases: 4, ..Laws::default() };
/// conv::check(|params, dims| Box::new(GcnConfig::default().init(params, dims)), &laws)?;
/// # Ok::<(), coarsen_laws::Broken>(())
/// ```
pub fn check(make: impl Fn(&coarsen_nn::Params, &Dims) -> Box<dyn Conv>, laws: &Laws) -> Result<(), Broken> {
    check::check(LAWS, &make, Invariance::Exact, laws)
}

/// Renumbering the nodes of a graph renumbers the rows of the output, and nothing else; gradients of features and parameters
/// alike.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn equivariant(make: &Make<dyn Conv>, laws: &Laws) -> Result<(), Broken> {
    shared::order("equivariant", make, laws)
}

/// What is not connected to a node does not reach it: with other features elsewhere in its graph, the rows of a part are what they were,
/// up to rounding. In evaluation, since batch norm mixes the nodes of a training batch.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest parts found.
pub fn parts_do_not_leak(make: &Make<dyn Conv>, laws: &Laws) -> Result<(), Broken> {
    check::alone("parts_do_not_leak", parted, make, laws)
}

fn parted(trial: &Trial<dyn Conv>) -> Result<(), String> {
    let case = trial.case;
    let sizes = case.sizes();
    let dims = case.dims().with_sizes([sizes.iter().sum()]);
    let built = Built::new(trial.make, &dims, case.seed);
    let ctx = Ctx { train: false, ..case.ctx };
    let united = case.united(None);
    let want = built.see(&united, ctx);
    let mut first = 0;
    for (b, n) in sizes.into_iter().map(i64::from).enumerate() {
        let got = built.see(&case.united(Some(b)), ctx).of_graph(0, first..first + n);
        let own = want.of_graph(0, first..first + n);
        rounding::agree((&built, &united, ctx), trial.laws, |tolerance| got.agrees(&own, tolerance))
            .map_err(|how| format!("part {b}: {how}"))?;
        first += n;
    }
    Ok(())
}

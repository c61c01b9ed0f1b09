//! Laws of [`Pool`].

mod lift;
mod row_sums;
mod shape;
mod ties;

use coarsen_nn::{Ctx, Dims, Params};
use coarsen_pool::{Invariance, Pool, Pooled, Scores};
use coarsen_tensor::{Adjacency, Assignment, Level};
use tch::{Tensor, no_grad};

use crate::asked;
use crate::block::{Block, blocks};
use crate::case::Direction;
use crate::check::{self, Asks, Law, Promise};
use crate::compare::{close, tied};
use crate::error::Broken;
use crate::laws::Laws;
use crate::rounding::Tolerance;
use crate::seen::{Counted, Seen};
use crate::shared;
use crate::subject::{Make, Subject, padding, rows};
use crate::trial::Trial;

pub use lift::{lift_returns_to_the_nodes, lift_round_trips};
pub use row_sums::row_sums_as_declared;
pub use ties::ties_go_by_index;

impl Subject for dyn Pool {
    const DIRECTION: Direction = Direction::Undirected;

    /// The coarser graphs, the score, `Z` and a soft `S` of every node, the coarser features lifted, and the losses.
    fn see(&self, g: &Level, ctx: Ctx) -> Seen {
        let g = g.to_layout(self.layouts(g.layout()).0);
        let pooled = self.pool(&g, ctx);
        let selection = &pooled.selection;
        let sizes: Vec<u32> = g.segments().sizes().collect();
        let lifted = self.lift(&pooled.level.x, selection);

        let mut of_nodes = vec![("lifted x".to_owned(), rows(&g, &lifted))];
        match self.scores() {
            Scores::Nothing => {}
            Scores::Nodes => of_nodes.push(("score".to_owned(), rows(&g, &pooled.score.unsqueeze(-1)))),
            Scores::Clusters(_) => of_nodes.push(("score".to_owned(), rows(&g, &pooled.score))),
        }
        of_nodes.extend(selection.z.as_ref().map(|z| ("Z".to_owned(), rows(&g, z))));
        let mut zeros: Vec<(String, Tensor)> = Vec::new();
        zeros.extend(padding(&g, &lifted).map(|t| ("a padded row of lifted x".to_owned(), t)));
        if let Assignment::Rows { s, .. } | Assignment::Padded { s } = &selection.s {
            of_nodes.push(("S".to_owned(), rows(&g, s)));
            zeros.extend(padding(&g, s).map(|t| ("a padded row of S".to_owned(), t)));
        }
        Seen {
            nodes: of_nodes,
            blocks: blocks(&pooled.level, &selection.s, &sizes),
            counted: Some(Counted { nodes: sizes.iter().map(|&n| i64::from(n)).sum(), edges: edges(&g) }),
            tied: self.scores() == Scores::Nodes && tied(&rows(&g, &pooled.score.unsqueeze(-1)), &sizes),
            zeros,
            losses: pooled.selection.losses,
            ..Seen::default()
        }
    }

    fn malformed(&self, g: &Level, dims: &Dims, ctx: Ctx) -> Result<(), String> {
        shape::malformed(self, g, dims, ctx)
    }
}

fn edges(g: &Level) -> i64 {
    match &g.adj {
        Adjacency::Sparse(a) => a.pattern.edges(),
        Adjacency::Dense(a) => a.a.detach().count_nonzero(None).int64_value(&[]),
    }
}

const LAWS: &[Law<dyn Pool>] = &[
    Law { name: "well_formed", promise: Promise::Always, asks: Asks::Of(asked::well_formed) },
    Law { name: "finite", promise: Promise::Always, asks: Asks::Own(shared::finite_degenerate) },
    Law { name: "finite", promise: Promise::Always, asks: Asks::Of(asked::finite) },
    Law { name: "repeatable", promise: Promise::Always, asks: Asks::Of(asked::repeatable) },
    Law { name: "row_sums_as_declared", promise: Promise::Always, asks: Asks::Of(row_sums::declared) },
    Law { name: "connect_keeps_symmetry", promise: Promise::Always, asks: Asks::Of(symmetric) },
    Law { name: "lift_returns_to_the_nodes", promise: Promise::Always, asks: Asks::Of(lift::returns) },
    Law { name: "lift_round_trips", promise: Promise::Always, asks: Asks::Of(lift::round_trips) },
    Law { name: "invariant", promise: Promise::Order, asks: Asks::Of(asked::order) },
    Law { name: "ties_go_by_index", promise: Promise::Ties, asks: Asks::Own(ties_go_by_index) },
    Law { name: "batch_independent", promise: Promise::Batch, asks: Asks::Of(asked::batch_independent) },
    Law { name: "padding_inert", promise: Promise::Padding, asks: Asks::Of(asked::padding_inert) },
    Law { name: "layouts_agree", promise: Promise::Always, asks: Asks::Of(asked::layouts_agree) },
    Law {
        name: "every_parameter_learns",
        promise: Promise::Always,
        asks: Asks::Own(shared::every_parameter_learns),
    },
];

/// Holds a pooling operator to all laws: `well_formed`, `finite`, `repeatable`, `row_sums_as_declared`, `connect_keeps_symmetry`, `lift_returns_to_the_nodes`,
/// `lift_round_trips`, `invariant`, `ties_go_by_index`, `batch_independent`, `padding_inert`, `layouts_agree`, `every_parameter_learns`.
///
/// What `invariance` says is taken at its word: a seeded operator is not held to `invariant`; of a broken law a counterexample is
/// looked for, and finding none is an error as well. Features never tie inside a graph; where the scores of two nodes do, `invariant` leaves
/// the graph out.
///
/// A law that the operator does not promise is left out by name, [`Laws::without`]: `layouts_agree` where the two layouts mean
/// different things, `every_parameter_learns` under a random control, whose operator has parameters that decide nothing.
///
/// # Errors
///
/// The first law that does not hold, or one that is declared broken and holds.
///
/// # Examples
///
/// ```
/// use coarsen_laws::{Laws, pool};
/// use coarsen_nn::Config;
/// use coarsen_pool::{Invariance, TopKConfig};
///
/// let laws = Laws { cases: 4, ..Laws::default() };
/// pool::check(|params, dims| Box::new(TopKConfig::default().init(params, dims)), Invariance::UpToTies, &laws)?;
/// # Ok::<(), coarsen_laws::Broken>(())
/// ```
pub fn check(
    make: impl Fn(&Params, &Dims) -> Box<dyn Pool>,
    invariance: Invariance,
    laws: &Laws,
) -> Result<(), Broken> {
    check::check(LAWS, &make, invariance, laws)
}

/// Renumbering the nodes of a graph renumbers scores, `S` and lifted features, and leaves the coarser graphs as they are: sparse ones
/// up to the order of their nodes, dense ones slot by slot.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn invariant(make: &Make<dyn Pool>, laws: &Laws) -> Result<(), Broken> {
    shared::order("invariant", make, laws)
}

/// Of how many batches out of [`Laws::cases`] [`invariant`] asks nothing, since two nodes of every graph have equal scores.
///
/// # Errors
///
/// [`Broken::Counterexample`] where the operator panics.
///
/// # Examples
///
/// ```
/// use coarsen_laws::{Laws, pool};
/// use coarsen_nn::Config;
/// use coarsen_pool::TopKConfig;
///
/// let laws = Laws { cases: 20, ..Laws::default() };
/// let tied = pool::ties(&|params, dims| Box::new(TopKConfig::default().init(params, dims)), &laws)?;
/// assert_eq!(tied, 0);
/// # Ok::<(), coarsen_laws::Broken>(())
/// ```
pub fn ties(make: &Make<dyn Pool>, laws: &Laws) -> Result<u32, Broken> {
    shared::ties(make, laws)
}

/// What is symmetric stays so: `A = Aᵀ` gives `A' = A'ᵀ`, up to rounding.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn connect_keeps_symmetry(make: &Make<dyn Pool>, laws: &Laws) -> Result<(), Broken> {
    check::alone("connect_keeps_symmetry", symmetric, make, laws)
}

fn symmetric(trial: &Trial<dyn Pool>) -> Result<(), String> {
    let symmetric = |block: &Block, tolerance: Tolerance| {
        close("A' transposed", &block.a.transpose(0, 1), &block.a, tolerance.values)
    };
    let blocks = &trial.sparse().blocks;
    trial.agree(|tolerance| blocks.iter().try_for_each(|block| symmetric(block, tolerance)))
}

/// The level as the operator works on it, and what it makes of it.
fn pooled(trial: &Trial<dyn Pool>) -> (Level, Pooled) {
    let (pool, g) = (&trial.built().module, trial.level());
    let g = g.to_layout(pool.layouts(g.layout()).0);
    let pooled = no_grad(|| pool.pool(&g, trial.case.ctx));
    (g, pooled)
}

//! Laws of [`Model`].

use coarsen_model::{Model, Output, Trace};
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_pool::Invariance;
use coarsen_tensor::{Layout, Level};
use tch::no_grad;

use crate::asked;
use crate::case::Direction;
use crate::check::{self, Asks, Law, Promise};
use crate::compare::{finite, require, tied};
use crate::error::Broken;
use crate::laws::Laws;
use crate::rounding::Tolerance;
use crate::seen::Seen;
use crate::shared;
use crate::subject::{Make, Subject, rows};
use crate::trial::Trial;

impl Subject for dyn Model {
    const DIRECTION: Direction = Direction::Undirected;

    /// The level as the network [needs](Model::needs) it: a law never sees more of a model than a loader would.
    fn see(&self, g: &Level, ctx: Ctx) -> Seen {
        let g = ready(self, g);
        seen(&g, self.forward(&g, ctx.traced()))
    }

    fn malformed(&self, g: &Level, _: &Dims, ctx: Ctx) -> Result<(), String> {
        let g = ready(self, g);
        let output = self.forward(&g, ctx);
        let of_task = output.logits.as_ref().or(output.graphs.as_ref()).or(output.nodes.as_ref());
        require(of_task.is_some(), || "no nodes, no graphs and no logits come out".to_owned())?;
        for (name, y) in [("graphs", &output.graphs), ("logits", &output.logits)] {
            let Some(y) = y else { continue };
            let want = [g.graphs(), self.out_features()];
            require(y.size() == want, || format!("{name} of shape {:?} in place of {want:?}", y.size()))?;
        }
        if let Some(y) = &output.nodes {
            let (got, want) = (y.size(), g.x.size());
            let fits = got.len() == want.len() && got[..got.len() - 1] == want[..want.len() - 1];
            require(fits, || format!("nodes of shape {got:?} for features of shape {want:?}"))?;
        }
        let width = output.nodes.as_ref().and_then(|y| y.size().last().copied());
        let told = self.node_features();
        require(width == told, || format!("nodes of width {width:?} in place of {told:?}"))?;
        output.losses.iter().try_for_each(|loss| {
            require(loss.value.numel() == 1, || format!("loss {} is no scalar", loss.name))?;
            require(loss.weight.is_finite(), || format!("loss {} weighs {}", loss.name, loss.weight))?;
            finite(&format!("loss {}", loss.name), &loss.value)
        })
    }
}

/// What a network gave for a level; with traces, whether it pooled by scores that tie.
fn seen(g: &Level, output: Output) -> Seen {
    let named = |name: &str, t| (name.to_owned(), t);
    let graphs = output.graphs.map(|t| named("graphs", t)).into_iter();
    // Of a coarser level the sizes are not told, so scores are compared across its graphs, too.
    let ties = |trace: &Trace| {
        let part = trace.name.rsplit('.').next();
        let of_nodes = part == Some("score") && trace.value.dim() == 1;
        of_nodes && tied(&trace.value, &[trace.value.numel() as u32])
    };
    Seen {
        nodes: output.nodes.map(|t| named("nodes", rows(g, &t))).into_iter().collect(),
        graphs: graphs.chain(output.logits.map(|t| named("logits", t))).collect(),
        losses: output.losses,
        tied: output.traces.iter().any(ties),
        ..Seen::default()
    }
}

fn ready(model: &dyn Model, g: &Level) -> Level {
    let needs = model.needs();
    match (needs.pad_to, needs.layout, g.layout()) {
        (Some(width), Layout::Dense, Layout::Sparse) => g.padded(width),
        _ => g.to_layout(needs.layout),
    }
}

const LAWS: &[Law<dyn Model>] = &[
    Law { name: "well_formed", promise: Promise::Always, asks: Asks::Of(asked::well_formed) },
    Law { name: "finite", promise: Promise::Always, asks: Asks::Own(shared::finite_degenerate) },
    Law { name: "finite", promise: Promise::Always, asks: Asks::Of(asked::finite) },
    Law { name: "repeatable", promise: Promise::Always, asks: Asks::Of(asked::repeatable) },
    Law { name: "tracing_changes_nothing", promise: Promise::Always, asks: Asks::Of(traced) },
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

/// Holds a network to all laws: `well_formed`, `finite`, `repeatable`, `tracing_changes_nothing`, `invariant`, `batch_independent`,
/// `padding_inert`, `layouts_agree`, `every_parameter_learns`.
///
/// The guarantee is that of its weakest pooling operator. Auxiliary losses that are means may be means over any level: of a batch
/// they must lie between those of its graphs.
///
/// # Errors
///
/// The first law that does not hold, or one that is declared broken and holds.
///
/// # Examples
///
/// ```
/// use coarsen_laws::{Laws, model};
/// use coarsen_model::FlatConfig;
/// use coarsen_pool::Invariance;
///
/// let laws = Laws { cases: 2, ..Laws::default() };
/// let config = FlatConfig { hidden: 4, layers: 1, ..FlatConfig::default() };
/// model::check(|params, dims| Box::new(config.build("mine", params, dims).unwrap()), Invariance::Exact, &laws)?;
/// # Ok::<(), coarsen_laws::Broken>(())
/// ```
pub fn check(
    make: impl Fn(&Params, &Dims) -> Box<dyn Model>,
    invariance: Invariance,
    laws: &Laws,
) -> Result<(), Broken> {
    check::check(LAWS, &make, invariance, laws)
}

/// Renumbering the nodes of a graph renumbers the rows of what is said of nodes, and changes nothing else. Where a network pools by scores of
/// nodes (traces `….score`) and two of them are equal, the graph is left out.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn invariant(make: &Make<dyn Model>, laws: &Laws) -> Result<(), Broken> {
    shared::order("invariant", make, laws)
}

/// Of how many batches out of [`Laws::cases`] [`invariant`] asks nothing, since the network pools by scores of nodes and in every graph
/// two of them are equal.
///
/// # Errors
///
/// [`Broken::Counterexample`] where the network panics.
pub fn ties(make: &Make<dyn Model>, laws: &Laws) -> Result<u32, Broken> {
    shared::ties(make, laws)
}

/// A pass that keeps traces gives the same bits, and finite traces; one that does not keeps none.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn tracing_changes_nothing(make: &Make<dyn Model>, laws: &Laws) -> Result<(), Broken> {
    check::alone("tracing_changes_nothing", traced, make, laws)
}

fn traced(trial: &Trial<dyn Model>) -> Result<(), String> {
    let module = trial.built().module.as_ref();
    let ctx = Ctx { train: false, ..trial.case.ctx };
    let g = ready(module, trial.level());
    let forward = |ctx| no_grad(|| module.forward(&g, ctx));
    let traces = forward(ctx.traced()).traces;
    let untraced = forward(ctx);
    require(untraced.traces.is_empty(), || "traces are kept unasked".to_owned())?;
    seen(&g, forward(ctx.traced())).agrees(&seen(&g, untraced), Tolerance::NONE)?;
    traces.iter().try_for_each(|trace| finite(&trace.name, &trace.value))
}

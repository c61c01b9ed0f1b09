//! Laws that every contract has.

use std::cell::Cell;
use std::collections::BTreeMap;

use coarsen_nn::Ctx;
use coarsen_pool::Invariance;
use coarsen_tensor::{Layout, Level};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use crate::case::{Case, cases, degenerate};
use crate::compare::{close, largest, require};
use crate::draw::alike;
use crate::error::Broken;
use crate::laws::{Laws, Passes};
use crate::subject::{Built, Make, Subject};

/// The level as it was drawn.
fn as_it_is(g: &Level) -> Level {
    g.to_layout(Layout::Sparse)
}

/// Renumbering the nodes of every graph renumbers the rows of what comes out, and changes nothing else: values and losses to
/// [`Laws::tolerance`], gradients to [`Laws::gradient_tolerance`]. Sparse clusters are compared in the order of their members,
/// dense ones in the order of their slots. Graphs whose nodes have equal scores are left out.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub(crate) fn order<M: Subject + ?Sized>(
    law: &'static str,
    make: &Make<M>,
    laws: &Laws,
) -> Result<(), Broken> {
    laws.hold(law, M::DIRECTION, |case| {
        let built = Built::new(make, &case.dims(), case.seed);
        untied(&built, case).map_or(Ok(()), |case| same_renumbered(&built, &case, laws))
    })
}

/// The case renumbered gives the same, renumbered.
fn same_renumbered<M: Subject + ?Sized>(built: &Built<M>, case: &Case, laws: &Laws) -> Result<(), String> {
    let want = built.observe(&case.level(), &as_it_is, case.ctx).canonical();
    let got = built.observe(&case.renumbered(), &as_it_is, case.ctx);
    let got = got.taken_back(&case.permutations).canonical();
    got.agrees(&want, laws)?;
    got.losses_agree(&want, laws.tolerance)
}

/// Nothing less is declared than is kept: an operator that says [`Invariance::Seeded`] depends on the order of the nodes, one that says
/// [`Invariance::UpToTies`] does where all nodes are alike. Laws declared broken are looked at by `check`.
///
/// What an operator depends on shows where it has a choice: try it with settings that keep some nodes of nine and not all, and make several
/// clusters.
///
/// # Errors
///
/// [`Broken::Kept`] when no case among [`Laws::cases`] shows it.
pub fn tight<M: Subject + ?Sized>(make: &Make<M>, invariance: Invariance, laws: &Laws) -> Result<(), Broken> {
    const LAW: &str = "the order of the nodes";
    let any = laws.any_counterexample();
    let shown = match invariance {
        Invariance::Exact | Invariance::Broken(_) => return Ok(()),
        Invariance::Seeded => order(LAW, make, &any),
        Invariance::UpToTies => any.hold_over(LAW, &alike(laws), |case| {
            same_renumbered(&Built::new(make, &case.dims(), case.seed), case, laws)
        }),
    };
    match shown {
        Err(Broken::Counterexample(_)) => Ok(()),
        Err(other) => Err(other),
        Ok(()) => Err(Broken::Kept { law: LAW, cases: laws.cases }),
    }
}

/// The case without the graphs whose nodes have equal scores; `None` where no other graph is left.
fn untied<M: Subject + ?Sized>(built: &Built<M>, case: &Case) -> Option<Case> {
    if !built.see(&case.level(), case.ctx).tied {
        return Some(case.clone());
    }
    let alone = Ctx { train: false, ..case.ctx };
    let ordered = (0..case.graphs.len()).filter(|&b| !built.see(&case.alone(b), alone).tied);
    let (graphs, permutations) =
        ordered.map(|b| (case.graphs[b].clone(), case.permutations[b].clone())).unzip();
    let rest = Case { graphs, permutations, ..case.clone() };
    let asked = !rest.graphs.is_empty() && !built.see(&rest.level(), rest.ctx).tied;
    asked.then_some(rest)
}

/// Of how many of [`Laws::cases`] batches [`order`] asks nothing, since in every graph nodes have equal scores.
///
/// # Errors
///
/// [`Broken::Counterexample`] where the operator panics.
pub(crate) fn ties<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<u32, Broken> {
    let tied = Cell::new(0);
    laws.any_counterexample().hold("ties", M::DIRECTION, |case| {
        let built = Built::new(make, &case.dims(), case.seed);
        tied.set(tied.get() + u32::from(untied(&built, case).is_none()));
        Ok(())
    })?;
    Ok(tied.get())
}

/// A batch gives what each of its graphs gives alone, to [`Laws::tolerance`]: in evaluation, since batch norm mixes the graphs of a
/// training batch. Losses gather as their [`Over`](coarsen_pool::Over) says; one over the batch as a whole should be a mean over
/// graphs, and an operator with another must say that it breaks this law.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn batch_independent<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    laws.hold("batch_independent", M::DIRECTION, |case| {
        let built = Built::new(make, &case.dims(), case.seed);
        let ctx = Ctx { train: false, ..case.ctx };
        let whole = built.see(&case.level(), ctx);
        let mut first = 0;
        let mut alone = Vec::with_capacity(case.graphs.len());
        for (b, n) in case.sizes().into_iter().enumerate() {
            let own = built.see(&case.alone(b), ctx);
            let end = first + i64::from(n);
            whole.of_graph(b, first..end).agrees(&own, laws).map_err(|how| format!("graph {b}: {how}"))?;
            first = end;
            alone.push(own);
        }
        whole.losses_gather(&alone, laws.tolerance)
    })
}

/// One to three more padded slots change nothing, and padded rows come out as 0: values and losses to [`Laws::tolerance`], gradients
/// to [`Laws::gradient_tolerance`].
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn padding_inert<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    laws.hold("padding_inert", M::DIRECTION, |case| {
        let built = Built::new(make, &case.dims(), case.seed);
        let width = i64::from(case.sizes().into_iter().max().unwrap_or(0));
        let more = 1 + (case.seed % 3) as i64;
        let want = built.observe(&case.level(), &|g| g.padded(width), case.ctx);
        let got = built.observe(&case.level(), &|g| g.padded(width + more), case.ctx);
        got.agrees(&want, laws)?;
        got.losses_agree(&want, laws.tolerance)
    })
}

/// A sparse level and the same level made dense give the same: values and losses to [`Laws::tolerance`], gradients to
/// [`Laws::gradient_tolerance`].
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn layouts_agree<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    laws.hold("layouts_agree", M::DIRECTION, |case| {
        let built = Built::new(make, &case.dims(), case.seed);
        let want = built.observe(&case.level(), &as_it_is, case.ctx);
        let got = built.observe(&case.level(), &|g| g.to_layout(Layout::Dense), case.ctx);
        got.agrees(&want, laws)?;
        got.losses_agree(&want, laws.tolerance)
    })
}

/// No NaN and no infinity comes out, in values, losses and gradients, in either layout: for random batches and for every degenerate
/// one, in both passes.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn finite<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    let property = |case: &Case| {
        let built = Built::new(make, &case.dims(), case.seed);
        for layout in [Layout::Sparse, Layout::Dense] {
            let seen = built.observe(&case.level(), &|g| g.to_layout(layout), case.ctx);
            seen.is_finite().map_err(|how| format!("{how}, {layout:?} layout"))?;
        }
        Ok(())
    };
    if laws.given.is_empty() {
        for (name, case) in degenerate(laws) {
            let named = |case: &Case| property(case).map_err(|how| format!("{name}: {how}"));
            laws.ask_from("finite", case, named)?;
        }
    }
    laws.hold("finite", M::DIRECTION, property)
}

/// What comes out of a sparse level has the shape and kind that the operator announces, one row per node or per graph.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn well_formed<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    laws.hold("well_formed", M::DIRECTION, |case| {
        let dims = case.dims();
        Built::new(make, &dims, case.seed).module.malformed(&case.level(), &dims, case.ctx)
    })
}

/// Given equal parameters, input and pass, an operator is a function: asked again, and made again from the same seed, it gives the same
/// bits, gradients included; and it leaves its input as it is.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn repeatable<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    let exact = Laws { tolerance: 0.0, gradient_tolerance: 0.0, ..laws.clone() };
    laws.hold("repeatable", M::DIRECTION, |case| {
        let make = || Built::new(make, &case.dims(), case.seed);
        let observe = |built: &Built<M>| built.observe(&case.level(), &as_it_is, case.ctx);
        let built = make();
        let level = case.level();
        built.see(&level, case.ctx);
        close("the input afterwards", &level.x, &case.level().x, 0.0)?;
        let first = observe(&built);
        for (when, other) in [("asked again", observe(&built)), ("made again", observe(&make()))] {
            let same = other.agrees(&first, &exact).and_then(|()| other.losses_agree(&first, 0.0));
            same.map_err(|how| format!("{when}: {how}"))?;
        }
        Ok(())
    })
}

/// Gradients smaller than this are rounding.
const NOTHING: f64 = 1e-12;
/// A parameter has learned by so many cases, or it never does.
const MOST_CASES: u32 = 64;

/// Every trainable parameter has a gradient on some case.
///
/// Cases alternate between training and evaluation: a bias straight in front of a batch norm cancels in training.
///
/// # Errors
///
/// [`Broken::Counterexample`] naming the parameters that learn nothing.
pub fn every_parameter_learns<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    const LAW: &str = "every_parameter_learns";
    let strategy = cases(laws, M::DIRECTION);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let mut best: BTreeMap<String, f64> = BTreeMap::new();
    for number in 0..MOST_CASES {
        let tree = strategy
            .new_tree(&mut runner)
            .map_err(|why| Broken::in_setting(LAW, why.to_string(), "no case"))?;
        let case = tree.current();
        let train = laws.passes == Passes::Both && number % 2 == 0;
        let ctx = Ctx { train, ..case.ctx };
        for (name, gradient) in
            Built::new(make, &case.dims(), case.seed).observe(&case.level(), &as_it_is, ctx).gradients
        {
            let reached = best.entry(name).or_insert(0.0);
            *reached = reached.max(largest(&gradient));
        }
        if number >= 8 && best.values().all(|&reached| reached > NOTHING) {
            break;
        }
    }
    let idle: Vec<&str> =
        best.iter().filter(|(_, reached)| **reached <= NOTHING).map(|(name, _)| name.as_str()).collect();
    require(idle.is_empty(), || format!("nothing but 0 is the {}", idle.join(", ")))
        .map_err(|how| Broken::in_setting(LAW, how, format!("{MOST_CASES} cases")))
}

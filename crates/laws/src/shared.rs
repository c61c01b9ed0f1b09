//! Laws that every contract has.

use std::cell::Cell;
use std::collections::BTreeMap;

use coarsen_nn::Ctx;
use coarsen_pool::Invariance;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use crate::asked;
use crate::case::{Case, cases, degenerate};
use crate::check;
use crate::compare::{largest, require};
use crate::draw::alike;
use crate::error::Broken;
use crate::laws::{Laws, Passes};
use crate::subject::{Make, Subject};
use crate::trial::Trial;

/// Renumbering the nodes of every graph renumbers the rows of what comes out, and changes nothing else: values, losses and
/// gradients, up to rounding. Sparse clusters are compared in the order of their members,
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
    check::alone(law, asked::order, make, laws)
}

/// Nothing less is declared than is kept: an operator that says [`Invariance::Seeded`] depends on the order of the nodes, one that says
/// [`Invariance::UpToTies`] does where all nodes are alike. Laws declared broken are looked at by `check`.
///
/// What an operator depends on shows where it has a choice: try it with settings that keep some nodes of nine and not all, and make several
/// clusters.
///
/// # Errors
///
/// [`Broken::Kept`] when no case among [`Laws::cases`], and 64 at least, shows it.
pub fn tight<M: Subject + ?Sized>(make: &Make<M>, invariance: Invariance, laws: &Laws) -> Result<(), Broken> {
    const LAW: &str = "the order of the nodes";
    let any = Laws { cases: laws.cases.max(check::ENOUGH), ..laws.any_counterexample() };
    let shown = match invariance {
        Invariance::Exact | Invariance::Broken(_) => return Ok(()),
        Invariance::Seeded => order(LAW, make, &any),
        Invariance::UpToTies => any.hold_over(LAW, &alike(laws), |case| {
            let trial = Trial::new(make, case, laws);
            asked::renumbered(&trial, case, trial.sparse())
        }),
    };
    match shown {
        Err(Broken::Counterexample(_)) => Ok(()),
        Err(other) => Err(other),
        Ok(()) => Err(Broken::Kept { law: LAW, cases: any.cases }),
    }
}

/// Of how many of [`Laws::cases`] batches [`order`] asks nothing, since in every graph nodes have equal scores.
///
/// # Errors
///
/// [`Broken::Counterexample`] where the operator panics.
pub(crate) fn ties<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<u32, Broken> {
    let tied = Cell::new(0);
    laws.any_counterexample().hold("ties", M::DIRECTION, |case| {
        let trial = Trial::new(make, case, laws);
        let asks_nothing = trial.sparse().tied && asked::untied(&trial).is_none();
        tied.set(tied.get() + u32::from(asks_nothing));
        Ok(())
    })?;
    Ok(tied.get())
}

/// A batch gives what each of its graphs gives alone, up to rounding: in evaluation, since batch norm mixes the graphs of a
/// training batch. Losses gather as their [`Over`](coarsen_pool::Over) says; one over the batch as a whole should be a mean over
/// graphs, and an operator with another must say that it breaks this law.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn batch_independent<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    check::alone("batch_independent", asked::batch_independent, make, laws)
}

/// One to three more padded slots change nothing, and padded rows come out as 0: values, losses and gradients, up to
/// rounding.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn padding_inert<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    check::alone("padding_inert", asked::padding_inert, make, laws)
}

/// A sparse level and the same level made dense give the same: values, losses and gradients, up to rounding.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn layouts_agree<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    check::alone("layouts_agree", asked::layouts_agree, make, laws)
}

/// No NaN and no infinity comes out, in values, losses and gradients, in either layout: for random batches and for every degenerate
/// one, in both passes.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn finite<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    finite_degenerate(make, laws)?;
    check::alone("finite", asked::finite, make, laws)
}

/// [`finite`] for every degenerate batch.
pub(crate) fn finite_degenerate<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    if !laws.given.is_empty() {
        return Ok(());
    }
    degenerate(laws).into_iter().try_for_each(|(name, case)| {
        let named = |case: &Case| {
            asked::finite(&Trial::new(make, case, laws)).map_err(|how| format!("{name}: {how}"))
        };
        laws.ask_from("finite", case, named)
    })
}

/// What comes out of a sparse level has the shape and kind that the operator announces, one row per node or per graph.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn well_formed<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    check::alone("well_formed", asked::well_formed, make, laws)
}

/// Given equal parameters, input and pass, an operator is a function: asked again, and made again from the same seed, it gives the same
/// bits, gradients included; and it leaves its input as it is.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn repeatable<M: Subject + ?Sized>(make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    check::alone("repeatable", asked::repeatable, make, laws)
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
        let case = Case { ctx, ..case };
        for (name, gradient) in &Trial::new(make, &case, laws).sparse().gradients {
            let reached = best.entry(name.clone()).or_insert(0.0);
            *reached = reached.max(largest(gradient));
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

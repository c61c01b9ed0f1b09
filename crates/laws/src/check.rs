//! Laws of a contract, alone and all together, as far as they are promised.

use std::cell::Cell;

use coarsen_pool::Invariance;

use crate::case::{Case, cases};
use crate::error::Broken;
use crate::laws::{Laws, counterexample};
use crate::subject::{Make, Subject};
use crate::trial::Trial;

/// What is wrong with a case.
type OfCase<M> = fn(&Trial<M>) -> Result<(), String>;

/// A law of a contract.
pub(crate) struct Law<M: ?Sized> {
    pub(crate) name: &'static str,
    pub(crate) promise: Promise,
    pub(crate) asks: Asks<M>,
}

/// What a law looks at.
pub(crate) enum Asks<M: ?Sized> {
    /// A case, whichever it is: all laws of this kind are asked about the same cases.
    Of(OfCase<M>),
    /// Cases of its own.
    Own(fn(&Make<M>, &Laws) -> Result<(), Broken>),
}

/// What lets an operator off a law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nothing.
    Always,
    /// [`Invariance::Seeded`], and `permutation` among the broken ones.
    Order,
    /// `padding` among the broken ones.
    Padding,
    /// `batch` among the broken ones.
    Batch,
    /// [`Invariance::Seeded`]: which of two equals stays may be drawn.
    Ties,
}

impl Promise {
    /// The name in [`Invariance::Broken`].
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Always | Self::Ties => None,
            Self::Order => Some("permutation"),
            Self::Padding => Some("padding"),
            Self::Batch => Some("batch"),
        }
    }
}

/// Runs the laws; those that are declared broken must break.
pub(crate) fn check<M: Subject + ?Sized>(
    table: &[Law<M>],
    make: &Make<M>,
    invariance: Invariance,
    laws: &Laws,
) -> Result<(), Broken> {
    let broken: &[&str] = if let Invariance::Broken(names) = invariance { names } else { &[] };
    known(broken, &["permutation", "padding", "batch"])?;
    let mut names: Vec<&str> = table.iter().map(|law| law.name).collect();
    names.dedup(); // a law may be asked of cases of its own, too
    known(&laws.without, &names)?;
    let mut of_cases = Vec::new();
    let mut own = Vec::new();
    for law in table.iter().filter(|law| !laws.without.contains(&law.name)) {
        let by_order = matches!(law.promise, Promise::Order | Promise::Ties);
        let seeded = by_order && invariance == Invariance::Seeded;
        if law.promise.name().is_some_and(|name| broken.contains(&name)) {
            breaks(law, make, laws)?;
        } else if !seeded {
            match law.asks {
                Asks::Of(asks) => of_cases.push((law.name, asks)),
                Asks::Own(holds) => own.push(holds),
            }
        }
    }
    together(&of_cases, make, laws)?;
    own.iter().try_for_each(|holds| holds(make, laws))
}

/// The law holds, asked of drawn cases.
pub(crate) fn alone<M: Subject + ?Sized>(
    law: &'static str,
    asks: OfCase<M>,
    make: &Make<M>,
    laws: &Laws,
) -> Result<(), Broken> {
    laws.hold(law, M::DIRECTION, |case| asks(&Trial::new(make, case, laws)))
}

/// The laws hold, all asked of the same cases. Where several do not, the first of them is named, as far as cases drawn anew show it.
fn together<M: Subject + ?Sized>(
    table: &[(&'static str, OfCase<M>)],
    make: &Make<M>,
    laws: &Laws,
) -> Result<(), Broken> {
    let broken = Cell::new(None);
    let property = |case: &Case| {
        let trial = Trial::new(make, case, laws);
        // While a failing case is made smaller, it is the same law that it must break.
        let only = broken.get();
        for &(law, asks) in table.iter().filter(|(law, _)| only.is_none_or(|only| only == *law)) {
            broken.set(Some(law));
            asks(&trial)?;
        }
        broken.set(only);
        Ok(())
    };
    let Err(found) = laws.seek(&cases(laws, M::DIRECTION), property) else { return Ok(()) };
    let law = broken.get().expect("set by the law that the case breaks");
    let earlier = table.iter().take_while(|(name, _)| *name != law);
    earlier.into_iter().try_for_each(|&(name, asks)| alone(name, asks, make, laws))?;
    Err(counterexample(law, *found))
}

/// So many cases show a law not to hold that does not, however few are asked for.
pub(crate) const ENOUGH: u32 = 64;

fn breaks<M: Subject + ?Sized>(law: &Law<M>, make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    let laws = Laws { cases: laws.cases.max(ENOUGH), ..laws.any_counterexample() };
    let verdict = match law.asks {
        Asks::Of(asks) => alone(law.name, asks, make, &laws),
        Asks::Own(holds) => holds(make, &laws),
    };
    match verdict {
        Err(Broken::Counterexample { .. }) => Ok(()),
        Err(other) => Err(other),
        Ok(()) => Err(Broken::Kept { law: law.name, cases: laws.cases }),
    }
}

fn known(names: &[&'static str], known: &[&'static str]) -> Result<(), Broken> {
    match names.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Broken::Unknown { name: (*name).to_owned(), known: known.to_vec() }),
    }
}

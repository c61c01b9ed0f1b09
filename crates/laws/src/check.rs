//! All laws of a contract, one after the other, as far as they are promised.

use coarsen_pool::Invariance;

use crate::error::Broken;
use crate::laws::Laws;
use crate::subject::Make;

/// A law of a contract.
pub(crate) struct Law<M: ?Sized> {
    pub(crate) name: &'static str,
    pub(crate) promise: Promise,
    pub(crate) holds: fn(&Make<M>, &Laws) -> Result<(), Broken>,
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
pub(crate) fn check<M: ?Sized>(
    table: &[Law<M>],
    make: &Make<M>,
    invariance: Invariance,
    laws: &Laws,
) -> Result<(), Broken> {
    let broken: &[&str] = if let Invariance::Broken(names) = invariance { names } else { &[] };
    known(broken, &["permutation", "padding", "batch"])?;
    known(&laws.without, &table.iter().map(|law| law.name).collect::<Vec<_>>())?;
    for law in table.iter().filter(|law| !laws.without.contains(&law.name)) {
        let by_order = matches!(law.promise, Promise::Order | Promise::Ties);
        let seeded = by_order && invariance == Invariance::Seeded;
        if law.promise.name().is_some_and(|name| broken.contains(&name)) {
            breaks(law, make, laws)?;
        } else if !seeded {
            (law.holds)(make, laws)?;
        }
    }
    Ok(())
}

/// So many cases show a law that is declared broken to be so, however few are asked for.
const ENOUGH: u32 = 64;

fn breaks<M: ?Sized>(law: &Law<M>, make: &Make<M>, laws: &Laws) -> Result<(), Broken> {
    let laws = Laws { cases: laws.cases.max(ENOUGH), ..laws.any_counterexample() };
    match (law.holds)(make, &laws) {
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

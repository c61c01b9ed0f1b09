//! A law that cannot fail is none: wrong operators, each caught by the law it breaks.

mod config;
mod conv;
mod model;
mod pool;
mod readout;
mod ties;
mod verdict;

use coarsen_laws::{Broken, Laws};

/// Enough cases for faults as plain as these.
fn laws() -> Laws {
    Laws { cases: 24, ..Laws::default() }
}

/// This law and no earlier one says so.
#[track_caller]
fn caught(verdict: Result<(), Broken>, law: &str) {
    let message = verdict.expect_err("a wrong operator passed").to_string();
    assert!(message.starts_with(&format!("{law} does not hold: ")), "caught, but by {message}");
}

/// The operator without its fault obeys.
#[track_caller]
fn obeys(verdict: Result<(), Broken>) {
    if let Err(broken) = verdict {
        panic!("the right operator was caught: {broken}");
    }
}

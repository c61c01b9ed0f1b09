//! `coarsen bench`: what is done over and over, timed as the programs it is compared with time it.
//!
//! | module | holds |
//! | --- | --- |
//! | [`epoch`] | `coarsen bench epoch`: training epochs and inference of one network |
//! | [`growth`] | `coarsen bench growth`: AdamGNN on one graph of some size |
//! | [`ops`] | `coarsen bench ops`: single operations |
//! | [`models`] | the networks of the comparison, as data |
//! | [`split`] | the split that all programs draw alike |
//! | [`measure`] | medians; what other programs took; memory |

mod epoch;
mod growth;
mod measure;
mod models;
mod ops;
mod split;

use anyhow::Result;

use crate::Ending;

/// What is timed.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Training epochs of one network, and inference
    Epoch(epoch::Args),
    /// Training epochs of AdamGNN on one generated graph of some size, and their memory
    Growth(growth::Args),
    /// Single operations: products, reductions, selections, coarsenings, collation, reading
    Ops(ops::Args),
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<Ending> {
    match command {
        Command::Epoch(args) => epoch::run(args),
        Command::Growth(args) => growth::run(args),
        Command::Ops(args) => ops::run(args),
    }
}

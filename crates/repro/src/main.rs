//! The `coarsen` binary: statistics of data sets, single experiments, and the papers' tables.
//!
//! | module | holds |
//! | --- | --- |
//! | [`data_command`] | `coarsen data`: statistics of a data set |
//! | [`train_command`], [`flags`] | `coarsen train`: one experiment, from flags or a file |
//! | [`reproduce`] | `coarsen reproduce`: what is missing of a suite, then its tables |
//! | [`mod@tune`] | `coarsen tune`: a small search that looks at validation samples alone |
//! | [`figure`] | `coarsen figure`: AdamGNN's figures, from what trained networks do |
//! | [`experiments`] | experiments by name: files, or those of suites |
//! | [`suite`], [`plan`] | suites as data, and the experiments they stand for |
//! | [`tables`], [`page`] | tables from records; the Markdown and HTML pages |
//! | [`operators`] | `coarsen operators`: the registries as a page of tables |
//! | [`mod@bench`] | `coarsen bench`: training epochs as another library is timed, and how they grow |
//! | [`workplace`] | one experiment and its record on disk |
//! | [`progress`], [`estimate`] | the bar, or plain lines; the time that is left |
//! | [`environment`], [`interrupt`] | device and threads; Ctrl-C |
//! | [`output`] | the standard output |

// The terminal is this program's interface.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod data_command;
mod environment;
mod estimate;
mod experiments;
mod figure;
mod flags;
mod interrupt;
mod memory;
mod operators;
mod output;
mod page;
mod plan;
mod progress;
mod reproduce;
mod suite;
mod tables;
mod train_command;
mod tune;
mod workplace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Hierarchical graph pooling: data sets, experiments, and the papers' tables.
#[derive(Debug, Parser)]
#[command(name = "coarsen", version, max_term_width = 110)]
#[command(after_help = "\
Examples:
  coarsen data data/raw/MUTAG.zip                     what is in a data set
  coarsen train --dataset COMMUNITIES --pool top-k    one experiment on a built-in set
  coarsen train --dataset PROTEINS --pool diffpool    80/10/10, ten seeds, at most 150 epochs each
  coarsen reproduce --suite quick                     a table, the published numbers beside ours

`cargo xtask data NAME` fetches data sets; `cargo xtask reproduce` does everything, set-up included.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the statistics of a data set: a folder, a zip archive, or a name
    Data(data_command::Args),
    /// Train one experiment on every split of its protocol, and keep its record
    Train(Box<train_command::Args>),
    /// Train what is missing of a suite of experiments, and print its tables
    Reproduce(reproduce::Args),
    /// Search levels, learning rate and dropout of an experiment by its validation samples
    Tune(tune::Args),
    /// Draw what trained networks do: attention over the levels, coverage of ego-networks
    Figure(figure::Args),
    /// Print what there is to choose from, as Markdown: pooling operators, convolutions, readouts
    Operators(operators::Args),
    /// Time what is done over and over, to be compared with other libraries
    #[command(subcommand)]
    Bench(Box<bench::Command>),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// As it should.
    Done,
    /// To the end, but something is reported as failed.
    Failed,
    /// By Ctrl-C.
    Interrupted,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::SUCCESS,
            Ending::Failed => Self::FAILURE,
            Ending::Interrupted => Self::from(interrupt::EXIT_STATUS),
        }
    }
}

fn main() -> ExitCode {
    memory::keep_freed();
    let ending = match Cli::parse().command {
        Command::Data(args) => data_command::run(&args),
        Command::Train(args) => train_command::run(&args),
        Command::Reproduce(args) => reproduce::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Figure(args) => figure::run(&args),
        Command::Operators(args) => operators::run(&args),
        Command::Bench(command) => bench::run(&command),
    };
    ending.map_or_else(
        |error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}

//! Development commands of the workspace: `cargo xtask COMMAND`, one file (or folder) per command.
//!
//! Links no LibTorch, since it is what sets LibTorch up; imports nothing above floor 1.

// The terminal is this program's interface.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod ci;
mod data;
mod disk;
mod doctor;
mod libtorch;
mod progress;
mod reproduce;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development commands of the coarsen workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
#[command(after_help = "\
First steps:
  cargo xtask doctor       what this machine has, and what is missing
  cargo xtask reproduce    set up what is missing, train the quick suite, print its table
  cargo xtask test         set up LibTorch if it is missing, run every test")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install the LibTorch that the pinned `tch` wants into target/libtorch
    Libtorch(libtorch::Args),
    /// Fetch data sets, verify them by content and by their published statistics
    Data(data::Args),
    /// Say what this machine has and what is missing
    Doctor(doctor::Args),
    /// Run the tests of the whole workspace
    Test(test::Args),
    /// Train a suite of experiments and print its tables beside the published numbers
    Reproduce(reproduce::Args),
    /// Check what the compiler cannot: floors, module docs, file sizes, manifests, words
    Tidy(tidy::Args),
    /// The whole gate, cheapest check first
    Ci(ci::Args),
    /// Run the benchmarks
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Libtorch(args) => libtorch::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Reproduce(args) => reproduce::run(&args),
        Command::Tidy(args) => tidy::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
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

//! `cargo xtask test`: every test, or those of the half that needs no LibTorch.

use anyhow::Result;

use crate::{
    libtorch,
    tidy::without_libtorch,
    workspace::{self, Metadata},
};

/// Arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask test                          set up LibTorch if it is missing; unit, law, oracle and documentation tests
  cargo xtask test --no-libtorch            the crates that do not link LibTorch
  cargo xtask test --laws 2000              the laws alone, 2000 cases each, as before a release
  cargo xtask test -- -p coarsen-pool top_k what follows `--` goes to `cargo test`")]
pub(crate) struct Args {
    /// Only the crates that do not link LibTorch
    #[arg(long)]
    no_libtorch: bool,
    /// The laws alone, with so many cases each (the variable `COARSEN_LAW_CASES`)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    laws: Option<u32>,
    /// More arguments of `cargo test`
    #[arg(last = true, value_name = "ARGS")]
    more: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<()> {
    let why = if args.no_libtorch {
        Some("--no-libtorch was given".to_owned())
    } else {
        libtorch::ensure().err().map(|error| format!("{error:#}"))
    };
    let metadata = Metadata::load()?;
    let half = without_libtorch(&metadata);
    let mut command = workspace::cargo();
    command.arg("test").args(packages(what(args, why.is_none()), &half, &args.more)).args(&args.more);
    if let Some(cases) = args.laws {
        command.env("COARSEN_LAW_CASES", cases.to_string());
        // Tests run side by side, one a core: further threads of LibTorch's only wait for one another.
        command.env("OMP_NUM_THREADS", "1");
    }
    let Some(why) = why else { return workspace::run(&mut command) };

    let names = metadata.packages.iter().map(|package| package.name.as_str());
    let skipped = names.filter(|name| !half.contains(name)).collect::<Vec<_>>().join(", ");
    eprintln!("WITHOUT LIBTORCH: {why}");
    let outcome = workspace::run(&mut command);
    eprintln!("SKIPPED, for want of LibTorch: {skipped}");
    outcome
}

/// What is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Everything,
    WithoutLibtorch,
    Laws,
}

fn what(args: &Args, with_libtorch: bool) -> What {
    match (with_libtorch, args.laws) {
        (false, _) => What::WithoutLibtorch,
        (true, None) => What::Everything,
        (true, Some(_)) => What::Laws,
    }
}

/// Which packages `cargo test` is told to test; the user's own `-p` comes first.
fn packages(what: What, half: &[&str], more: &[String]) -> Vec<String> {
    let chosen = more.iter().take_while(|arg| *arg != "--").any(|arg| {
        arg.starts_with("-p") || arg.starts_with("--package") || arg.starts_with("--manifest-path")
    });
    let named =
        |names: &[&str]| names.iter().flat_map(|name| ["-p".to_owned(), (*name).to_owned()]).collect();
    match what {
        _ if chosen => Vec::new(),
        What::Everything => vec!["--workspace".to_owned()],
        What::WithoutLibtorch => named(half),
        What::Laws => ["-p", LAWS, "--tests"].map(str::to_owned).to_vec(),
    }
}

/// The package whose tests hold every registry to the laws.
const LAWS: &str = "coarsen-laws";

#[cfg(test)]
mod tests {
    use super::{What, packages};

    fn given(more: &[&str]) -> Vec<String> {
        more.iter().map(|&arg| arg.to_owned()).collect()
    }

    #[test]
    fn without_a_choice_everything_is_tested() {
        assert_eq!(packages(What::Everything, &["coarsen-graph"], &[]), ["--workspace"]);
        assert_eq!(packages(What::Everything, &["coarsen-graph"], &given(&["--", "-p"])), ["--workspace"]);
    }

    #[test]
    fn without_libtorch_the_lower_half_is() {
        assert_eq!(
            packages(What::WithoutLibtorch, &["coarsen-graph", "xtask"], &[]),
            ["-p", "coarsen-graph", "-p", "xtask"]
        );
    }

    #[test]
    fn a_number_of_cases_is_for_the_laws_alone() {
        assert_eq!(packages(What::Laws, &["coarsen-graph"], &[]), ["-p", "coarsen-laws", "--tests"]);
    }

    #[test]
    fn a_chosen_package_stands_alone() {
        assert!(packages(What::Laws, &["coarsen-graph"], &given(&["-p", "coarsen-nn"])).is_empty());
        assert!(
            packages(What::WithoutLibtorch, &["coarsen-graph"], &given(&["--package=coarsen-eval"]))
                .is_empty()
        );
    }
}

//! `cargo xtask reproduce`: set up what is missing, get the data, build the `coarsen` binary, become it.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    data, libtorch,
    workspace::{self, Metadata, shown},
};

/// Arguments of `cargo xtask reproduce`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask reproduce                              the quick suite: 3 seeds, few epochs, about ten minutes
  cargo xtask reproduce --data-from ~/tudatasets     take MUTAG.zip and PROTEINS.zip from that folder
  cargo xtask reproduce --full --seeds 10            the papers' protocol: hours
  cargo xtask reproduce --render                     print the tables of the records that are there

Data comes from --data-from (or COARSEN_DATA_FROM), from data/, or from the network; without any, the suite runs on the
built-in sets and says so. What is recorded under results/ is not run again; Ctrl-C loses at most the running seed.")]
pub(crate) struct Args {
    #[command(flatten)]
    suite: SuiteFlags,
    /// Take data sets from here (NAME.zip, or NAME/ with its files)
    #[arg(long, value_name = "FOLDER")]
    data_from: Option<PathBuf>,
    /// Where to compute
    #[arg(long, value_name = "DEVICE", value_parser = ["cpu", "cuda"])]
    device: Option<String>,
    /// Where records and tables go
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Seeds of each experiment, instead of the suite's own number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    seeds: Option<u32>,
    /// Train nothing; print the tables of the records that are there
    #[arg(long)]
    render: bool,
}

/// At most one of them.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct SuiteFlags {
    /// Few seeds and epochs (the default)
    #[arg(long)]
    quick: bool,
    /// The papers' protocol
    #[arg(long)]
    full: bool,
    /// Two epochs on built-in data, to see that everything runs
    #[arg(long)]
    smoke: bool,
}

/// What a suite wants to be trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suite {
    Quick,
    Full,
    Smoke,
}

impl Suite {
    fn of(flags: &SuiteFlags) -> Self {
        match (flags.full, flags.smoke) {
            (true, _) => Self::Full,
            (_, true) => Self::Smoke,
            _ => Self::Quick,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
            Self::Smoke => "smoke",
        }
    }

    fn data_sets(self) -> &'static [&'static str] {
        match self {
            Self::Quick => &["MUTAG", "PROTEINS"],
            Self::Full => &["MUTAG", "PROTEINS", "NCI1", "NCI109", "DD", "Mutagenicity", "ENZYMES", "COLLAB"],
            Self::Smoke => &[],
        }
    }
}

/// Runs the command: returns only if the binary could not be started.
pub(crate) fn run(args: &Args) -> Result<()> {
    let suite = Suite::of(&args.suite);
    libtorch::ensure()?;
    let builtin = !args.render && take_built_in(suite, args.data_from.as_deref())?;
    let binary = build()?;
    let out = args.out.as_deref().map(std::path::absolute).transpose()?;
    let out = out.unwrap_or_else(|| workspace::root().join("results"));
    let mut command = Command::new(&binary);
    command.current_dir(workspace::root()).args(arguments(args, suite, builtin, &out));
    eprintln!("$ {} {}", shown(&binary), arguments(args, suite, builtin, &out).join(" "));
    // This process becomes the binary: its exit status, and the signals that reach it, are the user's own.
    let error = command.exec();
    Err(error).with_context(|| format!("{} did not start", shown(&binary)))
}

/// Gets the data sets of the suite; true if none of them is to be had and the built-in ones stand in.
fn take_built_in(suite: Suite, from: Option<&Path>) -> Result<bool> {
    let wanted = suite.data_sets();
    let missing = data::obtain_all(wanted, from)?;
    if missing.is_empty() {
        return Ok(wanted.is_empty());
    }
    if missing.len() == wanted.len() {
        eprintln!(
            "None of {} is to be had: the suite runs on the BUILT-IN data sets instead.",
            wanted.join(", ")
        );
        eprintln!(
            "Their numbers have no published counterpart; with a folder of archives, run it with --data-from FOLDER."
        );
        return Ok(true);
    }
    eprintln!("WITHOUT {}: their rows stay empty.", missing.join(", "));
    Ok(false)
}

/// Compiles the binary and says where it is.
fn build() -> Result<PathBuf> {
    let binary = Metadata::load()?.target_directory.join("release").join("coarsen");
    if !binary.exists() {
        eprintln!("building the `coarsen` binary: about five minutes on two cores the first time");
    }
    workspace::run(workspace::cargo().args(["build", "--release", "-p", "coarsen-repro"]))?;
    Ok(binary)
}

fn arguments(args: &Args, suite: Suite, builtin: bool, out: &Path) -> Vec<String> {
    let mut line: Vec<String> = ["reproduce", "--suite", suite.name()].map(str::to_owned).into();
    line.extend(["--data".to_owned(), data::folder().root().display().to_string()]);
    line.extend(["--out".to_owned(), out.display().to_string()]);
    if let Some(device) = &args.device {
        line.extend(["--device".to_owned(), device.clone()]);
    }
    if let Some(seeds) = args.seeds {
        line.extend(["--seeds".to_owned(), seeds.to_string()]);
    }
    line.extend(args.render.then(|| "--render".to_owned()));
    line.extend(builtin.then(|| "--builtin".to_owned()));
    line
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::{Args, Suite, arguments};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(words: &[&str]) -> Args {
        Line::parse_from(std::iter::once(&"reproduce").chain(words)).args
    }

    #[test]
    fn quick_is_the_default_suite() {
        assert_eq!(Suite::of(&parsed(&[]).suite), Suite::Quick);
        assert_eq!(Suite::of(&parsed(&["--full"]).suite), Suite::Full);
        assert_eq!(Suite::of(&parsed(&["--smoke"]).suite), Suite::Smoke);
        assert!(Line::try_parse_from(["reproduce", "--full", "--smoke"]).is_err());
        assert!(Line::try_parse_from(["reproduce", "--seeds", "0"]).is_err());
    }

    #[test]
    fn flags_reach_the_binary() {
        let args = parsed(&["--full", "--device", "cuda", "--seeds", "5", "--render"]);
        let line = arguments(&args, Suite::Full, true, Path::new("/out")).join(" ");
        assert!(line.starts_with("reproduce --suite full --data "), "{line}");
        assert!(line.ends_with("--out /out --device cuda --seeds 5 --render --builtin"), "{line}");
    }
}

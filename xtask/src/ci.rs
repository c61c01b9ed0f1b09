//! `cargo xtask ci`: the whole gate, cheapest check first, with a summary that names what did not run.

use std::{
    fmt,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Result, bail};

use crate::{
    tidy::without_libtorch,
    workspace::{self, Metadata, output_of},
};

/// Arguments of `cargo xtask ci`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask ci                      every stage; those after a failure are skipped, and named
  cargo xtask ci --keep-going         every stage, whatever fails
  cargo xtask ci --only fmt,tidy      some stages
  cargo xtask ci --no-libtorch        the half that needs no LibTorch
  cargo xtask ci --list               the stages and the profile each builds with")]
pub(crate) struct Args {
    /// Run only these stages
    #[arg(long, value_name = "STAGE,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave out what needs LibTorch
    #[arg(long)]
    no_libtorch: bool,
    /// Go on after a failure
    #[arg(long)]
    keep_going: bool,
    /// Print the stages and stop
    #[arg(long)]
    list: bool,
}

/// One check.
struct Stage {
    name: &'static str,
    /// What it compiles, and where.
    profile: &'static str,
    needs_libtorch: bool,
    check: fn(&Metadata) -> Result<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(why) => write!(f, "FAILED   {why}"),
            Self::Skipped(why) => write!(f, "SKIPPED  {why}"),
        }
    }
}

const STAGES: &[Stage] = &[
    Stage { name: "fmt", profile: "nothing compiled", needs_libtorch: false, check: fmt },
    Stage { name: "tidy", profile: "nothing compiled", needs_libtorch: false, check: tidy },
    Stage { name: "deny", profile: "nothing compiled", needs_libtorch: false, check: deny },
    Stage { name: "advisories", profile: "nothing compiled", needs_libtorch: false, check: advisories },
    Stage { name: "clippy", profile: "doc-only, dev, target/lint", needs_libtorch: false, check: clippy },
    Stage { name: "rustdoc", profile: "doc-only, dev, target/lint", needs_libtorch: false, check: rustdoc },
    Stage { name: "half", profile: "test, target/debug", needs_libtorch: false, check: half },
    Stage { name: "libtorch", profile: "nothing compiled", needs_libtorch: true, check: libtorch },
    Stage { name: "test", profile: "test, target/debug", needs_libtorch: true, check: test },
    Stage { name: "smoke", profile: "release, target/release", needs_libtorch: true, check: smoke },
    Stage {
        name: "bench",
        profile: "bench (as release), target/release",
        needs_libtorch: true,
        check: bench,
    },
];

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(unknown) = args.only.iter().find(|name| STAGES.iter().all(|stage| stage.name != **name)) {
        let known = STAGES.iter().map(|stage| stage.name).collect::<Vec<_>>().join(", ");
        bail!("no stage `{unknown}`; there are {known}");
    }
    if args.list {
        for stage in STAGES {
            let half = if stage.needs_libtorch { "with LibTorch" } else { "without" };
            println!("{:10}  {half:13}  {}", stage.name, stage.profile);
        }
        return Ok(());
    }
    let metadata = Metadata::load()?;
    let mut results: Vec<(&Stage, Outcome, f64)> = Vec::new();
    for stage in
        STAGES.iter().filter(|stage| args.only.is_empty() || args.only.iter().any(|name| name == stage.name))
    {
        let started = Instant::now();
        let so_far = results.iter().map(|(stage, outcome, _)| (*stage, outcome));
        let outcome = if let Some(why) = reason_to_skip(stage, args, so_far) {
            Outcome::Skipped(why)
        } else {
            eprintln!("\n── {} ({}) ──", stage.name, stage.profile);
            (stage.check)(&metadata).unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")))
        };
        if let Outcome::Failed(why) = &outcome {
            eprintln!("{}: {why}", stage.name);
        }
        results.push((stage, outcome, started.elapsed().as_secs_f64()));
    }
    summary(&results)
}

fn reason_to_skip<'a>(
    stage: &Stage,
    args: &Args,
    so_far: impl Iterator<Item = (&'a Stage, &'a Outcome)>,
) -> Option<String> {
    if stage.needs_libtorch && args.no_libtorch {
        return Some("needs LibTorch, and --no-libtorch was given".to_owned());
    }
    let failed: Vec<_> = so_far.filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_))).collect();
    if stage.needs_libtorch && failed.iter().any(|(stage, _)| stage.name == "libtorch") {
        return Some("needs LibTorch, and it could not be set up".to_owned());
    }
    let first = failed.first().filter(|_| !args.keep_going)?;
    Some(format!("`{}` failed before it (--keep-going runs it all the same)", first.0.name))
}

fn summary(results: &[(&Stage, Outcome, f64)]) -> Result<()> {
    println!("\nsummary");
    for (stage, outcome, seconds) in results {
        println!("  {:10}  {seconds:6.0} s  {:34}  {outcome}", stage.name, stage.profile);
    }
    let count =
        |wanted: fn(&Outcome) -> bool| results.iter().filter(|(_, outcome, _)| wanted(outcome)).count();
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let seconds: f64 = results.iter().map(|(_, _, seconds)| seconds).sum();
    let passed = results.len() - failed - skipped;
    println!("  stages: {passed} passed, {failed} failed, {skipped} skipped, {:.1} minutes", seconds / 60.0);
    if failed == 0 { Ok(()) } else { bail!("ci: {failed} of {} stages failed", results.len()) }
}

fn passed(command: &mut Command) -> Result<Outcome> {
    workspace::run(command).map(|()| Outcome::Passed)
}

fn fmt(_: &Metadata) -> Result<Outcome> {
    passed(workspace::cargo().args(["fmt", "--all", "--check"]))
}

fn tidy(_: &Metadata) -> Result<Outcome> {
    passed(workspace::xtask()?.arg("tidy"))
}

/// Licences, bans and sources: needs no network.
fn deny(_: &Metadata) -> Result<Outcome> {
    if output_of("cargo", &["deny", "--version"]).is_none() {
        return Ok(Outcome::Skipped(
            "cargo-deny is not installed (`cargo install --locked cargo-deny`)".into(),
        ));
    }
    passed(workspace::cargo().args(["deny", "--all-features", "check", "bans", "licenses", "sources"]))
}

/// Known vulnerabilities: needs the advisory database.
fn advisories(_: &Metadata) -> Result<Outcome> {
    if output_of("cargo", &["deny", "--version"]).is_none() {
        return Ok(Outcome::Skipped("cargo-deny is not installed".into()));
    }
    let mut command = workspace::cargo();
    let output =
        command.args(["deny", "--all-features", "check", "advisories"]).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    eprint!("{said}");
    Ok(if output.status.success() {
        Outcome::Passed
    } else if database_unreached(&said) {
        Outcome::Skipped("the advisory database could not be reached".into())
    } else {
        Outcome::Failed("an advisory speaks of a dependency".into())
    })
}

fn database_unreached(said: &str) -> bool {
    said.contains("failed to fetch advisory database") || said.contains("failed to load advisory database")
}

fn clippy(metadata: &Metadata) -> Result<Outcome> {
    let mut command = workspace::cargo();
    command.args(["clippy", "--workspace", "--all-targets", "--target-dir", "target/lint"]);
    passed(command.args(["--features", &metadata.doc_only(), "--", "-D", "warnings"]))
}

fn rustdoc(metadata: &Metadata) -> Result<Outcome> {
    let mut command = workspace::cargo();
    command
        .args(["doc", "--workspace", "--no-deps", "--target-dir", "target/lint"])
        .env("RUSTDOCFLAGS", "-D warnings");
    passed(command.args(["--features", &metadata.doc_only()]))
}

/// The gate says the same of the same commit: its random cases are always the same ones. `xtask test` draws others every time.
const DRAWN_FROM: (&str, &str) = ("PROPTEST_RNG_SEED", "1921");

fn tests() -> Result<Command> {
    let mut command = workspace::xtask()?;
    command.arg("test").env(DRAWN_FROM.0, DRAWN_FROM.1);
    Ok(command)
}

fn half(metadata: &Metadata) -> Result<Outcome> {
    eprintln!("{}", without_libtorch(metadata).join(", "));
    passed(tests()?.arg("--no-libtorch"))
}

fn libtorch(_: &Metadata) -> Result<Outcome> {
    passed(workspace::xtask()?.arg("libtorch"))
}

fn test(_: &Metadata) -> Result<Outcome> {
    passed(&mut tests()?)
}

fn smoke(metadata: &Metadata) -> Result<Outcome> {
    let out = metadata.target_directory.join("smoke");
    passed(workspace::xtask()?.args(["reproduce", "--smoke", "--out"]).arg(out))
}

fn bench(_: &Metadata) -> Result<Outcome> {
    passed(workspace::cargo().args(["bench", "-p", "coarsen-benches", "--benches", "--", "--test"]))
}

#[cfg(test)]
mod tests {
    use super::{Args, Outcome, STAGES, Stage, database_unreached, reason_to_skip, summary};

    fn args(no_libtorch: bool, keep_going: bool) -> Args {
        Args { only: Vec::new(), no_libtorch, keep_going, list: false }
    }

    fn stage(name: &str) -> &'static Stage {
        STAGES.iter().find(|stage| stage.name == name).unwrap()
    }

    fn failed(name: &str) -> Vec<(&'static Stage, Outcome)> {
        vec![(stage(name), Outcome::Failed("because".into()))]
    }

    fn reason(name: &str, args: &Args, before: &[(&'static Stage, Outcome)]) -> Option<String> {
        reason_to_skip(stage(name), args, before.iter().map(|(stage, outcome)| (*stage, outcome)))
    }

    #[test]
    fn cheap_stages_come_before_those_with_libtorch() {
        let first = STAGES.iter().position(|stage| stage.needs_libtorch).unwrap();
        assert!(STAGES[first..].iter().all(|stage| stage.needs_libtorch));
    }

    #[test]
    fn what_is_not_run_says_why() {
        assert_eq!(reason("test", &args(false, false), &[]), None);
        assert!(reason("test", &args(true, false), &[]).unwrap().contains("--no-libtorch"));
        assert!(reason("test", &args(false, false), &failed("fmt")).unwrap().contains("`fmt` failed"));
        assert_eq!(reason("test", &args(false, true), &failed("fmt")), None);
        assert!(
            reason("smoke", &args(false, true), &failed("libtorch")).unwrap().contains("could not be set up")
        );
    }

    #[test]
    fn a_skipped_stage_is_no_failure_and_a_failed_one_is() {
        let skipped = (stage("deny"), Outcome::Skipped("not installed".into()), 0.0);
        assert!(summary(std::slice::from_ref(&skipped)).is_ok());
        assert!(summary(&[skipped, (stage("fmt"), Outcome::Failed("x".into()), 1.0)]).is_err());
    }

    #[test]
    fn an_advisory_is_told_from_a_missing_network() {
        assert!(database_unreached("error: failed to fetch advisory database https://…"));
        assert!(!database_unreached("error[vulnerability]: a bug in x"));
    }
}

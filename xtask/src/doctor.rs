//! `cargo xtask doctor`: what this machine has, and for each missing thing what to do.

use std::{
    env, fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    data, disk,
    libtorch::{self, Flavour, Installed, Place, unresolved},
    progress::megabytes,
    workspace::{Metadata, output_of, shown},
};

/// What a full build, tests and one release build fill, without LibTorch.
const BUILD_ROOM: u64 = 8_000_000_000;

/// Arguments of `cargo xtask doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Changes nothing. Ends with status 1 if something is missing that building or reproducing needs; what is only useful is
marked `-`.")]
pub(crate) struct Args {}

/// What was found about one thing.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Good(String),
    /// Useful, not needed.
    Absent(String),
    /// Needed: what is wrong, and what to do.
    Missing(String),
}

/// Runs the command.
pub(crate) fn run(_: &Args) -> Result<()> {
    let metadata = Metadata::load()?;
    let sections: [(&str, Vec<Finding>); 5] = [
        ("tools", vec![rust(&metadata), compiler(), git(), room(&metadata.target_directory)?]),
        ("LibTorch", libtorch()?),
        ("CUDA", vec![cuda()]),
        ("data", data_sets()),
        ("useful for contributors", vec![useful("cargo-deny", "deny"), useful("cargo-nextest", "nextest")]),
    ];
    for (title, findings) in &sections {
        println!("{title}");
        for finding in findings {
            match finding {
                Finding::Good(text) => println!("  ok  {text}"),
                Finding::Absent(text) => println!("  -   {text}"),
                Finding::Missing(text) => println!("  NO  {text}"),
            }
        }
    }
    let findings = sections.iter().flat_map(|(_, findings)| findings);
    match findings.filter(|finding| matches!(finding, Finding::Missing(_))).count() {
        0 => Ok(()),
        1 => bail!("one needed thing is missing (marked NO above)"),
        count => bail!("{count} needed things are missing (marked NO above)"),
    }
}

fn rust(metadata: &Metadata) -> Finding {
    let wanted = metadata.packages.iter().find_map(|package| package.rust_version.as_deref()).unwrap_or("0");
    let said = output_of("rustc", &["--version"]).unwrap_or_default();
    let found = said.split_whitespace().nth(1).unwrap_or_default();
    if at_least(found, wanted) {
        Finding::Good(format!("{said} ({wanted} or later is needed)"))
    } else if found.is_empty() {
        Finding::Missing(format!("rustc does not run; install Rust {wanted} or later with rustup"))
    } else {
        Finding::Missing(format!("rustc {found} is older than {wanted}; run `rustup update stable`"))
    }
}

/// Compares `1.95.0` with `1.88`; what follows a `-` is passed over.
fn at_least(found: &str, wanted: &str) -> bool {
    let parts = |version: &str| -> Vec<u32> {
        let release = version.split('-').next().unwrap_or_default();
        release.split('.').map(|part| part.parse().unwrap_or(0)).chain([0, 0]).take(3).collect()
    };
    !found.is_empty() && parts(found) >= parts(wanted)
}

/// Compiles, links and runs a small program: a compiler without its library is found here, not minutes later.
fn compiler() -> Finding {
    const PROGRAM: &str = "#include <optional>\n#include <omp.h>\n\
        int main() { std::optional<int> x = omp_get_max_threads(); return x.value() > 0 ? 0 : 1; }\n";
    let name = env::var("CXX").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "c++".to_owned());
    let outcome = compile_and_run(&name, PROGRAM);
    let version = output_of(&name, &["--version"]).unwrap_or_default();
    let version = version.lines().next().unwrap_or(&name).to_owned();
    let install = "Debian, Ubuntu: `apt install g++`; Fedora: `dnf install gcc-c++`; or name one in CXX";
    match outcome {
        Ok(()) => Finding::Good(format!("{version} (compiles C++17 with OpenMP)")),
        Err(error) => Finding::Missing(format!("C++ compiler `{name}`: {error:#}. Install one ({install})")),
    }
}

fn compile_and_run(compiler: &str, program: &str) -> Result<()> {
    let folder = env::temp_dir().join(format!("coarsen-doctor{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let binary = folder.join("hello");
    let outcome = (|| {
        let mut command = Command::new(compiler);
        command.args(["-std=c++17", "-fopenmp", "-x", "c++", "-", "-o"]).arg(&binary);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("it does not start")?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(program.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("it does not compile C++17 with OpenMP ({})", said.lines().next().unwrap_or("no message"));
        }
        if !Command::new(&binary).status()?.success() {
            bail!("what it compiles does not run");
        }
        Ok(())
    })();
    let _ = fs::remove_dir_all(&folder);
    outcome
}

fn git() -> Finding {
    match output_of("git", &["--version"]) {
        Some(version) => Finding::Good(format!("{version} (records name the commit)")),
        None => Finding::Absent("git is not installed; records will say that the commit is unknown".into()),
    }
}

fn room(target: &Path) -> Result<Finding> {
    let free = disk::free(target)?;
    let text = format!("{} free for {}", megabytes(free), shown(target));
    Ok(if free >= BUILD_ROOM {
        Finding::Good(text)
    } else {
        Finding::Missing(format!("{text}; a full build fills {}. Free some space", megabytes(BUILD_ROOM)))
    })
}

fn libtorch() -> Result<Vec<Finding>> {
    let place = Place::current();
    let folder = place.folder();
    let found = Installed::at(folder);
    let mut findings = Vec::new();
    let there = match (&found, &place) {
        (Some(found), _) => match found.check_version() {
            Ok(()) => check_libraries(found),
            Err(error) => Finding::Missing(format!("{error:#}")),
        },
        (None, Place::Own(_)) => Finding::Missing(format!(
            "LIBTORCH is set to {}, which holds no LibTorch; correct or unset it",
            folder.display()
        )),
        (None, Place::Managed(_)) => Finding::Absent(format!(
            "LibTorch {} is not in {} yet; `cargo xtask libtorch` puts it there (`test` and `reproduce` do so too)",
            libtorch::VERSION,
            shown(folder)
        )),
    };
    let needed = found.is_none() && matches!(place, Place::Managed(_));
    findings.push(there);
    findings.push(python(needed));
    findings.push(Finding::Good(format!("wheels are kept in {}", libtorch::cache_summary()?)));
    for name in ["LIBTORCH_USE_PYTORCH", "LIBTORCH_INCLUDE", "LIBTORCH_LIB", "LIBTORCH_BYPASS_VERSION_CHECK"]
    {
        if let Ok(value) = env::var(name) {
            findings.push(Finding::Absent(format!("{name}={value} is set, and `torch-sys` follows it")));
        }
    }
    Ok(findings)
}

fn check_libraries(found: &Installed) -> Finding {
    let missing = unresolved(&found.folder);
    let what = format!("LibTorch {} ({}) in {}", found.version, found.flavour, shown(&found.folder));
    if missing.is_empty() {
        Finding::Good(format!("{what}; `tch` wants {}", libtorch::VERSION))
    } else {
        let missing = missing.join(", ");
        Finding::Missing(format!("{what} lacks {missing}; remove that folder and run `cargo xtask libtorch`"))
    }
}

/// Python is asked for only when there is something to download.
fn python(needed: bool) -> Finding {
    let version = output_of("python3", &["--version"]);
    let pip = output_of("python3", &["-m", "pip", "--version"]);
    let pip = pip.as_deref().and_then(|said| said.split_whitespace().nth(1));
    match (version, pip) {
        (Some(version), Some(pip)) => Finding::Good(format!("{version} with pip {pip} (downloads LibTorch)")),
        (version, _) => {
            let lacking = if version.is_some() { "pip" } else { "Python 3 with pip" };
            let text =
                format!("{lacking} is not installed; it is needed to download LibTorch, and only for that");
            let todo = "`apt install python3 python3-pip`, or `cargo xtask libtorch --from PATH`";
            if needed { Finding::Missing(format!("{text}: {todo}")) } else { Finding::Absent(text) }
        }
    }
}

fn cuda() -> Finding {
    let flavour = Installed::at(Place::current().folder()).map(|found| found.flavour);
    match (flavour, device()) {
        (Some(Flavour::Cuda), Ok(device)) => {
            Finding::Good(format!("CUDA libraries are there, and a device: {device}"))
        }
        (Some(Flavour::Cuda), Err(why)) => {
            Finding::Absent(format!("CUDA libraries are there, no device: {why}. Everything runs on the CPU"))
        }
        (_, Ok(device)) => Finding::Absent(format!(
            "a device is there ({device}), but no CUDA libraries; `cargo xtask libtorch --cuda` brings them"
        )),
        (_, Err(why)) => {
            Finding::Absent(format!("no CUDA libraries, and no device: {why}. Everything runs on the CPU"))
        }
    }
}

/// The CUDA devices, or why none is seen.
fn device() -> Result<String, String> {
    let nodes = fs::read_dir("/dev").into_iter().flatten().filter_map(Result::ok);
    let node =
        nodes.map(|entry| entry.file_name().to_string_lossy().into_owned()).any(|name| is_device_node(&name));
    let driver = output_of("ldconfig", &["-p"]).or_else(|| output_of("/sbin/ldconfig", &["-p"]));
    let driver = driver.is_some_and(|list| list.contains("libcuda.so.1"));
    let devices = output_of("nvidia-smi", &["-L"]);
    match devices.filter(|list| !list.is_empty() && node) {
        Some(list) => Ok(list
            .lines()
            .map(|line| line.split(" (UUID").next().unwrap_or(line))
            .collect::<Vec<_>>()
            .join(", ")),
        None if node && driver => Ok("/dev/nvidia* and the driver's libcuda.so.1".to_owned()),
        None => Err(match (node, driver) {
            (false, false) => "no /dev/nvidia*, and no libcuda.so.1 (the driver is not installed)",
            (false, true) => {
                "no /dev/nvidia* (the driver is installed; a container needs the device handed in)"
            }
            (true, _) => {
                "/dev/nvidia* is there, but no libcuda.so.1 (the driver's libraries are not installed)"
            }
        }
        .to_owned()),
    }
}

/// `nvidia0`, not `nvidiactl` or `nvidia-uvm`.
fn is_device_node(name: &str) -> bool {
    name.strip_prefix("nvidia")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn data_sets() -> Vec<Finding> {
    let (present, absent): (Vec<_>, Vec<_>) = data::present().into_iter().partition(|(_, present)| *present);
    let names = |sets: Vec<(&'static str, bool)>| {
        sets.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    };
    let mut findings = Vec::new();
    if !present.is_empty() {
        findings.push(Finding::Good(format!("present: {}", names(present))));
    }
    if !absent.is_empty() {
        findings
            .push(Finding::Absent(format!("not here: {} (`cargo xtask data NAME` fetches)", names(absent))));
    }
    findings
}

fn useful(program: &str, subcommand: &str) -> Finding {
    match output_of("cargo", &[subcommand, "--version"]) {
        Some(version) => Finding::Good(version.lines().next().unwrap_or(program).to_owned()),
        None => Finding::Absent(format!("{program} is not installed (`cargo install --locked {program}`)")),
    }
}

#[cfg(test)]
mod tests {
    use super::{at_least, compile_and_run, is_device_node};

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(
            at_least("1.95.0", "1.88") && at_least("1.88.0", "1.88") && at_least("1.100.0-nightly", "1.88")
        );
        assert!(!at_least("1.87.2", "1.88") && !at_least("", "1.88"));
    }

    #[test]
    fn only_numbered_nodes_are_devices() {
        assert!(is_device_node("nvidia0") && is_device_node("nvidia12"));
        assert!(!is_device_node("nvidiactl") && !is_device_node("nvidia-uvm") && !is_device_node("nvidia"));
    }

    #[test]
    fn a_compiler_that_is_not_there_says_so() {
        let error = compile_and_run("no-such-compiler", "").unwrap_err();
        assert!(format!("{error:#}").contains("does not start"), "{error:#}");
    }
}

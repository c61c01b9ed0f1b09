//! The binary's run path, and the commit that records name.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    commit();
    // torch-sys prints this unless it was built with `doc-only`: then nothing is linked.
    if let Some(lib) = env::var_os("DEP_TCH_LIBTORCH_LIB") {
        run_path(&PathBuf::from(lib));
    }
}

/// A build script's link arguments reach only its own package: the libraries below cannot do this for the binary.
fn run_path(lib: &Path) {
    println!("cargo:rerun-if-changed={}", lib.display());
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    if lib.join("libtorch_cuda.so").exists() {
        // No symbol of it is referred to, and linkers drop such libraries; loading it registers the CUDA back-end.
        for argument in ["-Wl,--no-as-needed", "-ltorch_cuda", "-ltorch", "-Wl,--as-needed"] {
            println!("cargo:rustc-link-arg={argument}");
        }
    }
}

/// `COARSEN_COMMIT`, and `COARSEN_DIRTY` if a file that makes this binary differs from that commit.
fn commit() {
    let commit = git(&["rev-parse", "HEAD"]);
    // Documents do not change what is computed. Without the option git would refresh its index, and so rerun this.
    let status = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=all", "--"];
    let sources = [":/crates", ":/Cargo.toml", ":/Cargo.lock"];
    let changes = git(&[status.as_slice(), sources.as_slice()].concat());
    let dirty = changes.map_or("unknown", |changes| if changes.is_empty() { "false" } else { "true" });
    println!("cargo:rustc-env=COARSEN_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo:rustc-env=COARSEN_DIRTY={dirty}");

    // The log of HEAD grows with every commit and checkout; an edit of the sources reruns this as well.
    let head = ["HEAD", "logs/HEAD"].into_iter().filter_map(|name| git(&["rev-parse", "--git-path", name]));
    let watched =
        head.map(PathBuf::from).chain(["..", "../../Cargo.toml", "../../Cargo.lock"].map(PathBuf::from));
    for path in watched.filter(|path| path.exists()) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}

/// What git says, or `None` without git or outside a repository.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

//! Compiles what is in `cpp/` against the headers of the LibTorch that `torch-sys` links.

use std::{env, fs, os::unix::fs::symlink, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    // torch-sys prints this unless it was built with `doc-only`: then nothing is linked and nothing compiled.
    let Some(lib) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else { return };
    println!("cargo:rerun-if-changed={}", lib.display());

    // Cargo puts link-search folders under its own build folder on the loader path of every test, doctest, example,
    // bench and `cargo run` above this crate, so a link there makes LibTorch found without LD_LIBRARY_PATH.
    let link = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR")).join("libtorch");
    let _ = fs::remove_file(&link);
    if symlink(&lib, &link).is_ok() {
        println!("cargo:rustc-link-search=native={}", link.display());
    }
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());

    let root = env::var_os("LIBTORCH_INCLUDE")
        .map_or_else(|| lib.parent().expect("lib lies in LibTorch").to_path_buf(), PathBuf::from);
    let abi = env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".into());
    let mut build = cc::Build::new();
    if lib.join("libtorch_cuda.so").exists() {
        build.define("COARSEN_CUDA", None);
    }
    build
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .flag("-fopenmp") // without it at::parallel_for runs serially
        .flag(format!("-D_GLIBCXX_USE_CXX11_ABI={abi}"))
        .include(root.join("include"))
        .include(root.join("include/torch/csrc/api/include"))
        .files(["cpp/autograd.cpp", "cpp/kernels.cpp"])
        .compile("coarsen_tensor");
}

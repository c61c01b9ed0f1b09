//! The operators and their losses against recorded numbers of reference implementations: values and all recorded gradients, in
//! double precision at the tolerance of the case and in single precision at 1e-4, by the kernels and by LibTorch's operations.

mod asap;
mod cluster_max;
mod diff_pool;
mod ego;
mod ego_loss;
mod g_pool;
mod gmn;
mod losses;
mod mincut;
mod record;
mod sag;
mod struct_pool;
mod top_k;

use std::collections::BTreeSet;

use coarsen_fixture::{Case, cases, ops};
use coarsen_tensor::by_libtorch;
use tch::Kind;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// What is tested here, by family.
const KNOWN: [(&str, &[&str]); 2] = [
    (
        "loss",
        &[
            "dec_kl",
            "diffpool_entropy_paper",
            "diffpool_link_official",
            "diffpool_link_paper",
            "gmn_kl",
            "mem_pool_kl",
            "mincut_loss",
            "reconstruction",
            "vae_kl",
        ],
    ),
    (
        "pool",
        &[
            "asap",
            "asap_official",
            "cluster_max",
            "diff_pool_dense",
            "ego_official",
            "ego_paper",
            "g_pool",
            "g_unpool",
            "gmn_mem",
            "mem_pool",
            "mincut_dense",
            "sag",
            "sag_pyg",
            "struct_pool",
            "top_k",
            "unpool_mean",
            "unpool_product",
        ],
    ),
];

/// Runs `check` on every case of an operation in both precisions and either way, after checking that the case holds nothing unknown.
fn each(family: &str, op: &str, config: &[&str], inputs: &[&str], check: impl Fn(&Case, Kind)) {
    let listed = KNOWN.iter().any(|(of, known)| *of == family && known.contains(&op));
    assert!(listed, "{op} is not listed as tested");
    for (kind, tolerance) in [(Kind::Double, None), (Kind::Float, Some(1e-4))] {
        for mut case in cases(HERE, family, op) {
            understood(&case, config, inputs);
            case.tolerance = tolerance.unwrap_or(case.tolerance);
            check(&case, kind);
            by_libtorch(|| check(&case, kind));
            case.finish();
        }
    }
}

fn understood(case: &Case, config: &[&str], inputs: &[&str]) {
    let keys = case.config.as_object().expect("a configuration is an object").keys();
    let unknown: Vec<_> = keys.filter(|key| !config.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "{case}: configuration not understood: {unknown:?}");
    let recorded = |name: &&str| ["out.", "grad.", "probe."].iter().any(|part| name.starts_with(part));
    let unknown: Vec<_> = case.names().filter(|name| !recorded(name) && !inputs.contains(name)).collect();
    assert!(unknown.is_empty(), "{case}: inputs not understood: {unknown:?}");
}

#[test]
fn every_file_belongs_to_a_tested_operation() {
    for (family, known) in KNOWN {
        let known: BTreeSet<String> = known.iter().map(|op| (*op).to_owned()).collect();
        let found = ops(HERE, family);
        if std::env::var_os("COARSEN_FIXTURES").is_some() {
            assert!(known.is_subset(&found), "{family}: {known:?} of {found:?}");
        } else {
            assert_eq!(known, found, "{family}");
        }
    }
}

//! Whole networks against recorded numbers of reference implementations: values and all recorded gradients, in double precision at the
//! tolerance of the case and in single precision at 1e-4, by the kernels and by LibTorch's operations.

mod adamgnn;
mod diffpool;
mod record;
mod three_wl;
mod u_net;

use std::collections::BTreeSet;

use coarsen_fixture::{Case, cases, ops};
use coarsen_tensor::by_libtorch;
use tch::Kind;

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const KNOWN: [&str; 9] = [
    "adamgnn_official",
    "adamgnn_paper",
    "diffpool_official",
    "diffpool_official_base",
    "flyback_official",
    "flyback_paper",
    "g_unet_official",
    "graph_unet",
    "ppgn_model",
];

#[test]
fn every_file_belongs_to_a_tested_operation() {
    let known: BTreeSet<String> = KNOWN.iter().map(|op| (*op).to_owned()).collect();
    if std::env::var_os("COARSEN_FIXTURES").is_none() {
        assert_eq!(known, ops(HERE, "model"));
    }
}

/// Every case of an operation, in both precisions and either way.
fn each(op: &str, check: impl Fn(&Case, Kind)) {
    for (kind, tolerance) in [(Kind::Double, None), (Kind::Float, Some(1e-4))] {
        for mut case in cases(HERE, "model", op) {
            case.tolerance = tolerance.unwrap_or(case.tolerance);
            check(&case, kind);
            by_libtorch(|| check(&case, kind));
            case.finish();
        }
    }
}

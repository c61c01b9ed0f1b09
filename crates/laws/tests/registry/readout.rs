//! Every row of `READOUTS` obeys the laws of readouts.

use coarsen_laws::{Laws, config, readout};
use coarsen_nn::{Dims, Params, READOUTS};
use coarsen_pool::Invariance;

/// What a row guarantees.
fn guarantee(name: &str) -> Invariance {
    match name {
        // Its softmax runs over padded rows too, and it takes as many steps as there are rows.
        "set2set-official" => Invariance::Broken(&["padding", "batch"]),
        // Of equal last features the lower index comes first.
        "sort" => Invariance::UpToTies,
        _ => Invariance::Exact,
    }
}

#[test]
fn every_row() {
    let laws = Laws::default().remembered(file!());
    for spec in READOUTS {
        let make =
            |p: &Params, dims: &Dims| (spec.build)(&(spec.example)(), p, dims).expect("a valid example");
        readout::check(make, guarantee(spec.name), &laws)
            .unwrap_or_else(|broken| panic!("{}: {broken}", spec.name));
    }
}

#[test]
fn every_configuration() {
    for spec in READOUTS {
        config::check(spec.name, &(spec.example)(), &spec.build).unwrap_or_else(|broken| panic!("{broken}"));
    }
}

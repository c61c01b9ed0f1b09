//! Every row of `READOUTS` obeys the laws of readouts.

use coarsen_laws::{Laws, config, readout};
use coarsen_nn::{Dims, Params, READOUTS};

#[test]
fn every_row() {
    let laws = Laws::default().remembered(file!());
    for spec in READOUTS {
        let make =
            |p: &Params, dims: &Dims| (spec.build)(&(spec.example)(), p, dims).expect("a valid example");
        readout::check(make, &laws).unwrap_or_else(|broken| panic!("{}: {broken}", spec.name));
    }
}

#[test]
fn every_configuration() {
    for spec in READOUTS {
        config::check(spec.name, &(spec.example)(), &spec.build).unwrap_or_else(|broken| panic!("{broken}"));
    }
}

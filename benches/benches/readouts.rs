//! Every row of `READOUTS`, forward and with its backward pass, on sparse levels.

use coarsen_benches::{bench, criterion};
use coarsen_nn::READOUTS;
use criterion::{Criterion, criterion_group, criterion_main};

fn readouts(c: &mut Criterion) {
    for spec in READOUTS {
        bench(
            c,
            &format!("readout/{}", spec.name),
            |p, dims| (spec.build)(&(spec.example)(), p, dims),
            |readout, g, ctx| readout.forward(g, ctx),
            |y| vec![y],
        );
    }
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = readouts
}
criterion_main!(benches);

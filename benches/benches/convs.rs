//! Every row of `CONVS`, forward and with its backward pass, on sparse levels.

use coarsen_benches::{bench, criterion};
use coarsen_nn::CONVS;
use criterion::{Criterion, criterion_group, criterion_main};

fn convs(c: &mut Criterion) {
    for spec in CONVS {
        bench(
            c,
            &format!("conv/{}", spec.name),
            |p, dims| (spec.build)(&(spec.example)(), p, dims),
            |conv, g, ctx| conv.forward(g, ctx),
            |y| vec![y],
        );
    }
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = convs
}
criterion_main!(benches);

//! Every row of `CONVS`, forward and with its backward pass, on sparse levels.

use coarsen_benches::{Stepped, criterion, device, forward, forward_backward, workloads};
use coarsen_nn::{CONVS, Ctx, Params};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn convs(c: &mut Criterion) {
    for workload in workloads() {
        let (level, dims) = (workload.level(device()), workload.dims());
        for spec in CONVS {
            let mut group = c.benchmark_group(format!("conv/{}", spec.name));
            let mut stepped = Stepped::new(&level, |store| {
                (spec.build)(&(spec.example)(), &Params::new(&store.root(), 0), &dims)
                    .expect("a valid example")
            });
            group.bench_function(BenchmarkId::new("fwd", workload.sizes()), |bench| {
                bench.iter(|| forward(&stepped, |conv, g| conv.forward(g, Ctx::eval())));
            });
            group.bench_function(BenchmarkId::new("fwd-bwd", workload.sizes()), |bench| {
                bench.iter(|| forward_backward(&mut stepped, |conv, g| vec![conv.forward(g, Ctx::train(0))]));
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = convs
}
criterion_main!(benches);

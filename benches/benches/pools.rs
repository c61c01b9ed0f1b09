//! Every row of `POOLS`, forward and with its backward pass through features, learned edges and losses, from sparse levels.

use coarsen_benches::{Stepped, criterion, device, forward, forward_backward, learned_weights, workloads};
use coarsen_nn::{Ctx, Params};
use coarsen_pool::{POOLS, Pooled};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tch::Tensor;

fn pools(c: &mut Criterion) {
    for workload in workloads() {
        let (level, dims) = (workload.level(device()), workload.dims());
        for spec in POOLS {
            let mut group = c.benchmark_group(format!("pool/{}", spec.name));
            let mut stepped = Stepped::new(&level, |store| {
                (spec.build)(&(spec.example)(), &Params::new(&store.root(), 0), &dims)
                    .expect("a valid example")
            });
            group.bench_function(BenchmarkId::new("fwd", workload.sizes()), |bench| {
                bench.iter(|| forward(&stepped, |pool, g| pool.pool(g, Ctx::eval())));
            });
            group.bench_function(BenchmarkId::new("fwd-bwd", workload.sizes()), |bench| {
                bench.iter(|| forward_backward(&mut stepped, |pool, g| outcome(pool.pool(g, Ctx::train(0)))));
            });
        }
    }
}

/// Everything that a task's loss can reach.
fn outcome(pooled: Pooled) -> Vec<Tensor> {
    let losses = pooled.selection.losses.into_iter().map(|loss| loss.value);
    losses.chain(learned_weights(&pooled.level.adj)).chain([pooled.level.x]).collect()
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = pools
}
criterion_main!(benches);

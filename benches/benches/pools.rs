//! Every row of `POOLS`, forward and with its backward pass through features, learned edges and losses, from sparse levels.

use coarsen_benches::{bench, criterion, learned_weights};
use coarsen_pool::{POOLS, Pooled};
use criterion::{Criterion, criterion_group, criterion_main};
use tch::Tensor;

fn pools(c: &mut Criterion) {
    for spec in POOLS {
        bench(
            c,
            &format!("pool/{}", spec.name),
            |p, dims| (spec.build)(&(spec.example)(), p, dims),
            |pool, g, ctx| pool.pool(g, ctx),
            outcome,
        );
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

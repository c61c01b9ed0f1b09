//! The two benchmarks of a registry's row.

use coarsen_nn::{ConfigError, Ctx, Dims, Params};
use coarsen_tensor::Level;
use criterion::{BenchmarkId, Criterion};
use tch::Tensor;

use crate::device;
use crate::step::{Stepped, forward, forward_backward};
use crate::workload::workloads;

/// Benchmarks `fwd` and `fwd-bwd` of what `make` gives, in the group `name`, on a batch of each workload.
///
/// `pass` is a pass of the operator, `reached` everything of it that the loss of a task can reach.
///
/// # Panics
///
/// When `make` refuses its configuration.
pub fn bench<M, T>(
    c: &mut Criterion,
    name: &str,
    make: impl Fn(&Params, &Dims) -> Result<M, ConfigError>,
    pass: impl Fn(&M, &Level, Ctx) -> T,
    reached: impl Fn(T) -> Vec<Tensor>,
) {
    for workload in workloads() {
        let (level, dims) = (workload.level(device()), workload.dims());
        let mut stepped = Stepped::new(&level, |store| {
            make(&Params::new(&store.root(), 0), &dims).expect("a valid configuration")
        });
        let mut group = c.benchmark_group(name);
        group.bench_function(BenchmarkId::new("fwd", workload.sizes()), |bench| {
            bench.iter(|| forward(&stepped, |module, g| pass(module, g, Ctx::eval())));
        });
        group.bench_function(BenchmarkId::new("fwd-bwd", workload.sizes()), |bench| {
            bench
                .iter(|| forward_backward(&mut stepped, |module, g| reached(pass(module, g, Ctx::train(0)))));
        });
    }
}

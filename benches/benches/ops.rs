//! The operations below every layer: sparse products, coarsening, segment softmax, padding, collation.

use coarsen_benches::{GRAPHS, Workload, criterion, device, synchronize, workloads};
use coarsen_nn::Stream;
use coarsen_tensor::top_k::top_k;
use coarsen_tensor::{Adjacency, Among, Assignment, Layout, Level, Sparse, collate, matching, segment};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tch::{Kind, Tensor, no_grad};

fn drawn(name: &str, shape: &[i64]) -> Tensor {
    Stream::named(1, name).normal(shape, 0.0, 1.0, (Kind::Float, device()))
}

/// Times `f` as `op/<name>/<sizes>`.
fn time(c: &mut Criterion, name: &str, workload: &Workload, mut f: impl FnMut()) {
    c.benchmark_group(format!("op/{name}")).bench_function(
        BenchmarkId::from_parameter(workload.sizes()),
        |bench| {
            bench.iter(|| {
                f();
                synchronize();
            });
        },
    );
}

fn sparse(level: &Level) -> &Sparse {
    match &level.adj {
        Adjacency::Sparse(a) => a,
        Adjacency::Dense(_) => unreachable!("collation gives a sparse level"),
    }
}

/// `A x` with unit and with learned weights.
fn products(c: &mut Criterion) {
    for workload in workloads() {
        let level = workload.level(device());
        let pattern = sparse(&level).pattern.clone();
        time(c, "spmm/fwd", &workload, || drop(no_grad(|| level.adj.matmul(&level.x))));

        let mut weight = drawn("weight", &[pattern.edges()]).set_requires_grad(true);
        let mut x = level.x.copy().set_requires_grad(true);
        let weighted = Sparse::new(pattern, Some(weight.shallow_clone()), level.options());
        let adj = Adjacency::Sparse(weighted);
        time(c, "spmm-weighted/fwd-bwd", &workload, || {
            weight.zero_grad();
            x.zero_grad();
            adj.matmul(&x).square().sum(Kind::Float).backward();
        });
    }
}

/// `Sᵀ A S` for the three kinds of sparse-level assignments.
fn coarsenings(c: &mut Criterion) {
    for workload in workloads() {
        let level = workload.level(device());
        let graphs = level.segments();
        let score = drawn("score", &[level.x.size()[0]]);
        let kept = top_k(&score, &graphs, |n| n.div_ceil(2));
        let assignments = [
            ("kept", Assignment::kept(&kept, None, &level)),
            (
                "clusters",
                Assignment::clusters(&matching(&sparse(&level).pattern, Among::Neighbours, 1), &level),
            ),
        ];
        for (name, s) in &assignments {
            time(c, &format!("coarsen-{name}/fwd"), &workload, || drop(no_grad(|| level.adj.coarsen(s))));
        }

        let clusters = (workload.nodes / 4.0).ceil() as i64;
        let mut logits = drawn("logits", &[level.x.size()[0], clusters]).set_requires_grad(true);
        time(c, "coarsen-soft/fwd-bwd", &workload, || {
            logits.zero_grad();
            let coarse = level.adj.coarsen(&Assignment::soft(logits.softmax(-1, None), &level));
            let Adjacency::Dense(coarse) = coarse else {
                unreachable!("a soft assignment gives a dense level")
            };
            coarse.a.square().sum(Kind::Float).backward();
        });
    }
}

/// Softmax of each feature over the nodes of each graph.
fn softmax(c: &mut Criterion) {
    for workload in workloads() {
        let level = workload.level(device());
        let graphs = level.segments();
        let mut x = level.x.copy().set_requires_grad(true);
        time(c, "segment-softmax/fwd-bwd", &workload, || {
            x.zero_grad();
            segment::softmax(&x, &graphs).square().sum(Kind::Float).backward();
        });
    }
}

/// Sparse to dense, and samples to a batch.
fn batches(c: &mut Criterion) {
    for workload in workloads() {
        let data = workload.data();
        let index: Vec<usize> = (0..GRAPHS).collect();
        let level = workload.level(device());
        time(c, "pad/fwd", &workload, || drop(no_grad(|| level.to_layout(Layout::Dense))));
        time(c, "collate", &workload, || drop(collate(&data, &index, device())));
    }
}

criterion_group! {
    name = ops;
    config = criterion();
    targets = products, coarsenings, softmax, batches
}
criterion_main!(ops);

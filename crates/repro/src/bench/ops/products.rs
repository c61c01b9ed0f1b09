//! Products and reductions over graphs drawn uniformly.

use std::sync::Arc;

use anyhow::Result;
use coarsen_nn::Stream;
use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Assignment, Level, Pattern, Segments, Sparse, segment};
use tch::{Device, Kind, Tensor, no_grad};

use crate::bench::ops::runner::{Runner, Work};
use crate::bench::split::{SplitMix64, split};

const REAL: (Kind, Device) = (Kind::Float, Device::Cpu);
/// Features per node.
pub(super) const WIDTH: i64 = 64;

/// `n · degree` edges between nodes drawn uniformly; one that is drawn twice counts once.
pub(super) fn uniform(n: usize, degree: usize) -> Result<Csr> {
    let mut stream = SplitMix64(n as u64);
    let mut node = || stream.below(n) as u32;
    Ok(Csr::from_edges(n, n, (0..n * degree).map(|_| (node(), node())))?)
}

/// Standard normal numbers.
pub(super) fn normal_numbers(name: &str, shape: &[i64]) -> Tensor {
    Stream::named(0, name).normal(shape, 0.0, 1.0, REAL)
}

/// Numbers between 0 and 1.
fn uniform_numbers(name: &str, shape: &[i64]) -> Tensor {
    Stream::named(0, name).uniform(shape, 0.0, 1.0, REAL)
}

/// One graph.
pub(super) fn pattern(csr: Csr) -> Arc<Pattern> {
    let graph = Arc::new(Segments::of_sizes([csr.rows() as u32]));
    Arc::new(Pattern::new(csr, graph))
}

/// `A x` with weights.
pub(super) fn spmm(runner: &mut Runner) -> Result<()> {
    let sizes = [
        (1000, 4),
        (3827, 2),
        (10_000, 4),
        (10_000, 50),
        (100_000, 4),
        (100_000, 10),
        (250_000, 4),
        (20_000, 50),
    ];
    for (n, degree) in sizes {
        let pattern = pattern(uniform(n, degree)?);
        let edges = pattern.edges();
        let adj = Adjacency::Sparse(Sparse::new(pattern, Some(uniform_numbers("weight", &[edges])), REAL));
        let x = normal_numbers("x", &[n as i64, WIDTH]);
        let flops = (2 * edges * WIDTH) as f64;
        let name = format!("n={n} deg={degree} E={edges}");
        let once = Work { flops, ..Work::default() };
        runner.time("spmm", &format!("{name} f"), once, || drop(no_grad(|| adj.matmul(&x))))?;
        let twice = Work { flops: 2.0 * flops, ..Work::default() };
        runner.time_both("spmm", &format!("{name} fb"), twice, &x, |x| adj.matmul(x))?;
    }
    Ok(())
}

/// Softmax over the edges that arrive at a node.
pub(super) fn softmax(runner: &mut Runner) -> Result<()> {
    for (n, degree, heads) in [(3827, 3, 1), (3827, 3, 4), (100_000, 10, 1), (100_000, 10, 4)] {
        let csr = uniform(n, degree)?;
        let rows = Arc::new(Segments::new(csr.row_ptr().to_vec()));
        let score = normal_numbers("score", &[csr.nnz() as i64, heads]);
        let name = format!("E={} heads={heads}", csr.nnz());
        let forward = || drop(no_grad(|| segment::softmax(&score, &rows)));
        runner.time("softmax", &format!("{name} f"), Work::default(), forward)?;
        runner.time_both("softmax", &format!("{name} fb"), Work::default(), &score, |score| {
            segment::softmax(score, &rows)
        })?;
    }
    Ok(())
}

/// `Sᵀ A S` where every node belongs to those of its neighbours that were kept, half of all, as in ASAP; the gradient is that of
/// the values of `S`.
pub(super) fn spspmm(runner: &mut Runner) -> Result<()> {
    for (n, degree) in [(3827, 3), (20_000, 5), (100_000, 5)] {
        let csr = uniform(n, degree)?;
        let cluster = half(n);
        let entries: Vec<(u32, u32)> =
            csr.entries().filter_map(|(i, j)| Some((i, cluster[j as usize]?))).collect();
        let weight = uniform_numbers("weight", &[csr.nnz() as i64]);
        let adj = Adjacency::Sparse(Sparse::new(pattern(csr), Some(weight), REAL));
        let level = Level::new(Tensor::zeros([n as i64, 1], REAL), adj);
        let clusters = Arc::new(Segments::of_sizes([n as u32 / 2]));
        let values = uniform_numbers("values", &[entries.len() as i64]);
        let made = Assignment::entries(&entries, None, clusters, &level);
        let product = |values: &Tensor| {
            let mut s = made.shallow_clone();
            if let Assignment::Entries(s) = &mut s {
                s.weight = Some(values.shallow_clone());
            }
            match level.adj.coarsen(&s) {
                Adjacency::Sparse(a) => a.weights(),
                Adjacency::Dense(_) => unreachable!("entries give a sparse level"),
            }
        };
        let name = format!("n={n} deg={degree} nnz(S)={}", entries.len());
        let forward = || drop(no_grad(|| product(&values)));
        runner.time("spspmm", &format!("{name} S'(AS) f"), Work::default(), forward)?;
        runner.time_both("spspmm", &format!("{name} S'(AS) fb"), Work::default(), &values, product)?;
    }
    Ok(())
}

/// The number among the kept of every node that is kept: half of all, drawn at random.
fn half(n: usize) -> Vec<Option<u32>> {
    // A random order begins with the training set.
    let mut order = split(n, 0).train;
    order.truncate(n / 2);
    order.sort_unstable();
    let mut cluster = vec![None; n];
    for (c, node) in order.into_iter().enumerate() {
        cluster[node] = Some(c as u32);
    }
    cluster
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_nodes_are_kept_and_numbered_in_order() {
        let kept: Vec<u32> = half(101).into_iter().flatten().collect();
        assert!(kept.into_iter().eq(0..50));
    }

    #[test]
    fn uniform_graphs_have_nearly_all_edges_and_are_the_same_each_time() {
        let graph = uniform(1000, 10).expect("a graph");
        assert!((9900..=10_000).contains(&graph.nnz()), "{}", graph.nnz());
        assert_eq!(graph.col(), uniform(1000, 10).expect("a graph").col());
    }
}

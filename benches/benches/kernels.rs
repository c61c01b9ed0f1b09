//! The kernels of `coarsen-sparse` on one thread, on batches of each data set's size: the floor of the operations above them.

use coarsen_benches::{FEATURES, Workload, criterion, workloads};
use coarsen_nn::Stream;
use coarsen_sparse::attention::{Attention, attend, attend_backward};
use coarsen_sparse::rows::{self, Beside, Norm};
use coarsen_sparse::segment;
use coarsen_sparse::{
    Act, Pattern, Serial, sddmm, spmm, spmm_act, spmm_beside, spmm_beside_backward, spmm_max,
    spmm_max_backward, spmm_own, spmm_transposed,
};
use coarsen_tensor::Adjacency;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tch::Device;

/// A batch as the kernels see it.
struct Operands {
    a: Pattern,
    /// Where each graph's rows begin.
    graphs: Vec<u32>,
    /// `[edges]`, `[nodes, FEATURES]` twice.
    weight: Vec<f32>,
    x: Vec<f32>,
    grad: Vec<f32>,
}

impl Operands {
    fn of(workload: &Workload) -> Self {
        let level = workload.level(Device::Cpu);
        let Adjacency::Sparse(sparse) = &level.adj else { unreachable!("collation gives a sparse level") };
        let mut stream = Stream::named(2, workload.name);
        let mut drawn = |n: usize| (0..n).map(|_| stream.normal_pair().0 as f32).collect::<Vec<_>>();
        let (nodes, edges) = (sparse.pattern.csr().rows(), sparse.pattern.csr().nnz());
        Self {
            a: sparse.pattern.relation().pattern().clone(),
            graphs: sparse.pattern.graphs().ptr().to_vec(),
            weight: drawn(edges),
            x: drawn(nodes * FEATURES),
            grad: drawn(nodes * FEATURES),
        }
    }

    fn nodes(&self) -> usize {
        self.a.rows()
    }
}

/// Times `f` as `kernel/<name>/<sizes>`.
fn time(c: &mut Criterion, name: &str, workload: &Workload, mut f: impl FnMut()) {
    let mut group = c.benchmark_group(format!("kernel/{name}"));
    group.bench_function(BenchmarkId::from_parameter(workload.sizes()), |bench| bench.iter(&mut f));
}

fn products(c: &mut Criterion) {
    for workload in workloads() {
        let Operands { a, weight, x, grad, .. } = &Operands::of(&workload);
        let (csr, w, mut y) = (a.csr(), Some(weight.as_slice()), vec![0.0; x.len()]);
        let (mut wide, mut values, mut from) = (vec![0.0; 2 * x.len()], weight.clone(), vec![0; x.len()]);
        let bias = vec![0.1; FEATURES];
        time(c, "spmm", &workload, || spmm(&Serial, csr, w, x, FEATURES, &mut y));
        time(c, "spmm_transposed", &workload, || spmm_transposed(&Serial, a, w, grad, FEATURES, &mut y));
        time(c, "spmm_act", &workload, || {
            spmm_act(&Serial, csr, w, x, FEATURES, Some(&bias), Act::Relu, &mut y);
        });
        time(c, "spmm_own", &workload, || spmm_own(&Serial, csr, w, 1.0, x, FEATURES, &mut y));
        time(c, "spmm_beside", &workload, || spmm_beside(&Serial, csr, w, x, FEATURES, &mut wide));
        time(c, "spmm_beside_backward", &workload, || {
            spmm_beside_backward(&Serial, a, w, &wide, FEATURES, &mut y);
        });
        time(c, "spmm_max", &workload, || spmm_max(&Serial, csr, None, x, FEATURES, &mut y, &mut from));
        time(c, "spmm_max_backward", &workload, || {
            spmm_max_backward(&Serial, a, None, grad, &from, FEATURES, &mut y);
        });
        time(c, "sddmm", &workload, || sddmm(&Serial, csr, grad, x, FEATURES, &mut values));
    }
}

fn dense_rows(c: &mut Criterion) {
    for workload in workloads() {
        let Operands { x, grad, .. } = &Operands::of(&workload);
        let (mut y, mut sums, mut more) = (x.clone(), vec![0.0; FEATURES], vec![0.0; FEATURES]);
        let (mean, var) = (vec![0.0; FEATURES], vec![1.0; FEATURES]);
        let norm = Norm { mean: &mean, var: &var, weight: &var, bias: &mean, eps: 1e-5 };
        let beside = Beside::Behind(Act::Relu);
        time(c, "bias_act", &workload, || rows::bias_act(&Serial, FEATURES, Some(&mean), Act::Relu, &mut y));
        time(c, "act_backward", &workload, || {
            rows::act_backward(&Serial, FEATURES, Act::Relu, x, grad, &mut y, Some(&mut sums));
        });
        time(c, "moments", &workload, || {
            rows::moments(&Serial, FEATURES, x, Act::Identity, &mut sums, &mut more);
        });
        time(c, "normalize", &workload, || rows::normalize(&Serial, FEATURES, x, &norm, beside, &mut y));
        time(c, "normalize_backward", &workload, || {
            let sums = rows::normalize_sums(&Serial, FEATURES, x, x, grad, &norm, beside);
            rows::normalize_backward(&Serial, FEATURES, x, x, grad, &norm, beside, &sums, &mut y);
        });
    }
}

fn segments(c: &mut Criterion) {
    for workload in workloads() {
        let Operands { graphs, x, .. } = &Operands::of(&workload);
        let many = (graphs.len() - 1) * FEATURES;
        let (mut out, mut from, mut y) = (vec![0.0; many], vec![0; many], vec![0.0; x.len()]);
        time(c, "segment_mean", &workload, || segment::mean(&Serial, graphs, x, FEATURES, &mut out));
        time(c, "segment_max", &workload, || segment::max(&Serial, graphs, x, FEATURES, &mut out, &mut from));
        time(c, "segment_softmax", &workload, || segment::softmax(&Serial, graphs, x, FEATURES, &mut y));
        let score = &x[..graphs[graphs.len() - 1] as usize];
        time(c, "segment_top", &workload, || drop(segment::top(graphs, score, |n| n.div_ceil(2))));
    }
}

/// Four heads, as wide together as the features.
const HEADS: usize = 4;

fn attention(c: &mut Criterion) {
    for workload in workloads() {
        let operands = Operands::of(&workload);
        let (a, n) = (&operands.a, operands.nodes() * HEADS);
        let (x, grad) = (&operands.x, &operands.grad);
        let (a_row, a_col, width) = (&x[..n], &grad[..n], FEATURES / HEADS);
        let over = Attention { a_row, a_col, slope: 0.2, keep: None, x, heads: HEADS, width };
        let (mut alpha, mut y) = (vec![0.0; a.nnz() * HEADS], vec![0.0; x.len()]);
        let (mut da_row, mut da_col) = (vec![0.0; n], vec![0.0; n]);
        time(c, "attend", &workload, || attend(&Serial, a.csr(), &over, &mut alpha, &mut y));
        time(c, "attend_backward", &workload, || {
            attend_backward(&Serial, a, &over, &alpha, grad, &mut y, &mut da_row, &mut da_col);
        });
    }
}

fn structures(c: &mut Criterion) {
    for workload in workloads() {
        let Operands { a, .. } = &Operands::of(&workload);
        let (csr, n) = (a.csr(), a.rows() as u32);
        let pairs: Vec<u32> = (0..n).map(|node| node / 2).collect();
        let kept: Vec<u32> = (0..n).step_by(2).collect();
        time(c, "pattern", &workload, || drop(Pattern::new(csr.clone())));
        time(c, "with_diagonal", &workload, || drop(csr.with_diagonal()));
        time(c, "contracted", &workload, || drop(csr.contracted(&pairs, n.div_ceil(2) as usize)));
        time(c, "induced", &workload, || drop(csr.induced(&kept)));
    }
}

criterion_group! {
    name = kernels;
    config = criterion();
    targets = products, dense_rows, segments, attention, structures
}
criterion_main!(kernels);

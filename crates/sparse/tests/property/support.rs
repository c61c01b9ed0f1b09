//! Random sparse matrices, their dense twins, and executors that try to change a result.

use std::ops::Range;
use std::sync::LazyLock;

use coarsen_sparse::{Csr, Executor, Rayon, Scalar, Serial};
use ndarray::{Array1, Array2};
use proptest::prelude::*;

/// A sparse matrix with values in `f64`.
#[derive(Debug, Clone)]
pub(crate) struct Matrix {
    pub(crate) csr: Csr,
    pub(crate) values: Vec<f64>,
}

impl Matrix {
    pub(crate) fn dense(&self) -> Array2<f64> {
        dense(&self.csr, &self.values)
    }

    pub(crate) fn values_f32(&self) -> Vec<f32> {
        narrow(&self.values)
    }
}

pub(crate) fn dense(csr: &Csr, values: &[f64]) -> Array2<f64> {
    let mut dense = Array2::zeros((csr.rows(), csr.cols()));
    for ((row, col), &value) in csr.entries().zip(values) {
        dense[[row as usize, col as usize]] += value;
    }
    dense
}

pub(crate) fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// `[rows, width]` as an array.
pub(crate) fn array(rows: usize, width: usize, data: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec((rows, width), data.to_vec()).unwrap()
}

/// The entries of a dense matrix at the edges.
pub(crate) fn at_edges(csr: &Csr, dense: &Array2<f64>) -> Array1<f64> {
    csr.entries().map(|(row, col)| dense[[row as usize, col as usize]]).collect()
}

pub(crate) fn number() -> impl Strategy<Value = f64> {
    -2.0..2.0_f64
}

pub(crate) fn numbers(count: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(number(), count)
}

pub(crate) fn edges(rows: usize, cols: usize) -> BoxedStrategy<Vec<(u32, u32)>> {
    if rows == 0 || cols == 0 {
        return Just(Vec::new()).boxed();
    }
    prop::collection::vec((0..rows as u32, 0..cols as u32), 0..=2 * (rows + cols)).boxed()
}

pub(crate) fn matrix(rows: usize, cols: usize) -> impl Strategy<Value = Matrix> {
    edges(rows, cols).prop_flat_map(move |edges| {
        let csr = Csr::from_edges(rows, cols, edges).unwrap();
        numbers(csr.nnz()).prop_map(move |values| Matrix { csr: csr.clone(), values })
    })
}

/// Operands of the fused products: `A` square, `x` and `g: [n, width]`, `g_beside: [n, 2 width]`, `bias: [width]`.
#[derive(Debug, Clone)]
pub(crate) struct Fused {
    pub(crate) a: Matrix,
    pub(crate) x: Vec<f64>,
    pub(crate) g: Vec<f64>,
    pub(crate) g_beside: Vec<f64>,
    pub(crate) bias: Vec<f64>,
    pub(crate) own: f64,
    pub(crate) width: usize,
}

pub(crate) fn fused() -> impl Strategy<Value = Fused> {
    (size(), width()).prop_flat_map(|(n, width)| {
        let dense = |width| numbers(n * width);
        (matrix(n, n), dense(width), dense(width), dense(2 * width), numbers(width), number())
            .prop_map(move |(a, x, g, g_beside, bias, own)| Fused { a, x, g, g_beside, bias, own, width })
    })
}

/// A size, with 0 and 1 weighted in.
pub(crate) fn size() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0_usize), 1 => Just(1), 6 => 2_usize..12]
}

/// A width, on both sides of every block a kernel may use.
pub(crate) fn width() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0_usize), 2 => Just(1), 4 => 2_usize..12, 3 => 12_usize..75]
}

/// Row pointer of random segments, empty ones among them.
pub(crate) fn segments() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop_oneof![1 => Just(0_u32), 3 => 1_u32..6], 0..8).prop_map(|lengths| {
        let mut ptr = vec![0];
        ptr.extend(lengths.iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        }));
        ptr
    })
}

pub(crate) fn assert_close(got: &[f64], want: impl IntoIterator<Item = f64>, tolerance: f64) {
    let want: Vec<f64> = want.into_iter().collect();
    assert_eq!(got.len(), want.len());
    let scale = want.iter().fold(1.0_f64, |scale, want| scale.max(want.abs()));
    for (place, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!((got - want).abs() <= tolerance * scale, "at {place}: got {got}, want {want}");
    }
}

pub(crate) fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Runs ranges of 1, 3, 5, … items from the back, some twice, and leaves out the first item.
pub(crate) struct Adversary;

impl Executor for Adversary {
    fn run(&self, n: usize, _grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) {
        let (mut end, mut length) = (n, 1);
        while end > 1 {
            let start = end.saturating_sub(length).max(1);
            body(start..end);
            if length % 4 == 1 {
                body(start..end);
            }
            (end, length) = (start, length + 2);
        }
    }

    fn task_cost(&self) -> usize {
        1
    }
}

/// Rayon, with as many tasks as the work can be cut into.
pub(crate) struct Fine;

/// Rayon with this many threads.
struct Threads(rayon::ThreadPool);

impl Executor for Threads {
    fn run(&self, n: usize, grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) {
        self.0.install(|| Fine.run(n, grain, body));
    }

    fn task_cost(&self) -> usize {
        Fine.task_cost()
    }
}

/// Pools of 1, 2 and 3 threads.
static POOLS: LazyLock<[Threads; 3]> = LazyLock::new(|| {
    [1, 2, 3].map(|n| Threads(rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap()))
});

impl Executor for Fine {
    fn run(&self, n: usize, grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) {
        Rayon.run(n, grain, body);
    }

    fn task_cost(&self) -> usize {
        7
    }
}

/// What `kernel` writes over `len` stale numbers; fails unless every executor gives the same bits.
pub(crate) fn run<T: Scalar>(len: usize, kernel: impl Fn(&dyn Executor, &mut [T])) -> Vec<T> {
    let outcome = |exec: &dyn Executor| {
        let mut out = vec![T::from_count(77); len];
        kernel(exec, &mut out);
        out
    };
    let want = outcome(&Serial);
    let bits = |values: &[T]| values.iter().map(|value| value.to_f64().to_bits()).collect::<Vec<_>>();
    let pools = POOLS.iter().map(|pool| pool as &dyn Executor);
    for exec in [&Adversary as &dyn Executor, &Fine, &Rayon].into_iter().chain(pools) {
        assert_eq!(bits(&outcome(exec)), bits(&want), "the executor changed the result");
    }
    want
}

/// Central differences of `f` at `x`, one coordinate at a time.
pub(crate) fn slopes(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let step = 1e-5;
    (0..x.len())
        .map(|place| {
            let moved = |by: f64| {
                let mut x = x.to_vec();
                x[place] += by;
                f(&x)
            };
            (moved(step) - moved(-step)) / (2.0 * step)
        })
        .collect()
}

pub(crate) fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

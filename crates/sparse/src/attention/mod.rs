//! Attention over the edges of a graph, in one pass: scores, their softmax and the sum it weighs.
//!
//! For edge `e = (i, j)` and head `h`, `s_eh = leaky_relu(a_row_ih + a_col_jh)`, `α_eh = exp(s_eh) / Σ exp` over the edges
//! of row `i`, and `y_ih = Σ_j α_eh keep_eh x_jh` (Veličković et al. 2018, eq. 2–5). No matrix of edges by features is
//! made: what stays of an edge is one number for each head.

mod backward;
mod blocks;

pub use backward::attend_backward;

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::csr::Csr;
use crate::lanes::{Ahead, array, array_mut, dispatch, each, strips};
use crate::parallel::{Executor, Rows, Spans, over};
use crate::scalar::Scalar;
use blocks::Blocks;

/// The operands of an attention.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a, T> {
    /// Share of a row in its scores: `[rows, heads]`.
    pub a_row: &'a [T],
    /// Share of a column in its scores: `[cols, heads]`.
    pub a_col: &'a [T],
    /// Slope of the leaky ReLU below 0.
    pub slope: T,
    /// Factor of each edge's weight after the softmax, as dropout needs: `[nnz, heads]`; 1 if absent.
    pub keep: Option<&'a [T]>,
    /// What is summed: `[cols, heads · width]`, head by head.
    pub x: &'a [T],
    /// Number of heads.
    pub heads: usize,
    /// Features of a head.
    pub width: usize,
}

impl<T: Scalar> Attention<'_, T> {
    fn check(&self, kernel: &str, a: &Csr) {
        let (rows, cols, nnz, heads, all) = (a.rows(), a.cols(), a.nnz(), self.heads, self.all());
        assert_eq!(self.a_row.len(), rows * heads, "{kernel}: `a_row` must be [{rows}, {heads}]");
        assert_eq!(self.a_col.len(), cols * heads, "{kernel}: `a_col` must be [{cols}, {heads}]");
        if let Some(keep) = self.keep {
            assert_eq!(keep.len(), nnz * heads, "{kernel}: `keep` must be [{nnz}, {heads}]");
        }
        assert_eq!(self.x.len(), cols * all, "{kernel}: `x` must be [{cols}, {all}]");
    }

    /// Features of all heads.
    fn all(&self) -> usize {
        self.heads * self.width
    }
}

/// `y_ih = Σ_j α_eh keep_eh x_jh`, and the weights `α`, which the backward needs.
///
/// A row without edges gives 0.
///
/// # Shapes
///
/// `alpha: [nnz, heads]`, `y: [rows, heads · width]`.
///
/// # Complexity
///
/// O(nnz · heads · width); the work space of a task holds the longest row's weights.
///
/// # Panics
///
/// On a slice of another length.
pub fn attend<T: Scalar>(
    exec: &dyn Executor,
    a: &Csr,
    operands: &Attention<'_, T>,
    alpha: &mut [T],
    y: &mut [T],
) {
    operands.check("attend", a);
    let (heads, all, ptr) = (operands.heads, operands.all(), a.row_ptr());
    assert_eq!(alpha.len(), a.nnz() * heads, "attend: `alpha` must be [{}, {heads}]", a.nnz());
    assert_eq!(y.len(), a.rows() * all, "attend: `y` must be [{}, {all}]", a.rows());
    let pieces = (Spans { data: alpha, ptr, width: heads }, Rows { data: y, width: all });
    over(exec, a.rows(), cost(ptr, all + heads), pieces, |rows, (alpha, y)| {
        dispatch(Forward { a, operands, rows, alpha, y: y.data });
    });
}

/// Cost of the rows before one; an edge costs `width`.
fn cost(ptr: &[u32], width: usize) -> impl Fn(usize) -> usize {
    move |row| (ptr[row] as usize + row) * width
}

/// A range of rows.
struct Forward<'a, T> {
    a: &'a Csr,
    operands: &'a Attention<'a, T>,
    rows: Range<usize>,
    alpha: Spans<'a, T>,
    y: &'a mut [T],
}

impl<T: Scalar> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, operands, rows, mut alpha, y } = self;
        let (heads, all, first_row) = (operands.heads, operands.all(), rows.start);
        let ahead = Ahead::new(a, &rows, operands.x, all);
        let scores_ahead = Ahead::new(a, &rows, operands.a_col, heads);
        let mut sums = Blocks::new(a, operands.x, [heads, operands.width]);
        let (ptr, mut each_alpha) = (a.row_ptr(), alpha.each());
        let mut space = Vec::new();
        let mut start = rows.start;
        while start < rows.end {
            let first = ptr[start] as usize;
            let near = |&&end: &&u32| (end as usize - first) * heads <= GROUP;
            let end = start + ptr[start + 1..=rows.end].iter().take_while(near).count().max(1);
            space.clear();
            space.resize((ptr[end] as usize - first) * heads, T::ZERO);
            let of_row =
                |row: usize| (a.range(row).start - first) * heads..(a.range(row).end - first) * heads;
            for row in start..end {
                scores_ahead.ask(a.range(row), operands.a_col);
                scores(operands, row, a.row(row), &mut space[of_row(row)]);
            }
            for score in &mut space {
                *score = score.exp();
            }
            for (row, alpha) in (start..end).zip(&mut each_alpha) {
                let (edges, weights) = (a.range(row), &mut space[of_row(row)]);
                ahead.ask(edges.clone(), operands.x);
                shares(weights, heads);
                alpha.copy_from_slice(weights);
                if let Some(keep) = operands.keep {
                    let keep = &keep[edges.start * heads..edges.end * heads];
                    for (weight, keep) in weights.iter_mut().zip(keep) {
                        *weight *= *keep;
                    }
                }
                sums.row(simd, a.row(row), weights, &mut y[(row - first_row) * all..][..all]);
            }
            start = end;
        }
    }
}

/// Numbers whose exponentials are taken in one go, or a row's if they are more.
const GROUP: usize = 512;

/// The scores of a row's edges, less the largest of each head: `[edges, heads]`.
#[inline(always)]
fn scores<T: Scalar>(operands: &Attention<'_, T>, row: usize, col: &[u32], out: &mut [T]) {
    let (heads, a_col, slope) = (operands.heads, operands.a_col, operands.slope);
    strips!(heads, at, H in [8, 4, 2, 1] => {
        let own = array::<T, H>(operands.a_row, row * heads + at);
        let mut largest = [T::from_f64(f64::NEG_INFINITY); H];
        for (k, &col) in col.iter().enumerate() {
            let other = array::<T, H>(a_col, col as usize * heads + at);
            let scores = each::<T, H>(|h| leaky(own[h] + other[h], slope));
            largest = each(|h| if scores[h] > largest[h] { scores[h] } else { largest[h] });
            *array_mut(out, k * heads + at) = scores;
        }
        for k in 0..col.len() {
            let scores = array_mut::<T, H>(out, k * heads + at);
            *scores = each(|h| scores[h] - largest[h]);
        }
    });
}

/// Divides the numbers of each head by their sum.
#[inline(always)]
fn shares<T: Scalar>(weights: &mut [T], heads: usize) {
    let edges = weights.len() / heads.max(1);
    strips!(heads, at, H in [8, 4, 2, 1] => {
        let mut sums = [T::ZERO; H];
        for k in 0..edges {
            let weights = array::<T, H>(weights, k * heads + at);
            sums = each(|h| sums[h] + weights[h]);
        }
        for k in 0..edges {
            let weights = array_mut::<T, H>(weights, k * heads + at);
            *weights = each(|h| weights[h] / sums[h]);
        }
    });
}

#[inline(always)]
fn leaky<T: Scalar>(x: T, slope: T) -> T {
    if x > T::ZERO { x } else { x * slope }
}

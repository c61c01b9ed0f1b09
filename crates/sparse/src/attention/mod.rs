//! Attention over the edges of a graph, in one pass: scores, their softmax and the sum it weighs.
//!
//! For edge `e = (i, j)` and head `h`, `s_eh = leaky_relu(a_row_ih + a_col_jh)`, `α_eh = exp(s_eh) / Σ exp` over the edges
//! of row `i`, and `y_ih = Σ_j α_eh keep_eh x_jh` (Veličković et al. 2018, eq. 2–5). No matrix of edges by features is
//! made: what stays of an edge is one number for each head.

mod backward;

pub use backward::attend_backward;

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::csr::Csr;
use crate::lanes::{Ahead, dispatch};
use crate::parallel::{Executor, Rows, Spans, over};
use crate::scalar::Scalar;
use crate::spmm::plain;
use crate::spmm::walk::{Edges, Table, Walk, Weights};

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

    /// A score before the leaky ReLU.
    #[inline(always)]
    fn sum(&self, row: usize, col: u32, head: usize) -> T {
        self.a_row[row * self.heads + head] + self.a_col[col as usize * self.heads + head]
    }

    /// `α keep` of an edge and head.
    #[inline(always)]
    fn kept(&self, place: usize, alpha: T) -> T {
        self.keep.map_or(alpha, |keep| alpha * keep[place])
    }

    /// `A x`, one walk for each head.
    fn walks<'w>(&self, a: &'w Csr, x: &'w [T]) -> Vec<Walk<'w, T>> {
        let (stride, width) = (self.all(), self.width);
        let of = |head| Walk {
            x: Table { data: x, stride, from: head * width },
            ..plain(a, Weights::One, x, width)
        };
        (0..self.heads).map(of).collect()
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
    let walks = operands.walks(a, operands.x);
    let pieces = (Spans { data: alpha, ptr, width: heads }, Rows { data: y, width: all });
    over(exec, a.rows(), cost(ptr, all + heads), pieces, |rows, (alpha, y)| {
        dispatch(Forward { a, operands, walks: &walks, rows, alpha, y: y.data });
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
    walks: &'a [Walk<'a, T>],
    rows: Range<usize>,
    alpha: Spans<'a, T>,
    y: &'a mut [T],
}

impl<T: Scalar> WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, operands, walks, rows, mut alpha, y } = self;
        let (heads, all, width, first_row) = (operands.heads, operands.all(), operands.width, rows.start);
        let ahead = Ahead::new(a, &rows, operands.x, all);
        let scores_ahead = Ahead::new(a, &rows, operands.a_col, heads);
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
                let (edges, col) = (a.range(row), a.row(row));
                ahead.ask(edges.clone(), operands.x);
                let y = &mut y[(row - first_row) * all..][..all];
                if col.is_empty() {
                    y.fill(T::ZERO);
                    continue;
                }
                for (head, weights) in space[of_row(row)].chunks_exact_mut(col.len()).enumerate() {
                    let sum = weights.iter().fold(T::ZERO, |sum, &weight| sum + weight);
                    for (k, weight) in weights.iter_mut().enumerate() {
                        let share = *weight / sum;
                        alpha[k * heads + head] = share;
                        *weight = operands.kept((edges.start + k) * heads + head, share);
                    }
                    let edges = Edges { row, col, weights: Some(weights) };
                    walks[head].row(simd, &edges, &mut y[head * width..][..width]);
                }
            }
            start = end;
        }
    }
}

/// Numbers whose exponentials are taken in one go, or a row's if they are more.
const GROUP: usize = 512;

/// The scores of a row, head by head so that the edges of a head stand together, less the largest of each head.
#[inline(always)]
fn scores<T: Scalar>(operands: &Attention<'_, T>, row: usize, col: &[u32], out: &mut [T]) {
    let heads = operands.heads;
    if col.is_empty() || heads == 0 {
        return;
    }
    let edges = col.len();
    let own = &operands.a_row[row * heads..][..heads];
    for (k, &col) in col.iter().enumerate() {
        let other = &operands.a_col[col as usize * heads..][..heads];
        let outs = out[k..].iter_mut().step_by(edges);
        for (out, (&own, &other)) in outs.zip(own.iter().zip(other)) {
            *out = leaky(own + other, operands.slope);
        }
    }
    for scores in out.chunks_exact_mut(col.len()) {
        let mut largest = scores[0];
        for &score in &*scores {
            largest = if score > largest { score } else { largest };
        }
        for score in scores {
            *score -= largest;
        }
    }
}

#[inline(always)]
fn leaky<T: Scalar>(x: T, slope: T) -> T {
    if x > T::ZERO { x } else { x * slope }
}

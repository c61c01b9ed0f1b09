//! Gradients of [`attend`](super::attend): by rows for the scores, then by columns for what is summed.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::blocks::Blocks;
use super::{Attention, cost};
use crate::csr::Csr;
use crate::lanes::{Ahead, array, array_mut, dispatch, each, strips};
use crate::parallel::{Executor, Rows, Spans, over};
use crate::pattern::Pattern;
use crate::scalar::Scalar;
use crate::sddmm::row_products;
use crate::spmm::walk::Table;

/// Gradients of [`attend`](super::attend) for `x`, `a_row` and `a_col`.
///
/// With `p_eh = keep_eh ⟨grad_ih, x_jh⟩`: `ds_eh = α_eh (p_eh − Σ_e' α_e'h p_e'h) · leaky_relu'`, `da_row_ih = Σ_j ds_eh`,
/// `da_col_jh = Σ_i ds_eh`, `dx_jh = Σ_i α_eh keep_eh grad_ih`. At a score of 0 the slope is the one below.
///
/// # Shapes
///
/// `alpha: [nnz, heads]` as the forward gave it, `grad: [rows, heads · width]`, `dx: [cols, heads · width]`,
/// `da_row: [rows, heads]`, `da_col: [cols, heads]`.
///
/// # Complexity
///
/// O(nnz · heads · width) in two passes, with one number for each edge and head between them.
///
/// # Panics
///
/// On a slice of another length.
#[expect(clippy::too_many_arguments, reason = "the operands of the equations")]
pub fn attend_backward<T: Scalar>(
    exec: &dyn Executor,
    a: &Pattern,
    operands: &Attention<'_, T>,
    alpha: &[T],
    grad: &[T],
    dx: &mut [T],
    da_row: &mut [T],
    da_col: &mut [T],
) {
    let (csr, heads, all) = (a.csr(), operands.heads, operands.all());
    let (rows, cols, nnz) = (a.rows(), a.cols(), a.nnz());
    operands.check("attend_backward", csr);
    assert_eq!(alpha.len(), nnz * heads, "attend_backward: `alpha` must be [{nnz}, {heads}]");
    assert_eq!(grad.len(), rows * all, "attend_backward: `grad` must be [{rows}, {all}]");
    assert_eq!(dx.len(), cols * all, "attend_backward: `dx` must be [{cols}, {all}]");
    assert_eq!(da_row.len(), rows * heads, "attend_backward: `da_row` must be [{rows}, {heads}]");
    assert_eq!(da_col.len(), cols * heads, "attend_backward: `da_col` must be [{cols}, {heads}]");

    let mut ds = vec![T::ZERO; nnz * heads];
    let pieces =
        (Spans { data: &mut ds, ptr: csr.row_ptr(), width: heads }, Rows { data: da_row, width: heads });
    over(exec, rows, cost(csr.row_ptr(), all + heads), pieces, |rows, (ds, da_row)| {
        dispatch(ByRows { a: csr, operands, alpha, grad, rows, ds, da_row: da_row.data });
    });

    let pieces = (Rows { data: dx, width: all }, Rows { data: da_col, width: heads });
    over(exec, cols, cost(a.transpose().row_ptr(), all + heads), pieces, |cols, (dx, da_col)| {
        let (dx, da_col) = (dx.data, da_col.data);
        dispatch(ByColumns { a, operands, alpha, ds: &ds, grad, cols, dx, da_col });
    });
}

/// The gradient of the scores, and its sums over the edges of a row.
struct ByRows<'a, T> {
    a: &'a Csr,
    operands: &'a Attention<'a, T>,
    alpha: &'a [T],
    grad: &'a [T],
    rows: Range<usize>,
    ds: Spans<'a, T>,
    da_row: &'a mut [T],
}

impl<T: Scalar> WithSimd for ByRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match T::LANES / T::count::<S>() {
            1 => self.run::<S, 1>(simd),
            2 => self.run::<S, 2>(simd),
            _ => self.run::<S, 4>(simd),
        }
    }
}

impl<T: Scalar> ByRows<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const P: usize>(self, simd: S) {
        let Self { a, operands, alpha, grad, rows, mut ds, da_row } = self;
        let &Attention { heads, width, x, .. } = operands;
        let (all, first_row) = (operands.all(), rows.start);
        let ahead = Ahead::new(a, &rows, x, all);
        let scores_ahead = Ahead::new(a, &rows, operands.a_col, heads);
        let mut space = Vec::new();
        for (row, ds) in rows.zip(ds.each()) {
            let (edges, col) = (a.range(row), a.row(row));
            scores_ahead.ask(edges.clone(), operands.a_col);
            ahead.ask(edges.clone(), x);
            space.clear();
            space.resize(col.len(), T::ZERO);
            for head in 0..heads {
                let grad = &grad[row * all + head * width..][..width];
                let x = Table { data: x, stride: all, from: head * width };
                row_products::<T, S, P>(simd, grad, &x, col, &mut space);
                for (ds, &product) in ds.iter_mut().skip(head).step_by(heads).zip(&space) {
                    *ds = product;
                }
            }
            if let Some(keep) = operands.keep {
                let keep = &keep[edges.start * heads..edges.end * heads];
                for (ds, keep) in ds.iter_mut().zip(keep) {
                    *ds *= *keep;
                }
            }
            let alpha = &alpha[edges.start * heads..edges.end * heads];
            let sums = &mut da_row[(row - first_row) * heads..][..heads];
            score_gradients(operands, row, col, alpha, ds, sums);
        }
    }
}

/// From the gradients of the weights to those of the scores, in `ds: [edges, heads]`, and their sums.
#[inline(always)]
fn score_gradients<T: Scalar>(
    operands: &Attention<'_, T>,
    row: usize,
    col: &[u32],
    alpha: &[T],
    ds: &mut [T],
    sums: &mut [T],
) {
    let heads = operands.heads;
    strips!(heads, at, H in [8, 4, 2, 1] => {
        let own = array::<T, H>(operands.a_row, row * heads + at);
        let mut means = [T::ZERO; H];
        for k in 0..col.len() {
            let (alpha, products) = (array::<T, H>(alpha, k * heads + at), array::<T, H>(ds, k * heads + at));
            means = each(|h| means[h] + alpha[h] * products[h]);
        }
        let mut sum = [T::ZERO; H];
        for (k, &col) in col.iter().enumerate() {
            let other = array::<T, H>(operands.a_col, col as usize * heads + at);
            let (alpha, ds) = (array::<T, H>(alpha, k * heads + at), array_mut::<T, H>(ds, k * heads + at));
            let slopes = each::<T, H>(|h| if own[h] + other[h] > T::ZERO { T::ONE } else { operands.slope });
            *ds = each(|h| alpha[h] * (ds[h] - means[h]) * slopes[h]);
            sum = each(|h| sum[h] + ds[h]);
        }
        *array_mut(sums, at) = sum;
    });
}

/// The gradient of `x`, and the sums of the scores' gradient over the edges of a column.
struct ByColumns<'a, T> {
    a: &'a Pattern,
    operands: &'a Attention<'a, T>,
    alpha: &'a [T],
    ds: &'a [T],
    grad: &'a [T],
    cols: Range<usize>,
    dx: &'a mut [T],
    da_col: &'a mut [T],
}

impl<T: Scalar> WithSimd for ByColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { a, operands, alpha, ds, grad, cols, dx, da_col } = self;
        let (heads, all, first_col) = (operands.heads, operands.all(), cols.start);
        let transpose = a.transpose();
        let ahead = Ahead::new(transpose, &cols, grad, all);
        let edge_ahead = |x: &[T]| Ahead::within(transpose, a.transposed_edge(), &cols, x, [heads, 0, heads]);
        let (alpha_ahead, ds_ahead) = (edge_ahead(alpha), edge_ahead(ds));
        let mut weighted = Blocks::new(transpose, grad, [heads, operands.width]);
        let mut space = Vec::new();
        for col in cols.clone() {
            let (edges, rows) = (transpose.range(col), transpose.row(col));
            alpha_ahead.ask(edges.clone(), alpha);
            ds_ahead.ask(edges.clone(), ds);
            ahead.ask(edges.clone(), grad);
            let sums = &mut da_col[(col - first_col) * heads..][..heads];
            space.clear();
            let edges = &a.transposed_edge()[edges];
            space.resize(edges.len() * heads, T::ZERO);
            strips!(heads, at, H in [8, 4, 2, 1] => {
                let mut sum = [T::ZERO; H];
                for (k, &edge) in edges.iter().enumerate() {
                    let place = edge as usize * heads + at;
                    let (ds, alpha) = (array::<T, H>(ds, place), array::<T, H>(alpha, place));
                    sum = each(|h| sum[h] + ds[h]);
                    *array_mut(&mut space, k * heads + at) = match operands.keep {
                        Some(keep) => each(|h| alpha[h] * keep[place + h]),
                        None => *alpha,
                    };
                }
                *array_mut(sums, at) = sum;
            });
            weighted.row(simd, rows, &space, &mut dx[(col - first_col) * all..][..all]);
        }
    }
}

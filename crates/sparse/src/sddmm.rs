//! Sampled dense times dense: inner products at the edges.

use std::array::from_fn;

use crate::csr::Csr;
use crate::parallel::{Executor, Spans, over};
use crate::scalar::Scalar;

/// `out_e = ⟨a_i, b_j⟩` for each edge `e = (i, j)`.
///
/// The gradient of [`spmm`](fn@crate::spmm) for its values is `sddmm` of the incoming gradient and `x`.
///
/// # Shapes
///
/// `a: [rows, width]`, `b: [cols, width]`, `out: [nnz]`.
///
/// # Complexity
///
/// O(nnz · width).
///
/// # Panics
///
/// On a slice of another length.
pub fn sddmm<T: Scalar>(exec: &dyn Executor, pattern: &Csr, a: &[T], b: &[T], width: usize, out: &mut [T]) {
    let (rows, cols, ptr) = (pattern.rows(), pattern.cols(), pattern.row_ptr());
    assert_eq!(a.len(), rows * width, "sddmm: `a` must be [{rows}, {width}]");
    assert_eq!(b.len(), cols * width, "sddmm: `b` must be [{cols}, {width}]");
    assert_eq!(out.len(), pattern.nnz(), "sddmm: `out` must hold one number per edge");
    let out = Spans { data: out, ptr, width: 1 };
    over(
        exec,
        rows,
        |row| ptr[row] as usize * width + row,
        out,
        |range, mut piece| {
            for (row, out) in range.zip(piece.each()) {
                let a = &a[row * width..][..width];
                let cols = pattern.row(row);
                let at = products::<4, T>(a, b, cols, 0, out);
                let at = products::<2, T>(a, b, cols, at, out);
                products::<1, T>(a, b, cols, at, out);
            }
        },
    );
}

/// Partial sums of one product, kept side by side so that the compiler may use vector registers.
const LANES: usize = 8;

/// Inner products of `a` with rows of `b`, from edge `at` on by whole groups of `E`; says where it stopped.
///
/// The order of each sum depends on the length of `a` alone, not on the group.
#[inline]
fn products<const E: usize, T: Scalar>(
    a: &[T],
    b: &[T],
    cols: &[u32],
    mut at: usize,
    out: &mut [T],
) -> usize {
    let (cols, _) = cols[at..].as_chunks::<E>();
    let (outs, _) = out[at..].as_chunks_mut::<E>();
    for (out, cols) in outs.iter_mut().zip(cols) {
        *out = dots(a, cols.map(|col| &b[col as usize * a.len()..][..a.len()]));
        at += E;
    }
    at
}

/// Inner products of `a` with slices of the same length.
#[inline]
fn dots<const E: usize, T: Scalar>(a: &[T], b: [&[T]; E]) -> [T; E] {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let b_chunks = b.map(|b| &b.as_chunks::<LANES>().0[..a_chunks.len()]);
    let mut sums = [[T::ZERO; LANES]; E];
    for (chunk, a) in a_chunks.iter().enumerate() {
        for (sums, b) in sums.iter_mut().zip(&b_chunks) {
            for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(&b[chunk]) {
                *sum += a * b;
            }
        }
    }
    let halves = sums.map(|sums| -> [T; 4] { from_fn(|lane| sums[lane] + sums[lane + 4]) });
    let mut out = halves.map(|half| (half[0] + half[2]) + (half[1] + half[3]));
    if !a_rest.is_empty() {
        let done = a.len() - a_rest.len();
        for (out, b) in out.iter_mut().zip(&b) {
            *out += a_rest.iter().zip(&b[done..]).fold(T::ZERO, |sum, (&a, &b)| sum + a * b);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Serial;

    #[test]
    fn inner_products_at_two_edges() {
        let pattern = Csr::from_edges(2, 2, [(0, 1), (1, 0)]).unwrap();
        let mut out = [0.0; 2];
        sddmm(&Serial, &pattern, &[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0], 2, &mut out);
        assert_eq!(out, [7.0 + 16.0, 15.0 + 24.0]);
    }

    #[test]
    fn a_sum_does_not_depend_on_the_neighbours_of_its_edge() {
        // Seven edges to the same row of `b`: groups of 4, 2 and 1 must agree to the bit.
        let pattern = Csr::from_edges(1, 7, (0..7).map(|col| (0, col))).unwrap();
        let row: Vec<f32> = (0..29).map(|k| 1.0 / (k as f32 + 3.0)).collect();
        let mut out = [0.0; 7];
        sddmm(&Serial, &pattern, &row, &row.repeat(7), 29, &mut out);
        assert!(out.iter().all(|sum| sum.to_bits() == out[0].to_bits()), "{out:?}");
    }
}

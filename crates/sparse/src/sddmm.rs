//! Sampled dense times dense: inner products at the edges.

use std::array::from_fn;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::csr::Csr;
use crate::lanes::{Ahead, dispatch};
use crate::parallel::{Executor, Spans, over};
use crate::scalar::Scalar;
use crate::spmm::walk::Table;

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
    let cost = |row: usize| ptr[row] as usize * width + row;
    over(exec, rows, cost, out, |rows, out| dispatch(Task { pattern, rows, a, b, width, out }));
}

/// A range of rows.
struct Task<'a, T> {
    pattern: &'a Csr,
    rows: Range<usize>,
    a: &'a [T],
    b: &'a [T],
    width: usize,
    out: Spans<'a, T>,
}

impl<T: Scalar> WithSimd for Task<'_, T> {
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

impl<T: Scalar> Task<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const P: usize>(self, simd: S) {
        let Self { pattern, rows, a, b, width, mut out } = self;
        let ahead = Ahead::new(pattern, &rows, b, width);
        let table = Table::new(b, width);
        for (row, out) in rows.zip(out.each()) {
            ahead.ask(pattern.range(row), b);
            let (a, cols) = (&a[row * width..][..width], pattern.row(row));
            row_products::<T, S, P>(simd, a, &table, cols, out);
        }
    }
}

/// Inner products of `a` with rows of `b`. `P` registers hold [`LANES`](crate::lanes::Lanes::LANES) numbers.
#[inline(always)]
pub(crate) fn row_products<T: Scalar, S: Simd, const P: usize>(
    simd: S,
    a: &[T],
    b: &Table<'_, T>,
    cols: &[u32],
    out: &mut [T],
) {
    let whole = a.len() / T::LANES * T::LANES;
    let tail = from_fn(|p| {
        let from = whole + p * T::count::<S>();
        let left = a.len().saturating_sub(from).min(T::count::<S>());
        (left, T::part(simd, &a[a.len().min(from)..][..left]))
    });
    let left = Left { packs: T::packs::<S>(&a[..whole]), tail };
    let at = products::<T, S, P, 4>(simd, &left, b, cols, 0, out);
    products::<T, S, P, 1>(simd, &left, b, cols, at, out);
}

/// The left factor of a row's products: whole groups of lanes, and less than a group, with how many are in a register.
struct Left<'a, T: Scalar, S: Simd, const P: usize> {
    packs: &'a [T::Pack<S>],
    tail: [(usize, T::Pack<S>); P],
}

/// Inner products of `a` with rows of `b`, from edge `at` on by whole groups of `E`; says where it stopped.
#[inline(always)]
fn products<T: Scalar, S: Simd, const P: usize, const E: usize>(
    simd: S,
    a: &Left<'_, T, S, P>,
    b: &Table<'_, T>,
    cols: &[u32],
    mut at: usize,
    out: &mut [T],
) -> usize {
    let (cols, _) = cols[at..].as_chunks::<E>();
    let (outs, _) = out[at..].as_chunks_mut::<E>();
    for (out, &cols) in outs.iter_mut().zip(cols) {
        *out = dots::<T, S, P, E>(simd, a, b, cols);
        at += E;
    }
    at
}

/// Inner products of `a` with rows of `b`.
///
/// Column `c` is added to lane `c mod LANES`, and the lanes are added by halves: the order depends neither on the group
/// nor on how many registers, `P`, hold the lanes.
#[inline(always)]
fn dots<T: Scalar, S: Simd, const P: usize, const E: usize>(
    simd: S,
    a: &Left<'_, T, S, P>,
    b: &Table<'_, T>,
    cols: [u32; E],
) -> [T; E] {
    let mut sums = [[T::splat(simd, T::ZERO); P]; E];
    let (lanes, whole) = (T::count::<S>(), a.packs.len());
    let others: [_; E] =
        from_fn(|e| &T::packs::<S>(&b.data[b.place(cols[e] as usize, 0)..][..whole * lanes])[..whole]);
    for at in (0..whole).step_by(P) {
        for e in 0..E {
            for p in 0..P {
                sums[e][p] = T::plus(simd, sums[e][p], T::times(simd, a.packs[at + p], others[e][at + p]));
            }
        }
    }
    for (p, &(left, a)) in a.tail.iter().enumerate() {
        if left > 0 {
            for (sums, &col) in sums.iter_mut().zip(&cols) {
                let b = T::near(simd, b.data, b.place(col as usize, (whole + p) * lanes), left);
                sums[p] = T::plus(simd, sums[p], T::times(simd, a, T::first(simd, left, b)));
            }
        }
    }
    from_fn(|e| {
        let mut half = P / 2;
        while half > 0 {
            for p in 0..half {
                sums[e][p] = T::plus(simd, sums[e][p], sums[e][p + half]);
            }
            half /= 2;
        }
        T::sum(simd, sums[e][0])
    })
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

//! Reductions over contiguous rows, a query's attention over them, their backward passes, and the best rows.
//!
//! Segment `s` of `x: [n, width]` is rows `ptr[s]..ptr[s + 1]`; `ptr: [segments + 1]` starts at 0, does not descend and
//! ends at `n`. The row pointer of a [`Csr`](crate::Csr) is such a `ptr`: then rows are edges and segments receiving nodes.

mod attend;
mod max;
mod softmax;
mod sum;
mod top;

pub use attend::{Queries, attend, attend_backward};
pub use max::{NO_ROW, max, max_backward};
pub use softmax::{softmax, softmax_backward};
pub use sum::{mean, mean_backward, sum, sum_backward};
pub use top::top;

use pulp::{Simd, WithSimd};

use crate::lanes::dispatch;

/// Checks the ends of `ptr` and the lengths of the per-row and the per-segment slices; gives the number of segments.
fn check(kernel: &str, ptr: &[u32], width: usize, per_row: &[usize], per_segment: &[usize]) -> usize {
    assert!(ptr.first() == Some(&0), "segment::{kernel}: `ptr` must start with 0");
    let (segments, rows) = (ptr.len() - 1, ptr[ptr.len() - 1] as usize);
    for &len in per_row {
        assert_eq!(len, rows * width, "segment::{kernel}: a slice over the rows must be [{rows}, {width}]");
    }
    for &len in per_segment {
        assert_eq!(
            len,
            segments * width,
            "segment::{kernel}: a slice over the segments must be [{segments}, {width}]"
        );
    }
    segments
}

/// The numbers of a segment's rows.
#[inline(always)]
fn rows_of<'a, T>(x: &'a [T], ptr: &[u32], segment: usize, width: usize) -> &'a [T] {
    &x[ptr[segment] as usize * width..ptr[segment + 1] as usize * width]
}

/// Cost of the segments before one.
fn cost(ptr: &[u32], width: usize) -> impl Fn(usize) -> usize {
    move |segment| (ptr[segment] as usize + segment) * width
}

/// A loop over segments or rows; what it calls is inlined.
pub(crate) trait Loop {
    fn run(self, width: usize);
}

/// A loop compiled for each instruction set, and for the widths that matter.
struct Wide<L> {
    width: usize,
    inner: L,
}

impl<L: Loop> WithSimd for Wide<L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self.width {
            1 => self.inner.run(1),
            8 => self.inner.run(8),
            width => self.inner.run(width),
        }
    }
}

pub(crate) fn wide(width: usize, inner: impl Loop) {
    dispatch(Wide { width, inner });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::Serial;

    /// Rows 0–2, none, row 3.
    const PTR: [u32; 4] = [0, 3, 3, 4];
    const X: [f64; 8] = [1.0, 5.0, 4.0, 5.0, 4.0, -9.0, -2.0, 0.0];

    #[test]
    fn reductions_of_four_rows() {
        let mut out = [7.0; 6];
        sum(&Serial, &PTR, &X, 2, &mut out);
        assert_eq!(out, [9.0, 1.0, 0.0, 0.0, -2.0, 0.0]);
        mean(&Serial, &PTR, &X, 2, &mut out);
        assert_eq!(out, [3.0, 1.0 / 3.0, 0.0, 0.0, -2.0, 0.0]);
        let mut argmax = [7; 6];
        max(&Serial, &PTR, &X, 2, &mut out, &mut argmax);
        assert_eq!(out, [4.0, 5.0, 0.0, 0.0, -2.0, 0.0]);
        assert_eq!(argmax, [1, 0, NO_ROW, NO_ROW, 3, 3]);
    }

    #[test]
    fn max_does_not_lose_a_nan() {
        let (mut out, mut argmax) = ([0.0; 2], [0; 2]);
        max(&Serial, &[0, 3], &[1.0, f64::NAN, f64::NAN, 2.0, 3.0, f64::NAN], 2, &mut out, &mut argmax);
        assert!(out.iter().all(|out| out.is_nan()));
        assert_eq!(argmax, [1, 0]);
    }

    #[test]
    fn a_query_finds_the_row_it_points_at() {
        let (mut a, mut y) = ([0.0; 4], [7.0; 6]);
        // ⟨x, q⟩ = 1, 1, 1 | none | 0; equal scores give the mean.
        let queries = Queries {
            ptr: &PTR,
            q: &[1.0, 0.0, 3.0, 3.0, 0.0, 5.0],
            x: &[1.0, 2.0, 1.0, 4.0, 1.0, 6.0, 9.0, 0.0],
            width: 2,
        };
        attend(&Serial, &queries, &mut a, &mut y);
        assert_eq!(a[3], 1.0);
        for (got, want) in y.iter().zip([1.0_f64, 4.0, 0.0, 0.0, 9.0, 0.0]) {
            assert!((got - want).abs() < 1e-15, "{y:?}");
        }
        let large = Queries { ptr: &[0, 2], q: &[1e4], x: &[1.0, -1.0], width: 1 };
        attend(&Serial, &large, &mut a[..2], &mut y[..1]);
        assert_eq!((a[0], a[1], y[0]), (1.0, 0.0, 1.0));
    }

    #[test]
    fn softmax_of_large_numbers_is_finite() {
        let mut out = [0.0_f32; 4];
        softmax(&Serial, &[0, 3, 4], &[1000.0, 1000.0, f32::NEG_INFINITY, -1000.0], 1, &mut out);
        assert_eq!(out, [0.5, 0.5, 0.0, 1.0]);
        let (mut grad, y) = ([0.0; 4], [0.5, 0.5, 0.0, 1.0]);
        softmax_backward(&Serial, &[0, 3, 4], &y, &[1.0, 3.0, 9.0, 9.0], 1, &mut grad);
        assert_eq!(grad, [-0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    #[should_panic(expected = "segment::sum: a slice over the rows must be [4, 2]")]
    fn a_wrong_length_is_named() {
        sum(&Serial, &PTR, &X[..6], 2, &mut [0.0; 6]);
    }
}

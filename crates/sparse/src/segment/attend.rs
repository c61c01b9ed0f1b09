//! Attention of a query over the rows of its segment, in one pass.

use std::ops::Range;

use super::{Loop, check, cost, rows_of, wide};
use crate::lanes::{array, array_mut};
use crate::parallel::{Executor, Rows, Spans, over};
use crate::scalar::Scalar;
use crate::sums::dot;

/// The operands of an attention over segments.
#[derive(Debug, Clone, Copy)]
pub struct Queries<'a, T> {
    /// Which rows belong to which segment: `[segments + 1]`.
    pub ptr: &'a [u32],
    /// A query for each segment: `[segments, width]`.
    pub q: &'a [T],
    /// What is asked and summed: `[n, width]`.
    pub x: &'a [T],
    /// Numbers in a row.
    pub width: usize,
}

impl<T: Scalar> Queries<'_, T> {
    fn check(&self, kernel: &str, per_row: &[usize], per_segment: &[usize]) -> usize {
        let (per_row, per_segment) =
            ([&[self.x.len()], per_row].concat(), [&[self.q.len()], per_segment].concat());
        check(kernel, self.ptr, self.width, &per_row, &per_segment)
    }

    fn query(&self, segment: usize) -> &[T] {
        &self.q[segment * self.width..][..self.width]
    }
}

/// `y_s = Σ_r a_r x_r` over the rows of segment `s`, with `a` the softmax of `⟨x_r, q_s⟩` over them; and `a`, which the
/// backward needs.
///
/// A segment without rows gives 0.
///
/// # Shapes
///
/// `a: [n]`, `y: [segments, width]`.
///
/// # Complexity
///
/// O(n · width), and no number more than the outputs is kept.
///
/// # Panics
///
/// On a slice of another length.
pub fn attend<T: Scalar>(exec: &dyn Executor, queries: &Queries<'_, T>, a: &mut [T], y: &mut [T]) {
    let Queries { ptr, width, .. } = *queries;
    let segments = queries.check("attend", &[a.len() * width], &[y.len()]);
    let pieces = (Spans { data: a, ptr, width: 1 }, Rows { data: y, width });
    over(exec, segments, cost(ptr, 2 * width), pieces, |range, (a, y)| {
        wide(width, Forward { queries, range, a, y: y.data });
    });
}

struct Forward<'a, T> {
    queries: &'a Queries<'a, T>,
    range: Range<usize>,
    a: Spans<'a, T>,
    y: &'a mut [T],
}

impl<T: Scalar> Loop for Forward<'_, T> {
    #[inline(always)]
    fn run(self, width: usize) {
        let Self { queries, range, mut a, y } = self;
        let first = range.start;
        for (segment, a) in range.zip(a.each()) {
            let (q, x) = (queries.query(segment), rows_of(queries.x, queries.ptr, segment, width));
            let y = &mut y[(segment - first) * width..][..width];
            y.fill(T::ZERO);
            if a.is_empty() {
                continue;
            }
            for (r, a) in a.iter_mut().enumerate() {
                *a = dot(&x[r * width..][..width], q);
            }
            softmax(a);
            for (r, &a) in a.iter().enumerate() {
                add(y, a, &x[r * width..][..width]);
            }
        }
    }
}

/// Gradients of [`attend`]: with `g_r = ⟨x_r, grad_s⟩` and `e_r = a_r (g_r − Σ a g)`, they are `dq_s = Σ_r e_r x_r` and
/// `dx_r = a_r grad_s + e_r q_s`.
///
/// # Shapes
///
/// `a: [n]` (of the forward), `grad, dq: [segments, width]`, `dx: [n, width]`.
///
/// # Complexity
///
/// O(n · width); the work space of a task holds the longest segment's `e`.
///
/// # Panics
///
/// On a slice of another length.
pub fn attend_backward<T: Scalar>(
    exec: &dyn Executor,
    queries: &Queries<'_, T>,
    a: &[T],
    grad: &[T],
    dq: &mut [T],
    dx: &mut [T],
) {
    let Queries { ptr, width, .. } = *queries;
    let lengths = [a.len() * width, dx.len()];
    let segments = queries.check("attend_backward", &lengths, &[grad.len(), dq.len()]);
    let pieces = (Rows { data: dq, width }, Spans { data: dx, ptr, width });
    over(exec, segments, cost(ptr, 4 * width), pieces, |range, (dq, dx)| {
        wide(width, Backward { queries, range, a, grad, dq: dq.data, dx });
    });
}

struct Backward<'a, T> {
    queries: &'a Queries<'a, T>,
    range: Range<usize>,
    a: &'a [T],
    grad: &'a [T],
    dq: &'a mut [T],
    dx: Spans<'a, T>,
}

impl<T: Scalar> Loop for Backward<'_, T> {
    #[inline(always)]
    fn run(self, width: usize) {
        let Self { queries, range, a, grad, dq, mut dx } = self;
        let (ptr, first) = (queries.ptr, range.start);
        let mut e = Vec::new();
        for (segment, dx) in range.zip(dx.each()) {
            let (q, x) = (queries.query(segment), rows_of(queries.x, ptr, segment, width));
            let (a, grad) = (rows_of(a, ptr, segment, 1), &grad[segment * width..][..width]);
            let dq = &mut dq[(segment - first) * width..][..width];
            dq.fill(T::ZERO);
            e.clear();
            e.extend((0..a.len()).map(|r| dot(&x[r * width..][..width], grad)));
            let mean = a.iter().zip(&e).fold(T::ZERO, |sum, (&a, &g)| sum + a * g);
            for (r, (&a, &g)) in a.iter().zip(&e).enumerate() {
                let e = a * (g - mean);
                add(dq, e, &x[r * width..][..width]);
                let dx = &mut dx[r * width..][..width];
                dx.fill(T::ZERO);
                add(dx, a, grad);
                add(dx, e, q);
            }
        }
    }
}

/// Numbers that are added side by side.
const LANES: usize = 16;

/// `y += a x`.
#[inline(always)]
fn add<T: Scalar>(y: &mut [T], a: T, x: &[T]) {
    let whole = y.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        let (y, x) = (array_mut::<T, LANES>(y, at), array::<T, LANES>(x, at));
        for lane in 0..LANES {
            y[lane] += a * x[lane];
        }
    }
    for (y, &x) in y[whole..].iter_mut().zip(&x[whole..]) {
        *y += a * x;
    }
}

/// Softmax of numbers that are there.
#[inline(always)]
fn softmax<T: Scalar>(a: &mut [T]) {
    let largest = a.iter().fold(a[0], |largest, &a| if a > largest { a } else { largest });
    for a in &mut *a {
        *a = (*a - largest).exp();
    }
    let sum = a.iter().fold(T::ZERO, |sum, &a| sum + a);
    for a in a {
        *a /= sum;
    }
}

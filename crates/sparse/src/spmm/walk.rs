//! The one loop of all products of a sparse matrix with dense rows.
//!
//! A strip of columns stays in registers while the edges of a row are walked; then it is finished and written, once.
//! Each number of the result is a sum in edge order, whatever the strip.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::act::Act;
use crate::csr::Csr;
use crate::lanes::{Ahead, dispatch};
use crate::parallel::{Executor, Pieces, Rows, over};
use crate::pattern::Pattern;
use crate::scalar::Scalar;

/// `y_i = finish(start_i + Σ_edges weight x_col)`
pub(crate) struct Walk<'a, T> {
    pub(crate) a: &'a Csr,
    pub(crate) weights: Weights<'a, T>,
    /// Its first `width` columns are multiplied.
    pub(crate) x: Table<'a, T>,
    pub(crate) width: usize,
    pub(crate) start: Start<'a, T>,
    pub(crate) finish: Finish<'a, T>,
    /// Copied beside the result: `y_i = [.. | row i]`.
    pub(crate) beside: Option<&'a [T]>,
}

/// Rows of numbers, each `stride` after the one before, the first at `from`.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) stride: usize,
    pub(crate) from: usize,
}

impl<'a, T> Table<'a, T> {
    /// `[_, width]`
    pub(crate) fn new(data: &'a [T], width: usize) -> Self {
        Self { data, stride: width, from: 0 }
    }

    /// Where column `at` of a row stands.
    #[inline(always)]
    pub(crate) fn place(&self, row: usize, at: usize) -> usize {
        row * self.stride + self.from + at
    }
}

/// The weights of the edges of the matrix walked.
pub(crate) enum Weights<'a, T> {
    /// 1
    One,
    /// In edge order.
    Given(&'a [T]),
    /// Those of its transpose, and which edge of that each edge is.
    Moved { values: &'a [T], edge: &'a [u32] },
    /// One over the length of the row of this matrix that has the number of the edge's column.
    Share(&'a Csr),
}

impl<'a, T> Weights<'a, T> {
    /// Those of `A`, if there are any.
    pub(crate) fn of(values: Option<&'a [T]>) -> Self {
        values.map_or(Self::One, Self::Given)
    }

    /// Those of `A` along `Aᵀ`.
    pub(crate) fn transposed(a: &'a Pattern, values: Option<&'a [T]>) -> Self {
        values.map_or(Self::One, |values| Self::Moved { values, edge: a.transposed_edge() })
    }
}

/// What is in a row before the edges are added.
pub(crate) enum Start<'a, T> {
    Zero,
    /// `factor` times the row.
    Row {
        factor: T,
        rows: Table<'a, T>,
    },
}

/// What is done to a row after the edges are added.
pub(crate) enum Finish<'a, T> {
    Keep,
    /// Divided by the number of edges, if there are any.
    Mean,
    /// `act(row + bias)`, for the identity and ReLU
    Act {
        bias: Option<&'a [T]>,
        act: Act,
    },
}

// No `map` over arrays of registers below: it is not inlined, and then compiled for the oldest machine.

/// Edges whose weights are looked up together: their loads overlap, and the weights stay in the first level of cache.
const GROUP: usize = 512;

impl<T: Scalar> Walk<'_, T> {
    /// Fills `y: [rows, width]`, or `[rows, 2 width]` with a row beside.
    pub(crate) fn run(&self, exec: &dyn Executor, y: &mut [T]) {
        if self.width == 0 {
            return;
        }
        let ptr = self.a.row_ptr();
        let y_width = if self.beside.is_some() { 2 * self.width } else { self.width };
        let cost = |row: usize| (ptr[row] as usize + row) * self.width;
        over(exec, self.a.rows(), cost, Rows { data: y, width: y_width }, |rows, piece| match self.weights {
            Weights::One => dispatch(Task { walk: self, rows, weights: None, y: piece }),
            Weights::Given(weights) => {
                let weights = &weights[ptr[rows.start] as usize..ptr[rows.end] as usize];
                dispatch(Task { walk: self, rows, weights: Some(weights), y: piece });
            }
            Weights::Moved { values, edge } => self.grouped(rows, piece, |edges, weights| {
                weights.extend(edge[edges].iter().map(|&edge| values[edge as usize]));
            }),
            Weights::Share(of) => self.grouped(rows, piece, |edges, weights| {
                let rows = self.a.col()[edges].iter();
                weights.extend(rows.map(|&row| T::ONE / T::from_count(of.range(row as usize).len())));
            }),
        });
    }

    /// Runs with weights that `look` appends for a range of edges, by groups of whole rows.
    fn grouped(&self, rows: Range<usize>, mut piece: Rows<'_, T>, look: impl Fn(Range<usize>, &mut Vec<T>)) {
        let ptr = self.a.row_ptr();
        let mut weights = Vec::new();
        let mut start = rows.start;
        while start < rows.end {
            let full = |&end: &u32| ((end - ptr[start]) as usize) < GROUP;
            let more = ptr[start + 1..rows.end].iter().take_while(|end| full(end)).count();
            let end = start + 1 + more;
            let (group, rest) = piece.split(end - start);
            piece = rest;
            weights.clear();
            look(ptr[start] as usize..ptr[end] as usize, &mut weights);
            dispatch(Task { walk: self, rows: start..end, weights: Some(&weights), y: group });
            start = end;
        }
    }
}

/// A range of rows, with the weights of their edges.
struct Task<'a, T> {
    walk: &'a Walk<'a, T>,
    rows: Range<usize>,
    weights: Option<&'a [T]>,
    y: Rows<'a, T>,
}

impl<T: Scalar> WithSimd for Task<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { walk, rows, weights, y } = self;
        let (ptr, col) = (walk.a.row_ptr(), walk.a.col());
        let (first, x) = (ptr[rows.start] as usize, walk.x);
        let ahead = Ahead::within(walk.a, col, &rows, x.data, [x.stride, x.from, walk.width]);
        for (row, y) in rows.zip(y.data.chunks_exact_mut(y.width)) {
            let (start, end) = (ptr[row] as usize, ptr[row + 1] as usize);
            ahead.ask(start..end, x.data);
            let edges = Edges {
                row,
                col: &col[start..end],
                weights: weights.map(|w| &w[start - first..end - first]),
            };
            let (y, rest) = y.split_at_mut(walk.width);
            walk.row(simd, &edges, y);
            if let Some(x) = walk.beside {
                rest.copy_from_slice(&x[row * walk.width..][..walk.width]);
            }
        }
    }
}

/// The edges of a row.
pub(crate) struct Edges<'a, T> {
    pub(crate) row: usize,
    pub(crate) col: &'a [u32],
    pub(crate) weights: Option<&'a [T]>,
}

/// `R` registers of a row.
trait Strip<T: Scalar, S: Simd, const R: usize>: Copy {
    fn load(self, simd: S, x: &[T], at: usize) -> [T::Pack<S>; R];
    fn store(self, simd: S, y: &mut [T], at: usize, packs: [T::Pack<S>; R]);
}

#[derive(Clone, Copy)]
struct Whole;

impl<T: Scalar, S: Simd, const R: usize> Strip<T, S, R> for Whole {
    #[inline(always)]
    fn load(self, _: S, x: &[T], at: usize) -> [T::Pack<S>; R] {
        let packs = T::packs::<S>(&x[at..][..R * T::count::<S>()]);
        std::array::from_fn(|r| packs[r])
    }

    #[inline(always)]
    fn store(self, _: S, y: &mut [T], at: usize, packs: [T::Pack<S>; R]) {
        T::packs_mut::<S>(&mut y[at..][..R * T::count::<S>()]).copy_from_slice(&packs);
    }
}

/// Less than a register; what stands in the rest of it is not stored.
#[derive(Clone, Copy)]
struct Tail(usize);

impl<T: Scalar, S: Simd> Strip<T, S, 1> for Tail {
    #[inline(always)]
    fn load(self, simd: S, x: &[T], at: usize) -> [T::Pack<S>; 1] {
        [T::near(simd, x, at, self.0)]
    }

    #[inline(always)]
    fn store(self, simd: S, y: &mut [T], at: usize, [pack]: [T::Pack<S>; 1]) {
        T::put_part(simd, &mut y[at..][..self.0], pack);
    }
}

impl<T: Scalar> Walk<'_, T> {
    /// One row of the result.
    #[inline(always)]
    pub(crate) fn row<S: Simd>(&self, simd: S, edges: &Edges<'_, T>, y: &mut [T]) {
        let mut at = 0;
        while y.len() - at >= 8 * T::count::<S>() {
            self.strip::<S, 8>(simd, Whole, edges, at, y);
            at += 8 * T::count::<S>();
        }
        if y.len() - at >= 4 * T::count::<S>() {
            self.strip::<S, 4>(simd, Whole, edges, at, y);
            at += 4 * T::count::<S>();
        }
        if y.len() - at >= 2 * T::count::<S>() {
            self.strip::<S, 2>(simd, Whole, edges, at, y);
            at += 2 * T::count::<S>();
        }
        if y.len() - at >= T::count::<S>() {
            self.strip::<S, 1>(simd, Whole, edges, at, y);
            at += T::count::<S>();
        }
        if at == y.len() {
        } else if at == 0 {
            self.strip::<S, 1>(simd, Tail(y.len()), edges, 0, y);
        } else {
            // Some columns once more.
            self.strip::<S, 1>(simd, Whole, edges, y.len() - T::count::<S>(), y);
        }
    }

    #[inline(always)]
    fn strip<S: Simd, const R: usize>(
        &self,
        simd: S,
        strip: impl Strip<T, S, R>,
        edges: &Edges<'_, T>,
        at: usize,
        y: &mut [T],
    ) {
        let mut sum = match &self.start {
            Start::Zero => [T::splat(simd, T::ZERO); R],
            Start::Row { factor, rows } => {
                let factor = T::splat(simd, *factor);
                let mut sum = strip.load(simd, rows.data, rows.place(edges.row, at));
                for x in &mut sum {
                    *x = T::times(simd, factor, *x);
                }
                sum
            }
        };
        let x = &self.x;
        match edges.weights {
            Some(weights) => {
                for (&col, &weight) in edges.col.iter().zip(weights) {
                    let weight = T::splat(simd, weight);
                    let terms = strip.load(simd, x.data, x.place(col as usize, at));
                    for (sum, term) in sum.iter_mut().zip(terms) {
                        *sum = T::plus(simd, *sum, T::times(simd, weight, term));
                    }
                }
            }
            None => {
                for &col in edges.col {
                    let terms = strip.load(simd, x.data, x.place(col as usize, at));
                    for (sum, term) in sum.iter_mut().zip(terms) {
                        *sum = T::plus(simd, *sum, term);
                    }
                }
            }
        }
        match self.finish {
            Finish::Keep => {}
            Finish::Mean => {
                let share = T::splat(simd, T::ONE / T::from_count(edges.col.len().max(1)));
                for sum in &mut sum {
                    *sum = T::times(simd, share, *sum);
                }
            }
            Finish::Act { bias, act } => {
                if let Some(bias) = bias {
                    for (sum, bias) in sum.iter_mut().zip(strip.load(simd, bias, at)) {
                        *sum = T::plus(simd, *sum, bias);
                    }
                }
                if act == Act::Relu {
                    for sum in &mut sum {
                        *sum = T::relu(simd, *sum);
                    }
                }
            }
        }
        strip.store(simd, y, at, sum);
    }
}

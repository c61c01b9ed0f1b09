//! Sums of rows whose columns are weighted head by head.

use pulp::Simd;

use crate::csr::Csr;
use crate::scalar::Scalar;
use crate::spmm::plain;
use crate::spmm::walk::{Edges, Table, Walk, Weights};

/// `y_h = Σ_j weight_jh x_jh`.
pub(super) struct Blocks<'a, T> {
    x: &'a [T],
    heads: usize,
    width: usize,
    /// A walk for each head.
    walks: Vec<Walk<'a, T>>,
    /// The weights of a head.
    weights: Vec<T>,
}

impl<'a, T: Scalar> Blocks<'a, T> {
    /// Over the edges of `a`, of `x: [_, heads · width]`.
    pub(super) fn new(a: &'a Csr, x: &'a [T], [heads, width]: [usize; 2]) -> Self {
        let of = |head| Walk {
            x: Table { data: x, stride: heads * width, from: head * width },
            ..plain(a, Weights::One, x, width)
        };
        Self { x, heads, width, walks: (0..heads).map(of).collect(), weights: Vec::new() }
    }

    /// One row of the result, with `weights: [edges, heads]`.
    #[inline(always)]
    pub(super) fn row<S: Simd>(&mut self, simd: S, col: &[u32], weights: &[T], y: &mut [T]) {
        let count = T::count::<S>();
        if !self.width.is_multiple_of(count) {
            return self.head_by_head(simd, col, weights, y);
        }
        let (mut at, all) = (0, y.len() / count);
        while all - at >= 8 {
            self.strip::<S, 8>(simd, col, weights, at, y);
            at += 8;
        }
        if all - at >= 4 {
            self.strip::<S, 4>(simd, col, weights, at, y);
            at += 4;
        }
        if all - at >= 2 {
            self.strip::<S, 2>(simd, col, weights, at, y);
            at += 2;
        }
        if all > at {
            self.strip::<S, 1>(simd, col, weights, at, y);
        }
    }

    /// Registers `at..at + R` of a row, each inside of a head.
    #[inline(always)]
    fn strip<S: Simd, const R: usize>(&self, simd: S, col: &[u32], weights: &[T], at: usize, y: &mut [T]) {
        let (count, all) = (T::count::<S>(), self.heads * self.width);
        let mut head = [0; R];
        for (r, head) in head.iter_mut().enumerate() {
            *head = (at + r) * count / self.width;
        }
        let mut sum = [T::splat(simd, T::ZERO); R];
        for (&col, weights) in col.iter().zip(weights.chunks_exact(self.heads)) {
            let terms = T::packs::<S>(&self.x[col as usize * all + at * count..][..R * count]);
            for ((sum, term), &head) in sum.iter_mut().zip(terms).zip(&head) {
                *sum = T::plus(simd, *sum, T::times(simd, T::splat(simd, weights[head]), *term));
            }
        }
        T::packs_mut::<S>(&mut y[at * count..][..R * count]).copy_from_slice(&sum);
    }

    /// Where a register would reach over the end of a head.
    #[inline(always)]
    fn head_by_head<S: Simd>(&mut self, simd: S, col: &[u32], weights: &[T], y: &mut [T]) {
        for (head, walk) in self.walks.iter().enumerate() {
            self.weights.clear();
            self.weights.extend(weights.iter().skip(head).step_by(self.heads));
            let edges = Edges { row: 0, col, weights: Some(&self.weights) };
            walk.row(simd, &edges, &mut y[head * self.width..][..self.width]);
        }
    }
}

//! One pass over matrices of the same shape, with sums over their rows.

use std::array::from_fn;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::lanes::{array, array_mut, dispatch, strips};
use crate::parallel::{Executor, Pieces, Rows, over};
use crate::scalar::Scalar;

/// How matrices `[n, width]` are walked: by tiles of whole rows, and by blocks of whole tiles.
///
/// Narrow rows are taken several at a time, so that a tile fills vector registers. Neither size depends on the
/// executor, so neither do sums: a block's are kept apart for each row of a tile, added when it ends, and blocks are
/// added in order.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    width: usize,
    /// Numbers in a tile.
    tile: usize,
    /// Numbers in a block.
    block: usize,
    /// Numbers in all.
    len: usize,
}

/// Numbers in a tile, or about that.
const TILE: usize = 256;

/// Numbers in a block, or about that: several matrices of it stay in the nearest caches, and a small batch has blocks for
/// more than one thread.
const BLOCK: usize = 8_192;

impl Grid {
    /// `width` is not 0.
    pub(super) fn new(width: usize, len: usize) -> Self {
        let tile = width * (TILE / width).max(1);
        Self { width, tile, block: tile * (BLOCK / tile).max(1), len }
    }

    pub(super) fn rows(&self) -> usize {
        self.len / self.width
    }

    pub(super) fn blocks(&self) -> usize {
        self.len.div_ceil(self.block)
    }

    /// The numbers of a block.
    pub(super) fn block(&self, block: usize) -> Range<usize> {
        block * self.block..self.len.min((block + 1) * self.block)
    }

    /// A number for each column, repeated over the rows of a tile.
    pub(super) fn tiled<T: Scalar>(&self, columns: impl Fn(usize) -> T) -> Vec<T> {
        let row: Vec<T> = (0..self.width).map(columns).collect();
        row.repeat(self.tile / self.width)
    }

    /// Calls `body` for each block, with its part of `outs`.
    pub(super) fn each_block<P: Pieces>(&self, exec: &dyn Executor, outs: P, body: impl Fn(usize, P) + Sync) {
        let cost = |block: usize| self.len.min(block * self.block);
        over(exec, self.blocks(), cost, outs, |range, mut rest| {
            for block in range {
                let (piece, tail) = rest.split(1);
                rest = tail;
                body(block, piece);
            }
        });
    }

    /// `y = f(ins, columns)` throughout.
    pub(super) fn map<T: Scalar, const I: usize, const C: usize>(
        &self,
        exec: &dyn Executor,
        ins: [&[T]; I],
        columns: [&[T]; C],
        y: &mut [T],
        f: impl Fn([T; I], [T; C]) -> T + Copy + Sync,
    ) {
        self.each_block(exec, self.pieces(y), |block, y| self.map_block(block, ins, columns, y.data, f));
    }

    /// `y = f(ins, columns)` in a block, of which `y` is given.
    pub(super) fn map_block<T: Scalar, const I: usize, const C: usize>(
        &self,
        block: usize,
        ins: [&[T]; I],
        columns: [&[T]; C],
        y: &mut [T],
        f: impl Fn([T; I], [T; C]) -> T,
    ) {
        let numbers = self.block(block);
        dispatch(Map { tile: self.tile, ins: ins.map(|x| &x[numbers.clone()]), columns, y, f });
    }

    /// In place `y = f(y, columns)`.
    pub(super) fn update<T: Scalar, const C: usize>(
        &self,
        exec: &dyn Executor,
        columns: [&[T]; C],
        y: &mut [T],
        f: impl Fn(T, [T; C]) -> T + Copy + Sync,
    ) {
        self.each_block(exec, self.pieces(y), |_, y| {
            dispatch(Update { tile: self.tile, columns, y: y.data, f });
        });
    }

    /// Sums of what `f(ins, columns)` gives over the rows of a block.
    pub(super) fn sum_block<T: Scalar, const I: usize, const C: usize, const K: usize>(
        &self,
        block: usize,
        ins: [&[T]; I],
        columns: [&[T]; C],
        outs: [&mut [T]; K],
        f: impl Fn([T; I], [T; C]) -> [T; K],
    ) {
        let numbers = self.block(block);
        self.sum_within(ins.map(|x| &x[numbers.clone()]), columns, outs, f);
    }

    /// Sums of what `f(ins, columns)` gives over the rows of matrices of no more than a block.
    pub(super) fn sum_within<T: Scalar, const I: usize, const C: usize, const K: usize>(
        &self,
        ins: [&[T]; I],
        columns: [&[T]; C],
        outs: [&mut [T]; K],
        f: impl Fn([T; I], [T; C]) -> [T; K],
    ) {
        let mut sums = vec![T::ZERO; K * self.tile];
        dispatch(Sum { tile: self.tile, ins, columns, sums: &mut sums, f });
        for (out, sums) in outs.into_iter().zip(sums.chunks_exact(self.tile)) {
            out.fill(T::ZERO);
            for row in sums.chunks_exact(self.width) {
                for (out, &x) in out.iter_mut().zip(row) {
                    *out += x;
                }
            }
        }
    }

    /// What `body` gives for each block, `[width]` numbers `K` times over, added over the blocks.
    pub(super) fn total<T: Scalar, P: Pieces, const K: usize>(
        &self,
        exec: &dyn Executor,
        outs: P,
        body: impl Fn(usize, [&mut [T]; K], P) + Sync,
    ) -> [Vec<f64>; K] {
        let mut partial = vec![T::ZERO; self.blocks() * K * self.width];
        let pieces = (Rows { data: &mut partial, width: K * self.width }, outs);
        self.each_block(exec, pieces, |block, (partial, outs)| {
            let mut rest = partial.data;
            let partial = from_fn(|_| {
                let (head, tail) = std::mem::take(&mut rest).split_at_mut(self.width);
                rest = tail;
                head
            });
            body(block, partial, outs);
        });
        let rows = |k| partial.chunks_exact(self.width).skip(k).step_by(K);
        from_fn(|k| {
            let mut total = vec![0.0; self.width];
            for partial in rows(k) {
                for (total, partial) in total.iter_mut().zip(partial) {
                    *total += partial.to_f64();
                }
            }
            total
        })
    }

    /// A matrix, to be cut between blocks.
    pub(super) fn pieces<'a, T>(&self, data: &'a mut [T]) -> Blocks<'a, T> {
        Blocks { data, size: self.block }
    }
}

/// `f(ins, columns)` for numbers side by side.
#[inline(always)]
fn strip<T: Scalar, const I: usize, const C: usize, const N: usize>(
    ins: [&[T; N]; I],
    columns: [&[T; N]; C],
    f: &impl Fn([T; I], [T; C]) -> T,
) -> [T; N] {
    let mut y = [T::ZERO; N];
    for j in 0..N {
        y[j] = f(from_fn(|k| ins[k][j]), from_fn(|k| columns[k][j]));
    }
    y
}

/// `sums += f(ins, columns)` for numbers side by side.
#[inline(always)]
fn add_strip<T: Scalar, const I: usize, const C: usize, const K: usize, const N: usize>(
    ins: [&[T; N]; I],
    columns: [&[T; N]; C],
    f: &impl Fn([T; I], [T; C]) -> [T; K],
    mut sums: [[T; N]; K],
) -> [[T; N]; K] {
    for j in 0..N {
        let terms = f(from_fn(|k| ins[k][j]), from_fn(|k| columns[k][j]));
        for k in 0..K {
            sums[k][j] += terms[k];
        }
    }
    sums
}

/// `y = f(ins, columns)` for each number of a block.
struct Map<'a, T, F, const I: usize, const C: usize> {
    tile: usize,
    ins: [&'a [T]; I],
    columns: [&'a [T]; C],
    y: &'a mut [T],
    f: F,
}

impl<T: Scalar, F: Fn([T; I], [T; C]) -> T, const I: usize, const C: usize> WithSimd for Map<'_, T, F, I, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (tile, y) in self.y.chunks_mut(self.tile).enumerate() {
            let start = tile * self.tile;
            strips!(y.len(), at, N in [64, 8, 1] => {
                let ins = from_fn(|k| array::<T, N>(self.ins[k], start + at));
                let columns = from_fn(|k| array::<T, N>(self.columns[k], at));
                *array_mut(y, at) = strip(ins, columns, &self.f);
            });
        }
    }
}

/// `y = f(y, columns)` for each number of a block.
struct Update<'a, T, F, const C: usize> {
    tile: usize,
    columns: [&'a [T]; C],
    y: &'a mut [T],
    f: F,
}

impl<T: Scalar, F: Fn(T, [T; C]) -> T, const C: usize> WithSimd for Update<'_, T, F, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for y in self.y.chunks_mut(self.tile) {
            strips!(y.len(), at, N in [64, 8, 1] => {
                let columns = from_fn(|k| array::<T, N>(self.columns[k], at));
                *array_mut(y, at) = strip([array::<T, N>(y, at)], columns, &|[y], columns| (self.f)(y, columns));
            });
        }
    }
}

/// `sums += f(ins, columns)` over the tiles of a block; `sums: [K, tile]`.
struct Sum<'a, T, F, const I: usize, const C: usize> {
    tile: usize,
    ins: [&'a [T]; I],
    columns: [&'a [T]; C],
    sums: &'a mut [T],
    f: F,
}

impl<T: Scalar, F, const I: usize, const C: usize, const K: usize> WithSimd for Sum<'_, T, F, I, C>
where
    F: Fn([T; I], [T; C]) -> [T; K],
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let len = self.ins[0].len();
        let (tile, whole) = (self.tile, len - len % self.tile);
        // Strip by strip over all tiles, so that sums stay in registers.
        strips!(tile, at, N in [64, 8, 1] => {
            let columns = from_fn(|k| array::<T, N>(self.columns[k], at));
            let mut sums = [[T::ZERO; N]; K];
            for start in (0..whole).step_by(tile) {
                let ins = from_fn(|k| array::<T, N>(self.ins[k], start + at));
                sums = add_strip(ins, columns, &self.f, sums);
            }
            for (k, sums) in sums.into_iter().enumerate() {
                *array_mut(self.sums, k * tile + at) = sums;
            }
        });
        strips!(len - whole, at, N in [64, 8, 1] => {
            let columns = from_fn(|k| array::<T, N>(self.columns[k], at));
            let ins = from_fn(|k| array::<T, N>(self.ins[k], whole + at));
            let before = from_fn(|k| *array::<T, N>(self.sums, k * tile + at));
            for (k, sums) in add_strip(ins, columns, &self.f, before).into_iter().enumerate() {
                *array_mut(self.sums, k * tile + at) = sums;
            }
        });
    }
}

/// Item `i` owns block `i`, of which the last may be short.
pub(super) struct Blocks<'a, T> {
    pub(super) data: &'a mut [T],
    size: usize,
}

impl<T: Send> Pieces for Blocks<'_, T> {
    fn split(self, items: usize) -> (Self, Self) {
        let (head, tail) = self.data.split_at_mut(self.data.len().min(items * self.size));
        (Self { data: head, size: self.size }, Self { data: tail, size: self.size })
    }
}

impl Pieces for () {
    fn split(self, _: usize) -> (Self, Self) {
        ((), ())
    }
}

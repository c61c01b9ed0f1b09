//! Vector registers of a [`Scalar`](crate::Scalar), and the choice of instruction set at run time.
//!
//! Products are rounded before they are added (no fused multiply–add) and no reduction depends on the width of a
//! register, so that the instruction set does not show in a result.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use crate::csr::Csr;
use crate::scalar::Scalar;

/// A number that fills vector registers.
pub trait Lanes: Copy + 'static {
    /// A register of an instruction set.
    type Pack<S: Simd>: Copy;

    /// Partial sums kept side by side: as many as the widest register holds.
    const LANES: usize;

    /// A number and its place, by falling number and rising place.
    type Rank: Ord + Copy + Send;

    /// Smaller for a larger number, smaller for a lower place; a NaN is larger than every number.
    fn rank(self, place: u32) -> Self::Rank;

    /// The place of a rank.
    fn place(rank: Self::Rank) -> u32;

    /// Numbers in a register, at most [`LANES`](Self::LANES).
    fn count<S: Simd>() -> usize;

    /// The same number throughout.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Pack<S>;

    /// `a + b`
    fn plus<S: Simd>(simd: S, a: Self::Pack<S>, b: Self::Pack<S>) -> Self::Pack<S>;

    /// `a b`
    fn times<S: Simd>(simd: S, a: Self::Pack<S>, b: Self::Pack<S>) -> Self::Pack<S>;

    /// `max(x, 0)`; NaN stays NaN.
    fn relu<S: Simd>(simd: S, x: Self::Pack<S>) -> Self::Pack<S>;

    /// Sum by halves: the upper half is added to the lower.
    fn sum<S: Simd>(simd: S, x: Self::Pack<S>) -> Self;

    /// Whole registers from the start of a slice.
    fn packs<S: Simd>(x: &[Self]) -> &[Self::Pack<S>];

    /// Whole registers from the start of a slice.
    fn packs_mut<S: Simd>(x: &mut [Self]) -> &mut [Self::Pack<S>];

    /// The first numbers of a register, zeros after them.
    fn first<S: Simd>(simd: S, numbers: usize, x: Self::Pack<S>) -> Self::Pack<S>;

    /// Up to a register, zeros after the end. Slow: a call.
    fn part<S: Simd>(simd: S, x: &[Self]) -> Self::Pack<S>;

    /// `x[at..at + numbers]`, less than a register, whatever stands after them.
    #[inline(always)]
    fn near<S: Simd>(simd: S, x: &[Self], at: usize, numbers: usize) -> Self::Pack<S> {
        match x.get(at..at + Self::count::<S>()) {
            Some(more) => Self::packs::<S>(more)[0],
            None => Self::part(simd, &x[at..][..numbers]),
        }
    }

    /// The first numbers of a register, as many as fit.
    fn put_part<S: Simd>(simd: S, x: &mut [Self], pack: Self::Pack<S>);
}

macro_rules! lanes {
    ($float:ty, $bits:ty, $rank:ty, $lanes:literal, $pack:ident, $count:ident, $splat:ident, $add:ident, $mul:ident, $less:ident, $select:ident, $mask:ident,
     $packs:ident, $packs_mut:ident, $part:ident, $put_part:ident, $sum:ident) => {
        impl Lanes for $float {
            type Pack<S: Simd> = S::$pack;

            const LANES: usize = $lanes;

            type Rank = $rank;

            #[inline(always)]
            fn rank(self, place: u32) -> $rank {
                // As unsigned integers, positive numbers ascend and negative ones descend.
                const SIGN: $bits = 1 << (<$bits>::BITS - 1);
                let bits = self.to_bits();
                let falling = if bits & SIGN == 0 { !(bits | SIGN) } else { bits };
                let falling = if self.is_nan() { 0 } else { falling };
                <$rank>::from(falling) << 32 | <$rank>::from(place)
            }

            #[inline(always)]
            fn place(rank: $rank) -> u32 {
                rank as u32
            }

            #[inline(always)]
            fn count<S: Simd>() -> usize {
                S::$count
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> Self::Pack<S> {
                simd.$splat(x)
            }

            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: Self::Pack<S>, b: Self::Pack<S>) -> Self::Pack<S> {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn times<S: Simd>(simd: S, a: Self::Pack<S>, b: Self::Pack<S>) -> Self::Pack<S> {
                simd.$mul(a, b)
            }

            #[inline(always)]
            fn relu<S: Simd>(simd: S, x: Self::Pack<S>) -> Self::Pack<S> {
                let zero = simd.$splat(0.0);
                simd.$select(simd.$less(x, zero), zero, x)
            }

            #[inline(always)]
            fn sum<S: Simd>(simd: S, x: Self::Pack<S>) -> Self {
                simd.$sum(x)
            }

            #[inline(always)]
            fn packs<S: Simd>(x: &[Self]) -> &[Self::Pack<S>] {
                S::$packs(x).0
            }

            #[inline(always)]
            fn packs_mut<S: Simd>(x: &mut [Self]) -> &mut [Self::Pack<S>] {
                S::$packs_mut(x).0
            }

            #[inline(always)]
            fn first<S: Simd>(simd: S, numbers: usize, x: Self::Pack<S>) -> Self::Pack<S> {
                simd.$select(simd.$mask(0, numbers as $bits).mask(), x, simd.$splat(0.0))
            }

            #[inline(always)]
            fn part<S: Simd>(simd: S, x: &[Self]) -> Self::Pack<S> {
                simd.$part(x)
            }

            #[inline(always)]
            fn put_part<S: Simd>(simd: S, x: &mut [Self], pack: Self::Pack<S>) {
                simd.$put_part(x, pack);
            }
        }
    };
}

lanes!(
    f32,
    u32,
    u64,
    16,
    f32s,
    F32_LANES,
    splat_f32s,
    add_f32s,
    mul_f32s,
    less_than_f32s,
    select_f32s,
    mask_between_m32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    partial_load_f32s,
    partial_store_f32s,
    reduce_sum_f32s
);
lanes!(
    f64,
    u64,
    u128,
    8,
    f64s,
    F64_LANES,
    splat_f64s,
    add_f64s,
    mul_f64s,
    less_than_f64s,
    select_f64s,
    mask_between_m64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    partial_load_f64s,
    partial_store_f64s,
    reduce_sum_f64s
);

/// Runs `task` with the widest registers this machine has.
#[inline]
pub(crate) fn dispatch<Op: WithSimd>(task: Op) -> Op::Output {
    match machine() {
        // No vector registers known of: arrays that the compiler may keep in those it assumes.
        Arch::Scalar => task.with_simd(pulp::Scalar256b),
        arch => arch.dispatch(task),
    }
}

#[cfg(not(test))]
fn machine() -> Arch {
    Arch::new()
}

#[cfg(test)]
fn machine() -> Arch {
    tests::FORCED.get().unwrap_or_default()
}

/// Asks for the cache lines of `x[at..at + len]`, or as many as exist.
#[inline(always)]
fn prefetch<T>(x: &[T], at: usize, len: usize) {
    #[cfg(target_arch = "x86_64")]
    if let (Some(sse), Some(x)) = (pulp::core_arch::x86::Sse::try_new(), x.get(at..at + len)) {
        const NEAREST: i32 = 3; // into all levels of cache
        for line in x.chunks(64 / size_of::<T>().max(1)) {
            sse._mm_prefetch::<NEAREST>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (x, at, len);
}

/// Runs a body along `0..len`, by the sizes from the first to the last while they fit; in it the size is a constant, so
/// that arrays of it need no check. The last size is 1.
macro_rules! strips {
    ($len:expr, $at:ident, $size:ident in [$($sizes:literal),*] => $body:expr) => {
        let (len, mut $at) = ($len, 0);
        $(while len - $at >= $sizes {
            const $size: usize = $sizes;
            $body;
            $at += $size;
        })*
    };
}
pub(crate) use strips;

/// `x[at..at + N]`
#[inline(always)]
pub(crate) fn array<T, const N: usize>(x: &[T], at: usize) -> &[T; N] {
    x[at..].first_chunk().expect("within the slice")
}

/// `x[at..at + N]`
#[inline(always)]
pub(crate) fn array_mut<T, const N: usize>(x: &mut [T], at: usize) -> &mut [T; N] {
    x[at..].first_chunk_mut().expect("within the slice")
}

/// `f` of each place: a plain loop, which becomes vector instructions where `std::array::from_fn` does not.
#[inline(always)]
pub(crate) fn each<T: Scalar, const N: usize>(f: impl Fn(usize) -> T) -> [T; N] {
    let mut out = [T::ZERO; N];
    for (place, out) in out.iter_mut().enumerate() {
        *out = f(place);
    }
    out
}

/// Rows of a matrix asked for some edges before they are needed, if the matrix is too large to stay near.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<'a> {
    /// The row each of a task's edges needs, and how many edges stand before.
    needed: &'a [u32],
    first: usize,
    stride: usize,
    from: usize,
    len: usize,
}

impl<'a> Ahead<'a> {
    /// Bytes from which on a matrix is far: less stays in the second level of cache.
    const FAR: usize = 1 << 20;

    /// How many edges before.
    const EDGES: usize = 12;

    /// For a walk over `rows` of `a` that needs row `j` of `[_, width]` at an edge `(i, j)`.
    pub(crate) fn new<T>(a: &'a Csr, rows: &Range<usize>, x: &[T], width: usize) -> Self {
        Self::within(a, a.col(), rows, x, [width, 0, width])
    }

    /// For one that needs, at an edge, `width` columns from `from` on of the row of `[_, stride]` that `needed` names.
    pub(crate) fn within<T>(
        a: &Csr,
        needed: &'a [u32],
        rows: &Range<usize>,
        x: &[T],
        [stride, from, width]: [usize; 3],
    ) -> Self {
        let edges = a.row_ptr()[rows.start] as usize..a.row_ptr()[rows.end] as usize;
        let first = edges.start;
        let needed = if size_of_val(x) < Self::FAR { &[][..] } else { &needed[edges] };
        let ahead = Self { needed, first, stride, from, len: width };
        ahead.ask_places(0..Self::EDGES, x);
        ahead
    }

    /// Asks for what these edges, moved ahead, need.
    #[inline(always)]
    pub(crate) fn ask<T>(&self, edges: Range<usize>, x: &[T]) {
        let moved = |edge: usize| edge - self.first + Self::EDGES;
        self.ask_places(moved(edges.start)..moved(edges.end), x);
    }

    #[inline(always)]
    fn ask_places<T>(&self, places: Range<usize>, x: &[T]) {
        let last = self.needed.len();
        for &row in &self.needed[places.start.min(last)..places.end.min(last)] {
            prefetch(x, row as usize * self.stride + self.from, self.len);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::Arch;

    thread_local! {
        pub(super) static FORCED: Cell<Option<Arch>> = const { Cell::new(None) };
    }

    /// The instruction sets this machine has, the portable one first.
    pub(crate) fn machines() -> Vec<Arch> {
        let mut machines = vec![Arch::Scalar];
        #[cfg(target_arch = "x86_64")]
        machines.extend(pulp::x86::V3::try_new().map(Arch::V3));
        machines.push(Arch::new());
        machines
    }

    /// `kernel` with this instruction set and no other.
    pub(crate) fn on<R>(machine: Arch, kernel: impl FnOnce() -> R) -> R {
        FORCED.set(Some(machine));
        let result = kernel();
        FORCED.set(None);
        result
    }
}

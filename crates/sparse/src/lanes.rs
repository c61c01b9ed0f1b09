//! Vector registers of a [`Scalar`](crate::Scalar), and the choice of instruction set at run time.
//!
//! Products are rounded before they are added (no fused multiply–add) and no reduction depends on the width of a
//! register, so that the instruction set does not show in a result.

use pulp::{Arch, Simd, WithSimd};

/// A number that fills vector registers.
pub trait Lanes: Copy + 'static {
    /// A register of an instruction set.
    type Pack<S: Simd>: Copy;

    /// Numbers in a register.
    fn count<S: Simd>() -> usize;

    /// The same number throughout.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Pack<S>;

    /// `a + b`
    fn plus<S: Simd>(simd: S, a: Self::Pack<S>, b: Self::Pack<S>) -> Self::Pack<S>;

    /// `a b`
    fn times<S: Simd>(simd: S, a: Self::Pack<S>, b: Self::Pack<S>) -> Self::Pack<S>;

    /// `max(x, 0)`; NaN stays NaN.
    fn relu<S: Simd>(simd: S, x: Self::Pack<S>) -> Self::Pack<S>;

    /// Whole registers from the start of a slice.
    fn packs<S: Simd>(x: &[Self]) -> &[Self::Pack<S>];

    /// Whole registers from the start of a slice.
    fn packs_mut<S: Simd>(x: &mut [Self]) -> &mut [Self::Pack<S>];

    /// Up to a register, zeros after the end.
    fn part<S: Simd>(simd: S, x: &[Self]) -> Self::Pack<S>;

    /// The first numbers of a register, as many as fit.
    fn put_part<S: Simd>(simd: S, x: &mut [Self], pack: Self::Pack<S>);
}

macro_rules! lanes {
    ($float:ty, $pack:ident, $count:ident, $splat:ident, $add:ident, $mul:ident, $less:ident, $select:ident,
     $packs:ident, $packs_mut:ident, $part:ident, $put_part:ident) => {
        impl Lanes for $float {
            type Pack<S: Simd> = S::$pack;

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
            fn packs<S: Simd>(x: &[Self]) -> &[Self::Pack<S>] {
                S::$packs(x).0
            }

            #[inline(always)]
            fn packs_mut<S: Simd>(x: &mut [Self]) -> &mut [Self::Pack<S>] {
                S::$packs_mut(x).0
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
    f32s,
    F32_LANES,
    splat_f32s,
    add_f32s,
    mul_f32s,
    less_than_f32s,
    select_f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    partial_load_f32s,
    partial_store_f32s
);
lanes!(
    f64,
    f64s,
    F64_LANES,
    splat_f64s,
    add_f64s,
    mul_f64s,
    less_than_f64s,
    select_f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    partial_load_f64s,
    partial_store_f64s
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
    if tests::PORTABLE.get() { Arch::Scalar } else { Arch::new() }
}

/// Asks for the cache lines of `x[at..at + len]`, or as many as exist.
#[inline(always)]
pub(crate) fn prefetch<T>(x: &[T], at: usize, len: usize) {
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

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    thread_local! {
        pub(super) static PORTABLE: Cell<bool> = const { Cell::new(false) };
    }

    /// `kernel` without the vector instructions that the machine may lack.
    pub(crate) fn portable<R>(kernel: impl FnOnce() -> R) -> R {
        PORTABLE.set(true);
        let result = kernel();
        PORTABLE.set(false);
        result
    }
}

//! Many matrix products of different sizes in one call.
#![allow(unsafe_code)] // one call into C++ with pointers into tensors

use std::ffi::{CStr, c_char, c_int, c_void};

use tch::Tensor;

use crate::view::{Dense, Real, filled};

/// Which factor is stored transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flip {
    /// `A B`.
    Neither,
    /// `Aᵀ B`.
    Left,
    /// `A Bᵀ`.
    Right,
}

/// `C [m, n] = op(A) op(B)`; the matrices begin at these numbers of their tensors, without gaps between their rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    pub(crate) m: i64,
    pub(crate) n: i64,
    /// Length of the inner products; 0 gives zeros.
    pub(crate) k: i64,
    pub(crate) a: i64,
    pub(crate) b: i64,
    pub(crate) c: i64,
}

/// The layout of `struct Product` in `cpp/kernels.cpp`.
#[repr(C)]
struct Call {
    m: c_int,
    n: c_int,
    k: c_int,
    lda: c_int,
    ldb: c_int,
    ldc: c_int,
    a: *const c_void,
    b: *const c_void,
    c: *mut c_void,
}

const MESSAGE: usize = 2048;

unsafe extern "C" {
    fn coarsen_products(
        list: *const Call,
        count: i64,
        ta: bool,
        tb: bool,
        is_double: bool,
        message: *mut c_char,
        room: usize,
    ) -> c_int;
}

/// A new tensor of `shape`, every number of which is written by one of `count` products.
///
/// The products run side by side in LibTorch's pool, each by one thread of LibTorch's own BLAS.
pub(crate) fn products<T: Real>(
    a: &Tensor,
    b: &Tensor,
    shape: &[i64],
    flip: Flip,
    product: impl Fn(usize) -> Product,
    count: usize,
) -> Tensor {
    let (a, b) = (Dense::new(a), Dense::new(b));
    let (a, b) = (a.slice::<T>(), b.slice::<T>());
    filled(shape, |out: &mut [T]| {
        let (mut written, room, start) = (0, out.len(), out.as_mut_ptr());
        let calls: Vec<Call> = (0..count)
            .map(|i| {
                let p = product(i);
                written += p.m * p.n;
                let (a, b) =
                    (&a[p.a as usize..][..(p.m * p.k) as usize], &b[p.b as usize..][..(p.k * p.n) as usize]);
                assert!((p.c + p.m * p.n) as usize <= room, "the products stay inside the output");
                let size = |n: i64| c_int::try_from(n).expect("a side of a matrix is counted in 31 bits");
                Call {
                    m: size(p.m),
                    n: size(p.n),
                    k: size(p.k),
                    lda: size(if flip == Flip::Left { p.m } else { p.k }).max(1),
                    ldb: size(if flip == Flip::Right { p.k } else { p.n }).max(1),
                    ldc: size(p.n).max(1),
                    a: a.as_ptr().cast(),
                    b: b.as_ptr().cast(),
                    c: start.wrapping_add(p.c as usize).cast(),
                }
            })
            .collect();
        assert_eq!(written as usize, room, "the products cover the output");
        let mut message = [0u8; MESSAGE];
        // SAFETY: every call reads within the slices taken above and writes within `out`, as checked there; `a`, `b` and
        // `out` live through the call. The outputs of this crate's callers do not overlap, so each has one writer.
        let failed = unsafe {
            coarsen_products(
                calls.as_ptr(),
                count as i64,
                flip == Flip::Left,
                flip == Flip::Right,
                T::KIND == tch::Kind::Double,
                message.as_mut_ptr().cast(),
                MESSAGE,
            )
        };
        let text = CStr::from_bytes_until_nul(&message).unwrap_or(c"unknown error");
        assert!(failed == 0, "LibTorch refused a matrix product: {}", text.to_string_lossy());
    })
}

//! Many matrix products of different sizes in one call.
#![allow(unsafe_code)] // one call into C++ with pointers into tensors

use std::ffi::{c_char, c_int, c_void};

use tch::Tensor;

use crate::foreign::told;
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
    beta: f64,
    a: *const c_void,
    b: *const c_void,
    c: *mut c_void,
}

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

/// The product of two row-major matrices without gaps between their rows, by one thread: `C = op(A) op(B)`, added to what is in
/// `C` with `beta` 1, in place of it with 0.
///
/// # Shapes
///
/// `op(A): [m, k]`, `op(B): [k, n]`, `c: [m, n]`.
pub(crate) fn multiply<T: Real>(flip: Flip, [m, n, k]: [usize; 3], a: &[T], b: &[T], beta: f64, c: &mut [T]) {
    assert_eq!((a.len(), b.len(), c.len()), (m * k, k * n, m * n), "matrices of one product");
    let call = Call::new(flip, [m, n, k], beta, a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    // SAFETY: the lengths were checked just now, and the slices live through the call.
    unsafe { run::<T>(&[call], flip) };
}

impl Call {
    fn new<T>(flip: Flip, [m, n, k]: [usize; 3], beta: f64, a: *const T, b: *const T, c: *mut T) -> Self {
        let size = |n: usize| c_int::try_from(n).expect("a side of a matrix is counted in 31 bits");
        Self {
            m: size(m),
            n: size(n),
            k: size(k),
            lda: size(if flip == Flip::Left { m } else { k }).max(1),
            ldb: size(if flip == Flip::Right { k } else { n }).max(1),
            ldc: size(n).max(1),
            beta,
            a: a.cast(),
            b: b.cast(),
            c: c.cast(),
        }
    }
}

/// Runs the products side by side in LibTorch's pool, each by one thread of LibTorch's own BLAS.
///
/// # Safety
///
/// Each call's pointers hold matrices of `T` of its sizes, and no output overlaps another or an input.
unsafe fn run<T: Real>(calls: &[Call], flip: Flip) {
    let (ta, tb, is_double) = (flip == Flip::Left, flip == Flip::Right, T::KIND == tch::Kind::Double);
    let (list, count) = (calls.as_ptr(), calls.len() as i64);
    // SAFETY: the caller's promise.
    let told =
        told(|message, room| unsafe { coarsen_products(list, count, ta, tb, is_double, message, room) });
    told.unwrap_or_else(|message| panic!("LibTorch refused a matrix product: {message}"));
}

/// A new tensor of `shape`, every number of which is written by one of `count` products.
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
                let [m, n, k, a_at, b_at, c_at] = [p.m, p.n, p.k, p.a, p.b, p.c].map(|x| x as usize);
                let (a, b) = (&a[a_at..][..m * k], &b[b_at..][..k * n]);
                assert!(c_at + m * n <= room, "the products stay inside the output");
                written += m * n;
                Call::new(flip, [m, n, k], 0.0, a.as_ptr(), b.as_ptr(), start.wrapping_add(c_at))
            })
            .collect();
        assert_eq!(written, room, "the products cover the output");
        // SAFETY: every call reads within the slices taken above and writes within `out`, as checked there; `a`, `b` and
        // `out` live through the call. The outputs of this crate's callers do not overlap, so each has one writer.
        unsafe { run::<T>(&calls, flip) };
    })
}

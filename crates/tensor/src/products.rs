//! Matrix products of row-major matrices: one, or many of different sizes side by side.
//!
//! The crate `gemm` multiplies, for the vector registers of the machine that it runs on. LibTorch's BLAS leaves half of them
//! unused on the processors of another maker than its own (`docs/PERFORMANCE.md`, technique 14).
#![allow(unsafe_code)] // one call with pointers into slices

use gemm::Parallelism;
use tch::Tensor;

use crate::executor::side_by_side;
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
}

/// What becomes of the numbers that are in the output already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Overwritten,
    AddedTo,
}

/// Products of fewer multiply–adds than this are not worth another thread.
const SMALL: i64 = 200_000;

/// A factor whose columns are read as they lie is copied into blocks of registers first where the other has more columns than six
/// times this. The blocks of `blocked` have fewer: their factors are in the cache already.
const COLUMNS_READ_IN_PLACE: usize = 256;

/// The product of two row-major matrices without gaps between their rows, by one thread: `C = op(A) op(B)`, or `C += op(A) op(B)`.
///
/// # Shapes
///
/// `op(A): [m, k]`, `op(B): [k, n]`, `c: [m, n]`.
pub(crate) fn multiply<T: Real>(
    flip: Flip,
    [m, n, k]: [usize; 3],
    a: &[T],
    b: &[T],
    output: Output,
    c: &mut [T],
) {
    assert_eq!((a.len(), b.len(), c.len()), (m * k, k * n, m * n), "matrices of one product");
    let [a_step, b_step] = [(flip == Flip::Left, m, k), (flip == Flip::Right, k, n)]
        .map(|(flipped, rows, cols)| if flipped { rows } else { cols });
    multiply_apart(flip, [m, n, k], (a, a_step), (b, b_step), output, (c, n));
}

/// [`multiply`] of matrices whose rows, as they are stored, begin so many numbers apart.
pub(crate) fn multiply_apart<T: Real>(
    flip: Flip,
    [m, n, k]: [usize; 3],
    (a, a_step): (&[T], usize),
    (b, b_step): (&[T], usize),
    output: Output,
    (c, c_step): (&mut [T], usize),
) {
    if m == 0 || n == 0 || k == 0 {
        if output == Output::Overwritten {
            c.chunks_mut(c_step.max(1)).take(m).for_each(|row| row[..n].fill(T::real(0.0)));
        }
        return;
    }
    let ends = |step: usize, rows: usize, cols: usize| {
        assert!(step >= cols, "the rows of a matrix do not overlap");
        (rows - 1) * step + cols
    };
    let of_a = if flip == Flip::Left { ends(a_step, k, m) } else { ends(a_step, m, k) };
    let of_b = if flip == Flip::Right { ends(b_step, n, k) } else { ends(b_step, k, n) };
    let inside = of_a <= a.len() && of_b <= b.len() && ends(c_step, m, n) <= c.len();
    assert!(inside, "the matrices of a product lie within their slices");
    // Steps from column to column and from row to row.
    let [a_steps, b_steps] = [(flip == Flip::Left, a_step), (flip == Flip::Right, b_step)]
        .map(|(flipped, step)| if flipped { [step as isize, 1] } else { [1, step as isize] });
    let (one, added) = (T::real(1.0), output == Output::AddedTo);
    gemm::set_lhs_packing_threshold_single_thread(COLUMNS_READ_IN_PLACE);
    // SAFETY: with these steps the three matrices lie within the slices, as was checked just now, and no two numbers of `c` are the
    // same; `c` is borrowed exclusively, so it overlaps neither factor.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            c_step as isize,
            added,
            a.as_ptr(),
            a_steps[0],
            a_steps[1],
            b.as_ptr(),
            b_steps[0],
            b_steps[1],
            one,
            one,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// A new tensor of `shape`, made of one product after the other; each by one thread, in LibTorch's pool.
pub(crate) fn products<T: Real>(
    a: &Tensor,
    b: &Tensor,
    shape: &[i64],
    flip: Flip,
    list: impl ExactSizeIterator<Item = Product>,
) -> Tensor {
    let (a, b) = (Dense::new(a), Dense::new(b));
    let (a, b) = (a.slice::<T>(), b.slice::<T>());
    filled(shape, |out: &mut [T]| {
        let (mut rest, mut work, count) = (out, 0, list.len());
        let pieces: Vec<(Product, &mut [T])> = list
            .map(|p| {
                let (c, after) = std::mem::take(&mut rest).split_at_mut((p.m * p.n) as usize);
                rest = after;
                work += p.m * p.n * p.k;
                (p, c)
            })
            .collect();
        assert!(rest.is_empty(), "the products cover the output");
        let grain = if work < SMALL { count } else { 1 };
        side_by_side(pieces, grain, |_, (p, c)| {
            let [m, n, k, a_at, b_at] = [p.m, p.n, p.k, p.a, p.b].map(|x| x as usize);
            multiply(flip, [m, n, k], &a[a_at..][..m * k], &b[b_at..][..k * n], Output::Overwritten, c);
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[1 2; 3 4; 5 6] [1 0 2; 0 1 3]`, each factor stored either way.
    #[test]
    fn every_flip_by_hand() {
        let (a, a_flipped) = ([1., 2., 3., 4., 5., 6.], [1., 3., 5., 2., 4., 6.]);
        let (b, b_flipped) = ([1., 0., 2., 0., 1., 3.], [1., 0., 0., 1., 2., 3.]);
        let want = vec![1., 2., 8., 3., 4., 18., 5., 6., 28.];
        let twice: Vec<f64> = want.iter().map(|x| 2.0 * x).collect();
        for (flip, a, b) in [(Flip::Neither, a, b), (Flip::Left, a_flipped, b), (Flip::Right, a, b_flipped)] {
            let mut c = vec![7.0; 9];
            multiply(flip, [3, 3, 2], &a, &b, Output::Overwritten, &mut c);
            assert_eq!(c, want);
            multiply(flip, [3, 3, 2], &a, &b, Output::AddedTo, &mut c);
            assert_eq!(c, twice);
        }
    }

    /// The same product of matrices with a number that is no part of them behind each row.
    #[test]
    fn rows_that_lie_apart() {
        let (a, b) = ([1., 2., 9., 3., 4., 9., 5., 6.], [1., 0., 2., 9., 0., 1., 3.]);
        let mut c = vec![7.0; 11];
        multiply_apart(Flip::Neither, [3, 3, 2], (&a, 3), (&b, 4), Output::Overwritten, (&mut c, 4));
        assert_eq!(c, [1., 2., 8., 7., 3., 4., 18., 7., 5., 6., 28.]);
        multiply_apart(Flip::Neither, [3, 3, 0], (&a, 3), (&b, 4), Output::Overwritten, (&mut c, 4));
        assert_eq!(c, [0., 0., 0., 7., 0., 0., 0., 7., 0., 0., 0.]);
    }

    #[test]
    fn empty_inner_products_are_zero() {
        let mut c = vec![7f32; 6];
        multiply(Flip::Neither, [2, 3, 0], &[], &[], Output::AddedTo, &mut c);
        assert_eq!(c, vec![7.0; 6]);
        multiply(Flip::Left, [2, 3, 0], &[], &[], Output::Overwritten, &mut c);
        assert_eq!(c, vec![0.0; 6]);
        multiply(Flip::Right, [0, 3, 2], &[], &[0f32; 6], Output::Overwritten, &mut []);
    }
}

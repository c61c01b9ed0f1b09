//! The arithmetic of affine maps, by blocks of rows that stay in a core's cache.
//!
//! A block is multiplied, shifted and activated before the next one is taken, and in the backward pass its gradient is gated once
//! for all products that use it. Blocks run side by side, each product by one thread of LibTorch's BLAS; their number depends on
//! the rows alone and what they add to the weights' gradients is summed in their order, so the bits are those of one thread.

use std::sync::{Mutex, PoisonError};

use coarsen_sparse::{Act, Executor, Serial, rows};

use crate::executor::TorchPool;
use crate::products::{Flip, multiply};
use crate::view::Real;

/// Rows of a block, at least.
const ROWS: usize = 512;
/// Blocks, at most: each adds a gradient of the weights of its own.
const BLOCKS: usize = 64;

/// One term of an affine map: `x: [n, inputs]`, `w: [outputs, inputs]`.
pub(crate) struct Term<'a, T> {
    pub(crate) x: &'a [T],
    pub(crate) w: &'a [T],
    pub(crate) inputs: usize,
}

/// Rows of a block when there are `n`.
fn block(n: usize) -> usize {
    n.div_ceil(BLOCKS).max(ROWS)
}

/// `y = act(Σ x Wᵀ + b)`.
///
/// # Shapes
///
/// `y: [n, outputs]`, `bias: [outputs]`.
pub(crate) fn forward<T: Real>(
    terms: &[Term<'_, T>],
    outputs: usize,
    bias: Option<&[T]>,
    act: Act,
    y: &mut [T],
) {
    let rows_of_block = block(y.len() / outputs);
    side_by_side(y.chunks_mut(rows_of_block * outputs), |b, y| {
        let n = y.len() / outputs;
        for (t, term) in terms.iter().enumerate() {
            let x = &term.x[b * rows_of_block * term.inputs..][..n * term.inputs];
            multiply(Flip::Right, [n, outputs, term.inputs], x, term.w, if t == 0 { 0.0 } else { 1.0 }, y);
        }
        if bias.is_some() || act != Act::Identity {
            rows::bias_act(&Serial, outputs, bias, act, y);
        }
    });
}

/// The gradients asked for: of each input, of each weight, of the bias.
pub(crate) struct Gradients<'a, T> {
    /// `[n, inputs]` and `[outputs, inputs]` of each term.
    pub(crate) terms: Vec<(Option<&'a mut [T]>, Option<&'a mut [T]>)>,
    /// `[outputs]`.
    pub(crate) bias: Option<&'a mut [T]>,
}

/// Fills `out` from the gradient of the output; `y` is the output, where the activation's slope depends on it.
///
/// # Shapes
///
/// `y, grad: [n, outputs]`.
pub(crate) fn backward<T: Real>(
    terms: &[Term<'_, T>],
    outputs: usize,
    (act, y): (Act, Option<&[T]>),
    grad: &[T],
    out: Gradients<'_, T>,
) {
    let n = grad.len() / outputs;
    let (rows_of_block, blocks) = (block(n), n.div_ceil(block(n)));
    let Gradients { terms: of_terms, bias } = out;
    // What each block adds to the weights' gradients and to the bias', one block after the other.
    let widths =
        || of_terms.iter().zip(terms).map(|((_, w), t)| if w.is_some() { outputs * t.inputs } else { 0 });
    let of_bias = if bias.is_some() { outputs } else { 0 };
    let share: usize = widths().sum::<usize>() + of_bias;
    let starts: Vec<usize> = widths().scan(0, |at, width| Some(std::mem::replace(at, *at + width))).collect();
    let mut shares = vec![T::real(0.0); blocks * share];
    let (mut inputs, mut weights) = (Vec::new(), Vec::new());
    for ((x, w), term) in of_terms.into_iter().zip(terms) {
        inputs.push(x.map(|x| x.chunks_mut(rows_of_block * term.inputs)));
        weights.push(w);
    }
    let wanted: Vec<bool> = weights.iter().map(Option::is_some).collect();
    let mut rest = shares.as_mut_slice();
    let pieces = (0..blocks).map(|_| {
        let (head, tail) = std::mem::take(&mut rest).split_at_mut(share);
        rest = tail;
        let x: Vec<Option<&mut [T]>> = inputs
            .iter_mut()
            .map(|x| x.as_mut().map(|x| x.next().expect("a piece for each block")))
            .collect();
        (x, head)
    });
    side_by_side(pieces, |b, (dx, share)| {
        let from = b * rows_of_block;
        let n = rows_of_block.min(n - from);
        let grad = &grad[from * outputs..][..n * outputs];
        let (share, bias_share) = share.split_at_mut(share.len() - of_bias);
        let bias_share = (of_bias > 0).then_some(bias_share);
        let mut gated = Vec::new();
        let before = if let Some(y) = y {
            gated.resize(grad.len(), T::real(0.0));
            rows::act_backward(
                &Serial,
                outputs,
                act,
                &y[from * outputs..][..n * outputs],
                grad,
                &mut gated,
                bias_share,
            );
            &gated
        } else {
            if let Some(sums) = bias_share {
                rows::column_sums(&Serial, outputs, grad, sums);
            }
            grad
        };
        for (t, (term, dx)) in terms.iter().zip(dx).enumerate() {
            let sizes = [n, term.inputs, outputs];
            if let Some(dx) = dx {
                multiply(Flip::Neither, sizes, before, term.w, 0.0, dx);
            }
            if wanted[t] {
                let x = &term.x[from * term.inputs..][..n * term.inputs];
                let dw = &mut share[starts[t]..][..outputs * term.inputs];
                multiply(Flip::Left, [outputs, term.inputs, n], before, x, 0.0, dw);
            }
        }
    });
    let sum = |out: &mut [T], start: usize| {
        out.fill(T::real(0.0));
        for share in shares.chunks_exact(share.max(1)) {
            for (out, &part) in out.iter_mut().zip(&share[start..]) {
                *out += part;
            }
        }
    };
    for (weight, &start) in weights.into_iter().zip(&starts) {
        if let Some(weight) = weight {
            sum(weight, start);
        }
    }
    if let Some(bias) = bias {
        sum(bias, share - of_bias);
    }
}

/// Hands each piece, with its number, to `body` once, in LibTorch's pool.
fn side_by_side<P: Send>(pieces: impl Iterator<Item = P>, body: impl Fn(usize, P) + Sync) {
    let pieces: Vec<_> = pieces.map(|piece| Mutex::new(Some(piece))).collect();
    TorchPool.run(pieces.len(), 1, &|range| {
        for b in range {
            let piece = pieces[b].lock().unwrap_or_else(PoisonError::into_inner).take();
            body(b, piece.expect("each piece is taken once"));
        }
    });
}

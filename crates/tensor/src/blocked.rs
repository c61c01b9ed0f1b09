//! The arithmetic of affine maps, by blocks of rows that stay in a core's cache.
//!
//! A block is multiplied, shifted and activated before the next one is taken, and in the backward pass its gradient is gated once
//! for all products that use it. Blocks run side by side, each product by one thread; their number depends on
//! the rows alone and what they add to the weights' gradients is summed in their order, so the bits are those of one thread.

use coarsen_sparse::{Act, Serial, rows};

use crate::executor::{cut, side_by_side};
use crate::products::{Flip, Output, multiply};
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
    side_by_side(y.chunks_mut(rows_of_block * outputs), 1, |b, y| {
        let n = y.len() / outputs;
        for (t, term) in terms.iter().enumerate() {
            let x = &term.x[b * rows_of_block * term.inputs..][..n * term.inputs];
            let output = if t == 0 { Output::Overwritten } else { Output::AddedTo };
            multiply(Flip::Right, [n, outputs, term.inputs], x, term.w, output, y);
        }
        if bias.is_some() || act != Act::Identity {
            rows::bias_act(&Serial, outputs, bias, act, y);
        }
    });
}

/// The gradients asked for.
pub(crate) struct Gradients<'a, T> {
    /// Of each term's input, `[n, inputs]`.
    pub(crate) inputs: Vec<Option<&'a mut [T]>>,
    /// Of each term's weights, `[outputs, inputs]`.
    pub(crate) weights: Vec<Option<&'a mut [T]>>,
    /// Of the bias, `[outputs]`.
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
    let (size, Gradients { inputs, mut weights, bias }) = (block(n), out);
    let mut of_blocks: Vec<Vec<Option<&mut [T]>>> = (0..n.div_ceil(size)).map(|_| Vec::new()).collect();
    for (dx, term) in inputs.into_iter().zip(terms) {
        let mut pieces = dx.map(|dx| dx.chunks_mut((size * term.inputs).max(1)));
        for of_block in &mut of_blocks {
            of_block.push(pieces.as_mut().and_then(Iterator::next));
        }
    }
    // What a block adds to the gradients of the weights and of the bias: these many numbers each, one after the other.
    let mut parts: Vec<usize> = weights.iter().map(|w| w.as_ref().map_or(0, |w| w.len())).collect();
    parts.push(bias.as_ref().map_or(0, |bias| bias.len()));
    let share = parts.iter().sum::<usize>().max(1);
    let mut shares = vec![T::real(0.0); of_blocks.len() * share];

    side_by_side(of_blocks.into_iter().zip(shares.chunks_exact_mut(share)), 1, |b, (dx, share)| {
        let rows = b * size..n.min((b + 1) * size);
        let grad = &grad[rows.start * outputs..rows.end * outputs];
        let y = y.map(|y| &y[rows.start * outputs..rows.end * outputs]);
        let mut places = cut(share, parts.iter().copied());
        let of_bias = places.pop().filter(|place| !place.is_empty());
        let mut gated = Vec::new();
        let before = gate(outputs, act, y, grad, &mut gated, of_bias);
        for ((term, dx), dw) in terms.iter().zip(dx).zip(places) {
            if let Some(dx) = dx {
                multiply(
                    Flip::Neither,
                    [rows.len(), term.inputs, outputs],
                    before,
                    term.w,
                    Output::Overwritten,
                    dx,
                );
            }
            if !dw.is_empty() {
                let x = &term.x[rows.start * term.inputs..rows.end * term.inputs];
                multiply(Flip::Left, [outputs, term.inputs, rows.len()], before, x, Output::Overwritten, dw);
            }
        }
    });

    let mut outs: Vec<&mut [T]> = weights.iter_mut().map(|w| w.as_deref_mut().unwrap_or_default()).collect();
    outs.push(bias.unwrap_or_default());
    for out in &mut outs {
        out.fill(T::real(0.0));
    }
    for share in shares.chunks_exact_mut(share) {
        for (out, part) in outs.iter_mut().zip(cut(share, parts.iter().copied())) {
            for (out, part) in out.iter_mut().zip(part) {
                *out += *part;
            }
        }
    }
}

/// The gradient before the activation, and its sum over the rows where that is asked for.
fn gate<'a, T: Real>(
    width: usize,
    act: Act,
    y: Option<&[T]>,
    grad: &'a [T],
    gated: &'a mut Vec<T>,
    sums: Option<&mut [T]>,
) -> &'a [T] {
    match (y, sums) {
        (Some(y), sums) => {
            gated.resize(grad.len(), T::real(0.0));
            rows::act_backward(&Serial, width, act, y, grad, gated, sums);
            gated
        }
        (None, Some(sums)) => {
            rows::column_sums(&Serial, width, grad, sums);
            grad
        }
        (None, None) => grad,
    }
}

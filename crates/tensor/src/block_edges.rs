//! The edges of a dense level between rows that hold what is sent and what is there side by side.

use coarsen_sparse::rows::bias_act;
use coarsen_sparse::{Act, Serial};

use crate::executor::side_by_side;
use crate::products::{Flip, Output, multiply_apart};
use crate::view::{Dense, Real};

/// Squares beside rows of `width`, one graph after the other.
pub(crate) struct Blocks<'a, T> {
    a: &'a [T],
    /// Nodes of a graph.
    nodes: usize,
    width: usize,
}

impl<'a, T: Real> Blocks<'a, T> {
    /// `a: [B, N, N]`.
    pub(crate) fn new(a: &'a Dense, width: usize) -> Self {
        Self { a: a.slice(), nodes: a.size()[2] as usize, width }
    }

    /// The square of a graph.
    fn square(&self, graph: usize) -> &[T] {
        let size = self.nodes * self.nodes;
        &self.a[graph * size..][..size]
    }

    /// Hands every graph its part of `out`, which has so many numbers a node.
    fn by_graph(&self, out: &mut [T], numbers: usize, body: impl Fn(usize, &mut [T]) + Sync) {
        side_by_side(out.chunks_mut((self.nodes * numbers).max(1)), 1, body);
    }

    /// `act(A sent + own + b)` of `both`, `[sent ‖ own]`.
    pub(crate) fn forward(&self, both: &[T], bias: Option<&[T]>, act: Act, y: &mut [T]) {
        let Self { nodes, width, .. } = *self;
        self.by_graph(y, width, |graph, y| {
            let both = &both[graph * nodes * 2 * width..][..nodes * 2 * width];
            for (y, both) in y.chunks_exact_mut(width).zip(both.chunks_exact(2 * width)) {
                y.copy_from_slice(&both[width..]);
            }
            let (a, sent) = ((self.square(graph), nodes), (both, 2 * width));
            multiply_apart(Flip::Neither, [nodes, width, nodes], a, sent, Output::AddedTo, (y, width));
            if bias.is_some() || act != Act::Identity {
                bias_act(&Serial, width, bias, act, y);
            }
        });
    }

    /// `[Aᵀ g ‖ g]`.
    pub(crate) fn backward(&self, grad: &[T], dx: &mut [T]) {
        let Self { nodes, width, .. } = *self;
        self.by_graph(dx, 2 * width, |graph, dx| {
            let grad = &grad[graph * nodes * width..][..nodes * width];
            for (dx, grad) in dx.chunks_exact_mut(2 * width).zip(grad.chunks_exact(width)) {
                dx[width..].copy_from_slice(grad);
            }
            let (a, grad) = ((self.square(graph), nodes), (grad, width));
            multiply_apart(Flip::Left, [nodes, width, nodes], a, grad, Output::Overwritten, (dx, 2 * width));
        });
    }

    /// `g sentᵀ`, the gradient of the squares.
    pub(crate) fn of_squares(&self, grad: &[T], both: &[T], da: &mut [T]) {
        let Self { nodes, width, .. } = *self;
        self.by_graph(da, nodes, |graph, da| {
            let grad = (&grad[graph * nodes * width..][..nodes * width], width);
            let sent = (&both[graph * nodes * 2 * width..][..nodes * 2 * width], 2 * width);
            multiply_apart(Flip::Right, [nodes, nodes, width], grad, sent, Output::Overwritten, (da, nodes));
        });
    }
}

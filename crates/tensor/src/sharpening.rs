//! How far the nodes of a graph are from a sharper copy of their likeness to some of them, the loss of deep embedded clustering.
//!
//! All nodes are compared with all centres of their graph: matrices of nodes by centres, which one kernel reads and writes twice in place of
//! some twenty operations.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse::sharpen;
use coarsen_sparse::sums::{dot, sum};
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::ego::Memberships;
use crate::executor::{cut, side_by_side};
use crate::products::{Flip, Output, multiply};
use crate::segments::Segments;
use crate::view::{Dense, Real, by_kind, filled, integers, on_host};

/// `Σ_j Σ_i p_ji ln(p_ji / q_ji)` over the nodes `j` and the `centres` `i` of `j`'s graph.
///
/// `t_ji = 1 / (1 + ‖h_j − h_i‖²/μ)`, `q_ji = t_ji / Σ_i' t_ji'`, and `p_ji = (q_ji²/g_i) / Σ_i' (q_ji'²/g_i')` with `g_i = Σ_j q_ji`. `P` is a
/// target: no gradient passes through it. A graph with one centre, or none, gives 0.
///
/// # Shapes
///
/// `h: [N, F]`, `centres` Int64, ascending, gives a scalar.
///
/// # Complexity
///
/// Time `O(Σ_b n_b m_b F)`, memory `O(Σ_b n_b m_b)`, for `m_b` centres of `n_b` nodes.
///
/// # Panics
///
/// When `centres` do not ascend or one is out of range.
pub fn sharpening(h: &Tensor, centres: &Tensor, graphs: &Arc<Segments>, mu: f64) -> Tensor {
    if !on_host(h) {
        return composed(h, centres, graphs, mu);
    }
    let blocks = Block::all(&integers(centres), graphs);
    let (divergence, pull) = no_grad(|| by_kind!(h.kind(), T => compared::<T>(h, &blocks, mu)));
    record(&[h], divergence, Sharpening { h: h.shallow_clone(), blocks, pull, mu })
}

/// The same of LibTorch's own operations and of sparse ones.
fn composed(h: &Tensor, centres: &Tensor, graphs: &Arc<Segments>, mu: f64) -> Tensor {
    let pairs = Memberships::of_all(graphs, centres, (h.kind(), h.device()));
    let square = h.square().sum_dim_intlist([1i64].as_slice(), false, h.kind());
    let sum = pairs.of_members(&square) + pairs.of_egos(&square);
    let distance: Tensor = (sum - pairs.similarities(h) * 2.0).clamp_min(0.0);
    let q = pairs.softmax_over_egos(&-(distance / mu).log1p());
    let (p, entropy) = no_grad(|| {
        let g = pairs.of_egos(&pairs.mean_over_members(&q));
        let p = pairs.softmax_over_egos(&(q.log() * 2.0 - g.log()));
        let entropy = p.xlogy(&p).sum(None);
        (p, entropy)
    });
    entropy - (p * q.log()).sum(None)
}

/// The nodes and the centres of a graph.
struct Block {
    first: usize,
    nodes: usize,
    /// Counted from `first`.
    centres: Vec<usize>,
}

impl Block {
    fn all(centres: &[i64], graphs: &Segments) -> Vec<Self> {
        assert!(centres.is_sorted(), "centres ascend");
        let mut rest = centres;
        let blocks: Vec<Self> = (0..graphs.len())
            .map(|b| {
                let (first, nodes) = graphs.span(b);
                let (here, others) = rest.split_at(rest.partition_point(|&i| i < first + nodes));
                rest = others;
                let centres =
                    here.iter().map(|&i| usize::try_from(i - first).expect("a node of a graph")).collect();
                Self { first: first as usize, nodes: nodes as usize, centres }
            })
            .collect();
        assert!(rest.is_empty(), "centre {} is no node of {}", rest[0], graphs.rows());
        blocks
    }

    /// Rows of the nodes.
    fn rows<'a, T>(&self, h: &'a [T], width: usize) -> &'a [T] {
        &h[self.first * width..][..self.nodes * width]
    }

    /// Rows of the centres, one after the other.
    fn gather<T: Real>(&self, h: &[T], width: usize) -> Vec<T> {
        let h = self.rows(h, width);
        self.centres.iter().flat_map(|&i| &h[i * width..][..width]).copied().collect()
    }

    fn pairs(&self) -> usize {
        self.nodes * self.centres.len()
    }
}

/// The divergence, and `t (p − q)` of every pair.
fn compared<T: Real>(h: &Tensor, blocks: &[Block], mu: f64) -> (Tensor, Tensor) {
    let (kind, width, h) = (h.kind(), h.size()[1] as usize, Dense::new(h));
    let h = h.slice::<T>();
    let mut divergence = vec![0.0; blocks.len()];
    let pairs: usize = blocks.iter().map(Block::pairs).sum();
    let pull = filled(&[pairs as i64], |t: &mut [T]| {
        let pieces = blocks.iter().zip(cut(t, blocks.iter().map(Block::pairs))).zip(&mut divergence);
        side_by_side(pieces, 1, |_, ((block, t), divergence)| {
            let (nodes, centres) = (block.rows(h, width), block.gather(h, width));
            multiply(
                Flip::Right,
                [block.nodes, block.centres.len(), width],
                nodes,
                &centres,
                Output::Overwritten,
                t,
            );
            let squares = |x: &[T]| x.chunks_exact(width.max(1)).map(|row| dot(row, row)).collect::<Vec<T>>();
            *divergence = sharpen(t, &squares(nodes), &squares(&centres), T::real(mu));
        });
    });
    (Tensor::from(divergence.iter().sum::<f64>()).to_kind(kind), pull)
}

struct Sharpening {
    h: Tensor,
    blocks: Vec<Block>,
    /// `t (p − q)` of every pair: how strongly a node and a centre are drawn together.
    pull: Tensor,
    mu: f64,
}

impl Sharpening {
    /// `(2/μ) Σ t (p − q) (h_j − h_i)`, at `j` and, with the other sign, at `i`.
    fn gradient<T: Real>(&self, grad: f64) -> Tensor {
        let (width, h, pull) = (self.h.size()[1] as usize, Dense::new(&self.h), Dense::new(&self.pull));
        let (h, pull) = (h.slice::<T>(), pull.slice::<T>());
        let ends = self.blocks.iter().scan(0, |end, block| {
            *end += block.pairs();
            Some(*end)
        });
        let scale = T::real(2.0 * grad / self.mu);
        filled(&self.h.size(), |dh: &mut [T]| {
            let pieces = self
                .blocks
                .iter()
                .zip(cut(dh, self.blocks.iter().map(|block| block.nodes * width)))
                .zip(ends);
            side_by_side(pieces, 1, |_, ((block, dh), end)| {
                let (nodes, centres, m) = (block.rows(h, width), block.gather(h, width), block.centres.len());
                let pull = &pull[end - block.pairs()..end];
                multiply(Flip::Neither, [block.nodes, width, m], pull, &centres, Output::Overwritten, dh);
                let mut of_centres = vec![T::real(0.0); m * width];
                multiply(
                    Flip::Left,
                    [m, width, block.nodes],
                    pull,
                    nodes,
                    Output::Overwritten,
                    &mut of_centres,
                );
                let mut drawn = vec![T::real(0.0); m];
                for (j, dh) in dh.chunks_exact_mut(width.max(1)).enumerate() {
                    let pull = &pull[j * m..][..m];
                    drawn.iter_mut().zip(pull).for_each(|(drawn, &pull)| *drawn += pull);
                    away(dh, &nodes[j * width..][..width], sum(pull), scale);
                }
                let rows = of_centres.chunks_exact_mut(width.max(1)).zip(centres.chunks_exact(width.max(1)));
                for ((row, centre), (&i, &drawn)) in rows.zip(block.centres.iter().zip(&drawn)) {
                    away(row, centre, drawn, scale);
                    dh[i * width..][..width].iter_mut().zip(&*row).for_each(|(dh, &more)| *dh += more);
                }
            });
        })
    }
}

/// `scale · (weight · here − towards)` in place of `towards`.
fn away<T: Real>(towards: &mut [T], here: &[T], weight: T, scale: T) {
    for (towards, &here) in towards.iter_mut().zip(here) {
        *towards = scale * (weight * here - *towards);
    }
}

impl Function for Sharpening {
    const NAME: &'static CStr = c"divergence from sharper likeness";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        let of = |grad: &Tensor| by_kind!(self.h.kind(), T => self.gradient::<T>(grad.double_value(&[])));
        vec![grads[0].as_ref().map(of)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};
    use tch::Kind;

    /// Graphs of 5, 0, 3, 2 and 4 nodes with 3, 0, 1, 0 and 4 centres.
    fn graphs() -> (Tensor, Arc<Segments>) {
        let centres = Tensor::from_slice(&[0i64, 2, 3, 6, 10, 11, 12, 13]);
        (centres, Arc::new(Segments::of_sizes([5, 0, 3, 2, 4])))
    }

    #[test]
    fn equals_libtorch_with_its_gradient() {
        type Loss = fn(&Tensor, &Tensor, &Arc<Segments>, f64) -> Tensor;
        let (centres, graphs) = graphs();
        for mu in [1.0, 0.3] {
            let run = |f: Loss| {
                let h = ramp(&[14, 3], 0.7);
                let divergence = f(&h, &centres, &graphs, mu);
                (&divergence * 1.7).backward();
                [divergence.detach(), h.grad()]
            };
            assert_close(&run(sharpening), &run(composed), 1e-12);
        }
    }

    #[test]
    fn single_precision_is_near() {
        let (centres, graphs) = graphs();
        let h = ramp(&[14, 3], 0.7);
        let of = |kind| sharpening(&h.detach().to_kind(kind), &centres, &graphs, 1.0).double_value(&[]);
        assert!((of(Kind::Float) - of(Kind::Double)).abs() < 1e-5 * of(Kind::Double).abs());
    }

    #[test]
    #[should_panic(expected = "centre 14 is no node of 14")]
    fn a_centre_out_of_range_is_named() {
        let (_, graphs) = graphs();
        drop(sharpening(&ramp(&[14, 3], 0.7), &Tensor::from_slice(&[0i64, 14]), &graphs, 1.0));
    }
}

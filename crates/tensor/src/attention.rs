//! Attention over the edges of a graph, differentiable: what GAT is made of.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse as sparse;
use coarsen_sparse::Act;
use coarsen_sparse::attention::Attention;
use tch::{Tensor, no_grad};

use crate::autograd::{Function, record};
use crate::epilogue::{self, Gate};
use crate::executor::TorchPool;
use crate::pattern::Pattern;
use crate::products::{Flip, Output, multiply};
use crate::segment;
use crate::segments::Segments;
use crate::view::{Dense, Real, by_kind, filled, on_host};

/// The learned vectors and the constants of an attention.
#[derive(Debug)]
pub struct Heads<'a> {
    /// Share of the receiving node in a score, `[H, d]`.
    pub to: &'a Tensor,
    /// Share of the sending node, `[H, d]`.
    pub from: &'a Tensor,
    /// Slope of the leaky ReLU below 0.
    pub slope: f64,
    /// Factor of each edge's weight behind the softmax, `[E, H]`, as dropout needs; not differentiated.
    pub keep: Option<Tensor>,
}

/// `act(y + b)` with `y_ih = Σ_j α_ijh keep_ijh z_jh` over the edges of node `i`, with `α` the softmax over them of
/// `leaky_relu(⟨to_h, z_ih⟩ + ⟨from_h, z_jh⟩)`. A node without edges gets 0. Weights of edges do not count.
///
/// # Shapes
///
/// `z: [N, H · d]`, head by head, `bias: [H · d]`; the result as `z`.
///
/// # Complexity
///
/// Time `O((N + E) H d)`, memory `O(N H d + E H)`; on another device than the CPU, `O(E H d)`.
pub fn attend(
    pattern: &Arc<Pattern>,
    z: &Tensor,
    heads: &Heads<'_>,
    bias: Option<&Tensor>,
    act: Act,
) -> Tensor {
    if !on_host(z) {
        return epilogue::composed(composed(pattern, z, heads), bias, act);
    }
    let mut saved = Attend {
        pattern: Arc::clone(pattern),
        z: z.shallow_clone(),
        vectors: [heads.to, heads.from].map(Tensor::shallow_clone),
        slope: heads.slope,
        keep: heads.keep.as_ref().map(Tensor::shallow_clone),
        shares: [Tensor::new(), Tensor::new()],
        alpha: Tensor::new(),
        gate: Gate::open(),
    };
    let y = no_grad(|| by_kind!(z.kind(), T => saved.forward::<T>(bias, act)));
    saved.gate = Gate::of(act, &y);
    let inputs: Vec<&Tensor> = [z, heads.to, heads.from].into_iter().chain(bias).collect();
    record(&inputs, y, saved)
}

/// The same of LibTorch's own operations.
fn composed(pattern: &Pattern, z: &Tensor, heads: &Heads<'_>) -> Tensor {
    let (row, col) = (pattern.row(z.device()), pattern.col(z.device()));
    let parts = z.view([z.size()[0], heads.to.size()[0], heads.to.size()[1]]);
    let share = |vector: &Tensor| (&parts * vector).sum_dim_intlist([-1_i64].as_slice(), false, z.kind());
    let score = share(heads.to).index_select(0, &row) + share(heads.from).index_select(0, &col);
    let score = score.where_self(&score.gt(0.0), &(&score * heads.slope));
    let rows = Arc::new(Segments::new(pattern.csr().row_ptr().to_vec()));
    let alpha = segment::softmax(&score, &rows);
    let alpha = heads.keep.as_ref().map_or_else(|| alpha.shallow_clone(), |keep| &alpha * keep);
    let messages = parts.index_select(0, &col) * alpha.unsqueeze(-1);
    parts.zeros_like().index_add(0, &row, &messages).view_as(z)
}

struct Attend {
    pattern: Arc<Pattern>,
    z: Tensor,
    /// `to` and `from`.
    vectors: [Tensor; 2],
    slope: f64,
    keep: Option<Tensor>,
    /// Of each node in the scores of its rows, and of its columns: `[N, H]`.
    shares: [Tensor; 2],
    /// `[E, H]`.
    alpha: Tensor,
    gate: Gate,
}

impl Attend {
    /// `H` and `d`.
    fn sizes(&self) -> [usize; 2] {
        let size = self.vectors[0].size();
        [size[0] as usize, size[1] as usize]
    }

    fn forward<T: Real>(&mut self, bias: Option<&Tensor>, act: Act) -> Tensor {
        let [heads, width] = self.sizes();
        let (nodes, all) = (self.z.size()[0], heads * width);
        let z = Dense::new(&self.z);
        self.shares = [0, 1].map(|side| {
            let vector = Dense::new(&self.vectors[side]);
            let matrix = block_columns(vector.slice::<T>(), [heads, width]);
            filled(&[nodes, heads as i64], |out| {
                multiply(
                    Flip::Neither,
                    [nodes as usize, heads, all],
                    z.slice::<T>(),
                    &matrix,
                    Output::Overwritten,
                    out,
                );
            })
        });
        let mut alpha = None;
        let y = filled(&self.z.size(), |y: &mut [T]| {
            alpha = Some(filled(&[self.pattern.edges(), heads as i64], |alpha| {
                self.operands(|operands| {
                    sparse::attention::attend(&TorchPool, self.pattern.csr(), operands, alpha, y);
                });
            }));
            if bias.is_some() || act != Act::Identity {
                let bias = bias.map(Dense::new);
                sparse::rows::bias_act(&TorchPool, all, bias.as_ref().map(Dense::slice), act, y);
            }
        });
        self.alpha = alpha.expect("made by the closure");
        y
    }

    fn operands<T: Real, R>(&self, run: impl FnOnce(&Attention<'_, T>) -> R) -> R {
        let [heads, width] = self.sizes();
        let ([a_row, a_col], x) = (self.shares.each_ref().map(Dense::new), Dense::new(&self.z));
        let keep = self.keep.as_ref().map(Dense::new);
        run(&Attention {
            a_row: a_row.slice(),
            a_col: a_col.slice(),
            slope: T::real(self.slope),
            keep: keep.as_ref().map(Dense::slice),
            x: x.slice(),
            heads,
            width,
        })
    }

    /// Gradients of `z` and of the two vectors.
    fn gradients<T: Real>(&self, grad: &Tensor) -> [Tensor; 3] {
        let [heads, width] = self.sizes();
        let (nodes, all) = (self.z.size()[0] as usize, heads * width);
        let (z, grad, alpha) = (Dense::new(&self.z), Dense::new(grad), Dense::new(&self.alpha));
        let mut of_shares = [vec![T::real(0.0); nodes * heads], vec![T::real(0.0); nodes * heads]];
        let dz = filled(&self.z.size(), |dz: &mut [T]| {
            let [rows, cols] = &mut of_shares;
            self.operands(|operands| {
                let pattern = self.pattern.relation().pattern();
                let (alpha, grad) = (alpha.slice(), grad.slice());
                sparse::attention::attend_backward(
                    &TorchPool, pattern, operands, alpha, grad, dz, rows, cols,
                );
            });
            for (share, vector) in of_shares.iter().zip(&self.vectors) {
                let vector = Dense::new(vector);
                let matrix = block_columns(vector.slice::<T>(), [heads, width]);
                multiply(Flip::Right, [nodes, all, heads], share, &matrix, Output::AddedTo, dz);
            }
        });
        let of_vector = |share: &[T]| {
            let mut matrix = vec![T::real(0.0); all * heads];
            multiply(
                Flip::Left,
                [all, heads, nodes],
                z.slice::<T>(),
                share,
                Output::Overwritten,
                &mut matrix,
            );
            filled(&[heads as i64, width as i64], |out| {
                for (place, out) in out.iter_mut().enumerate() {
                    *out = matrix[place * heads + place / width];
                }
            })
        };
        [dz, of_vector(&of_shares[0]), of_vector(&of_shares[1])]
    }
}

impl Function for Attend {
    const NAME: &'static CStr = c"attention over edges";

    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return needs.iter().map(|_| None).collect() };
        let biased = needs.len() > 3;
        let (grad, of_bias) = self.gate.backward(grad, biased);
        let gradients = by_kind!(grad.kind(), T => self.gradients::<T>(&grad)).map(Some);
        gradients.into_iter().chain(biased.then_some(of_bias)).collect()
    }
}

/// `[H d, H]`: in column `h` the vector of head `h`, at its own rows.
fn block_columns<T: Real>(vectors: &[T], [heads, width]: [usize; 2]) -> Vec<T> {
    let mut matrix = vec![T::real(0.0); heads * width * heads];
    for (place, &number) in vectors.iter().enumerate() {
        matrix[place * heads + place / width.max(1)] = number;
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};
    use coarsen_sparse::Csr;
    use tch::Kind;

    #[test]
    fn equals_libtorch_with_its_gradients() {
        let edges = [(0, 0), (0, 1), (0, 3), (1, 0), (3, 1), (3, 2), (3, 3)];
        let csr = Csr::from_edges(4, 4, edges).expect("edges in range");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 4]))));
        for (heads, width) in [(1, 3), (2, 2), (4, 1)] {
            let drawn = ramp(&[7, heads], 0.4).detach();
            for (keep, act) in [(None, Act::Identity), (Some(drawn), Act::Identity), (None, Act::Elu)] {
                let run = |f: &dyn Fn(&Tensor, &Heads<'_>, &Tensor) -> Tensor| {
                    let (z, to, from, bias) = (
                        ramp(&[4, heads * width], 0.7),
                        ramp(&[heads, width], 0.3),
                        ramp(&[heads, width], 1.9),
                        ramp(&[heads * width], 0.2),
                    );
                    let keep = keep.as_ref().map(Tensor::shallow_clone);
                    let y = f(&z, &Heads { to: &to, from: &from, slope: 0.2, keep }, &bias);
                    (&y * ramp(&y.size(), 1.1).detach()).sum(Kind::Double).backward();
                    [y.detach(), z.grad(), to.grad(), from.grad(), bias.grad()]
                };
                let theirs =
                    run(&|z, heads, bias| epilogue::composed(composed(&pattern, z, heads), Some(bias), act));
                let ours = run(&|z, heads, bias| attend(&pattern, z, heads, Some(bias), act));
                assert_close(&ours, &theirs, 1e-12);
            }
        }
    }
}

//! What a node makes of those that send to it, beside their sum: the largest, attention, and a cluster.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse::Csr;
use coarsen_sparse::attention::{Attention, attend, attend_backward};
use tch::{Tensor, no_grad};

use crate::adjacency::Sparse;
use crate::assignment::{Assignment, Entries};
use crate::autograd::{Function, record};
use crate::executor::TorchPool;
use crate::relation::Relation;
use crate::segment;
use crate::segments::Segments;
use crate::spmm::{Side, spmm};
use crate::spmm_max::spmm_max;
use crate::view::{Dense, Real, by_kind, filled, filled_beside, integers, on_host};

/// The operands of an attention with one head; see [`Sparse::attend`].
#[derive(Debug, Clone, Copy)]
pub struct Scores<'a> {
    /// Share of the receiving node in a score, `[N]`.
    pub row: &'a Tensor,
    /// Share of the sending node, `[N]`.
    pub col: &'a Tensor,
    /// Slope of the leaky ReLU below 0.
    pub slope: f64,
    /// Factor of each weight behind the softmax, `[E]`: dropout. `None`: ones.
    pub keep: Option<&'a Tensor>,
}

impl Sparse {
    /// Largest value of each column over the nodes that send to a node, whatever the weights; 0 where nobody does.
    ///
    /// The gradient goes to the first sender that holds the maximum.
    ///
    /// # Shapes
    ///
    /// `[N, F]` → `[N, F]`.
    ///
    /// # Complexity
    ///
    /// Time `O(E F)`, memory `O(N F)`.
    pub fn max(&self, x: &Tensor) -> Tensor {
        spmm_max(self.pattern.relation(), None, x)
    }

    /// `y_i = Σ_j keep_ij α_ij x_j` with `α_ij` the softmax over the senders `j` of `i` of `leaky(row_i + col_j)`; gives `y` and
    /// `keep ⊙ α`, the latter without a gradient.
    ///
    /// Weights of edges do not count. Gradients go to `x`, `row` and `col`.
    ///
    /// # Shapes
    ///
    /// `x: [N, F]` → `[N, F]` and `[E]`.
    ///
    /// # Complexity
    ///
    /// Time `O(E F)`, memory `O(E + N F)` on a CPU: no matrix of edges by features is made.
    pub fn attend(&self, scores: &Scores, x: &Tensor) -> (Tensor, Tensor) {
        let relation = self.pattern.relation();
        if !on_host(x) {
            return composed(relation, scores, x);
        }
        let (y, alpha) = no_grad(|| {
            by_kind!(x.kind(), T => {
                let held = Held::new(scores, x);
                filled_beside(&x.size(), &[relation.entries()], |y, alpha| {
                    attend(&TorchPool, relation.csr(), &held.operands::<T>(), alpha, y);
                })
            })
        });
        let weight = match scores.keep {
            Some(keep) => no_grad(|| &alpha * keep),
            None => alpha.shallow_clone(),
        };
        let function = Attend {
            relation: Arc::clone(relation),
            row: scores.row.shallow_clone(),
            col: scores.col.shallow_clone(),
            slope: scores.slope,
            keep: scores.keep.map(Tensor::shallow_clone),
            x: x.shallow_clone(),
            alpha,
        };
        (record(&[x, scores.row, scores.col], y, function), weight)
    }

    /// Some neighbourhoods as overlapping clusters: the members of cluster `c` are the nodes that send to node `kept[c]`.
    ///
    /// # Shapes
    ///
    /// `weight: [E]`, the weights that `S` has for all; `kept: [K]` Int64, graph by graph; `clusters` has `K` rows.
    ///
    /// # Panics
    ///
    /// When a node of `kept` is out of range, or `clusters` has another number of rows.
    pub fn neighbourhoods(&self, weight: &Tensor, kept: &Tensor, clusters: Arc<Segments>) -> Assignment {
        let (csr, kept) = (self.pattern.csr(), integers(kept));
        assert_eq!(kept.len(), clusters.rows(), "one node a cluster");
        let mut row_ptr = vec![0u32];
        let (mut col, mut entry) = (Vec::new(), Vec::new());
        for &i in &kept {
            col.extend_from_slice(csr.row(i as usize));
            entry.extend(csr.range(i as usize).map(|e| e as i64));
            row_ptr.push(col.len() as u32);
        }
        let members = Csr::new(kept.len(), csr.cols(), row_ptr, col).expect("rows of a pattern");
        let by_cluster = Relation::new(members);
        let transposed = by_cluster.transposed();
        let order: Vec<i64> = transposed.entry.iter().map(|&e| entry[e as usize]).collect();
        let weight = weight.index_select(0, &Tensor::from_slice(&order).to_device(weight.device()));
        let relation = Arc::clone(&transposed.relation);
        Assignment::Entries(Entries { relation, weight: Some(weight), clusters, kept: None })
    }
}

/// The same by operations of LibTorch, with a number an edge between them.
fn composed(relation: &Arc<Relation>, scores: &Scores, x: &Tensor) -> (Tensor, Tensor) {
    let device = x.device();
    let sum =
        scores.row.index_select(0, &relation.row(device)) + scores.col.index_select(0, &relation.col(device));
    let score = sum.maximum(&(&sum * scores.slope));
    let by_row = Arc::new(Segments::new(relation.csr().row_ptr().to_vec()));
    let alpha = segment::softmax(&score, &by_row);
    let weight = scores.keep.map_or_else(|| alpha.shallow_clone(), |keep| &alpha * keep);
    (spmm(relation, Side::Rows, Some(&weight), x), weight.detach())
}

/// The operands as slices can be taken of them.
struct Held {
    row: Dense,
    col: Dense,
    keep: Option<Dense>,
    x: Dense,
    width: usize,
    slope: f64,
}

impl Held {
    fn new(scores: &Scores, x: &Tensor) -> Self {
        Self {
            row: Dense::new(scores.row),
            col: Dense::new(scores.col),
            keep: scores.keep.map(Dense::new),
            x: Dense::new(x),
            width: x.size()[1] as usize,
            slope: scores.slope,
        }
    }

    fn operands<T: Real>(&self) -> Attention<'_, T> {
        Attention {
            a_row: self.row.slice::<T>(),
            a_col: self.col.slice::<T>(),
            slope: T::real(self.slope),
            keep: self.keep.as_ref().map(Dense::slice::<T>),
            x: self.x.slice::<T>(),
            heads: 1,
            width: self.width,
        }
    }
}

struct Attend {
    relation: Arc<Relation>,
    row: Tensor,
    col: Tensor,
    slope: f64,
    keep: Option<Tensor>,
    x: Tensor,
    alpha: Tensor,
}

impl Function for Attend {
    const NAME: &'static CStr = c"attention over senders";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        let Some(grad) = &grads[0] else { return vec![None, None, None] };
        let scores = Scores { row: &self.row, col: &self.col, slope: self.slope, keep: self.keep.as_ref() };
        by_kind!(grad.kind(), T => {
            let (held, alpha, grad) = (Held::new(&scores, &self.x), Dense::new(&self.alpha), Dense::new(grad));
            let mut beside = None;
            let dx = filled(&self.x.size(), |dx| {
                beside = Some(filled_beside(&self.row.size(), &self.col.size(), |da_row, da_col| {
                    let pattern = self.relation.pattern();
                    let (alpha, grad) = (alpha.slice::<T>(), grad.slice::<T>());
                    attend_backward(&TorchPool, pattern, &held.operands::<T>(), alpha, grad, dx, da_row, da_col);
                }));
            });
            let (da_row, da_col) = beside.expect("made by the closure");
            vec![Some(dx), Some(da_row), Some(da_col)]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use tch::{Device, Kind};

    fn directed() -> Sparse {
        let csr = Csr::new(4, 4, vec![0, 3, 5, 6, 6], vec![0, 1, 3, 0, 2, 1]).expect("six edges");
        let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 4])));
        Sparse::new(Arc::new(pattern), None, (Kind::Double, Device::Cpu))
    }

    fn leaf(values: &[f64], shape: &[i64]) -> Tensor {
        Tensor::from_slice(values).view(shape).set_requires_grad(true)
    }

    #[test]
    fn the_largest_sender_receives_the_gradient() {
        let x = leaf(&[1., -5., 3., -2., 2., -9., 0.5, 4.], &[4, 2]);
        let y = directed().max(&x);
        assert_eq!(Vec::<f64>::try_from(y.view(-1)).unwrap(), [3., 4., 2., -5., 3., -2., 0., 0.]);
        y.sum(Kind::Double).backward();
        assert_eq!(Vec::<f64>::try_from(x.grad().view(-1)).unwrap(), [0., 1., 2., 1., 1., 0., 0., 1.]);
    }

    #[test]
    fn the_fused_attention_is_the_composed_one() {
        let keep = Tensor::from_slice(&[1.25f64, 0., 1.25, 1.25, 1.25, 0.]);
        for keep in [None, Some(&keep)] {
            let run = |fused: bool| {
                let row = leaf(&[0.3, -0.8, 0.1, 2.0], &[4]);
                let col = leaf(&[-0.5, 0.4, 1.2, -0.9], &[4]);
                let x = leaf(&[1., -5., 3., -2., 2., -9., 0.5, 4.], &[4, 2]);
                let scores = Scores { row: &row, col: &col, slope: 0.2, keep };
                let a = directed();
                let (y, alpha) =
                    if fused { a.attend(&scores, &x) } else { composed(a.pattern.relation(), &scores, &x) };
                let probe = Tensor::arange(8, (Kind::Double, Device::Cpu)).cos().view([4, 2]);
                (&y * probe).sum(Kind::Double).backward();
                [y.detach(), alpha, x.grad(), row.grad(), col.grad()]
            };
            for (got, want) in run(true).iter().zip(&run(false)) {
                assert!(got.allclose(want, 1e-12, 1e-12, false), "{got} {want}");
            }
        }
    }
}

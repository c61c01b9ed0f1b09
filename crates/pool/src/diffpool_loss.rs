//! The auxiliary losses of DiffPool, on given assignments: the paper's, and PyG's.

use coarsen_tensor::soft_losses::{self, distances};
use coarsen_tensor::{Adjacency, Assignment, Level, Squares};
use tch::Tensor;

/// Keeps the gradient of a root finite at 0.
const UNDER_ROOT: f64 = 1e-12;
/// Keeps the logarithm of an assignment finite at 0.
const UNDER_LOG: f64 = 1e-15;

/// Link prediction: `L_LP = mean_b ‖A_b − S_b S_bᵀ‖_F`, over the nodes of each graph alone.
///
/// `squares` are those of `s`, which the pooling needs as well. On a sparse level nothing of the size N² exists:
/// `‖A − S Sᵀ‖² = ‖A‖² − 2 tr(Sᵀ A S) + ‖Sᵀ S‖²`, graph by graph.
///
/// # Shapes
///
/// `s: [N, K]` over a sparse level, `[B, N, K]` with zero rows for padding over a dense one; gives a scalar.
///
/// # Complexity
///
/// Sparse: time and memory `O(E + B K²)`, beside the squares. Dense: time `O(B N² K)`, memory `O(B N²)`.
///
/// # Panics
///
/// When `s` is not a soft assignment of the level's layout.
///
/// # Paper and code
///
/// The paper prints `‖A, S Sᵀ‖`. The release computes another loss, and PyG takes one norm over the padded batch ([`pyg_link`]).
pub fn link(g: &Level, s: &Assignment, squares: &Squares) -> Tensor {
    let distances = match (&g.adj, s) {
        (Adjacency::Dense(p), Assignment::Padded { s }) => {
            (total(&residual(&p.a, s).square(), &[-1, -2]) + UNDER_ROOT).sqrt()
        }
        (Adjacency::Sparse(_), Assignment::Rows { .. }) => {
            distances(&g.adj.squared_norms(), squares, UNDER_ROOT)
        }
        _ => panic!("a soft assignment has the layout of its level"),
    };
    distances.mean(None)
}

/// Entropy of the assignment: `L_E = mean_i H(S_i)` over the nodes of the whole batch, padding excluded.
///
/// # Shapes
///
/// As for [`link`].
///
/// # Panics
///
/// When `s` is not a soft assignment.
pub fn entropy(g: &Level, s: &Assignment) -> Tensor {
    let (Assignment::Rows { s, .. } | Assignment::Padded { s }) = s else {
        panic!("the entropy is that of a soft assignment")
    };
    let sum = soft_losses::entropy(s, UNDER_LOG);
    match g.mask() {
        Some(mask) => sum / mask.sum(None).clamp_min(1.0),
        None => sum / rows(s),
    }
}

/// PyG's link loss: one Frobenius norm over the padded batch, `‖A − S Sᵀ‖_F`, divided by its `B·N²` entries under
/// [`Scale::Entries`]. It depends on the padding and on the rest of the batch.
///
/// # Shapes
///
/// `a: [B, N, N]`, `s: [B, N, K]`; gives a scalar.
pub fn pyg_link(a: &Tensor, s: &Tensor, scale: Scale) -> Tensor {
    let norm = residual(a, s).norm();
    match scale {
        Scale::Entries => norm / a.numel().max(1) as f64,
        Scale::Plain => norm,
    }
}

/// PyG's entropy: a mean over all `B·N` rows, those of the padding counted as 0.
///
/// # Shapes
///
/// `s: [B, N, K]`; gives a scalar.
pub fn pyg_entropy(s: &Tensor) -> Tensor {
    soft_losses::entropy(s, UNDER_LOG) / rows(s)
}

/// The release's link loss: binary cross-entropy of `min(S Sᵀ, 1)` beside `A` over the pairs of nodes of each graph, divided by `Σ_b n_b²`.
///
/// 1e-7 is added below both logarithms.
///
/// # Shapes
///
/// `s: [B, N, K]` over a dense level; gives a scalar.
///
/// # Panics
///
/// When the level is sparse.
pub fn official_link(g: &Level, s: &Tensor) -> Tensor {
    const UNDER: f64 = 1e-7;
    let Adjacency::Dense(p) = &g.adj else { panic!("the release works on padded batches") };
    let near = s.matmul(&s.transpose(1, 2)).clamp_max(1.0);
    let absent: Tensor = 1.0 - &p.a;
    let missing: Tensor = 1.0 - &near;
    let terms = -(&p.a * (near + UNDER).log() + absent * (missing + UNDER).log());
    let nodes = g.mask().map_or_else(|| p.a.ones_like().select(2, 0), Tensor::shallow_clone);
    let pairs = nodes.unsqueeze(2) * nodes.unsqueeze(1);
    (terms * &pairs).sum(None) / pairs.sum(None).clamp_min(1.0)
}

/// How [`pyg_link`] is scaled: the flag `normalize` of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Divided by the number of entries of the padded adjacency.
    Entries,
    /// As it is.
    Plain,
}

fn residual(a: &Tensor, s: &Tensor) -> Tensor {
    a - s.matmul(&s.transpose(1, 2))
}

fn total(x: &Tensor, over: &[i64]) -> Tensor {
    x.sum_dim_intlist(over, false, None)
}

/// How many, 1 at least.
fn rows(s: &Tensor) -> f64 {
    let size = s.size();
    size[..size.len() - 1].iter().product::<i64>().max(1) as f64
}

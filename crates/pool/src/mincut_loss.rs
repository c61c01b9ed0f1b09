//! The auxiliary losses of `MinCutPool`, on given assignments.

use coarsen_tensor::grouped::contract;
use coarsen_tensor::{Adjacency, Assignment, Level, segment};
use tch::Tensor;

/// Keeps the gradient of a root finite at 0.
const UNDER_ROOT: f64 = 1e-12;

/// Cut: `L_c = −mean_b tr(Sᵀ A S) / tr(Sᵀ D S)` with `D` the row sums of `A`; −1 is best.
///
/// `coarse` is `Sᵀ A S` with its diagonal, which the pooling needs as well. A graph without edges has nothing to cut and adds 0.
///
/// # Shapes
///
/// `s: [N, K]` over a sparse level, `[B, N, K]` with zero rows for padding over a dense one; gives a scalar.
///
/// # Complexity
///
/// Sparse: time `O(E + N K)`. Dense: time `O(B N² + B N K)`. `Sᵀ A S` comes in addition.
///
/// # Panics
///
/// When `s` or `coarse` is not soft or of another layout than the level.
///
/// # Paper and code
///
/// PyG divides 0 by 0 for a graph without edges, and the loss of its whole batch is NaN.
pub fn cut(adj: &Adjacency, s: &Assignment, coarse: &Adjacency) -> Tensor {
    let Adjacency::Dense(coarse) = coarse else { panic!("a soft assignment gives a dense level") };
    let within = total(&coarse.a.diagonal(0, 1, 2), &[-1]);
    let weighed = |s: &Tensor| total(&s.square(), &[-1]) * adj.degree();
    let all = match s {
        Assignment::Rows { s, graphs } => segment::sum(&weighed(s).unsqueeze(1), graphs).squeeze_dim(1),
        Assignment::Padded { s } => total(&weighed(s), &[-1]),
        Assignment::Entries(_) => panic!("the cut is that of a soft assignment"),
    };
    let none = all.eq(0.0);
    -(within / all.masked_fill(&none, 1.0)).mean(None)
}

/// Orthogonality: `L_o = mean_b ‖Sᵀ S / ‖Sᵀ S‖_F − I / √K‖_F`; 0 for clusters of equal size that share no node.
///
/// # Shapes
///
/// As for [`cut`].
///
/// # Complexity
///
/// Time `O(N K²)`, memory `O(B K²)`.
///
/// # Panics
///
/// When `s` is not a soft assignment.
pub fn orthogonality(g: &Level, s: &Assignment) -> Tensor {
    let gram = match s {
        Assignment::Rows { s, graphs } => contract(s, s, graphs),
        Assignment::Padded { s } => s.transpose(1, 2).matmul(s),
        Assignment::Entries(_) => panic!("orthogonality is that of a soft assignment"),
    };
    let clusters = gram.size()[1];
    let ideal = Tensor::eye(clusters, g.options()) / (clusters as f64).sqrt();
    let norm = total(&gram.square(), &[-1, -2]).clamp_min(UNDER_ROOT).sqrt().view([-1, 1, 1]);
    let difference = gram / norm - ideal;
    (total(&difference.square(), &[-1, -2]) + UNDER_ROOT).sqrt().mean(None)
}

fn total(x: &Tensor, over: &[i64]) -> Tensor {
    x.sum_dim_intlist(over, false, None)
}

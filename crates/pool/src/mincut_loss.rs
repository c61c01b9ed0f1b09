//! The auxiliary losses of `MinCutPool`, on given assignments.

use coarsen_tensor::Squares;
use coarsen_tensor::clusters::unevenness;
use tch::Tensor;

/// Cut: `L_c = −mean_b tr(Sᵀ A S) / tr(Sᵀ D S)` with `D` the row sums of `A`; −1 is best.
///
/// A graph without edges has nothing to cut and adds 0. Gives a scalar.
///
/// # Complexity
///
/// Time `O(B K)`, beside that of the squares, which the pooling needs as well.
///
/// # Paper and code
///
/// PyG divides 0 by 0 for a graph without edges, and the loss of its whole batch is NaN.
pub fn cut(squares: &Squares) -> Tensor {
    let within = total(&squares.between.diagonal(0, 1, 2), &[-1]);
    let none = squares.degrees.eq(0.0);
    -(within / squares.degrees.masked_fill(&none, 1.0)).mean(None)
}

/// Orthogonality: `L_o = mean_b ‖Sᵀ S / ‖Sᵀ S‖_F − I / √K‖_F`; 0 for clusters of equal size that share no node.
///
/// Gives a scalar.
///
/// # Complexity
///
/// Time and memory `O(B K²)`, beside that of the squares.
pub fn orthogonality(squares: &Squares) -> Tensor {
    unevenness(&squares.gram).mean(None)
}

fn total(x: &Tensor, over: &[i64]) -> Tensor {
    x.sum_dim_intlist(over, false, None)
}

//! The losses of AdamGNN: two divergences that bear the name `L_KL`, and the reconstruction of edges.

use std::sync::Arc;

use coarsen_tensor::{Segments, gaussian, sharpening};
use tch::Tensor;

/// Keeps the logarithms of [`reconstruction`] finite, as released.
const EPS: f64 = 1e-15;

/// `(1/n) Σ_j Σ_i p_ij ln(p_ij / q_ij)` over the nodes `j` and the `egos` `i` of `j`'s graph: how far nodes are from a sharper copy of
/// their likeness to egos.
///
/// `q_ij = (1 + ‖h_j − h_i‖²/μ)^{-1} / Σ_i' (…)` and `p_ij = (q_ij² / g_i) / Σ_i' (q_i'j² / g_i')`, `g_i = Σ_j q_ij` over the nodes
/// of the graph. `P` is a target: no gradient passes through it. A graph with one ego, or none, gives 0.
///
/// # Shapes
///
/// `h: [N, F]`, `egos` Int64, ascending; gives a scalar.
///
/// # Complexity
///
/// Time `O(Σ_b n_b m_b F)` for `m_b` egos of `n_b` nodes, memory `O(Σ_b n_b m_b)`, one number a pair. Of a single large
/// graph that is more than its edges.
///
/// # Paper and code
///
/// The text sums over the wrong index in `g_i`, and says neither which egos nor which `h` nor whether `P` has a gradient: here the
/// caller gives the egos of the first level and the final `h`, as DEC has it. The released code defines the target and never calls it; its
/// loss of this name is [`gaussian_kl`].
pub fn dec_kl(h: &Tensor, egos: &Tensor, graphs: &Arc<Segments>, mu: f64) -> Tensor {
    sharpening(h, egos, graphs, mu) / (graphs.rows().max(1) as f64)
}

/// `(1/n_b) · (1/n_b) Σ_v −½ Σ_c (1 + s_vc − m_vc² − exp(s_vc))` of each graph, averaged over graphs: the divergence of Gaussians of
/// mean `m` and logarithmic variance `s` from the standard one, as the released code takes it for `L_KL`.
///
/// # Shapes
///
/// `mean` and `log_variance: [N, F]`; gives a scalar.
///
/// # Complexity
///
/// Time and memory `O(N F)`.
///
/// # Paper and code
///
/// It is in no text. The released code divides by the number of nodes twice, and of a batch of graphs by that of all nodes: what a graph
/// gives would depend on those beside it, so that here it is each graph's own. Of one graph the two are the same.
pub fn gaussian_kl(mean: &Tensor, log_variance: &Tensor, graphs: &Arc<Segments>) -> Tensor {
    let nodes = |n: u32| f64::from(n.max(1));
    let share: Vec<f64> = graphs.sizes().map(|n| 1.0 / (nodes(n) * nodes(n) * graphs.len() as f64)).collect();
    gaussian(mean, log_variance, graphs, &share)
}

/// `mean −ln σ(edge) + mean −ln(1 − σ(non_edge))`: `L_R` of the products `⟨h_i, h_j⟩` of pairs with an edge and of as many without.
///
/// 0 where there are no pairs.
///
/// # Shapes
///
/// `[E]`, `[M]`; gives a scalar.
///
/// # Complexity
///
/// Time and memory `O(E + M)`.
///
/// # Paper and code
///
/// The text prints `σ(Hᵀ H)` for `σ(H Hᵀ)` and the sum over all pairs of nodes; the released code, and this, the mean over edges and that
/// over sampled non-edges, with 1e-15 below the logarithms.
pub fn reconstruction(edge: &Tensor, non_edge: &Tensor) -> Tensor {
    mean_log_loss(edge) + mean_log_loss(&-non_edge)
}

/// `mean −ln σ(x)`: a half of [`reconstruction`], of products with an edge, or of those without with their signs changed. The halves of
/// parts of a batch are added apart, each by its number of pairs.
///
/// # Shapes
///
/// `[E]`; gives a scalar.
///
/// # Complexity
///
/// Time and memory `O(E)`.
pub fn mean_log_loss(x: &Tensor) -> Tensor {
    -(x.sigmoid() + EPS).log().sum(None) / (x.numel().max(1) as f64)
}

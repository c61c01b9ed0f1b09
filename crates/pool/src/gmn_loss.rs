//! The auxiliary loss of memory layers: how far an assignment is from a sharper copy of itself.

use coarsen_tensor::{Assignment, segment};
use tch::Tensor;

/// Keeps quotients and logarithms of [`kl`] finite, as the reference has it.
const EPS: f64 = 1e-8;
/// The same of [`pyg_kl`].
const PYG_EPS: f64 = 1e-15;

/// `Σ P ln(P / S)` over all nodes and keys, `P_ij = (S_ij² / Σ_i S_ij) / Σ_j' (S_ij'² / Σ_i S_ij')`, the sums over `i` in a graph.
///
/// The gradient passes through `P` as well.
///
/// # Shapes
///
/// `s: [N, K]` over a sparse level, `[B, N, K]` with zero rows for padding over a dense one; gives a scalar.
///
/// # Complexity
///
/// Time and memory `O(N K)`.
///
/// # Panics
///
/// When `s` is not a soft assignment.
///
/// # Paper and code
///
/// 1e-8 is added to every divisor and below every logarithm, as in the release of *Rethinking pooling*, whose loss is 100 times
/// this. Its appendix writes `KL(Q ‖ P)` over the summands of `KL(P ‖ Q)`.
pub fn kl(s: &Assignment) -> Tensor {
    let (s, of_keys) = with_sums(s);
    let sharper = s.square() / (of_keys + EPS);
    let p: Tensor = &sharper / (row_sums(&sharper) + EPS);
    (&p * ((&p + EPS).log() - (s + EPS).log())).sum(None)
}

/// PyG's form of the same, which clamps where [`kl`] adds: `S` and `P` are at least 1e-15 in the logarithms and before them.
///
/// # Shapes
///
/// As for [`kl`]. PyG divides by the number of graphs.
///
/// # Panics
///
/// When `s` is not a soft assignment.
pub fn pyg_kl(s: &Assignment) -> Tensor {
    let (s, of_keys) = with_sums(s);
    // A key that no node chose has zeros above its sum as well.
    let sharper = s.square() / of_keys.masked_fill(&of_keys.eq(0.0), 1.0);
    let sums = row_sums(&sharper);
    let p = (&sharper / sums.masked_fill(&sums.eq(0.0), 1.0)).clamp_min(PYG_EPS);
    (&p * (p.log() - s.clamp_min(PYG_EPS).log())).sum(None)
}

/// The assignment, and the sum of its column over its graph beside every number.
fn with_sums(s: &Assignment) -> (&Tensor, Tensor) {
    match s {
        Assignment::Rows { s, graphs } => {
            (s, segment::sum(s, graphs).index_select(0, &graphs.index(s.device())))
        }
        Assignment::Padded { s } => (s, s.sum_dim_intlist([1i64].as_slice(), true, None)),
        Assignment::Entries(_) => panic!("the keys of memory layers are assigned softly"),
    }
}

fn row_sums(x: &Tensor) -> Tensor {
    x.sum_dim_intlist([-1i64].as_slice(), true, None)
}

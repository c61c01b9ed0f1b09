//! The best nodes of each graph.

use coarsen_sparse::{Scalar, segment};
use tch::{Device, Tensor};

use crate::segments::Segments;
use crate::view::{Dense, Real, by_kind, reals};

/// The best nodes of each graph: graph by graph, in each by falling score; of equal scores the lower index first.
///
/// `count` tells how many of a graph's `n` nodes are kept; more than `n` is `n`. NaN is better than every number, so
/// that a broken score is seen and not dropped. The choice is discrete: no gradient passes through it.
///
/// Scores are compared [up to rounding](up_to_rounding): twins of a graph have equal scores, which sums in another order, as in
/// another batch, give other last digits; these must not decide between them.
///
/// # Shapes
///
/// `score: [N]` → `[K]` Int64.
///
/// # Complexity
///
/// Time `O(N + K log K)`; reads the scores back to the host.
pub fn top_k(score: &Tensor, graphs: &Segments, count: impl Fn(usize) -> usize) -> Tensor {
    let device = score.device();
    let score = score.to_device(Device::Cpu);
    let kept = by_kind!(score.kind(), T => {
        segment::top(graphs.ptr(), &rounded::<T>(&score), count)
    });
    Tensor::from_slice(&kept.into_iter().map(i64::from).collect::<Vec<_>>()).to_device(device)
}

/// Scores as they should be compared where a choice hangs on them: [rounded](Scalar::rounded).
///
/// # Shapes
///
/// `score: [N]`, read back to the host.
pub fn up_to_rounding(score: &Tensor) -> Vec<f64> {
    let score = score.to_device(Device::Cpu);
    by_kind!(score.kind(), T => rounded::<T>(&score).into_iter().map(Scalar::to_f64).collect())
}

fn rounded<T: Real>(score: &Tensor) -> Vec<T> {
    Dense::new(score).slice::<T>().iter().map(|score| score.rounded()).collect()
}

/// The nodes of each graph whose score is above the graph's threshold, in index order.
///
/// `threshold` gets the highest score of the graph.
///
/// # Shapes
///
/// `score: [N]` → `[K]` Int64.
pub fn above(score: &Tensor, graphs: &Segments, threshold: impl Fn(f64) -> f64) -> Tensor {
    let value = reals(score);
    let mut kept = Vec::new();
    for ends in graphs.ptr().windows(2) {
        let of_graph = &value[ends[0] as usize..ends[1] as usize];
        let least = threshold(of_graph.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        let passing = (ends[0]..ends[1]).zip(of_graph).filter(|(_, v)| **v > least);
        kept.extend(passing.map(|(i, _)| i64::from(i)));
    }
    Tensor::from_slice(&kept).to_device(score.device())
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn ties_go_to_the_lower_index_and_graphs_stay_apart() {
        let graphs = Segments::new(vec![0, 4, 4, 5, 8]);
        let score = Tensor::from_slice(&[1f64, 3., 3., 2., -1., 0., 0., 0.]);
        let kept = top_k(&score, &graphs, |n| n.div_ceil(2));
        assert_eq!(Vec::<i64>::try_from(&kept).unwrap(), [1, 2, 4, 5, 6]);
        let kept = top_k(&score, &graphs, |_| 3);
        assert_eq!(Vec::<i64>::try_from(&kept).unwrap(), [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn last_digits_decide_nothing() {
        let graphs = Segments::new(vec![0, 3]);
        let first = |score: &[f64], kind| {
            let kept = top_k(&Tensor::from_slice(score).to_kind(kind), &graphs, |_| 1);
            kept.int64_value(&[0])
        };
        assert_eq!(first(&[1.0, 1.0 + 1e-15, 1.0 + 2e-15], Kind::Double), 0);
        assert_eq!(first(&[1.0, 1.0 + 1e-9, 1.0 + 2e-9], Kind::Double), 2);
        assert_eq!(first(&[1.0, 1.0 + 5e-7, 1.0], Kind::Float), 0);
        assert_eq!(first(&[1.0, 1.0 + 1e-5, 1.0], Kind::Float), 1);
        assert_eq!(first(&[-0.0, 0.0, -0.0], Kind::Double), 0);
    }

    #[test]
    fn above_keeps_index_order() {
        let graphs = Segments::new(vec![0, 3, 5]);
        let score = Tensor::from_slice(&[0.2f64, 0.5, 0.3, 0.1, 0.05]);
        let kept = above(&score, &graphs, |best| (best - 1e-7).min(0.25));
        assert_eq!(Vec::<i64>::try_from(&kept).unwrap(), [1, 2, 3]);
    }
}

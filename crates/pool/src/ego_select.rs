//! Which ego-networks become clusters: those that are fitter than all around them.

use std::cmp::Ordering;

use coarsen_tensor::Sparse;
use coarsen_tensor::top_k::up_to_rounding;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// What happens where two neighbours are equally fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ties {
    /// The one of lower index is fitter: every component with an edge has an ego. The paper asks for strictly more, and says nothing of
    /// ties.
    #[default]
    LowerIndex,
    /// Neither stands in the way of the other, as released.
    All,
}

impl Ties {
    /// The nodes that no neighbour one step away is fitter than; a node without neighbours is none of them. Loops do not count.
    ///
    /// The choice is discrete: no gradient passes through it. NaN is fitter than every number. Fitness is compared
    /// [up to rounding](up_to_rounding): sums in another order, as in another batch, must not decide between twins.
    ///
    /// # Shapes
    ///
    /// `fitness: [N]`.
    ///
    /// # Complexity
    ///
    /// Time O(N + E), on the host, to which `fitness` is read back.
    ///
    /// # Panics
    ///
    /// When `fitness` has another length than the level.
    pub fn fittest(self, fitness: &Tensor, adj: &Sparse) -> Vec<bool> {
        let fitness = up_to_rounding(fitness);
        let csr = adj.pattern.csr();
        assert_eq!(fitness.len(), csr.rows(), "one number a node");
        let gives_way = |i: usize, j: usize| match fitness[i].total_cmp(&fitness[j]) {
            Ordering::Less => true,
            Ordering::Equal => self == Self::LowerIndex && j < i,
            Ordering::Greater => false,
        };
        let chosen = |i: usize| {
            let mut neighbours = csr.row(i).iter().map(|&j| j as usize).filter(|&j| j != i).peekable();
            neighbours.peek().is_some() && !neighbours.any(|j| gives_way(i, j))
        };
        (0..csr.rows()).map(chosen).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_sparse::Csr;
    use coarsen_tensor::{Pattern, Segments};
    use std::sync::Arc;
    use tch::{Device, Kind};

    /// A path 0 — 1 — 2 — 3 and a node 4 with a loop.
    fn path() -> Sparse {
        let csr = Csr::new(5, 5, vec![0, 1, 3, 5, 6, 7], vec![1, 0, 2, 1, 3, 2, 4]).expect("a path");
        let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 5])));
        Sparse::new(Arc::new(pattern), None, (Kind::Float, Device::Cpu))
    }

    fn chosen(ties: Ties, fitness: &[f64]) -> Vec<usize> {
        let fittest = ties.fittest(&Tensor::from_slice(fitness), &path());
        (0..fittest.len()).filter(|&i| fittest[i]).collect()
    }

    #[test]
    fn the_fitter_of_neighbours_is_chosen_and_a_loop_is_no_neighbour() {
        for ties in [Ties::LowerIndex, Ties::All] {
            assert_eq!(chosen(ties, &[1.0, 0.5, 0.2, 0.3, 9.0]), [0, 3]);
        }
    }

    #[test]
    fn twins_stay_twins_whatever_the_last_digits_say() {
        assert_eq!(chosen(Ties::LowerIndex, &[1.0, 1.0 + 1e-15, 1.0, 1.0 - 1e-15, 0.0]), [0]);
        assert_eq!(chosen(Ties::All, &[1.0, 1.0 + 1e-15, 1.0, 1.0 - 1e-15, 0.0]), [0, 1, 2, 3]);
        assert_eq!(chosen(Ties::LowerIndex, &[1.0, 1.0 + 1e-9, 0.5, 0.2, 0.0]), [1]);
        let single = Tensor::from_slice(&[1f32, 1.0 + 1e-6, 0.5, 0.2, 0.0]);
        assert_eq!(Ties::LowerIndex.fittest(&single, &path())[..2], [true, false]);
    }

    #[test]
    fn of_equal_neighbours_the_first_or_both_are_chosen() {
        assert_eq!(chosen(Ties::LowerIndex, &[1.0, 1.0, 1.0, 1.0, 1.0]), [0]);
        assert_eq!(chosen(Ties::All, &[1.0, 1.0, 1.0, 1.0, 1.0]), [0, 1, 2, 3]);
        assert_eq!(chosen(Ties::LowerIndex, &[1.0, 0.5, 0.7, 0.7, 1.0]), [0, 2]);
    }
}

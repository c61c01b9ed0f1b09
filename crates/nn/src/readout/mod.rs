//! Readouts: one vector per graph.
//!
//! | module | holds |
//! | --- | --- |
//! | `max` | [`Max`]: largest value of each feature |
//! | `mean` | [`Mean`]: mean over the nodes |
//! | `set2set` | [`Set2Set`]: a query that reads the nodes several times |
//! | `set2set_official` | [`Set2SetOfficial`]: the same as DiffPool's authors released it |
//! | `sort` | [`Sort`]: the first nodes by their last feature |
//! | `sum` | [`Sum`]: sum over the nodes |

mod max;
mod mean;
mod reader;
mod set2set;
mod set2set_official;
mod sort;
mod sum;

use std::fmt::Debug;

use coarsen_tensor::Level;
use tch::Tensor;

use crate::ctx::Ctx;

pub use max::{Max, MaxConfig};
pub use mean::{Mean, MeanConfig};
pub use set2set::{Set2Set, Set2SetConfig};
pub use set2set_official::{Set2SetOfficial, Set2SetOfficialConfig};
pub use sort::{Rows, Sort, SortConfig};
pub use sum::{Sum, SumConfig};

/// A layer from a level to one vector per graph.
///
/// It is invariant under permutation of a graph's nodes, and works in both layouts; padding counts for nothing. A graph without
/// nodes gives 0. (`set2set-official` keeps neither promise about padding, and says so.)
pub trait Readout: Debug + Send {
    /// The vector of every graph.
    ///
    /// # Shapes
    ///
    /// `g.x`: `[…, F]` → `[B, out_features]`.
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor;

    /// Width of what goes out.
    fn out_features(&self) -> i64;
}

/// A level small enough to work out a readout on paper.
#[cfg(test)]
mod by_hand {
    use std::sync::Arc;

    use coarsen_sparse::Csr;
    use coarsen_tensor::{Adjacency, Layout, Pattern, Segments, Sparse};
    use tch::{Device, Kind};

    use super::*;

    /// Three graphs: nodes (3, −3) and (−1, −2), no node, node (−4, 7).
    pub(super) fn level() -> Level {
        let csr = Csr::new(3, 3, vec![0, 0, 0, 0], vec![]).expect("no edges");
        let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 2, 2, 3])));
        let adj = Sparse::new(Arc::new(pattern), None, (Kind::Double, Device::Cpu));
        let x = Tensor::from_slice2(&[[3.0_f64, -3.0], [-1.0, -2.0], [-4.0, 7.0]]);
        Level::new(x, Adjacency::Sparse(adj))
    }

    /// The readout gives these values and finite gradients, in both layouts, and 0 for a batch without any node.
    pub(super) fn check(readout: &dyn Readout, want: &[f64]) {
        for layout in [Layout::Sparse, Layout::Dense] {
            let x = level().x.set_requires_grad(true);
            let y = readout.forward(&level().with_x(x.shallow_clone()).to_layout(layout), Ctx::eval());
            assert_eq!(y.size(), [3, readout.out_features()]);
            let got = Vec::<f64>::try_from(y.reshape([-1])).expect("double precision");
            assert_eq!(got, want, "{layout:?}");
            y.sum(Kind::Double).backward();
            assert!(bool::try_from(x.grad().isfinite().all()).expect("one truth"), "{layout:?}");

            let y = readout.forward(&nothing().to_layout(layout), Ctx::eval());
            assert_eq!(y.size(), [2, readout.out_features()]);
            assert!(y.equal(&y.zeros_like()), "{layout:?}");
        }
    }

    /// Two graphs without nodes.
    fn nothing() -> Level {
        let csr = Csr::new(0, 0, vec![0], vec![]).expect("no nodes");
        let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 0, 0])));
        let options = (Kind::Double, Device::Cpu);
        Level::new(
            Tensor::zeros([0, 2], options),
            Adjacency::Sparse(Sparse::new(Arc::new(pattern), None, options)),
        )
    }
}

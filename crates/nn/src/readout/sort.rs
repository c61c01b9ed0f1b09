//! The first nodes of each graph by their last feature.

use std::sync::Arc;

use coarsen_tensor::top_k::top_k;
use coarsen_tensor::{Assignment, Layout, Level, Segments};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Readout;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::params::Params;

/// The least number of rows that follows from the sizes of graphs.
const LEAST: i64 = 10;

/// How many rows are kept of every graph, `k`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// So many.
    Fixed(i64),
    /// The size that this fraction of the graphs do not exceed, and at least 10: 0.6 in the paper, 0.9 for social networks in its
    /// code.
    Percentile(f64),
}

impl Rows {
    /// `k` for graphs of these sizes.
    pub fn count(self, dims: &Dims) -> i64 {
        match self {
            Self::Fixed(k) => k,
            Self::Percentile(p) => dims.percentile(p).max(LEAST),
        }
    }

    /// Checks the value for `operator`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] naming `k`.
    pub fn check(self, operator: &'static str) -> Result<(), ConfigError> {
        match self {
            Self::Fixed(k) => ConfigError::require(k >= 1, operator, "k", "at least 1", k),
            Self::Percentile(p) => {
                let holds = p > 0.0 && p <= 1.0;
                ConfigError::require(holds, operator, "k", "a percentile in (0, 1]", p)
            }
        }
    }
}

/// The configuration of a [`Sort`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SortConfig {
    /// How many rows are kept: `{"fixed": 30}` or `{"percentile": 0.6}`.
    pub k: Rows,
}

impl Default for SortConfig {
    fn default() -> Self {
        Self { k: Rows::Percentile(0.6) }
    }
}

/// SortPool (Zhang et al. 2018, sec. 3.2): the `k` nodes with the largest last feature, in falling order, row after row; rows of
/// 0 where a graph has fewer.
///
/// Which nodes are first is a discrete choice: gradients go to the rows that are kept. Of equal last features the lower index
/// comes first, so that the reading is invariant up to ties.
///
/// # Shapes
///
/// `[N, F]` → `[B, k · F]`.
///
/// # Complexity
///
/// Time O(N + B k log k + B k F): a selection, and a sort of what is kept. Reads the last features back to the host. A dense
/// level is made sparse at the door.
///
/// # Paper and code
///
/// The paper breaks ties by the features before the last; the authors' code does not, and neither does PyG's `SortAggregation`.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, readout::{Readout, Rows, SortConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let config = SortConfig { k: Rows::Fixed(30) };
/// let layer = config.init(&Params::new(&store.root(), 1), &Dims::new(97, 97));
/// assert_eq!(layer.out_features(), 30 * 97);
/// ```
#[derive(Debug)]
pub struct Sort {
    features: i64,
    k: i64,
}

impl Config for SortConfig {
    type Module = Sort;
    const NAME: &'static str = "sort";

    fn check(&self) -> Result<(), ConfigError> {
        self.k.check(Self::NAME)
    }

    fn init(&self, _p: &Params, dims: &Dims) -> Sort {
        Sort { features: dims.features, k: self.k.count(dims) }
    }
}

impl Readout for Sort {
    fn forward(&self, g: &Level, _ctx: Ctx) -> Tensor {
        let g = g.to_layout(Layout::Sparse);
        let (graphs, k) = (g.segments(), self.k as usize);
        let first = Vec::<i64>::try_from(top_k(&g.x.detach().select(1, -1), &graphs, |n| n.min(k)));
        let mut first = first.expect("indices").into_iter();
        let kept = graphs.sizes().map(|n| (n as usize).min(k)).enumerate();
        let slots = kept.flat_map(|(b, kept)| b * k..b * k + kept);
        let entries: Vec<(u32, u32)> =
            slots.map(|slot| (first.next().expect("as many as are kept") as u32, slot as u32)).collect();
        let slots = Arc::new(Segments::of_sizes(graphs.sizes().map(|_| k as u32)));
        Assignment::entries(&entries, None, slots, &g).reduce(&g.x).view([g.graphs(), self.out_features()])
    }

    fn out_features(&self) -> i64 {
        self.k * self.features
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readout::by_hand::check;

    #[test]
    fn values_by_hand() {
        check(&Sort { features: 2, k: 1 }, &[-1.0, -2.0, 0.0, 0.0, -4.0, 7.0]);
        let want =
            [-1.0, -2.0, 3.0, -3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -4.0, 7.0, 0.0, 0.0, 0.0, 0.0];
        check(&Sort { features: 2, k: 3 }, &want);
    }

    #[test]
    fn rows_follow_from_the_sizes() {
        let dims = Dims::new(1, 1).with_sizes([8, 12, 20, 30, 40]);
        let count = |p| Rows::Percentile(p).count(&dims);
        assert_eq!([count(0.2), count(0.6), count(0.9)], [10, 20, 40]);
        assert_eq!(Rows::Fixed(3).count(&dims), 3);
        let message = Rows::Percentile(0.0).check("sort").unwrap_err().to_string();
        assert_eq!(message, "sort: `k` must be a percentile in (0, 1], got 0");
    }
}

//! What a module must know about its input before it exists.

use std::sync::Arc;

use crate::error::ConfigError;

/// What a module must know about its input before it exists: widths, and the sizes of the graphs it will see.
///
/// # Examples
///
/// ```
/// use coarsen_nn::Dims;
/// let dims = Dims::new(7, 64).with_sizes([10, 20, 30]);
/// assert_eq!((dims.features, dims.outputs), (7, 64));
/// assert_eq!((dims.max_nodes(), dims.mean_nodes()), (30, 20.0));
/// assert_eq!(dims.with_features(64).features, 64);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dims {
    /// Width of the node features that come in.
    pub features: i64,
    /// Width of the edge attributes that come in; 0 where there are none.
    pub edge_features: i64,
    /// Width of what goes out.
    pub outputs: i64,
    /// The number of nodes of each training graph; operators with a fixed number of clusters derive it from these.
    pub sizes: Arc<[u32]>,
}

impl Dims {
    /// Widths alone: no edge attributes, no sizes known.
    pub fn new(features: i64, outputs: i64) -> Self {
        Self { features, edge_features: 0, outputs, sizes: Arc::default() }
    }

    /// The same with node features of another width.
    #[must_use]
    pub fn with_features(&self, features: i64) -> Self {
        Self { features, ..self.clone() }
    }

    /// The same with edge attributes of another width.
    #[must_use]
    pub fn with_edge_features(&self, edge_features: i64) -> Self {
        Self { edge_features, ..self.clone() }
    }

    /// The same with outputs of another width.
    #[must_use]
    pub fn with_outputs(&self, outputs: i64) -> Self {
        Self { outputs, ..self.clone() }
    }

    /// The same with other graph sizes.
    #[must_use]
    pub fn with_sizes(&self, sizes: impl Into<Arc<[u32]>>) -> Self {
        Self { sizes: sizes.into(), ..self.clone() }
    }

    /// The largest graph; 0 when no sizes are known.
    pub fn max_nodes(&self) -> i64 {
        self.sizes.iter().copied().max().map_or(0, i64::from)
    }

    /// The mean graph size; 0 when no sizes are known.
    pub fn mean_nodes(&self) -> f64 {
        let total: u64 = self.sizes.iter().copied().map(u64::from).sum();
        total as f64 / self.sizes.len().max(1) as f64
    }

    /// The smallest size that at least the fraction `p` of the graphs do not exceed (nearest rank); 0 when no sizes are known.
    ///
    /// `p` is a fraction: 0.6 is the sixtieth percentile. Values outside `[0, 1]` count as the nearer end.
    ///
    /// # Complexity
    ///
    /// Time O(n log n) and memory O(n) in the number of graphs.
    pub fn percentile(&self, p: f64) -> i64 {
        let mut sizes = self.sizes.to_vec();
        sizes.sort_unstable();
        let rank = (p.clamp(0.0, 1.0) * sizes.len() as f64).ceil() as usize;
        sizes.get(rank.saturating_sub(1)).copied().map_or(0, i64::from)
    }

    /// Checks that the widths that come in and go out are positive, on behalf of `operator`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] naming `features` or `outputs`.
    pub fn check(&self, operator: &'static str) -> Result<(), ConfigError> {
        for (field, width) in [("features", self.features), ("outputs", self.outputs)] {
            ConfigError::require(width >= 1, operator, field, "at least 1", width)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_take_the_nearest_rank() {
        let dims = Dims::new(1, 1).with_sizes([40, 10, 30, 20, 50]);
        let at = |p| dims.percentile(p);
        assert_eq!([at(0.0), at(0.2), at(0.21), at(0.6), at(0.9), at(1.0)], [10, 10, 20, 30, 50, 50]);
        assert_eq!([at(-1.0), at(7.0)], [10, 50]);
    }

    #[test]
    fn unknown_sizes_count_as_zero() {
        let dims = Dims::new(3, 4);
        assert_eq!((dims.max_nodes(), dims.mean_nodes(), dims.percentile(0.5)), (0, 0.0, 0));
    }

    #[test]
    fn an_empty_width_is_refused_by_name() {
        let message = Dims::new(3, 0).check("gcn").unwrap_err().to_string();
        assert_eq!(message, "gcn: `outputs` must be at least 1, got 0");
        assert!(Dims::new(0, 1).check("gcn").unwrap_err().to_string().contains("`features`"));
    }
}

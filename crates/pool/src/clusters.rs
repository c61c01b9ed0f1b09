//! How many clusters a dense operator makes of every graph.

use coarsen_nn::{ConfigError, Dims};
use serde::{Deserialize, Serialize};

/// The number of clusters `K`, the same for every graph: `{"ratio": 0.5}`, `{"mean-ratio": 0.5}`, `{"percentile": 0.6}` or
/// `{"count": 10}`.
///
/// # Examples
///
/// ```
/// use coarsen_nn::Dims;
/// use coarsen_pool::Clusters;
/// let dims = Dims::new(3, 3).with_sizes([4, 9, 20]);
/// let of = |clusters: Clusters| clusters.of("mincut", &dims);
/// assert_eq!(of(Clusters::Ratio(0.5))?, 10);
/// assert_eq!(of(Clusters::MeanRatio(0.5))?, 6);
/// assert_eq!(of(Clusters::Percentile(0.6))?, 9);
/// assert_eq!(of(Clusters::Count(7))?, 7);
/// assert!(of(Clusters::Count(0)).is_err());
/// # Ok::<(), coarsen_nn::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clusters {
    /// `⌈ratio · N_max⌉` of the largest graph.
    Ratio(f64),
    /// `⌈ratio · N_mean⌉` of the mean size.
    MeanRatio(f64),
    /// The size that this fraction of the graphs do not exceed (nearest rank).
    Percentile(f64),
    /// So many.
    Count(u32),
}

impl Clusters {
    /// `K`, at least 1, for an operator of this name whose graphs have these sizes.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] unless the fraction is in (0, 1], the count at least 1, and sizes are known where they count.
    pub fn of(self, operator: &'static str, dims: &Dims) -> Result<i64, ConfigError> {
        let fraction = |field, p: f64| {
            ConfigError::require(p > 0.0 && p <= 1.0, operator, field, "in (0, 1]", p)?;
            let known = dims.max_nodes() > 0;
            ConfigError::require(known, operator, "sizes", "known, for the number of clusters", "none")
        };
        match self {
            Self::Ratio(r) => {
                fraction("clusters.ratio", r)?;
                Ok((r * dims.max_nodes() as f64).ceil() as i64)
            }
            Self::MeanRatio(r) => {
                fraction("clusters.mean-ratio", r)?;
                Ok((r * dims.mean_nodes()).ceil() as i64)
            }
            Self::Percentile(p) => {
                fraction("clusters.percentile", p)?;
                Ok(dims.percentile(p).max(1))
            }
            Self::Count(k) => {
                ConfigError::require(k >= 1, operator, "clusters.count", "at least 1", k)?;
                Ok(k.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(clusters: Clusters, dims: &Dims) -> String {
        clusters.of("mincut", dims).expect_err("refused").to_string()
    }

    #[test]
    fn each_rule_names_its_field() {
        let dims = Dims::new(1, 1).with_sizes([5]);
        let of = |clusters| refusal(clusters, &dims);
        assert_eq!(of(Clusters::Ratio(1.5)), "mincut: `clusters.ratio` must be in (0, 1], got 1.5");
        assert_eq!(of(Clusters::MeanRatio(0.0)), "mincut: `clusters.mean-ratio` must be in (0, 1], got 0");
        assert_eq!(of(Clusters::Count(0)), "mincut: `clusters.count` must be at least 1, got 0");
        assert!(of(Clusters::Percentile(f64::NAN)).contains("`clusters.percentile`"));
    }

    #[test]
    fn sizes_must_be_known_unless_the_number_is_given() {
        let unknown = Dims::new(1, 1);
        assert!(refusal(Clusters::Ratio(0.5), &unknown).contains("`sizes` must be known"));
        assert_eq!(Clusters::Count(3).of("mincut", &unknown).expect("a number"), 3);
    }
}

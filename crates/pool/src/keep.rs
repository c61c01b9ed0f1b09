//! How many nodes of each graph an operator keeps.

use std::sync::Arc;

use coarsen_nn::ConfigError;
use coarsen_tensor::top_k::{above, top_k};
use coarsen_tensor::{Segments, segment};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// How many nodes of each graph stay: `{"ratio": 0.5}`, `{"count": 3}` or `{"min-score": 0.1}`.
///
/// # Examples
///
/// ```
/// use coarsen_pool::Keep;
/// let keep: Keep = serde_json::from_str(r#"{"ratio": 0.8}"#)?;
/// assert_eq!((keep, keep.most(11)), (Keep::Ratio(0.8), 9));
/// assert!(Keep::Ratio(1.5).check("top-k").is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The ⌈ratio · n⌉ best of n.
    Ratio(f64),
    /// The best so many; all of a smaller graph.
    Count(u32),
    /// Every node whose score, a softmax over its graph, is above this, or above all but the best where none is.
    MinScore(f64),
}

/// The best node of a graph is kept whatever its score: the threshold stays this far below it.
const BELOW_BEST: f64 = 1e-7;

impl Default for Keep {
    fn default() -> Self {
        Self::Ratio(0.5)
    }
}

impl Keep {
    /// Checks the value on behalf of `operator`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] unless the ratio is in (0, 1], the count at least 1, the least score in (0, 1).
    pub fn check(self, operator: &'static str) -> Result<(), ConfigError> {
        match self {
            Self::Ratio(r) => {
                ConfigError::require(r > 0.0 && r <= 1.0, operator, "keep.ratio", "in (0, 1]", r)
            }
            Self::Count(k) => ConfigError::require(k >= 1, operator, "keep.count", "at least 1", k),
            Self::MinScore(s) => {
                ConfigError::require(s > 0.0 && s < 1.0, operator, "keep.min-score", "in (0, 1)", s)
            }
        }
    }

    /// The most nodes that can stay of a graph of `n`. Scores sum to 1, so at most 1/s of them are above `s`.
    pub fn most(self, n: u32) -> u32 {
        let most = match self {
            Self::Ratio(r) => (r * f64::from(n)).ceil() as u32,
            Self::Count(k) => k,
            Self::MinScore(s) => (1.0 / s) as u32,
        };
        most.min(n)
    }

    /// What features are multiplied by: `tanh(y)`, or the softmax of `y` over each graph for [`Keep::MinScore`].
    ///
    /// # Shapes
    ///
    /// `y: [N]` → `[N]`.
    pub fn gate(self, y: &Tensor, graphs: &Arc<Segments>) -> Tensor {
        match self {
            Self::MinScore(_) => segment::softmax(y, graphs),
            Self::Ratio(_) | Self::Count(_) => y.tanh(),
        }
    }

    /// The nodes that stay: graph by graph, in each by falling score `y`, of [equal](top_k()) scores the lower index first; for
    /// [`Keep::MinScore`] those whose gate is above it, by rising index.
    ///
    /// A gate may be the same number for different scores, where it saturates; it is not what nodes are ranked by.
    ///
    /// # Shapes
    ///
    /// `y: [N]`, `gate: [N]` → `[K]` Int64.
    pub fn choose(self, y: &Tensor, gate: &Tensor, graphs: &Segments) -> Tensor {
        match self {
            Self::MinScore(least) => above(gate, graphs, |best| (best - BELOW_BEST).min(least)),
            Self::Ratio(_) | Self::Count(_) => top_k(y, graphs, |n| self.most(n as u32) as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(keep: Keep) -> String {
        keep.check("top-k").expect_err("refused").to_string()
    }

    #[test]
    fn each_rule_names_its_field() {
        assert_eq!(refusal(Keep::Ratio(1.5)), "top-k: `keep.ratio` must be in (0, 1], got 1.5");
        assert_eq!(refusal(Keep::Ratio(f64::NAN)), "top-k: `keep.ratio` must be in (0, 1], got NaN");
        assert_eq!(refusal(Keep::Count(0)), "top-k: `keep.count` must be at least 1, got 0");
        assert_eq!(refusal(Keep::MinScore(1.0)), "top-k: `keep.min-score` must be in (0, 1), got 1");
    }

    #[test]
    fn a_ratio_rounds_up_in_double_precision() {
        assert_eq!([0, 1, 2, 5, 10].map(|n| Keep::Ratio(0.5).most(n)), [0, 1, 1, 3, 5]);
        assert_eq!(Keep::Ratio(1.0).most(7), 7);
        assert_eq!([2, 9].map(|n| Keep::Count(3).most(n)), [2, 3]);
        assert_eq!([4, 40].map(|n| Keep::MinScore(0.15).most(n)), [4, 6]);
    }
}

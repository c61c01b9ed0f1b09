//! `MinCutPool` (Bianchi et al. 2020): a soft assignment by an MLP, trained by a relaxed cut.

use coarsen_nn::{Activation, ConfigError, Ctx, Dims, Mlp, Params};
use coarsen_tensor::clusters::between_clusters;
use coarsen_tensor::{Adjacency, Layout, Level, Norm, Padded};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use crate::clusters::Clusters;
use crate::diffpool::soft_assignment;
use crate::mincut_loss::{cut, orthogonality};
use crate::pool::{Loss, Over, Pool, RowSums, Scores, Selection};
use crate::registry::{Invariance, PoolSpec, fields};
use crate::steps::{Preset, Steps};

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec {
    name: NAME,
    paper: "Bianchi et al. 2020, eqs. 6-9",
    invariance: Invariance::Exact,
    steps: Steps {
        connect: "`D̂^-½ Â D̂^-½`, `Â = Sᵀ A S` without its diagonal",
        ..Steps::textbook("`softmax(MLP(X) / τ)`")
    },
    cost: "time `O(E K + N K (F + K))`, memory `O(N K + B K (F + K))`",
    presets: &[Preset {
        name: "the paper's, which rounds down",
        fields: || json!({"clusters": {"mean-ratio": 0.5}, "mlp": [16], "edges": "symmetric"}),
    }],
    example: || {
        let mut example = json!(MinCutConfig::default());
        example["kind"] = NAME.into();
        example
    },
    depth: |_| Ok(0),
    build: |config, p, dims| Ok(Box::new(fields::<MinCutConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "mincut";

/// How the edges are weighed before they are cut and coarsened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutEdges {
    /// As they are: *Rethinking pooling* and PyG, which leave it to the caller.
    #[default]
    Raw,
    /// `D^-½ A D^-½`: the paper. What the operator pools is already scaled so, and scaled once more it hardly changes.
    Symmetric,
}

/// Configuration of [`MinCut`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MinCutConfig {
    /// The number of clusters.
    pub clusters: Clusters,
    /// Widths of the hidden layers of the MLP (ReLU); none: a single linear map.
    pub mlp: Vec<i64>,
    /// How the edges are weighed.
    pub edges: CutEdges,
    /// Logits are divided by this before the softmax; positive.
    pub temperature: f64,
}

impl Default for MinCutConfig {
    fn default() -> Self {
        Self { clusters: Clusters::Ratio(0.5), mlp: Vec::new(), edges: CutEdges::Raw, temperature: 1.0 }
    }
}

impl MinCutConfig {
    /// Makes the operator.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, or `clusters` needs sizes and none are known.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<MinCut, ConfigError> {
        dims.check(NAME)?;
        let clusters = self.clusters.of(NAME, dims)?;
        for &width in &self.mlp {
            ConfigError::require(width >= 1, NAME, "mlp", "widths of at least 1", width)?;
        }
        let positive = self.temperature > 0.0 && self.temperature.is_finite();
        ConfigError::require(positive, NAME, "temperature", "positive and finite", self.temperature)?;
        let widths = [&[dims.features][..], &self.mlp, &[clusters]].concat();
        Ok(MinCut {
            mlp: Mlp::new(&p.sub("mlp"), &widths, Activation::Relu),
            clusters,
            edges: self.edges,
            temperature: self.temperature,
        })
    }
}

/// `S = softmax(MLP(X) / τ)`, `X' = Sᵀ X`, `A' = D̂^-½ Â D̂^-½` with `Â = Sᵀ A S` less its diagonal and `D̂` its row sums.
///
/// The auxiliary losses `cut` and `ortho` ([`mincut_loss`](crate::mincut_loss)), each with weight 1, train `S`; the cut reads the
/// diagonal before it is taken away. Over a sparse level `S` stays ragged, `[N, K]`; the pooled level is dense, `[B, K, ·]`, with
/// every slot a node.
///
/// # Shapes
///
/// `x: [N, F]` or `[B, N, F]` → `[B, K, F]`; edges → `[B, K, K]`.
///
/// Parameters `mlp.0.weight: [K, F]`, `mlp.0.bias: [K]`, and one such pair for every further layer.
///
/// # Complexity
///
/// Over a sparse level: time `O(E K + N K (F + K))`, memory `O(N K + B K (F + K))`.
///
/// # Paper and code
///
/// The paper scales `A` by its degrees first and assigns by an MLP with a hidden layer; *Rethinking pooling* takes `A` as it is and a
/// single linear map: `edges` and `mlp`. PyG adds 1e-15 to the roots of `D̂`; here a cluster without edges keeps a row of
/// zeros, with a finite gradient.
#[derive(Debug)]
pub struct MinCut {
    mlp: Mlp,
    clusters: i64,
    edges: CutEdges,
    temperature: f64,
}

impl MinCut {
    fn weighed(&self, adj: &Adjacency) -> Adjacency {
        match self.edges {
            CutEdges::Raw => adj.shallow_clone(),
            CutEdges::Symmetric => adj.normalized(Norm::Symmetric { floor: 0.0 }),
        }
    }
}

impl Pool for MinCut {
    fn layouts(&self, given: Layout) -> (Layout, Layout) {
        (given, Layout::Dense)
    }

    fn scores(&self) -> Scores {
        Scores::Clusters(self.clusters)
    }

    fn score(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.mlp.forward(&g.x, g.mask(), ctx)
    }

    fn select(&self, g: &Level, logits: &Tensor, _: Ctx) -> Selection {
        let cooled = ((self.temperature - 1.0).abs() > 0.0).then(|| logits / self.temperature);
        let s = soft_assignment(g, cooled.as_ref().unwrap_or(logits));
        let squares = self.weighed(&g.adj).squares(&s);
        let loss = |name, value| Loss::new(name, value, Over::Graphs, g);
        let losses = vec![loss("cut", cut(&squares)), loss("ortho", orthogonality(&squares))];
        let coarse = Adjacency::Dense(Padded::new(between_clusters(&squares.between), None));
        Selection { coarse: Some(coarse), losses, ..s.into() }
    }

    fn row_sums(&self) -> RowSums {
        RowSums::One
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.with_sizes(vec![self.clusters as u32; dims.sizes.len()])
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, nn::VarStore};

    use super::*;

    #[test]
    fn a_temperature_is_positive_and_finite() {
        let store = VarStore::new(Device::Cpu);
        let dims = Dims::new(3, 2).with_sizes([4, 6]);
        for temperature in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            let config = MinCutConfig { temperature, ..MinCutConfig::default() };
            let message =
                config.build(&Params::new(&store.root(), 1), &dims).expect_err("refused").to_string();
            assert_eq!(
                message,
                format!("mincut: `temperature` must be positive and finite, got {temperature}")
            );
        }
    }
}

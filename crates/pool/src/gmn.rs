//! Memory layers (Khasahmadi et al. 2020): nodes assigned to keys by their distance.

use coarsen_nn::{Activation, Config, ConfigError, Ctx, Dims, Linear, Params, Stream};
use coarsen_tensor::{Layout, Level};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use crate::diffpool::soft_assignment;
use crate::gmn_loss::{kl, pyg_kl};
use crate::pool::{Apart, Loss, Moves, Over, Pool, RowSums, Scores, Selection};
use crate::registry::{Invariance, PoolSpec};
use crate::steps::{Preset, Steps};

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec::of::<GmnConfig>(
    "Khasahmadi et al. 2020, eqs. 3-9",
    Invariance::Exact,
    Steps { reduce: "`LeakyReLU(Sᵀ X W + b)`", ..Steps::textbook(SELECT) },
    COST,
)
.with_presets(&[
    Preset { name: "the release of *Rethinking pooling*", fields: || json!({"keys": {"frozen-every": 5}}) },
    Preset {
        name: "\"distance\" of *Rethinking pooling*",
        fields: || json!({"kernel": "distance", "keys": "frozen"}),
    },
]);

/// The row as PyG has it, `MemPooling`.
pub const PYG: PoolSpec = PoolSpec::of::<MemPoolConfig>(
    "Khasahmadi et al. 2020, as PyG's MemPooling",
    Invariance::Exact,
    Steps { reduce: "`Sᵀ X W`", ..Steps::textbook(SELECT) },
    COST,
);

const SELECT: &str = "`softmax_j(Σ_h w_h C_h)`, `C_h[i, j] ∝ (1 + ‖x_i − k_hj‖² / τ)^-(τ+1)/2`";
const COST: &str = "time `O(N heads K F + E K)`, memory `O(N heads K + B K (F + K))`";

/// How alike a query and a key are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernel {
    /// Student's t: `(1 + ‖q − k‖² / τ)^-(τ+1)/2`, normalised over the keys.
    #[default]
    Student,
    /// `‖q − k‖`, farther keys weighing more: the control "distance" of *Rethinking pooling*. Keys are U\[0, 10) and fixed.
    Distance,
}

/// What moves the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keys {
    /// The paper: in every so-manieth epoch the loss `kl` moves the keys and nothing else, in all others the task moves all but them. Keys
    /// start as U(−1, 1).
    Every(u32),
    /// The release of *Rethinking pooling*: the keys stay as drawn, U\[0, 1), and in every so-manieth epoch the loss `kl` moves
    /// everything else, in place of the task.
    FrozenEvery(u32),
    /// The keys stay as drawn and there is no loss: what the control "distance" does.
    Frozen,
}

impl Default for Keys {
    fn default() -> Self {
        Self::Every(5)
    }
}

/// Configuration of [`Gmn`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GmnConfig {
    /// Keys of each head, the clusters of every graph.
    pub clusters: u32,
    /// Heads.
    pub heads: u32,
    /// Width of what is pooled.
    pub width: i64,
    /// Degrees of freedom `τ` of Student's t; positive.
    pub tau: f64,
    /// How alike a query and a key are.
    pub kernel: Kernel,
    /// What moves the keys.
    pub keys: Keys,
}

impl Default for GmnConfig {
    fn default() -> Self {
        Self { clusters: 10, heads: 5, width: 100, tau: 1.0, kernel: Kernel::Student, keys: Keys::default() }
    }
}

fn check_sizes(
    name: &'static str,
    clusters: u32,
    heads: u32,
    width: i64,
    tau: f64,
) -> Result<(), ConfigError> {
    ConfigError::require(clusters >= 1, name, "clusters", "at least 1", clusters)?;
    ConfigError::require(heads >= 1, name, "heads", "at least 1", heads)?;
    ConfigError::require(width >= 1, name, "width", "at least 1", width)?;
    ConfigError::require(tau > 0.0 && tau.is_finite(), name, "tau", "positive", tau)
}

impl Config for GmnConfig {
    type Module = Gmn;
    const NAME: &'static str = "gmn";

    fn check(&self) -> Result<(), ConfigError> {
        check_sizes(Self::NAME, self.clusters, self.heads, self.width, self.tau)?;
        let rule = "`frozen` with the kernel `distance`";
        let fits = self.kernel == Kernel::Student || self.keys == Keys::Frozen;
        ConfigError::require(fits, Self::NAME, "keys", rule, format!("{:?}", self.keys))?;
        match self.keys {
            Keys::Every(n) | Keys::FrozenEvery(n) => {
                ConfigError::require(n >= 2, Self::NAME, "keys", "epochs that are at least 2 apart", n)
            }
            Keys::Frozen => Ok(()),
        }
    }

    fn init(&self, p: &Params, dims: &Dims) -> Gmn {
        let (heads, clusters) = (i64::from(self.heads), i64::from(self.clusters));
        let shape = [heads, clusters, dims.features];
        let keys = match self.keys {
            Keys::Every(_) => p.uniform(KEYS, &shape, 1.0),
            Keys::FrozenEvery(_) | Keys::Frozen => {
                let high = if self.kernel == Kernel::Distance { 10.0 } else { 1.0 };
                let drawn = Stream::new(p.seed(KEYS)).uniform(&shape, 0.0, high, (p.kind(), p.device()));
                p.buffer_from(KEYS, &drawn)
            }
        };
        let (apart, divergence) = match self.keys {
            Keys::Every(every) => {
                (Some(Apart { loss: KL, every, moves: Moves::Named(KEYS) }), Divergence::Gmn)
            }
            Keys::FrozenEvery(every) => (Some(Apart { loss: KL, every, moves: Moves::All }), Divergence::Gmn),
            Keys::Frozen => (None, Divergence::None),
        };
        Gmn {
            memory: Memory {
                keys,
                heads: (heads > 1).then(|| p.fan_in("heads", &[heads], heads)),
                tau: self.tau,
                kernel: self.kernel,
            },
            linear: Linear::new(&p.sub("linear"), dims.features, self.width),
            activation: Activation::LeakyRelu(0.01),
            divergence,
            apart,
        }
    }
}

/// Configuration of [`Gmn`] in the form PyG has: heads are weighed even where there is one, the linear map has neither bias nor
/// activation, keys and all else are moved by the task and `kl` together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemPoolConfig {
    /// Keys of each head, the clusters of every graph.
    pub clusters: u32,
    /// Heads.
    pub heads: u32,
    /// Width of what is pooled.
    pub width: i64,
    /// Degrees of freedom `τ` of Student's t; positive.
    pub tau: f64,
}

impl Default for MemPoolConfig {
    fn default() -> Self {
        Self { clusters: 10, heads: 4, width: 64, tau: 1.0 }
    }
}

impl Config for MemPoolConfig {
    type Module = Gmn;
    const NAME: &'static str = "mem-pool";

    fn check(&self) -> Result<(), ConfigError> {
        check_sizes(Self::NAME, self.clusters, self.heads, self.width, self.tau)
    }

    fn init(&self, p: &Params, dims: &Dims) -> Gmn {
        let (heads, clusters) = (i64::from(self.heads), i64::from(self.clusters));
        Gmn {
            memory: Memory {
                keys: p.uniform(KEYS, &[heads, clusters, dims.features], 1.0),
                heads: Some(p.fan_in("heads", &[heads], heads)),
                tau: self.tau,
                kernel: Kernel::Student,
            },
            linear: Linear::unbiased(&p.sub("linear"), dims.features, self.width),
            activation: Activation::Identity,
            divergence: Divergence::Pyg,
            apart: None,
        }
    }
}

const KEYS: &str = "keys";
const KL: &str = "kl";

/// Keys, and how the nodes are compared with them.
#[derive(Debug)]
pub struct Memory {
    /// `[heads, K, F]`.
    pub keys: Tensor,
    /// `[heads]`, how much each counts; `None` where there is one.
    pub heads: Option<Tensor>,
    /// Degrees of freedom.
    pub tau: f64,
    /// How alike a query and a key are.
    pub kernel: Kernel,
}

/// Keeps the gradient of a distance finite at 0.
const NEAREST: f64 = 1e-12;

impl Memory {
    /// The logits of the assignment: what the kernel says of every query and key, the heads added with their weights.
    ///
    /// # Shapes
    ///
    /// `q: […, F]` → `[…, K]`.
    ///
    /// # Complexity
    ///
    /// Time `O(N heads K F)`, memory `O(N heads K)`: `‖q − k‖² = ‖q‖² + ‖k‖² − 2 q·k`, so no difference is ever stored. In f32 this
    /// leaves an error of about 1e-7 (‖q‖² + ‖k‖²) in the square.
    pub fn logits(&self, q: &Tensor) -> Tensor {
        let size = self.keys.size();
        let (heads, clusters) = (size[0], size[1]);
        let keys = self.keys.view([heads * clusters, size[2]]);
        let squares = |x: &Tensor, keep| x.square().sum_dim_intlist([-1i64].as_slice(), keep, None);
        let apart = squares(q, true) + squares(&keys, false) - q.matmul(&keys.tr()) * 2.0;
        let mut shape = q.size();
        shape.pop();
        shape.extend([heads, clusters]);
        let apart = apart.clamp_min(0.0).view(shape.as_slice());
        let alike = match self.kernel {
            // softmax of the logarithm: the kernel divided by its sum over the keys.
            Kernel::Student => {
                ((apart / self.tau).log1p() * (-f64::midpoint(self.tau, 1.0))).softmax(-1, None)
            }
            Kernel::Distance => apart.clamp_min(NEAREST).sqrt(),
        };
        match &self.heads {
            Some(weight) => {
                (alike * weight.view([heads, 1])).sum_dim_intlist([-2i64].as_slice(), false, None)
            }
            None => alike.squeeze_dim(-2),
        }
    }
}

/// Which form of the loss is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Divergence {
    /// None.
    None,
    /// [`kl`], 100 times, a mean over nodes.
    Gmn,
    /// [`pyg_kl`], a mean over graphs.
    Pyg,
}

/// `C_h[i, j] ∝ (1 + ‖q_i − k_hj‖² / τ)^-(τ+1)/2`, `S = softmax_j(Σ_h w_h C_h)`, `X' = LeakyReLU(Sᵀ X W + b)`.
///
/// The features of the nodes are the queries. Edges take no part in it; the coarser ones are `Sᵀ A S`, for networks that go on with
/// convolutions. Over a sparse level everything stays ragged; the pooled level is dense, `[B, K, ·]`, with every slot a node.
///
/// # Shapes
///
/// `x: [N, F]` or `[B, N, F]` → `[B, K, width]`.
///
/// Parameters `keys: [heads, K, F]`, `heads: [heads]` (for several), `linear.weight: [width, F]`, `linear.bias: [width]`.
///
/// # Complexity
///
/// Time `O(N heads K F + E K)`, memory `O(N heads K + B K (F + K))`.
///
/// # Paper and code
///
/// The softmax over `S` normalises what the kernel has normalised already, so that an assignment by one head is close to uniform; both
/// releases do it. The release of *Rethinking pooling* makes the keys no parameter of the network, so that the steps meant for them
/// move everything else: [`Keys::FrozenEvery`]. It divides the loss of every layer by the nodes of the input, this by those of the
/// layer's own.
#[derive(Debug)]
pub struct Gmn {
    memory: Memory,
    linear: Linear,
    activation: Activation,
    divergence: Divergence,
    apart: Option<Apart>,
}

impl Pool for Gmn {
    fn layouts(&self, given: Layout) -> (Layout, Layout) {
        (given, Layout::Dense)
    }

    fn scores(&self) -> Scores {
        Scores::Clusters(self.memory.keys.size()[1])
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        self.memory.logits(&g.x)
    }

    fn select(&self, g: &Level, logits: &Tensor, _: Ctx) -> Selection {
        let s = soft_assignment(g, logits);
        let loss = |value, weight, over| vec![Loss::new(KL, value, over, g).weighing(weight)];
        let losses = match self.divergence {
            Divergence::None => Vec::new(),
            Divergence::Gmn => loss(kl(&s) / (g.segments().rows().max(1) as f64), 100.0, Over::Nodes),
            Divergence::Pyg => loss(pyg_kl(&s) / (g.graphs().max(1) as f64), 1.0, Over::Graphs),
        };
        Selection { losses, ..s.into() }
    }

    fn row_sums(&self) -> RowSums {
        RowSums::One
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        let clusters = self.memory.keys.size()[1] as u32;
        dims.with_features(self.linear.out_features()).with_sizes(vec![clusters; dims.sizes.len()])
    }

    fn reduce(&self, g: &Level, sel: &Selection, _: Ctx) -> Tensor {
        self.linear.activated(&sel.s.reduce(&g.x), self.activation)
    }

    fn apart(&self) -> Option<Apart> {
        self.apart
    }
}

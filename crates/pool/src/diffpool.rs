//! DiffPool (Ying et al. 2018): a soft assignment by one graph neural network, features by another.

use std::iter::repeat_n;
use std::sync::Arc;

use coarsen_nn::{Activation, ConfigError, Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Assignment, Layout, Level, Segments, on_host, segment};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Tensor;

use crate::diffpool_loss::{Scale, entropy, link, pyg_entropy, pyg_link};
use crate::pool::{Loss, Over, Pool, RowSums, Scores, Selection};
use crate::registry::{Invariance, PoolSpec, fields};
use crate::stack::{Ending, Join, NormAt, Stack, StackConfig};
use crate::steps::{Preset, Steps};

/// The row of [`POOLS`](crate::POOLS) as the paper has it.
pub const SPEC: PoolSpec = PoolSpec {
    name: PAPER_NAME,
    paper: "Ying et al. 2018, eqs. 3-6",
    invariance: Invariance::Exact,
    steps: STEPS,
    cost: COST,
    presets: PRESETS,
    example: || example(PAPER_NAME, Losses::Paper),
    depth: |config| Ok(paper(config)?.layers),
    build: |config, p, dims| Ok(Box::new(paper(config)?.build(PAPER_NAME, p, dims)?)),
};

/// The row with PyG's losses, which depend on the padding and on the batch.
pub const PYG: PoolSpec = PoolSpec {
    name: PYG_NAME,
    paper: "Ying et al. 2018, with the losses of PyG's dense_diff_pool",
    invariance: Invariance::Broken(&["padding", "batch"]),
    steps: STEPS,
    cost: "time `O(B N² (F + K))`, memory `O(B N²)`, beside the convolutions",
    presets: PYG_PRESETS,
    example: || example(PYG_NAME, Losses::Pyg),
    depth: |config| Ok(pyg(config)?.layers),
    build: |config, p, dims| Ok(Box::new(pyg(config)?.build(PYG_NAME, p, dims)?)),
};

const STEPS: Steps =
    Steps { reduce: "`Sᵀ Z`, `Z = GNN_embed(A, X)`", ..Steps::textbook("`softmax(GNN_pool(A, X))`") };
const COST: &str = "time `O(E K + N K (F + K))`, memory `O(N K + B K (F + K))`, beside the convolutions";
const PRESETS: &[Preset] = &[
    Preset { name: "two poolings, the paper's", fields: || json!({"ratio": 0.25}) },
    Preset { name: "DiffPool-NoLP", fields: || json!({"losses": "entropy"}) },
    Preset {
        name: "on structure2vec",
        fields: || {
            json!({
                "layers": 1,
                "norm": "none",
                "conv": {"kind": "s2v", "steps": 1},
                "assign": {"layers": 2, "conv": {"kind": "sage", "normalize": true}},
            })
        },
    },
];
const PYG_PRESETS: &[Preset] = &[Preset {
    name: "v2 of Errica et al. 2020",
    fields: || {
        json!({
            "cap": 100_000,
            "layers": 3,
            "assign_width": "clusters",
            "ending": "plain",
            "conv": {"kind": "sage", "semantics": "legacy14", "averaging": "floored", "loops": "none"},
        })
    },
}];

const PAPER_NAME: &str = "diffpool";
const PYG_NAME: &str = "diffpool-pyg";
const PYG_ELSEWHERE: &str =
    "`paper`, `entropy` or `none` (for `pyg` there is the operator diffpool-pyg, which guarantees less)";

/// Which auxiliary losses are added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Losses {
    /// [`link`] and [`entropy`], each with weight 1.
    #[default]
    Paper,
    /// [`pyg_link`] and [`pyg_entropy`], each with weight 1.
    Pyg,
    /// [`entropy`] alone: DiffPool-NoLP.
    Entropy,
    /// None.
    None,
}

/// Width of the last convolution of the assignment network; its other layers have the width of the embedding's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssignWidth {
    /// As wide as the others.
    #[default]
    Hidden,
    /// `K`, as in the authors' release and in PyG's example: the linear map behind it then has `(layers − 1) · hidden + K` inputs.
    Clusters,
}

/// The convolutions of an assignment network that is not made as the embedding network is; the default is two of mean-GraphSAGE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssignConfig {
    /// How many.
    pub layers: usize,
    /// The convolution, a row of [`CONVS`](coarsen_nn::CONVS).
    pub conv: Value,
}

impl Default for AssignConfig {
    fn default() -> Self {
        Self { layers: 2, conv: json!({"kind": "sage", "normalize": true}) }
    }
}

/// Configuration of [`DiffPool`]; the default is the paper's for one pooling (for two, `ratio` 0.25).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiffPoolConfig {
    /// Clusters per node of the largest graph: `K = ⌈ratio · min(N_max, cap)⌉`; in (0, 1].
    pub ratio: f64,
    /// Graphs larger than this count as this large.
    pub cap: u32,
    /// Convolutions in each of the two networks.
    pub layers: usize,
    /// Width of each convolution.
    pub hidden: i64,
    /// Width of the assignment network's last convolution.
    pub assign_width: AssignWidth,
    /// The convolution, a row of [`CONVS`](coarsen_nn::CONVS).
    pub conv: Value,
    /// The assignment network's convolutions, where they are others; `null`: as those of the embedding.
    pub assign: Option<AssignConfig>,
    /// Batch norm over the nodes of the batch, in each layer.
    pub norm: NormAt,
    /// What stands behind the last convolution of each network.
    pub ending: Ending,
    /// The auxiliary losses.
    pub losses: Losses,
}

impl Default for DiffPoolConfig {
    fn default() -> Self {
        Self {
            ratio: 0.1,
            cap: 500,
            layers: 2,
            hidden: 64,
            assign_width: AssignWidth::Hidden,
            conv: json!({"kind": "sage", "normalize": true}),
            assign: None,
            norm: NormAt::After,
            ending: Ending::Whole,
            losses: Losses::Paper,
        }
    }
}

fn paper(config: &Value) -> Result<DiffPoolConfig, ConfigError> {
    let config: DiffPoolConfig = fields(PAPER_NAME, config)?;
    ConfigError::require(config.losses != Losses::Pyg, PAPER_NAME, "losses", PYG_ELSEWHERE, "pyg")?;
    Ok(config)
}

fn pyg(config: &Value) -> Result<DiffPoolConfig, ConfigError> {
    let mut config = config.clone();
    if let Value::Object(given) = &mut config {
        given.entry("losses").or_insert("pyg".into());
    }
    let read: DiffPoolConfig = fields(PYG_NAME, &config)?;
    ConfigError::require(read.losses == Losses::Pyg, PYG_NAME, "losses", "`pyg`", &config["losses"])?;
    Ok(read)
}

fn example(name: &str, losses: Losses) -> Value {
    let mut value = json!(DiffPoolConfig { losses, ..DiffPoolConfig::default() });
    value["kind"] = name.into();
    value
}

impl DiffPoolConfig {
    /// Makes the operator; `name` is the row's, for messages.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, the convolution's included, or no graph sizes are known.
    pub fn build(&self, name: &'static str, p: &Params, dims: &Dims) -> Result<DiffPool, ConfigError> {
        let in_unit = self.ratio > 0.0 && self.ratio <= 1.0;
        ConfigError::require(in_unit, name, "ratio", "in (0, 1]", self.ratio)?;
        ConfigError::require(self.cap >= 1, name, "cap", "at least 1", self.cap)?;
        ConfigError::require(
            dims.max_nodes() > 0,
            name,
            "sizes",
            "known, for the number of clusters",
            "none",
        )?;
        ConfigError::require(self.layers >= 1, name, "layers", "at least 1", self.layers)?;
        let clusters = (self.ratio * dims.max_nodes().min(self.cap.into()) as f64).ceil() as i64;
        let stack = StackConfig {
            operator: name,
            conv: &self.conv,
            layers: self.layers,
            hidden: self.hidden,
            last: None,
            activation: Activation::Relu,
            norm: self.norm,
            dropout: 0.0,
            join: Join::Cat,
            ending: self.ending,
        };
        let last = match self.assign_width {
            AssignWidth::Hidden => None,
            AssignWidth::Clusters => Some(clusters),
        };
        let assign = match &self.assign {
            None => StackConfig { last, ..stack },
            Some(AssignConfig { layers, conv }) => StackConfig { last, layers: *layers, conv, ..stack },
        };
        ConfigError::require(assign.layers >= 1, name, "assign.layers", "at least 1", assign.layers)?;
        Ok(DiffPool {
            assign: assign.build(&p.sub("assign"), dims)?.with_linear(&p.sub("assign"), clusters),
            embed: stack.build(&p.sub("embed"), dims)?,
            clusters,
            losses: self.losses,
        })
    }
}

/// `S = softmax(GNN_pool(A, X))`, `Z = GNN_embed(A, X)`, `X' = Sᵀ Z`, `A' = Sᵀ A S` (eqs. 3–6).
///
/// Both networks are stacks of convolutions, by default of the same; the outputs of their layers are concatenated, and `GNN_pool` ends in a linear
/// map to the `K` clusters. Over a sparse level `S` stays ragged, `[N, K]`, and nothing of a padded batch exists; the
/// pooled level is dense, `[B, K, ·]`, with every slot a node.
///
/// # Complexity
///
/// Beside the convolutions, over a sparse level: time `O(E K + N K (F + K))`, memory `O(N K + B K (F + K))`.
///
/// # Paper and code
///
/// The release's convolution is no mean-GraphSAGE, its batch norm is per node slot and its auxiliary losses are off; this is the
/// method as written (`docs/NUMBERS.md`).
#[derive(Debug)]
pub struct DiffPool {
    assign: Stack,
    embed: Stack,
    clusters: i64,
    losses: Losses,
}

impl DiffPool {
    /// `Sᵀ A S`, and the auxiliary losses.
    fn connected(&self, g: &Level, s: &Assignment) -> (Adjacency, Vec<Loss>) {
        let loss = |name, value, over| Loss::new(name, value, over, g);
        let of_entropy = || loss("entropy", entropy(g, s), Over::Nodes);
        match (self.losses, &g.adj, s) {
            (Losses::None, ..) => (g.adj.coarsen(s), Vec::new()),
            (Losses::Entropy, ..) => (g.adj.coarsen(s), vec![of_entropy()]),
            (Losses::Pyg, Adjacency::Dense(p), Assignment::Padded { s: rows }) => {
                let link = loss("link", pyg_link(&p.a, rows, Scale::Entries), Over::Batch);
                (g.adj.coarsen(s), vec![link, loss("entropy", pyg_entropy(rows), Over::Batch)])
            }
            (Losses::Paper | Losses::Pyg, ..) => {
                let squares = g.adj.squares(s);
                let link = loss("link", link(g, s, &squares), Over::Graphs);
                (squares.coarse(), vec![link, of_entropy()])
            }
        }
    }
}

/// `S`: softmax over the clusters, zero in padded rows (the mask comes after the softmax, not before).
///
/// # Shapes
///
/// `logits: [N, K]` over a sparse level, `[B, N, K]` over a dense one.
pub fn soft_assignment(g: &Level, logits: &Tensor) -> Assignment {
    Assignment::soft(g.mask_rows(softmax(logits)), g)
}

/// Softmax over the last axis. On the host each row is a segment: of rows as short as these, LibTorch's kernel takes several times as long.
pub(crate) fn softmax(logits: &Tensor) -> Tensor {
    let size = logits.size();
    let (count, width) = (logits.numel(), size[size.len() - 1] as u32);
    if !on_host(logits) || u32::try_from(count).is_err() {
        return logits.softmax(-1, None);
    }
    let rows = Segments::of_sizes(repeat_n(width, count / width.max(1) as usize));
    segment::softmax(&logits.reshape(-1), &Arc::new(rows)).view(size.as_slice())
}

impl Pool for DiffPool {
    fn layouts(&self, given: Layout) -> (Layout, Layout) {
        match self.losses {
            Losses::Pyg => (Layout::Dense, Layout::Dense),
            Losses::Paper | Losses::Entropy | Losses::None => (given, Layout::Dense),
        }
    }

    fn scores(&self) -> Scores {
        Scores::Clusters(self.clusters)
    }

    fn score(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.assign.forward(g, ctx)
    }

    fn select(&self, g: &Level, logits: &Tensor, ctx: Ctx) -> Selection {
        let s = soft_assignment(g, logits); // eq. 6
        let (coarse, losses) = self.connected(g, &s); // eq. 4
        let z = self.embed.forward(g, ctx); // eq. 5
        Selection { z: Some(z), coarse: Some(coarse), losses, ..s.into() }
    }

    fn row_sums(&self) -> RowSums {
        RowSums::One
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        let sizes = vec![self.clusters as u32; dims.sizes.len()];
        dims.with_features(self.embed.out_features()).with_edge_features(0).with_sizes(sizes)
    }

    fn divides(&self) -> bool {
        self.losses != Losses::Pyg
    }

    fn embeds(&self) -> Option<i64> {
        Some(self.embed.out_features())
    }
}

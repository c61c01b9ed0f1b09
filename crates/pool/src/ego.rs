//! Ego-networks as overlapping clusters, adaptively many (Zhong, Li and Pang, AdamGNN).
//!
//! Length: each row in which text and release differ is a documented field, and both presets are worked by hand.

use coarsen_nn::{Config, ConfigError, Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Layout, Level, Loops, Memberships, Networks, Sparse};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use crate::ego_features::{Features, Rows};
use crate::ego_fitness::{Combined, Fitness, Inputs, Similarity};
use crate::ego_score::{Attention, PairScore};
use crate::ego_select::Ties;
use crate::ego_unpool::Unpool;
use crate::pool::{Pool, Pooled, SELECT, Scores, Selection};
use crate::registry::{Invariance, PoolSpec};
use crate::steps::{Preset, Steps};

/// The row of [`POOLS`](crate::POOLS).
pub const SPEC: PoolSpec = PoolSpec::of::<EgoConfig>(
    "Zhong, Li & Pang (AdamGNN), eq. 2-3",
    Invariance::UpToTies,
    Steps {
        reduce: "`h_i + Σ_j α_ij h_j`",
        connect: "`Sᵀ (A + I) S`",
        ..Steps::textbook(
            "the networks fitter than all around them, and the nodes in none: `S_ji = φ_ij = f^s_ij f^c_ij`, `S_ii = 1`",
        )
    },
    "time `O(P F + N F²)` with `P = E` pairs for `λ = 1`, and `Sᵀ A S`; memory `O(N F + P)`",
)
.with_presets(&[Preset {
    name: "official",
    fields: || {
        json!({
            "inputs": "unit", "attention": "vector-first", "similarity": "softmax", "combined": "softmax", "ties": "all",
            "loops": "fill", "features": "message", "rows": "unit", "unpool": "mean", "slope": 0.01
        })
    },
}]);

/// The diagonal of the pooled graph.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HyperLoops {
    /// `Sᵀ (A + I) S`, as printed.
    #[default]
    Add,
    /// `Sᵀ A S` with loops of weight 1 where it has none, as released.
    Fill,
}

/// Configuration of [`Ego`]. The default is what the paper prints; each field is a row in which the released code differs, whose
/// values are [`EgoConfig::official`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgoConfig {
    /// `λ`: how many steps a network reaches.
    pub hops: u8,
    /// What the fitness looks at.
    pub inputs: Inputs,
    /// How `f^s` scores a pair.
    pub attention: Attention,
    /// What `f^c` is.
    pub similarity: Similarity,
    /// How the two become `φ`.
    pub combined: Combined,
    /// What happens where neighbours are equally fit.
    pub ties: Ties,
    /// Self-loops of the pooled graph.
    pub loops: HyperLoops,
    /// What a hyper-node gathers.
    pub features: Features,
    /// What its features go through at the end.
    pub rows: Rows,
    /// How features come back.
    pub unpool: Unpool,
    /// Slope of each leaky ReLU below 0.
    pub slope: f64,
    /// Width of the maps `W` in front of an attention vector; `null`: as wide as the features.
    pub width: Option<i64>,
    /// Probability of dropping a weight `α` of the attention that makes features, in [0, 1).
    pub dropout: f64,
}

impl Default for EgoConfig {
    fn default() -> Self {
        Self {
            hops: 1,
            inputs: Inputs::default(),
            attention: Attention::default(),
            similarity: Similarity::default(),
            combined: Combined::default(),
            ties: Ties::default(),
            loops: HyperLoops::default(),
            features: Features::default(),
            rows: Rows::default(),
            unpool: Unpool::default(),
            slope: 0.2,
            width: None,
            dropout: 0.0,
        }
    }
}

impl EgoConfig {
    /// The operator as released.
    ///
    /// # Examples
    ///
    /// ```
    /// use coarsen_nn::parse;
    /// use coarsen_pool::{EgoConfig, POOLS};
    /// let row = POOLS.iter().find(|spec| spec.name == "ego").expect("a row");
    /// assert_eq!(parse::<EgoConfig>(&row.presets[0].config("ego"))?, EgoConfig::official());
    /// # Ok::<(), coarsen_nn::ConfigError>(())
    /// ```
    pub fn official() -> Self {
        Self {
            inputs: Inputs::Unit,
            attention: Attention::VectorFirst,
            similarity: Similarity::Softmax,
            combined: Combined::Softmax,
            ties: Ties::All,
            loops: HyperLoops::Fill,
            features: Features::Message,
            rows: Rows::Unit,
            unpool: Unpool::Mean,
            slope: 0.01,
            ..Self::default()
        }
    }
}

impl Config for EgoConfig {
    type Module = Ego;
    const NAME: &'static str = "ego";

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::require(self.hops >= 1, Self::NAME, "hops", "at least 1", self.hops)?;
        ConfigError::require(self.slope.is_finite(), Self::NAME, "slope", "finite", self.slope)?;
        let width = self.width.unwrap_or(1);
        ConfigError::require(width >= 1, Self::NAME, "width", "at least 1", width)?;
        let drops = (0.0..1.0).contains(&self.dropout);
        ConfigError::require(drops, Self::NAME, "dropout", "in [0, 1)", self.dropout)
    }

    fn init(&self, p: &Params, dims: &Dims) -> Ego {
        let sizes = (dims.features, self.width.unwrap_or(dims.features));
        let score = |form, name: &str| PairScore::new(form, &p.sub(name), sizes, self.slope);
        Ego {
            fitness: score(self.attention, "fitness"),
            gather: score(self.features.attention(), "features"),
            config: self.clone(),
        }
    }
}

/// Every network that is fitter than all around it becomes a hyper-node, and so does every node in none of them.
///
/// The members of `i`'s network are the nodes `j ≠ i` at most `λ` steps away. With `e_ji = aᵀ leaky([W h_j ‖ W h_i])`,
/// `f^s_ij = exp(e_ji) / Σ_r exp(e_jr)` over the egos `r` that have `j` as a member, `f^c_ij = sigmoid(h_jᵀ h_i)`, and
/// `φ_ij = f^s_ij f^c_ij` (eq. 2). `φ_i` is the mean of `φ_ij` over the members; `i` is chosen where `φ_i` is the largest among the
/// neighbours one step away. `S_ji = φ_ij` for a member of a chosen `i`, and `S_ii = 1` for all that name a hyper-node. Then
/// `x_i = h_i + Σ_j α_ij h_j` (eq. 3), with `α` as [`Features`] says, and `A' = Sᵀ (A + I) S`.
///
/// Hyper-nodes are in the order of the nodes that name them. Networks overlap: a chosen node that is a member of another network is in
/// two columns. The choice is discrete: gradients reach the scores through `S` and `α` alone. How many hyper-nodes there are is learned;
/// no ratio is given.
///
/// Parameters `fitness.*` and `features.*`, as in [`PairScore`]. In `aᵀ leaky([W h_j ‖ W h_i])` one share cancels in the softmax:
/// that of the member in the fitness, that of the ego in the features, so that half of each `vector` learns nothing.
///
/// # Shapes
///
/// `[N, F]` → `[K, F]`, `K` at most `N`, at least one a graph with nodes.
///
/// # Complexity
///
/// With `P` pairs of member and ego (`P = E` for `λ = 1`): time `O(P F + N F²)` and the products of `A' = Sᵀ A S`; memory
/// `O(N F + P)`: no matrix of pairs by features, none of nodes by nodes.
///
/// # Paper and code
///
/// [`EgoConfig`] has a field for each row in which they differ. In the released code `φ` is a softmax of products of softmaxes, and
/// hardly differs from `1/|N_j|`: what it selects is nearly fixed by the degrees. Its text prints attention vectors of a wrong length, and leaves
/// open `S_ii`, ties, and the fitness of a node without neighbours, which is 0 here and never chosen. Under a random control
/// `φ_i` is random; `φ_ij` is still learned.
#[derive(Debug)]
pub struct Ego {
    config: EgoConfig,
    fitness: PairScore,
    gather: PairScore,
}

/// The ego-networks of a level and how fit they are.
#[derive(Debug)]
pub struct Formed {
    /// Who is a member of whose.
    pub pairs: Memberships,
    /// `φ_ij`, `[pairs]`.
    pub phi: Tensor,
    /// `φ_i`, `[N]`: 0 of a node without members.
    pub fitness: Tensor,
}

impl Ego {
    /// The ego-networks of a sparse level.
    pub fn form(&self, g: &Level) -> Formed {
        let config = &self.config;
        let choices =
            Fitness { inputs: config.inputs, similarity: config.similarity, combined: config.combined };
        let pairs = Memberships::of(sparse(g), config.hops);
        let phi = choices.of_pairs(&pairs, &g.x, &self.fitness);
        let fitness = pairs.mean_over_members(&phi);
        Formed { pairs, phi, fitness }
    }

    /// The networks that become hyper-nodes, by `fitness: [N]`.
    pub fn choose(&self, g: &Level, formed: &Formed, fitness: &Tensor) -> Networks {
        formed.pairs.choose(&self.config.ties.fittest(fitness, sparse(g)))
    }

    /// `S`, the features and the edges of the hyper-nodes.
    pub fn selection(&self, g: &Level, formed: &Formed, networks: &Networks, ctx: Ctx) -> Selection {
        let config = &self.config;
        let dropped = (config.dropout, ctx);
        let x = config.features.gather(networks, (&g.x, &formed.phi), &self.gather, dropped);
        let s = networks.assignment(&formed.phi);
        let coarse = match config.loops {
            HyperLoops::Add => g.adj.with_self_loops(Loops::Add(1.0)).coarsen(&s),
            HyperLoops::Fill => g.adj.coarsen(&s).with_self_loops(Loops::Fill(1.0)),
        };
        Selection { coarse: Some(coarse), reduced: Some(config.rows.of(x)), ..s.into() }
    }

    /// The pooled level of a sparse one, and the networks it is made of.
    pub fn networks(&self, g: &Level, ctx: Ctx) -> (Pooled, Networks) {
        let formed = self.form(g);
        let networks = self.choose(g, &formed, &formed.fitness);
        let selection = self.selection(g, &formed, &networks, ctx.child(SELECT));
        let level = Level::new(self.reduce(g, &selection, ctx), self.connect(g, &selection));
        (Pooled { level, score: formed.fitness, selection }, networks)
    }
}

fn sparse(g: &Level) -> &Sparse {
    match &g.adj {
        Adjacency::Sparse(a) => a,
        Adjacency::Dense(_) => unreachable!("`pool` converts at the door"),
    }
}

impl Pool for Ego {
    fn layouts(&self, _: Layout) -> (Layout, Layout) {
        (Layout::Sparse, Layout::Sparse)
    }

    fn scores(&self) -> Scores {
        Scores::Nodes
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        self.form(g).fitness
    }

    fn select(&self, g: &Level, fitness: &Tensor, ctx: Ctx) -> Selection {
        let formed = self.form(g);
        let networks = self.choose(g, &formed, fitness);
        self.selection(g, &formed, &networks, ctx)
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        dims.clone()
    }

    fn lift(&self, x: &Tensor, sel: &Selection) -> Tensor {
        self.config.unpool.lift(x, &sel.s)
    }

    /// The default forms the networks once for the score and once to select; here they are formed once.
    fn pool(&self, g: &Level, ctx: Ctx) -> Pooled {
        self.networks(&g.to_layout(Layout::Sparse), ctx).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_sparse::Csr;
    use coarsen_tensor::{Pattern, Segments};
    use std::sync::Arc;
    use tch::{Device, Kind, nn::VarStore, no_grad};

    /// A path 0 — 1 — 2 and a node alone; features of neighbours are orthogonal.
    fn path() -> Level {
        let csr = Csr::new(4, 4, vec![0, 1, 3, 4, 4], vec![1, 0, 2, 1]).expect("a path");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 4]))));
        let adj = Adjacency::Sparse(Sparse::new(pattern, None, (Kind::Double, Device::Cpu)));
        Level::new(Tensor::from_slice2(&[[1f64, 0.], [0., 6.], [2., 0.], [7., 7.]]), adj)
    }

    fn pooled(config: &EgoConfig) -> (Ego, Pooled) {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let ego = config.init(&Params::new(&store.root(), 1), &Dims::new(2, 1));
        no_grad(|| store.variables().into_values().for_each(|mut v| drop(v.zero_())));
        let pooled = ego.pool(&path(), Ctx::eval());
        (ego, pooled)
    }

    fn close(got: &Tensor, want: &[f64]) {
        assert!(got.reshape(-1).allclose(&Tensor::from_slice(want), 1e-12, 1e-12, false), "{got} {want:?}");
    }

    fn weights(level: &Level) -> Tensor {
        sparse(level).weights()
    }

    /// With parameters 0 both ends are in the middle's network alone (`f^s = 1`), the middle in both of theirs (½); `f^c = ½`.
    #[test]
    fn a_path_by_hand_as_printed() {
        let (ego, Pooled { level, score, selection }) = pooled(&EgoConfig::default());
        close(&score, &[0.25, 0.5, 0.25, 0.0]);
        // The middle's features and a third of those of each end; the node alone as it is.
        close(&level.x, &[1.0, 6.0, 7.0, 7.0]);
        // Of the middle's network 1 + 2 · ¼ by its loops, and 4 · ½ by its edges.
        close(&weights(&level), &[3.5, 1.0]);
        let x = Tensor::from_slice2(&[[8f64], [3.]]);
        close(&ego.lift(&x, &selection), &[4.0, 8.0, 4.0, 3.0]);
    }

    /// The softmaxes make 1 of the ends' fitness and ½ of the middle's.
    #[test]
    fn a_path_by_hand_as_released() {
        let config = EgoConfig { rows: Rows::Raw, ..EgoConfig::official() };
        let (ego, Pooled { level, score, selection }) = pooled(&config);
        close(&score, &[0.5, 1.0, 0.5, 0.0]);
        close(&level.x, &[1.0, 2.0, 7.0, 7.0]);
        close(&weights(&level), &[4.0, 1.0]);
        let x = Tensor::from_slice2(&[[8f64], [3.]]);
        close(&ego.lift(&x, &selection), &[8.0, 8.0, 8.0, 3.0]);
        let (_, Pooled { level, .. }) = pooled(&EgoConfig::official());
        close(&level.x, &[0.2f64.sqrt(), 0.8f64.sqrt(), 0.5f64.sqrt(), 0.5f64.sqrt()]);
    }

    #[test]
    fn of_two_steps_both_ends_are_in_one_anothers_networks() {
        let (_, Pooled { score, .. }) = pooled(&EgoConfig { hops: 2, ..EgoConfig::default() });
        // Everybody is in two networks; the ends are alike by sigmoid(2).
        let like = 1.0 / (1.0 + (-2f64).exp());
        let end = f64::midpoint(0.25, like / 2.0);
        close(&score, &[end, 0.25, end, 0.0]);
    }

    #[test]
    fn a_value_that_breaks_its_rule_is_refused() {
        let refused = |config: EgoConfig| config.check().expect_err("refused").to_string();
        let message = refused(EgoConfig { hops: 0, ..EgoConfig::default() });
        assert_eq!(message, "ego: `hops` must be at least 1, got 0");
        assert!(refused(EgoConfig { dropout: 1.0, ..EgoConfig::default() }).contains("`dropout`"));
        assert!(refused(EgoConfig { width: Some(0), ..EgoConfig::default() }).contains("`width`"));
    }
}

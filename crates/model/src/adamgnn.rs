//! AdamGNN: ego-networks pooled level by level, and what every level knows sent back to the nodes (Zhong, Li and Pang).

use std::sync::Arc;

use coarsen_nn::{Activation, Config, ConfigError, Conv, Ctx, Dims, Params, conv};
use coarsen_pool::ego_loss::{dec_kl, gaussian_kl};
use coarsen_pool::{Ego, EgoConfig, Invariance, Loss, Over, Pool, Selection, fields};
use coarsen_tensor::{Layout, Level, Segments};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Tensor;

use crate::flyback::{Flyback, FlybackForm};
use crate::model::{Model, Needs, Output, Trace};
use crate::readouts::{Readouts, max_and_mean};
use crate::registry::ModelSpec;

/// The row of [`MODELS`](crate::MODELS).
pub const SPEC: ModelSpec = ModelSpec {
    name: NAME,
    paper: "Zhong, Li & Pang (AdamGNN), eq. 1-6",
    invariance: Invariance::UpToTies,
    example: || example(NAME, &AdamGnnConfig::default()),
    build: |config, p, dims| Ok(Box::new(fields::<AdamGnnConfig>(NAME, config)?.build(NAME, p, dims)?)),
};

/// The row of the network as released: the same fields with other defaults.
pub const OFFICIAL: ModelSpec = ModelSpec {
    name: RELEASED,
    paper: "Zhong, Li & Pang (AdamGNN), as released",
    invariance: Invariance::UpToTies,
    example: || example(RELEASED, &AdamGnnConfig::official()),
    build: |config, p, dims| {
        let mut whole = json!(AdamGnnConfig::official());
        overlay(&mut whole, config);
        Ok(Box::new(fields::<AdamGnnConfig>(RELEASED, &whole)?.build(RELEASED, p, dims)?))
    },
};

const NAME: &str = "adamgnn";
const RELEASED: &str = "adamgnn-official";

fn example(name: &str, config: &AdamGnnConfig) -> Value {
    let mut example = json!(config);
    example["kind"] = name.into();
    example
}

/// Fields of `over` in place of those of `whole`; those of `ego` one by one.
fn overlay(whole: &mut Value, over: &Value) {
    for (key, value) in over.as_object().into_iter().flatten() {
        if key == "ego" && value.is_object() {
            overlay(&mut whole[key], value);
        } else {
            whole[key] = value.clone();
        }
    }
}

/// What bears the name `L_KL`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Divergence {
    /// [`dec_kl`] of the nodes from the egos of the first level, as printed.
    #[default]
    Dec,
    /// [`gaussian_kl`] with `H` as means and `H_0` as logarithmic variances, as released.
    Gaussian,
    /// No loss: the paper's ablation.
    None,
}

/// Configuration of [`AdamGnn`]. The default is what the paper prints; the fields in which the released code differs have the values of
/// [`AdamGnnConfig::official`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamGnnConfig {
    /// How many levels there are, the input's counted: there is one pooling less.
    pub levels: usize,
    /// Width of all levels.
    pub hidden: i64,
    /// The convolution of each level, a row of [`CONVS`](coarsen_nn::CONVS).
    pub conv: Value,
    /// Behind each convolution: `relu` as printed, `identity` as released.
    pub activation: Activation,
    /// The operator of each pooling; its `dropout` is that of the network.
    pub ego: EgoConfig,
    /// How the levels reach the nodes.
    pub flyback: FlybackForm,
    /// Probability of dropping a weight of an attention, `α` in the poolings and `β` of the flyback, in [0, 1).
    pub dropout: f64,
    /// What `L_KL` is.
    pub kl: Divergence,
    /// `γ`: the weight of `L_KL`.
    pub kl_weight: f64,
    /// `μ` of [`Divergence::Dec`].
    pub mu: f64,
    /// Readouts of every level's rows per node, concatenated, then summed over the levels; rows of [`READOUTS`](coarsen_nn::READOUTS).
    pub readout: Vec<Value>,
}

impl Default for AdamGnnConfig {
    fn default() -> Self {
        Self {
            levels: 4,
            hidden: 64,
            conv: json!({"kind": "gcn"}),
            activation: Activation::Relu,
            ego: EgoConfig::default(),
            flyback: FlybackForm::default(),
            dropout: 0.0,
            kl: Divergence::default(),
            kl_weight: 0.1,
            mu: 1.0,
            readout: max_and_mean(),
        }
    }
}

impl AdamGnnConfig {
    /// The network as released, but for `dropout`, which its scripts set to 0.5 or 0.9.
    pub fn official() -> Self {
        Self {
            activation: Activation::Identity,
            ego: EgoConfig::official(),
            flyback: FlybackForm::Unit,
            kl: Divergence::Gaussian,
            kl_weight: 1.0,
            ..Self::default()
        }
    }

    fn check(&self, name: &'static str) -> Result<(), ConfigError> {
        ConfigError::require(self.levels >= 2, name, "levels", "at least 2", self.levels)?;
        ConfigError::require(self.hidden >= 1, name, "hidden", "at least 1", self.hidden)?;
        let drops = (0.0..1.0).contains(&self.dropout);
        ConfigError::require(drops, name, "dropout", "in [0, 1)", self.dropout)?;
        let weight = self.kl_weight;
        ConfigError::require(weight.is_finite(), name, "kl_weight", "finite", weight)?;
        let holds = self.mu.is_finite() && self.mu > 0.0;
        ConfigError::require(holds, name, "mu", "finite and above 0", self.mu)?;
        let own = self.ego.dropout.abs() > 0.0;
        ConfigError::require(!own, name, "ego.dropout", "0: `dropout` is that of all", self.ego.dropout)?;
        self.ego.check()
    }

    /// Makes the network; `name` is the row that messages speak of.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, those of the modules it is made of included.
    pub fn build(&self, name: &'static str, p: &Params, dims: &Dims) -> Result<AdamGnn, ConfigError> {
        self.check(name)?;
        let ego = EgoConfig { dropout: self.dropout, ..self.ego.clone() };
        let inside = dims.with_features(self.hidden);
        let of_level = |l: usize| {
            let dims = if l == 0 { dims } else { &inside };
            conv(&self.conv, &p.sub(format!("conv{l}")), &dims.with_outputs(self.hidden))
        };
        let reading = |l: usize| Readouts::new(name, &self.readout, &p.sub(format!("readout{l}")), &inside);
        let width = ego.width.unwrap_or(self.hidden);
        Ok(AdamGnn {
            convs: (0..self.levels).map(of_level).collect::<Result<_, _>>()?,
            pools: (1..self.levels).map(|l| ego.init(&p.sub(format!("pool{}", l - 1)), &inside)).collect(),
            activation: self.activation,
            flyback: Flyback::new(
                self.flyback,
                &p.sub("flyback"),
                (self.hidden, width),
                ego.slope,
                self.dropout,
            ),
            divergence: self.kl,
            kl_weight: self.kl_weight,
            mu: self.mu,
            readings: (0..self.levels).map(reading).collect::<Result<_, _>>()?,
            hidden: self.hidden,
        })
    }
}

/// `H_0 = act(conv(A, X))`; `(A_k, X_k) = ego(A_{k−1}, H_{k−1})` and `H_k = act(conv(A_k, X_k))` for every level above;
/// `Ĥ_k = S_1(…(S_k H_k))` back on the nodes, and `H` of all of them by the [`Flyback`] (eq. 1–5).
///
/// It answers for nodes, `H`, and for graphs, `Σ readout` over `H, Ĥ_1, …`. Its loss `kl` is `γ L_KL`. The reconstruction of edges,
/// `δ L_R`, needs non-edges and is the training's (`train.reconstruction` of an experiment).
///
/// # Shapes
///
/// `N` nodes of `B` graphs → nodes `[N, hidden]`, graphs `[B, out_features]`.
///
/// # Complexity
///
/// That of the convolutions and of [`Ego`], once a level, and `O(levels² · entries of S · hidden)` for the way back. [`Divergence::Dec`]
/// compares all nodes with all egos of a graph, which of one large graph takes more than everything else.
///
/// # Paper and code
///
/// The fields of [`AdamGnnConfig`] and of [`EgoConfig`] are the rows in which they differ. The released code cannot run graph tasks, and
/// the text leaves the readout open; the one here is that of SAGPool, whose experiments it follows. Every attention has parameters of its own,
/// those of the poolings one set a level.
#[derive(Debug)]
pub struct AdamGnn {
    convs: Vec<Box<dyn Conv>>,
    pools: Vec<Ego>,
    activation: Activation,
    flyback: Flyback,
    divergence: Divergence,
    kl_weight: f64,
    mu: f64,
    readings: Vec<Readouts>,
    hidden: i64,
}

/// Everything that [`AdamGnn`] makes of a batch on its way.
#[derive(Debug)]
pub struct Passed {
    /// `H`, `[N, hidden]`.
    pub nodes: Tensor,
    /// `H_0, Ĥ_1, Ĥ_2, …`, `[N, hidden]` each.
    pub levels: Vec<Tensor>,
    /// The attention over the levels above, `[levels − 1, N]`.
    pub beta: Option<Tensor>,
    /// The fitness of the nodes of each level that is pooled.
    pub fitness: Vec<Tensor>,
    /// The egos chosen on each of them, Int64.
    pub egos: Vec<Tensor>,
    /// The nodes of each graph on every level.
    pub sizes: Vec<Arc<Segments>>,
}

const CONV: u64 = 0;
const POOL: u64 = 1;
const FLYBACK: u64 = 2;
const READ: u64 = 3;

impl AdamGnn {
    /// Everything but readouts and losses, on a sparse level.
    pub fn pass(&self, g: &Level, ctx: Ctx) -> Passed {
        let of_conv = |l: usize, g: &Level| {
            g.with_x(self.convs[l].activated(g, self.activation, ctx.child(l as u64).child(CONV)))
        };
        let mut level = of_conv(0, g);
        let mut levels = vec![level.x.shallow_clone()];
        let (mut fitness, mut egos, mut sizes) = (Vec::new(), Vec::new(), vec![level.segments()]);
        let mut selections: Vec<Selection> = Vec::with_capacity(self.pools.len());
        for (l, pool) in self.pools.iter().enumerate() {
            let (pooled, networks) = pool.networks(&level, ctx.child(l as u64).child(POOL));
            level = of_conv(l + 1, &pooled.level);
            selections.push(pooled.selection);
            let below = self.pools.iter().zip(&selections).rev();
            levels.push(below.fold(level.x.shallow_clone(), |x, (pool, s)| pool.lift(&x, s)));
            fitness.push(pooled.score);
            egos.push(networks.egos());
            sizes.push(level.segments());
        }
        let (nodes, beta) = self.flyback.forward(&levels[0], &levels[1..], ctx.child(FLYBACK));
        Passed { nodes, levels, beta, fitness, egos, sizes }
    }

    /// `γ L_KL`.
    fn divergence(&self, g: &Level, passed: &Passed) -> Option<Loss> {
        let graphs = &passed.sizes[0];
        let (value, over) = match self.divergence {
            Divergence::Dec => (dec_kl(&passed.nodes, &passed.egos[0], graphs, self.mu), Over::Nodes),
            Divergence::Gaussian => (gaussian_kl(&passed.nodes, &passed.levels[0], graphs), Over::Graphs),
            Divergence::None => return None,
        };
        Some(Loss::new("kl", value, over, g).weighing(self.kl_weight))
    }

    fn read(&self, g: &Level, passed: &Passed, ctx: Ctx) -> Tensor {
        let rows = std::iter::once(&passed.nodes).chain(&passed.levels[1..]);
        let read =
            self.readings.iter().zip(rows).enumerate().map(|(l, (readouts, x))| {
                readouts.forward(&g.with_x(x.shallow_clone()), ctx.child(l as u64))
            });
        read.reduce(|sum, y| sum + y).expect("at least two levels")
    }
}

impl Model for AdamGnn {
    fn needs(&self) -> Needs {
        Needs::layout(Layout::Sparse)
    }

    fn divides(&self) -> bool {
        true
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let g = &g.to_layout(Layout::Sparse);
        let passed = self.pass(g, ctx);
        let graphs = self.read(g, &passed, ctx.child(READ));
        let losses = self.divergence(g, &passed).into_iter().collect();
        let traces = if ctx.trace { traces(&passed) } else { Vec::new() };
        Output { nodes: Some(passed.nodes), graphs: Some(graphs), losses, traces, ..Output::default() }
    }

    fn out_features(&self) -> i64 {
        self.readings[0].out_features()
    }

    fn node_features(&self) -> Option<i64> {
        Some(self.hidden)
    }
}

fn traces(passed: &Passed) -> Vec<Trace> {
    let of = |what: &str, values: &[Tensor]| -> Vec<Trace> {
        let trace = |(l, value): (usize, &Tensor)| Trace {
            name: format!("level{l}.{what}"),
            value: value.shallow_clone(),
        };
        values.iter().enumerate().map(trace).collect()
    };
    let beta = passed.beta.as_ref();
    let beta = beta.map(|beta| Trace { name: "flyback.beta".to_owned(), value: beta.shallow_clone() });
    let levels = [of("x", &passed.levels), of("score", &passed.fitness), of("egos", &passed.egos)];
    levels.into_iter().flatten().chain(beta).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_the_ego_leaves_the_others_as_released() {
        let mut whole = json!(AdamGnnConfig::official());
        overlay(&mut whole, &json!({"kind": RELEASED, "levels": 3, "ego": {"hops": 2}}));
        let read = fields::<AdamGnnConfig>(RELEASED, &whole).expect("a configuration");
        let ego = EgoConfig { hops: 2, ..EgoConfig::official() };
        assert_eq!(read, AdamGnnConfig { levels: 3, ego, ..AdamGnnConfig::official() });
    }
}

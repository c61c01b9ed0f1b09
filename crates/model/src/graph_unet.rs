//! Graph U-Net: convolutions and poolings on the way down, lifted back to the nodes on the way up (Gao and Ji 2019), in PyG's form.

use coarsen_nn::{Activation, ConfigError, Conv, Ctx, Dims, Params, conv, dropout};
use coarsen_pool::{Apart, Invariance, Pool, Pooled, fields};
use coarsen_tensor::{Layout, Level};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Tensor;

use crate::model::{Model, Needs, Output, Schedule, Trace};
use crate::readouts::{Readouts, max_and_mean};
use crate::registry::ModelSpec;

/// The row of [`MODELS`](crate::MODELS).
pub const SPEC: ModelSpec = ModelSpec {
    name: NAME,
    paper: "Gao & Ji 2019, § 3.4",
    invariance: Invariance::UpToTies,
    example: || {
        let mut example = json!(GraphUNetConfig::default());
        example["kind"] = NAME.into();
        example
    },
    build: |config, p, dims| Ok(Box::new(fields::<GraphUNetConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "graph-unet";

/// How the features of the way down join those that come up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// Added.
    #[default]
    Sum,
    /// Beside them.
    Concat,
}

/// Configuration of [`GraphUNet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GraphUNetConfig {
    /// The operators, a level each; rows of [`POOLS`](coarsen_pool::POOLS). Nodes that one of them lifts to must be in the layout of the
    /// level: any operator on sparse levels will do.
    pub pools: Vec<Value>,
    /// The convolution, a row of [`CONVS`](coarsen_nn::CONVS).
    pub conv: Value,
    /// Width of all but the last.
    pub hidden: i64,
    /// Width of the last; `null`: `hidden`.
    pub out: Option<i64>,
    /// Behind every convolution but the last.
    pub activation: Activation,
    /// Probability of dropping a feature before a convolution.
    pub dropout: f64,
    /// How the way down joins the way up.
    pub skip: Skip,
    /// Readouts of the input level, concatenated; rows of [`READOUTS`](coarsen_nn::READOUTS).
    pub readout: Vec<Value>,
}

impl Default for GraphUNetConfig {
    fn default() -> Self {
        let pool = json!({"kind": "top-k", "reach": "two"});
        Self {
            pools: vec![pool.clone(), pool],
            conv: json!({"kind": "gcn", "improved": true}),
            hidden: 64,
            out: None,
            activation: Activation::Relu,
            dropout: 0.0,
            skip: Skip::Sum,
            readout: max_and_mean(),
        }
    }
}

impl GraphUNetConfig {
    /// Makes the network.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, those of the modules it is made of included.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<GraphUNet, ConfigError> {
        ConfigError::require(!self.pools.is_empty(), NAME, "pools", "at least one operator", "[]")?;
        let out = self.out.unwrap_or(self.hidden);
        for (field, width) in [("hidden", self.hidden), ("out", out)] {
            ConfigError::require(width >= 1, NAME, field, "at least 1", width)?;
        }
        let drops = (0.0..1.0).contains(&self.dropout);
        ConfigError::require(drops, NAME, "dropout", "in [0, 1)", self.dropout)?;

        let depth = self.pools.len();
        let make =
            |name: String, dims: &Dims, outputs| conv(&self.conv, &p.sub(name), &dims.with_outputs(outputs));
        let (mut down, mut pools, mut levels) = (Vec::new(), Vec::new(), vec![dims.clone()]);
        for (l, config) in self.pools.iter().enumerate() {
            down.push(make(format!("down{l}"), &levels[l], self.hidden)?);
            let here = levels[l].with_features(self.hidden);
            let pool = coarsen_pool::pool(config, &p.sub(format!("pool{l}")), &here)?;
            one_way(&pools, pool.as_ref(), config)?;
            levels.push(pool.coarsened(&here));
            pools.push(pool);
        }
        down.push(make(format!("down{depth}"), &levels[depth], self.hidden)?);
        let joined = match self.skip {
            Skip::Sum => self.hidden,
            Skip::Concat => 2 * self.hidden,
        };
        let rises = |i: usize| {
            let outputs = if i + 1 == depth { out } else { self.hidden };
            make(format!("up{i}"), &levels[depth - 1 - i].with_features(joined), outputs)
        };
        Ok(GraphUNet {
            down,
            pools,
            up: (0..depth).map(rises).collect::<Result<_, _>>()?,
            activation: self.activation,
            dropout: self.dropout,
            skip: self.skip,
            readouts: Readouts::new(NAME, &self.readout, &p.sub("readout"), &dims.with_features(out))?,
        })
    }
}

/// Operators work on sparse levels and give them, embed nothing of their own, and train apart in one way.
fn one_way(earlier: &[Box<dyn Pool>], pool: &dyn Pool, config: &Value) -> Result<(), ConfigError> {
    let sparse = pool.layouts(Layout::Sparse) == (Layout::Sparse, Layout::Sparse);
    ConfigError::require(sparse, NAME, "pools", "operators from sparse levels to sparse levels", config)?;
    let rule = "operators that pool the features they get";
    ConfigError::require(pool.embeds().is_none(), NAME, "pools", rule, config)?;
    let apart: Vec<Apart> = earlier.iter().filter_map(|pool| pool.apart()).chain(pool.apart()).collect();
    let rule = "operators that train apart in one way";
    ConfigError::require(apart.windows(2).all(|two| two[0] == two[1]), NAME, "pools", rule, config)
}

/// `X_l = act(conv_l(A_l, X_l))`, `(A_{l+1}, X_{l+1}) = pool_l(A_l, X_l)` down to the coarsest level; on the way up
/// `X_l ← act(conv(A_l, X_l + lift_l(X_{l+1})))`, without the activation at the very end.
///
/// It answers for nodes and, read out, for graphs.
///
/// # Shapes
///
/// `N` nodes of `B` graphs → nodes `[N, out]`, graphs `[B, out_features]`.
///
/// # Complexity
///
/// That of the convolutions, twice a level, and of the operators. `A²`, which the default operators join by, has as many edges as pairs
/// of kept nodes two steps apart.
///
/// # Paper and code
///
/// This is PyG's network: tanh gates, ⌈ratio · n⌉ nodes, walks of two steps counted, the sum before the convolution. The authors' own
/// is [`GUNetOfficial`](crate::GUNetOfficial).
#[derive(Debug)]
pub struct GraphUNet {
    /// One more than there are poolings.
    down: Vec<Box<dyn Conv>>,
    pools: Vec<Box<dyn Pool>>,
    /// From the coarsest level to the input.
    up: Vec<Box<dyn Conv>>,
    activation: Activation,
    dropout: f64,
    skip: Skip,
    readouts: Readouts,
}

const DOWN: u64 = 0;
const POOL: u64 = 1;
const UP: u64 = 2;
const READ: u64 = 3;
const DROP: u64 = 4;

impl GraphUNet {
    fn conv(&self, conv: &dyn Conv, g: &Level, act: Activation, ctx: Ctx) -> Tensor {
        if self.dropout == 0.0 || !ctx.train {
            return conv.activated(g, act, ctx);
        }
        conv.activated(&g.with_x(dropout(&g.x, self.dropout, ctx.child(DROP))), act, ctx)
    }

    fn joined(&self, here: &Tensor, risen: &Tensor) -> Tensor {
        match self.skip {
            Skip::Sum => here + risen,
            Skip::Concat => Tensor::cat(&[here, risen], -1),
        }
    }
}

impl Model for GraphUNet {
    fn needs(&self) -> Needs {
        let plans = self.pools.iter().map_while(|pool| pool.plan()).collect();
        Needs { plans, ..Needs::layout(Layout::Sparse) }
    }

    fn schedule(&self) -> Schedule {
        let apart = self.pools.iter().find_map(|pool| pool.apart());
        apart.map_or(Schedule::Joint, Schedule::Alternating)
    }

    fn divides(&self) -> bool {
        self.pools.iter().all(|pool| pool.divides())
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let mut output = Output::default();
        let mut passed = Vec::with_capacity(self.pools.len());
        let mut level = g.to_layout(Layout::Sparse);
        for (l, (conv, pool)) in self.down.iter().zip(&self.pools).enumerate() {
            let ctx = ctx.child(l as u64);
            let here = level.with_x(self.conv(conv.as_ref(), &level, self.activation, ctx.child(DOWN)));
            let Pooled { level: pooled, score, mut selection } = pool.pool(&here, ctx.child(POOL));
            output.losses.append(&mut selection.losses);
            if ctx.trace {
                output.traces.push(Trace { name: format!("level{l}.x"), value: here.x.shallow_clone() });
                output.traces.push(Trace { name: format!("level{l}.score"), value: score });
            }
            passed.push((here, selection));
            level = pooled;
        }
        let depth = self.pools.len();
        let of_bottom = ctx.child(depth as u64).child(DOWN);
        let mut x = self.conv(self.down[depth].as_ref(), &level, self.activation, of_bottom);
        for (conv, (l, (here, selection))) in self.up.iter().zip(passed.iter().enumerate().rev()) {
            let risen = self.pools[l].lift(&x, selection);
            let act = if l == 0 { Activation::Identity } else { self.activation };
            let joined = here.with_x(self.joined(&here.x, &risen));
            x = self.conv(conv.as_ref(), &joined, act, ctx.child(l as u64).child(UP));
        }
        let graphs = self.readouts.forward(&passed[0].0.with_x(x.shallow_clone()), ctx.child(READ));
        Output { nodes: Some(x), graphs: Some(graphs), ..output }
    }

    fn out_features(&self) -> i64 {
        self.readouts.out_features()
    }

    fn node_features(&self) -> Option<i64> {
        self.up.last().map(|conv| conv.out_features())
    }
}

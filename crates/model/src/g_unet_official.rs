//! Graph U-Net as released by its authors (Gao and Ji 2019), which differs from the paper.

use coarsen_nn::{Activation, ConfigError, Ctx, Dims, Linear, Params, dropout};
use coarsen_pool::{Control, Invariance, Pool, Pooled, fields};
use coarsen_tensor::{Layout, Level, Loops, Norm, segment};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use crate::model::{Model, Needs, Output, Trace};
use crate::registry::ModelSpec;

/// The row of [`MODELS`](crate::MODELS).
pub const SPEC: ModelSpec = ModelSpec {
    name: NAME,
    paper: "Gao & Ji 2019, the released GNet",
    invariance: Invariance::UpToTies,
    example: || {
        let mut example = json!(GUNetOfficialConfig::default());
        example["kind"] = NAME.into();
        example
    },
    build: |config, p, dims| Ok(Box::new(fields::<GUNetOfficialConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "g-unet-official";

/// Configuration of [`GUNetOfficial`]; the default is the released one for PROTEINS without the dropout of nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GUNetOfficialConfig {
    /// Of `n` nodes each pooling keeps `max(2, ⌊ratio · n⌋)`.
    pub ratios: Vec<f64>,
    /// What replaces the scores of every pooling, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// Width of all convolutions.
    pub hidden: i64,
    /// Behind every convolution.
    pub activation: Activation,
    /// Probability of dropping a feature of a node before a convolution or a score; 0.3 in most of the released configurations.
    pub dropout: f64,
    /// Width of the hidden layer of the head.
    pub head: i64,
    /// Behind it.
    pub head_activation: Activation,
    /// Probability of dropping a feature before each of the head's two layers.
    pub head_dropout: f64,
}

impl Default for GUNetOfficialConfig {
    fn default() -> Self {
        Self {
            ratios: vec![0.9, 0.8, 0.7],
            control: None,
            hidden: 64,
            activation: Activation::Elu,
            dropout: 0.0,
            head: 512,
            head_activation: Activation::Elu,
            head_dropout: 0.3,
        }
    }
}

impl GUNetOfficialConfig {
    /// Makes the network.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<GUNetOfficial, ConfigError> {
        for (field, width) in [("hidden", self.hidden), ("head", self.head)] {
            ConfigError::require(width >= 1, NAME, field, "at least 1", width)?;
        }
        for (field, rate) in [("dropout", self.dropout), ("head_dropout", self.head_dropout)] {
            ConfigError::require((0.0..1.0).contains(&rate), NAME, field, "in [0, 1)", rate)?;
        }
        let path = self.path(&p.sub("unet"), dims)?;
        let read = 3 * self.hidden * (self.ratios.len() as i64 + 1);
        Ok(GUNetOfficial {
            first: self.conv(&p.sub("first"), dims.features),
            path,
            hidden: Linear::glorot(&p.sub("hidden"), read, self.head),
            out: Linear::glorot(&p.sub("out"), self.head, dims.outputs),
            activation: self.head_activation,
            dropout: self.head_dropout,
        })
    }

    /// Makes the part between first convolution and readout, on features of width `hidden`.
    ///
    /// # Errors
    ///
    /// When a ratio or the dropout breaks its rule, or there is no ratio.
    pub fn path(&self, p: &Params, dims: &Dims) -> Result<Path, ConfigError> {
        ConfigError::require(!self.ratios.is_empty(), NAME, "ratios", "at least one", "[]")?;
        let mut dims = dims.with_features(self.hidden);
        let mut pools = Vec::with_capacity(self.ratios.len());
        for (l, ratio) in self.ratios.iter().enumerate() {
            let mut config =
                json!({"kind": "g-pool", "ratio": ratio, "dropout": self.dropout, "edges": "columns"});
            if let Some(control) = self.control {
                config["control"] = json!(control);
            }
            let pool = coarsen_pool::pool(&config, &p.sub(format!("pool{l}")), &dims)?;
            dims = pool.coarsened(&dims);
            pools.push(pool);
        }
        let conv = |name: String| self.conv(&p.sub(name), self.hidden);
        Ok(Path {
            down: (0..pools.len()).map(|l| conv(format!("down{l}"))).collect(),
            bottom: conv("bottom".to_owned()),
            up: (0..pools.len()).map(|l| conv(format!("up{l}"))).collect(),
            pools,
        })
    }

    fn conv(&self, p: &Params, inputs: i64) -> Propagation {
        let linear = Linear::glorot(p, inputs, self.hidden);
        Propagation { linear, activation: self.activation, dropout: self.dropout }
    }
}

/// `act(A dropout(X) W + b)`, `A` as it is.
#[derive(Debug)]
struct Propagation {
    linear: Linear,
    activation: Activation,
    dropout: f64,
}

impl Propagation {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        let x = dropout(&g.x, self.dropout, ctx);
        if self.linear.in_features() < self.linear.out_features() {
            return self.linear.activated(&g.adj.matmul(&x), self.activation);
        }
        self.activation.apply(&self.linear.shift(g.adj.matmul(&self.linear.multiply(&x))))
    }
}

/// Down and up again: `X_l ← conv(Â_l, X_l)`, `(Â_{l+1}, X_{l+1}) = gPool(Â_l, X_l)`, at the bottom one more convolution, and up
/// `X_l ← conv(Â_l, gUnpool(X_{l+1})) + X_l`.
///
/// What comes up at every level is given, the coarsest first, and at last the sum of the finest with the input.
#[derive(Debug)]
pub struct Path {
    down: Vec<Propagation>,
    pools: Vec<Box<dyn Pool>>,
    bottom: Propagation,
    /// From the coarsest level to the input.
    up: Vec<Propagation>,
}

impl Path {
    /// The levels to be read, of a sparse level whose edges are scaled already; one more than there are poolings.
    pub fn forward(&self, g: &Level, ctx: Ctx) -> Vec<Level> {
        let ctx_of = |place: usize| ctx.child(place as u64);
        let depth = self.pools.len();
        let mut passed = Vec::with_capacity(depth);
        let mut level = g.with_x(g.x.shallow_clone());
        for (l, (conv, pool)) in self.down.iter().zip(&self.pools).enumerate() {
            let here = level.with_x(conv.forward(&level, ctx_of(3 * l)));
            let Pooled { level: pooled, selection, .. } = pool.pool(&here, ctx_of(3 * l + 1));
            passed.push((here, selection));
            level = pooled;
        }
        let mut x = self.bottom.forward(&level, ctx_of(3 * depth));
        let mut levels = Vec::with_capacity(depth + 1);
        for (conv, (l, (here, selection))) in self.up.iter().zip(passed.iter().enumerate().rev()) {
            let risen = here.with_x(self.pools[l].lift(&x, selection));
            x = conv.forward(&risen, ctx_of(3 * l + 2)) + &here.x;
            levels.push(here.with_x(x.shallow_clone()));
        }
        levels.push(g.with_x(x + &g.x));
        levels
    }
}

/// The released network: a convolution, the [`Path`] down and up, the maxima, sums and means of what comes up at every level side by side,
/// and a head of two layers.
///
/// Every convolution is `act(Â dropout(X) W + b)` with `Â = (A + I) D⁻¹`, `D` of the row sums.
///
/// Parameters below `first`, `unet.down0` …, `unet.pool0.score` …, `unet.bottom`, `unet.up0` … (the innermost first), `hidden` and `out`;
/// Glorot weights, biases at 0.
///
/// # Shapes
///
/// A batch of `B` graphs → logits `[B, outputs]`.
///
/// # Complexity
///
/// Time `O(Σ_l (E_l F + N_l F²))`; `E_l` beyond the input counts pairs of kept nodes two steps apart, `N_l²` at worst.
///
/// # Paper and code
///
/// The paper normalises on both sides with loops of weight 2, pools before it has convolved, and adds the features of the way down before
/// the convolution of the way up. The release divides by the vector of row sums along the columns, and drops isolated nodes when
/// it reads a data set, which is not done here.
#[derive(Debug)]
pub struct GUNetOfficial {
    first: Propagation,
    path: Path,
    hidden: Linear,
    out: Linear,
    activation: Activation,
    dropout: f64,
}

const FIRST: u64 = 0;
const PATH: u64 = 1;
const HIDDEN: u64 = 2;
const OUT: u64 = 3;

impl Model for GUNetOfficial {
    fn needs(&self) -> Needs {
        Needs::layout(Layout::Sparse)
    }

    fn divides(&self) -> bool {
        true
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let g = g.to_layout(Layout::Sparse);
        let scaled = g.adj.with_self_loops(Loops::Fill(1.0)).normalized(Norm::Column { floor: 0.0 });
        let g = Level::new(g.x, scaled);
        let levels = self.path.forward(&g.with_x(self.first.forward(&g, ctx.child(FIRST))), ctx.child(PATH));
        let read = |how: fn(&Tensor, &_) -> Tensor| levels.iter().map(move |g| how(&g.x, &g.segments()));
        let parts: Vec<Tensor> =
            read(segment::max).chain(read(segment::sum)).chain(read(segment::mean)).collect();
        let graphs = Tensor::cat(&parts, -1);
        let hidden =
            self.hidden.activated(&dropout(&graphs, self.dropout, ctx.child(HIDDEN)), self.activation);
        let logits = self.out.forward(&dropout(&hidden, self.dropout, ctx.child(OUT)));
        let traces = levels.iter().enumerate().filter(|_| ctx.trace);
        Output {
            logits: Some(logits),
            traces: traces
                .map(|(i, g)| Trace { name: format!("h{i}"), value: g.x.shallow_clone() })
                .collect(),
            ..Output::default()
        }
    }

    fn out_features(&self) -> i64 {
        self.out.out_features()
    }
}

//! The configuration of hierarchical networks, and how they are built.

use coarsen_nn::{Activation, ConfigError, Dims, Params};
use coarsen_pool::{Ending, Invariance, Join, NormAt, Pool, Stack, StackConfig, fields};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::network::{Hierarchical, Operator, Stage};
use crate::readouts::{Readouts, max_and_mean};
use crate::registry::ModelSpec;

/// The row of [`MODELS`](crate::MODELS).
pub const SPEC: ModelSpec = ModelSpec {
    name: NAME,
    paper: "Ying et al. 2018, § 4; Cangea et al. 2018; Mesquita et al. 2020",
    invariance: Invariance::Exact,
    example: || {
        let pool = Some(json!({"kind": DEFAULT_POOL}));
        let mut example = json!(HierarchicalConfig { pool, ..HierarchicalConfig::default() });
        example["kind"] = NAME.into();
        example
    },
    build: |config, p, dims| Ok(Box::new(fields::<HierarchicalConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "hierarchical";
const DEFAULT_POOL: &str = "diffpool";

/// Where a level is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadAt {
    /// Behind its convolutions, the input level included: DiffPool.
    #[default]
    Convs,
    /// Straight behind each pooling, which ends the network: SAGPool, Top-k and Graclus networks.
    Pools,
    /// Straight behind each pooling, and behind the last convolutions: DiffPool in the comparison of Errica et al.
    Coarse,
}

/// How the readings of the levels become one vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Merge {
    /// The last level's.
    Last,
    /// Their sum; all levels must have one width.
    Sum,
    /// All, concatenated.
    #[default]
    Concat,
}

/// Configuration of [`Hierarchical`]; the default is DiffPool as its paper describes it, with one pooling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HierarchicalConfig {
    /// The pooling operator, a row of [`POOLS`](coarsen_pool::POOLS), used `levels` times; `{"kind": "diffpool"}` where neither this nor
    /// `pools` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<Value>,
    /// How often `pool` is used.
    pub levels: usize,
    /// The operators one by one, in place of `pool`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pools: Option<Vec<Value>>,
    /// The convolution, a row of [`CONVS`](coarsen_nn::CONVS).
    pub conv: Value,
    /// The convolution behind the poolings, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coarse_conv: Option<Value>,
    /// Convolutions before the first pooling, those inside the operator counted ([`PoolSpec::depth`](coarsen_pool::PoolSpec::depth)).
    pub pre: usize,
    /// Convolutions after each pooling, those inside the next operator counted.
    pub post: usize,
    /// Convolutions behind the last pooling, where they are not as many as `post`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
    /// Width of each.
    pub hidden: i64,
    /// Where batch norm stands in a layer.
    pub norm: NormAt,
    /// Probability of dropping a feature after each convolution.
    pub dropout: f64,
    /// What stands behind the very last convolution.
    pub ending: Ending,
    /// What the convolutions of a level give.
    pub join: Join,
    /// Readouts of a level, concatenated; rows of [`READOUTS`](coarsen_nn::READOUTS).
    pub readout: Vec<Value>,
    /// Where a level is read.
    pub read: ReadAt,
    /// How the readings become one vector.
    pub merge: Merge,
}

impl Default for HierarchicalConfig {
    fn default() -> Self {
        Self {
            pool: None,
            levels: 1,
            pools: None,
            conv: json!({"kind": "sage", "normalize": true}),
            coarse_conv: None,
            pre: 2,
            post: 3,
            last: None,
            hidden: 64,
            norm: NormAt::After,
            dropout: 0.0,
            ending: Ending::Whole,
            join: Join::Cat,
            readout: max_and_mean(),
            read: ReadAt::Convs,
            merge: Merge::Concat,
        }
    }
}

impl HierarchicalConfig {
    /// The configurations of the operators, one a level.
    fn operators(&self) -> Result<Vec<Value>, ConfigError> {
        match (&self.pool, &self.pools) {
            (Some(pool), Some(_)) => {
                Err(ConfigError::value(NAME, "pool", "absent where `pools` is given", pool))
            }
            (None, Some(pools)) => Ok(pools.clone()),
            (Some(pool), None) => Ok(vec![pool.clone(); self.levels]),
            (None, None) => Ok(vec![json!({"kind": DEFAULT_POOL}); self.levels]),
        }
    }

    /// Makes the network.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, those of the modules it is made of included.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<Hierarchical, ConfigError> {
        let operators = self.operators()?;
        let maker = |config| {
            let make = Box::new(move |p: &Params, dims: &Dims| coarsen_pool::pool(config, p, dims));
            Ok(Operator { depth: coarsen_pool::depth(config)?, make })
        };
        let operators = operators.iter().map(maker).collect::<Result<Vec<_>, ConfigError>>()?;
        self.build_with(&operators, p, dims)
    }

    /// Makes the network with operators of the caller's, in place of those of the configuration.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and what making an operator says.
    pub fn build_with(
        &self,
        operators: &[Operator],
        p: &Params,
        dims: &Dims,
    ) -> Result<Hierarchical, ConfigError> {
        ConfigError::require(!operators.is_empty(), NAME, "levels", "at least 1", 0)?;
        let mut dims = dims.clone();
        let mut stages = Vec::with_capacity(operators.len());
        let mut widths = Vec::with_capacity(operators.len() + 1);
        for (l, operator) in operators.iter().enumerate() {
            let layers = if l == 0 { self.pre } else { self.post };
            let stack = self.stack((layers.saturating_sub(operator.depth), l), Ending::Whole, p, &dims)?;
            let inside = dims.with_features(stack.out_features());
            let pool = (operator.make)(&p.sub(format!("pool{l}")), &inside)?;
            dims = pool.coarsened(&inside);
            widths.push(match self.read {
                ReadAt::Convs => pool.embeds().unwrap_or(inside.features),
                ReadAt::Pools | ReadAt::Coarse => dims.features,
            });
            agreed(&stages, pool.as_ref())?;
            stages.push(Stage { stack, pool });
        }
        let last = match self.read {
            ReadAt::Convs | ReadAt::Coarse => {
                let layers = self.last.unwrap_or(self.post);
                let stack = self.stack((layers, operators.len()), self.ending, p, &dims)?;
                widths.push(stack.out_features());
                Some(stack)
            }
            ReadAt::Pools => None,
        };
        let readings = self.readings(&widths, p, &dims)?;
        Ok(Hierarchical { stages, last, read: self.read, readings, merge: self.merge })
    }

    fn stack(
        &self,
        (layers, level): (usize, usize),
        ending: Ending,
        p: &Params,
        dims: &Dims,
    ) -> Result<Stack, ConfigError> {
        let conv = self.coarse_conv.as_ref().filter(|_| level > 0).unwrap_or(&self.conv);
        let config = StackConfig {
            operator: NAME,
            conv,
            layers,
            hidden: self.hidden,
            last: None,
            activation: Activation::Relu,
            norm: self.norm,
            dropout: self.dropout,
            join: self.join,
            ending,
        };
        config.build(&p.sub(format!("convs{level}")), dims)
    }

    /// The readouts of every level that is read, `None` for those that are not.
    fn readings(
        &self,
        widths: &[i64],
        p: &Params,
        dims: &Dims,
    ) -> Result<Vec<Option<Readouts>>, ConfigError> {
        let even = widths.windows(2).all(|pair| pair[0] == pair[1]);
        let listed = format!("sum with levels of widths {widths:?}");
        let rule = "`concat` or `last` unless all levels have one width (`join` is `last`)";
        ConfigError::require(even || self.merge != Merge::Sum, NAME, "merge", rule, listed)?;
        let reading = |(l, &width): (usize, &i64)| {
            if self.merge == Merge::Last && l + 1 < widths.len() {
                return Ok(None);
            }
            let p = p.sub(format!("readout{l}"));
            Readouts::new(NAME, &self.readout, &p, &dims.with_features(width)).map(Some)
        };
        widths.iter().enumerate().map(reading).collect()
    }
}

/// Operators whose losses train apart do so in the same epochs.
fn agreed(stages: &[Stage], pool: &dyn Pool) -> Result<(), ConfigError> {
    let earlier = stages.iter().find_map(|stage| stage.pool.apart());
    let (Some(earlier), Some(own)) = (earlier, pool.apart()) else { return Ok(()) };
    let rule = format!("operators that train apart in one way, the first being {earlier:?}");
    ConfigError::require(earlier == own, NAME, "pools", &rule, format!("{own:?}"))
}

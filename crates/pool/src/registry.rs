//! The operators by name: [`POOLS`], and how a configuration becomes an operator.

use std::fmt;

use coarsen_nn::{Config, ConfigError, Dims, Params, by_kind, describe, parse};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::pool::Pool;
use crate::random::{Control, Controlled};
use crate::steps::{Preset, Steps};
use crate::{
    asap, diffpool, diffpool_det, ego, g_pool, gmn, graclus, identity, kron, mincut, sagpool, structpool,
    top_k,
};

/// What permuting the nodes of its input does to an operator, and which laws it is known to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariance {
    /// The pooled graph is the same up to the order of its nodes.
    Exact,
    /// The same, unless two nodes have equal scores: then the lower index wins.
    UpToTies,
    /// The result is one of a family, picked by a seed and the order of the nodes.
    Seeded,
    /// The named laws do not hold: `padding`, `batch`, `permutation`.
    Broken(&'static [&'static str]),
}

impl fmt::Display for Invariance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::UpToTies => f.write_str("up to ties"),
            Self::Seeded => f.write_str("seeded"),
            Self::Broken(laws) => write!(f, "breaks {}", laws.join(", ")),
        }
    }
}

/// An operator, or why its configuration is refused.
pub type Made = Result<Box<dyn Pool>, ConfigError>;

/// One row of [`POOLS`].
#[derive(Debug, Clone, Copy)]
pub struct PoolSpec {
    /// The value of `kind` in a configuration.
    pub name: &'static str,
    /// Where the operator was published.
    pub paper: &'static str,
    /// What it guarantees.
    pub invariance: Invariance,
    /// What it does in each step.
    pub steps: Steps,
    /// Time and memory, from a sparse level.
    pub cost: &'static str,
    /// Configurations beside the default that somebody published.
    pub presets: &'static [Preset],
    /// A complete configuration: every field at its default.
    pub example: fn() -> Value,
    /// How many convolutions the features a configured operator pools have gone through inside it: the layers of `GNN_embed`.
    pub depth: fn(&Value) -> Result<usize, ConfigError>,
    /// Makes the operator of a configuration; keys it does not know are refused.
    pub build: fn(&Value, &Params, &Dims) -> Made,
}

impl PoolSpec {
    /// The row of an operator whose configuration is a [`Config`], without convolutions of its own.
    pub const fn of<C>(paper: &'static str, invariance: Invariance, steps: Steps, cost: &'static str) -> Self
    where
        C: Config,
        C::Module: Pool + 'static,
    {
        Self {
            name: C::NAME,
            paper,
            invariance,
            steps,
            cost,
            presets: &[],
            example: || describe(&C::default()),
            depth: |_| Ok(0),
            build: build::<C>,
        }
    }

    /// The same row with published configurations.
    #[must_use]
    pub const fn with_presets(self, presets: &'static [Preset]) -> Self {
        Self { presets, ..self }
    }
}

fn build<C>(config: &Value, p: &Params, dims: &Dims) -> Made
where
    C: Config,
    C::Module: Pool + 'static,
{
    dims.check(C::NAME)?;
    Ok(Box::new(parse::<C>(config)?.init(p, dims)))
}

/// Every operator, in the order of their names.
pub static POOLS: &[PoolSpec] = &[
    asap::SPEC,
    graclus::COMPLEMENT,
    diffpool::SPEC,
    diffpool_det::SPEC,
    diffpool::PYG,
    ego::SPEC,
    g_pool::SPEC,
    gmn::SPEC,
    graclus::SPEC,
    identity::SPEC,
    kron::SPEC,
    gmn::PYG,
    mincut::SPEC,
    sagpool::SPEC,
    structpool::SPEC,
    top_k::SPEC,
];

const WHAT: &str = "pooling operator";

/// The row called `name`.
///
/// # Errors
///
/// [`ConfigError::Unknown`], which lists the known names.
pub fn find(name: &str) -> Result<&'static PoolSpec, ConfigError> {
    by_kind(WHAT, POOLS, |spec| spec.name, &json!({"kind": name}))
}

/// Makes the operator of `{"kind": NAME, …}`; with `"control"`, its [random control](crate::random).
///
/// # Errors
///
/// When `kind` is missing or unknown, a key is unknown, a value breaks its rule, or the operator has no score that a control
/// could replace.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Dims, Params};
/// use serde_json::json;
/// use tch::{Device, nn::VarStore};
///
/// let store = VarStore::new(Device::Cpu);
/// let (p, dims) = (Params::new(&store.root(), 1), Dims::new(8, 8).with_sizes([5, 9]));
/// let config = json!({"kind": "top-k", "keep": {"ratio": 0.8}, "control": "normal"});
/// let pool = coarsen_pool::pool(&config, &p, &dims)?;
/// assert_eq!(&*pool.coarsened(&dims).sizes, &[4, 8]);
///
/// let error = coarsen_pool::pool(&json!({"kind": "top-q"}), &p, &dims).unwrap_err().to_string();
/// assert!(error.starts_with("unknown pooling operator `top-q`; known are asap, complement, "));
/// # Ok::<(), coarsen_nn::ConfigError>(())
/// ```
pub fn pool(config: &Value, p: &Params, dims: &Dims) -> Made {
    let (spec, control, fields) = read(config)?;
    let inner = (spec.build)(&fields, p, dims)?;
    match control {
        None => Ok(inner),
        Some(control) => Ok(Box::new(Controlled::new(control, spec.name, inner, p, dims)?)),
    }
}

/// What the operator of a configuration guarantees, its control taken into account.
///
/// # Errors
///
/// When `kind` is missing or unknown, or `control` unknown.
pub fn invariance(config: &Value) -> Result<Invariance, ConfigError> {
    let (spec, control, _) = read(config)?;
    Ok(control.map_or(spec.invariance, |control| control.invariance(spec.invariance)))
}

/// How many convolutions the features that a configured operator pools have gone through inside it; see [`PoolSpec::depth`].
///
/// # Errors
///
/// As [`pool`], for what does not depend on the data.
pub fn depth(config: &Value) -> Result<usize, ConfigError> {
    let (spec, _, fields) = read(config)?;
    (spec.depth)(&fields)
}

/// The row, the control and the operator's own part of a configuration.
fn read(config: &Value) -> Result<(&'static PoolSpec, Option<Control>, Value), ConfigError> {
    let spec = by_kind(WHAT, POOLS, |spec| spec.name, config)?;
    let mut fields = config.clone();
    let control = fields.as_object_mut().and_then(|fields| fields.remove("control"));
    Ok((spec, control.map(|control| control_of(spec, control)).transpose()?, fields))
}

fn control_of(spec: &PoolSpec, control: Value) -> Result<Control, ConfigError> {
    serde_json::from_value(control).map_err(|source| ConfigError::Parse { operator: spec.name, source })
}

/// Reads the fields of a configuration whose module is made of other modules, so that making it can fail.
///
/// It is [`parse`] for what is no [`Config`]: `kind` may stand there, other unknown keys are refused by the type.
///
/// # Errors
///
/// [`ConfigError::Parse`], which names the key.
pub fn fields<T: DeserializeOwned>(operator: &'static str, config: &Value) -> Result<T, ConfigError> {
    let mut fields = config.clone();
    if let Value::Object(fields) = &mut fields {
        fields.remove("kind");
    }
    serde_json::from_value(fields).map_err(|source| ConfigError::Parse { operator, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, nn::VarStore};

    fn make(config: &Value) -> Result<Box<dyn Pool>, ConfigError> {
        let store = VarStore::new(Device::Cpu);
        pool(config, &Params::new(&store.root(), 0), &Dims::new(3, 3).with_sizes([4, 9]))
    }

    fn refusal(config: &Value) -> String {
        make(config).expect_err("refused").to_string()
    }

    #[test]
    fn rows_are_in_the_order_of_their_names() {
        assert!(POOLS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn every_example_is_complete_and_accepted() {
        for spec in POOLS {
            let example = (spec.example)();
            assert_eq!(example["kind"], spec.name);
            make(&example).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
            make(&json!({"kind": spec.name})).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
        }
    }

    #[test]
    fn every_preset_is_accepted_and_is_not_the_default() {
        for spec in POOLS {
            let example = (spec.example)();
            for preset in spec.presets {
                let config = preset.config(spec.name);
                make(&config).unwrap_or_else(|e| panic!("{}, {}: {e}", spec.name, preset.name));
                let fields = config.as_object().expect("fields");
                let same = fields.iter().all(|(key, value)| &example[key] == value);
                assert!(!same, "{}, {}: nothing differs from the default", spec.name, preset.name);
            }
        }
    }

    #[test]
    fn a_mistyped_key_is_refused_by_name() {
        for spec in POOLS {
            let message = refusal(&json!({"kind": spec.name, "raito": 0.5}));
            assert!(message.starts_with(&format!("{}: unknown field `raito`", spec.name)), "{message}");
        }
    }

    #[test]
    fn a_missing_kind_lists_the_known_ones() {
        let message = refusal(&json!({"keep": {"ratio": 0.5}}));
        assert!(
            message.contains("graclus, identity, kron, mem-pool, mincut, sagpool, struct-pool, top-k"),
            "{message}"
        );
    }

    #[test]
    fn a_control_needs_a_score() {
        assert_eq!(
            refusal(&json!({"kind": "graclus", "control": "normal"})),
            "graclus: `control` must be absent, since the operator scores nothing that could be drawn at random; \
             it already draws its matching from a seed or takes one from the host, got normal"
        );
        assert!(refusal(&json!({"kind": "top-k", "control": "gauss"})).contains("`gauss`"));
    }

    #[test]
    fn a_control_by_position_is_seeded_and_by_features_is_as_its_operator() {
        let of = |kind: &str, control: &str| invariance(&json!({"kind": kind, "control": control})).unwrap();
        assert_eq!(of("diffpool", "normal"), Invariance::Seeded);
        assert_eq!(of("diffpool", "invariant"), Invariance::Exact);
        assert_eq!(of("top-k", "invariant"), Invariance::UpToTies);
        assert_eq!(invariance(&json!({"kind": "graclus"})).unwrap(), Invariance::Seeded);
    }
}

//! Configurations: checked, serialisable descriptions of modules.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dims::Dims;
use crate::error::ConfigError;
use crate::params::Params;

/// A checked, serialisable description of a module: the only way to make one.
///
/// A configuration is a plain serde struct with public fields, a `Default` that is the usual choice, and
/// `#[serde(default, deny_unknown_fields)]`, so that a mistyped hyper-parameter is an error.
pub trait Config: Serialize + DeserializeOwned + Default {
    /// What it describes.
    type Module: Send;
    /// The operator's name in its registry and in messages.
    const NAME: &'static str;

    /// Checks every value against its rule.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] naming the operator, the field, the rule and the value.
    fn check(&self) -> Result<(), ConfigError>;

    /// Makes the module. The configuration must have passed [`check`](Self::check).
    fn init(&self, p: &Params, dims: &Dims) -> Self::Module;
}

/// Reads and checks a configuration `{"kind": NAME, …}`; `kind` may be absent.
///
/// # Errors
///
/// [`ConfigError::Parse`] on an unknown key (the message names it) or a value of the wrong type, [`ConfigError::Value`] where
/// `kind` names another operator, and what [`Config::check`] says.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{conv::GcnConfig, parse};
/// use serde_json::json;
///
/// assert!(parse::<GcnConfig>(&json!({"kind": "gcn", "improved": true}))?.improved);
/// let message = parse::<GcnConfig>(&json!({"kind": "gcn", "imporved": true})).unwrap_err().to_string();
/// assert!(message.starts_with("gcn: unknown field `imporved`"));
/// let message = parse::<GcnConfig>(&json!({"kind": "gin"})).unwrap_err().to_string();
/// assert_eq!(message, r#"gcn: `kind` must be "gcn", got "gin""#);
/// # Ok::<(), coarsen_nn::ConfigError>(())
/// ```
pub fn parse<C: Config>(config: &Value) -> Result<C, ConfigError> {
    let mut fields = config.clone();
    if let Some(kind) = fields.as_object_mut().and_then(|fields| fields.remove("kind")) {
        ConfigError::require(kind == C::NAME, C::NAME, "kind", &format!("\"{}\"", C::NAME), kind)?;
    }
    let config: C =
        serde_json::from_value(fields).map_err(|source| ConfigError::Parse { operator: C::NAME, source })?;
    config.check()?;
    Ok(config)
}

/// Writes a configuration as `{"kind": NAME, …}` with every field: what [`parse`] reads.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{conv::GcnConfig, describe, parse};
/// let config = GcnConfig::default();
/// assert_eq!(describe(&config)["kind"], "gcn");
/// assert_eq!(parse::<GcnConfig>(&describe(&config))?, config);
/// # Ok::<(), coarsen_nn::ConfigError>(())
/// ```
///
/// # Panics
///
/// If the configuration does not serialise to a JSON object: a fault of its type.
pub fn describe<C: Config>(config: &C) -> Value {
    let mut fields =
        serde_json::to_value(config).unwrap_or_else(|error| panic!("configuration of {}: {error}", C::NAME));
    match &mut fields {
        Value::Object(fields) => fields.insert("kind".to_owned(), C::NAME.into()),
        other => panic!("configuration of {}: not an object but {other}", C::NAME),
    };
    fields
}

/// Which PyG a layer follows where its meaning changed between versions (1.4 to 1.5).
///
/// AdamGNN pins 1.4.2 and *Rethinking pooling* 1.4.3, so their presets need the old meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Semantics {
    /// PyG 1.5 and later.
    #[default]
    Modern,
    /// PyG 1.4.2 and 1.4.3.
    Legacy14,
}

//! Laws of configurations.

use std::fmt::Debug;

use coarsen_nn::{Config, ConfigError, Dims, Params, describe, parse};
use serde_json::Value;
use tch::{Device, Tensor, nn::VarStore};

use crate::case::{FEATURES, OUTPUTS};
use crate::compare::require;
use crate::error::Broken;

/// Makes an operator of a configuration; what it is does not matter here.
pub type Build<'a, M> = dyn Fn(&Value, &Params, &Dims) -> Result<Box<M>, ConfigError> + 'a;

/// A key that no configuration has.
const UNHEARD_OF: &str = "unheard_of";

/// Holds the configuration of a registry's row to [`round_trips`] and [`unknown_key_refused`].
///
/// # Errors
///
/// The first law that does not hold.
pub fn check<M: ?Sized>(name: &str, example: &Value, build: &Build<M>) -> Result<(), Broken> {
    round_trips(name, example, build)?;
    unknown_key_refused(example, build)
}

/// The example is complete: it names its row, survives being written and read, and makes the operator that `{"kind": name}`
/// makes, parameter by parameter.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the configuration.
pub fn round_trips<M: ?Sized>(name: &str, example: &Value, build: &Build<M>) -> Result<(), Broken> {
    let broken = |how: String| Broken::in_setting("config_round_trips", how, example.to_string());
    require(example["kind"] == name, || format!("the example is of kind {} and not {name}", example["kind"]))
        .map_err(broken)?;
    let read: Value = serde_json::from_str(&example.to_string()).map_err(|e| broken(e.to_string()))?;
    require(&read == example, || format!("it reads as {read}")).map_err(broken)?;
    let made =
        |config: &Value| parameters(config, build).map_err(|e| broken(format!("{config} is refused: {e}")));
    let (whole, bare) = (made(&read)?, made(&serde_json::json!({"kind": name}))?);
    let names = |list: &[(String, Tensor)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    require(names(&whole) == names(&bare), || {
        format!("{:?} and by default {:?}", names(&whole), names(&bare))
    })
    .map_err(broken)?;
    let differ = whole.iter().zip(&bare).find(|((_, a), (_, b))| a.size() != b.size() || !a.equal(b));
    require(differ.is_none(), || format!("parameter {:?} is another by default", differ.map(|(a, _)| &a.0)))
        .map_err(broken)
}

/// A key that is not known is refused, in every object of the configuration; at the top the message names it.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the configuration that was taken.
pub fn unknown_key_refused<M: ?Sized>(example: &Value, build: &Build<M>) -> Result<(), Broken> {
    for place in objects(example, "") {
        let mut config = example.clone();
        if let Some(object) = config.pointer_mut(&place) {
            object[UNHEARD_OF] = 1.into();
        }
        let broken = |how: String| Broken::in_setting("unknown_key_refused", how, config.to_string());
        match parameters(&config, build) {
            Ok(_) => return Err(broken(format!("the unknown key in {place:?} is taken"))),
            Err(error) => {
                let named = !place.is_empty() || error.to_string().contains(UNHEARD_OF);
                require(named, || format!("the message does not name the key: {error}")).map_err(broken)?;
            }
        }
    }
    Ok(())
}

/// A configuration reads as what it was written as.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the configuration.
///
/// # Examples
///
/// ```
/// use coarsen_nn::conv::GcnConfig;
/// coarsen_laws::config::reads_as_written(&GcnConfig { improved: true, ..GcnConfig::default() })?;
/// # Ok::<(), coarsen_laws::Broken>(())
/// ```
pub fn reads_as_written<C: Config + PartialEq + Debug>(config: &C) -> Result<(), Broken> {
    let written = describe(config);
    let broken = |how: String| Broken::in_setting("config_round_trips", how, written.to_string());
    let read: C = parse(&written).map_err(|error| broken(error.to_string()))?;
    require(&read == config, || format!("{config:?} reads as {read:?}")).map_err(broken)
}

/// The parameters of the operator that a configuration makes, by name.
fn parameters<M: ?Sized>(config: &Value, build: &Build<M>) -> Result<Vec<(String, Tensor)>, ConfigError> {
    let store = VarStore::new(Device::Cpu);
    build(config, &Params::new(&store.root(), 1), &Dims::new(FEATURES, OUTPUTS).with_sizes([5, 9]))?;
    let mut named: Vec<_> = store.variables().into_iter().collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(named)
}

/// JSON pointers to every object of a value.
fn objects(value: &Value, here: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let inside = fields.iter().flat_map(|(key, value)| objects(value, &format!("{here}/{key}")));
            std::iter::once(here.to_owned()).chain(inside).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, item)| objects(item, &format!("{here}/{i}"))).collect()
        }
        _ => Vec::new(),
    }
}

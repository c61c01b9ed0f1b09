//! Wrong configurations.

use coarsen_laws::config;
use coarsen_nn::{ConfigError, Conv, Dims, Params, conv, conv::GcnConfig};
use serde_json::{Value, json};

use crate::{caught, obeys};

type Made = Result<Box<dyn Conv>, ConfigError>;

fn example() -> Value {
    json!({"kind": "gcn", "improved": false, "loops": "fill", "degree_floor": 0.0, "bias": true})
}

/// Takes what it knows and drops the rest.
fn lenient(config: &Value, p: &Params, dims: &Dims) -> Made {
    let mut known = config.clone();
    if let Some(fields) = known.as_object_mut() {
        fields.remove("unheard_of");
    }
    conv(&known, p, dims)
}

/// Refuses without saying what.
fn mute(config: &Value, p: &Params, dims: &Dims) -> Made {
    conv(config, p, dims).map_err(|_| ConfigError::value("gcn", "config", "right", "something wrong"))
}

/// Reads the inside of nested objects without looking.
fn shallow(config: &Value, p: &Params, dims: &Dims) -> Made {
    let mut known = config.clone();
    if let Some(fields) = known.as_object_mut() {
        fields.remove("nested");
    }
    conv(&known, p, dims)
}

#[test]
fn a_strict_row_obeys() {
    obeys(config::check("gcn", &example(), &conv));
    obeys(config::reads_as_written(&GcnConfig { improved: true, bias: false, ..GcnConfig::default() }));
}

#[test]
fn keys_that_are_not_known_must_be_refused_by_name() {
    caught(config::check("gcn", &example(), &lenient), "unknown_key_refused");
    caught(config::check("gcn", &example(), &mute), "unknown_key_refused");
    let mut nested = example();
    nested["nested"] = json!([{"inside": 1}]);
    caught(config::check("gcn", &nested, &shallow), "unknown_key_refused");
}

#[test]
fn an_example_must_be_that_of_its_row_and_complete() {
    caught(config::check("gin", &example(), &conv), "config_round_trips");
    let mut other = example();
    other["bias"] = json!(false);
    caught(config::check("gcn", &other, &conv), "config_round_trips");
    let mut mistyped = example();
    mistyped["improved"] = json!(1);
    caught(config::check("gcn", &mistyped, &conv), "config_round_trips");
}

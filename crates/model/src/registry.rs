//! The networks by name: [`MODELS`], and how a configuration becomes a network.

use coarsen_nn::{ConfigError, Dims, Params, by_kind};
use coarsen_pool::Invariance;
use serde_json::Value;

use crate::model::Model;
use crate::{
    adamgnn, dgcnn, diffpool_official, flat, g_unet_official, gin, graph_unet, hierarchical, patchy_san,
    three_wl,
};

/// A network, or why its configuration is refused.
pub type Made = Result<Box<dyn Model>, ConfigError>;

/// One row of [`MODELS`].
#[derive(Debug, Clone, Copy)]
pub struct ModelSpec {
    /// The value of `kind` in a configuration.
    pub name: &'static str,
    /// Where the network was published.
    pub paper: &'static str,
    /// What it guarantees; of `hierarchical`, beside what its operators do.
    pub invariance: Invariance,
    /// A complete configuration: every field at its default.
    pub example: fn() -> Value,
    /// Makes the network of a configuration; keys it does not know are refused.
    pub build: fn(&Value, &Params, &Dims) -> Made,
}

/// Every network, in the order of their names.
pub static MODELS: &[ModelSpec] = &[
    adamgnn::SPEC,
    adamgnn::OFFICIAL,
    dgcnn::SPEC,
    diffpool_official::SPEC,
    flat::SPEC,
    g_unet_official::SPEC,
    gin::SPEC,
    graph_unet::SPEC,
    hierarchical::SPEC,
    patchy_san::SPEC,
    three_wl::SPEC,
];

/// Makes the network of `{"kind": NAME, …}`.
///
/// `dims.features` is the width of the node features, `dims.outputs` that of the task's predictions (used by networks with a head
/// of their own), `dims.sizes` the sizes of the graphs of the data set.
///
/// # Errors
///
/// When `kind` is missing or unknown, a key is unknown, or a value breaks its rule, in the network or in a module it is made of.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Dims, Params};
/// use serde_json::json;
/// use tch::{Device, nn::VarStore};
///
/// let store = VarStore::new(Device::Cpu);
/// let (p, dims) = (Params::new(&store.root(), 1), Dims::new(8, 2).with_sizes([5, 9]));
/// let config = json!({"kind": "hierarchical", "pool": {"kind": "diffpool", "ratio": 0.1}, "levels": 2});
/// let model = coarsen_model::model(&config, &p, &dims)?;
/// assert!(model.needs().plans.is_empty());
///
/// let error = coarsen_model::model(&serde_json::json!({"kind": "flart"}), &p, &dims).unwrap_err();
/// assert!(error.to_string().starts_with("unknown model `flart`; known are adamgnn, "));
/// # Ok::<(), coarsen_nn::ConfigError>(())
/// ```
pub fn model(config: &Value, p: &Params, dims: &Dims) -> Made {
    let spec = by_kind("model", MODELS, |spec| spec.name, config)?;
    dims.check(spec.name)?;
    (spec.build)(config, p, dims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tch::{Device, nn::VarStore};

    fn make(config: &Value) -> Result<Box<dyn Model>, ConfigError> {
        let store = VarStore::new(Device::Cpu);
        model(config, &Params::new(&store.root(), 0), &Dims::new(3, 2).with_sizes([4, 9]))
    }

    #[test]
    fn rows_are_in_the_order_of_their_names() {
        assert!(MODELS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn every_example_is_complete_and_accepted() {
        for spec in MODELS {
            let example = (spec.example)();
            assert_eq!(example["kind"], spec.name);
            make(&example).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
            make(&json!({"kind": spec.name})).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
        }
    }

    #[test]
    fn a_mistyped_key_is_refused_by_name() {
        for spec in MODELS {
            let message = make(&json!({"kind": spec.name, "hiden": 5})).expect_err("refused").to_string();
            assert!(message.starts_with(&format!("{}: unknown field `hiden`", spec.name)), "{message}");
        }
    }

    #[test]
    fn the_number_of_graph_features_is_checked_at_the_door() {
        let store = VarStore::new(Device::Cpu);
        let p = Params::new(&store.root(), 0);
        let message = model(&json!({"kind": "gin"}), &p, &Dims::new(0, 2)).expect_err("refused").to_string();
        assert_eq!(message, "gin: `features` must be at least 1, got 0");
    }
}

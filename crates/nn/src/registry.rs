//! The convolutions and readouts by name.

use std::fmt;

use serde_json::Value;

use crate::config::{Config, describe, parse};
use crate::conv::{
    Conv, DgcnnConfig, EccConfig, GatConfig, GcnConfig, GinConfig, GraphConvConfig, LeConvConfig, RawConfig,
    S2vConfig, S2vLoopyConfig, SageConfig, SageLstmConfig, SageMaxConfig,
};
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::params::Params;
use crate::readout::{
    MaxConfig, MeanConfig, Readout, Set2SetConfig, Set2SetOfficialConfig, SortConfig, SumConfig,
};

/// Makes a layer from a configuration, its parameters, and the widths around it.
pub type Build<Layer> = fn(&Value, &Params, &Dims) -> Result<Box<Layer>, ConfigError>;

/// A row of [`CONVS`].
#[derive(Clone, Copy)]
pub struct ConvSpec {
    /// The value of `kind` in a configuration.
    pub name: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// A complete configuration: the default one.
    pub example: fn() -> Value,
    /// Makes the layer from a configuration; `dims.outputs` is its output width.
    pub build: Build<dyn Conv>,
}

/// A row of [`READOUTS`].
#[derive(Clone, Copy)]
pub struct ReadoutSpec {
    /// The value of `kind` in a configuration.
    pub name: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// A complete configuration: the default one.
    pub example: fn() -> Value,
    /// Makes the layer from a configuration; its output width follows from `dims.features`.
    pub build: Build<dyn Readout>,
}

/// The convolutions, by name.
pub static CONVS: &[ConvSpec] = &[
    ConvSpec {
        name: DgcnnConfig::NAME,
        paper: "Zhang, Cui, Neumann and Chen, An end-to-end deep learning architecture for graph classification, AAAI 2018",
        example: example::<DgcnnConfig>,
        build: build_conv::<DgcnnConfig>,
    },
    ConvSpec {
        name: EccConfig::NAME,
        paper: "Simonovsky and Komodakis, Dynamic edge-conditioned filters in convolutional neural networks on graphs, CVPR 2017",
        example: example::<EccConfig>,
        build: build_conv::<EccConfig>,
    },
    ConvSpec {
        name: GatConfig::NAME,
        paper: "Veličković et al., Graph attention networks, ICLR 2018",
        example: example::<GatConfig>,
        build: build_conv::<GatConfig>,
    },
    ConvSpec {
        name: GcnConfig::NAME,
        paper: "Kipf and Welling, Semi-supervised classification with graph convolutional networks, ICLR 2017",
        example: example::<GcnConfig>,
        build: build_conv::<GcnConfig>,
    },
    ConvSpec {
        name: GinConfig::NAME,
        paper: "Xu, Hu, Leskovec and Jegelka, How powerful are graph neural networks?, ICLR 2019",
        example: example::<GinConfig>,
        build: build_conv::<GinConfig>,
    },
    ConvSpec {
        name: GraphConvConfig::NAME,
        paper: "Morris et al., Weisfeiler and Leman go neural: higher-order graph neural networks, AAAI 2019",
        example: example::<GraphConvConfig>,
        build: build_conv::<GraphConvConfig>,
    },
    ConvSpec {
        name: LeConvConfig::NAME,
        paper: "Ranjan, Sanyal and Talukdar, ASAP: adaptive structure aware pooling, AAAI 2020",
        example: example::<LeConvConfig>,
        build: build_conv::<LeConvConfig>,
    },
    ConvSpec {
        name: RawConfig::NAME,
        paper: "the code of Ying et al., Hierarchical graph representation learning with differentiable pooling, NeurIPS 2018",
        example: example::<RawConfig>,
        build: build_conv::<RawConfig>,
    },
    ConvSpec {
        name: S2vConfig::NAME,
        paper: "Dai, Dai and Song, Discriminative embeddings of latent variable models for structured data, ICML 2016",
        example: example::<S2vConfig>,
        build: build_conv::<S2vConfig>,
    },
    ConvSpec {
        name: S2vLoopyConfig::NAME,
        paper: "Dai, Dai and Song, Discriminative embeddings of latent variable models for structured data, ICML 2016",
        example: example::<S2vLoopyConfig>,
        build: build_conv::<S2vLoopyConfig>,
    },
    ConvSpec {
        name: SageConfig::NAME,
        paper: "Hamilton, Ying and Leskovec, Inductive representation learning on large graphs, NIPS 2017",
        example: example::<SageConfig>,
        build: build_conv::<SageConfig>,
    },
    ConvSpec {
        name: SageLstmConfig::NAME,
        paper: "Hamilton, Ying and Leskovec, Inductive representation learning on large graphs, NIPS 2017",
        example: example::<SageLstmConfig>,
        build: build_conv::<SageLstmConfig>,
    },
    ConvSpec {
        name: SageMaxConfig::NAME,
        paper: "Hamilton, Ying and Leskovec, Inductive representation learning on large graphs, NIPS 2017",
        example: example::<SageMaxConfig>,
        build: build_conv::<SageMaxConfig>,
    },
];

/// The readouts, by name.
pub static READOUTS: &[ReadoutSpec] = &[
    ReadoutSpec {
        name: MaxConfig::NAME,
        paper: "folklore",
        example: example::<MaxConfig>,
        build: build_readout::<MaxConfig>,
    },
    ReadoutSpec {
        name: MeanConfig::NAME,
        paper: "folklore",
        example: example::<MeanConfig>,
        build: build_readout::<MeanConfig>,
    },
    ReadoutSpec {
        name: Set2SetConfig::NAME,
        paper: "Vinyals, Bengio and Kudlur, Order matters: sequence to sequence for sets, ICLR 2016",
        example: example::<Set2SetConfig>,
        build: build_readout::<Set2SetConfig>,
    },
    ReadoutSpec {
        name: Set2SetOfficialConfig::NAME,
        paper: "the code of Ying et al., Hierarchical graph representation learning with differentiable pooling, NeurIPS 2018",
        example: example::<Set2SetOfficialConfig>,
        build: build_readout::<Set2SetOfficialConfig>,
    },
    ReadoutSpec {
        name: SortConfig::NAME,
        paper: "Zhang, Cui, Neumann and Chen, An end-to-end deep learning architecture for graph classification, AAAI 2018",
        example: example::<SortConfig>,
        build: build_readout::<SortConfig>,
    },
    ReadoutSpec {
        name: SumConfig::NAME,
        paper: "folklore",
        example: example::<SumConfig>,
        build: build_readout::<SumConfig>,
    },
];

/// Makes the convolution a configuration describes.
///
/// # Errors
///
/// [`ConfigError`]: no or an unknown `kind` (the message lists the known ones), an unknown key, a value outside its rule, or a
/// width of `dims` below 1.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Dims, Params, conv};
/// use serde_json::json;
/// use tch::{Device, nn::VarStore};
///
/// let store = VarStore::new(Device::Cpu);
/// let params = Params::new(&store.root(), 1).sub("conv0");
/// let layer = conv(&json!({"kind": "sage", "normalize": true}), &params, &Dims::new(7, 64))?;
/// assert_eq!(layer.out_features(), 64);
///
/// let message = conv(&json!({"kind": "gta"}), &params, &Dims::new(7, 64)).unwrap_err().to_string();
/// assert!(message.starts_with("unknown convolution `gta`; known are dgcnn, "));
/// # Ok::<(), coarsen_nn::ConfigError>(())
/// ```
pub fn conv(config: &Value, p: &Params, dims: &Dims) -> Result<Box<dyn Conv>, ConfigError> {
    (by_kind("convolution", CONVS, |spec| spec.name, config)?.build)(config, p, dims)
}

/// Makes the readout a configuration describes.
///
/// # Errors
///
/// As [`conv`].
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Dims, Params, readout};
/// use serde_json::json;
/// use tch::{Device, nn::VarStore};
///
/// let store = VarStore::new(Device::Cpu);
/// let layer = readout(&json!({"kind": "mean"}), &Params::new(&store.root(), 1), &Dims::new(64, 64))?;
/// assert_eq!(layer.out_features(), 64);
/// # Ok::<(), coarsen_nn::ConfigError>(())
/// ```
pub fn readout(config: &Value, p: &Params, dims: &Dims) -> Result<Box<dyn Readout>, ConfigError> {
    (by_kind("readout", READOUTS, |spec| spec.name, config)?.build)(config, p, dims)
}

/// The row of a registry that a configuration's `kind` names; `what` is the registry's noun in messages.
///
/// # Errors
///
/// [`ConfigError::Kind`] where `config` is no object with a text `kind`, [`ConfigError::Unknown`] where no row has that name.
pub fn by_kind<'s, Spec>(
    what: &'static str,
    specs: &'s [Spec],
    name: impl Fn(&Spec) -> &'static str,
    config: &Value,
) -> Result<&'s Spec, ConfigError> {
    let known = || specs.iter().map(&name).collect();
    let Some(kind) = config.get("kind").and_then(Value::as_str) else {
        return Err(ConfigError::Kind { what, known: known(), got: config.to_string() });
    };
    specs.iter().find(|spec| name(spec) == kind).ok_or_else(|| ConfigError::Unknown {
        what,
        name: kind.to_owned(),
        known: known(),
    })
}

fn example<C: Config>() -> Value {
    describe(&C::default())
}

fn build_conv<C>(config: &Value, p: &Params, dims: &Dims) -> Result<Box<dyn Conv>, ConfigError>
where
    C: Config,
    C::Module: Conv + 'static,
{
    let config: C = parse(config)?;
    dims.check(C::NAME)?;
    Ok(Box::new(config.init(p, dims)))
}

fn build_readout<C>(config: &Value, p: &Params, dims: &Dims) -> Result<Box<dyn Readout>, ConfigError>
where
    C: Config,
    C::Module: Readout + 'static,
{
    let config: C = parse(config)?;
    ConfigError::require(dims.features >= 1, C::NAME, "features", "at least 1", dims.features)?;
    Ok(Box::new(config.init(p, dims)))
}

impl fmt::Debug for ConvSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConvSpec")
            .field("name", &self.name)
            .field("paper", &self.paper)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ReadoutSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadoutSpec")
            .field("name", &self.name)
            .field("paper", &self.paper)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tch::{Device, nn::VarStore};

    fn message(config: &Value) -> String {
        let store = VarStore::new(Device::Cpu);
        conv(config, &Params::new(&store.root(), 0), &Dims::new(3, 2)).unwrap_err().to_string()
    }

    #[test]
    fn rows_stand_in_alphabetical_order() {
        assert!(CONVS.is_sorted_by(|a, b| a.name < b.name));
        assert!(READOUTS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn every_example_builds_and_names_its_row() {
        for spec in CONVS {
            let store = VarStore::new(Device::Cpu);
            let example = (spec.example)();
            assert_eq!(example["kind"], spec.name);
            let layer = conv(&example, &Params::new(&store.root(), 0), &Dims::new(3, 2)).unwrap();
            assert_eq!(layer.out_features(), 2);
            assert!(!store.is_empty());
        }
        for spec in READOUTS {
            let store = VarStore::new(Device::Cpu);
            let example = (spec.example)();
            assert_eq!(example["kind"], spec.name);
            let layer = readout(&example, &Params::new(&store.root(), 0), &Dims::new(3, 2)).unwrap();
            assert!(layer.out_features() > 0 && layer.out_features() % 3 == 0);
        }
    }

    #[test]
    fn faults_are_named() {
        let known = CONVS.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ");
        assert_eq!(message(&json!({"kind": "gnc"})), format!("unknown convolution `gnc`; known are {known}"));
        let no_kind =
            format!(r#"a convolution needs {{"kind": …}} with one of {known}, got {{"improved":true}}"#);
        assert_eq!(message(&json!({"improved": true})), no_kind);
        assert!(message(&json!("gcn")).contains(r#"got "gcn""#));
        assert!(
            message(&json!({"kind": "sage", "aggregate": 1})).starts_with("sage: unknown field `aggregate`")
        );
        assert!(message(&json!({"kind": "gcn", "loops": "some"})).contains("unknown variant `some`"));
        let floor = message(&json!({"kind": "gcn", "degree_floor": -1.0}));
        assert_eq!(floor, "gcn: `degree_floor` must be finite and at least 0, got -1");
        let layers = message(&json!({"kind": "gin", "layers": 0}));
        assert_eq!(layers, "gin: `layers` must be at least 1, got 0");
    }

    #[test]
    fn a_readout_refuses_keys_it_does_not_know() {
        let store = VarStore::new(Device::Cpu);
        let params = Params::new(&store.root(), 0);
        let refused = readout(&json!({"kind": "sum", "over": 1}), &params, &Dims::new(3, 3)).unwrap_err();
        assert!(refused.to_string().starts_with("sum: unknown field `over`"), "{refused}");
        let empty = readout(&json!({"kind": "sum"}), &params, &Dims::new(0, 3)).unwrap_err();
        assert_eq!(empty.to_string(), "sum: `features` must be at least 1, got 0");
    }
}

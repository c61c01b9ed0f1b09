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
    /// What it computes by default, as in its documentation.
    pub equation: &'static str,
    /// Time on a sparse level.
    pub time: &'static str,
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
    /// What it computes by default, as in its documentation.
    pub equation: &'static str,
    /// Time on a sparse level.
    pub time: &'static str,
    /// A complete configuration: the default one.
    pub example: fn() -> Value,
    /// Makes the layer from a configuration; its output width follows from `dims.features`.
    pub build: Build<dyn Readout>,
}

impl ConvSpec {
    /// The row of a configuration.
    pub const fn of<C>(paper: &'static str, equation: &'static str, time: &'static str) -> Self
    where
        C: Config,
        C::Module: Conv + 'static,
    {
        Self { name: C::NAME, paper, equation, time, example: example::<C>, build: build_conv::<C> }
    }
}

impl ReadoutSpec {
    /// The row of a configuration.
    pub const fn of<C>(paper: &'static str, equation: &'static str, time: &'static str) -> Self
    where
        C: Config,
        C::Module: Readout + 'static,
    {
        Self { name: C::NAME, paper, equation, time, example: example::<C>, build: build_readout::<C> }
    }
}

/// The convolutions, by name.
pub static CONVS: &[ConvSpec] = &[
    ConvSpec::of::<DgcnnConfig>(
        "Zhang, Cui, Neumann and Chen, An end-to-end deep learning architecture for graph classification, AAAI 2018",
        "`X' = D̃⁻¹ (Ã X W + b)`, `Ã = A + I`",
        "O(N · in · out + E · min(in, out))",
    ),
    ConvSpec::of::<EccConfig>(
        "Simonovsky and Komodakis, Dynamic edge-conditioned filters in convolutional neural networks on graphs, CVPR 2017",
        "`x'ᵢ = 1/|N(i)| Σⱼ Θ(eᵢⱼ) xⱼ + b`, `Θ` a network of `K` hidden units",
        "O(E · K · (D + in) + N · K · in · out)",
    ),
    ConvSpec::of::<GatConfig>(
        "Veličković et al., Graph attention networks, ICLR 2018",
        "`x'ᵢ = ‖ₕ Σⱼ αʰᵢⱼ Wʰ xⱼ + b`, `αʰᵢⱼ = softmaxⱼ leaky(⟨aʰ_dst, Wʰ xᵢ⟩ + ⟨aʰ_src, Wʰ xⱼ⟩)`",
        "O(N · in · H d + E · H d)",
    ),
    ConvSpec::of::<GcnConfig>(
        "Kipf and Welling, Semi-supervised classification with graph convolutional networks, ICLR 2017",
        "`X' = D̃^-½ Ã D̃^-½ X W + b`, `Ã` with self-loops",
        "O(N · in · out + E · min(in, out))",
    ),
    ConvSpec::of::<GinConfig>(
        "Xu, Hu, Leskovec and Jegelka, How powerful are graph neural networks?, ICLR 2019",
        "`x'ᵢ = MLP((1 + ε) xᵢ + Σⱼ wᵢⱼ xⱼ)`",
        "O(N · in · hidden + N · hidden · out + E · min(in, hidden))",
    ),
    ConvSpec::of::<GraphConvConfig>(
        "Morris et al., Weisfeiler and Leman go neural: higher-order graph neural networks, AAAI 2019",
        "`x'ᵢ = W₂ aggⱼ wᵢⱼ xⱼ + b + W₁ xᵢ`",
        "O(N · in · out + E · in)",
    ),
    ConvSpec::of::<LeConvConfig>(
        "Ranjan, Sanyal and Talukdar, ASAP: adaptive structure aware pooling, AAAI 2020",
        "`x'ᵢ = W₁ xᵢ + b₁ + Σⱼ wᵢⱼ (W₃ xⱼ + b₃ − W₂ xᵢ)`",
        "O(N · in · out + E · out)",
    ),
    ConvSpec::of::<RawConfig>(
        "the code of Ying et al., Hierarchical graph representation learning with differentiable pooling, NeurIPS 2018",
        "`X' = A X W + b`, rows divided by their norm",
        "O(N · in · out + E · min(in, out))",
    ),
    ConvSpec::of::<S2vConfig>(
        "Dai, Dai and Song, Discriminative embeddings of latent variable models for structured data, ICML 2016",
        "`μᵗᵢ = ReLU(W₁ xᵢ + b₁ + W₂ Σⱼ wᵢⱼ μᵗ⁻¹ⱼ + b₂)`, `t = 1 … T`",
        "O(N · (in + T · out) · out + T · E · out)",
    ),
    ConvSpec::of::<S2vLoopyConfig>(
        "Dai, Dai and Song, Discriminative embeddings of latent variable models for structured data, ICML 2016",
        "`νᵗ(j→i) = ReLU(W₁ xⱼ + b₁ + W₂ Σ_{k→j, k≠i} νᵗ⁻¹(k→j) + b₂)`, `μᵢ = ReLU(Σⱼ νᵀ(j→i))`",
        "O(N · in · out + T · E · out²)",
    ),
    ConvSpec::of::<SageConfig>(
        "Hamilton, Ying and Leskovec, Inductive representation learning on large graphs, NIPS 2017",
        "`x'ᵢ = W_l meanⱼ xⱼ + b + W_r xᵢ`",
        "O(N · in · out + E · min(in, out))",
    ),
    ConvSpec::of::<SageLstmConfig>(
        "Hamilton, Ying and Leskovec, Inductive representation learning on large graphs, NIPS 2017",
        "`x'ᵢ = W_l LSTM(x_π(1), …, x_π(d)) + b + W_r xᵢ`",
        "O(E · in² + N · in · out)",
    ),
    ConvSpec::of::<SageMaxConfig>(
        "Hamilton, Ying and Leskovec, Inductive representation learning on large graphs, NIPS 2017",
        "`x'ᵢ = W_l maxⱼ ReLU(W_p xⱼ + b_p) + b + W_r xᵢ`",
        "O(N · in · (in + out) + E · in)",
    ),
];

/// The readouts, by name.
pub static READOUTS: &[ReadoutSpec] = &[
    ReadoutSpec::of::<MaxConfig>("folklore", "largest value of each feature", "O(N · F)"),
    ReadoutSpec::of::<MeanConfig>("folklore", "mean of each feature", "O(N · F)"),
    ReadoutSpec::of::<Set2SetConfig>(
        "Vinyals, Bengio and Kudlur, Order matters: sequence to sequence for sets, ICLR 2016",
        "`q ← LSTM(q*)`, `aᵢ = softmaxᵢ ⟨xᵢ, q⟩`, `r = Σᵢ aᵢ xᵢ`, `q* = [q ‖ r]`, `T` times",
        "O(T · (N · F + B · F²))",
    ),
    ReadoutSpec::of::<Set2SetOfficialConfig>(
        "the code of Ying et al., Hierarchical graph representation learning with differentiable pooling, NeurIPS 2018",
        "`ReLU(W q* + b)` of a Set2Set with as many steps as the largest graph has nodes, over padded rows too",
        "O(B · N_max² · F + B · N_max · F²)",
    ),
    ReadoutSpec::of::<SortConfig>(
        "Zhang, Cui, Neumann and Chen, An end-to-end deep learning architecture for graph classification, AAAI 2018",
        "the first `k` nodes by falling last feature, one after the other",
        "O(N + B · k log k + B · k · F)",
    ),
    ReadoutSpec::of::<SumConfig>("folklore", "sum of each feature", "O(N · F)"),
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

//! PATCHY-SAN: an image's convolutions over receptive fields of a graph (Niepert et al. 2016).

use coarsen_nn::{Activation, ConfigError, Ctx, Dims, Linear, Params, dropout};
use coarsen_pool::{Invariance, PlanSpec, fields};
use coarsen_tensor::{Adjacency, FieldRule, Labelling, Layout, Level, fields::planned};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use crate::model::{Model, Needs, Output, Trace};
use crate::registry::ModelSpec;

/// The row of [`MODELS`](crate::MODELS).
pub const SPEC: ModelSpec = ModelSpec {
    name: NAME,
    paper: "Niepert et al. 2016",
    invariance: Invariance::Seeded,
    example: || {
        let mut example = json!(PatchySanConfig::default());
        example["kind"] = NAME.into();
        example
    },
    build: |config, p, dims| Ok(Box::new(fields::<PatchySanConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "patchy-san";

// Channels of the two convolutions, and the fields the second sees at once.
const FIRST: i64 = 16;
const SECOND: i64 = 8;
const WINDOW: i64 = 10;

/// Configuration of [`PatchySan`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PatchySanConfig {
    /// What ranks nodes.
    pub labelling: Labelling,
    /// `w`: how many receptive fields a graph has; by default the mean size of the graphs, to the nearest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<u32>,
    /// `s`: every so many nodes of the ranking have a field.
    pub stride: u32,
    /// `k`: how many nodes a field has.
    pub size: u32,
    /// What stands behind each convolution.
    pub activation: Activation,
    /// Width of the hidden layer of the head.
    pub dense: i64,
    /// Probability of dropping a feature of that layer.
    pub dropout: f64,
}

impl Default for PatchySanConfig {
    fn default() -> Self {
        Self {
            labelling: Labelling::default(),
            fields: None,
            stride: 1,
            size: 10,
            activation: Activation::Relu,
            dense: 128,
            dropout: 0.5,
        }
    }
}

impl PatchySanConfig {
    /// Makes the network.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule, or neither `fields` nor the sizes of the graphs are known.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<PatchySan, ConfigError> {
        let known = self.fields.is_some() || dims.max_nodes() > 0;
        ConfigError::require(known, NAME, "fields", "given where no graph sizes are known", "none")?;
        let fields = self.fields.unwrap_or_else(|| dims.mean_nodes().round().max(1.0) as u32);
        ConfigError::require(fields >= 1, NAME, "fields", "at least 1", fields)?;
        ConfigError::require(self.stride >= 1, NAME, "stride", "at least 1", self.stride)?;
        ConfigError::require(self.size >= 1, NAME, "size", "at least 1", self.size)?;
        ConfigError::require(self.dense >= 1, NAME, "dense", "at least 1", self.dense)?;
        let drops = (0.0..1.0).contains(&self.dropout);
        ConfigError::require(drops, NAME, "dropout", "in [0, 1)", self.dropout)?;

        let (w, k) = (i64::from(fields), i64::from(self.size));
        let window = w.min(WINDOW);
        let (first, second) = (p.sub("first"), p.sub("second"));
        Ok(PatchySan {
            rule: FieldRule { labelling: self.labelling, fields, stride: self.stride, size: self.size },
            first: first.fan_in("weight", &[FIRST, dims.features, k], dims.features * k),
            first_bias: first.fan_in("bias", &[FIRST], dims.features * k),
            second: second.fan_in("weight", &[SECOND, FIRST, window], FIRST * window),
            second_bias: second.fan_in("bias", &[SECOND], FIRST * window),
            activation: self.activation,
            hidden: Linear::new(&p.sub("hidden"), SECOND * (w - window + 1), self.dense),
            out: Linear::new(&p.sub("out"), self.dense, dims.outputs),
            dropout: self.dropout,
        })
    }
}

/// `w` receptive fields of `k` nodes ([`planned`]) make a sequence `[w · k, F]`, zeros where a place is empty;
/// over it a convolution of 16 channels that reads a field at a time, one of 8 channels over 10 fields (`w` where there are
/// fewer), a linear layer of 128 with ReLU, dropout and the logits.
///
/// The fields are made on the host, ahead of the network where the loader can ([`PlanSpec::Fields`]). Parameters `first.weight`
/// (`[16, F, k]`), `second.weight` (`[8, 16, 10]`), `hidden.weight`, `out.weight` and a bias each, as PyTorch starts them.
///
/// # Shapes
///
/// A batch of `B` graphs → logits `[B, outputs]`.
///
/// # Complexity
///
/// On the host betweenness takes O(N E) of each graph; then time O(B · w · k · F) and `B · w · k` rows of memory.
///
/// # Ties
///
/// Nodes that label and 1-WL colours do not tell apart are taken by their index. Where such nodes have other features, or are not alike after
/// all (1-WL does not see everything), renumbering changes the answer; hence [`Seeded`](Invariance::Seeded), though nothing is drawn.
///
/// # Paper and code
///
/// The authors' code is not released. The paper breaks ties by nauty's canonical form and ranks by several labellings, an unofficial
/// implementation by betweenness; the same has no activation behind the convolutions (`"activation": "identity"`), where the paper has ReLU.
/// Receptive fields of edge attributes, which the paper allows, are not made. Both train with RMSProp.
#[derive(Debug)]
pub struct PatchySan {
    rule: FieldRule,
    first: Tensor,
    first_bias: Tensor,
    second: Tensor,
    second_bias: Tensor,
    activation: Activation,
    hidden: Linear,
    out: Linear,
    dropout: f64,
}

impl PatchySan {
    /// The features of the fields, `[B · w · k, F]`.
    fn fields(&self, g: &Level) -> Tensor {
        match (g.plan.first(), &g.adj) {
            (Some(planned), _) => planned.s.reduce(&g.x),
            (None, Adjacency::Sparse(a)) => planned(a, self.rule).s.reduce(&g.x),
            (None, Adjacency::Dense(_)) => self.fields(&g.to_layout(Layout::Sparse)),
        }
    }
}

impl Model for PatchySan {
    fn divides(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs { plans: vec![PlanSpec::Fields(self.rule)], ..Needs::layout(Layout::Sparse) }
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let (w, k) = (i64::from(self.rule.fields), i64::from(self.rule.size));
        let sequence = self.fields(g).view([g.graphs(), w * k, g.features()]);
        let over = |x: &Tensor, weight, bias, stride: i64| {
            self.activation.apply(&x.conv1d(weight, Some(bias), stride, 0, 1, 1))
        };
        let each = over(&sequence.transpose(1, 2).contiguous(), &self.first, &self.first_bias, k);
        let several = over(&each, &self.second, &self.second_bias, 1);
        let hidden = self.hidden.activated(&several.flatten(1, -1), Activation::Relu);
        let logits = self.out.forward(&dropout(&hidden, self.dropout, ctx));
        let mut output = Output { logits: Some(logits), ..Output::default() };
        if ctx.trace {
            output.traces.push(Trace { name: "fields".to_owned(), value: sequence });
        }
        output
    }

    fn out_features(&self) -> i64 {
        self.out.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_sparse::Csr;
    use coarsen_tensor::{Pattern, Segments, Sparse};
    use std::sync::Arc;
    use tch::{Device, Kind, nn::VarStore, no_grad};

    /// A path 0 – 1 – 2 with features 1, 2, 4, and a single node with 8.
    fn path_and_point() -> Level {
        let csr = Csr::from_edges(4, 4, [(0, 1), (1, 0), (1, 2), (2, 1)]).expect("edges in range");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 3, 4]))));
        let adj = Adjacency::Sparse(Sparse::new(pattern, None, (Kind::Double, Device::Cpu)));
        Level::new(Tensor::from_slice(&[1.0, 2.0, 4.0, 8.0]).view([4, 1]), adj)
    }

    fn network(config: &PatchySanConfig) -> (VarStore, PatchySan) {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let dims = Dims::new(1, 1).with_sizes([3, 1]);
        let network = config.build(&Params::new(&store.root(), 0), &dims).expect("a network");
        (store, network)
    }

    #[test]
    fn a_network_of_ones_by_hand() {
        let config = PatchySanConfig { size: 2, dense: 1, ..PatchySanConfig::default() };
        let (store, network) = network(&config);
        for (name, mut value) in store.variables() {
            let _ = no_grad(|| value.fill_(if name.ends_with("bias") { 0.0 } else { 1.0 }));
        }
        // Two fields, since the mean size is 2: around the middle (2, 1), then around node 0 (1, 2); of the point (8, –).
        let sequence = network.fields(&path_and_point());
        let values = Vec::<f64>::try_from(sequence.view(-1)).expect("reals");
        assert_eq!(values, [2.0, 1.0, 1.0, 2.0, 8.0, 0.0, 0.0, 0.0]);
        // Each of 16 channels has the sum of a field, each of 8 those of both fields and all 16.
        let logits = network.forward(&path_and_point(), Ctx::eval()).logits.expect("logits");
        assert_eq!(Vec::<f64>::try_from(logits.view(-1)).expect("reals"), [768.0, 1024.0]);
    }

    #[test]
    fn a_plan_is_what_the_network_would_make() {
        let (_store, network) = network(&PatchySanConfig::default());
        let g = path_and_point();
        let Adjacency::Sparse(a) = &g.adj else { unreachable!("made so") };
        let planned = g.with_x(g.x.shallow_clone()).with_plan(vec![planned(a, network.rule)]);
        assert!(network.fields(&planned).equal(&network.fields(&g)));
        assert!(network.fields(&g.to_layout(Layout::Dense)).equal(&network.fields(&g)));
    }

    #[test]
    fn what_makes_no_field_is_refused() {
        let store = VarStore::new(Device::Cpu);
        let p = Params::new(&store.root(), 1);
        let refusal = |config: PatchySanConfig| config.build(&p, &Dims::new(3, 2)).unwrap_err().to_string();
        let unknown = refusal(PatchySanConfig::default());
        assert_eq!(unknown, "patchy-san: `fields` must be given where no graph sizes are known, got none");
        let none = PatchySanConfig { fields: Some(3), size: 0, ..PatchySanConfig::default() };
        assert_eq!(refusal(none), "patchy-san: `size` must be at least 1, got 0");
    }
}

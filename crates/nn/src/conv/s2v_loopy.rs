//! structure2vec with loopy belief propagation.

use coarsen_tensor::{Level, Sparse};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::s2v::check_fields;
use super::{Conv, on_edges};
use crate::activation::Activation;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;

/// The configuration of an [`S2vLoopy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S2vLoopyConfig {
    /// Number `T` of iterations after the first messages; at least 1.
    pub steps: u32,
    /// Width `d` of the messages, behind which an output layer then stands; `null` is the width of the output, without an output
    /// layer.
    pub hidden: Option<i64>,
}

impl Default for S2vLoopyConfig {
    fn default() -> Self {
        Self { steps: 4, hidden: None }
    }
}

/// structure2vec, loopy belief propagation: messages `νᵗ` on directed edges (Dai et al. 2016, algorithm 2).
///
/// `νᵗ(j→i) = ReLU(m(j→i) + W₂ Σ_{k→j, k≠i} νᵗ⁻¹(k→j) + b₂)` for `t = 1 … T`, with `m(j→i) = W₁ xⱼ + b₁ (+ Wₑ eᵢⱼ + bₑ)` and
/// `ν⁰ = ReLU(m)`. A node gets `μᵢ = ReLU(Σⱼ νᵀ(j→i))`; the output is `μ`, or `ReLU(Wₒ μ + bₒ)` with an output layer. Messages count by
/// the weight of their edge, which has a gradient; a self-loop is its own reverse. A level without attributes has no such term.
///
/// Parameters as [`S2v`](super::S2v): `node.*`, `conv.*`, with edge attributes `edge.*`, with an output layer `out.*`.
///
/// # Shapes
///
/// `[…, F]` → `[…, out]`; attributes `[E, D]`. A dense level is made sparse at the door.
///
/// # Complexity
///
/// Time O(N · F · d + E · (D + T · d) · d), memory O(T · E · d): the state of the method is a row per edge, which cannot be avoided. The sum
/// over the other edges that arrive at `j` is the sum over all less the reverse one, so that a node of degree `n` costs O(n · d) and
/// not O(n² · d).
///
/// # Paper and code
///
/// The released code divides nothing and has biases everywhere, as here; the paper writes none.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, S2vLoopyConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let dims = Dims::new(7, 64).with_edge_features(4);
/// assert_eq!(S2vLoopyConfig::default().init(&Params::new(&store.root(), 1), &dims).out_features(), 64);
/// assert_eq!(store.variables()["edge.weight"].size(), [64, 4]);
/// ```
#[derive(Debug)]
pub struct S2vLoopy {
    node: Linear,
    edge: Option<Linear>,
    conv: Linear,
    out: Option<Linear>,
    steps: u32,
}

impl Config for S2vLoopyConfig {
    type Module = S2vLoopy;
    const NAME: &'static str = "s2v-loopy";

    fn check(&self) -> Result<(), ConfigError> {
        check_fields(Self::NAME, self.steps, self.hidden)
    }

    fn init(&self, p: &Params, dims: &Dims) -> S2vLoopy {
        let hidden = self.hidden.unwrap_or(dims.outputs);
        let with_edges = dims.edge_features > 0;
        S2vLoopy {
            node: Linear::glorot(&p.sub("node"), dims.features, hidden),
            edge: with_edges.then(|| Linear::glorot(&p.sub("edge"), dims.edge_features, hidden)),
            conv: Linear::glorot(&p.sub("conv"), hidden, hidden),
            out: self.hidden.map(|hidden| Linear::glorot(&p.sub("out"), hidden, dims.outputs)),
            steps: self.steps,
        }
    }
}

impl S2vLoopy {
    fn over(&self, adj: &Sparse, x: &Tensor) -> Tensor {
        let messages = adj.pattern.messages();
        let sent = messages.depart(&self.node.forward(x));
        let m = match (&self.edge, &adj.attr) {
            (Some(edge), Some(attr)) => sent + edge.forward(attr),
            _ => sent,
        };
        let weighed = |nu: &Tensor| match &adj.weight {
            Some(weight) => nu * weight.unsqueeze(1),
            None => nu.shallow_clone(),
        };
        let shifted = self.conv.shift(m.shallow_clone());
        let step = |nu: Tensor, _| (&shifted + messages.onward(&self.conv.multiply(&weighed(&nu)))).relu();
        let nu = (0..self.steps).fold(m.relu(), step); // algorithm 2, line 5
        let mu = messages.arrive(&weighed(&nu)).relu(); // line 9
        match &self.out {
            Some(out) => out.activated(&mu, Activation::Relu),
            None => mu,
        }
    }
}

impl Conv for S2vLoopy {
    fn forward(&self, g: &Level, _ctx: Ctx) -> Tensor {
        on_edges(g, &|g, adj| self.over(adj, &g.x))
    }

    fn out_features(&self) -> i64 {
        self.out.as_ref().unwrap_or(&self.conv).out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{attributed, check, fill, pair_and_single};
    use std::sync::Arc;

    use coarsen_sparse::Csr;
    use coarsen_tensor::{Adjacency, Pattern, Segments};
    use tch::{Device, Kind, nn::VarStore};

    /// The layer with every weight 1 and every bias 0.
    fn ones(config: &S2vLoopyConfig, edge_features: i64) -> S2vLoopy {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let dims = Dims::new(1, 1).with_edge_features(edge_features);
        let layer = config.init(&Params::new(&store.root(), 0), &dims);
        fill(&store, |name| if name.ends_with("weight") { 1.0 } else { 0.0 });
        layer
    }

    fn after(steps: u32) -> S2vLoopyConfig {
        S2vLoopyConfig { steps, hidden: None }
    }

    #[test]
    fn a_pair_hears_no_echo() {
        // x = 1, 3 | 5: each of the pair gets the other's message, however often it is sent.
        for steps in 1..4 {
            check(&ones(&after(steps), 0), &pair_and_single(1.0), &[3.0, 1.0, 0.0]);
        }
        check(&ones(&after(1), 0), &pair_and_single(0.5), &[1.5, 0.5, 0.0]);
    }

    #[test]
    fn attributes_travel_with_the_message() {
        let y = ones(&after(1), 1).forward(&attributed(&[10.0, 20.0]), Ctx::eval());
        assert_eq!(Vec::<f64>::try_from(y.reshape([-1])).expect("double precision"), [13.0, 21.0, 0.0]);
    }

    #[test]
    fn messages_pass_through_a_path_and_one_way_edges() {
        // 0 — 1 — 2 and 2 → 3. Rows receive: 0 ← 1; 1 ← 0, 2; 2 ← 1; 3 ← 2.
        let csr = Csr::new(4, 4, vec![0, 1, 3, 4, 5], vec![1, 0, 2, 1, 2]).expect("five edges");
        let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 4])));
        let adj = Adjacency::Sparse(Sparse::new(Arc::new(pattern), None, (Kind::Double, Device::Cpu)));
        let x = Tensor::from_slice2(&[[1.0_f64], [10.0], [100.0], [1000.0]]);
        let y = ones(&after(1), 0).forward(&Level::new(x, adj), Ctx::eval());
        // 1 → 0 takes along what came from 2, 1 → 2 what came from 0, 2 → 3 what came from 1.
        let got = Vec::<f64>::try_from(y.reshape([-1])).expect("double precision");
        assert_eq!(got, [110.0, 101.0, 11.0, 110.0]);
    }
}

//! 3WL-GNN: products of maps of pairs of nodes (Maron et al. 2019).

use coarsen_nn::pair::{PairEdges, PairLayer, Ppgn, PpgnConfig, diagonal_maxima, squares};
use coarsen_nn::{Activation, Config, ConfigError, Ctx, Dims, Linear, Params};
use coarsen_pool::{Invariance, fields};
use coarsen_tensor::{Layout, Level};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use crate::model::{Model, Needs, Output, Trace};
use crate::registry::ModelSpec;

/// The row of [`MODELS`](crate::MODELS).
pub const SPEC: ModelSpec = ModelSpec {
    name: NAME,
    paper: "Maron et al. 2019, \"Provably Powerful Graph Networks\"",
    invariance: Invariance::Exact,
    example: || {
        let mut example = json!(ThreeWlConfig::default());
        example["kind"] = NAME.into();
        example
    },
    build: |config, p, dims| Ok(Box::new(fields::<ThreeWlConfig>(NAME, config)?.build(p, dims)?)),
};

const NAME: &str = "three-wl";

/// Configuration of [`ThreeWl`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThreeWlConfig {
    /// Width of each block. The authors have three of 400, the benchmark of Dwivedi et al. three of 80.
    pub widths: Vec<i64>,
    /// Layers of each of the two maps of a block.
    pub depth: usize,
    /// What stands behind a block: nothing in the authors' PyTorch code, a ReLU in their TensorFlow code.
    pub last: Activation,
    /// What of the edges comes in.
    pub edges: PairEdges,
}

impl Default for ThreeWlConfig {
    fn default() -> Self {
        let block = PpgnConfig::default();
        Self { widths: vec![80, 80, 80], depth: block.depth, last: block.last, edges: PairEdges::default() }
    }
}

impl ThreeWlConfig {
    /// Makes the network.
    ///
    /// # Errors
    ///
    /// When a value breaks its rule.
    pub fn build(&self, p: &Params, dims: &Dims) -> Result<ThreeWl, ConfigError> {
        let least = self.widths.iter().copied().min().unwrap_or(0);
        let rule = "at least one, each at least 1";
        ConfigError::require(least >= 1, NAME, "widths", rule, format!("{:?}", self.widths))?;
        ConfigError::require(self.depth >= 1, NAME, "depth", "at least 1", self.depth)?;
        let block = PpgnConfig { depth: self.depth, last: self.last };
        let mut inputs = self.edges.channels(dims.edge_features) + dims.features;
        let mut stages = Vec::with_capacity(self.widths.len());
        for (l, &width) in self.widths.iter().enumerate() {
            stages.push(Stage {
                block: block.init(&p.sub(format!("block{l}")), &Dims::new(inputs, width)),
                head: Linear::glorot(&p.sub(format!("head{l}")), 2 * width, dims.outputs),
            });
            inputs = width;
        }
        Ok(ThreeWl { stages, edges: self.edges })
    }
}

/// `T₀ = [D^-½ A D^-½ ‖ diag(X)]`, `T_l = block_l(T_{l-1})`, and
/// `logits = Σ_l W_l [max_i T_l[i, i] ‖ max_{i≠j} T_l[i, j]] + b_l`, the maxima channel by channel.
///
/// The blocks are [`Ppgn`], what is read of them [`diagonal_maxima`]; [`squares`] says how a graph becomes `T₀`. A network of
/// such blocks tells apart what three-dimensional Weisfeiler and Leman (folklore: two-dimensional) do.
///
/// Parameters `block{l}.…` as of [`Ppgn`], `head{l}.{weight, bias}`; matrices start with Glorot's law and biases at 0, as in the
/// authors' code.
///
/// # Shapes
///
/// A batch of `B` graphs → logits `[B, outputs]`.
///
/// # Complexity
///
/// With width `C`, time O(Σ_b (C n_b³ + C² n_b²)) and memory O(C Σ_b n_b²). Graphs of one size are one tensor `[B', C, n, n]` and
/// nothing is padded: the network takes any batch, sorts it by size, and asks the loader for batches of one size, as the
/// authors train.
///
/// # Laws
///
/// The logits do not depend on the order of the nodes. Their gradients do not either, except where two maxima are equal but for
/// rounding: with all biases 0, as at the start, the first product may have such pairs at `(i, j)` and `(j, i)`.
///
/// # Paper and code
///
/// The ReLU behind a block is the TensorFlow code's alone ([`ThreeWlConfig::last`]). The code's second head, two hidden layers
/// behind the last block, is off in it and not built. The code adds the losses of a batch, the tasks here take their mean.
#[derive(Debug)]
pub struct ThreeWl {
    stages: Vec<Stage>,
    edges: PairEdges,
}

#[derive(Debug)]
struct Stage {
    block: Ppgn,
    head: Linear,
}

impl ThreeWl {
    /// The logits of graphs of one size, given as pairs.
    ///
    /// # Shapes
    ///
    /// `[B, C, n, n]` → `[B, outputs]`.
    pub fn logits(&self, t: &Tensor) -> Tensor {
        self.summed(&self.readings(t))
    }

    /// What is read behind each block, `[B, 2 · width]`.
    fn readings(&self, t: &Tensor) -> Vec<Tensor> {
        let mut t = t.shallow_clone();
        let behind = |stage: &Stage| {
            t = stage.block.forward(&t);
            diagonal_maxima(&t)
        };
        self.stages.iter().map(behind).collect()
    }

    fn summed(&self, readings: &[Tensor]) -> Tensor {
        let parts: Vec<Tensor> =
            self.stages.iter().zip(readings).map(|(stage, x)| stage.head.forward(x)).collect();
        Tensor::stack(&parts, 0).sum_dim_intlist([0i64].as_slice(), false, None)
    }
}

impl Model for ThreeWl {
    fn divides(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        Needs { equal_sizes: true, ..Needs::layout(Layout::Sparse) }
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let of_sizes = squares(g, self.edges);
        let read: Vec<Vec<Tensor>> = of_sizes.iter().map(|of_size| self.readings(&of_size.t)).collect();
        let order: Vec<i64> = of_sizes.iter().flat_map(|of_size| &of_size.graphs).copied().collect();
        let back = Tensor::from_slice(&order).to_device(g.x.device()).argsort(0, false);
        let of_block = |l: usize| {
            let parts: Vec<&Tensor> = read.iter().map(|readings| &readings[l]).collect();
            Tensor::cat(&parts, 0).index_select(0, &back)
        };
        let readings: Vec<Tensor> = (0..self.stages.len()).map(of_block).collect();
        let mut output = Output { logits: Some(self.summed(&readings)), ..Output::default() };
        if ctx.trace {
            let trace = |(l, value)| Trace { name: format!("block{l}.maxima"), value };
            output.traces = readings.into_iter().enumerate().map(trace).collect();
        }
        output
    }

    fn out_features(&self) -> i64 {
        self.stages[0].head.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_nn::Stream;
    use tch::{Device, Kind, nn::VarStore, no_grad};

    fn network(config: &ThreeWlConfig) -> (VarStore, Result<ThreeWl, ConfigError>) {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let made = config.build(&Params::new(&store.root(), 1), &Dims::new(2, 3));
        (store, made)
    }

    #[test]
    fn every_block_adds_what_its_head_reads() {
        let config = ThreeWlConfig { widths: vec![4, 5], ..ThreeWlConfig::default() };
        let (_store, made) = network(&config);
        let model = made.expect("a network");
        let t = Stream::new(2).normal(&[2, 3, 6, 6], 0.0, 1.0, (Kind::Double, Device::Cpu));
        let first = model.stages[0].block.forward(&t);
        let second = model.stages[1].block.forward(&first);
        let read = |stage: &Stage, t: &Tensor| {
            let on = t.diagonal(0, 2, 3).amax([2i64].as_slice(), false);
            let beside = t - Tensor::eye(6, (Kind::Double, Device::Cpu)) * 1e9;
            let off = beside.amax([2i64, 3].as_slice(), false);
            stage.head.forward(&Tensor::cat(&[on, off], 1))
        };
        let want = read(&model.stages[0], &first) + read(&model.stages[1], &second);
        assert!(model.logits(&t).allclose(&want, 1e-12, 1e-12, false));
        assert!(want.abs().max().double_value(&[]) > 0.0);
    }

    /// Logits, and the gradients of the pairs and of the parameters, of a sum that tells logits apart.
    fn observed(model: &ThreeWl, store: &VarStore, t: &Tensor) -> Vec<Tensor> {
        let mut variables: Vec<_> = store.variables().into_iter().collect();
        variables.sort_by(|a, b| a.0.cmp(&b.0));
        variables.iter_mut().for_each(|(_, variable)| variable.zero_grad());
        let t = t.detach().copy().set_requires_grad(true);
        let y = model.logits(&t);
        (&y * Tensor::from_slice(&[1.0, -0.7, 0.4])).sum(None).backward();
        let gradients = variables.iter().map(|(_, variable)| variable.grad().copy());
        [y.detach(), t.grad()].into_iter().chain(gradients).collect()
    }

    /// Sixty-four networks with biases of any value on symmetric pairs.
    #[test]
    fn renumbering_the_nodes_renumbers_gradients_alone() {
        for seed in 0..64_u64 {
            let config = ThreeWlConfig { widths: vec![5, 4], ..ThreeWlConfig::default() };
            let (store, made) = network(&config);
            let model = made.expect("a network");
            let draw = |name: &str, shape: &[i64]| {
                Stream::named(seed, name).normal(shape, 0.0, 1.0, (Kind::Double, Device::Cpu))
            };
            for (name, mut variable) in store.variables() {
                no_grad(|| variable.copy_(&draw(&name, &variable.size())));
            }
            let nodes = 1 + seed as i64 % 6;
            let t = draw("t", &[2, 3, nodes, nodes]);
            let t = &t + t.transpose(2, 3);
            let order = draw("order", &[nodes]).argsort(0, false);
            let renumbered = |t: &Tensor| t.index_select(2, &order).index_select(3, &order);

            let mut want = observed(&model, &store, &t);
            want[1] = renumbered(&want[1]);
            for (place, (got, want)) in
                observed(&model, &store, &renumbered(&t)).iter().zip(&want).enumerate()
            {
                assert!(got.allclose(want, 1e-9, 1e-9, false), "seed {seed}, {place}: {got} and {want}");
            }
        }
    }

    #[test]
    fn no_block_and_an_empty_block_are_refused() {
        let refusal = |config: ThreeWlConfig| network(&config).1.unwrap_err().to_string();
        let widths = |widths: &[i64]| ThreeWlConfig { widths: widths.to_vec(), ..ThreeWlConfig::default() };
        let rule = "three-wl: `widths` must be at least one, each at least 1, got";
        assert_eq!(refusal(widths(&[])), format!("{rule} []"));
        assert_eq!(refusal(widths(&[4, 0])), format!("{rule} [4, 0]"));
        let message = refusal(ThreeWlConfig { depth: 0, ..ThreeWlConfig::default() });
        assert_eq!(message, "three-wl: `depth` must be at least 1, got 0");
    }
}

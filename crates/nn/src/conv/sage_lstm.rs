//! GraphSAGE with an LSTM over the neighbours.

use std::cmp::Reverse;

use coarsen_tensor::{Adjacency, Layout, Level, Relation, affine, unit_rows};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Conv;
use crate::activation::Activation;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::dims::Dims;
use crate::error::ConfigError;
use crate::linear::Linear;
use crate::params::Params;
use crate::stream::Stream;

/// The configuration of a [`SageLstm`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SageLstmConfig {
    /// Whether each row of the output is divided by its Euclidean norm; up to a norm of 1e-12 it becomes 0.
    pub normalize: bool,
    /// Whether there is a bias beside `W_l`.
    pub bias: bool,
}

impl Default for SageLstmConfig {
    fn default() -> Self {
        Self { normalize: false, bias: true }
    }
}

/// GraphSAGE with the LSTM aggregator: `x'ᵢ = W_l LSTM(x_{π(1)}, …, x_{π(d)}) + b + W_r xᵢ` (Hamilton et al. 2017, section 3.3).
///
/// The LSTM is as wide as `xᵢ` and reads the neighbours of `i` one after the other; what it holds after the last one is received,
/// and 0 where there is none. In training the order `π` is random, drawn for each node from `ctx.seed`; in evaluation it is that
/// of the nodes' numbers. So renumbering the nodes of a graph changes the output: this layer is not equivariant. Edge weights do
/// not count and have no gradient.
///
/// Parameters `lstm.weight_ih`, `lstm.weight_hh` (`[4 in, in]`, gates i, f, g, o), `lstm.bias_ih`, `lstm.bias_hh`,
/// `neighbour.weight` (`W_l`), `neighbour.bias`, `root.weight` (`W_r`), all drawn by [`Params::fan_in`].
///
/// # Complexity
///
/// Time O(E · in² + N · in · out), in as many steps as the largest degree; memory O(E · in), since every step reads the state
/// before it and its backward pass needs them all. The order is made on the host, as is the list of a dense level's edges.
///
/// # Paper and code
///
/// PyG pads the lists of neighbours with zeros and takes the state after the padding; here each list ends at its last neighbour.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Config, Dims, Params, conv::{Conv, SageLstmConfig}};
/// use tch::{Device, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let layer = SageLstmConfig::default().init(&Params::new(&store.root(), 1), &Dims::new(7, 64));
/// assert_eq!(layer.out_features(), 64);
/// ```
#[derive(Debug)]
pub struct SageLstm {
    /// `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
    lstm: [Tensor; 4],
    neighbour: Linear,
    root: Linear,
    normalize: bool,
}

impl Config for SageLstmConfig {
    type Module = SageLstm;
    const NAME: &'static str = "sage-lstm";

    fn check(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn init(&self, p: &Params, dims: &Dims) -> SageLstm {
        let make = if self.bias { Linear::new } else { Linear::unbiased };
        let (inputs, outputs, lstm) = (dims.features, dims.outputs, p.sub("lstm"));
        let weight = |name| lstm.fan_in(name, &[4 * inputs, inputs], inputs);
        let bias = |name| lstm.fan_in(name, &[4 * inputs], inputs);
        SageLstm {
            lstm: [weight("weight_ih"), weight("weight_hh"), bias("bias_ih"), bias("bias_hh")],
            neighbour: make(&p.sub("neighbour"), inputs, outputs),
            root: Linear::unbiased(&p.sub("root"), inputs, outputs),
            normalize: self.normalize,
        }
    }
}

impl SageLstm {
    /// The state behind the last neighbour of every node, `[N, F]`; in a dense level, of its slots.
    fn received(&self, g: &Level, ctx: Ctx) -> Tensor {
        let Adjacency::Sparse(edges) = &g.adj else {
            let stacked = g.to_layout(Layout::Sparse);
            let y = self.received(&stacked, ctx);
            return stacked.with_x(y).padded(g.x.size()[1]).x;
        };
        let lists = Lists::of(edges.pattern.relation(), ctx);
        let zeros = g.x.zeros_like();
        if lists.receivers.is_empty() {
            return zeros;
        }
        let index = |nodes: &[i64]| Tensor::from_slice(nodes).to_device(g.x.device());
        let start = Tensor::zeros([1, lists.receivers.len() as i64, g.features()], g.options());
        let steps = Tensor::from_slice(&lists.steps); // LibTorch wants them on the host
        let read = g.x.index_select(0, &index(&lists.read));
        let (_, last, _) = Tensor::lstm_data(
            &read,
            &steps,
            &[&start, &start],
            &self.lstm.each_ref(),
            true,
            1,
            0.0,
            ctx.train,
            false,
        );
        zeros.index_copy(0, &index(&lists.receivers), &last.squeeze_dim(0))
    }
}

/// The lists of neighbours, longest first, as an LSTM reads them side by side.
#[derive(Debug, PartialEq)]
struct Lists {
    /// The nodes that have neighbours.
    receivers: Vec<i64>,
    /// How many lists each step reads from: the first so many.
    steps: Vec<i64>,
    /// The neighbours in the order of reading.
    read: Vec<i64>,
}

impl Lists {
    fn of(senders: &Relation, ctx: Ctx) -> Self {
        let csr = senders.csr();
        let mut col = csr.col().to_vec();
        if ctx.train {
            let mut stream = Stream::named(ctx.seed, "order");
            for row in 0..csr.rows() {
                shuffle(&mut col[csr.range(row)], &mut stream);
            }
        }
        let mut receivers: Vec<usize> = (0..csr.rows()).filter(|&row| !csr.row(row).is_empty()).collect();
        receivers.sort_by_key(|&row| Reverse(csr.row(row).len()));
        let (mut steps, mut read) = (Vec::new(), Vec::with_capacity(col.len()));
        let mut reading = &receivers[..];
        while !reading.is_empty() {
            let step = steps.len();
            steps.push(reading.len() as i64);
            read.extend(reading.iter().map(|&row| i64::from(col[csr.range(row)][step])));
            reading = &reading[..reading.partition_point(|&row| csr.row(row).len() > step + 1)];
        }
        Self { receivers: receivers.into_iter().map(|row| row as i64).collect(), steps, read }
    }
}

/// Fisher and Yates.
fn shuffle(nodes: &mut [u32], stream: &mut Stream) {
    for last in (1..nodes.len()).rev() {
        nodes.swap(last, (stream.unit() * (last + 1) as f64) as usize);
    }
}

impl Conv for SageLstm {
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor {
        self.activated(g, Activation::Identity, ctx)
    }

    fn activated(&self, g: &Level, act: Activation, ctx: Ctx) -> Tensor {
        let received = self.received(g, ctx);
        let Linear { weight, bias } = &self.neighbour;
        let terms = [(&received, weight), (&g.x, &self.root.weight)];
        let inner = if self.normalize { Activation::Identity } else { act };
        let y = inner.after(|act| affine(&terms, bias.as_ref(), act));
        g.mask_rows(if self.normalize { act.apply(&unit_rows(&y)) } else { y })
    }

    fn out_features(&self) -> i64 {
        self.root.out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::by_hand::{check, fill, pair_and_single};
    use coarsen_sparse::Csr;
    use tch::{Device, Kind, nn::VarStore};

    /// Node 0 receives from 1, 2 and 3, node 1 from nobody, node 2 from 0, node 3 from 0 and 2.
    fn senders() -> Relation {
        let edges = [(0, 1), (0, 2), (0, 3), (2, 0), (3, 0), (3, 2)];
        Relation::new(Csr::from_edges(4, 4, edges).expect("six edges"))
    }

    #[test]
    fn one_step_by_hand() {
        // x = 1, 3 | 5. One neighbour x: c = σ(x) tanh(x), h = σ(x) tanh(c); the weights of edges do not count.
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let layer = SageLstmConfig::default().init(&Params::new(&store.root(), 0), &Dims::new(1, 1));
        fill(&store, |name| match name {
            "lstm.weight_ih" | "root.weight" => 1.0,
            "neighbour.weight" => 10.0,
            _ => 0.0,
        });
        let h = |x: f64| {
            let gate = 1.0 / (1.0 + (-x).exp());
            gate * (gate * x.tanh()).tanh()
        };
        check(&layer, &pair_and_single(0.5), &[10.0 * h(3.0) + 1.0, 10.0 * h(1.0) + 3.0, 5.0]);
    }

    #[test]
    fn lists_are_read_side_by_side_and_end_at_their_last_node() {
        let lists = Lists::of(&senders(), Ctx::eval());
        let want = Lists { receivers: vec![0, 3, 2], steps: vec![3, 2, 1], read: vec![1, 0, 0, 2, 2, 3] };
        assert_eq!(lists, want);
    }

    #[test]
    fn training_reads_in_every_order_and_repeats_by_seed() {
        let first = |seed| Lists::of(&senders(), Ctx::train(seed));
        assert_eq!(first(3), first(3));
        let mut orders: Vec<[i64; 3]> = (0..100)
            .map(|seed| {
                let read = first(seed).read;
                [read[0], read[3], read[5]]
            })
            .collect();
        orders.sort_unstable();
        orders.dedup();
        assert_eq!(orders, [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]]);
    }
}

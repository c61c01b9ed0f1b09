//! Convolutions: new node features from a node's own and its neighbours'.
//!
//! | module | holds |
//! | --- | --- |
//! | `averaging` | [`Averaging`]: what a mean does with edge weights |
//! | `dgcnn` | [`Dgcnn`]: mean over node and neighbours, the bias too (Zhang et al.) |
//! | `ecc` | [`Ecc`]: a matrix for each edge, made of its attributes (Simonovsky and Komodakis) |
//! | `gat` | [`Gat`]: attention (Veličković et al.) |
//! | `gcn` | [`Gcn`]: symmetric normalisation (Kipf and Welling) |
//! | `gin` | [`Gin`]: sum and MLP (Xu et al.) |
//! | `graph_conv` | [`GraphConv`]: sum, mean or maximum, and the node itself (Morris et al.) |
//! | `le_conv` | [`LeConv`]: a node against its neighbours (Ranjan et al.) |
//! | `raw` | [`Raw`]: sum of the neighbours, rows of length 1 (the code of Ying et al.) |
//! | `s2v` | [`S2v`]: structure2vec, mean field (Dai et al.) |
//! | `s2v_loopy` | [`S2vLoopy`]: structure2vec, loopy belief propagation (Dai et al.) |
//! | `sage`, `sage_max`, `sage_lstm` | [`Sage`], [`SageMax`], [`SageLstm`]: mean, maximum, LSTM (Hamilton et al.) |

mod averaging;
mod dgcnn;
mod ecc;
mod gat;
mod gcn;
mod gin;
mod graph_conv;
mod le_conv;
mod raw;
mod s2v;
mod s2v_loopy;
mod sage;
mod sage_lstm;
mod sage_max;

use std::cmp::Ordering;
use std::fmt::Debug;

use coarsen_tensor::{Adjacency, Layout, Level, Loops, Sparse};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::activation::Activation;
use crate::ctx::Ctx;
use crate::linear::Linear;

pub use averaging::Averaging;
pub use dgcnn::{Dgcnn, DgcnnConfig};
pub use ecc::{Ecc, EccConfig};
pub use gat::{Gat, GatConfig, HeadMerge};
pub use gcn::{Gcn, GcnConfig};
pub use gin::{Eps, Gin, GinConfig};
pub use graph_conv::{Aggregation, GraphConv, GraphConvConfig};
pub use le_conv::{Form, LeConv, LeConvConfig};
pub use raw::{Raw, RawConfig};
pub use s2v::{S2v, S2vConfig};
pub use s2v_loopy::{S2vLoopy, S2vLoopyConfig};
pub use sage::{Sage, SageConfig};
pub use sage_lstm::{SageLstm, SageLstmConfig};
pub use sage_max::{SageMax, SageMaxConfig};

/// A layer from a level to new node features.
///
/// It is equivariant: permuting the nodes of the input permutes the rows of the output, and nothing else. It works in both
/// layouts, and keeps padded rows 0.
pub trait Conv: Debug + Send {
    /// The new features of every node.
    ///
    /// # Shapes
    ///
    /// `g.x`: `[…, F]` → `[…, out_features]`, in the layout of `g`.
    fn forward(&self, g: &Level, ctx: Ctx) -> Tensor;

    /// The new features behind an activation, which a layer may apply in the pass that writes them.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward).
    fn activated(&self, g: &Level, act: Activation, ctx: Ctx) -> Tensor {
        act.apply(&self.forward(g, ctx))
    }

    /// Width of what goes out.
    fn out_features(&self) -> i64;
}

/// What a convolution does about self-loops before it normalises.
///
/// Filling is right for pooled graphs, where `Sᵀ A S` puts weights on the diagonal that mean something; the dense layers of PyG
/// overwrite them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SelfLoops {
    /// Gives one to the nodes that have none.
    #[default]
    Fill,
    /// Adds one to every node, on top of what it has: `A + c I`.
    Add,
    /// Gives every node one, in place of what it has.
    Overwrite,
    /// Leaves the graph as it is.
    None,
}

impl SelfLoops {
    /// The operation on an adjacency, with `weight` for a new loop.
    pub fn with_weight(self, weight: f64) -> Loops {
        match self {
            Self::Fill => Loops::Fill(weight),
            Self::Add => Loops::Add(weight),
            Self::Overwrite => Loops::Overwrite(weight),
            Self::None => Loops::Keep,
        }
    }
}

/// `act(A X Wᵀ + b)` in the cheaper order of the products; of equal ones the sum comes last, with bias and activation.
fn propagate(adj: &Adjacency, x: &Tensor, linear: &Linear, act: Activation) -> Tensor {
    if sending(x, linear.out_features()) == Ordering::Less {
        linear.activated(&adj.matmul(x), act)
    } else {
        act.after(|act| adj.matmul_act(&linear.multiply(x), linear.bias.as_ref(), act))
    }
}

/// What sending `x` along the edges costs, compared with sending rows of width `outputs` made of it. Features without a
/// gradient are sent forward only.
fn sending(x: &Tensor, outputs: i64) -> Ordering {
    let width = x.size()[x.dim() - 1];
    let passes = if x.requires_grad() { 2 } else { 1 };
    (passes * width).cmp(&(2 * outputs))
}

/// The edges and their attributes, `[E, D]`; dense levels and pooled ones have none.
fn attributes(g: &Level) -> Option<(&Sparse, &Tensor)> {
    match &g.adj {
        Adjacency::Sparse(adj) => adj.attr.as_ref().map(|attr| (adj, attr)),
        Adjacency::Dense(_) => None,
    }
}

/// What a layer that walks edges gives, on a level of either layout.
fn on_edges(g: &Level, layer: &dyn Fn(&Level, &Sparse) -> Tensor) -> Tensor {
    match &g.adj {
        Adjacency::Sparse(adj) => layer(g, adj),
        Adjacency::Dense(squares) => {
            let sparse = g.to_layout(Layout::Sparse);
            sparse.with_x(on_edges(&sparse, layer)).padded(squares.a.size()[1]).x
        }
    }
}

/// A level small enough to work out a layer on paper.
#[cfg(test)]
mod by_hand {
    use std::sync::Arc;

    use coarsen_sparse::Csr;
    use coarsen_tensor::{Pattern, Segments};
    use tch::{Device, Kind, nn::VarStore, no_grad};

    use super::*;

    /// Two graphs, `0 — 1` with edges of this weight and the single node 2; one feature: 1, 3 and 5.
    pub(super) fn pair_and_single(weight: f64) -> Level {
        let csr = Csr::new(3, 3, vec![0, 1, 2, 2], vec![1, 0]).expect("two edges");
        let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 2, 3])));
        let weight = Tensor::from_slice(&[weight, weight]);
        let adj = Sparse::new(Arc::new(pattern), Some(weight), (Kind::Double, Device::Cpu));
        Level::new(Tensor::from_slice2(&[[1.0_f64], [3.0], [5.0]]), Adjacency::Sparse(adj))
    }

    /// The same graphs with one attribute on each of the edges `1 → 0` and `0 → 1`.
    pub(super) fn attributed(attr: &[f64; 2]) -> Level {
        let mut level = pair_and_single(1.0);
        if let Adjacency::Sparse(adj) = level.adj {
            let attr = Tensor::from_slice(attr).unsqueeze(1);
            level.adj = Adjacency::Sparse(Sparse::new(adj.pattern, None, adj.options).with_attr(Some(attr)));
        }
        level
    }

    /// The layer gives these values, in both layouts, and 0 in the padding.
    pub(super) fn check(layer: &dyn Conv, level: &Level, want: &[f64]) {
        let close = |layout: &str, got: &Tensor, want: &[f64]| {
            let got = Vec::<f64>::try_from(got.reshape([-1])).expect("double precision");
            let agree = got.len() == want.len() && got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12);
            assert!(agree, "{layout}: {got:?}, want {want:?}");
        };
        close("sparse", &layer.forward(level, Ctx::eval()), want);
        let padded = [want, &[0.0]].concat();
        close("dense", &layer.forward(&level.to_layout(Layout::Dense), Ctx::eval()), &padded);
    }

    /// Sets every parameter to the value its name gives.
    pub(super) fn fill(store: &VarStore, value: impl Fn(&str) -> f64) {
        no_grad(|| {
            for (name, mut parameter) in store.variables() {
                let _ = parameter.fill_(value(&name));
            }
        });
    }
}

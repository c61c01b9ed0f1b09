//! The recurrent query of Set2Set.

use coarsen_tensor::{Act, affine};
use tch::Tensor;

use crate::params::Params;

/// An LSTM whose input is `q* = [q ‖ r]`: its own state `q` and what the state last read, `r`.
///
/// Since the state is part of the input, `W_ih q* + W_hh q` is one product with `F` columns less:
/// `(W_ih[:, ..F] + W_hh) q + W_ih[:, F..] r`.
#[derive(Debug)]
pub(super) struct Reader {
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    features: i64,
}

impl Reader {
    /// With PyTorch's names, shapes and law.
    pub(super) fn new(p: &Params, features: i64) -> Self {
        let gates = 4 * features;
        Self {
            weight_ih: p.fan_in("weight_ih", &[gates, 2 * features], features),
            weight_hh: p.fan_in("weight_hh", &[gates, features], features),
            bias_ih: p.fan_in("bias_ih", &[gates], features),
            bias_hh: p.fan_in("bias_hh", &[gates], features),
            features,
        }
    }

    /// `F`.
    pub(super) fn features(&self) -> i64 {
        self.features
    }

    /// The last `q* = [q ‖ r]` of `steps` readings, `[graphs, 2F]`; `attend` gives `r` of `q`, both `[graphs, F]`.
    pub(super) fn read(&self, steps: usize, graphs: i64, attend: impl Fn(&Tensor) -> Tensor) -> Tensor {
        let f = self.features;
        let options = (self.weight_ih.kind(), self.weight_ih.device());
        if steps == 0 {
            return Tensor::zeros([graphs, 2 * f], options);
        }
        let of_q = self.weight_ih.narrow(1, 0, f) + &self.weight_hh;
        let of_r = self.weight_ih.narrow(1, f, f).contiguous();
        let bias = &self.bias_ih + &self.bias_hh;
        // From a state of 0 the first query is that of the biases, for all graphs one.
        let (q, mut cell) = step(&bias.unsqueeze(0), None);
        let mut q = q.expand([graphs, f], false).contiguous();
        let mut r = attend(&q);
        for _ in 1..steps {
            let gates = affine(&[(&q, &of_q), (&r, &of_r)], Some(&bias), Act::Identity);
            (q, cell) = step(&gates, Some(&cell));
            r = attend(&q);
        }
        Tensor::cat(&[q, r], 1)
    }
}

/// State and cell after gates `[i ‖ f ‖ g ‖ o]`; no cell is 0.
fn step(gates: &Tensor, cell: Option<&Tensor>) -> (Tensor, Tensor) {
    let f = gates.size()[1] / 4;
    let of = |at: i64| gates.narrow(1, at * f, f);
    let new = of(0).sigmoid() * of(2).tanh();
    let cell = match cell {
        Some(cell) => of(1).sigmoid() * cell + new,
        None => new,
    };
    (of(3).sigmoid() * cell.tanh(), cell)
}

//! What follows a product in the same pass: a bias and an activation.

use coarsen_sparse::{Act, rows};
use tch::Tensor;

use crate::executor::TorchPool;
use crate::view::{Dense, Real, by_kind, filled, filled_beside};

/// `act(y + bias)` by operations of LibTorch, recorded by them.
pub(crate) fn composed(y: Tensor, bias: Option<&Tensor>, act: Act) -> Tensor {
    let y = match bias {
        Some(bias) => y + bias,
        None => y,
    };
    match act {
        Act::Identity => y,
        Act::Relu => y.relu(),
        Act::Elu => y.elu(),
        Act::Tanh => y.tanh(),
    }
}

/// Which numbers passed the activation.
#[derive(Debug)]
pub(crate) struct Gate {
    act: Act,
    /// The output, where the activation's slope depends on it.
    y: Option<Tensor>,
}

impl Gate {
    /// Of no activation.
    pub(crate) fn open() -> Self {
        Self { act: Act::Identity, y: None }
    }

    /// Remembers what the backward pass of an activation needs; `y` is its output.
    pub(crate) fn of(act: Act, y: &Tensor) -> Self {
        Self { act, y: (act != Act::Identity).then(|| y.shallow_clone()) }
    }

    /// The gradient before the activation, and where asked for that of the bias: its sum over the rows.
    pub(crate) fn backward(&self, grad: &Tensor, bias: bool) -> (Tensor, Option<Tensor>) {
        by_kind!(grad.kind(), T => self.backward_of::<T>(grad, bias))
    }

    fn backward_of<T: Real>(&self, grad: &Tensor, bias: bool) -> (Tensor, Option<Tensor>) {
        let width = width(grad);
        let g = Dense::new(grad);
        let Some(y) = &self.y else {
            let sums = bias.then(|| {
                filled(&[width as i64], |out| rows::column_sums(&TorchPool, width, g.slice::<T>(), out))
            });
            return (g.into_tensor(), sums);
        };
        let y = Dense::new(y);
        let backward = |dx: &mut [T], sums: Option<&mut [T]>| {
            rows::act_backward(&TorchPool, width, self.act, y.slice::<T>(), g.slice::<T>(), dx, sums);
        };
        if bias {
            let (dx, sums) =
                filled_beside(&grad.size(), &[width as i64], |dx, sums| backward(dx, Some(sums)));
            (dx, Some(sums))
        } else {
            (filled(&grad.size(), |dx| backward(dx, None)), None)
        }
    }
}

fn width(x: &Tensor) -> usize {
    x.size()[1] as usize
}

//! Batch norm over the valid nodes of a batch.

use coarsen_tensor::{Act, Beside, batch_norm, group::is_first, moments, on_host};
use tch::{Tensor, no_grad};

use crate::activation::Activation;
use crate::ctx::Ctx;
use crate::params::Params;

const EPS: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;

/// Normalises every feature over the valid nodes of the batch (Ioffe and Szegedy 2015).
///
/// `y = γ (x − μ) / √(σ² + ε) + β` with `ε = 1e-5`. In training `μ` and `σ²` are the mean and the biased variance over the valid
/// nodes of all graphs, and the running statistics move a tenth of the way towards `μ` and the unbiased variance, outside of
/// autograd; in evaluation they are the running statistics.
///
/// Parameters `weight` (`γ`, starts at 1) and `bias` (`β`, starts at 0), buffers `running_mean` (0) and `running_var` (1).
///
/// # Paper and code
///
/// PyTorch counts padded rows as data; here they count for nothing and stay 0. PyTorch refuses a training batch of one row; here
/// its variance is 0, so the output is `β`, and the running statistics stay as they are, as they do for a batch without nodes.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{BatchNorm, Ctx, Params};
/// use tch::{Device, Tensor, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let norm = BatchNorm::new(&Params::new(&store.root(), 1), 1);
/// let y = norm.forward(&Tensor::from_slice2(&[[1.0f32], [3.0]]), None, Ctx::train(0));
/// assert!((y.double_value(&[1, 0]) - 1.0).abs() < 1e-5);
/// ```
#[derive(Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    /// For rows of `features` numbers.
    pub fn new(p: &Params, features: i64) -> Self {
        Self {
            weight: p.constant("weight", &[features], 1.0),
            bias: p.constant("bias", &[features], 0.0),
            running_mean: p.buffer("running_mean", &[features], 0.0),
            running_var: p.buffer("running_var", &[features], 1.0),
        }
    }

    /// The normalised rows.
    ///
    /// # Shapes
    ///
    /// `x`: `[…, features]`, kept; `mask`: `x` without its last axis, 1 for a valid row and 0 for padding, `None` when all are
    /// valid (see `Level::mask`). Masked rows of the result are 0.
    ///
    /// # Complexity
    ///
    /// Time and memory O(rows · features).
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>, ctx: Ctx) -> Tensor {
        self.activated(x, mask, Activation::Identity, ctx)
    }

    /// The normalised rows behind an activation, in one pass where no rows are masked.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward); masked rows are 0.
    pub fn activated(&self, x: &Tensor, mask: Option<&Tensor>, act: Activation, ctx: Ctx) -> Tensor {
        let rows = || x.reshape([-1, self.features()]);
        match mask {
            Some(mask) if ctx.train && on_host(x) => {
                let (rows, valid) = (rows(), mask.reshape([-1]).nonzero().view([-1]));
                let y = self.by_batch(&rows.index_select(0, &valid), Act::Identity, act);
                rows.zeros_like().index_copy(0, &valid, &y).reshape(x.size())
            }
            Some(mask) => {
                let mask = mask.reshape([-1, 1]).to_kind(x.kind());
                self.masked(&rows(), &mask, act, ctx).reshape(x.size())
            }
            None if !ctx.train => act.apply(&self.by_running(x)),
            None => self.by_batch(x, Act::Identity, act),
        }
    }

    /// The normalised rows of `max(x, 0)`; in training in one pass where no rows are masked.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward); masked rows are 0.
    pub fn rectified(&self, x: &Tensor, mask: Option<&Tensor>, ctx: Ctx) -> Tensor {
        match mask {
            None if ctx.train => self.by_batch(x, Act::Relu, Activation::Identity),
            _ => self.forward(&x.relu(), mask, ctx),
        }
    }

    /// By the statistics of the rows behind the first activation, of all parts where they are a part of a batch.
    fn by_batch(&self, rows: &Tensor, before: Act, act: Activation) -> Tensor {
        let of_batch = moments(rows, before);
        if of_batch.rows < 2.0 {
            return act.apply(&(rows * 0.0 + &self.bias));
        }
        if is_first() {
            no_grad(|| {
                let _ = self.running_mean.shallow_clone().lerp_(&of_batch.mean, MOMENTUM);
                let _ = self.running_var.shallow_clone().lerp_(&of_batch.unbiased(), MOMENTUM);
            });
        }
        let normalised = |beside| batch_norm(rows, &of_batch, &self.weight, &self.bias, EPS, beside);
        match before {
            Act::Identity => act.after(|act| normalised(Beside::Behind(act))),
            before => act.apply(&normalised(Beside::Before(before))),
        }
    }

    fn masked(&self, rows: &Tensor, mask: &Tensor, act: Activation, ctx: Ctx) -> Tensor {
        let y = if ctx.train {
            let (mean, variance) = self.batch_statistics(rows, mask);
            (rows - mean) * (variance + EPS).rsqrt() * &self.weight + &self.bias
        } else {
            self.by_running(rows)
        };
        act.apply(&y) * mask
    }

    fn by_running(&self, rows: &Tensor) -> Tensor {
        let scale = (&self.running_var + EPS).rsqrt() * &self.weight;
        rows * &scale + (&self.bias - &self.running_mean * &scale)
    }

    /// Width of the rows.
    pub fn features(&self) -> i64 {
        self.weight.size()[0]
    }

    /// Mean and biased variance of the valid rows; moves the running statistics.
    fn batch_statistics(&self, rows: &Tensor, mask: &Tensor) -> (Tensor, Tensor) {
        let over_rows = [0_i64].as_slice();
        let kind = rows.kind();
        let count = mask.sum(kind);
        let at_least_one = count.clamp_min(1.0);
        let mean = (rows * mask).sum_dim_intlist(over_rows, false, kind) / &at_least_one;
        let centred = (rows - &mean) * mask;
        let variance = centred.square().sum_dim_intlist(over_rows, false, kind) / &at_least_one;
        no_grad(|| self.move_running(&count, &mean, &variance));
        (mean, variance)
    }

    fn move_running(&self, count: &Tensor, mean: &Tensor, variance: &Tensor) {
        let step = count.gt(1.0).to_kind(mean.kind()) * MOMENTUM;
        let unbiased = variance * count / (count - 1.0).clamp_min(1.0);
        for (running, batch) in [(&self.running_mean, mean), (&self.running_var, &unbiased)] {
            let moved = running + &step * (batch - running);
            running.shallow_clone().copy_(&moved);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use tch::{Device, Kind, nn::VarStore};

    fn with_norm(features: i64, check: impl Fn(&BatchNorm)) {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let norm = BatchNorm::new(&Params::new(&store.root(), 0), features);
        no_grad(|| {
            norm.weight.shallow_clone().copy_(&Tensor::linspace(
                0.5,
                1.5,
                features,
                (Kind::Double, Device::Cpu),
            ));
            norm.bias.shallow_clone().copy_(&Tensor::linspace(
                -1.0,
                1.0,
                features,
                (Kind::Double, Device::Cpu),
            ));
        });
        check(&norm);
    }

    fn values(t: &Tensor) -> Vec<f64> {
        Vec::try_from(t.reshape([-1])).unwrap()
    }

    fn close(got: &Tensor, want: &[f64]) {
        let got = values(got);
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12), "{got:?}, want {want:?}");
    }

    #[test]
    fn statistics_by_hand() {
        with_norm(1, |norm| {
            // Weight 0.5, bias −1; mean 2, biased variance 8/3, unbiased variance 4.
            let y = norm.forward(&Tensor::from_slice2(&[[0.0], [2.0], [4.0]]), None, Ctx::train(0));
            let side = 0.5 * 2.0 / (8.0 / 3.0 + EPS).sqrt();
            close(&y, &[-1.0 - side, -1.0, -1.0 + side]);
            close(&norm.running_mean, &[0.2]);
            close(&norm.running_var, &[0.9 + 0.4]);
            let y = norm.forward(&Tensor::from_slice2(&[[0.2]]), None, Ctx::eval());
            close(&y, &[-1.0]);
        });
    }

    #[test]
    fn padding_counts_for_nothing() {
        let valid = Tensor::from_slice2(&[[1.0, 5.0], [2.0, -1.0], [4.0, 0.5]]);
        let padded = Tensor::from_slice(&[1.0, 5.0, 9.0, 9.0, 2.0, -1.0, 4.0, 0.5]).view([2, 2, 2]);
        let mask = Tensor::from_slice2(&[[1.0, 0.0], [1.0, 1.0]]);
        with_norm(2, |stacked| {
            with_norm(2, |dense| {
                for ctx in [Ctx::train(0), Ctx::eval()] {
                    let want = values(&stacked.forward(&valid, None, ctx));
                    let got = dense.forward(&padded, Some(&mask), ctx);
                    let with_hole = [&want[..2], &[0.0, 0.0], &want[2..]].concat();
                    close(&got, &with_hole);
                    close(&dense.running_mean, &values(&stacked.running_mean));
                    close(&dense.running_var, &values(&stacked.running_var));
                }
            });
        });
    }

    #[test]
    fn rectified_rows_are_those_behind_a_relu() {
        let mask = Tensor::from_slice(&[1.0, 0.0, 1.0]);
        for (mask, ctx) in [(None, Ctx::train(0)), (None, Ctx::eval()), (Some(&mask), Ctx::train(0))] {
            let run = |y: &dyn Fn(&BatchNorm, &Tensor) -> Tensor| {
                let all = RefCell::default();
                with_norm(2, |norm| {
                    let x =
                        Tensor::from_slice2(&[[1.0, -5.0], [-2.0, 1.5], [4.0, 0.5]]).set_requires_grad(true);
                    let y = y(norm, &x);
                    (&y * Tensor::from_slice(&[0.3, -1.1])).square().sum(Kind::Double).backward();
                    let gradients = [x.grad(), norm.weight.grad(), norm.bias.grad()];
                    let seen = [&y, &norm.running_mean, &norm.running_var].into_iter().chain(&gradients);
                    all.replace(seen.flat_map(values).collect::<Vec<f64>>());
                });
                all.into_inner()
            };
            let got = run(&|norm, x| norm.rectified(x, mask, ctx));
            close(&Tensor::from_slice(&got), &run(&|norm, x| norm.forward(&x.relu(), mask, ctx)));
        }
    }

    #[test]
    fn one_node_gives_the_bias_and_teaches_nothing() {
        with_norm(2, |norm| {
            let one = Tensor::from_slice2(&[[7.0, -3.0]]);
            close(&norm.forward(&one, None, Ctx::train(0)), &[-1.0, 1.0]);
            let mask = Tensor::from_slice2(&[[1.0, 0.0]]);
            let padded = Tensor::from_slice(&[7.0, -3.0, 0.0, 0.0]).view([1, 2, 2]);
            close(&norm.forward(&padded, Some(&mask), Ctx::train(0)), &[-1.0, 1.0, 0.0, 0.0]);
            close(&norm.forward(&padded, Some(&mask.zeros_like()), Ctx::train(0)), &[0.0; 4]);
            close(&norm.running_mean, &[0.0, 0.0]);
            close(&norm.running_var, &[1.0, 1.0]);
        });
    }

    #[test]
    fn one_node_has_finite_gradients() {
        with_norm(1, |norm| {
            let x = Tensor::from_slice(&[3.0, 0.0]).view([1, 2, 1]).set_requires_grad(true);
            let mask = Tensor::from_slice2(&[[1.0, 0.0]]);
            norm.forward(&x, Some(&mask), Ctx::train(0)).sum(Kind::Double).backward();
            close(&x.grad(), &[0.0, 0.0]);
            assert!(!norm.running_mean.requires_grad());
        });
    }
}

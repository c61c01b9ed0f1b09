//! Dropout from a named stream.

use tch::{Device, Kind, Tensor};

use crate::ctx::Ctx;
use crate::stream::Stream;

/// Drops every element with probability `p` and divides the rest by `1 − p` (inverted dropout); the identity when not training.
///
/// The mask is drawn from the stream of `ctx.seed` on the host: give every place that drops a [child](Ctx::child) of its own.
///
/// # Shapes
///
/// Any; kept.
///
/// # Complexity
///
/// Time and memory O(elements).
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Ctx, dropout};
/// use tch::{Device, Kind, Tensor};
/// let x = Tensor::ones([1000], (Kind::Float, Device::Cpu));
/// assert!(dropout(&x, 0.5, Ctx::train(1)).equal(&dropout(&x, 0.5, Ctx::train(1))));
/// assert!(dropout(&x, 0.5, Ctx::eval()).equal(&x));
/// ```
pub fn dropout(x: &Tensor, p: f64, ctx: Ctx) -> Tensor {
    dropout_mask(&x.size(), p, ctx, (x.kind(), x.device())).map_or_else(|| x.shallow_clone(), |mask| x * mask)
}

/// The factors of [`dropout`]: 0 with probability `p`, else `1 / (1 − p)`; `None` where nothing is dropped.
///
/// # Shapes
///
/// As asked for.
///
/// # Complexity
///
/// Time and memory O(elements).
pub fn dropout_mask(shape: &[i64], p: f64, ctx: Ctx, options: (Kind, Device)) -> Option<Tensor> {
    if !ctx.train || p <= 0.0 {
        return None;
    }
    if p >= 1.0 {
        return Some(Tensor::zeros(shape, options));
    }
    Some(Stream::new(ctx.seed).bernoulli(shape, 1.0 - p, options) / (1.0 - p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_expectation_and_the_seed() {
        let x = Tensor::ones([200, 50], (Kind::Double, Device::Cpu));
        let y = dropout(&x, 0.25, Ctx::train(3));
        let dropped = y.eq(0.0).sum(Kind::Double).double_value(&[]);
        assert!((dropped - 2500.0).abs() < 200.0, "{dropped}");
        let largest = y.max().double_value(&[]);
        assert!((largest - 4.0 / 3.0).abs() < 1e-12);
        assert!(!y.equal(&dropout(&x, 0.25, Ctx::train(4))));
    }

    #[test]
    fn both_ends() {
        let x = Tensor::ones([8], (Kind::Float, Device::Cpu));
        assert!(dropout(&x, 0.0, Ctx::train(1)).equal(&x));
        assert!(dropout(&x, 1.0, Ctx::train(1)).equal(&x.zeros_like()));
    }
}

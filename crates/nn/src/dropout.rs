//! Dropout from a named stream.

use tch::Tensor;

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
    if !ctx.train || p <= 0.0 {
        return x.shallow_clone();
    }
    if p >= 1.0 {
        return x * 0.0;
    }
    let mask = Stream::new(ctx.seed).bernoulli(&x.size(), 1.0 - p, (x.kind(), x.device()));
    x * (mask / (1.0 - p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

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

//! Where parameters are made, and the laws they are drawn from.

use std::fmt::Display;

use tch::{Device, Kind, Tensor, nn};

use crate::stream::{Stream, derive_seed};

/// Where a module's parameters are made: a place in a variable store and the seed of its streams.
///
/// Parameter `conv0.weight` is drawn from the stream (seed, `"conv0.weight"`), see [`derive_seed`]: adding or removing another
/// parameter shifts nothing, so a control and its learned twin start equal where they are equal. Values are drawn in `f64` and
/// rounded to the kind of the store. LibTorch's global generator is never used.
///
/// A name must be new at its place and hold no `.`, which separates the parts of a full name.
///
/// # Examples
///
/// ```
/// use coarsen_nn::Params;
/// use tch::{Device, nn::VarStore};
///
/// let store = VarStore::new(Device::Cpu);
/// let params = Params::new(&store.root(), 42).sub("conv0");
/// let weight = params.glorot("weight", &[8, 3]);
/// assert_eq!(weight.size(), [8, 3]);
/// assert!(store.variables().contains_key("conv0.weight"));
/// ```
#[derive(Debug, Clone)]
pub struct Params<'a> {
    path: nn::Path<'a>,
    seed: u64,
}

impl<'a> Params<'a> {
    /// Parameters under `root`, drawn from the streams of `seed`.
    pub fn new(root: &nn::Path<'a>, seed: u64) -> Self {
        Self { path: root.clone(), seed }
    }

    /// The place `name` below this one.
    ///
    /// # Panics
    ///
    /// If the name holds a `.`.
    #[must_use]
    pub fn sub(&self, name: impl Display) -> Self {
        Self { path: self.path.sub(name), seed: self.seed }
    }

    /// The kind new parameters have: that of the store.
    pub fn kind(&self) -> Kind {
        self.path.kind()
    }

    /// The device new parameters are on: that of the store.
    pub fn device(&self) -> Device {
        self.path.device()
    }

    /// The seed of the stream of parameter `name`: [`derive_seed`] of the initial seed and the full name.
    pub fn seed(&self, name: &str) -> u64 {
        derive_seed(self.seed, &self.path.path(name))
    }

    /// A parameter drawn from U(−limit, limit).
    pub fn uniform(&self, name: &str, shape: &[i64], limit: f64) -> Tensor {
        let values = Stream::new(self.seed(name)).uniform(shape, -limit, limit, self.options());
        self.path.add(name, values, true)
    }

    /// A parameter drawn from N(mean, deviation²).
    pub fn normal(&self, name: &str, shape: &[i64], mean: f64, deviation: f64) -> Tensor {
        let values = Stream::new(self.seed(name)).normal(shape, mean, deviation, self.options());
        self.path.add(name, values, true)
    }

    /// A parameter that starts at `value` everywhere.
    pub fn constant(&self, name: &str, shape: &[i64], value: f64) -> Tensor {
        self.path.add(name, Tensor::full(shape, value, self.options()), true)
    }

    /// Glorot's uniform law: U(−√(6/(in + out)), √(6/(in + out))).
    ///
    /// # Shapes
    ///
    /// `shape` is `[out, in]`, or `[out, in, …]` with the further axes counted in both fans, as in PyTorch.
    pub fn glorot(&self, name: &str, shape: &[i64]) -> Tensor {
        let field: i64 = shape.iter().skip(2).product();
        let fans: i64 = shape.iter().take(2).sum::<i64>() * field;
        self.uniform(name, shape, (6.0 / fans.max(1) as f64).sqrt())
    }

    /// PyTorch's law of a `Linear` layer, weight and bias alike: U(−1/√`fan_in`, 1/√`fan_in`).
    ///
    /// It is "Kaiming uniform with a = √5" for the weight, and also the law of PyG 1.4 (`uniform(in_channels, ·)`).
    pub fn fan_in(&self, name: &str, shape: &[i64], fan_in: i64) -> Tensor {
        self.uniform(name, shape, 1.0 / (fan_in.max(1) as f64).sqrt())
    }

    /// A tensor that is stored with the parameters but not trained; it starts at `value` everywhere.
    pub fn buffer(&self, name: &str, shape: &[i64], value: f64) -> Tensor {
        self.path.add(name, Tensor::full(shape, value, self.options()), false)
    }

    /// A tensor that is stored with the parameters but not trained; it starts as a copy of `values`, in the store's kind.
    pub fn buffer_from(&self, name: &str, values: &Tensor) -> Tensor {
        let (kind, device) = self.options();
        self.path.add(name, values.detach().to_device(device).to_kind(kind).copy(), false)
    }

    fn options(&self) -> (Kind, Device) {
        (self.kind(), self.device())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::nn::VarStore;

    fn store(kind: Kind) -> VarStore {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(kind);
        store
    }

    fn extent(values: &Tensor) -> f64 {
        values.abs().max().double_value(&[])
    }

    #[test]
    fn a_parameter_does_not_depend_on_what_was_made_before() {
        let (first, second) = (store(Kind::Float), store(Kind::Float));
        let alone = Params::new(&first.root(), 9).sub("b").glorot("weight", &[5, 4]);
        let params = Params::new(&second.root(), 9);
        let other = params.sub("a").glorot("weight", &[5, 4]);
        let after = params.sub("b").glorot("weight", &[5, 4]);
        assert!(alone.equal(&after) && !alone.equal(&other));
    }

    #[test]
    fn names_and_seeds_tell_parameters_apart() {
        let store = store(Kind::Double);
        let draw = |seed, name: &str| Params::new(&store.root(), seed).uniform(name, &[6], 1.0);
        assert!(!draw(1, "a").equal(&draw(1, "b")));
        assert!(!draw(1, "c").equal(&draw(2, "c")));
    }

    #[test]
    fn single_and_double_stores_agree() {
        let (single, double) = (store(Kind::Float), store(Kind::Double));
        let s = Params::new(&single.root(), 3).normal("w", &[7, 3], 0.0, 1.0);
        let d = Params::new(&double.root(), 3).normal("w", &[7, 3], 0.0, 1.0);
        assert_eq!((s.kind(), d.kind()), (Kind::Float, Kind::Double));
        assert!(s.equal(&d.to_kind(Kind::Float)));
    }

    #[test]
    fn the_laws_have_the_bounds_of_the_reference() {
        let store = store(Kind::Double);
        let params = Params::new(&store.root(), 0);
        let glorot = params.glorot("glorot", &[100, 50]);
        let limit = (6.0_f64 / 150.0).sqrt();
        assert!(extent(&glorot) <= limit && extent(&glorot) > 0.99 * limit);
        let fan_in = params.fan_in("fan_in", &[100, 25], 25);
        assert!(extent(&fan_in) <= 0.2 && extent(&fan_in) > 0.198);
        let variance = glorot.var(true).double_value(&[]);
        assert!((variance - limit * limit / 3.0).abs() < 0.05 * limit * limit, "{variance}");
    }

    #[test]
    fn buffers_are_stored_and_not_trained() {
        let store = store(Kind::Float);
        let params = Params::new(&store.root(), 0).sub("norm");
        let mean = params.buffer("running_mean", &[2], 0.0);
        let given = Tensor::from_slice(&[1.0_f64, 2.0]);
        let copied = params.buffer_from("given", &given);
        let weight = params.constant("weight", &[2], 1.0);
        assert!(weight.requires_grad() && !mean.requires_grad() && !copied.requires_grad());
        assert_eq!(copied.kind(), Kind::Float);
        assert_eq!((store.variables().len(), store.trainable_variables().len()), (3, 1));
    }
}

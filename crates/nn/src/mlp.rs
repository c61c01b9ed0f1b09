//! The multi-layer perceptron.

use tch::Tensor;

use crate::activation::Activation;
use crate::batch_norm::BatchNorm;
use crate::ctx::Ctx;
use crate::linear::Linear;
use crate::params::Params;

/// Linear layers with an activation, and where asked for a batch norm before it, between them.
///
/// `Linear[-BatchNorm]-Activation-…-Linear`: nothing follows the last layer. Parameters `0.weight`, `0.bias`, `1.weight`, … of the
/// linear layers, and `norm0.weight`, … of the batch norms.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Activation, Ctx, Mlp, Params};
/// use tch::{Device, Kind, Tensor, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let mlp = Mlp::with_batch_norm(&Params::new(&store.root(), 1), &[3, 16, 2], Activation::Relu);
/// let y = mlp.forward(&Tensor::ones([5, 3], (Kind::Float, Device::Cpu)), None, Ctx::eval());
/// assert_eq!(y.size(), [5, 2]);
/// ```
#[derive(Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
    norms: Vec<BatchNorm>,
    activation: Activation,
}

impl Mlp {
    /// Linear layers and activations.
    ///
    /// # Shapes
    ///
    /// `widths`: input, hidden layers, output.
    ///
    /// # Panics
    ///
    /// If there are fewer than two widths.
    pub fn new(p: &Params, widths: &[i64], activation: Activation) -> Self {
        assert!(widths.len() >= 2, "an MLP needs an input and an output width, got {widths:?}");
        let layers = widths.windows(2).enumerate().map(|(i, w)| Linear::new(&p.sub(i), w[0], w[1])).collect();
        Self { layers, norms: Vec::new(), activation }
    }

    /// The same with a batch norm before each activation.
    ///
    /// # Panics
    ///
    /// If there are fewer than two widths.
    pub fn with_batch_norm(p: &Params, widths: &[i64], activation: Activation) -> Self {
        let plain = Self::new(p, widths, activation);
        let hidden = &widths[1..widths.len() - 1];
        let norms =
            hidden.iter().enumerate().map(|(i, &w)| BatchNorm::new(&p.sub(format!("norm{i}")), w)).collect();
        Self { norms, ..plain }
    }

    /// The output for every row.
    ///
    /// # Shapes
    ///
    /// `x`: `[…, in]` → `[…, out]`; `mask` as for [`BatchNorm::forward`]. Masked rows are not data to a batch norm; what stands
    /// in them afterwards has no meaning.
    ///
    /// # Complexity
    ///
    /// Time O(rows · Σ widths · next widths).
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>, ctx: Ctx) -> Tensor {
        self.activated(x, mask, Activation::Identity, ctx)
    }

    /// The output behind one more activation.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward).
    pub fn activated(&self, x: &Tensor, mask: Option<&Tensor>, act: Activation, ctx: Ctx) -> Tensor {
        self.layers_from(0, x.shallow_clone(), mask, act, ctx)
    }

    /// The first layer, for callers that propagate between its product and its bias.
    pub fn first(&self) -> &Linear {
        &self.layers[0]
    }

    /// What follows the first layer, and one more activation.
    ///
    /// # Shapes
    ///
    /// `y`: `[…, width of the first layer's output]` → `[…, out]`; `mask` as for [`forward`](Self::forward).
    pub fn after_first(&self, y: &Tensor, mask: Option<&Tensor>, act: Activation, ctx: Ctx) -> Tensor {
        if self.layers.len() == 1 {
            return act.apply(y);
        }
        let x = match self.norms.first() {
            Some(norm) => norm.activated(y, mask, self.activation, ctx),
            None => self.activation.apply(y),
        };
        self.layers_from(1, x, mask, act, ctx)
    }

    fn layers_from(
        &self,
        start: usize,
        x: Tensor,
        mask: Option<&Tensor>,
        act: Activation,
        ctx: Ctx,
    ) -> Tensor {
        let last = self.layers.len() - 1;
        (start..).zip(&self.layers[start..]).fold(x, |x, (i, layer)| match self.norms.get(i) {
            _ if i == last => layer.activated(&x, act),
            Some(norm) => norm.activated(&layer.forward(&x), mask, self.activation, ctx),
            None => layer.activated(&x, self.activation),
        })
    }

    /// Width of what goes out.
    pub fn out_features(&self) -> i64 {
        self.layers[self.layers.len() - 1].out_features()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, nn::VarStore};

    #[test]
    fn parameters_are_named_by_their_layer() {
        let store = VarStore::new(Device::Cpu);
        let mlp =
            Mlp::with_batch_norm(&Params::new(&store.root(), 1).sub("mlp"), &[2, 3, 4, 5], Activation::Elu);
        assert_eq!(mlp.out_features(), 5);
        let mut names: Vec<String> = store.variables().into_keys().collect();
        names.sort();
        let of = |place: &str, fields: &[&str]| fields.iter().map(|f| format!("mlp.{place}.{f}")).collect();
        let linear = ["bias", "weight"];
        let norm = ["bias", "running_mean", "running_var", "weight"];
        let want: [Vec<String>; 5] =
            [of("0", &linear), of("1", &linear), of("2", &linear), of("norm0", &norm), of("norm1", &norm)];
        assert_eq!(names, want.concat());
    }

    #[test]
    fn values_by_hand() {
        let linear = |w: f64, b: f64| Linear {
            weight: Tensor::from_slice2(&[[w]]),
            bias: Some(Tensor::from_slice(&[b])),
        };
        let layers = vec![linear(2.0, -1.0), linear(3.0, 0.5)];
        let mlp = Mlp { layers, norms: Vec::new(), activation: Activation::Relu };
        let y = mlp.forward(&Tensor::from_slice2(&[[0.0], [2.0]]), None, Ctx::eval());
        assert_eq!(Vec::<f64>::try_from(y.view([-1])).unwrap(), [0.5, 9.5]); // 3·max(2x − 1, 0) + 0.5
    }
}

//! The affine map.

use coarsen_tensor::{Act, affine};
use tch::Tensor;

use crate::activation::Activation;
use crate::params::Params;

/// `x ↦ x Wᵀ + b`.
///
/// Parameters `weight` and `bias`.
///
/// # Examples
///
/// ```
/// use coarsen_nn::{Linear, Params};
/// use tch::{Device, Kind, Tensor, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let linear = Linear::new(&Params::new(&store.root(), 1), 3, 2);
/// assert_eq!(linear.forward(&Tensor::ones([5, 3], (Kind::Float, Device::Cpu))).size(), [5, 2]);
/// ```
#[derive(Debug)]
pub struct Linear {
    /// `W`, `[out, in]`.
    pub weight: Tensor,
    /// `b`, `[out]`; `None` is 0.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// With PyTorch's law for weight and bias, [`Params::fan_in`].
    pub fn new(p: &Params, inputs: i64, outputs: i64) -> Self {
        Self { bias: Some(p.fan_in("bias", &[outputs], inputs)), ..Self::unbiased(p, inputs, outputs) }
    }

    /// With PyTorch's law for the weight, and no bias.
    pub fn unbiased(p: &Params, inputs: i64, outputs: i64) -> Self {
        Self { weight: p.fan_in("weight", &[outputs, inputs], inputs), bias: None }
    }

    /// With [Glorot's law](Params::glorot) for the weight and a bias that starts at 0.
    pub fn glorot(p: &Params, inputs: i64, outputs: i64) -> Self {
        Self { bias: Some(p.constant("bias", &[outputs], 0.0)), ..Self::glorot_unbiased(p, inputs, outputs) }
    }

    /// With [Glorot's law](Params::glorot) for the weight, and no bias.
    pub fn glorot_unbiased(p: &Params, inputs: i64, outputs: i64) -> Self {
        Self { weight: p.glorot("weight", &[outputs, inputs]), bias: None }
    }

    /// `x Wᵀ + b`.
    ///
    /// # Shapes
    ///
    /// `[…, in]` → `[…, out]`.
    ///
    /// # Complexity
    ///
    /// Time O(rows · in · out).
    pub fn forward(&self, x: &Tensor) -> Tensor {
        affine(&[(x, &self.weight)], self.bias.as_ref(), Act::Identity)
    }

    /// `act(x Wᵀ + b)`, bias and activation in one pass.
    ///
    /// # Shapes
    ///
    /// `[…, in]` → `[…, out]`.
    pub fn activated(&self, x: &Tensor, act: Activation) -> Tensor {
        act.after(|act| affine(&[(x, &self.weight)], self.bias.as_ref(), act))
    }

    /// `x Wᵀ`: the map without its bias, which goes before a propagation.
    ///
    /// # Shapes
    ///
    /// `[…, in]` → `[…, out]`.
    pub fn multiply(&self, x: &Tensor) -> Tensor {
        affine(&[(x, &self.weight)], None, Act::Identity)
    }

    /// `y + b`: the bias alone, which goes after a propagation.
    ///
    /// # Shapes
    ///
    /// `[…, out]`; kept.
    pub fn shift(&self, y: Tensor) -> Tensor {
        match &self.bias {
            Some(bias) => y + bias,
            None => y,
        }
    }

    /// Width of what comes in.
    pub fn in_features(&self) -> i64 {
        self.weight.size()[1]
    }

    /// Width of what goes out.
    pub fn out_features(&self) -> i64 {
        self.weight.size()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, nn::VarStore};

    #[test]
    fn values_by_hand() {
        let linear = Linear {
            weight: Tensor::from_slice2(&[[1.0_f64, 2.0], [0.0, -1.0], [3.0, 0.0]]),
            bias: Some(Tensor::from_slice(&[10.0_f64, 20.0, 30.0])),
        };
        let x = Tensor::from_slice2(&[[1.0_f64, 1.0]]);
        assert!(linear.forward(&x).equal(&Tensor::from_slice2(&[[13.0_f64, 19.0, 33.0]])));
        assert!(linear.shift(linear.multiply(&x)).equal(&linear.forward(&x)));
        assert_eq!((linear.in_features(), linear.out_features()), (2, 3));
    }

    #[test]
    fn constructors_start_as_the_references_do() {
        let store = VarStore::new(Device::Cpu);
        let params = Params::new(&store.root(), 0);
        let extent = |t: &Tensor| t.abs().max().double_value(&[]);

        let torch = Linear::new(&params.sub("torch"), 16, 64);
        assert!(extent(&torch.weight) <= 0.25 && extent(&torch.weight) > 0.24);
        let bias = torch.bias.expect("has a bias");
        assert!(extent(&bias) <= 0.25 && extent(&bias) > 0.2);

        let glorot = Linear::glorot(&params.sub("glorot"), 16, 8);
        assert!(extent(&glorot.weight) <= 0.5 && extent(&glorot.weight) > 0.45);
        assert!(extent(&glorot.bias.expect("has a bias")) < f64::MIN_POSITIVE);
        assert!(Linear::unbiased(&params.sub("free"), 2, 2).bias.is_none());
    }
}

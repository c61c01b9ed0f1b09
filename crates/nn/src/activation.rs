//! Element-wise functions between layers.

use coarsen_tensor::Act;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// An element-wise function.
///
/// # Examples
///
/// ```
/// use coarsen_nn::Activation;
/// use tch::Tensor;
/// let y = Activation::Relu.apply(&Tensor::from_slice(&[-1.0f32, 2.0]));
/// assert_eq!(Vec::<f32>::try_from(y)?, [0.0, 2.0]);
/// # Ok::<(), tch::TchError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x`.
    Identity,
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x` above 0, `slope · x` below; written `{"leaky-relu": 0.2}`.
    LeakyRelu(f64),
    /// `x` above 0, `eˣ − 1` below.
    Elu,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
}

impl Activation {
    /// The function of every element.
    ///
    /// # Shapes
    ///
    /// Any; kept.
    pub fn apply(self, x: &Tensor) -> Tensor {
        match self {
            Self::Identity => x.shallow_clone(),
            Self::Relu => x.relu(),
            Self::LeakyRelu(slope) => x.where_self(&x.ge(0.0), &(x * slope)),
            Self::Elu => x.elu(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => x.sigmoid(),
        }
    }

    /// The function behind an operation that can apply some functions in its own last pass.
    ///
    /// `operation` gets what it has to apply, and does; the functions it does not know follow here.
    pub fn after(self, operation: impl FnOnce(Act) -> Tensor) -> Tensor {
        match self {
            Self::Identity => operation(Act::Identity),
            Self::Relu => operation(Act::Relu),
            Self::Elu => operation(Act::Elu),
            Self::Tanh => operation(Act::Tanh),
            other => other.apply(&operation(Act::Identity)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(activation: Activation, want: [f64; 3]) {
        let y = activation.apply(&Tensor::from_slice(&[-2.0_f64, 0.0, 3.0]));
        let got = Vec::<f64>::try_from(y).unwrap();
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12), "{activation:?}: {got:?}");
    }

    #[test]
    fn values_by_hand() {
        check(Activation::Identity, [-2.0, 0.0, 3.0]);
        check(Activation::Relu, [0.0, 0.0, 3.0]);
        check(Activation::LeakyRelu(0.2), [-0.4, 0.0, 3.0]);
        check(Activation::LeakyRelu(2.0), [-4.0, 0.0, 3.0]);
        check(Activation::Elu, [(-2.0_f64).exp() - 1.0, 0.0, 3.0]);
        check(Activation::Tanh, [(-2.0_f64).tanh(), 0.0, 3.0_f64.tanh()]);
        check(Activation::Sigmoid, [1.0 / (1.0 + 2.0_f64.exp()), 0.5, 1.0 / (1.0 + (-3.0_f64).exp())]);
    }

    #[test]
    fn written_as_text() {
        let text = |a: Activation| serde_json::to_string(&a).unwrap();
        assert_eq!(text(Activation::Relu), r#""relu""#);
        assert_eq!(text(Activation::LeakyRelu(0.2)), r#"{"leaky-relu":0.2}"#);
    }
}

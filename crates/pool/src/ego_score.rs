//! The score of two rows that AdamGNN's three attentions are made of.

use coarsen_nn::{Activation, Linear, Params};
use coarsen_tensor::projections;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Where the attention vector stands in a score of two rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attention {
    /// Behind the nonlinearity: `aᵀ leaky([W x ‖ W y])`, as printed.
    #[default]
    VectorLast,
    /// In front of it: `leaky(w [x ‖ y] + b)`, as released.
    VectorFirst,
}

/// A score of two rows `x` and `y`, made of a share of each: no pair of rows is ever put side by side.
///
/// Parameters `weight` and `vector` of [`Attention::VectorLast`], `weight` and `bias` of [`Attention::VectorFirst`].
///
/// # Examples
///
/// ```
/// use coarsen_nn::Params;
/// use coarsen_pool::ego_score::{Attention, PairScore};
/// use tch::{Device, Kind, Tensor, nn::VarStore};
/// let store = VarStore::new(Device::Cpu);
/// let score = PairScore::new(Attention::VectorLast, &Params::new(&store.root(), 1), (3, 5), 0.2);
/// let x = Tensor::ones([4, 3], (Kind::Float, Device::Cpu));
/// assert_eq!((score.shares(&x).size(), score.slope()), (vec![4, 2], None));
/// ```
#[derive(Debug)]
pub struct PairScore {
    maps: Maps,
    slope: f64,
}

#[derive(Debug)]
enum Maps {
    VectorLast { linear: Linear, vector: Tensor },
    VectorFirst(Linear),
}

impl PairScore {
    /// Makes the parameters for rows of `features` numbers, which [`Attention::VectorLast`] maps to `width` numbers; `slope` is that
    /// of the leaky ReLU below 0.
    pub fn new(form: Attention, p: &Params, (features, width): (i64, i64), slope: f64) -> Self {
        let maps = match form {
            Attention::VectorLast => Maps::VectorLast {
                linear: Linear::unbiased(p, features, width),
                vector: p.fan_in("vector", &[2 * width], 2 * width),
            },
            Attention::VectorFirst => Maps::VectorFirst(Linear::new(p, 2 * features, 1)),
        };
        Self { maps, slope }
    }

    /// What each row adds to a score as the first of a pair, and as the second.
    ///
    /// # Shapes
    ///
    /// `[N, F]` → `[N, 2]`.
    ///
    /// # Complexity
    ///
    /// Time `O(N F width)` of [`Attention::VectorLast`], `O(N F)` of [`Attention::VectorFirst`].
    pub fn shares(&self, x: &Tensor) -> Tensor {
        match &self.maps {
            Maps::VectorLast { linear, vector } => {
                let mapped = linear.activated(x, Activation::LeakyRelu(self.slope));
                projections(&mapped, &vector.view([2, -1]), None)
            }
            Maps::VectorFirst(linear) => projections(x, &linear.weight.view([2, -1]), linear.bias.as_ref()),
        }
    }

    /// Slope below 0 of the leaky ReLU over the sum of two shares; `None`: the sum is the score.
    pub fn slope(&self) -> Option<f64> {
        match &self.maps {
            Maps::VectorLast { .. } => None,
            Maps::VectorFirst(_) => Some(self.slope),
        }
    }
}

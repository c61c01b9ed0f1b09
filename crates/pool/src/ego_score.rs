//! The score of two rows that AdamGNN's three attentions are made of.

use coarsen_nn::{Activation, Linear, Params};
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
/// assert_eq!(score.of(&(score.first(&x) + score.second(&x))).size(), [4]);
/// ```
#[derive(Debug)]
pub struct PairScore {
    maps: Maps,
    leaky: Activation,
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
        Self { maps, leaky: Activation::LeakyRelu(slope) }
    }

    /// The share of the first row of each pair.
    ///
    /// # Shapes
    ///
    /// `[N, F]` → `[N]`.
    pub fn first(&self, x: &Tensor) -> Tensor {
        match &self.maps {
            Maps::VectorLast { .. } => self.share(x, 0),
            Maps::VectorFirst(linear) => linear.shift(self.share(x, 0)),
        }
    }

    /// The share of the second row of each pair.
    ///
    /// # Shapes
    ///
    /// `[N, F]` → `[N]`.
    pub fn second(&self, y: &Tensor) -> Tensor {
        self.share(y, 1)
    }

    /// The score of which two shares are the sum.
    ///
    /// # Shapes
    ///
    /// Any; kept.
    pub fn of(&self, sum: &Tensor) -> Tensor {
        match &self.maps {
            Maps::VectorLast { .. } => sum.shallow_clone(),
            Maps::VectorFirst(_) => self.leaky.apply(sum),
        }
    }

    fn share(&self, x: &Tensor, half: i64) -> Tensor {
        let half_of = |t: &Tensor| {
            let width = t.numel() as i64 / 2;
            t.reshape(-1).narrow(0, half * width, width)
        };
        match &self.maps {
            Maps::VectorLast { linear, vector } => linear.activated(x, self.leaky).mv(&half_of(vector)),
            Maps::VectorFirst(linear) => x.mv(&half_of(&linear.weight)),
        }
    }
}

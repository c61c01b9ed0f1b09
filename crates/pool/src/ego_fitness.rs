//! The fitness of a node for an ego-network: what AdamGNN learns.

use coarsen_tensor::{Memberships, unit_rows};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::ego_score::{Attention, PairScore};

/// What the fitness looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inputs {
    /// The features, as printed.
    #[default]
    Raw,
    /// The features divided by their norm, as released.
    Unit,
}

impl Inputs {
    fn of(self, h: &Tensor) -> Tensor {
        match self {
            Self::Raw => h.shallow_clone(),
            Self::Unit => unit_rows(h),
        }
    }
}

/// `f^c`: how like two nodes are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Similarity {
    /// `sigmoid(h_jᵀ h_i)`, as printed.
    #[default]
    Sigmoid,
    /// The softmax of `h_jᵀ h_i` over the egos of the member, as released.
    Softmax,
}

/// `φ_ij`: how the two factors are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combined {
    /// `f^s f^c`, as printed.
    #[default]
    Product,
    /// The softmax of `f^s f^c` over the egos of the member, as released.
    Softmax,
}

/// The choices that make `φ`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fitness {
    pub(crate) inputs: Inputs,
    pub(crate) attention: Attention,
    pub(crate) similarity: Similarity,
    pub(crate) combined: Combined,
}

impl Fitness {
    /// `φ_ij` of each pair of a member `j` and an ego `i`, `[pairs]`.
    pub(crate) fn of_pairs(self, pairs: &Memberships, h: &Tensor, score: &PairScore) -> Tensor {
        let h = self.inputs.of(h);
        let of_egos = pairs.of_egos(&score.second(&h));
        let sum = match self.attention {
            // The share of the member is the same for all of its egos: the softmax does not see it.
            Attention::VectorLast => of_egos,
            Attention::VectorFirst => pairs.of_members(&score.first(&h)) + of_egos,
        };
        let structural = pairs.softmax_over_egos(&score.of(&sum));
        let like = pairs.similarities(&h);
        let like = match self.similarity {
            Similarity::Sigmoid => like.sigmoid(),
            Similarity::Softmax => pairs.softmax_over_egos(&like),
        };
        let product = structural * like;
        match self.combined {
            Combined::Product => product,
            Combined::Softmax => pairs.softmax_over_egos(&product),
        }
    }
}

//! The fitness of a node for an ego-network: what AdamGNN learns.

use coarsen_tensor::{Joint, Likeness, Memberships, Shares, unit_rows};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::ego_score::PairScore;

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
    pub(crate) similarity: Similarity,
    pub(crate) combined: Combined,
}

impl Fitness {
    /// `φ_ij` of each pair of a member `j` and an ego `i`, `[pairs]`.
    pub(crate) fn of_pairs(self, pairs: &Memberships, h: &Tensor, score: &PairScore) -> Tensor {
        let h = self.inputs.of(h);
        let likeness = match self.similarity {
            Similarity::Sigmoid => Likeness::Sigmoid,
            Similarity::Softmax => Likeness::Softmax,
        };
        let joint = match self.combined {
            Combined::Product => Joint::Product,
            Combined::Softmax => Joint::Softmax,
        };
        pairs.fitness(&Shares { of: &score.shares(&h), slope: score.slope() }, &h, likeness, joint)
    }
}

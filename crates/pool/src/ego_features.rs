//! The features of a hyper-node: what AdamGNN gathers of an ego-network.

use coarsen_nn::{Ctx, dropout_mask};
use coarsen_tensor::{Networks, Shares, Weighing, unit_rows};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::ego_score::{Attention, PairScore};

/// What a hyper-node gathers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Features {
    /// `h_i + Σ_j α_ij h_j` with `α_ij` the softmax, over the members `j` and the ego itself, of `aᵀ leaky([W φ_ij h_j ‖ W h_i])`, as
    /// printed.
    #[default]
    Residual,
    /// `Σ_j α_ij S_ji h_j` over the members and the ego, with `α_ij` the softmax over them of `leaky(w [h_j ‖ h_i] + b)`, as released.
    Message,
}

impl Features {
    /// How the attention of this form scores.
    pub(crate) fn attention(self) -> Attention {
        match self {
            Self::Residual => Attention::VectorLast,
            Self::Message => Attention::VectorFirst,
        }
    }

    /// `[K, F]` of the features `h: [N, F]` and `φ: [pairs]`.
    pub(crate) fn gather(
        self,
        networks: &Networks,
        (h, phi): (&Tensor, &Tensor),
        score: &PairScore,
        (rate, ctx): (f64, Ctx),
    ) -> Tensor {
        let weighing = match self {
            // A leaky ReLU keeps factors above 0, so that φ stands in front of it as well.
            Self::Residual => Weighing::Scaled,
            Self::Message => Weighing::Scaling,
        };
        let keep = dropout_mask(&[networks.entries()], rate, ctx, (h.kind(), h.device()));
        let shares = Shares { of: &score.shares(h), slope: score.slope() };
        let weight = networks.weights(weighing, &shares, phi, keep.as_ref());
        networks.gather(&weight, h)
    }
}

/// What a hyper-node's features go through at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// Nothing, as printed.
    #[default]
    Raw,
    /// They are divided by their norm, as released.
    Unit,
}

impl Rows {
    pub(crate) fn of(self, x: Tensor) -> Tensor {
        match self {
            Self::Raw => x,
            Self::Unit => unit_rows(&x),
        }
    }
}

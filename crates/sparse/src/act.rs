//! What is applied to each number of a row before it is written.

use crate::scalar::Scalar;

/// Applied to each number of a row before it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Act {
    /// `x`
    #[default]
    Identity,
    /// `max(x, 0)`; NaN stays NaN. The gradient at 0 is 0.
    Relu,
}

impl Act {
    /// `act(x)`
    #[inline(always)]
    pub(crate) fn of<T: Scalar>(self, x: T) -> T {
        match self {
            Self::Identity => x,
            Self::Relu => {
                if x < T::ZERO {
                    T::ZERO
                } else {
                    x
                }
            }
        }
    }

    /// `grad act'(x)`, told by `y = act(x)`.
    #[inline(always)]
    pub(crate) fn gradient<T: Scalar>(self, y: T, grad: T) -> T {
        match self {
            Self::Identity => grad,
            Self::Relu => {
                if y <= T::ZERO {
                    T::ZERO
                } else {
                    grad
                }
            }
        }
    }
}

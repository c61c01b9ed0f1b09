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
    /// `x` above 0, `eˣ − 1` below.
    Elu,
    /// The hyperbolic tangent.
    Tanh,
}

/// Runs the body once for the activation at hand, as a constant: a loop inside of it is written for that one alone.
macro_rules! by_act {
    ($act:expr, $A:ident => $body:expr) => {
        match $act {
            crate::act::Act::Identity => by_act!(@ Identity, $A => $body),
            crate::act::Act::Relu => by_act!(@ Relu, $A => $body),
            crate::act::Act::Elu => by_act!(@ Elu, $A => $body),
            crate::act::Act::Tanh => by_act!(@ Tanh, $A => $body),
        }
    };
    (@ $name:ident, $A:ident => $body:expr) => {{
        const $A: crate::act::Act = crate::act::Act::$name;
        $body
    }};
}

pub(crate) use by_act;

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
            Self::Elu => {
                if x > T::ZERO {
                    x
                } else {
                    x.exp_m1()
                }
            }
            Self::Tanh => {
                // tanh |x| = −t / (t + 2) with t = e^(−2|x|) − 1, which cancels nowhere.
                let below = x < T::ZERO;
                let size = if below { x } else { T::ZERO - x };
                let t = (size + size).exp_m1();
                let y = t / (t + T::ONE + T::ONE);
                if below { y } else { T::ZERO - y }
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
            Self::Elu => {
                if y > T::ZERO {
                    grad
                } else {
                    grad * (y + T::ONE)
                }
            }
            Self::Tanh => grad * (T::ONE - y * y),
        }
    }
}

//! Degrees, and adjacencies scaled by them.

use std::ffi::CStr;
use std::sync::Arc;

use coarsen_sparse::rows;
use tch::{Tensor, no_grad};

use crate::adjacency::{Adjacency, Padded, Sparse};
use crate::autograd::{Function, record};
use crate::executor::TorchPool;
use crate::view::{Dense, Real, by_kind, filled, filled_beside, on_host};

/// How an adjacency is scaled by its degrees.
///
/// `floor` is the least degree that counts: dense references clamp it at 1, sparse ones leave it (0), and then a node
/// without edges keeps a zero row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Norm {
    /// As it is.
    None,
    /// `D^-½ A D^-½`.
    Symmetric {
        /// Least degree.
        floor: f64,
    },
    /// `D^-1 A`: rows sum to 1.
    Row {
        /// Least degree.
        floor: f64,
    },
    /// `A D^-1`: what a node sends is divided by what it receives in all.
    Column {
        /// Least degree.
        floor: f64,
    },
}

impl Norm {
    /// What a node of this degree scales its edges by; 0 for a degree of 0 that no floor lifts.
    pub(crate) fn scale(self, degree: f64) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Symmetric { floor } | Self::Row { floor } | Self::Column { floor }
                if degree.max(floor) <= 0.0 =>
            {
                0.0
            }
            Self::Symmetric { floor } => 1.0 / degree.max(floor).sqrt(),
            Self::Row { floor } | Self::Column { floor } => 1.0 / degree.max(floor),
        }
    }
}

impl Adjacency {
    /// Row sums: what every node receives in all.
    ///
    /// # Shapes
    ///
    /// `[N]` or `[B, N]`.
    pub fn degree(&self) -> Tensor {
        match self {
            Self::Sparse(s) => self.matmul(&Tensor::ones([s.pattern.nodes()], s.options)),
            Self::Dense(p) => row_sums(&p.a).squeeze_dim(-1),
        }
    }

    /// Scaled by its degrees; see [`Norm`]. Unit edges get weights that are made once for their pattern and shared.
    #[must_use]
    pub fn normalized(&self, norm: Norm) -> Self {
        match (self, norm) {
            (_, Norm::None) => self.shallow_clone(),
            (Self::Sparse(s @ Sparse { weight: None, .. }), _) => {
                Self::Sparse(s.with_weight(s.pattern.unit_weights(norm, s.options)))
            }
            (Self::Dense(p), Norm::Row { floor }) => Self::Dense(p.with_squares(averaged(&p.a, floor))),
            (_, Norm::Row { floor }) => self.scaled_rows(&inverse(&self.degree().clamp_min(floor), -1.0)),
            (_, Norm::Column { floor }) => self.scaled_cols(&inverse(&self.degree().clamp_min(floor), -1.0)),
            (_, Norm::Symmetric { floor }) => {
                let scale = inverse(&self.degree().clamp_min(floor), -0.5);
                self.scaled_rows(&scale).scaled_cols(&scale)
            }
        }
    }

    /// `diag(scale) A`.
    ///
    /// # Shapes
    ///
    /// `scale: [N]`, or `[B, N]` of a dense level.
    #[must_use]
    pub fn scaled_rows(&self, scale: &Tensor) -> Self {
        match self {
            Self::Sparse(s) => Self::Sparse(s.scaled(&scale.index_select(0, &s.pattern.row(s.options.1)))),
            Self::Dense(p) => Self::Dense(p.with_squares(&p.a * scale.unsqueeze(-1))),
        }
    }

    fn scaled_cols(&self, scale: &Tensor) -> Self {
        match self {
            Self::Sparse(s) => Self::Sparse(s.scaled(&scale.index_select(0, &s.pattern.col(s.options.1)))),
            Self::Dense(p) => Self::Dense(p.with_squares(&p.a * scale.unsqueeze(-2))),
        }
    }
}

impl Sparse {
    fn with_weight(&self, weight: Tensor) -> Self {
        let attr = self.attr.as_ref().map(Tensor::shallow_clone);
        Self { pattern: Arc::clone(&self.pattern), weight: Some(weight), attr, options: self.options }
    }

    /// Weights times `by`, `[E]`.
    fn scaled(&self, by: &Tensor) -> Self {
        self.with_weight(self.weight.as_ref().map_or_else(|| by.shallow_clone(), |w| w * by))
    }
}

impl Padded {
    fn with_squares(&self, a: Tensor) -> Self {
        Self { a, mask: self.mask.as_ref().map(Tensor::shallow_clone) }
    }
}

/// `[B, N, N]` → `[B, N, 1]`.
fn row_sums(a: &Tensor) -> Tensor {
    a.sum_dim_intlist([-1i64].as_slice(), true, a.kind())
}

/// `d^power`, and 0 where `d` is 0, with zero gradient there.
fn inverse(degree: &Tensor, power: f64) -> Tensor {
    let none = degree.eq(0.0);
    degree.masked_fill(&none, 1.0).pow_tensor_scalar(power).masked_fill(&none, 0.0)
}

/// Rows divided by their sums, or by the floor where that is larger; one recorded operation on the CPU.
///
/// # Shapes
///
/// `a: [B, N, N]`, kept.
fn averaged(a: &Tensor, floor: f64) -> Tensor {
    if !on_host(a) {
        return a * inverse(&row_sums(a).clamp_min(floor), -1.0);
    }
    let (y, sums) = no_grad(|| {
        by_kind!(a.kind(), T => {
            let (a, width) = (Dense::new(a), width(a));
            filled_beside(&a.size(), &a.size()[..2], |y, sums| {
                rows::share(&TorchPool, width, a.slice::<T>(), T::real(floor), y, sums);
            })
        })
    });
    let saved = Averaged { y: y.shallow_clone(), sums, floor };
    record(&[a], y, saved)
}

struct Averaged {
    y: Tensor,
    /// Of the rows before.
    sums: Tensor,
    floor: f64,
}

impl Function for Averaged {
    const NAME: &'static CStr = c"rows divided by their sums";

    fn backward(&self, grads: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
        vec![grads[0].as_ref().map(|grad| {
            by_kind!(grad.kind(), T => {
                let [grad, y, sums] = [grad, &self.y, &self.sums].map(Dense::new);
                let of_rows = (y.slice::<T>(), sums.slice::<T>());
                filled(&grad.size(), |da| {
                    rows::share_backward(&TorchPool, width(&self.y), of_rows, T::real(self.floor), grad.slice(), da);
                })
            })
        })]
    }
}

fn width(a: &Tensor) -> usize {
    a.size()[2] as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_both_close, ramp};

    #[test]
    fn averaged_rows_have_the_gradient_of_the_quotient() {
        for floor in [0.0, 0.5] {
            let run = |f: &dyn Fn(&Tensor) -> Tensor| {
                let a = ramp(&[2, 3, 3], 0.9).square().detach().set_requires_grad(true);
                let y = f(&a);
                (&y * ramp(&[2, 3, 3], 1.1).detach()).sum(None).backward();
                [y.detach(), a.grad()]
            };
            let plain = |a: &Tensor| a / row_sums(a).clamp_min(floor);
            assert_both_close(|| run(&|a| averaged(a, floor)), &run(&plain), 1e-12);
        }
    }
}

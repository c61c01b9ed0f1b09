//! How far two ways of computing one number may differ: by rounding, times what the operator makes of it.

use std::sync::Arc;

use coarsen_nn::Ctx;
use coarsen_tensor::{Adjacency, Level, Sparse};
use tch::{Tensor, no_grad};

use crate::compare::largest;
use crate::laws::Laws;
use crate::subject::{Built, Subject, as_it_is};

/// How far a number is moved, as a share of it, to see how far the operator moves what it gives.
///
/// Small enough that no score which does not tie passes another, large beside rounding.
const NUDGE: f64 = 1e-10;

/// So many times as much as what is moved outside may be made of rounding inside: StructPool divides by sums of either sign, five times over.
const INSIDE: f64 = 1e4;

/// Sums behind each other for each parameter of an operator, and in one that has none: normalise, gather, multiply, select, and again where an
/// operator applies its parameters several times.
const STEPS: usize = 32;

/// What is allowed: `max|got − want| ≤ tolerance · max(1, max|want|)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance {
    pub(crate) values: f64,
    pub(crate) gradients: f64,
}

impl Tolerance {
    /// The same bits.
    pub(crate) const NONE: Self = Self { values: 0.0, gradients: 0.0 };

    /// What rounding does to `d` sums of `n` numbers behind each other: `d n ε`, where `n` is how many numbers come in.
    fn of_rounding<M: Subject + ?Sized>(built: &Built<M>, g: &Level) -> Self {
        let depth = STEPS * (1 + built.parameters().len());
        let bound = depth as f64 * g.x.numel().max(1) as f64 * f64::EPSILON;
        Self { values: bound, gradients: bound }
    }

    /// The same of an operator that makes this much of what moves its input, and no more than `laws` ever allow.
    fn of_condition(self, condition: Self, laws: &Laws) -> Self {
        let least = |most: f64, bound: f64| if most.is_infinite() { most } else { most.min(bound) };
        Self {
            values: least(laws.tolerance, self.values * condition.values),
            gradients: least(laws.gradient_tolerance, self.gradients * condition.gradients),
        }
    }
}

/// Asks `compare` with what rounding alone allows; where that objects, with what it allows times the operator's condition for this batch.
///
/// The condition takes two more passes, and is seldom needed: it is large behind a batch norm without spread, or an inverse root. What an
/// operator loses by rounding of its own counts as condition, too, so that only the upper bounds of [`Laws`] see it.
///
/// # Errors
///
/// The second objection of `compare`.
pub(crate) fn agree<M: Subject + ?Sized>(
    (built, g, ctx): (&Built<M>, &Level, Ctx),
    laws: &Laws,
    compare: impl Fn(Tolerance) -> Result<(), String>,
) -> Result<(), String> {
    let least = Tolerance::of_rounding(built, g);
    compare(least).or_else(|_| compare(least.of_condition(condition(built, g, ctx), laws)))
}

/// By how much more than the features, the edge weights and the parameters what the operator gives is moved when they are, each by a share of
/// [`NUDGE`] at most; infinite where it has another shape then.
fn condition<M: Subject + ?Sized>(built: &Built<M>, g: &Level, ctx: Ctx) -> Tolerance {
    let was = built.observe(g, &as_it_is, ctx);
    let parameters = built.parameters();
    let before: Vec<Tensor> = parameters.iter().map(|(_, p)| p.detach().copy()).collect();
    let set = |to: &dyn Fn(&Tensor) -> Tensor| {
        no_grad(|| {
            for ((_, p), was) in parameters.iter().zip(&before) {
                p.shallow_clone().copy_(&to(was));
            }
        });
    };
    set(&nudged);
    let is = built.observe(&nudged_level(g), &as_it_is, ctx);
    set(&Tensor::shallow_clone);
    Tolerance {
        values: 1.0 + INSIDE * apart(&is.values(), &was.values()) / NUDGE,
        gradients: 1.0 + INSIDE * apart(&is.all_gradients(), &was.all_gradients()) / NUDGE,
    }
}

/// Every number moved by a share of its own; equal ones alike, so that what is symmetric and what ties stays so.
fn nudged(t: &Tensor) -> Tensor {
    t + t * (t * 1e3).cos() * NUDGE
}

fn nudged_level(g: &Level) -> Level {
    let Adjacency::Sparse(a) = &g.adj else { unreachable!("cases are sparse") };
    let adj = Sparse::new(Arc::clone(&a.pattern), a.weight.as_ref().map(nudged), a.options);
    Level::new(nudged(&g.x), Adjacency::Sparse(adj))
}

/// The largest difference, as a share of the largest number of its tensor or of 1; infinite where the shapes are others.
fn apart(got: &[&Tensor], want: &[&Tensor]) -> f64 {
    let shapes = |list: &[&Tensor]| list.iter().map(|t| t.size()).collect::<Vec<_>>();
    if shapes(got) != shapes(want) {
        return f64::INFINITY;
    }
    let share = |got: &Tensor, want: &Tensor| largest(&(got - want)) / largest(want).max(1.0);
    let numbers = got.iter().zip(want).filter(|(_, want)| want.numel() > 0);
    numbers.map(|(got, want)| share(got, want)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use coarsen_nn::Readout;
    use coarsen_tensor::{Segments, segment};

    use super::*;
    use crate::case::FEATURES;
    use crate::error::Broken;
    use crate::readout;

    // Features are drawn with so few digits that their sums are exact; those of their sines are not.

    /// A number for each graph, without a rule for padding.
    #[derive(Debug)]
    struct Of(fn(&Tensor, &Arc<Segments>) -> Tensor);

    impl Readout for Of {
        fn forward(&self, g: &Level, _: Ctx) -> Tensor {
            let Adjacency::Sparse(a) = &g.adj else { unreachable!("asked of sparse levels alone") };
            (self.0)(&g.x, a.pattern.graphs())
        }

        fn out_features(&self) -> i64 {
            FEATURES
        }
    }

    fn invariant(of: fn(&Tensor, &Arc<Segments>) -> Tensor) -> Result<(), Broken> {
        readout::invariant(&move |_, _| Box::new(Of(of)), &Laws { cases: 64, ..Laws::default() })
    }

    #[test]
    fn what_is_steep_may_differ_by_its_slope() {
        invariant(|x, graphs| (segment::sum(&x.sin(), graphs) * 1e6).sin())
            .expect("rounding of the sum, times its slope");
    }

    #[test]
    fn lost_digits_are_excused_up_to_the_upper_bound_alone() {
        let broken = invariant(|x, graphs| {
            segment::sum(&(x.sin() + 1e9), graphs) - segment::sum(&(x.ones_like() * 1e9), graphs)
        })
        .expect_err("nine digits are lost");
        assert!(broken.to_string().starts_with("invariant does not hold"), "{broken}");
    }
}

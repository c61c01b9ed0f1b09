//! How far two ways of computing one number may differ: by rounding, and by what the operator makes of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use coarsen_nn::Ctx;
use coarsen_tensor::{Adjacency, Level, Sparse};
use tch::{Kind, Tensor, with_grad};

use crate::compare::largest;
use crate::laws::Laws;
use crate::subject::{Built, Subject, as_it_is};

/// Two results may be so many times as far apart as single precision shows one of them to be off.
const SAFETY: f64 = 32.0;

/// Where single precision is off by more than this, it has too few digits left to tell how many double precision has.
const TOLD: f64 = 1e-3;

/// So many inputs are tried, since errors may cancel on one.
const INPUTS: u8 = 4;

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

    /// The same of an operator that is off by this much, and no more than `laws` ever allow.
    fn and_off_by(self, off: Self, laws: &Laws) -> Self {
        let least = |most: f64, bound: f64| if most.is_infinite() { most } else { most.min(bound) };
        Self {
            values: least(laws.tolerance, self.values + SAFETY * off.values),
            gradients: least(laws.gradient_tolerance, self.gradients + SAFETY * off.gradients),
        }
    }
}

/// Asks `compare` with what rounding allows to sums; where that objects, with what the operator is seen to lose by rounding for this batch.
///
/// What it loses takes a few more passes, and is seldom needed: it is much behind a batch norm without spread, an inverse root, or a quotient
/// of sums that cancel.
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
    compare(least).or_else(|_| compare(least.and_off_by(off(built, g, ctx), laws)))
}

/// How far double precision is off, as far as single precision tells: the operator is run in both on the same numbers, and what they differ by is
/// divided by how much finer double precision is. Infinite where single precision is off too far to tell, or where the operator does not run in it.
fn off<M: Subject + ?Sized>(built: &Built<M>, g: &Level, ctx: Ctx) -> Tolerance {
    let told =
        |off: f64| if off < TOLD { off * f64::EPSILON / f64::from(f32::EPSILON) } else { f64::INFINITY };
    let differ = || {
        let (single, double) = built.in_single_and_double();
        let levels = (0..INPUTS).map(|number| cast(&varied(g, number), Kind::Float));
        levels.fold(Tolerance::NONE, |most, level| {
            let got = single.observe(&level, &as_it_is, ctx);
            let want = double.observe(&cast(&level, Kind::Double), &as_it_is, ctx);
            Tolerance {
                values: most.values.max(apart(&got.values(), &want.values())),
                gradients: most.gradients.max(apart(&got.all_gradients(), &want.all_gradients())),
            }
        })
    };
    // A panic may come from where gradients are off, and would leave them so.
    let seen = with_grad(|| catch_unwind(AssertUnwindSafe(differ)));
    seen.map_or(Tolerance { values: f64::INFINITY, gradients: f64::INFINITY }, |seen| Tolerance {
        values: told(seen.values),
        gradients: told(seen.gradients),
    })
}

/// The same level with numbers that round otherwise for each `number`, the first as they are; equal ones alike, so that what is symmetric and what
/// ties stays so.
fn varied(g: &Level, number: u8) -> Level {
    let share = f64::from(number) * 1e-6;
    mapped(g, Kind::Double, |t| t + t * (t * 1e3).cos() * share)
}

fn cast(g: &Level, kind: Kind) -> Level {
    mapped(g, kind, |t| t.to_kind(kind))
}

fn mapped(g: &Level, kind: Kind, number: impl Fn(&Tensor) -> Tensor) -> Level {
    let Adjacency::Sparse(a) = &g.adj else { unreachable!("cases are sparse") };
    let weight = a.weight.as_ref().map(&number);
    let adj = Sparse::new(Arc::clone(&a.pattern), weight, (kind, a.options.1));
    Level::new(number(&g.x), Adjacency::Sparse(adj))
}

/// The largest difference, as a share of the largest number of its tensor or of 1; infinite where the shapes are others or a number is none.
fn apart(got: &[&Tensor], want: &[&Tensor]) -> f64 {
    let shapes = |list: &[&Tensor]| list.iter().map(|t| t.size()).collect::<Vec<_>>();
    if shapes(got) != shapes(want) {
        return f64::INFINITY;
    }
    let share = |(got, want): (&&Tensor, &&Tensor)| largest(&(*got - *want)) / largest(want).max(1.0);
    let shares = got.iter().zip(want).filter(|(_, want)| want.numel() > 0).map(share);
    shares.map(|share| if share.is_nan() { f64::INFINITY } else { share }).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use coarsen_nn::Readout;
    use coarsen_tensor::{Segments, segment};
    use tch::no_grad;

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

    /// Every row, a little more of it the later it comes.
    fn favouring(x: &Tensor, share: f64) -> Tensor {
        x + x * Tensor::arange(x.size()[0], (x.kind(), x.device())).unsqueeze(1) * share
    }

    fn assert_seen(of: fn(&Tensor, &Arc<Segments>) -> Tensor) {
        let broken = invariant(of).expect_err("more than rounding");
        assert!(broken.to_string().starts_with("invariant does not hold"), "{broken}");
    }

    #[test]
    fn what_is_steep_may_differ_by_its_slope() {
        invariant(|x, graphs| (segment::sum(&x.sin(), graphs) * 1e3).sin())
            .expect("rounding of the sum, times its slope");
    }

    #[test]
    fn what_is_steep_may_differ_by_no_more() {
        assert_seen(|x, graphs| (segment::sum(&favouring(&x.sin(), 1e-13), graphs) * 1e3).sin());
    }

    #[test]
    fn a_slight_dependence_on_the_order_is_seen() {
        assert_seen(|x, graphs| segment::sum(&favouring(x, 1e-11), graphs));
    }

    #[test]
    fn lost_digits_are_excused_up_to_the_upper_bound() {
        invariant(|x, graphs| {
            segment::sum(&(x.sin() + 1e6), graphs) - segment::sum(&(x.ones_like() * 1e6), graphs)
        })
        .expect("six of sixteen digits");
        assert_seen(|x, graphs| {
            segment::sum(&(x.sin() + 1e9), graphs) - segment::sum(&(x.ones_like() * 1e9), graphs)
        });
    }

    #[test]
    fn what_does_not_run_in_single_precision_is_held_to_the_upper_bound() {
        fn in_double(x: &Tensor) -> &Tensor {
            no_grad(|| assert_eq!(x.kind(), Kind::Double, "made for double precision"));
            x
        }
        invariant(|x, graphs| segment::sum(&favouring(in_double(x), 1e-11), graphs)).expect("little");
        assert!(
            Tensor::from(1.0).set_requires_grad(true).exp().requires_grad(),
            "gradients are collected as before"
        );
        assert_seen(|x, graphs| segment::sum(&favouring(in_double(x), 1e-7), graphs));
    }
}

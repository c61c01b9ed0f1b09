//! The numbers a kernel may run on.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Sub, SubAssign};

use crate::lanes::Lanes;

/// `f32` or `f64`.
///
/// Sealed: the kernels promise bit-identical results, which holds for these two.
pub trait Scalar:
    Lanes
    + Copy
    + Debug
    + Default
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + SubAssign
    + Mul<Output = Self>
    + MulAssign
    + Div<Output = Self>
    + DivAssign
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// The nearest number to a count.
    fn from_count(count: usize) -> Self;

    /// `e` to the power of `self`.
    #[must_use]
    fn exp(self) -> Self;

    /// `e^self − 1`, without cancellation near 0.
    #[must_use]
    fn exp_m1(self) -> Self;

    /// The natural logarithm of a positive number; what is less than the least normal one counts as that.
    #[must_use]
    fn ln_positive(self) -> Self;

    /// The square root.
    #[must_use]
    fn sqrt(self) -> Self;

    /// The nearest number to one of `f64`.
    fn from_f64(x: f64) -> Self;

    /// The same number in `f64`.
    fn to_f64(self) -> f64;

    /// Is this not a number?
    fn is_nan(self) -> bool;

    /// The nearest number of 36 binary digits behind the point (`f64`) or 18 (`f32`), about two thirds of all; no negative zero.
    ///
    /// What is the same number on paper has other last digits where its sums ran in another order; where a choice hangs on it, it
    /// should hang on these digits.
    #[must_use]
    fn rounded(self) -> Self;
}

macro_rules! scalar {
    ($float:ty, $exp:path, $exp_m1:path, $ln:path, $digits:literal) => {
        impl Scalar for $float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            #[inline(always)]
            fn from_count(count: usize) -> Self {
                count as Self
            }

            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }

            #[inline(always)]
            fn exp_m1(self) -> Self {
                $exp_m1(self)
            }

            #[inline(always)]
            fn ln_positive(self) -> Self {
                $ln(if self < <$float>::MIN_POSITIVE { <$float>::MIN_POSITIVE } else { self })
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                <$float>::sqrt(self)
            }

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as Self
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn is_nan(self) -> bool {
                <$float>::is_nan(self)
            }

            #[inline(always)]
            fn rounded(self) -> Self {
                const REST: u32 = <$float>::MANTISSA_DIGITS - 1 - $digits;
                if !self.is_finite() {
                    return self;
                }
                <$float>::from_bits((self.to_bits() + (1 << (REST - 1))) >> REST << REST) + 0.0
            }
        }
    };
}

scalar!(f32, exp, exp_m1, ln, 18);
scalar!(f64, f64::exp, f64::exp_m1, f64::ln, 36);

// Added to a small number it leaves the nearest integer in the low bits.
const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23
const LN_2_HIGH: f32 = 355.0 / 512.0; // few bits: times n it is exact
const LN_2_LOW: f32 = (std::f64::consts::LN_2 - 355.0 / 512.0) as f32;

/// `n` and `r` with `x = n ln 2 + r` and `|r| ≤ ln 2 / 2`.
#[inline(always)]
fn reduced(x: f32) -> (i32, f32) {
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    (rounded.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed(), r)
}

/// `2^n` for a normal number.
#[inline(always)]
fn power(n: i32) -> f32 {
    f32::from_bits(n.wrapping_add(127).cast_unsigned() << 23)
}

/// `e^x` within 2 units in the last place, written out so that a loop over it uses vector registers.
///
/// `x = n ln 2 + r` with `|r| ≤ ln 2 / 2`, so `e^x = 2^n e^r`; the Taylor polynomial of degree 7 leaves out at most
/// `(ln 2 / 2)^8 / 8! < 2^-27`.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Below, the result rounds to 0; above, to infinity.
    const LOWEST: f32 = -105.0;
    const HIGHEST: f32 = 89.0;

    let x = if x < LOWEST { LOWEST } else { x };
    let x = if x > HIGHEST { HIGHEST } else { x };
    let (n, r) = reduced(x);
    let mut series = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series * r + coefficient;
    }
    // 2^n in two factors, because n reaches past the exponents of normal numbers.
    series * power(n >> 1) * power(n - (n >> 1))
}

/// `e^x − 1` within 3 units in the last place, written out as [`exp`] is: `2^n ((1 − 2^−n) + (e^r − 1))`.
#[inline(always)]
fn exp_m1(x: f32) -> f32 {
    // Below, the result rounds to −1; above, to infinity.
    const LOWEST: f32 = -18.0;
    const HIGHEST: f32 = 89.0;

    let x = if x < LOWEST { LOWEST } else { x };
    let x = if x > HIGHEST { HIGHEST } else { x };
    let (n, r) = reduced(x);
    let mut series = 1.0 / 40_320.0;
    for coefficient in [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
        series = series * r + coefficient;
    }
    // From n = 64 on 2^−n is lost beside 1.
    let rest = 1.0 - power(-n.min(64));
    (rest + (r + r * r * series)) * power(n >> 1) * power(n - (n >> 1))
}

/// `ln x` of a normal positive number within 2 units in the last place, written out as [`exp`] is; of infinity it is none.
///
/// `x = 2^n (1 + f)` with `1 + f` between the roots of ½ and 2, and `ln(1 + f) = 2 artanh s` with `s = f / (2 + f)`, `|s| < 0.172`: the series to `s⁹`
/// leaves out less than `2^-28` of it.
#[inline(always)]
fn ln(x: f32) -> f32 {
    const ROOT_OF_HALF: u32 = 0x3f35_04f3;

    let n = (x.to_bits().wrapping_sub(ROOT_OF_HALF)).cast_signed() >> 23;
    let f = f32::from_bits(x.to_bits().wrapping_sub((n << 23).cast_unsigned())) - 1.0;
    let s = f / (2.0 + f);
    let square = s * s;
    let mut series = 2.0 / 9.0;
    for coefficient in [2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0] {
        series = series * square + coefficient;
    }
    // 2 s + s³ … = f − s f + s³ …, whose first term is exact.
    let small = s * (square * series - f);
    n as f32 * LN_2_HIGH + (n as f32 * LN_2_LOW + small + f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let steps = 400_000;
        for step in 0..=steps {
            let x = -87.0 + 175.0 * step as f32 / steps as f32;
            let (got, want) = (exp(x), f64::from(x).exp());
            let unit = f64::from(f32::EPSILON) * want;
            assert!((f64::from(got) - want).abs() <= 2.0 * unit, "exp({x}) = {got}, want {want}");
        }
    }

    #[test]
    fn numbers_are_rounded_to_two_thirds_of_their_digits() {
        assert_eq!(
            [1.0, 1.0 + 1e-6, -3.0, f32::INFINITY].map(Scalar::rounded),
            [1.0, 1.0, -3.0, f32::INFINITY]
        );
        assert_eq!(
            [1.0, 1.0 + 1e-12, 1.0 - 1e-12, 0.1 + 0.2].map(Scalar::rounded),
            [1.0, 1.0, 1.0, 0.3f64.rounded()]
        );
        assert!((1.0 + 1e-5f32).rounded() > 1.0 && (1.0 + 1e-10f64).rounded() > 1.0);
        assert!((-0.0f64).rounded().is_sign_positive() && Scalar::is_nan(f32::NAN.rounded()));
    }

    #[test]
    fn ln_is_within_two_units_in_the_last_place() {
        let steps = 400_000;
        for step in 0..=steps {
            for x in [(-87.0 + 175.0 * step as f32 / steps as f32).exp(), 0.5 + step as f32 / steps as f32] {
                let (got, want) = (x.ln_positive(), f64::from(x).ln());
                let unit = f64::from(f32::EPSILON) * want.abs();
                assert!((f64::from(got) - want).abs() <= 2.0 * unit, "ln({x}) = {got}, want {want}");
            }
        }
        assert_eq!(Scalar::ln_positive(0.0f32), Scalar::ln_positive(f32::MIN_POSITIVE));
    }

    #[test]
    fn exp_m1_is_within_three_units_in_the_last_place() {
        let steps = 400_000;
        for step in 0..=steps {
            for scale in [1.0, 1e-2, 1e-6] {
                let x = (-20.0 + 108.0 * step as f32 / steps as f32) * scale;
                let (got, want) = (exp_m1(x), f64::from(x).exp_m1());
                let unit = f64::from(f32::EPSILON) * want.abs();
                assert!((f64::from(got) - want).abs() <= 3.0 * unit, "exp_m1({x}) = {got}, want {want}");
            }
        }
    }

    #[test]
    fn exp_m1_at_the_ends() {
        let infinity = f32::INFINITY;
        for (x, want) in
            [(0.0, 0.0), (-infinity, -1.0), (-1e30, -1.0), (infinity, infinity), (1e30, infinity)]
        {
            assert_eq!(exp_m1(x).to_bits(), f32::to_bits(want), "exp_m1({x})");
        }
        assert!(exp_m1(f32::NAN).is_nan());
        assert!(exp_m1(88.7).is_finite());
    }

    #[test]
    fn exp_at_the_ends() {
        let infinity = f32::INFINITY;
        for (x, want) in
            [(0.0, 1.0), (-0.0, 1.0), (-infinity, 0.0), (-1e30, 0.0), (infinity, infinity), (1e30, infinity)]
        {
            assert_eq!(exp(x).to_bits(), f32::to_bits(want), "exp({x})");
        }
        assert!(exp(f32::NAN).is_nan());
        // Subnormal: 1.4e-45 is the smallest step.
        assert!((f64::from(exp(-100.0)) - (-100_f64).exp()).abs() <= 1.5e-45);
        assert!(exp(88.7).is_finite());
    }
}

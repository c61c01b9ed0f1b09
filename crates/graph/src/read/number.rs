//! Numbers of the TU format, read from bytes: by the rules, with an error for whoever breaks one, and quickly, in the
//! forms that files nearly always have.

/// A number of a raw file.
pub(crate) trait Number: Copy {
    /// Reads a field without surrounding blanks; the error is the rule it breaks.
    fn by_rule(field: &[u8]) -> Result<Self, &'static str>;

    /// Reads what [`Number::by_rule`] would read from the field that begins here, or nothing; the cursor then stands behind
    /// the number, whatever follows.
    fn quickly(text: &mut Cursor<'_>) -> Option<Self>;
}

/// A signed integer.
impl Number for i64 {
    fn by_rule(field: &[u8]) -> Result<Self, &'static str> {
        let (negative, digits) = match field {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] | digits => (false, digits),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err("must be an integer");
        }
        let value = digits.iter().try_fold(0i64, |value, &digit| {
            let digit = i64::from(digit - b'0');
            let tens = value.checked_mul(10)?;
            if negative { tens.checked_sub(digit) } else { tens.checked_add(digit) }
        });
        value.ok_or("must be an integer of 64 bits")
    }

    fn quickly(text: &mut Cursor<'_>) -> Option<Self> {
        let negative = text.skip(b'-');
        let (value, _) = text.digits()?;
        let value = i64::try_from(value).ok()?;
        Some(if negative { -value } else { value })
    }
}

/// A finite number within the range of 32-bit floats, in which features are kept.
impl Number for f64 {
    fn by_rule(field: &[u8]) -> Result<Self, &'static str> {
        let value: f64 =
            std::str::from_utf8(field).ok().and_then(|text| text.parse().ok()).ok_or("must be a number")?;
        if !value.is_finite() {
            return Err("must be a finite number");
        }
        if value.abs() > f64::from(f32::MAX) {
            return Err("must be a number within the range of 32-bit floats");
        }
        Ok(value)
    }

    /// Digits that make an integer below 2⁵³, times or over a power of ten up to 10²²: both are floats without error, so
    /// the one operation rounds correctly (Clinger, PLDI 1990). The largest such number is below 10³⁸.
    fn quickly(text: &mut Cursor<'_>) -> Option<Self> {
        let negative = text.skip(b'-');
        let (mut digits, mut count) = text.digits()?;
        let mut power = 0;
        if text.skip(b'.') {
            let (fraction, places) = text.digits()?;
            count += places;
            if count > LONGEST {
                return None;
            }
            digits = digits * 10u64.pow(places) + fraction;
            power = -i64::from(places);
        }
        if text.skip(b'e') || text.skip(b'E') {
            let negative = text.skip(b'-');
            if !negative {
                text.skip(b'+');
            }
            let (exponent, _) = text.digits()?;
            let exponent = i64::try_from(exponent).ok().filter(|&e| e <= 1000)?;
            power += if negative { -exponent } else { exponent };
        }
        let ten = *TENS.get(usize::try_from(power.unsigned_abs()).ok()?)?;
        if digits > 1 << 53 {
            return None;
        }
        let value = if power < 0 { digits as f64 / ten } else { digits as f64 * ten };
        Some(if negative { -value } else { value })
    }
}

/// The powers of ten that are 64-bit floats without error.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// An id counted from 1, returned counted from 0.
pub(crate) fn id(field: &[u8], what: &str, limit: usize) -> Result<u32, String> {
    let value = i64::by_rule(field).map_err(|rule| format!("{what} {rule}"))?;
    if value < 1 {
        return Err(format!("{what} must be at least 1"));
    }
    if value > limit as i64 {
        return Err(format!("{what} must be at most {limit}"));
    }
    Ok((value - 1) as u32)
}

/// What is left of a text.
pub(crate) struct Cursor<'t> {
    rest: &'t [u8],
}

/// The most decimal digits that fit 64 bits whatever they are.
const LONGEST: u32 = 19;
const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self { rest: text }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Passes a byte if it is next.
    #[inline]
    pub(crate) fn skip(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Passes any number of blanks.
    #[inline]
    pub(crate) fn blanks(&mut self) {
        while self.skip(b' ') {}
    }

    /// Passes the end of a line.
    #[inline]
    pub(crate) fn line_end(&mut self) -> Option<()> {
        self.skip(b'\r');
        self.skip(b'\n').then_some(())
    }

    /// Digits up to the next other byte, eight at a time: their value and how many there are, 1 to 19. Nothing if there are
    /// fewer or more, or where the text ends within eight bytes.
    #[inline]
    pub(crate) fn digits(&mut self) -> Option<(u64, u32)> {
        let (mut value, mut count) = self.up_to_eight()?;
        if count == 8 {
            loop {
                let (next, more) = self.up_to_eight()?;
                count += more;
                if count > LONGEST {
                    return None;
                }
                value = value * 10u64.pow(more) + next;
                if more < 8 {
                    break;
                }
            }
        }
        (count > 0).then_some((value, count))
    }

    /// The digits among the next eight bytes that are before any other byte. Bytes of the word are subtracted, tested and
    /// joined by twos, fours and eights side by side, the first digit being the lowest byte.
    #[inline]
    fn up_to_eight(&mut self) -> Option<(u64, u32)> {
        let digits = u64::from_le_bytes(*self.rest.first_chunk()?) ^ ZEROS;
        // A byte above 9 has a bit in its upper half, as it is or after adding 6; what is carried over changes later bytes only.
        let other = (digits | digits.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0;
        let count = other.trailing_zeros() / 8;
        self.rest = &self.rest[count as usize..];
        if count == 0 {
            return Some((0, 0));
        }
        let aligned = digits << (64 - 8 * count);
        let twos = (aligned.wrapping_mul(10 * 256 + 1) >> 8) & 0x00ff_00ff_00ff_00ff;
        let fours = (twos.wrapping_mul(100 * 65_536 + 1) >> 16) & 0x0000_ffff_0000_ffff;
        let eight = fours.wrapping_mul((10_000 << 32) + 1) >> 32;
        Some((eight, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers() {
        for (text, want) in
            [("0", 0), ("+12", 12), ("-7", -7), ("007", 7), ("-9223372036854775808", i64::MIN)]
        {
            assert_eq!(i64::by_rule(text.as_bytes()), Ok(want));
        }
        for text in ["", "+", "-", "1.0", "1 2", "x", "--1", "1e3"] {
            assert_eq!(i64::by_rule(text.as_bytes()), Err("must be an integer"), "{text}");
        }
        assert_eq!(i64::by_rule(b"9223372036854775808"), Err("must be an integer of 64 bits"));
    }

    #[test]
    fn reals() {
        for (text, want) in [("1.5", 1.5), ("-2e3", -2000.0), ("+0.25", 0.25), ("3", 3.0), (".5", 0.5)] {
            assert_eq!(f64::by_rule(text.as_bytes()), Ok(want));
        }
        for text in ["nan", "inf", "-Infinity", "1e999"] {
            assert_eq!(f64::by_rule(text.as_bytes()), Err("must be a finite number"), "{text}");
        }
        assert_eq!(f64::by_rule(b"1e39"), Err("must be a number within the range of 32-bit floats"));
        for text in ["", "1,5", "0x1", "abc"] {
            assert_eq!(f64::by_rule(text.as_bytes()), Err("must be a number"), "{text}");
        }
    }

    #[test]
    fn ids_count_from_one() {
        assert_eq!(id(b"1", "node id", 3), Ok(0));
        assert_eq!(id(b"0", "node id", 3).unwrap_err(), "node id must be at least 1");
        assert_eq!(id(b"4", "node id", 3).unwrap_err(), "node id must be at most 3");
        assert_eq!(id(b"a", "node id", 3).unwrap_err(), "node id must be an integer");
    }

    /// What is read quickly where `text` is followed by a byte that is part of no number, if the whole of it is.
    fn quick<T: Number>(text: &str) -> Option<T> {
        let padded = [text.as_bytes(), &[0; 8]].concat();
        let mut cursor = Cursor::new(&padded);
        T::quickly(&mut cursor).filter(|_| cursor.left() == 8)
    }

    #[test]
    fn the_usual_forms_are_read_quickly() {
        for (text, want) in [("0", 0), ("12345678", 12_345_678), ("-9223372036854775807", -i64::MAX)] {
            assert_eq!(quick(text), Some(want));
        }
        for (text, want) in [
            ("0.0", 0.0),
            ("-12.5", -12.5),
            ("1e22", 1e22),
            ("3.14E-2", 0.0314),
            ("9007199254740992", 2f64.powi(53)),
        ] {
            assert_eq!(quick(text), Some(want));
        }
        assert!(quick::<f64>("-0").unwrap().is_sign_negative());
        // These are left to the rules.
        for text in ["", "-", "+1", "9223372036854775808", "99999999999999999999", "00000000000000000001"] {
            assert_eq!(quick::<i64>(text), None, "{text}");
        }
        for text in [".5", "5.", "1e", "1e23", "9007199254740993", "1e99999999999999999999", "inf"] {
            assert_eq!(quick::<f64>(text), None, "{text}");
        }
        assert_eq!(i64::quickly(&mut Cursor::new(b"1234567")), None, "fewer than eight bytes");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn integers_are_what_the_standard_library_reads(
            text in prop_oneof!["[-+]?[0-9]{1,21}", "[-+0-9., e\r]{0,6}", any::<i64>().prop_map(|n| n.to_string())]
        ) {
            // The standard library and the rules agree on every text, the quick way on what it takes.
            prop_assert_eq!(i64::by_rule(text.as_bytes()).ok(), text.parse().ok());
            if let Some(got) = quick::<i64>(&text) {
                prop_assert_eq!(Ok(got), text.parse());
            }
            if text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
                prop_assert!(quick::<i64>(&text).is_some());
            }
        }

        #[test]
        fn reals_are_what_the_standard_library_reads(
            text in prop_oneof![
                "[-+]?[0-9]{0,20}(\\.[0-9]{0,20})?([eE][-+]?[0-9]{1,3})?",
                "-?[0-9]{1,6}\\.[0-9]{1,6}",
                "[-+0-9., eE\r]{0,8}",
                any::<f32>().prop_map(|x| x.to_string()),
                any::<f64>().prop_map(|x| format!("{x:e}")),
            ]
        ) {
            let want: Option<f64> =
                text.parse().ok().filter(|x: &f64| x.is_finite() && x.abs() <= f64::from(f32::MAX));
            prop_assert_eq!(f64::by_rule(text.as_bytes()).ok().map(f64::to_bits), want.map(f64::to_bits));
            if let Some(got) = quick::<f64>(&text) {
                prop_assert_eq!(Some(got.to_bits()), want.map(f64::to_bits), "{}", text);
            }
        }

        /// Any byte ends a run of digits, wherever it stands.
        #[test]
        fn digits_end_where_they_end(text in proptest::collection::vec(
            prop_oneof![6 => b'0'..=b'9', 1 => any::<u8>()], 8..30
        )) {
            let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
            let mut cursor = Cursor::new(&text);
            match cursor.digits() {
                Some((value, count)) => {
                    prop_assert_eq!(count as usize, digits);
                    prop_assert_eq!(cursor.left(), text.len() - digits);
                    prop_assert_eq!(Ok(value), std::str::from_utf8(&text[..digits]).unwrap().parse());
                }
                None => prop_assert!(digits == 0 || digits > 19 || digits >= 8 && text.len() < digits / 8 * 8 + 8),
            }
        }
    }
}

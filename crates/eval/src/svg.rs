//! Scales, ticks and paths for small drawings.

use std::fmt::Write;

/// A straight line from values to pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Maps `low ..= high` to the pixels `from ..= to`. An empty range is widened.
    pub(crate) fn new((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
        Self { low, high, from, to }
    }

    /// The pixel of a value.
    pub(crate) fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// About `count` round values within the range: steps of 1, 2 or 5 times a power of ten.
    pub(crate) fn ticks(&self, count: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / count.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough).unwrap_or(10.0) * power;
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|tick| tick as f64 * step).collect()
    }
}

/// A tick without trailing zeros.
pub(crate) fn label(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.replace('-', "−") }
}

/// The `d` of a path through points; points that are not finite leave a gap.
pub(crate) fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    let mut pen_down = false;
    for (x, y) in points {
        if x.is_finite() && y.is_finite() {
            let letter = if pen_down { 'L' } else { 'M' };
            write!(d, "{letter}{x:.1} {y:.1}").expect("a string takes everything");
        }
        pen_down = x.is_finite() && y.is_finite();
    }
    d
}

/// Text that stands in HTML or SVG, also inside a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let ticks = |low, high, count| {
            let scale = Scale::new((low, high), (0.0, 100.0));
            scale.ticks(count).into_iter().map(label).collect::<Vec<_>>()
        };
        assert_eq!(ticks(0.0, 100.0, 4), ["0", "50", "100"]);
        assert_eq!(ticks(-1.3, 1.3, 5), ["−1", "0", "1"]);
        assert_eq!(ticks(61.2, 78.9, 4), ["65", "70", "75"]);
        assert_eq!(ticks(0.46, 0.49, 3), ["0.46", "0.47", "0.48", "0.49"]);
    }

    #[test]
    fn an_empty_range_is_drawn_in_the_middle() {
        assert!((Scale::new((3.0, 3.0), (0.0, 10.0)).at(3.0) - 5.0).abs() < 1e-12);
    }

    #[test]
    fn a_path_breaks_where_there_is_no_value() {
        let points = [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0)];
        assert_eq!(path(points.into_iter()), "M0.0 1.0L1.0 2.0M3.0 4.0");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape(r#"<a b="c">&'"#), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
    }
}

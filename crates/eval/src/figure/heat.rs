//! Numbers of a table as shades: the larger, the darker.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::figure::opened;
use crate::svg::escape;

/// A table of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// What stands above it.
    pub title: String,
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Row by row. A number that is not finite is left blank.
    pub values: Vec<Vec<f64>>,
}

const CELL: (f64, f64) = (64.0, 26.0);
const LEFT: f64 = 150.0;
const TOP: f64 = 48.0;
const BAR: f64 = 12.0;
/// Room of the bar with its two numbers.
const RIGHT: f64 = 72.0;

/// Panels side by side, each with shades from its own smallest number to its own largest, which its bar tells.
///
/// # Examples
///
/// ```
/// use coarsen_eval::figure::heat::{Panel, svg};
/// let panel = Panel {
///     title: "two".to_owned(),
///     rows: vec!["a".to_owned()],
///     columns: vec!["level 1".to_owned(), "level 2".to_owned()],
///     values: vec![vec![0.25, 0.75]],
/// };
/// let figure = svg("attention", &[panel]);
/// assert!(figure.starts_with("<svg") && figure.contains("0.750"));
/// ```
pub fn svg(title: &str, panels: &[Panel]) -> String {
    let width = |panel: &Panel| LEFT + CELL.0 * panel.columns.len() as f64 + RIGHT;
    let height = |panel: &Panel| TOP + CELL.1 * panel.rows.len() as f64 + 16.0;
    let whole = panels.iter().map(width).sum();
    let mut to = opened(whole, panels.iter().map(height).fold(TOP, f64::max), title);
    let mut left = 0.0;
    for panel in panels {
        draw(&mut to, panel, left).expect("a string takes everything");
        left += width(panel);
    }
    to + "</svg>\n"
}

fn draw(to: &mut String, panel: &Panel, left: f64) -> fmt::Result {
    let finite = || panel.values.iter().flatten().copied().filter(|value| value.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let share = |value: f64| if high > low { (value - low) / (high - low) } else { 0.5 };
    let x = |column: usize| left + LEFT + CELL.0 * column as f64;
    let y = |row: usize| TOP + CELL.1 * row as f64;
    writeln!(
        to,
        "<text x=\"{:.1}\" y=\"18\" font-weight=\"bold\">{}</text>",
        left + 8.0,
        escape(&panel.title)
    )?;
    for (column, name) in panel.columns.iter().enumerate() {
        let middle = x(column) + CELL.0 / 2.0;
        writeln!(
            to,
            "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            TOP - 6.0,
            escape(name)
        )?;
    }
    for (row, (name, values)) in panel.rows.iter().zip(&panel.values).enumerate() {
        let base = y(row) + CELL.1 / 2.0 + 4.0;
        let end = left + LEFT - 8.0;
        writeln!(to, "<text x=\"{end:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>", escape(name))?;
        for (column, &value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let (fill, ink) = shade(share(value));
            writeln!(
                to,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"/>\
                 <text x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"middle\" fill=\"{ink}\">{value:.3}</text>",
                x(column),
                y(row),
                CELL.0,
                CELL.1,
                x(column) + CELL.0 / 2.0,
            )?;
        }
    }
    if low <= high {
        bar(to, (x(panel.columns.len()) + 10.0, y(panel.rows.len())), (low, high))?;
    }
    Ok(())
}

/// Shades from the smallest number, below, to the largest.
fn bar(to: &mut String, (x, bottom): (f64, f64), (low, high): (f64, f64)) -> fmt::Result {
    const STEPS: usize = 24;
    let step = (bottom - TOP) / STEPS as f64;
    for place in 0..STEPS {
        let (fill, _) = shade((place as f64 + 0.5) / STEPS as f64);
        let top = bottom - step * (place + 1) as f64;
        // A little taller than a step, so that no ground shows between two.
        writeln!(
            to,
            "<rect x=\"{x:.1}\" y=\"{top:.2}\" width=\"{BAR}\" height=\"{:.2}\" fill=\"{fill}\"/>",
            step + 0.3
        )?;
    }
    for (value, y) in [(high, TOP + 9.0), (low, bottom)] {
        writeln!(to, "<text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"10\">{value:.3}</text>", x + BAR + 4.0)?;
    }
    Ok(())
}

/// A shade of blue for a share in [0, 1], and what is legible on it.
fn shade(share: f64) -> (String, &'static str) {
    const LIGHT: [f64; 3] = [239.0, 245.0, 251.0];
    const DARK: [f64; 3] = [8.0, 48.0, 107.0];
    let mixed = |channel: usize| (LIGHT[channel] + share * (DARK[channel] - LIGHT[channel])).round() as u8;
    let [r, g, b] = [0, 1, 2].map(mixed);
    (format!("#{r:02x}{g:02x}{b:02x}"), if share > 0.5 { "#fff" } else { "#222" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(values: Vec<Vec<f64>>) -> Panel {
        let rows = (0..values.len()).map(|row| format!("class {row} <3>")).collect();
        let columns = (1..=values[0].len()).map(|level| format!("level {level}")).collect();
        Panel { title: "ACM & co".to_owned(), rows, columns, values }
    }

    #[test]
    fn the_largest_is_the_darkest() {
        let figure = svg("β", &[panel(vec![vec![0.2, 0.8], vec![0.5, f64::NAN]])]);
        let fill = |value: &str| {
            let line = figure
                .lines()
                .find(|line| line.contains(&format!(">{value}</text>")) && line.contains("rect"));
            line.and_then(|line| line.split("fill=\"").nth(1)).map(|rest| rest[..7].to_owned())
        };
        assert_eq!(fill("0.200").as_deref(), Some("#eff5fb"));
        assert_eq!(fill("0.800").as_deref(), Some("#08306b"));
        assert_eq!(figure.matches("<rect").count(), 1 + 3 + 24, "a blank, and the bar");
        assert!(figure.contains("ACM &amp; co") && figure.contains("class 0 &lt;3&gt;"));
    }

    #[test]
    fn equal_numbers_and_none_are_drawn() {
        assert!(svg("β", &[panel(vec![vec![0.5, 0.5]])]).contains(">0.500</text>"));
        let none = svg("β", &[panel(vec![vec![f64::NAN]])]);
        assert!(none.ends_with("</svg>\n") && !none.contains("NaN") && !none.contains("inf"), "{none}");
    }
}

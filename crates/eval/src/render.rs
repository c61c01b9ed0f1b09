//! Printing a [`Table`](crate::table::Table): plain text for a terminal, Markdown for a page, and the parts the report shares.

use std::fmt::{self, Write};

use crate::table::{Cell, Comparison, RowKind, Table};
use crate::{Rule, Unit};

/// What stands in a cell, piece by piece.
pub(crate) struct Parts {
    /// `74.20`, or `–` for a failure, or nothing.
    pub(crate) mean: String,
    /// `± 3.10 (10)`, or nothing.
    pub(crate) spread: String,
    /// `76.25`, or nothing.
    pub(crate) published: String,
    /// `−2.05`, or nothing.
    pub(crate) delta: String,
    /// `[1][2]`, or nothing.
    pub(crate) marks: String,
}

/// Remarks in the order of their first mention; a repeated one keeps its number.
#[derive(Default)]
pub(crate) struct Footnotes {
    texts: Vec<String>,
}

impl Footnotes {
    fn mark(&mut self, text: &str) -> String {
        let place = self.texts.iter().position(|known| known == text).unwrap_or_else(|| {
            self.texts.push(text.to_owned());
            self.texts.len() - 1
        });
        format!("[{}]", place + 1)
    }

    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }
}

impl Parts {
    pub(crate) fn new(cell: &Cell, unit: Unit, rule: Rule, notes: &mut Footnotes) -> Self {
        let (mean, spread) = match (&cell.ours, &cell.failed) {
            (_, Some(_)) => ("–".to_owned(), String::new()),
            (Some(score), None) => {
                let std = score.std.map_or(String::new(), |std| format!("± {} ", number(std, unit)));
                (number(score.mean, unit), format!("{std}({})", score.n))
            }
            (None, None) if cell.published.is_some() => ("not run".to_owned(), String::new()),
            (None, None) => Default::default(),
        };
        let other_rule = cell.ours.filter(|ours| ours.rule != rule).map(|ours| ours.rule.description());
        let marks = [cell.failed.as_deref(), other_rule, cell.note.as_deref()];
        Self {
            mean,
            spread,
            published: cell.published.map_or(String::new(), |value| number(value, unit)),
            delta: cell.delta().map_or(String::new(), |delta| signed(delta, unit)),
            marks: marks.into_iter().flatten().map(|text| notes.mark(text)).collect(),
        }
    }

    fn ours(&self) -> String {
        joined(&[&self.mean, &self.spread], " ")
    }
}

/// Pieces that are not empty.
pub(crate) fn joined(pieces: &[&str], between: &str) -> String {
    pieces.iter().filter(|piece| !piece.is_empty()).copied().collect::<Vec<_>>().join(between)
}

/// A number with the decimals of its unit.
pub(crate) fn number(value: f64, unit: Unit) -> String {
    format!("{value:.*}", unit.decimals()).replace('-', "−")
}

/// A number with its sign; what rounds to zero has none.
pub(crate) fn signed(value: f64, unit: Unit) -> String {
    let text = format!("{value:+.*}", unit.decimals());
    let zero = text.bytes().all(|byte| matches!(byte, b'+' | b'-' | b'0' | b'.'));
    if zero { text[1..].to_owned() } else { text.replace('-', "−") }
}

/// `learned − control`.
pub(crate) fn contrast(comparison: &Comparison) -> String {
    format!("{} − {}", comparison.learned, comparison.control)
}

/// `+1.20 [−0.30, +2.70]`, or `–` with the mark of the reason.
pub(crate) fn outcome(comparison: &Comparison, unit: Unit, notes: &mut Footnotes) -> String {
    match &comparison.outcome {
        Ok(difference) => {
            let interval = difference.interval.map_or(String::new(), |interval| {
                format!(" [{}, {}]", signed(interval.low, unit), signed(interval.high, unit))
            });
            format!("{}{interval}", signed(difference.summary.mean, unit))
        }
        Err(reason) => format!("– {}", notes.mark(reason)),
    }
}

/// `n` of a comparison, or nothing.
pub(crate) fn pairs(comparison: &Comparison) -> String {
    comparison.outcome.as_ref().map_or(String::new(), |difference| difference.summary.n.to_string())
}

impl Table {
    /// Plain text: one block of aligned lines for every data set, then the comparisons and the notes.
    pub fn to_text(&self) -> String {
        printed(|to| self.text(to))
    }

    /// Markdown: one grid, cells `ours ± std (n) | published | Δ`.
    pub fn to_markdown(&self) -> String {
        printed(|to| self.markdown(to))
    }

    /// What a cell means, for the foot.
    pub(crate) fn legend(&self) -> String {
        let unit = match self.unit {
            Unit::Percent => " in percent",
            Unit::One => "",
        };
        format!(
            "Cells: ours ± standard deviation (runs) | published | Δ = ours − published; {}{unit}, {}.",
            self.metric,
            self.rule.description()
        )
    }

    fn text(&self, to: &mut String) -> fmt::Result {
        let mut notes = Footnotes::default();
        writeln!(to, "{}", self.title)?;
        for (place, column) in self.columns.iter().enumerate() {
            let mut lines = vec![[
                format!("\n{column}"),
                "ours ± std (n)".into(),
                "published".into(),
                "Δ".into(),
                String::new(),
            ]];
            for row in &self.rows {
                let Some(cell) = row.cells.get(place).filter(|cell| !cell.is_blank()) else { continue };
                let parts = Parts::new(cell, self.unit, self.rule, &mut notes);
                lines.push([
                    format!("  {}", row.method),
                    parts.ours(),
                    parts.published,
                    parts.delta,
                    parts.marks,
                ]);
            }
            aligned(to, &lines, ["", "  ", " | ", " | ", "  "])?;
        }
        if !self.comparisons.is_empty() {
            let mut lines = vec![[
                "\nlearned − control".into(),
                String::new(),
                "mean [95 % interval]".into(),
                "n".into(),
            ]];
            for comparison in &self.comparisons {
                lines.push([
                    format!("  {}", comparison.column),
                    contrast(comparison),
                    outcome(comparison, self.unit, &mut notes),
                    pairs(comparison),
                ]);
            }
            aligned(to, &lines, ["", "  ", "   ", "   "])?;
        }
        writeln!(to)?;
        for line in self.foot(&notes) {
            writeln!(to, "{line}")?;
        }
        Ok(())
    }

    fn markdown(&self, to: &mut String) -> fmt::Result {
        let mut notes = Footnotes::default();
        writeln!(to, "## {}\n", plain(&self.title))?;
        let names: Vec<String> = self.columns.iter().map(|name| plain(name)).collect();
        writeln!(to, "| | {} |", names.join(" | "))?;
        writeln!(to, "| --- |{}", " ---: |".repeat(self.columns.len()))?;
        for row in &self.rows {
            let method = plain(&row.method);
            match row.kind {
                RowKind::Method => write!(to, "| {method} |")?,
                RowKind::Reference => write!(to, "| *{method}* |")?,
            }
            for cell in &row.cells {
                let parts = Parts::new(cell, self.unit, self.rule, &mut notes);
                let ours = joined(&[&parts.mean, &parts.spread, &parts.marks], " ");
                write!(to, " {} |", joined(&[&ours, &parts.published, &parts.delta], " \\| "))?;
            }
            writeln!(to)?;
        }
        if !self.comparisons.is_empty() {
            writeln!(to, "\n| data set | learned − control | mean [95 % interval] | n |")?;
            writeln!(to, "| --- | --- | ---: | ---: |")?;
            for comparison in &self.comparisons {
                writeln!(
                    to,
                    "| {} | {} | {} | {} |",
                    plain(&comparison.column),
                    plain(&contrast(comparison)),
                    outcome(comparison, self.unit, &mut notes),
                    pairs(comparison)
                )?;
            }
        }
        for line in self.foot(&notes) {
            writeln!(to, "\n{}", plain(&line))?;
        }
        Ok(())
    }

    /// Legend, notes and footnotes.
    fn foot(&self, notes: &Footnotes) -> Vec<String> {
        let comparisons = (!self.comparisons.is_empty()).then(|| COMPARISON_LEGEND.to_owned());
        let marked = notes.texts().iter().enumerate().map(|(place, text)| format!("[{}] {text}", place + 1));
        let notes = self.notes.iter().cloned().chain(marked);
        std::iter::once(self.legend()).chain(comparisons).chain(notes).collect()
    }
}

/// What a comparison means, for the foot.
pub(crate) const COMPARISON_LEGEND: &str =
    "Differences are paired by run (same split, same seed); intervals are Student's t over the runs.";

/// Writing to a string cannot fail.
fn printed(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    write(&mut text).expect("a string takes everything");
    text
}

/// Lines of pieces, each with what stands before it: the first left-aligned, the others right-aligned, nothing blank at the end.
fn aligned<const N: usize>(to: &mut String, lines: &[[String; N]], before: [&str; N]) -> fmt::Result {
    let length = |piece: &str| piece.trim_start_matches('\n').chars().count();
    let mut widths = [0; N];
    for line in lines {
        for (width, piece) in widths.iter_mut().zip(line) {
            *width = (*width).max(length(piece));
        }
    }
    for line in lines {
        let mut text = String::new();
        for (place, piece) in line.iter().enumerate() {
            let space = " ".repeat(widths[place] - length(piece));
            let (left, right) = if place == 0 { ("", space.as_str()) } else { (space.as_str(), "") };
            write!(text, "{}{left}{piece}{right}", before[place])?;
        }
        writeln!(to, "{}", text.trim_end_matches([' ', '|']))?;
    }
    Ok(())
}

/// Text inside Markdown, also inside a grid.
fn plain(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_typographic_and_zero_has_none() {
        assert_eq!(signed(-2.054, Unit::Percent), "−2.05");
        assert_eq!(signed(2.0, Unit::Percent), "+2.00");
        assert_eq!(signed(-0.004, Unit::Percent), "0.00");
        assert_eq!(signed(-0.004, Unit::One), "−0.004");
    }

    #[test]
    fn a_repeated_remark_keeps_its_number() {
        let mut notes = Footnotes::default();
        assert_eq!(
            (notes.mark("a"), notes.mark("b"), notes.mark("a")),
            ("[1]".into(), "[2]".into(), "[1]".into())
        );
        assert_eq!(notes.texts(), ["a", "b"]);
    }
}

//! The two drawings of a report: learning curves, and differences with their intervals.

use std::fmt::{self, Write};

use crate::svg::{Scale, escape, label, path};
use crate::{Curves, Difference, Metric, Record, Rule, Unit};

/// The learning curves of one experiment, averaged over its runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The experiment.
    pub title: String,
    /// What the curves measure.
    pub metric: Metric,
    /// The unit of the curves.
    pub unit: Unit,
    /// Mean training curve; may be empty.
    pub train: Vec<f64>,
    /// Mean validation curve.
    pub valid: Vec<f64>,
    /// Mean test curve.
    pub test: Vec<f64>,
    /// The selected epoch of every run.
    pub selected: Vec<usize>,
}

impl Panel {
    /// The panel of a record; `None` if it has no score. A point is the mean over the runs that reached the epoch.
    pub fn new(title: &str, record: &Record, rule: Rule, unit: Unit) -> Option<Self> {
        let runs = record.curves().ok()?;
        let scores = record.scores(rule).ok()?;
        let mean = |of: fn(&Curves) -> &[f64]| {
            let curves: Vec<&[f64]> = runs.iter().map(|(_, curves)| of(curves)).collect();
            mean_over_reached(&curves).into_iter().map(|value| unit.scale(value)).collect()
        };
        Some(Self {
            title: title.to_owned(),
            metric: record.metric,
            unit,
            train: mean(|curves| &curves.train),
            valid: mean(|curves| &curves.valid),
            test: mean(|curves| &curves.test),
            selected: scores.iter().map(|scored| scored.epoch).collect(),
        })
    }
}

fn mean_over_reached(curves: &[&[f64]]) -> Vec<f64> {
    let epochs = curves.iter().map(|curve| curve.len()).max().unwrap_or(0);
    let mean = |epoch: usize| {
        let reached: Vec<f64> = curves.iter().filter_map(|curve| curve.get(epoch).copied()).collect();
        reached.iter().sum::<f64>() / reached.len() as f64
    };
    (0..epochs).map(mean).collect()
}

/// A line is drawn through at most about this many points: more do not fit into its pixels.
const POINTS: usize = 300;

/// Writes a panel as a figure. Selected epochs are ticks on the axis, one for every run.
pub(super) fn learning(to: &mut String, panel: &Panel) -> fmt::Result {
    let (width, height) = (300.0, 176.0);
    let epochs = panel.valid.len();
    let values = || [&panel.train, &panel.valid, &panel.test].into_iter().flatten().filter(|v| v.is_finite());
    let low = values().copied().fold(f64::INFINITY, f64::min);
    let high = values().copied().fold(f64::NEG_INFINITY, f64::max);
    let x = Scale::new((0.0, epochs.saturating_sub(1) as f64), (40.0, width - 6.0));
    let y = Scale::new(if low <= high { (low, high) } else { (0.0, 1.0) }, (height - 34.0, 8.0));

    let title = escape(&panel.title);
    writeln!(to, "<figure class=\"panel\"><figcaption>{title}</figcaption>")?;
    writeln!(
        to,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}: mean {} by epoch\">",
        panel.metric
    )?;
    for tick in y.ticks(4) {
        let at = y.at(tick);
        writeln!(
            to,
            "<line class=\"grid\" x1=\"40\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>",
            width - 6.0
        )?;
        writeln!(
            to,
            "<text class=\"tick\" x=\"34\" y=\"{:.1}\" text-anchor=\"end\">{}{}</text>",
            at + 3.5,
            label(tick),
            panel.unit.sign()
        )?;
    }
    for tick in x.ticks(4).into_iter().filter(|tick| tick.fract() == 0.0) {
        writeln!(
            to,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x.at(tick),
            height - 6.0,
            label(tick)
        )?;
    }
    for (class, curve) in [("train", &panel.train), ("valid", &panel.valid), ("test", &panel.test)] {
        let step = curve.len().div_ceil(POINTS).max(1);
        let points =
            curve.iter().enumerate().step_by(step).map(|(epoch, value)| (x.at(epoch as f64), y.at(*value)));
        writeln!(to, "<path class=\"line {class}\" d=\"{}\"/>", path(points))?;
    }
    for &epoch in &panel.selected {
        let at = x.at(epoch as f64);
        writeln!(
            to,
            "<line class=\"selected\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{}\" y2=\"{}\"/>",
            height - 31.0,
            height - 21.0
        )?;
    }
    writeln!(to, "</svg></figure>")
}

/// The common axis of a list of differences: symmetric around zero, wide enough for every interval.
pub(super) struct DifferenceAxis {
    x: Scale,
}

const AXIS_WIDTH: f64 = 320.0;

impl DifferenceAxis {
    pub(super) fn new<'a>(differences: impl Iterator<Item = &'a Difference>) -> Self {
        let reach = differences.fold(0.0_f64, |reach, difference| {
            let ends = difference.interval.map_or([0.0; 2], |interval| [interval.low, interval.high]);
            ends.into_iter().chain([difference.summary.mean]).fold(reach, |reach, end| reach.max(end.abs()))
        });
        let reach = if reach > 0.0 && reach.is_finite() { 1.08 * reach } else { 1.0 };
        Self { x: Scale::new((-reach, reach), (8.0, AXIS_WIDTH - 8.0)) }
    }

    /// A point and its interval; filled if zero is outside the interval.
    pub(super) fn draw(&self, to: &mut String, difference: &Difference) -> fmt::Result {
        let mean = self.x.at(difference.summary.mean);
        let zero = self.x.at(0.0);
        write!(to, "<svg class=\"difference\" viewBox=\"0 0 {AXIS_WIDTH} 22\" aria-hidden=\"true\">")?;
        for tick in self.x.ticks(5) {
            let at = self.x.at(tick);
            write!(to, "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"22\"/>")?;
        }
        write!(to, "<line class=\"zero\" x1=\"{zero:.1}\" x2=\"{zero:.1}\" y1=\"0\" y2=\"22\"/>")?;
        let mut class = "open";
        if let Some(interval) = difference.interval {
            let (low, high) = (self.x.at(interval.low), self.x.at(interval.high));
            write!(to, "<line class=\"interval\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"11\" y2=\"11\"/>")?;
            if interval.low > 0.0 || interval.high < 0.0 {
                class = "filled";
            }
        }
        write!(to, "<circle class=\"{class}\" cx=\"{mean:.1}\" cy=\"11\" r=\"4.5\"/></svg>")
    }

    /// The numbers below the last drawing.
    pub(super) fn labels(&self, to: &mut String) -> fmt::Result {
        write!(to, "<svg class=\"difference\" viewBox=\"0 0 {AXIS_WIDTH} 18\" aria-hidden=\"true\">")?;
        for tick in self.x.ticks(5) {
            write!(
                to,
                "<text class=\"tick\" x=\"{:.1}\" y=\"13\" text-anchor=\"middle\">{}</text>",
                self.x.at(tick),
                label(tick)
            )?;
        }
        write!(to, "</svg>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_curve_follows_the_runs_that_are_left() {
        assert_eq!(mean_over_reached(&[&[1.0, 2.0, 3.0], &[3.0]]), [2.0, 2.0, 3.0]);
        assert_eq!(mean_over_reached(&[]), [0.0; 0]);
    }
}

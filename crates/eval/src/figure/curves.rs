//! One number against another, a line a series.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::figure::opened;
use crate::svg::{Scale, escape, label, path};

/// A line, or a point, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// `(x, y)`, in the order of the line.
    pub points: Vec<(f64, f64)>,
    /// A point that stands out.
    pub marked: Option<(f64, f64)>,
    /// The same number, the same colour.
    pub colour: usize,
    /// How the line is drawn.
    pub stroke: Stroke,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stroke {
    /// Through.
    Solid,
    /// In dashes.
    Dashed,
}

/// What the axes are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axes {
    /// Below the figure, with its range.
    pub x: (String, f64, f64),
    /// Beside it, with its range.
    pub y: (String, f64, f64),
}

/// Colours that people tell apart who see few (Okabe and Ito), and a grey.
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#888888"];
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 56.0;
/// Where the legend begins.
const RIGHT: f64 = 430.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 356.0;
const LINE: f64 = 17.0;

/// All series in one frame, with a legend.
///
/// # Examples
///
/// ```
/// use coarsen_eval::figure::curves::{Axes, Series, Stroke, svg};
/// let axes = Axes { x: ("r".to_owned(), 0.0, 1.0), y: ("covered".to_owned(), 0.0, 1.0) };
/// let points = vec![(0.0, 0.0), (1.0, 1.0)];
/// let line = Series { name: "a".to_owned(), points, marked: None, colour: 0, stroke: Stroke::Solid };
/// assert!(svg("coverage", &axes, &[line]).contains("<path"));
/// ```
pub fn svg(title: &str, axes: &Axes, series: &[Series]) -> String {
    let height = HEIGHT.max(TOP + LINE * series.len() as f64 + 12.0);
    let mut to = opened(WIDTH, height, title);
    draw(&mut to, title, axes, series).expect("a string takes everything");
    to + "</svg>\n"
}

fn draw(to: &mut String, title: &str, axes: &Axes, series: &[Series]) -> fmt::Result {
    let x = Scale::new((axes.x.1, axes.x.2), (LEFT, RIGHT - 16.0));
    let y = Scale::new((axes.y.1, axes.y.2), (BOTTOM, TOP));
    writeln!(to, "<text x=\"{LEFT}\" y=\"20\" font-weight=\"bold\">{}</text>", escape(title))?;
    for tick in y.ticks(5) {
        let at = y.at(tick);
        writeln!(
            to,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"11\">{}</text>",
            RIGHT - 16.0,
            LEFT - 6.0,
            at + 4.0,
            label(tick)
        )?;
    }
    for tick in x.ticks(5) {
        let at = x.at(tick);
        writeln!(
            to,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\">{}</text>",
            BOTTOM + 16.0,
            label(tick)
        )?;
    }
    let (across, down) = (f64::midpoint(LEFT, RIGHT - 16.0), f64::midpoint(TOP, BOTTOM));
    writeln!(
        to,
        "<text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        BOTTOM + 34.0,
        escape(&axes.x.0)
    )?;
    writeln!(
        to,
        "<text x=\"14\" y=\"{down:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 14 {down:.1})\">{}</text>",
        escape(&axes.y.0)
    )?;
    for (place, one) in series.iter().enumerate() {
        let colour = COLOURS[one.colour % COLOURS.len()];
        let stroke = match one.stroke {
            Stroke::Solid => format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\""),
            Stroke::Dashed => {
                format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" stroke-dasharray=\"5 3\"")
            }
        };
        let points = one.points.iter().map(|&(across, up)| (x.at(across), y.at(up)));
        writeln!(to, "<path d=\"{}\" {stroke}/>", path(points))?;
        let base = TOP + LINE * (place as f64 + 0.7);
        writeln!(to, "<path d=\"M{RIGHT} {:.1}h22\" {stroke}/>", base - 4.0)?;
        if let Some((across, up)) = one.marked {
            let mark = mark(one.stroke, colour);
            for (x, y) in [(x.at(across), y.at(up)), (RIGHT + 11.0, base - 4.0)] {
                writeln!(to, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" {mark}/>")?;
            }
        }
        writeln!(
            to,
            "<text x=\"{:.1}\" y=\"{base:.1}\" font-size=\"11\">{}</text>",
            RIGHT + 28.0,
            escape(&one.name)
        )?;
    }
    Ok(())
}

/// Filled on a whole line, hollow on a broken one.
fn mark(stroke: Stroke, colour: &str) -> String {
    match stroke {
        Stroke::Solid => format!("fill=\"{colour}\" stroke=\"#fff\""),
        Stroke::Dashed => format!("fill=\"#fff\" stroke=\"{colour}\" stroke-width=\"1.6\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> Axes {
        Axes { x: ("r < 1".to_owned(), 0.0, 1.0), y: ("covered".to_owned(), 0.0, 1.0) }
    }

    fn series(marked: Option<(f64, f64)>, stroke: Stroke) -> Series {
        Series { name: "a & b".to_owned(), points: vec![(0.0, 0.0), (1.0, 1.0)], marked, colour: 9, stroke }
    }

    #[test]
    fn lines_run_from_corner_to_corner() {
        let figure = svg("coverage", &axes(), &[series(None, Stroke::Solid), series(None, Stroke::Dashed)]);
        assert_eq!(figure.matches("d=\"M56.0 356.0L414.0 34.0\"").count(), 2, "{figure}");
        assert_eq!(figure.matches("stroke-dasharray").count(), 2, "the line and its legend");
        assert!(figure.contains("r &lt; 1") && figure.contains("a &amp; b") && figure.contains(COLOURS[1]));
    }

    #[test]
    fn what_is_marked_stands_in_the_frame_and_in_the_legend() {
        let figure = svg("coverage", &axes(), &[series(Some((0.5, 0.5)), Stroke::Solid)]);
        assert_eq!(figure.matches("<circle").count(), 2);
        assert!(figure.contains("cx=\"235.0\" cy=\"195.0\""), "{figure}");
        assert!(!figure.contains("fill=\"#fff\" stroke"), "{figure}");
        let hollow = svg("coverage", &axes(), &[series(Some((0.5, 0.5)), Stroke::Dashed)]);
        assert_eq!(hollow.matches("fill=\"#fff\" stroke").count(), 2, "{hollow}");
    }
}

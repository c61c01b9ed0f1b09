//! Reports: one self-contained HTML page about an experiment or a table.
//!
//! The page has no scripts and loads nothing; it follows the reader's light or dark setting. It is a pure function of a
//! [`Report`], which a caller fills from records.
//!
//! | module | holds |
//! | --- | --- |
//! | `plot` | [`Panel`] and the drawings |

mod plot;

use std::fmt::{self, Write};

pub use plot::Panel;

use crate::Environment;
use crate::render::{COMPARISON_LEGEND, Footnotes, Parts, contrast, joined, outcome, pairs};
use crate::svg::escape;
use crate::table::{RowKind, Table};
use plot::{DifferenceAxis, learning};

/// What a page says.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its heading.
    pub title: String,
    /// Paragraphs below the heading.
    pub lead: Vec<String>,
    /// Whether this is what the paper ran.
    pub budget: Budget,
    /// What was run: protocol, seeds, data source, …
    pub facts: Vec<Fact>,
    /// The tables.
    pub tables: Vec<Table>,
    /// Learning curves, one panel an experiment.
    pub panels: Vec<Panel>,
    /// What failed.
    pub failures: Vec<Failure>,
    /// The environments the records name, without repetitions.
    pub environments: Vec<Environment>,
    /// The commands that make this page again.
    pub commands: Vec<String>,
}

/// How much of the full experiment was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Budget {
    /// All of it.
    Full,
    /// Less, and in what.
    Reduced(String),
}

/// A name and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub value: String,
}

/// A run, or a whole experiment, that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The experiment.
    pub experiment: String,
    /// The run, if it is one.
    pub run: Option<u32>,
    /// The error.
    pub error: String,
}

const STYLE: &str = include_str!("style.css");

impl Report {
    /// The page.
    pub fn to_html(&self) -> String {
        let mut page = String::new();
        self.write(&mut page).expect("a string takes everything");
        page
    }

    fn write(&self, to: &mut String) -> fmt::Result {
        let title = escape(&self.title);
        writeln!(to, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
        writeln!(to, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
        writeln!(
            to,
            "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>"
        )?;
        for paragraph in &self.lead {
            writeln!(to, "<p>{}</p>", escape(paragraph))?;
        }
        if let Budget::Reduced(how) = &self.budget {
            writeln!(to, "<p class=\"budget\"><b>Reduced run.</b> {}</p>", escape(how))?;
        }
        self.facts(to)?;
        for table in &self.tables {
            write_table(to, table)?;
        }
        self.panels(to)?;
        self.failures(to)?;
        self.environments(to)?;
        if !self.commands.is_empty() {
            writeln!(
                to,
                "<h2>How to reproduce this page</h2>\n<pre>{}</pre>",
                escape(&self.commands.join("\n"))
            )?;
        }
        writeln!(to, "</main>\n</body>\n</html>")
    }

    fn facts(&self, to: &mut String) -> fmt::Result {
        if self.facts.is_empty() {
            return Ok(());
        }
        writeln!(to, "<h2>What was run</h2>\n<dl>")?;
        for fact in &self.facts {
            writeln!(to, "<dt>{}</dt><dd>{}</dd>", escape(&fact.name), escape(&fact.value))?;
        }
        writeln!(to, "</dl>")
    }

    fn panels(&self, to: &mut String) -> fmt::Result {
        if self.panels.is_empty() {
            return Ok(());
        }
        writeln!(to, "<h2>Learning curves</h2>\n<ul class=\"key\">")?;
        for (class, name) in [("train", "training"), ("valid", "validation"), ("test", "test")] {
            writeln!(
                to,
                "<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><path class=\"line {class}\" d=\"M0 6L26 6\"/></svg>{name}</li>"
            )?;
        }
        writeln!(
            to,
            "<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><line class=\"selected\" x1=\"13\" x2=\"13\" y1=\"1\" y2=\"11\"/></svg>selected epoch of a run</li>\n</ul>"
        )?;
        writeln!(
            to,
            "<p class=\"quiet\">By epoch; each point is the mean over the runs that reached it.</p>"
        )?;
        writeln!(to, "<div class=\"panels\">")?;
        for panel in &self.panels {
            learning(to, panel)?;
        }
        writeln!(to, "</div>")
    }

    fn failures(&self, to: &mut String) -> fmt::Result {
        if self.failures.is_empty() {
            return Ok(());
        }
        writeln!(to, "<h2>Failures</h2>\n<ul>")?;
        for failure in &self.failures {
            let run = failure.run.map_or(String::new(), |run| format!(", run {run}"));
            let (experiment, error) = (escape(&failure.experiment), escape(&failure.error));
            writeln!(to, "<li>{experiment}{run}: <span class=\"failed\">{error}</span></li>")?;
        }
        writeln!(to, "</ul>")
    }

    fn environments(&self, to: &mut String) -> fmt::Result {
        if self.environments.is_empty() {
            return Ok(());
        }
        writeln!(to, "<h2>Environment</h2>")?;
        for environment in &self.environments {
            let commit = match (&environment.commit, environment.dirty) {
                (None, _) => "unknown".to_owned(),
                (Some(commit), Some(true)) => format!("{commit}, with changes that are not in it"),
                (Some(commit), _) => commit.clone(),
            };
            let facts = [
                ("version", environment.version.clone()),
                ("commit", commit),
                ("LibTorch", environment.libtorch.clone()),
                ("device", environment.device.clone()),
                ("threads", environment.threads.to_string()),
                ("system", format!("{}, {}", environment.os, environment.arch)),
                ("started", environment.started.clone()),
            ];
            writeln!(to, "<dl>")?;
            for (name, value) in facts {
                writeln!(to, "<dt>{name}</dt><dd>{}</dd>", escape(&value))?;
            }
            writeln!(to, "</dl>")?;
        }
        Ok(())
    }
}

fn write_table(to: &mut String, table: &Table) -> fmt::Result {
    let mut notes = Footnotes::default();
    writeln!(to, "<h2>{}</h2>\n<div class=\"scroll\">\n<table>\n<thead><tr><td></td>", escape(&table.title))?;
    for column in &table.columns {
        writeln!(to, "<th scope=\"col\">{}</th>", escape(column))?;
    }
    writeln!(to, "</tr></thead>\n<tbody>")?;
    for row in &table.rows {
        let class = match row.kind {
            RowKind::Method => "method",
            RowKind::Reference => "reference",
        };
        writeln!(to, "<tr class=\"{class}\"><th scope=\"row\">{}</th>", escape(&row.method))?;
        for cell in &row.cells {
            let parts = Parts::new(cell, table.unit, table.rule, &mut notes);
            let mean = match (&cell.failed, &cell.ours) {
                (Some(_), _) => "<b class=\"failed\">",
                (None, Some(_)) => "<b>",
                (None, None) => "<b class=\"absent\">",
            };
            write!(to, "<td>{mean}{}</b> <small>{}</small>", parts.mean, parts.spread)?;
            write!(to, "<sup>{}</sup>", parts.marks)?;
            if !parts.published.is_empty() {
                let pieces = joined(&[&parts.published, &parts.delta], " | ");
                write!(to, "<span class=\"beside\">{pieces}</span>")?;
            }
            writeln!(to, "</td>")?;
        }
        writeln!(to, "</tr>")?;
    }
    writeln!(to, "</tbody>\n</table>\n</div>")?;
    writeln!(to, "<p class=\"quiet\">{}</p>", escape(&table.legend()))?;
    for note in &table.notes {
        writeln!(to, "<p class=\"quiet\">{}</p>", escape(note))?;
    }
    write_comparisons(to, table, &mut notes)?;
    if !notes.texts().is_empty() {
        writeln!(to, "<ol class=\"quiet\">")?;
        for text in notes.texts() {
            writeln!(to, "<li>{}</li>", escape(text))?;
        }
        writeln!(to, "</ol>")?;
    }
    Ok(())
}

fn write_comparisons(to: &mut String, table: &Table, notes: &mut Footnotes) -> fmt::Result {
    if table.comparisons.is_empty() {
        return Ok(());
    }
    let differences = || table.comparisons.iter().filter_map(|comparison| comparison.outcome.as_ref().ok());
    let axis = DifferenceAxis::new(differences());
    writeln!(to, "<h2>Learned minus control</h2>\n<div class=\"scroll\">\n<table class=\"comparisons\">")?;
    writeln!(
        to,
        "<thead><tr><th scope=\"col\">data set</th><th scope=\"col\" class=\"left\">learned − control</th><td></td><th scope=\"col\">mean [95 % interval]</th><th scope=\"col\">n</th></tr></thead>\n<tbody>"
    )?;
    for comparison in &table.comparisons {
        write!(
            to,
            "<tr><td>{}</td><td class=\"left\">{}</td><td>",
            escape(&comparison.column),
            escape(&contrast(comparison))
        )?;
        if let Ok(difference) = &comparison.outcome {
            axis.draw(to, difference)?;
        }
        writeln!(
            to,
            "</td><td>{}</td><td>{}</td></tr>",
            outcome(comparison, table.unit, notes),
            pairs(comparison)
        )?;
    }
    write!(to, "<tr><td></td><td></td><td>")?;
    if differences().next().is_some() {
        axis.labels(to)?;
    }
    writeln!(to, "</td><td></td><td></td></tr>\n</tbody>\n</table>\n</div>")?;
    writeln!(to, "<p class=\"quiet\">{COMPARISON_LEGEND} A filled point: zero lies outside the interval.</p>")
}

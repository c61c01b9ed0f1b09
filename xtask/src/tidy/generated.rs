//! Parts of documents that are written by this program: they must be fresh, and `--fix` writes them.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use coarsen_graph::registry::DATASETS;

/// A part of a document, and what should stand there.
struct Part {
    file: &'static str,
    name: &'static str,
    text: fn() -> String,
}

const PARTS: &[Part] = &[Part { file: "docs/DATA.md", name: "data sets", text: data_sets }];

/// What is stale; with `fix`, nothing is.
pub(super) fn check(root: &Path, fix: bool) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for part in PARTS {
        let path = root.join(part.file);
        let before = fs::read_to_string(&path).with_context(|| part.file.to_owned())?;
        let after = replaced(&before, part.name, &(part.text)()).with_context(|| part.file.to_owned())?;
        if before == after {
            continue;
        }
        if fix {
            fs::write(&path, after).with_context(|| part.file.to_owned())?;
            println!("{}: `{}` is written anew", part.file, part.name);
        } else {
            complaints
                .push(format!("{}: `{}` is stale; `cargo xtask tidy --fix` writes it", part.file, part.name));
        }
    }
    Ok(complaints)
}

/// `document` with `text` between the two marks of a part.
fn replaced(document: &str, name: &str, text: &str) -> Result<String> {
    let (open, close) = (format!("<!-- generated: {name} -->\n"), format!("<!-- end: {name} -->"));
    let Some((before, rest)) = document.split_once(&open) else { bail!("no line `{}`", open.trim_end()) };
    let Some((_, after)) = rest.split_once(&close) else {
        bail!("no line `{close}` after `{}`", open.trim_end())
    };
    Ok(format!("{before}{open}{text}{close}{after}"))
}

fn data_sets() -> String {
    let mut text = "| name | family | graphs | classes | nodes | edges | node labels | attributes | note |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for spec in DATASETS {
        let (print, clean) = (&spec.published, &spec.clean);
        let count =
            |print: Option<usize>, clean: Option<usize>| cell(print, clean, |value| value.to_string());
        let mean = |print: Option<f64>, clean: Option<f64>| cell(print, clean, |value| format!("{value:.2}"));
        let cells = [
            spec.name.to_owned(),
            spec.family.to_string(),
            count(print.graphs, clean.graphs),
            count(print.classes, clean.classes),
            mean(print.nodes_mean, clean.nodes_mean),
            mean(print.edges_mean, clean.edges_mean),
            count(print.node_labels, clean.node_labels),
            count(print.node_attributes, clean.node_attributes),
            spec.note.replace('|', "\\|"),
        ];
        text.extend(["| ", &cells.join(" | "), " |\n"]);
    }
    text
}

fn cell<T: Copy>(print: Option<T>, clean: Option<T>, show: impl Fn(T) -> String) -> String {
    match (clean, print) {
        (Some(clean), Some(print)) => format!("{} (printed {})", show(clean), show(print)),
        (Some(value), None) | (None, Some(value)) => show(value),
        (None, None) => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{cell, data_sets, replaced};

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let document = "a\n<!-- generated: x -->\nold\n<!-- end: x -->\nb\n";
        assert_eq!(replaced(document, "x", "new\n").unwrap(), document.replace("old", "new"));
        assert!(replaced(document, "y", "").unwrap_err().to_string().contains("generated: y"));
        assert!(replaced("<!-- generated: x -->\n", "x", "").is_err());
    }

    #[test]
    fn both_numbers_stand_where_print_and_count_differ() {
        assert_eq!(cell(Some(89), Some(82), |value| value.to_string()), "82 (printed 89)");
        assert_eq!(cell(Some(7), None, |value| value.to_string()), "7");
        assert!(data_sets().contains("| DD | TU | 1178 | 2 | 284.32 | 715.66 | 82 (printed 89) | 0 |"));
    }
}

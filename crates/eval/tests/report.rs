//! The page of a report: golden, self-contained, well-formed, escaped.

mod common;

use coarsen_eval::report::{Budget, Fact, Failure, Panel, Report};
use coarsen_eval::{Rule, Unit};
use common::{check_golden, environment, record, table};

fn report() -> Report {
    let fact = |name: &str, value: &str| Fact { name: name.to_owned(), value: value.to_owned() };
    let panel = |set: &str, method: &str, level| {
        Panel::new(&format!("{set} · {method}"), &record(set, method, level, 10), Rule::Honest, Unit::Percent)
            .unwrap()
    };
    Report {
        title: "Demonstration of a report".to_owned(),
        lead: vec!["Learned pooling & its random control, on synthetic curves.".to_owned()],
        budget: Budget::Reduced("60 epochs in place of 500, 3 data sets of 6.".to_owned()),
        facts: vec![
            fact("protocol", "holdout 80/10/10, not stratified, 10 repeats"),
            fact("seed", "0"),
            fact("data", "none: <synthetic>"),
        ],
        tables: vec![table()],
        panels: vec![
            panel("NCI1", "diffpool", 0.77),
            panel("NCI1", "random", 0.745),
            panel("D&D", "diffpool", 0.76),
            panel("D&D", "random", 0.758),
        ],
        failures: vec![Failure {
            experiment: "demo/table1/nci1/structpool".to_owned(),
            run: Some(3),
            error: "loss is NaN at epoch 7 <lr too large>".to_owned(),
        }],
        environments: vec![environment()],
        commands: vec!["cargo xtask reproduce demo --table 1 --quick".to_owned()],
    }
}

#[test]
fn the_page_is_golden() {
    check_golden("report.html", &report().to_html());
}

#[test]
fn the_page_loads_nothing_and_runs_nothing() {
    let page = report().to_html();
    for forbidden in ["<script", "http", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn text_from_outside_is_escaped() {
    let page = report().to_html();
    for raw in ["<lr", "<synthetic>", "D&D", "pooling & its"] {
        assert!(!page.contains(raw), "{raw}");
    }
    for escaped in ["&lt;lr too large&gt;", "none: &lt;synthetic&gt;", "D&amp;D · diffpool"] {
        assert!(page.contains(escaped), "{escaped}");
    }
}

#[test]
fn every_element_is_closed() {
    let page = report().to_html();
    let body = &page[page.find("<body>").unwrap()..];
    let mut open: Vec<&str> = Vec::new();
    for tag in body.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            let expected = if open.is_empty() { "html" } else { open.pop().unwrap() };
            assert_eq!(closed, expected);
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn empty_parts_are_left_out() {
    let bare = Report {
        title: "bare".to_owned(),
        lead: vec![],
        budget: Budget::Full,
        facts: vec![],
        tables: vec![],
        panels: vec![],
        failures: vec![],
        environments: vec![],
        commands: vec![],
    };
    assert!(!bare.to_html().contains("<h2"));
}

#[test]
fn a_panel_marks_every_run_and_draws_three_lines() {
    let panel = Panel::new("p", &record("NCI1", "diffpool", 0.77, 10), Rule::Honest, Unit::Percent).unwrap();
    assert_eq!((panel.selected.len(), panel.train.len(), panel.test.len()), (10, 60, 60));
    assert!(panel.test[59] > 70.0 && panel.test[59] < 80.0);
    let page = Report { tables: vec![], panels: vec![panel], ..report() }.to_html();
    let figure = &page[page.find("<figure").unwrap()..page.find("</figure>").unwrap()];
    assert_eq!(figure.matches("class=\"selected\"").count(), 10);
    assert_eq!(figure.matches("class=\"line").count(), 3);
}

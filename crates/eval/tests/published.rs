//! The published tables of this repository: complete, and recomputed where a number follows from others.

use std::path::{Path, PathBuf};

use coarsen_eval::Unit;
use coarsen_eval::published::{Paper, PublishedTable};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../repro/published")
}

fn papers() -> Vec<Paper> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| Paper::read(path).unwrap()).collect()
}

fn table(paper: &str, id: &str) -> PublishedTable {
    Paper::read(&folder().join(format!("{paper}.json"))).unwrap().table(id).unwrap().clone()
}

#[test]
fn every_file_is_named_after_its_paper() {
    let papers = papers();
    assert!(papers.len() >= 2);
    for paper in papers {
        assert!(folder().join(format!("{}.json", paper.paper)).is_file(), "{}", paper.paper);
    }
}

#[test]
fn values_are_in_the_unit_of_their_table() {
    for table in papers().iter().flat_map(|paper| &paper.tables) {
        let within = match table.unit {
            Unit::Percent => 1.0..100.0,
            Unit::One => 0.0..1.0,
        };
        for row in &table.rows {
            for value in row.values.iter().flatten() {
                assert!(within.contains(value), "{}, {}: {value}", table.caption, row.method);
            }
        }
    }
}

#[test]
fn derived_columns_recompute_or_are_errata() {
    for table in papers().iter().flat_map(|paper| &paper.tables) {
        for derived in &table.derived {
            for value in &derived.values {
                let recomputed = table.mean_difference(&value.method, &derived.baseline).unwrap();
                let erratum = table.errata.iter().find(|erratum| {
                    erratum.method.as_ref() == Some(&value.method)
                        && erratum.column.as_ref() == Some(&derived.name)
                });
                let expected = erratum.map_or(value.printed, |erratum| {
                    assert_eq!(erratum.printed, Some(value.printed), "{}", value.method);
                    assert_ne!(
                        erratum.recomputed, erratum.printed,
                        "{}: an erratum without a fault",
                        value.method
                    );
                    erratum.recomputed.unwrap()
                });
                assert!(
                    (recomputed - expected).abs() < 0.005 + 1e-9,
                    "{} {}: {recomputed}, expected {expected}",
                    derived.name,
                    value.method
                );
            }
        }
    }
}

#[test]
fn the_printed_gain_of_patchysan_mixes_four_sets_with_five() {
    let table = table("diffpool", "1");
    let mean = |method: &str| {
        let values: Vec<f64> = table.row(method).unwrap().values.iter().copied().flatten().collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!((mean("PatchySan") - mean("GraphSAGE") - 4.17).abs() < 0.005);
}

#[test]
fn the_improvement_in_adamgnns_text_recomputes_as_the_erratum_says() {
    let table = table("adamgnn", "1");
    let over = |method: &str| {
        let value = |method| table.value(method, "MUTAG").unwrap();
        100.0 * (value("AdamGNN") / value(method) - 1.0)
    };
    let erratum = &table.errata[0];
    assert!((over("StructPool") - erratum.printed.unwrap()).abs() < 0.005);
    assert!((over("3WL-GNN") - erratum.recomputed.unwrap()).abs() < 0.005);
}

#[test]
fn cells_are_found_by_their_printed_names() {
    let table = table("diffpool", "1");
    assert_eq!(table.value("DiffPool", "PROTEINS"), Some(76.25));
    assert_eq!(table.value("PatchySan", "ENZYMES"), None);
    assert_eq!(table.value("DiffPool", "NCI1"), None);
    assert_eq!((table.rows.len(), table.columns.len()), (12, 5));
}

#[test]
fn faults_are_named() {
    let text = std::fs::read_to_string(folder().join("diffpool.json")).unwrap();
    let fault = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Paper::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err()
    };
    assert_eq!(fault("[41.03, ", "["), "table 1: row `Graphlet` has 4 entries for 5 columns");
    assert_eq!(fault("\"1-WL\"", "\"WL-OA\""), "table 1: method `WL-OA` twice");
    assert_eq!(
        fault("\"baseline\": \"GraphSAGE\"", "\"baseline\": \"GraphSage\""),
        "table 1: no row `GraphSage`"
    );
    assert_eq!(fault("\"column\": \"Gain\"", "\"column\": \"Gian\""), "table 1: no column `Gian`");
    assert!(fault("\"caption\"", "\"captoin\"").contains("captoin"));
}

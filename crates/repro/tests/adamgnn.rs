//! The commands around AdamGNN, from the outside: its suites, its search, its figures, its growth.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The network on Zachary's club, three epochs.
const CLUB: &str = "nodes/adamgnn-table2-nodes/KARATE/nodes-adamgnn --set train.epochs=3";

fn run(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coarsen"));
    command.current_dir(folder).args(line.split_whitespace()).output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command that succeeds prints.
fn printed(folder: &TempDir, line: &str) -> String {
    let output = run(folder.path(), line);
    assert!(output.status.success(), "{line}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What a command that fails says.
fn refused(folder: &TempDir, line: &str) -> String {
    let output = run(folder.path(), line);
    assert_eq!(output.status.code(), Some(1), "{line}: {}", text(&output.stdout));
    text(&output.stderr)
}

/// The files of a folder and of those in it whose names end so.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn every_suite_of_adamgnn_can_be_looked_at() {
    let folder = TempDir::new().expect("a folder");
    for (suite, row) in [
        ("nodes", "AdamGNN, as released"),
        ("adamgnn-losses", "L_task + L_KL"),
        ("adamgnn-flyback", "AdamGNN, no flyback"),
        ("adamgnn-levels", "5 levels"),
    ] {
        let tables = printed(&folder, &format!("reproduce --suite {suite} --builtin --smoke"));
        assert!(tables.contains(row) && tables.contains("its numbers mean nothing"), "{tables}");
        assert!(!tables.contains('–'), "no cell is missing: {tables}");
        assert!(folder.path().join(format!("results/{suite}-smoke-builtin.md")).is_file());
    }
}

#[test]
fn a_search_tries_each_configuration_once_and_says_how_to_run_the_best() {
    let folder = TempDir::new().expect("a folder");
    let line = format!("tune {CLUB} --levels 2,3 --lr 0.01,0.1 --dropout 0");
    let first = printed(&folder, &line);
    assert!(first.contains("4 configurations, 4 of them to try"), "{first}");
    let again = printed(&folder, &line);
    assert!(again.contains("4 configurations, 0 of them to try"), "{again}");
    let rest = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rest(&first), rest(&again));

    let tuned = folder.path().join("results/tuned");
    let [search, winner] = files(&tuned, ".json").try_into().expect("a search and its winner");
    let (search, experiment) = (read(&search), read(&winner));
    let tried = search["tried"].as_array().expect("a list");
    let best = tried.iter().filter_map(|one| one["valid"].as_f64()).fold(0.0, f64::max);
    let best = tried.iter().find(|one| one["valid"].as_f64() == Some(best)).expect("the first of the best");
    assert!(rest(&first)[1].starts_with(best["name"].as_str().expect("a name")), "{first}");
    assert_eq!(experiment["model"]["levels"], best["set"]["model/levels"]);
    assert_eq!(experiment["train"]["optimizer"]["lr"], best["set"]["train/optimizer/lr"]);
    assert_eq!(experiment["protocol"]["repeats"], json!(10), "all splits of where it came from");
    let command =
        first.lines().last().and_then(|line| line.strip_prefix("run it: coarsen ")).expect("a command");
    assert_eq!(
        printed(&folder, &format!("{command} --print")).trim(),
        fs::read_to_string(&winner).expect("a file").trim()
    );
    assert!(!folder.path().join("results/records").exists(), "no test value is kept");
}

#[test]
fn what_cannot_be_searched_is_named() {
    let folder = TempDir::new().expect("a folder");
    let message = refused(&folder, &format!("tune {CLUB} --lr 1,2,3,4 --dropout 0,0.1 --levels 2,3"));
    assert!(message.contains("16 configurations, of which at most 12 are tried"), "{message}");
    let message = refused(&folder, &format!("tune {CLUB} --levels 1"));
    assert!(
        message.contains("levels=1 lr=0.01 dropout=0.0: adamgnn: `levels` must be at least 2, got 1"),
        "{message}"
    );
    let message = refused(&folder, "tune nodes/adamgnn-table2-nodes/KARATE/nodes-gnc");
    assert!(message.contains("is no file and no experiment of a suite"), "{message}");
    let folds = json!({"dataset": "COMMUNITIES", "model": {"kind": "gin"}, "protocol": {"kind": "k-fold", "folds": 5, "valid": "test"}});
    fs::write(folder.path().join("folds.json"), folds.to_string()).expect("a file");
    let message = refused(&folder, "tune folds.json");
    assert!(message.contains("the protocol must be a holdout"), "{message}");
    assert!(!folder.path().join("results").exists(), "nothing was trained");
}

#[test]
fn figures_are_drawn_from_what_was_seen_and_again_from_its_record() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join("results/figures").join(name);
    printed(&folder, &format!("figure flyback {CLUB}"));
    let heat = fs::read_to_string(at("flyback.svg")).expect("a figure");
    assert!(heat.contains("class 1 (17 nodes)") && heat.contains("level 3"), "{heat}");
    let records = files(&at(""), ".json");
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let seen = read(record);
    for class in seen["beta"].as_array().expect("classes") {
        let sum: f64 = class.as_array().expect("levels").iter().filter_map(Value::as_f64).sum();
        // A softmax over levels in f32, averaged.
        assert!((sum - 1.0).abs() < 1e-5, "{seen}");
    }
    let before = fs::read(record).expect("a record");
    printed(&folder, &format!("figure coverage {CLUB}"));
    assert_eq!(fs::read(record).expect("a record"), before, "nothing is trained again");
    let curves = fs::read_to_string(at("coverage.svg")).expect("a figure");
    assert!(curves.contains("KARATE, untrained") && curves.contains("nodes kept by Top-k"), "{curves}");
    let message = refused(&folder, "figure flyback nodes/adamgnn-table2-nodes/KARATE/nodes-gcn");
    assert!(message.contains("`experiment` must be node classification with AdamGNN, got flat"), "{message}");
}

#[test]
fn growth_is_measured_at_one_size() {
    let folder = TempDir::new().expect("a folder");
    let line = printed(&folder, "bench growth --nodes 300 --epochs 1 --kl dec --json growth.json");
    assert!(line.starts_with("n=300 E="), "{line}");
    let report = read(&folder.path().join("growth.json"));
    assert_eq!(report["sizes"][0], 300);
    for key in ["epoch_s", "spmm_s", "epoch_over_spmm", "peak_rss_mb", "bytes_per_edge", "coarsen", "machine"]
    {
        assert!(!report[key].is_null(), "{key} of {report}");
    }
    let message = refused(&folder, "bench growth --nodes 300 --kl dce");
    assert!(message.contains("unknown variant `dce`"), "{message}");
}

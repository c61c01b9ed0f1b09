//! The binary, from the outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use coarsen_eval::{Outcome, Record};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coarsen"));
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command.output().expect("the binary starts")
    }

    /// What a command that succeeds prints on stdout.
    fn stdout(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What a command that fails prints on stderr.
    fn stderr(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(1), "{line}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    /// The only record in a folder of results.
    fn record(&self, out: &str) -> (PathBuf, Record) {
        let files = coarsen_eval::RecordDir::new(self.path(out).join("records")).files().unwrap();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        (file.clone(), Record::read(file).unwrap())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A triangle, a path of three nodes with a self-loop and a duplicated edge, and two nodes without an edge.
fn tiny(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let files = [
        ("A", "1, 2\n2, 1\n2, 3\n3, 2\n1, 3\n3, 1\n4, 5\n5, 4\n5, 6\n6, 5\n5, 6\n4, 4\n"),
        ("graph_indicator", "1\n1\n1\n2\n2\n2\n3\n3\n"),
        ("graph_labels", "-1\n1\n1\n"),
        ("node_labels", "0\n0\n5\n0\n0\n0\n5\n5\n"),
    ];
    for (kind, text) in files {
        fs::write(folder.join(format!("TINY_{kind}.txt")), text).unwrap();
    }
}

#[test]
fn data_prints_the_statistics_of_any_set() {
    let bench = Bench::new();
    tiny(&bench.path("somewhere/TINY"));
    tiny(&bench.path("data/raw/TINY"));
    let stats = bench.stdout("data somewhere/TINY --json");
    let keys: Vec<&str> = stats.lines().filter_map(|line| line.split('"').nth(1)).collect();
    assert_eq!(
        keys.join(" "),
        "graphs classes nodes_mean edges_mean node_labels node_attributes edge_labels edge_attributes isolated_nodes \
         empty_graphs self_loops"
    );
    let stats: Value = serde_json::from_str(&stats).unwrap();
    let expected = json!({
        "graphs": 3, "classes": 2, "nodes_mean": 8.0 / 3.0, "edges_mean": 5.0 / 3.0, "node_labels": 2,
        "node_attributes": 0, "edge_labels": 0, "edge_attributes": 0, "isolated_nodes": 2, "empty_graphs": 0,
        "self_loops": 1,
    });
    assert_eq!(stats, expected);
    assert_eq!(bench.stdout("data TINY --json"), bench.stdout("data somewhere/TINY --json"));
    assert!(bench.stdout("data COMMUNITIES").contains("as registered"));
}

#[test]
fn an_unknown_data_set_lists_the_known_ones() {
    let bench = Bench::new();
    for line in ["data MUTGA", "train --dataset MUTGA"] {
        let message = bench.stderr(line);
        assert!(message.contains("unknown data set `MUTGA`: known are MUTAG, "), "{message}");
    }
    assert!(bench.stderr("train --dataset MUTAG").contains("cargo xtask data MUTAG"));
}

#[test]
fn a_mistyped_key_is_named() {
    let bench = Bench::new();
    let experiment = json!({"dataset": "TRIANGLES", "model": {"kind": "gin"}, "train": {"epoch": 3}});
    fs::write(bench.path("mine.json"), experiment.to_string()).unwrap();
    let message = bench.stderr("train --experiment mine.json");
    assert!(message.contains("mine.json") && message.contains("unknown field `epoch`"), "{message}");

    let experiment = json!({"dataset": "TRIANGLES", "model": {"kind": "gin", "hiden": 3}});
    fs::write(bench.path("mine.json"), experiment.to_string()).unwrap();
    let message = bench.stderr("train --experiment mine.json");
    assert!(message.contains("unknown field `hiden`"), "{message}");
    assert!(!bench.path("results").exists(), "nothing is recorded");
}

#[test]
fn print_shows_the_experiment_and_it_can_be_given_back() {
    let bench = Bench::new();
    let printed =
        bench.stdout("train --dataset MUTAG --pool top-k --epochs 7 --set model.pool.keep.ratio=0.8 --print");
    let words: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(words["model"]["pool"], json!({"kind": "top-k", "keep": {"ratio": 0.8}}));
    assert_eq!(words["train"], json!({"epochs": 7, "patience": 30}));
    fs::write(bench.path("mine.json"), &printed).unwrap();
    assert_eq!(bench.stdout("train --experiment mine.json --print"), printed);
    let both = bench.run("train --experiment mine.json --epochs 3 --print");
    assert_eq!(both.status.code(), Some(2), "a file and flags exclude each other");
}

const TRAIN: &str = "train --dataset COMMUNITIES --pool diffpool --hidden 8 --epochs 2 --seeds 2";

#[test]
fn the_same_command_gives_the_same_record() {
    let bench = Bench::new();
    let printed = bench.stdout(&format!("{TRAIN} --out one"));
    assert!(printed.contains("run  2/2  test ") && printed.contains("honest "), "{printed}");
    assert!(printed.contains("max-of-mean-curve") && printed.contains("majority class"), "{printed}");
    bench.stdout(&format!("{TRAIN} --out two --workers 1"));
    let ((_, one), (_, two)) = (bench.record("one"), bench.record("two"));
    assert!(one.same_but_times(&two));
    assert_eq!(one.runs.len(), 2);
}

#[test]
fn a_record_without_a_run_resumes_to_the_same_record() {
    let bench = Bench::new();
    bench.stdout(TRAIN);
    let (file, whole) = bench.record("results");
    let mut part = whole.clone();
    part.runs.remove(0);
    part.write(&file).unwrap();
    let resumed = bench.run(TRAIN);
    assert!(text(&resumed.stderr).contains("1 of 2 runs are recorded"), "{}", text(&resumed.stderr));
    assert!(bench.record("results").1.same_but_times(&whole));

    let before = fs::read(&file).unwrap();
    assert!(bench.stdout(TRAIN).contains("run  1/2  test "), "a complete record is shown");
    assert_eq!(fs::read(&file).unwrap(), before, "and not run again");

    fs::write(&file, "{\"format\": 1").unwrap();
    let message = text(&bench.run(TRAIN).stderr);
    assert!(message.contains("is no record") && message.contains(".json.broken"), "{message}");
    assert!(bench.record("results").1.same_but_times(&whole));
}

#[test]
fn the_smoke_suite_makes_its_tables_and_renders_them_again() {
    let bench = Bench::new();
    let tables = bench.stdout("reproduce --suite smoke --seeds 1");
    for row in [
        "majority class",
        "GIN",
        "DiffPool",
        "DiffPool, random S",
        "Top-k",
        "Graclus",
        "g-U-Net, random scores",
    ] {
        assert!(tables.contains(row), "{tables}");
    }
    assert!(tables.contains("reduced budget, not the papers' protocol"), "{tables}");
    assert!(tables.contains("learned − control"), "{tables}");
    let page = fs::read(bench.path("results/smoke.md")).unwrap();
    assert!(fs::read_to_string(bench.path("results/smoke.html")).unwrap().contains("GENERATED DATA"));

    let again = bench.run("reproduce --suite smoke --seeds 1");
    assert!(text(&again.stderr).contains("experiments, 0 of them to run"), "{}", text(&again.stderr));
    assert_eq!(bench.stdout("reproduce --suite smoke --seeds 1 --render"), tables);
    assert_eq!(fs::read(bench.path("results/smoke.md")).unwrap(), page);
    let files = coarsen_eval::RecordDir::new(bench.path("results/records")).files().unwrap();
    let mut record = Record::read(&files[0]).unwrap();
    record.runs[0].outcome = Outcome::Failed { error: "the loss is infinite".to_owned() };
    record.write(&files[0]).unwrap();
    let failed = bench.run("reproduce --suite smoke --seeds 1 --render");
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed.stdout).contains("run 0 failed: the loss is infinite"), "{}", text(&failed.stdout));
    assert_eq!(bench.stdout("reproduce --suite smoke --seeds 1"), tables, "a failed run is tried again");

    assert!(bench.stderr("reproduce --render").contains("there are no records of the suite quick"));
    assert!(bench.stderr("reproduce").contains("no data set is there"));
}

#[test]
fn an_epoch_is_timed_and_reported_with_the_keys_of_the_comparison() {
    let bench = Bench::new();
    let line = "bench epoch --model diffpool --dataset COMMUNITIES --hidden 8 --epochs 2 --warmup 1 --batch 50 --infer-passes 1 \
                --threads 1 --json out.json";
    let printed = bench.stdout(line);
    assert!(printed.starts_with("diffpool  COMMUNITIES b50 t1 ["), "{printed}");
    let report: Value = serde_json::from_slice(&fs::read(bench.path("out.json")).unwrap()).unwrap();
    let keys = "args graphs nodes edges_directed max_nodes mean_nodes features classes params epoch_s epoch_parts_s \
                train_graphs_per_s steps_per_epoch val_acc test_acc epochs_run loss_first loss_last infer_graphs_per_s \
                infer_graphs_per_s_precollated peak_rss_mb foreign_cores clean_epochs timed_epochs epoch_cpu_s machine coarsen";
    let missing: Vec<&str> = keys.split_whitespace().filter(|key| report[key].is_null()).collect();
    assert!(missing.is_empty(), "{missing:?} of {report}");
    assert_eq!((&report["epochs_run"], &report["timed_epochs"]), (&json!(2), &json!(1)));
    assert_eq!(report["features"], 64, "one-hot degrees where there are no labels");
    let (graphs, steps) = (report["graphs"].as_u64().unwrap(), report["steps_per_epoch"].as_u64().unwrap());
    assert_eq!(steps, (graphs * 8 / 10).div_ceil(50), "the last short batch is kept");
    let parts = &report["epoch_parts_s"];
    let sum: f64 =
        ["loader", "forward", "backward", "optimizer"].map(|part| parts[part].as_f64().unwrap()).iter().sum();
    assert!(sum > 0.0 && sum <= report["epoch_s"]["median"].as_f64().unwrap(), "{report}");
    assert!(!bench.path("results").exists(), "nothing is recorded");
}

#[test]
fn what_cannot_be_timed_is_named() {
    let bench = Bench::new();
    assert!(
        bench
            .stderr("bench epoch --model gnc --dataset COMMUNITIES")
            .contains("unknown network `gnc`; known are")
    );
    assert!(bench.stderr("bench ops --only smpp").contains("unknown group `smpp`; known are spmm, "));
}

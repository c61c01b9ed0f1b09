//! Records on disk: identity, resuming, broken files.

use std::fs;

use coarsen_eval::{
    Curves, Environment, Error, Metric, Outcome, Record, RecordDir, Rule, Run, experiment_hash,
};
use serde_json::{Value, json};

fn experiment() -> Value {
    json!({"id": "paper/table1/set", "note": "a first try", "model": {"hidden": 64, "kl": 0.1}, "seed": 0, "version": 1})
}

fn done(index: u32, test: f64) -> Run {
    let curves =
        Curves { train_loss: vec![f64::NAN], valid: vec![0.5], test: vec![test], ..Curves::default() };
    Run { index, seed: u64::MAX, outcome: Outcome::Done { curves, epochs: 1, seconds: 0.1 } }
}

fn record() -> Record {
    let environment =
        Environment { commit: Some("abc".to_owned()), ..Environment::host("0.1.0", "2.11.0", "cpu", 2) };
    let mut record = Record::new(experiment(), Metric::Accuracy, 2, environment);
    record.put(done(0, 0.1 + 0.2));
    record
}

#[test]
fn the_hash_looks_at_what_was_run_and_at_nothing_else() {
    let same = [
        r#"{"version": 1, "seed": 0, "model": {"kl": 0.1, "hidden": 64}}"#,
        r#"{"id": "renamed", "note": null, "version": 1, "seed": 0, "model": {"kl": 1e-1, "hidden": 64.0}}"#,
    ];
    for text in same {
        assert_eq!(
            experiment_hash(&serde_json::from_str(text).unwrap()),
            experiment_hash(&experiment()),
            "{text}"
        );
    }
    let different = [
        r#"{"version": 2, "seed": 0, "model": {"kl": 0.1, "hidden": 64}}"#,
        r#"{"version": 1, "seed": 0, "model": {"kl": 0.1, "hidden": "64"}}"#,
        r#"{"version": 1, "seed": 0, "model": {"kl": 0.1, "hidden": 64, "note": "kept below the top"}}"#,
        r#"{"version": 1, "seed": 0, "model": [{"kl": 0.1, "hidden": 64}]}"#,
    ];
    for text in different {
        assert_ne!(
            experiment_hash(&serde_json::from_str(text).unwrap()),
            experiment_hash(&experiment()),
            "{text}"
        );
    }
    // sha256 of {"a":[1,2.5,"x"],"b":null}, computed with another implementation.
    assert_eq!(experiment_hash(&json!({"b": null, "a": [1.0, 2.5, "x"]})), "ebeb83367f9695ff");
}

#[test]
fn a_record_survives_the_disk_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let records = RecordDir::new(folder.path().join("results/records"));
    assert!(records.read(&experiment()).unwrap().is_none());
    assert!(records.files().unwrap().is_empty());

    let path = records.write(&record()).unwrap();
    let hash = experiment_hash(&experiment());
    assert_eq!(path, records.root().join(format!("paper/table1/set-{hash}.json")));
    assert_eq!(records.files().unwrap(), std::slice::from_ref(&path));
    let back = records.read(&experiment()).unwrap().unwrap();
    assert!(back.same_but_times(&record()));
    let Outcome::Done { curves, .. } = &back.runs[0].outcome else { panic!() };
    assert_eq!(curves.test[0].to_bits(), (0.1_f64 + 0.2).to_bits());
    assert!(curves.train_loss[0].is_nan());
    let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "a temporary file was left behind");
}

#[test]
fn a_record_is_taken_up_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let records = RecordDir::new(folder.path());
    records.write(&record()).unwrap();
    let mut resumed = records.read(&experiment()).unwrap().unwrap();
    assert_eq!(resumed.missing(), [1]);
    assert!(matches!(resumed.score(Rule::Honest), Err(Error::Incomplete { done: 1, planned: 2 })));
    resumed.put(done(1, 0.5));
    records.write(&resumed).unwrap();
    let complete = records.read(&experiment()).unwrap().unwrap();
    assert!((complete.score(Rule::Honest).unwrap().mean - 0.4).abs() < 1e-15);
}

#[test]
fn a_broken_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let records = RecordDir::new(folder.path());
    let path = records.write(&record()).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let broken = |text: &str| {
        fs::write(&path, text).unwrap();
        let error = records.read(&experiment()).unwrap_err();
        assert!(matches!(error, Error::Broken { .. }), "{error}");
        let message = error.to_string();
        assert!(message.starts_with(&format!("{}: not a record: ", path.display())), "{message}");
        message
    };
    broken(&whole[..whole.len() / 2]);
    broken("");
    assert!(broken(&whole.replacen("\"format\":1", "\"format\":7", 1)).contains("format 7"));
    assert!(broken(&whole.replacen("\"hidden\":64", "\"hidden\":65", 1)).contains("hash"));
    assert!(broken(&whole.replacen("\"planned\"", "\"plannned\"", 1)).contains("plannned"));
}

#[test]
fn an_id_cannot_leave_the_folder() {
    let records = RecordDir::new("records");
    for id in ["", "../up", "a//b", "/root", "a/.hidden", "a b", "a\\b", "a/"] {
        let error = records.path(&json!({ "id": id })).unwrap_err();
        assert!(matches!(error, Error::Id { .. }), "{id}: {error}");
    }
    assert!(records.path(&json!({"seed": 0})).is_err());
}

#[test]
fn a_failure_to_write_leaves_the_old_record() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    fs::write(&blocked, "not a folder").unwrap();
    let error = record().write(&blocked.join("record.json")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(fs::read_to_string(&blocked).unwrap(), "not a folder");

    let mut faulty = record();
    let path = folder.path().join("record.json");
    faulty.write(&path).unwrap();
    faulty.runs[0].index = 9;
    assert!(matches!(faulty.write(&path), Err(Error::Broken { .. })));
    assert_eq!(Record::read(&path).unwrap().runs[0].index, 0);
}

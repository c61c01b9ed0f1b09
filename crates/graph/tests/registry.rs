//! The registry and the data folder: rows are complete, generated sets are what they were, hashes are verified.

use coarsen_graph::registry::{DATASETS, Family, find, parse};
use coarsen_graph::{DataDir, Dataset, Error, FeaturePart, FeatureRule, Stats};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn rows_are_complete_and_names_unique() {
    for row in DATASETS {
        assert_eq!(DATASETS.iter().filter(|other| other.name == row.name).count(), 1);
        assert!(!row.note.is_empty() && !row.citation.is_empty(), "{}", row.name);
        assert_eq!(find(row.name).unwrap().name, row.name);
        let hex = |hash: &str| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(row.content_hash.is_none_or(hex), "{}", row.name);
        match row.family {
            Family::Tu => {
                let url = format!("https://www.chrsmrrs.com/graphkerneldatasets/{}.zip", row.name);
                assert_eq!(row.url, Some(url.as_str()));
                assert!(row.generate(0).is_none());
            }
            Family::Generated => assert!(row.url.is_none()),
            _ => {
                assert!(row.url.is_some_and(|url| url.starts_with("https://") && url.ends_with('/')));
                assert!(!row.files.is_empty() && row.generate(0).is_none());
                assert_eq!(find(row.stored_as()).unwrap().files, row.files);
            }
        }
    }
}

#[test]
fn generated_sets_are_what_they_were_on_every_machine() {
    for row in DATASETS {
        let Some(raw) = row.generate(0) else { continue };
        assert_eq!(row.check(&raw.stats()), [], "{:?}", raw.stats());
        assert_eq!((raw.name(), Some(raw.content_hash())), (row.name, row.content_hash));
    }
}

#[test]
fn seeds_give_other_draws_under_other_names() {
    let data = DataDir::new("nowhere");
    for name in ["TRIANGLES", "COMMUNITIES"] {
        let (zero, seven) = (data.load_raw(name).unwrap(), data.load_raw(&format!("{name}@7")).unwrap());
        assert_ne!(zero.content_hash(), seven.content_hash());
        assert_eq!((zero.name(), seven.name().to_owned()), (name, format!("{name}@7")));
        assert_eq!(data.load_raw(&format!("{name}@0")).unwrap().content_hash(), zero.content_hash());
    }
    assert_eq!(parse("COMMUNITIES@12").unwrap().1, 12);
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    for name in ["mutag", "MUTAG@1", "COMMUNITIES@x", "COMMUNITIES@", ""] {
        let message = find(name).unwrap_err().to_string();
        let start = format!("unknown data set `{name}`: known are MUTAG, PTC_MR, ");
        assert!(message.starts_with(&start) && message.ends_with("COMMUNITIES[@SEED]"), "{message}");
    }
}

#[test]
fn statistics_are_compared_as_printed() {
    let row = find("DD").unwrap();
    let measured = Stats {
        graphs: 1178,
        classes: 2,
        nodes_mean: 284.3166,
        edges_mean: 715.6587,
        node_labels: 82,
        ..Stats::default()
    };
    assert_eq!(row.check(&measured), []);
    let off = Stats { nodes_mean: 284.326, node_labels: 89, edge_labels: 1, ..measured };
    let lines: Vec<String> = row.check(&off).iter().map(ToString::to_string).collect();
    let want = [
        "DD: node_labels is 89, published 82",
        "DD: edge_labels is 1, published 0",
        "DD: nodes_mean is 284.3260, published 284.32",
    ];
    assert_eq!(lines, want);
    // Isolated nodes, empty graphs and self-loops are not printed in papers.
    assert_eq!(row.check(&Stats { isolated_nodes: 3, self_loops: 2, ..measured }), []);
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tu").join(name)
}

/// Puts the fixture PLAIN into a data folder under another name.
fn place(data: &DataDir, name: &str) {
    let folder = data.raw().join(name);
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(fixture("PLAIN")).unwrap().map(Result::unwrap) {
        let file = entry.file_name().into_string().unwrap().replace("PLAIN", name);
        fs::copy(entry.path(), folder.join(file)).unwrap();
    }
}

#[test]
fn sets_of_the_user_load_without_registration() {
    let root = tempfile::tempdir().unwrap();
    let data = DataDir::new(root.path());
    assert!(matches!(data.load_raw("MINE"), Err(Error::UnknownDataset { .. })));
    place(&data, "MINE");
    assert_eq!(data.locate("MINE"), Some(root.path().join("raw/MINE")));
    let set = data.load("MINE", &FeatureRule::Auto).unwrap();
    assert_eq!((set.info().name.as_str(), set.len(), set.info().features), ("MINE", 2, 3));
    assert_eq!(set.info().feature_rule, FeatureRule::Parts(vec![FeaturePart::Label]));
    for name in ["../MINE", "raw/MINE", ".", "..", ""] {
        assert_eq!(data.locate(name), None, "{name}");
    }
}

#[test]
fn a_missing_set_says_how_to_get_it() {
    let root = tempfile::tempdir().unwrap();
    let message = DataDir::new(root.path()).load("MUTAG", &FeatureRule::Auto).unwrap_err().to_string();
    let want = "; run `cargo xtask data MUTAG`, or `cargo xtask data MUTAG --from FOLDER` where FOLDER holds MUTAG.zip";
    assert!(message.starts_with("MUTAG is not in ") && message.ends_with(want), "{message}");
}

#[test]
fn other_content_is_refused_until_it_is_accepted() {
    let root = tempfile::tempdir().unwrap();
    let data = DataDir::new(root.path());
    place(&data, "MUTAG");
    let Err(Error::ContentChanged { name, want, got, .. }) = data.load_raw("MUTAG") else {
        panic!("another content was accepted");
    };
    assert_eq!((name.as_str(), Some(want.as_str())), ("MUTAG", find("MUTAG").unwrap().content_hash));
    let message = data.load_raw("MUTAG").unwrap_err().to_string();
    assert!(message.contains("`cargo xtask data MUTAG --accept-changed` accepts this content"), "{message}");

    assert_eq!(data.accepted("MUTAG").unwrap(), None);
    data.accept("MUTAG", &"0".repeat(64)).unwrap();
    assert!(matches!(data.load_raw("MUTAG"), Err(Error::ContentChanged { .. })));
    data.accept("MUTAG", &got).unwrap();
    assert_eq!(data.accepted("MUTAG").unwrap(), Some(got.clone()));
    assert_eq!(data.load_raw("MUTAG").unwrap().content_hash(), got);
    assert!(data.accept("../MUTAG", &got).is_err());
}

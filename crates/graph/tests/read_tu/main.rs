//! The TU reader on hand-made sets: every oddity of the published files, and every error text.

mod fuzz;
mod plain;
mod sets;

use coarsen_graph::read::tu::read;
use coarsen_graph::{Dataset, FeaturePart, FeatureRule, Stats, Target};
use sets::{archive, files, fixture, write_archive, write_folder};
use std::fs;
use std::path::Path;

#[test]
fn every_oddity_at_once() {
    let raw = read(&fixture("TRAPS"), None).unwrap();
    assert_eq!((raw.name(), raw.len()), ("TRAPS", 6));
    let want = Stats {
        graphs: 6,
        classes: 3,
        nodes_mean: 8.0 / 6.0,
        edges_mean: 4.0 / 6.0,
        node_labels: 5,
        node_attributes: 2,
        edge_labels: 3,
        edge_attributes: 1,
        isolated_nodes: 3,
        empty_graphs: 2,
        self_loops: 2,
    };
    assert_eq!(raw.stats(), want);

    assert_eq!(raw.class_values(), [-1, 1, 5]);
    let classes: Vec<Target> = (0..6).map(|graph| raw.target(graph)).collect();
    assert_eq!(classes, [1, 0, 2, 0, 1, 2].map(Target::Class));
    assert_eq!(raw.node_label_values().collect::<Vec<_>>(), [&[3, 7, 9][..], &[0, 1]]);

    let pairs = |graph: usize| raw.topology(graph).pairs().collect::<Vec<_>>();
    assert_eq!(pairs(0), [(1, 0), (2, 0), (0, 1), (2, 1), (1, 2)]);
    assert_eq!(pairs(2), [(0, 1)]);
    let sizes: Vec<usize> = (0..6).map(|graph| raw.topology(graph).nodes()).collect();
    assert_eq!(sizes, [3, 0, 2, 1, 2, 0]);
}

#[test]
fn features_and_labels_stay_with_their_nodes_and_edges() {
    let rule = FeatureRule::Parts(vec![
        FeaturePart::Attributes,
        FeaturePart::Label,
        FeaturePart::Degree { cap: 1 },
        FeaturePart::Constant { width: 1 },
    ]);
    let set = read(&fixture("TRAPS"), None).unwrap().into_dataset(&rule).unwrap();
    assert_eq!((set.info().features, set.info().edge_features, set.info().classes), (2 + 5 + 2 + 1, 4, 3));
    assert_eq!(set.sizes(), [3, 0, 2, 1, 2, 0]);

    let first = set.sample(0);
    let row = |node: usize| first.x.row(node).to_vec();
    assert_eq!(row(0), [1.5, -0.2, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    assert_eq!(row(1), [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
    // Of the repeated edge 1 → 2 the first line counts: label 10, attribute 0.5.
    let attr: Vec<Vec<f32>> = first.edge_attr.unwrap().rows().into_iter().map(|row| row.to_vec()).collect();
    assert_eq!(attr[0], [1.0, 0.0, 0.0, 0.25]);
    assert_eq!(attr[1], [0.0, 0.0, 1.0, 4.0]);
    assert_eq!(attr[2], [1.0, 0.0, 0.0, 0.5]);
    assert_eq!(attr[3], [0.0, 1.0, 0.0, 2.0]);
    assert_eq!(attr[4], [0.0, 1.0, 0.0, 1.0]);
    // Combinations of both columns that occur: (3,0) (3,1) (7,0) (9,0) (9,1).
    assert_eq!(first.node_label.unwrap(), [0, 4, 1]);
    assert_eq!(set.sample(3).node_label.unwrap(), [3]);
    assert_eq!(set.sample(1).x.shape(), [0, 10]);
    assert_eq!(set.sample(4).edges(), 0);
}

#[test]
fn packing_makes_no_difference() {
    let want = read(&fixture("TRAPS"), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("any.zip");
    for prefix in ["", "TRAPS/", "TRAPS//", "./TRAPS/raw/", "TRAPS\\"] {
        write_archive(&path, prefix, &files("TRAPS"));
        let got = read(&path, None).unwrap();
        assert_eq!((got.name(), got.content_hash()), ("TRAPS", want.content_hash()), "{prefix}");
        assert_eq!(got.stats(), want.stats());
    }
    write_folder(&folder.path().join("nested/raw"), &files("TRAPS"));
    fs::remove_file(&path).unwrap();
    assert_eq!(read(folder.path(), Some("TRAPS")).unwrap().content_hash(), want.content_hash());
}

#[test]
fn the_hash_is_of_content() {
    let folder = tempfile::tempdir().unwrap();
    let mut plain = files("PLAIN");
    let mut hash = |edit: &[(&str, &str)]| {
        plain.extend(edit.iter().map(|(file, text)| ((*file).to_owned(), text.as_bytes().to_vec())));
        write_folder(folder.path(), &plain);
        read(folder.path(), None).unwrap().content_hash().to_owned()
    };
    let want = hash(&[]);
    let reordered = hash(&[("PLAIN_A.txt", "5,4\r\n4,5\r\n1,2\r\n4,3\r\n2,1\r\n3,4\r\n1,2")]);
    assert_eq!(reordered, want);
    assert_ne!(hash(&[("PLAIN_A.txt", "1,2\n2,1\n3,4\n4,3\n4,5\n")]), want);
    assert_ne!(hash(&[("PLAIN_A.txt", "1,2\n2,1\n3,4\n4,3\n4,5\n5,4\n5,5\n")]), want);
    assert_eq!(hash(&[("PLAIN_A.txt", "1,2\n2,1\n3,4\n4,3\n4,5\n5,4\n")]), want);
    assert_ne!(hash(&[("PLAIN_graph_labels.txt", "1\n2\n")]), want);
    assert_ne!(
        hash(&[("PLAIN_graph_labels.txt", "0\n1\n"), ("PLAIN_node_labels.txt", "1\n2\n1\n1\n4\n")]),
        want
    );
}

#[test]
fn real_targets_may_stand_for_classes() {
    let raw = read(&fixture("REAL"), None).unwrap();
    assert_eq!((raw.target(0), raw.target(1)), (Target::Real(0.5), Target::Real(-3.0)));
    assert_eq!((raw.stats().classes, raw.class_values()), (0, &[][..]));
}

/// The reader's message after one file of a fixture was replaced, without the folder.
fn broken(set: &str, file: &str, text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut files = files(set);
    files.insert(file.to_owned(), text.as_bytes().to_vec());
    write_folder(folder.path(), &files);
    let message = read(folder.path(), None).unwrap_err().to_string();
    message.replace(&format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR), "")
}

#[test]
fn broken_lines_name_file_line_rule_and_value() {
    let cases = [
        ("_A", "1, 2\n0, 1\n", "line 2: node id must be at least 1, got `0, 1`"),
        ("_A", "1, 2\n2, 6\n", "line 2: node id must be at most 5, got `2, 6`"),
        ("_A", "-1, 2\n", "line 1: node id must be at least 1, got `-1, 2`"),
        (
            "_A",
            "1, 2\n2, 1\n2, 3\n",
            "line 3: an edge must stay inside a graph (these nodes are in 1 and 2), got `2, 3`",
        ),
        ("_A", "1 2\n", "line 1: must be two node ids with a comma between, got `1 2`"),
        ("_A", "1, 2, 3\n", "line 1: node id must be an integer, got `1, 2, 3`"),
        ("_A", "1, x\n", "line 1: node id must be an integer, got `1, x`"),
        (
            "_A",
            "1, 99999999999999999999\n",
            "line 1: node id must be an integer of 64 bits, got `1, 99999999999999999999`",
        ),
        ("_A", "1, 2\n\n2, 1\n", "line 2: must not be blank (only the end of a file may be), got ``"),
        (
            "_graph_indicator",
            "1\n2\n1\n",
            "line 3: graph ids must not decrease (the line before says 2), got `1`",
        ),
        ("_graph_indicator", "1\n3\n", "line 2: graph id must be at most 2, got `3`"),
        ("_graph_indicator", "0\n", "line 1: graph id must be at least 1, got `0`"),
        ("_graph_labels", "1\n2.5\n", "line 2: class must be an integer, got `2.5`"),
        (
            "_node_labels",
            "1\n2, 3\n",
            "line 2: must have as many values as the first line (1 and not 2), got `2, 3`",
        ),
        ("_node_labels", "1\n\u{7f}\n", r"line 2: label must be an integer, got `\u{7f}`"),
        ("_node_attributes", "1\n2\nnan\n", "line 3: attribute must be a finite number, got `nan`"),
        ("_node_attributes", "1\n-inf\n", "line 2: attribute must be a finite number, got `-inf`"),
        ("_node_attributes", "1e400\n", "line 1: attribute must be a finite number, got `1e400`"),
        (
            "_node_attributes",
            "1e39\n",
            "line 1: attribute must be a number within the range of 32-bit floats, got `1e39`",
        ),
        ("_node_attributes", "1, \n", "line 1: attribute must be a number, got `1,`"),
        (
            "_node_attributes",
            "1, 2\n3\n",
            "line 2: must have as many values as the first line (2 and not 1), got `3`",
        ),
        ("_edge_attributes", "1\ntwo\n", "line 2: attribute must be a number, got `two`"),
    ];
    for (part, text, want) in cases {
        let file = format!("PLAIN{part}.txt");
        assert_eq!(broken("PLAIN", &file, text), format!("{file}, {want}"));
    }
    let long = "7".repeat(50);
    let message = broken("PLAIN", "PLAIN_A.txt", &long);
    assert!(message.ends_with(&format!("got `{}…`", &long[..40])), "{message}");
}

#[test]
fn wrong_numbers_of_lines_are_named() {
    let cases = [
        ("_node_labels", "1\n2\n", "must have one line per node (5), got 2 lines"),
        ("_node_labels", "1\n2\n1\n1\n3\n1\n", "must have one line per node (5), got 6 lines"),
        ("_node_labels", "", "must have one line per node (5), got 0 lines"),
        ("_node_attributes", "1\n", "must have one line per node (5), got 1 lines"),
        ("_edge_labels", "1\n1\n", "must have one line per line of the `_A.txt` file (6), got 2 lines"),
        ("_edge_attributes", "1\n1\n\n", "must have one line per line of the `_A.txt` file (6), got 2 lines"),
        ("_graph_labels", "\n", "must have at least one line, got 0 lines"),
    ];
    for (part, text, want) in cases {
        let file = format!("PLAIN{part}.txt");
        assert_eq!(broken("PLAIN", &file, text), format!("{file}: {want}"));
    }
    assert_eq!(
        broken("REAL", "REAL_graph_attributes.txt", "1\n2, 3\n"),
        "REAL_graph_attributes.txt, line 2: target must be a number, got `2, 3`"
    );
}

#[test]
fn missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let shown = |path: &Path| format!("{}: ", path.display());
    let without = |part: &str| {
        let mut files = files("PLAIN");
        files.remove(&format!("PLAIN_{part}.txt"));
        let path = folder.path().join("PLAIN.zip");
        write_archive(&path, "PLAIN/", &files);
        read(&path, None).unwrap_err().to_string().replace(&shown(&path), "")
    };
    assert_eq!(without("A"), "no TU data set: looked for NAME_A.txt");
    assert_eq!(without("graph_indicator"), "the data set PLAIN has no PLAIN_graph_indicator.txt");
    assert_eq!(
        without("graph_labels"),
        "the data set PLAIN has no PLAIN_graph_labels.txt or PLAIN_graph_attributes.txt"
    );
    let nowhere = folder.path().join("nowhere");
    assert!(read(&nowhere, None).unwrap_err().to_string().starts_with(&shown(&nowhere)));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let message = read(&empty, Some("MUTAG")).unwrap_err().to_string();
    assert_eq!(message, shown(&empty) + "no TU data set: looked for MUTAG_A.txt");
}

#[test]
fn several_sets_need_a_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["PLAIN", "TRAPS"] {
        write_folder(&folder.path().join(name), &files(name));
    }
    let message = read(folder.path(), None).unwrap_err().to_string();
    assert!(message.ends_with("several data sets: PLAIN/PLAIN_A.txt, TRAPS/TRAPS_A.txt; name one of them"));
    assert_eq!(read(folder.path(), Some("TRAPS")).unwrap().len(), 6);
    assert!(read(folder.path(), Some("AIDS")).unwrap_err().to_string().ends_with("looked for AIDS_A.txt"));

    let mut both = files("PLAIN");
    both.extend(files("PLAIN").into_iter().map(|(name, bytes)| (format!("copy/{name}"), bytes)));
    both.extend(files("PLAIN").into_keys().map(|name| (format!("__MACOSX/._{name}"), b"shadow".to_vec())));
    let path = folder.path().join("twice.zip");
    write_archive(&path, "", &both);
    let message = read(&path, Some("PLAIN")).unwrap_err().to_string();
    assert!(
        message.ends_with("several data sets: PLAIN_A.txt, copy/PLAIN_A.txt; name one of them"),
        "{message}"
    );
}

#[test]
fn broken_archives_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("PLAIN.zip");
    let message = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        read(&path, None).unwrap_err().to_string()
    };
    let whole = archive("PLAIN//", &files("PLAIN"));
    assert!(message(b"not a zip").contains("PLAIN.zip: not a readable zip archive: "));
    assert!(message(b"").contains("not a readable zip archive: "));
    assert!(message(&whole[..whole.len() / 2]).contains("not a readable zip archive: "));
    assert!(message(&archive("", &sets::Files::new())).ends_with("no TU data set: looked for NAME_A.txt"));

    let mut flipped = whole;
    let member = b"PLAIN//PLAIN_graph_labels.txt";
    let at = flipped.windows(member.len()).position(|window| window == member).unwrap() + member.len();
    flipped[at] ^= 0xff;
    assert!(message(&flipped).contains("PLAIN.zip: PLAIN/PLAIN_graph_labels.txt"), "{}", message(&flipped));
}

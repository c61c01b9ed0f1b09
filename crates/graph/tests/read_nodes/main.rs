//! The readers of sets of one graph on small sets made here: what they say, and every error text.

mod fuzz;
mod pickle;
mod pickled;
mod sets;

use coarsen_graph::read::{emails, planetoid, sdcn, tadw};
use coarsen_graph::{DataDir, Dataset, Error, FeaturePart, FeatureRule, InMemory, RawDataset, registry};
use flate2::{Compression, write::GzEncoder};
use ndarray::array;
use sets::{Files, write_archive, write_folder};
use std::fs;
use std::io::Write;
use std::path::Path;

type Read = fn(&Path, &str) -> Result<RawDataset, Error>;

/// Reads these files, as a folder.
fn read(files: &Files, read: Read) -> Result<RawDataset, String> {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), files);
    let start = format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR);
    read(folder.path(), "tiny").map_err(|error| error.to_string().replace(&start, ""))
}

fn attributes(raw: RawDataset) -> InMemory {
    raw.into_dataset(&FeatureRule::Parts(vec![FeaturePart::Attributes])).unwrap()
}

fn pairs(raw: &RawDataset) -> Vec<(u32, u32)> {
    raw.topology(0).pairs().filter(|(a, b)| a < b).collect()
}

#[test]
fn test_rows_of_planetoid_go_to_their_nodes() {
    let raw = read(&sets::planetoid(), planetoid::read).unwrap();
    assert_eq!((raw.name(), pairs(&raw)), ("tiny", vec![(0, 1), (2, 3), (0, 5)]));
    let stats = raw.stats();
    assert_eq!((stats.classes, stats.self_loops, stats.isolated_nodes), (3, 1, 2));
    let set = attributes(raw);
    let want = array![
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 1.0],
        [0.0, 0.0, 0.0],
        [3.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 5.0],
        [0.0, 0.0, 0.0],
    ];
    assert_eq!(set.sample(0).x, want);
    assert_eq!(set.sample(0).node_class.unwrap(), [1, 2, 1, 0, 0, 2, 0]);
}

#[test]
fn sdcn_counts_nodes_by_their_classes() {
    let raw = read(&sets::sdcn(), sdcn::read).unwrap();
    assert_eq!((pairs(&raw), raw.stats().isolated_nodes), (vec![(0, 1)], 1));
    let set = attributes(raw);
    assert_eq!(set.sample(0).x, array![[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]);
    assert_eq!(set.sample(0).node_class.unwrap(), [1, 0, 1]);
}

#[test]
fn wiki_as_published_has_the_features_of_other_nodes() {
    let fixed = read(&sets::tadw(), tadw::read).unwrap();
    assert_eq!((pairs(&fixed), fixed.stats().self_loops), (vec![(0, 2), (1, 2)], 1));
    let fixed = attributes(fixed);
    let features = array![[10.0, 0.0, 0.0], [0.0, 11.5, 0.0], [12.0, 0.0, 0.0], [0.0, 0.0, 13.0]];
    assert_eq!(fixed.sample(0).x, features);
    // The values 3, 12 and 19 are the classes 0, 1 and 2.
    assert_eq!(fixed.sample(0).node_class.unwrap(), [2, 2, 0, 1]);

    // The links name 2, 0, 1, 3: these are now 0, 1, 2, 3.
    let published = read(&sets::tadw(), tadw::read_as_published).unwrap();
    assert_eq!(pairs(&published), [(0, 1), (0, 2)]);
    let published = attributes(published);
    assert_eq!(published.sample(0).x, features);
    assert_eq!(published.sample(0).node_class.unwrap(), [0, 2, 2, 1]);

    let mut files = sets::tadw();
    files.insert("graph.txt".to_owned(), b"2\t0\n0\t2\n1\t2\n".to_vec());
    assert!(read(&files, tadw::read).is_ok());
    assert_eq!(
        read(&files, tadw::read_as_published).unwrap_err(),
        "graph.txt: must have lines that name each of 4 nodes (3 are named), got 3 lines"
    );
}

#[test]
fn small_departments_are_left_out() {
    let raw = read(&sets::emails(), emails::read).unwrap();
    let stats = raw.stats();
    assert_eq!((stats.nodes_mean, stats.classes, stats.self_loops), (43.0, 2, 1));
    // Member 2 is now 1, 3 is 2, 5 is 3, and the last of 63 is 42.
    assert_eq!(pairs(&raw), [(0, 1), (2, 3), (0, 42)]);
    assert_eq!(raw.into_dataset(&FeatureRule::Auto).unwrap().info().features, 43);
}

#[test]
fn packing_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("any.zip");
    let readers: [(Files, Read, &str); 4] = [
        (sets::planetoid(), planetoid::read, "planetoid/data/"),
        (sets::sdcn(), sdcn::read, "./data//"),
        (sets::tadw(), tadw::read, "wiki/"),
        (sets::emails(), emails::read, ""),
    ];
    for (files, reader, prefix) in readers {
        write_archive(&path, prefix, &files);
        let archived = reader(&path, "tiny").unwrap();
        assert_eq!(archived.content_hash(), read(&files, reader).unwrap().content_hash());
    }
    let mut files = sets::emails();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&files.remove("email.txt").unwrap()).unwrap();
    files.insert("email-Eu-core.txt.gz".to_owned(), gzip.finish().unwrap());
    let departments = files.remove("email_labels.txt").unwrap();
    files.insert("email-Eu-core-department-labels.txt".to_owned(), departments);
    let want = read(&sets::emails(), emails::read).unwrap();
    assert_eq!(read(&files, emails::read).unwrap().content_hash(), want.content_hash());
    files.get_mut("email-Eu-core.txt.gz").unwrap().truncate(12);
    assert!(read(&files, emails::read).unwrap_err().starts_with("email-Eu-core.txt.gz: "));
}

#[test]
fn broken_lines_name_file_line_rule_and_value() {
    let cases: [(Read, Files, &str, &str, &str); 15] = [
        (
            sdcn::read,
            sets::sdcn(),
            "tiny.txt",
            "0 1\n1\n",
            ", line 2: must have as many values as the first line (2 and not 1), got `1`",
        ),
        (
            sdcn::read,
            sets::sdcn(),
            "tiny.txt",
            "0 1\n1 nan\n",
            ", line 2: feature must be a finite number, got `1 nan`",
        ),
        (
            sdcn::read,
            sets::sdcn(),
            "tiny.txt",
            "0 1\n0 1\n",
            ": must have one line per node (3), got 2 lines",
        ),
        (
            sdcn::read,
            sets::sdcn(),
            "tiny_graph.txt",
            "0 3\n",
            ", line 1: node id must be at least 0 and below 3, got `0 3`",
        ),
        (
            sdcn::read,
            sets::sdcn(),
            "tiny_graph.txt",
            "0 1\n0 1 2\n",
            ", line 2: must be 2 values with blanks between, got `0 1 2`",
        ),
        (sdcn::read, sets::sdcn(), "tiny_label.txt", "0\nx\n", ", line 2: class must be an integer, got `x`"),
        (
            tadw::read,
            sets::tadw(),
            "group.txt",
            "0 1\n2 1\n",
            ", line 2: node ids must count up from 0 (here to 1), got `2 1`",
        ),
        (tadw::read, sets::tadw(), "group.txt", "0 1.5\n", ", line 1: class must be an integer, got `0 1.5`"),
        (
            tadw::read,
            sets::tadw(),
            "graph.txt",
            "0 -1\n",
            ", line 1: node id must be at least 0 and below 4, got `0 -1`",
        ),
        (
            tadw::read,
            sets::tadw(),
            "tfidf.txt",
            "0 0 1\n0 0 2\n",
            ", line 2: lines must ascend by node and then by feature, got `0 0 2`",
        ),
        (
            tadw::read,
            sets::tadw(),
            "tfidf.txt",
            "0 65536 1\n",
            ", line 1: feature must be at least 0 and below 65536, got `0 65536 1`",
        ),
        (
            tadw::read,
            sets::tadw(),
            "tfidf.txt",
            "0 0 inf\n",
            ", line 1: value must be a finite number, got `0 0 inf`",
        ),
        (
            emails::read,
            sets::emails(),
            "email.txt",
            "0 63\n",
            ", line 1: node id must be at least 0 and below 63, got `0 63`",
        ),
        (
            planetoid::read,
            sets::planetoid(),
            "ind.tiny.test.index",
            "5\n5\n",
            ", line 2: test node must occur once, got `5`",
        ),
        (
            planetoid::read,
            sets::planetoid(),
            "ind.tiny.test.index",
            "5\n2\n",
            ", line 2: test node must be none of the 3 of `allx`, got `2`",
        ),
    ];
    for (reader, mut files, file, text, want) in cases {
        files.insert(file.to_owned(), text.as_bytes().to_vec());
        assert_eq!(read(&files, reader).unwrap_err(), format!("{file}{want}"));
    }
}

#[test]
fn missing_and_doubled_files_are_named() {
    let mut files = sets::planetoid();
    files.remove("ind.tiny.ty");
    let message = read(&files, planetoid::read).unwrap_err();
    assert!(message.ends_with("the data set tiny has no ind.tiny.ty"), "{message}");
    let mut files = sets::emails();
    files.remove("email.txt");
    let message = read(&files, emails::read).unwrap_err();
    assert!(message.ends_with("has no email-Eu-core.txt or email.txt"), "{message}");

    let folder = tempfile::tempdir().unwrap();
    for copy in ["a", "b"] {
        write_folder(&folder.path().join(copy), &sets::sdcn());
    }
    let message = sdcn::read(folder.path(), "tiny").unwrap_err().to_string();
    assert!(
        message.ends_with("must hold one file of a name, got a/tiny_label.txt, b/tiny_label.txt"),
        "{message}"
    );
}

#[test]
fn sets_are_found_under_their_own_and_under_other_names() {
    let folder = tempfile::tempdir().unwrap();
    let (wiki, published) = (registry::find("wiki").unwrap(), registry::find("wiki-as-published").unwrap());
    assert_eq!(wiki.find_in(folder.path()).unwrap(), None);
    let archive = folder.path().join("some_WIKI_set.zip");
    write_archive(&archive, "", &sets::sdcn());
    assert_eq!(wiki.find_in(folder.path()).unwrap(), None, "other files");
    write_archive(&archive, "wiki/", &sets::tadw());
    assert_eq!(wiki.find_in(folder.path()).unwrap(), Some(archive.clone()));
    assert_eq!(wiki.files_in(&archive).unwrap(), std::slice::from_ref(&archive));
    assert_eq!(registry::read(&archive, None).unwrap().name(), "wiki");
    assert_eq!(registry::read(&archive, Some("wiki-as-published")).unwrap().name(), "wiki-as-published");

    write_folder(&folder.path().join("wiki"), &sets::tadw());
    assert_eq!(published.find_in(folder.path()).unwrap(), Some(folder.path().join("wiki")));
    assert_eq!(published.files_in(&folder.path().join("wiki")).unwrap().len(), 3);

    let data = DataDir::new(folder.path());
    assert_eq!(data.locate("wiki-as-published"), None);
    write_folder(&data.raw().join("wiki"), &sets::tadw());
    assert_eq!(data.locate("wiki-as-published"), Some(data.raw().join("wiki")));
    assert!(matches!(data.load_raw("wiki"), Err(Error::ContentChanged { .. })));

    let both = folder.path().join("both.zip");
    let mut files = sets::tadw();
    files.extend(sets::emails());
    write_archive(&both, "", &files);
    let message = registry::read(&both, None).unwrap_err().to_string();
    assert!(message.ends_with("several data sets: wiki, emails; name one of them"), "{message}");
    fs::remove_file(&both).unwrap();
    write_archive(&both, "", &Files::new());
    assert!(registry::read(&both, None).unwrap_err().to_string().ends_with("looked for NAME_A.txt"));
}

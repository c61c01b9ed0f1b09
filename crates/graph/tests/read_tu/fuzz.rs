//! The TU reader never panics, and what it accepts keeps its promises.

use super::sets::{Files, archive, files, write_folder};
use coarsen_graph::read::tu::read;
use coarsen_graph::{Dataset, FeatureRule, RawDataset, Topology};
use proptest::prelude::*;
use std::path::Path;

/// Reads, and checks the invariants of what was accepted.
fn try_read(path: &Path) -> Result<(), TestCaseError> {
    let raw: RawDataset = match read(path, None) {
        Ok(raw) => raw,
        Err(error) => {
            prop_assert!(!error.to_string().is_empty());
            return Ok(());
        }
    };
    for graph in 0..raw.len() {
        let topology = raw.topology(graph);
        prop_assert!(Topology::new(topology.row_ptr, topology.col).is_ok());
        prop_assert_eq!(topology.self_loops(), 0);
    }
    let stats = raw.stats();
    let hash = raw.content_hash().to_owned();
    let set = raw.into_dataset(&FeatureRule::Auto).unwrap();
    prop_assert_eq!(set.info().content_hash.as_str(), hash);
    for graph in 0..set.len() {
        let sample = set.sample(graph);
        prop_assert!(sample.x.iter().all(|value| value.is_finite()));
        prop_assert_eq!(sample.x.nrows(), sample.nodes());
    }
    prop_assert_eq!(set.sizes().iter().filter(|&&size| size == 0).count(), stats.empty_graphs);
    Ok(())
}

fn try_folder(files: &Files) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), files);
    try_read(folder.path())
}

/// Bytes that look like the format more often than noise does.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        6 => (0u8..7).prop_map(|digit| digit.to_string()),
        4 => Just("\n".to_owned()),
        2 => Just(", ".to_owned()),
        1 => "[-+. \t\r0-9e]{1,3}",
        1 => Just("99999999999999999999".to_owned()),
    ];
    let tokens = proptest::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes());
    prop_oneof![4 => tokens, 1 => proptest::collection::vec(any::<u8>(), 0..60)]
}

#[derive(Clone, Debug)]
enum Edit {
    Truncate(prop::sample::Index),
    Overwrite(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        match self {
            Self::Truncate(at) => bytes.truncate(at.index(len)),
            Self::Overwrite(at, byte) => bytes[at.index(len)] = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Self::Remove(at) => _ = bytes.remove(at.index(len)),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let byte = prop_oneof![3 => prop::sample::select(b"0123456789,\n -+.".to_vec()), 1 => any::<u8>()];
    let at = any::<prop::sample::Index>;
    prop_oneof![
        1 => at().prop_map(Edit::Truncate),
        4 => (at(), byte.clone()).prop_map(|(at, byte)| Edit::Overwrite(at, byte)),
        2 => (at(), byte).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        2 => at().prop_map(Edit::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_read_or_refused(
        parts in proptest::collection::btree_map(
            prop::sample::select(vec![
                "A", "graph_indicator", "graph_labels", "node_labels", "node_attributes", "edge_labels",
                "edge_attributes", "graph_attributes",
            ]),
            text(),
            0..9,
        ),
    ) {
        let files: Files = parts.into_iter().map(|(part, bytes)| (format!("X_{part}.txt"), bytes)).collect();
        try_folder(&files)?;
    }

    #[test]
    fn damaged_sets_are_read_or_refused(
        set in prop::sample::select(vec!["TRAPS", "PLAIN", "REAL"]),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), edit()), 1..4),
    ) {
        let mut files = files(set);
        for (file, edit) in edits {
            let names: Vec<String> = files.keys().cloned().collect();
            edit.apply(files.get_mut(file.get(&names)).unwrap());
        }
        try_folder(&files)?;
    }

    #[test]
    fn damaged_archives_are_read_or_refused(edits in proptest::collection::vec(edit(), 1..4)) {
        let mut bytes = archive("TRAPS//", &files("TRAPS"));
        for edit in edits {
            edit.apply(&mut bytes);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        try_read(file.path())?;
    }
}

//! Small sets of one graph as maps of file names to bytes, written out as folders and archives.

use super::pickled::{matrix, neighbours, one_hot};
use coarsen_graph::{Dataset, FeaturePart, FeatureRule, RawDataset, Topology};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use zip::write::{SimpleFileOptions, ZipWriter};

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn files<const N: usize>(files: [(&str, Vec<u8>); N]) -> Files {
    files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

/// Seven nodes, two of them test nodes that stand in the file in descending order; nodes 4 and 6 are in no row, 4 has a loop.
pub(crate) fn planetoid() -> Files {
    let first = [vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 1.0], vec![0.0, 0.0, 0.0]];
    let lists = vec![
        (0, vec![1, 5, 5]),
        (1, vec![0]),
        (2, vec![3]),
        (3, vec![2]),
        (4, vec![4, 4]),
        (5, vec![0]),
        (6, vec![]),
    ];
    files([
        ("ind.tiny.allx", matrix(&first, 3)),
        ("ind.tiny.ally", one_hot(&[1, 2, 1], 3)),
        ("ind.tiny.tx", matrix(&[vec![0.0, 0.0, 5.0], vec![3.0, 0.0, 0.0]], 3)),
        ("ind.tiny.ty", one_hot(&[2, 0], 3)),
        ("ind.tiny.graph", neighbours(&lists)),
        ("ind.tiny.test.index", b"5\n3\n".to_vec()),
    ])
}

/// Three nodes; the last is on no edge.
pub(crate) fn sdcn() -> Files {
    files([
        ("tiny.txt", b"0.000000 1.000000\r\n1.000000 0.000000\r\n0.000000 0.000000\r\n".to_vec()),
        ("tiny_label.txt", b"4\r\n0\r\n4\r\n".to_vec()),
        ("tiny_graph.txt", b"0 1\r\n1 0\r\n".to_vec()),
    ])
}

/// Four pages, named by the links in the order 2, 0, 1, 3.
pub(crate) fn tadw() -> Files {
    files([
        ("graph.txt", b"2\t0\n0\t2\n1\t2\n3\t3\n".to_vec()),
        ("group.txt", b"0\t19\n1\t19\n2\t3\n3\t12\n".to_vec()),
        ("tfidf.txt", b"0\t0\t10\n1\t1\t11.5\n2\t0\t12\n3\t2\t13\n".to_vec()),
    ])
}

/// Departments 9, 3 and 7 with 21, 20 and 22 members, in turn as long as they last.
pub(crate) fn emails() -> Files {
    let mut left = [(9, 21), (3, 20), (7, 22)];
    let mut departments = Vec::new();
    while left.iter().any(|&(_, members)| members > 0) {
        for (department, members) in left.iter_mut().filter(|(_, members)| *members > 0) {
            departments.push(*department);
            *members -= 1;
        }
    }
    let lines: Vec<String> = departments.iter().enumerate().map(|(i, d)| format!("{i} {d}\n")).collect();
    files([
        ("email.txt", b"0 2\n2 0\n0 0\n0 1\n3 5\n62 0\n".to_vec()),
        ("email_labels.txt", lines.concat().into_bytes()),
    ])
}

pub(crate) fn write_folder(folder: &Path, files: &Files) {
    fs::create_dir_all(folder).unwrap();
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

pub(crate) fn write_archive(path: &Path, prefix: &str, files: &Files) {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(format!("{prefix}{name}"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    fs::write(path, zip.finish().unwrap().into_inner()).unwrap();
}

/// Checks the invariants of what a reader accepted.
pub(crate) fn promises(raw: RawDataset) -> Result<(), TestCaseError> {
    prop_assert_eq!(raw.len(), 1);
    let topology = raw.topology(0);
    prop_assert!(Topology::new(topology.row_ptr, topology.col).is_ok());
    prop_assert!(topology.is_symmetric() && topology.self_loops() == 0);
    let (nodes, width) = (topology.nodes(), raw.stats().node_attributes);
    let part = if width > 0 { FeaturePart::Attributes } else { FeaturePart::Constant { width: 1 } };
    let set = raw.into_dataset(&FeatureRule::Parts(vec![part])).unwrap();
    let sample = set.sample(0);
    prop_assert_eq!(sample.x.dim(), (nodes, width.max(1)));
    prop_assert!(sample.x.iter().all(|value| value.is_finite()));
    let class = sample.node_class.unwrap();
    prop_assert_eq!(class.len(), nodes);
    prop_assert!(class.iter().all(|&class| class < set.info().classes));
    Ok(())
}

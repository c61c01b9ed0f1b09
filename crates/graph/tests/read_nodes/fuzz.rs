//! The readers of sets of one graph never panic, and what they accept keeps its promises.

use super::pickled::{matrix, neighbours, one_hot, operations, sparse};
use super::sets::{self, Files, promises};
use super::{Read, attributes, read};
use coarsen_graph::read::{emails, planetoid, sdcn, tadw};
use coarsen_graph::{Dataset, TopologyBuf};
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn try_read(files: &Files, reader: Read) -> Result<(), TestCaseError> {
    match read(files, reader) {
        Ok(raw) => promises(raw),
        Err(message) => {
            prop_assert!(!message.is_empty());
            Ok(())
        }
    }
}

/// Changes some bytes: numbers of any size where lengths and counts stand, and bytes that are operations.
fn edit() -> impl Strategy<Value = (Index, Index, Vec<u8>, usize)> {
    let byte = select(b"\x80\x02()]}NKMJUTcqrhaesubRt.\x81\x85\x86\x87\x88\x89\0\xff".to_vec());
    let put = prop_oneof![
        3 => proptest::collection::vec(byte, 1..3),
        2 => any::<u32>().prop_map(|number| number.to_le_bytes().to_vec()),
        1 => any::<f32>().prop_map(|number| number.to_le_bytes().to_vec()),
        2 => "[0-9]{1,10}[ \t\n]".prop_map(String::into_bytes),
        1 => Just(Vec::new()),
    ];
    (any::<Index>(), any::<Index>(), put, 0..6usize)
}

/// An operation with its argument, more often one that works than not.
fn operation() -> impl Strategy<Value = Vec<u8>> {
    let names =
        ["cnumpy\nndarray\n", "cnumpy\ndtype\n", "ccollections\ndefaultdict\n", "c__builtin__\nlist\n"];
    prop_oneof![
        4 => select(b"()]}N\x88\x89\x85\x86\x87taesubR\x81".to_vec()).prop_map(|byte| vec![byte]),
        2 => any::<u8>().prop_map(|value| vec![b'K', value]),
        1 => any::<i32>().prop_map(|value| [&b"J"[..], &value.to_le_bytes()].concat()),
        1 => any::<i32>().prop_map(|length| [&b"T"[..], &length.to_le_bytes()].concat()),
        2 => (0..4u8).prop_map(|slot| vec![b'q', slot]),
        2 => (0..4u8).prop_map(|slot| vec![b'h', slot]),
        1 => select(names.to_vec()).prop_map(|name| name.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_was_pickled_is_read(
        rows in proptest::collection::vec((proptest::collection::vec(-2..3i8, 4), 0..3u32), 0..5),
        tests in proptest::collection::vec((proptest::collection::vec(-2..3i8, 4), 0..3u32), 0..5),
        silent in 0..3usize,
        order in any::<u64>(),
        pairs in proptest::collection::vec((any::<Index>(), any::<Index>()), 0..12),
    ) {
        let (before, nodes) = (rows.len(), rows.len() + tests.len() + silent);
        let own = coarsen_graph::Permutation::random(tests.len() + silent, order);
        let node = |row: usize| before + own.to(row);
        let floats = |rows: &[(Vec<i8>, u32)]| -> Vec<Vec<f32>> {
            rows.iter().map(|(row, _)| row.iter().map(|&value| f32::from(value)).collect()).collect()
        };
        let class = |rows: &[(Vec<i8>, u32)]| rows.iter().map(|(_, class)| *class).collect::<Vec<_>>();
        let mut lists: Vec<(i32, Vec<i32>)> = (0..nodes as i32).map(|node| (node, Vec::new())).collect();
        let mut edges = Vec::new();
        for (a, b) in pairs.iter().filter(|_| nodes > 0).map(|(a, b)| (a.index(nodes), b.index(nodes))) {
            lists[a].1.push(b as i32);
            edges.push((a as u32, b as u32));
        }
        lists.reverse();
        let index: Vec<String> = (0..tests.len()).map(|row| format!("{}\n", node(row))).collect();
        let files = sets::files([
            ("ind.tiny.allx", matrix(&floats(&rows), 4)),
            ("ind.tiny.ally", one_hot(&class(&rows), 3)),
            ("ind.tiny.tx", matrix(&floats(&tests), 4)),
            ("ind.tiny.ty", one_hot(&class(&tests), 3)),
            ("ind.tiny.graph", neighbours(&lists)),
            ("ind.tiny.test.index", index.concat().into_bytes()),
        ]);
        let raw = read(&files, planetoid::read).unwrap();
        edges.retain(|(a, b)| a != b);
        let want = TopologyBuf::from_undirected(nodes, edges).unwrap();
        prop_assert_eq!(raw.topology(0), want.view());
        let set = attributes(raw);
        let sample = set.sample(0);
        let mut of = vec![(vec![0.0; 4], 0); nodes];
        for (row, (features, class)) in floats(&rows).into_iter().zip(class(&rows)).enumerate() {
            of[row] = (features, class);
        }
        for (row, (features, class)) in floats(&tests).into_iter().zip(class(&tests)).enumerate() {
            of[node(row)] = (features, class);
        }
        // Classes that do not occur are left out.
        let mut occur: Vec<u32> = of.iter().map(|(_, class)| *class).collect();
        occur.sort_unstable();
        occur.dedup();
        for (node, (features, class)) in of.iter().enumerate() {
            prop_assert_eq!(sample.x.row(node).to_vec(), features.clone());
            prop_assert_eq!(occur[sample.node_class.unwrap()[node] as usize], *class);
        }
    }

    #[test]
    fn damaged_sets_are_read_or_refused(which in 0..5usize, edits in proptest::collection::vec(edit(), 1..4)) {
        let (mut files, reader): (Files, Read) = match which {
            0 => (sets::planetoid(), planetoid::read),
            1 => (sets::sdcn(), sdcn::read),
            2 => (sets::tadw(), tadw::read),
            3 => (sets::tadw(), tadw::read_as_published),
            _ => (sets::emails(), emails::read),
        };
        let names: Vec<String> = files.keys().cloned().collect();
        for (file, at, put, over) in edits {
            let bytes = files.get_mut(file.get(&names)).unwrap();
            let from = at.index(bytes.len() + 1);
            let to = bytes.len().min(from + over);
            bytes.splice(from..to, put);
        }
        try_read(&files, reader)?;
    }

    #[test]
    fn programs_are_read_or_refused(program in proptest::collection::vec(operation(), 0..30), part in 0..3usize) {
        let mut files = sets::planetoid();
        let part = ["ind.tiny.allx", "ind.tiny.ty", "ind.tiny.graph"][part];
        files.insert(part.to_owned(), operations(&[program.concat(), b".".to_vec()].concat()));
        try_read(&files, planetoid::read)?;
    }

    #[test]
    fn arrays_that_do_not_fit_are_read_or_refused(
        shape in (prop_oneof![0..4usize, any::<u16>().prop_map(usize::from), 0..1usize << 31], 0..1usize << 18),
        ends in proptest::collection::vec(prop_oneof![3 => 0..4i32, 1 => any::<i32>()], 0..5),
        col in proptest::collection::vec(prop_oneof![3 => 0..4i32, 1 => any::<i32>()], 0..4),
        data in proptest::collection::vec(any::<f32>(), 0..4),
    ) {
        let mut files = sets::planetoid();
        let data: Vec<[u8; 4]> = data.into_iter().map(f32::to_le_bytes).collect();
        files.insert("ind.tiny.allx".to_owned(), sparse(shape, &ends, &col, &data));
        try_read(&files, planetoid::read)?;
    }
}

/// A list that stands for many nodes is not copied beyond a bound.
#[test]
fn a_list_that_is_used_again_and_again_is_bounded() {
    let mut program = b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R(".to_vec();
    let nodes = 3000u16;
    program.extend(b"K\0]q\x01(");
    (0..nodes).for_each(|_| program.extend(b"K\0"));
    program.extend(b"e");
    for node in 1..nodes {
        program.push(b'M');
        program.extend(node.to_le_bytes());
        program.extend(b"h\x01");
    }
    program.extend(b"u.");
    let mut files = sets::planetoid();
    files.insert("ind.tiny.graph".to_owned(), operations(&program));
    let message = read(&files, planetoid::read).unwrap_err();
    assert!(message.contains("there may be 4194304 neighbours in all"), "{message}");
}

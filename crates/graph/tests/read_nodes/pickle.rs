//! Every rule of pickles, by a file that breaks it.

use super::pickled::{matrix, neighbours, one_hot, operations, sparse};
use super::read;
use super::sets;
use coarsen_graph::read::planetoid;

/// The message after one pickle of the small set was replaced.
fn broken(part: &str, bytes: Vec<u8>) -> String {
    let mut files = sets::planetoid();
    files.insert(format!("ind.tiny.{part}"), bytes);
    read(&files, planetoid::read).unwrap_err().replace("ind.tiny.", "")
}

#[test]
fn programs_that_are_none_are_refused() {
    let cases: [(&[u8], &str); 18] = [
        (b"", "2: an operation that needs 1 more bytes must have them, got 0 at the end of the file"),
        (b"K", "2: an operation that needs 1 more bytes must have them, got 0 at the end of the file"),
        (b".", "2: an operation on 1 values must have them, got 0"),
        (b"NN.", "4: nothing may be left when a pickle stops, got 0 bytes and 1 values"),
        (b"N.N", "3: nothing may be left when a pickle stops, got 1 bytes and 0 values"),
        (b"i", "2: must be an operation that Planetoid's files have, and is another, got 0x69"),
        (
            b"T\xff\xff\xff\x7fabc",
            "2: an operation that needs 2147483647 more bytes must have them, got 3 at the end of the file",
        ),
        (b"T\xff\xff\xff\xff", "2: a length must not be negative, got -1"),
        (b"h\x07", "2: must recall what was remembered, got 7"),
        (b"q\x01", "2: an operation on 1 values must have them, got 0"),
        (b"t", "2: an operation on all values above a mark must have a mark, got none"),
        (b"N(\x85", "4: an operation on 1 values must have them, got 0"),
        (b"}(Nu", "5: there must be as many values as keys, got 1 of both"),
        (b"NNa", "4: what is appended to must be a list, got None"),
        (b"NNNs", "5: what items are set in must be a dictionary, got None"),
        (b"N)R", "4: what is called must be a name, with a tuple, got None with a tuple of 0"),
        (b"NNb", "4: what gets a state must have been made and have none, got None"),
        (b"ccollections\ndefaultdict\n)R", "28: the default of a dictionary must be a list, got another"),
    ];
    for (program, want) in cases {
        assert_eq!(broken("graph", operations(program)), format!("graph, byte {want}"));
    }
    assert_eq!(
        broken("graph", b"\x80\x03N.".to_vec()),
        r"graph, byte 0: must begin with protocol 2, the bytes 80 02, got �\u{3}"
    );
}

/// What could run a program elsewhere is a name like any other here, and not one of the six.
#[test]
fn no_name_is_looked_up_but_those_of_arrays() {
    let names = "scipy.sparse.csr.csr_matrix, numpy.core.multiarray._reconstruct, numpy.ndarray, numpy.dtype, \
                 collections.defaultdict, __builtin__.list";
    for (module, name) in [("os", "system"), ("__builtin__", "eval"), ("numpy", "load")] {
        let program = [format!("c{module}\n{name}\n").as_bytes(), b"U\x04echo\x85R."].concat();
        let want = format!("allx, byte 2: a name must be one of {names}, got {module}.{name}");
        assert_eq!(broken("allx", operations(&program)), want);
    }
    let message = broken("allx", operations(&[b'c'; 100]));
    assert!(message.starts_with("allx, byte 2: a name must end within 64 bytes, got ccc"), "{message}");
}

#[test]
fn other_values_than_the_file_should_hold_are_refused() {
    let nan = f32::NAN.to_le_bytes();
    let one = 1f32.to_le_bytes();
    let cases = [
        (
            "graph",
            one_hot(&[0], 2),
            "a file of neighbours must be a dictionary, got made by numpy.core.multiarray._reconstruct and then given a state",
        ),
        (
            "graph",
            neighbours(&[(0, vec![1])]),
            "there must be one node per row of `allx` (3), and at most 4194304 in all, got 1",
        ),
        ("graph", neighbours(&[(0, vec![]), (1, vec![]), (1, vec![])]), "a node must occur once, got 1"),
        (
            "graph",
            neighbours(&[(0, vec![]), (1, vec![]), (3, vec![])]),
            "a node must be an integer in 0..=2, got 3",
        ),
        (
            "graph",
            neighbours(&[(0, vec![-1]), (1, vec![]), (2, vec![])]),
            "a neighbour must be an integer in 0..=2, got -1",
        ),
        (
            "allx",
            one_hot(&[0], 2),
            "a file of features must be made by scipy.sparse.csr.csr_matrix and then given a state, got made by numpy.core.multiarray._reconstruct and then given a state",
        ),
        (
            "allx",
            sparse((1, 2), &[0, 1], &[1], &[nan]),
            "number 0 of data must be a finite number, got another",
        ),
        (
            "allx",
            sparse((1, 2), &[0, 1], &[2], &[one]),
            "indices must be below 2 and strictly ascending inside a row, got other ones in row 0",
        ),
        (
            "allx",
            sparse((2, 2), &[0, 0, 2], &[1, 0], &[one; 2]),
            "indices must be below 2 and strictly ascending inside a row, got other ones in row 1",
        ),
        (
            "allx",
            sparse((1, 2), &[0, 2], &[1], &[one]),
            "indptr must ascend from 0 to 1 in 2 numbers, got 2 from 0 to 2",
        ),
        (
            "allx",
            sparse((2, 2), &[0, 1], &[1], &[one]),
            "indptr must ascend from 0 to 1 in 3 numbers, got 2 from 0 to 1",
        ),
        ("allx", sparse((1, 2), &[0, 1], &[1], &[one; 2]), "data must have one number per index (1), got 2"),
        (
            "allx",
            sparse((1, 1 << 17), &[0, 0], &[], &[]),
            "there may be 65536 features of a node and 134217728 of all, got 1 rows of 131072",
        ),
        (
            "tx",
            matrix(&[vec![1.0], vec![1.0]], 1),
            "there must be as many columns of features as before (3), got 1",
        ),
        ("ally", one_hot(&[0, 1], 3), "there must be as many rows of one-hot classes as before (3), got 2"),
        ("ally", one_hot(&[0, 9, 1], 3), "a row must have a one, and else zeros, got another in row 1"),
        ("ty", one_hot(&[0, 1], 2), "there must be as many classes as before (3), got 2"),
    ];
    for (part, bytes, want) in cases {
        let message = broken(part, bytes);
        let (file, rest) = message.split_once(", byte ").unwrap();
        let (_, rule) = rest.split_once(": ").unwrap();
        assert_eq!((file, rule), (part, want));
    }
}

/// Wherever a file ends too early, that is what is said.
#[test]
fn every_truncation_is_refused() {
    let whole = sets::planetoid();
    for part in ["allx", "ally", "graph"] {
        let bytes = &whole[&format!("ind.tiny.{part}")];
        for length in 2..bytes.len() {
            let message = broken(part, bytes[..length].to_vec());
            let ended =
                message.contains("at the end of the file") || message.contains("must end within 64 bytes");
            assert!(ended && message.starts_with(part), "{length} of {}: {message}", bytes.len());
        }
    }
}

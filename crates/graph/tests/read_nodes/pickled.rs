//! Writes pickles as Python 2 wrote those of Planetoid: protocol 2, names and types remembered and recalled.

use std::collections::BTreeMap;

/// The beginning of every file.
const MAGIC: &[u8] = b"\x80\x02";

/// A pickle in the making.
pub(crate) struct Pickled {
    bytes: Vec<u8>,
    slots: BTreeMap<String, u8>,
    next: u32,
}

impl Pickled {
    fn new() -> Self {
        Self { bytes: MAGIC.to_vec(), slots: BTreeMap::new(), next: 1 }
    }

    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn remember(&mut self) -> &mut Self {
        let slot = self.next;
        self.next += 1;
        match u8::try_from(slot) {
            Ok(slot) => self.raw(&[b'q', slot]),
            Err(_) => self.raw(b"r").raw(&slot.to_le_bytes()),
        }
    }

    fn name(&mut self, module: &str, name: &str) -> &mut Self {
        let line = format!("{module}\n{name}\n");
        if let Some(&slot) = self.slots.get(&line) {
            return self.raw(&[b'h', slot]);
        }
        self.raw(b"c").raw(line.as_bytes());
        self.slots.insert(line, self.next as u8);
        self.remember()
    }

    fn integer(&mut self, value: i32) -> &mut Self {
        match (u8::try_from(value), u16::try_from(value)) {
            (Ok(value), _) => self.raw(&[b'K', value]),
            (_, Ok(value)) => self.raw(b"M").raw(&value.to_le_bytes()),
            _ => self.raw(b"J").raw(&value.to_le_bytes()),
        }
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.raw(&[b'U', text.len() as u8]).raw(text.as_bytes())
    }

    /// An array of 32-bit numbers.
    fn array(&mut self, code: &str, shape: &[i32], numbers: &[[u8; 4]]) -> &mut Self {
        self.name("numpy.core.multiarray", "_reconstruct").name("numpy", "ndarray");
        self.integer(0).raw(b"\x85").text("b").raw(b"\x87R").remember();
        self.raw(b"(").integer(1);
        for &size in shape {
            self.integer(size);
        }
        self.raw(if shape.len() == 1 { b"\x85" } else { b"\x86" });
        self.name("numpy", "dtype").text(code).integer(0).integer(1).raw(b"\x87R").remember();
        self.raw(b"(").integer(3).text("<").raw(b"NNN").integer(-1).integer(-1).integer(0).raw(b"tb");
        self.raw(b"\x89T").raw(&(4 * numbers.len() as i32).to_le_bytes());
        self.raw(numbers.as_flattened()).raw(b"tb")
    }

    fn indices(&mut self, numbers: &[i32]) -> &mut Self {
        let bytes: Vec<[u8; 4]> = numbers.iter().map(|number| number.to_le_bytes()).collect();
        self.array("i4", &[numbers.len() as i32], &bytes)
    }

    fn done(&mut self) -> Vec<u8> {
        self.raw(b".");
        std::mem::take(&mut self.bytes)
    }
}

/// Any operations, as a whole file.
pub(crate) fn operations(operations: &[u8]) -> Vec<u8> {
    Pickled::new().raw(operations).bytes.clone()
}

/// A sparse matrix whose rows are dense here.
pub(crate) fn matrix(rows: &[Vec<f32>], width: usize) -> Vec<u8> {
    let (mut ends, mut col, mut data) = (vec![0], Vec::new(), Vec::new());
    for row in rows {
        for (at, value) in row.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            col.push(at as i32);
            data.push(value.to_le_bytes());
        }
        ends.push(col.len() as i32);
    }
    sparse((rows.len(), width), &ends, &col, &data)
}

/// A sparse matrix of these arrays, whether they fit or not.
pub(crate) fn sparse(shape: (usize, usize), ends: &[i32], col: &[i32], data: &[[u8; 4]]) -> Vec<u8> {
    let mut out = Pickled::new();
    out.name("scipy.sparse.csr", "csr_matrix").raw(b")\x81").remember().raw(b"}").remember().raw(b"(");
    out.text("format").text("csr");
    out.text("_shape").integer(shape.0 as i32).integer(shape.1 as i32).raw(b"\x86");
    out.text("indptr").indices(ends);
    out.text("_cs_matrix__has_sorted_indices").raw(b"\x88");
    out.text("indices").indices(col);
    out.text("maxprint").integer(50);
    out.text("data").array("f4", &[data.len() as i32], data);
    out.raw(b"ub").done()
}

/// One-hot classes.
pub(crate) fn one_hot(class: &[u32], classes: usize) -> Vec<u8> {
    let slot = |at: usize| i32::from(class[at / classes] as usize == at % classes).to_le_bytes();
    let numbers: Vec<[u8; 4]> = (0..class.len() * classes).map(slot).collect();
    Pickled::new().array("i4", &[class.len() as i32, classes as i32], &numbers).done()
}

/// A dictionary of neighbours, in the order of the list.
pub(crate) fn neighbours(lists: &[(i32, Vec<i32>)]) -> Vec<u8> {
    let mut out = Pickled::new();
    out.name("collections", "defaultdict").name("__builtin__", "list").raw(b"\x85R").remember().raw(b"(");
    for (node, list) in lists {
        out.integer(*node).raw(b"]").remember();
        match list.as_slice() {
            [] => &mut out,
            [one] => out.integer(*one).raw(b"a"),
            several => {
                out.raw(b"(");
                for &node in several {
                    out.integer(node);
                }
                out.raw(b"e")
            }
        };
    }
    out.raw(b"u").done()
}

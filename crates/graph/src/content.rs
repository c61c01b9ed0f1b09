//! The content hash of a data set; what is hashed is said at [`RawDataset::content_hash`].

use crate::Topology;
use crate::raw::{RawDataset, Targets};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Collects bytes, so that the digest sees long runs.
struct Sink {
    digest: Sha256,
    buffer: Vec<u8>,
}

impl Sink {
    const FULL: usize = 1 << 16;

    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.pour();
    }

    /// Hands on what was collected, if it is a long run.
    fn pour(&mut self) {
        if self.buffer.len() >= Self::FULL {
            self.digest.update(&self.buffer);
            self.buffer.clear();
        }
    }

    /// Target and source of each edge.
    fn pairs(&mut self, topology: Topology<'_>) {
        let from = self.buffer.len();
        self.buffer.resize(from + 8 * topology.edges(), 0);
        let mut places = self.buffer[from..].chunks_exact_mut(8);
        for target in 0..topology.nodes() {
            for (&source, place) in topology.neighbours(target).iter().zip(places.by_ref()) {
                place.copy_from_slice(&(u64::from(source) << 32 | target as u64).to_le_bytes());
            }
        }
        self.pour();
    }

    fn count(&mut self, count: usize) {
        self.bytes(&(count as u64).to_le_bytes());
    }

    fn id(&mut self, id: usize) {
        self.bytes(&(id as u32).to_le_bytes());
    }

    fn label(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }

    fn real(&mut self, value: f64) {
        let value = if value == 0.0 { 0.0 } else { value };
        self.bytes(&value.to_bits().to_le_bytes());
    }

    fn finish(mut self) -> String {
        self.digest.update(&self.buffer);
        self.digest.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

pub(crate) fn hash(raw: &RawDataset) -> String {
    let mut sink = Sink { digest: Sha256::new(), buffer: Vec::with_capacity(Sink::FULL + 64) };
    sink.bytes(b"coarsen content 1");
    sink.count(raw.len());
    sink.count(raw.node_labels.len());
    sink.count(raw.node_attributes.width);
    sink.count(raw.edge_labels.len());
    sink.count(raw.edge_attributes.width);
    sink.bytes(&[u8::from(matches!(raw.targets, Targets::Reals(_))), u8::from(raw.node_class.is_some())]);
    let mut loops = raw.self_loops.as_slice();
    for graph in 0..raw.len() {
        match &raw.targets {
            Targets::Classes(labels) => sink.label(labels.value(graph)),
            Targets::Reals(values) => sink.real(values[graph]),
        }
        let first = raw.node_ptr[graph];
        let end = raw.node_ptr[graph + 1];
        sink.count(end - first);
        for node in first..end {
            raw.node_labels.iter().for_each(|column| sink.label(column.value(node)));
            raw.node_attributes.row(node).iter().for_each(|&value| sink.real(value));
            if let Some(class) = &raw.node_class {
                sink.id(class[node] as usize);
            }
        }
        let (here, rest) = loops.split_at(loops.partition_point(|&node| node < end));
        loops = rest;
        sink.count(here.len());
        for &node in here {
            sink.id(node - first);
        }
        edges(raw, graph, &mut sink);
    }
    sink.finish()
}

fn edges(raw: &RawDataset, graph: usize, sink: &mut Sink) {
    let topology = raw.topology(graph);
    sink.count(topology.edges());
    if raw.edge_labels.is_empty() && raw.edge_attributes.width == 0 {
        return sink.pairs(topology);
    }
    let first = raw.row_ptr[raw.node_ptr[graph]];
    for (entry, (source, target)) in (first..).zip(topology.pairs()) {
        sink.id(target as usize);
        sink.id(source as usize);
        raw.edge_labels.iter().for_each(|column| sink.label(column.value(entry)));
        raw.edge_attributes.row(entry).iter().for_each(|&value| sink.real(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::Labels;

    /// One node without anything, written out by hand.
    #[test]
    fn the_digest_is_over_what_is_documented() {
        let mut raw = RawDataset::empty("any");
        raw.node_ptr = vec![0, 1];
        raw.row_ptr = vec![0, 0];
        raw.targets = Targets::Classes(Labels::compact([-1]));
        let mut bytes = b"coarsen content 1".to_vec();
        for count in [1u64, 0, 0, 0, 0] {
            bytes.extend(count.to_le_bytes());
        }
        bytes.extend([0, 0]);
        bytes.extend((-1i64).to_le_bytes());
        for count in [1u64, 0, 0] {
            bytes.extend(count.to_le_bytes());
        }
        let want: [u8; 32] = Sha256::digest(&bytes).into();
        let got = raw.content_hash();
        let byte = |at: usize| u8::from_str_radix(&got[2 * at..2 * at + 2], 16).unwrap();
        assert_eq!((got.len(), std::array::from_fn(byte)), (64, want));
    }
}

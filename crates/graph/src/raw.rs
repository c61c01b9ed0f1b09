//! [`RawDataset`]: what the files (or a generator) say, before any choice of features.

use crate::dataset::InMemory;
use crate::features::FeatureRule;
use crate::{Error, Sample, Stats, Target, Topology, content, stats};
use std::sync::OnceLock;

/// A data set as its source says it: edges, labels, attributes and targets, all graphs in flat arrays.
///
/// Labels and classes are kept with their original values and compacted to `0..k` in ascending order of value.
#[derive(Clone, Debug)]
pub struct RawDataset {
    pub(crate) name: String,
    /// The nodes of graph `g` are `node_ptr[g]..node_ptr[g + 1]`.
    pub(crate) node_ptr: Vec<usize>,
    /// One offset per node and one more: the table that every [`Topology`] of the set is a slice of.
    pub(crate) row_ptr: Vec<usize>,
    /// Sources, numbered inside their graph.
    pub(crate) col: Vec<u32>,
    pub(crate) targets: Targets,
    pub(crate) node_class: Option<Vec<u32>>,
    pub(crate) node_labels: Vec<Labels>,
    pub(crate) node_attributes: Table,
    pub(crate) edge_labels: Vec<Labels>,
    pub(crate) edge_attributes: Table,
    /// Nodes (numbered over the set, ascending) whose edge to themselves was dropped.
    pub(crate) self_loops: Vec<usize>,
    pub(crate) hash: OnceLock<String>,
    pub(crate) stats: OnceLock<Stats>,
}

/// What is to be predicted for each graph.
#[derive(Clone, Debug)]
pub(crate) enum Targets {
    Classes(Labels),
    Reals(Vec<f64>),
}

/// Integers that stand for categories, compacted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    /// Distinct, ascending.
    pub(crate) values: Vec<i64>,
    /// For each item the position of its value.
    pub(crate) code: Vec<u32>,
}

impl Labels {
    pub(crate) fn compact(items: impl IntoIterator<Item = i64, IntoIter: Clone>) -> Self {
        let items = items.into_iter();
        let (least, most) =
            items.clone().fold((i64::MAX, i64::MIN), |(a, b), item| (a.min(item), b.max(item)));
        let slots = most.checked_sub(least).and_then(|span| usize::try_from(span).ok()).map(|span| span + 1);
        if let Some(slots) = slots.filter(|&slots| slots <= Self::SLOTS) {
            let slot = |item: i64| (item - least) as usize;
            let mut code_of = vec![0; slots];
            items.clone().for_each(|item| code_of[slot(item)] = 1);
            let values: Vec<i64> = (least..=most).filter(|&value| code_of[slot(value)] == 1).collect();
            (0..).zip(&values).for_each(|(code, &value)| code_of[slot(value)] = code);
            return Self { values, code: items.map(|item| code_of[slot(item)]).collect() };
        }
        let mut values: Vec<i64> = items.clone().collect();
        values.sort_unstable();
        values.dedup();
        let code = items.map(|item| values.partition_point(|&value| value < item) as u32).collect();
        Self { values, code }
    }

    /// The widest span of values that is counted rather than sorted.
    const SLOTS: usize = 1 << 16;

    /// Codes that are values already; `count` may exceed what occurs.
    pub(crate) fn counted(code: Vec<u32>, count: u32) -> Self {
        Self { values: (0..i64::from(count)).collect(), code }
    }

    pub(crate) fn value(&self, item: usize) -> i64 {
        self.values[self.code[item] as usize]
    }
}

/// Rows of real numbers; a width of 0 is "none".
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) width: usize,
    pub(crate) values: Vec<f64>,
}

impl Table {
    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..(row + 1) * self.width]
    }
}

impl RawDataset {
    /// The name of the set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of graphs.
    pub fn len(&self) -> usize {
        self.node_ptr.len() - 1
    }

    /// Is there no graph at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The edges of one graph, without self-loops.
    ///
    /// # Panics
    /// When `graph` is not below [`RawDataset::len`].
    pub fn topology(&self, graph: usize) -> Topology<'_> {
        let (first, last) = (self.node_ptr[graph], self.node_ptr[graph + 1]);
        let row_ptr = &self.row_ptr[first..=last];
        Topology { row_ptr, col: &self.col[row_ptr[0]..row_ptr[last - first]] }
    }

    /// The target of one graph.
    ///
    /// # Panics
    /// When `graph` is not below [`RawDataset::len`].
    pub fn target(&self, graph: usize) -> Target {
        match &self.targets {
            Targets::Classes(labels) => Target::Class(labels.code[graph]),
            Targets::Reals(values) => Target::Real(values[graph] as f32),
        }
    }

    /// The values that stood for the classes `0..k` in the source, ascending; empty for real targets.
    pub fn class_values(&self) -> &[i64] {
        match &self.targets {
            Targets::Classes(labels) => &labels.values,
            Targets::Reals(_) => &[],
        }
    }

    /// The values that stood for the node labels `0..k` in the source, one list per column of the label file.
    pub fn node_label_values(&self) -> impl Iterator<Item = &[i64]> {
        self.node_labels.iter().map(|column| column.values.as_slice())
    }

    /// The number of classes of the nodes, where the set has node classes, else of the graphs; 0 for real targets.
    pub fn classes(&self) -> u32 {
        match (&self.node_class, &self.targets) {
            (Some(class), _) => class.iter().max().map_or(0, |&largest| largest + 1),
            (None, Targets::Classes(labels)) => labels.values.len() as u32,
            (None, Targets::Reals(_)) => 0,
        }
    }

    /// Counts and means over the set.
    ///
    /// # Complexity
    /// O(N + E) time when it is first asked for.
    pub fn stats(&self) -> Stats {
        *self.stats.get_or_init(|| stats::of(self))
    }

    /// SHA-256 over the parsed content, in hexadecimal: equal for equal data however it was packed and written.
    ///
    /// The digest is over little-endian integers, in this order. The text `coarsen content 1`; the counts of graphs,
    /// node label columns, node attributes, edge label columns and edge attributes (64 bits each); one byte that is 0
    /// for classes and 1 for real targets, one byte that is 1 if nodes have classes. Then per graph: the class value
    /// as it stood in the source (64 bits, signed) or the bits of the real target; the number of nodes (64 bits); per
    /// node its label values (64 bits, signed), the bits of its attributes, its class (32 bits) if it has one; the
    /// number of self-loops (64 bits) and their nodes; the number of other distinct directed edges (64 bits) and per
    /// edge, ascending by target and then by source, target, source, label values and attributes. Node ids count
    /// from 0 inside their graph (32 bits); reals are 64-bit floats, with -0 written as 0. The name is not part of it,
    /// nor are the order of lines in `_A.txt`, repeated lines, and what was attached to self-loops.
    ///
    /// # Complexity
    /// O(N + E) time when it is first asked for.
    pub fn content_hash(&self) -> &str {
        self.hash.get_or_init(|| content::hash(self))
    }

    /// Makes the features that a rule asks for.
    ///
    /// # Errors
    /// [`Error::Features`] when the rule asks for what the set has not, or for a matrix beyond any memory.
    pub fn into_dataset(self, rule: &FeatureRule) -> Result<InMemory, Error> {
        InMemory::from_raw(std::sync::Arc::new(self), rule)
    }

    /// Collects samples; their `x` become node attributes, their `edge_attr` edge attributes.
    pub(crate) fn from_samples(name: &str, samples: &[Sample], classes: u32) -> Result<Self, Error> {
        let mut raw = Self::empty(name);
        let Some(shape) = samples.first().map(|sample| shape(&sample.view())).filter(|shape| shape.0 > 0)
        else {
            let rule = "a set must have at least one sample, with at least one feature per node".to_owned();
            return Err(Error::Sample { rule, got: format!("{} samples", samples.len()) });
        };
        raw.node_attributes.width = shape.0;
        raw.edge_attributes.width = shape.1.unwrap_or(0);
        let (mut class, mut real, mut label, mut node_class) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, sample) in samples.iter().map(Sample::view).enumerate() {
            if self::shape(&sample) != shape {
                let rule =
                    "all samples of a set must have equal features and carry the same parts".to_owned();
                return Err(Error::Sample { rule, got: format!("another shape in sample {index}") });
            }
            match sample.y {
                Target::Class(c) if c < classes => class.push(c),
                Target::Class(c) => {
                    let rule = format!("classes must be below {classes}");
                    return Err(Error::Sample { rule, got: format!("{c} in sample {index}") });
                }
                Target::Real(value) => real.push(f64::from(value)),
            }
            let base = raw.col.len();
            raw.row_ptr.extend(sample.topology.row_ptr[1..].iter().map(|at| base + at));
            raw.col.extend_from_slice(sample.topology.col);
            raw.node_ptr.push(raw.row_ptr.len() - 1);
            raw.node_attributes.values.extend(sample.x.iter().copied().map(f64::from));
            raw.edge_attributes.values.extend(sample.edge_attr.iter().flatten().copied().map(f64::from));
            label.extend(sample.node_label.into_iter().flatten().map(|&l| i64::from(l)));
            node_class.extend(sample.node_class.into_iter().flatten());
        }
        raw.node_labels = if shape.2 { vec![Labels::compact(label)] } else { Vec::new() };
        raw.node_class = shape.3.then_some(node_class);
        raw.targets = match (class.is_empty(), real.is_empty()) {
            (_, true) => Targets::Classes(Labels::counted(class, classes)),
            (true, false) => Targets::Reals(real),
            (false, false) => {
                let rule = "targets of a set must be all classes or all reals".to_owned();
                return Err(Error::Sample { rule, got: "both".to_owned() });
            }
        };
        Ok(raw)
    }

    /// A set without graphs.
    pub(crate) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            node_ptr: vec![0],
            row_ptr: vec![0],
            col: Vec::new(),
            targets: Targets::Classes(Labels::default()),
            node_class: None,
            node_labels: Vec::new(),
            node_attributes: Table::default(),
            edge_labels: Vec::new(),
            edge_attributes: Table::default(),
            self_loops: Vec::new(),
            hash: OnceLock::new(),
            stats: OnceLock::new(),
        }
    }
}

fn shape(sample: &crate::SampleRef<'_>) -> (usize, Option<usize>, bool, bool) {
    let edge = sample.edge_attr.map(|attr| attr.ncols());
    (sample.x.ncols(), edge, sample.node_label.is_some(), sample.node_class.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_compacted_in_order_of_value() {
        let labels = Labels::compact([7, -1, 7, 3]);
        assert_eq!((labels.values.as_slice(), labels.code.as_slice()), (&[-1, 3, 7][..], &[2, 0, 2, 1][..]));
        assert_eq!(labels.value(3), 3);
        assert_eq!(Labels::compact([]).values, [] as [i64; 0]);
        for far in [i64::MAX, Labels::SLOTS as i64, Labels::SLOTS as i64 - 1] {
            let labels = Labels::compact([far, i64::from(far == i64::MAX) * i64::MIN, far, 5]);
            assert_eq!((labels.values[1], labels.values[2], labels.code), (5, far, vec![2, 0, 2, 1]));
        }
    }
}

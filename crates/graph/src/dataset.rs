//! [`Dataset`], the one view that training has of data, and [`InMemory`], which keeps a whole set in flat arrays.

use crate::features::{self, FeaturePart, FeatureRule};
use crate::raw::RawDataset;
use crate::{Error, Sample, SampleRef, Stats};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use std::thread;

/// Graphs by number. Implementations hand out borrowed views, so that collation is copying slices.
pub trait Dataset: Send + Sync {
    /// What is known about the whole set.
    fn info(&self) -> &DatasetInfo;

    /// The number of graphs.
    fn len(&self) -> usize;

    /// One graph.
    ///
    /// # Panics
    /// When `index` is not below [`Dataset::len`].
    fn sample(&self, index: usize) -> SampleRef<'_>;

    /// Is there no graph at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of nodes of each graph, in order.
    fn sizes(&self) -> Vec<u32> {
        (0..self.len()).map(|index| self.sample(index).nodes() as u32).collect()
    }
}

/// What is known about a data set as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetInfo {
    /// The name, with `@SEED` where a generated set has another seed than 0.
    pub name: String,
    /// Classes to tell apart (of the nodes, where the set has node classes); 0 for real targets.
    pub classes: u32,
    /// Features per node.
    pub features: usize,
    /// Features per edge; 0 if there are none.
    pub edge_features: usize,
    /// How the node features were made; `auto` is already decided here.
    pub feature_rule: FeatureRule,
    /// Counts and means.
    pub stats: Stats,
    /// See [`RawDataset::content_hash`].
    pub content_hash: String,
}

/// A data set in memory: one offset table, one column array and one feature matrix for all graphs.
///
/// Graphs without nodes stay in their place, so that numbers mean the same as in the source. Cloning copies features
/// only; graphs and labels are shared.
///
/// # Examples
/// ```
/// use coarsen_graph::{Dataset, InMemory, Sample, Target, TopologyBuf};
/// use ndarray::array;
///
/// let edge = TopologyBuf::from_undirected(2, [(0, 1)])?;
/// let node = TopologyBuf::edgeless(1);
/// let set = InMemory::from_samples(
///     "two graphs",
///     vec![
///         Sample::new(edge, array![[0.5], [1.5]], Target::Class(0))?,
///         Sample::new(node, array![[2.5]], Target::Class(1))?,
///     ],
///     2,
/// )?;
/// assert_eq!(set.info().stats.nodes_mean, 1.5);
/// assert_eq!(set.sample(1).x, array![[2.5]]);
/// # Ok::<(), coarsen_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InMemory {
    raw: Arc<RawDataset>,
    info: DatasetInfo,
    x: Array2<f32>,
    edge_attr: Option<Array2<f32>>,
    /// The label of each node, where the set has several columns of them.
    combined: Option<Vec<u32>>,
}

impl InMemory {
    /// Collects samples that were made elsewhere; their features are kept as they are (the rule `attributes`).
    ///
    /// # Errors
    /// [`Error::Sample`] when there is no sample or no feature, when samples differ in the parts they carry or in
    /// their numbers of features, when a class is not below `classes`, or when classes and real targets are mixed.
    pub fn from_samples(name: impl Into<String>, samples: Vec<Sample>, classes: u32) -> Result<Self, Error> {
        let raw = RawDataset::from_samples(&name.into(), &samples, classes)?;
        drop(samples);
        Self::with_parts(Arc::new(raw), vec![FeaturePart::Attributes])
    }

    pub(crate) fn from_raw(raw: Arc<RawDataset>, rule: &FeatureRule) -> Result<Self, Error> {
        let parts = rule.resolve(&raw);
        Self::with_parts(raw, parts)
    }

    fn with_parts(raw: Arc<RawDataset>, parts: Vec<FeaturePart>) -> Result<Self, Error> {
        let (x, edge_attr) = thread::scope(|scope| {
            // Kept by `raw`, for when they are asked for below.
            scope.spawn(|| (raw.content_hash().len(), raw.stats()));
            Ok::<_, Error>((features::nodes(&raw, &parts)?, features::edges(&raw)?))
        })?;
        let info = DatasetInfo {
            name: raw.name.clone(),
            classes: raw.classes(),
            features: x.ncols(),
            edge_features: edge_attr.as_ref().map_or(0, Array2::ncols),
            feature_rule: FeatureRule::Parts(parts),
            stats: raw.stats(),
            content_hash: raw.content_hash().to_owned(),
        };
        let combined = features::combined_labels(&raw);
        Ok(Self { raw, info, x, edge_attr, combined })
    }

    /// The data before features were made.
    pub fn raw(&self) -> &RawDataset {
        &self.raw
    }

    fn node_label(&self) -> Option<&[u32]> {
        let only = || self.raw.node_labels.first().map(|column| column.code.as_slice());
        self.combined.as_deref().or_else(only)
    }

    pub(crate) fn raw_arc(&self) -> &Arc<RawDataset> {
        &self.raw
    }
}

impl Dataset for InMemory {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn len(&self) -> usize {
        self.raw.len()
    }

    fn sample(&self, index: usize) -> SampleRef<'_> {
        let nodes = self.raw.node_ptr[index]..self.raw.node_ptr[index + 1];
        let edges = self.raw.row_ptr[nodes.start]..self.raw.row_ptr[nodes.end];
        SampleRef {
            topology: self.raw.topology(index),
            x: rows(&self.x, nodes.clone()),
            edge_attr: self.edge_attr.as_ref().map(|attr| rows(attr, edges)),
            node_label: self.node_label().map(|label| &label[nodes.clone()]),
            node_class: self.raw.node_class.as_ref().map(|class| &class[nodes]),
            y: self.raw.target(index),
        }
    }

    fn sizes(&self) -> Vec<u32> {
        self.raw.node_ptr.windows(2).map(|ends| (ends[1] - ends[0]) as u32).collect()
    }
}

/// These rows of a matrix, without the general slicing that costs more than all else in a sample.
fn rows(matrix: &Array2<f32>, rows: Range<usize>) -> ArrayView2<'_, f32> {
    let (before_end, _) = matrix.view().split_at(Axis(0), rows.end);
    before_end.split_at(Axis(0), rows.start).1
}

//! The graph of the tasks of nodes and edges: it is passed whole in every step, so it is made ready once.

use std::sync::{Mutex, PoisonError};

use coarsen_graph::{Dataset, DatasetInfo, Sample, SampleRef, Target, TopologyBuf};
use coarsen_model::Needs;
use coarsen_nn::Dims;
use coarsen_tensor::{Level, collate};
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::error::RunError;
use crate::loader;
use crate::task::graph_classification::{dims, featured};

/// What is done to the features of each node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// Nothing.
    #[default]
    AsGiven,
    /// They are divided by their sum, unless that is 0: AdamGNN's "row-normalised".
    Averaged,
}

/// One graph as a data set of its own.
pub(crate) struct OneGraph {
    info: DatasetInfo,
    sample: Sample,
    collated: Mutex<Option<(Device, Level)>>,
}

impl OneGraph {
    /// The only graph of a data set.
    ///
    /// # Errors
    ///
    /// When it has another number of graphs, or the nodes have no features.
    pub(crate) fn of(data: &dyn Dataset, rows: Rows) -> Result<Self, RunError> {
        let info = data.info().clone();
        if data.len() != 1 {
            let (rule, got) = ("tasks of nodes and edges need one graph", format!("{} graphs", data.len()));
            return Err(RunError::Data { dataset: info.name, rule, got });
        }
        featured(&info)?;
        let given = data.sample(0);
        let mut x = given.x.to_owned();
        if rows == Rows::Averaged {
            for mut row in x.rows_mut() {
                let sum = row.sum();
                if sum != 0.0 {
                    row /= sum;
                }
            }
        }
        let fits = "the parts of a sample";
        let mut sample = Sample::new(given.topology.to_owned(), x, Target::Class(0)).expect(fits);
        if let Some(attr) = given.edge_attr {
            sample = sample.with_edge_attr(attr.to_owned()).expect(fits);
        }
        Ok(Self { info, sample, collated: Mutex::default() })
    }

    /// The same nodes with other edges, which have no attributes.
    pub(crate) fn with_edges(&self, topology: TopologyBuf) -> Self {
        let x = self.sample.view().x.to_owned();
        let sample = Sample::new(topology, x, Target::Class(0)).expect("as many nodes as before");
        let info = DatasetInfo { edge_features: 0, ..self.info.clone() };
        Self { info, sample, collated: Mutex::default() }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.sample.view().nodes()
    }

    pub(crate) fn dims(&self, outputs: u32) -> Dims {
        dims(self, outputs)
    }

    /// The graph as a network needs it.
    pub(crate) fn level(&self, needs: &Needs, cluster: u64, device: Device) -> Level {
        let mut kept = self.collated.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, collated) = match kept.take() {
            Some(there) if there.0 == device => kept.insert(there),
            _ => kept.insert((device, collate(self, &[0], device))),
        };
        let level = collated.with_x(collated.x.shallow_clone());
        drop(kept);
        loader::prepared(level, needs, cluster)
    }
}

impl Dataset for OneGraph {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn len(&self) -> usize {
        1
    }

    fn sample(&self, _: usize) -> SampleRef<'_> {
        self.sample.view()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_graph::{DataDir, FeatureRule, InMemory};
    use ndarray::array;

    #[test]
    fn rows_sum_to_one_or_are_zero() {
        let path = TopologyBuf::from_undirected(3, [(0, 1), (1, 2)]).expect("a path");
        let x = array![[1.0, 3.0], [0.0, 0.0], [2.0, 0.0]];
        let sample = Sample::new(path, x, Target::Class(0)).expect("a row per node");
        let data = InMemory::from_samples("path", vec![sample], 1).expect("a set");
        let rows = |rows| OneGraph::of(&data, rows).expect("one graph").sample(0).x.to_owned();
        assert_eq!(rows(Rows::Averaged), array![[0.25, 0.75], [0.0, 0.0], [1.0, 0.0]]);
        assert_eq!(rows(Rows::AsGiven), data.sample(0).x);
    }

    #[test]
    fn several_graphs_are_refused() {
        let data = DataDir::new("none").load("TRIANGLES", &FeatureRule::default()).expect("a built-in set");
        let message = OneGraph::of(&data, Rows::AsGiven).err().expect("refused").to_string();
        assert!(message.starts_with("TRIANGLES: tasks of nodes and edges need one graph, got "), "{message}");
    }
}

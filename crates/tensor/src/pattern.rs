//! The edges of a whole mini-batch, fixed and shared by all layers that work on it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use coarsen_sparse::Csr;
use tch::{Device, Kind, Tensor};

use crate::messages::Messages;
use crate::normalize::Norm;
use crate::relation::Relation;
use crate::segments::Segments;
use crate::view::{Real, by_kind, filled};

/// A shared, immutable block-diagonal pattern: who receives from whom, and which nodes are one graph.
///
/// Row `i` receives from the columns of its entries: entry `(i, j)` is the edge `j → i`. The transpose is built once.
/// What the layers derive from it is kept beside it; the whole list is: index tensors per device, the pattern with all
/// self-loops, the pattern without any, [`Messages`], and the weights that unit edges get from each [`Norm`] asked for.
#[derive(Debug)]
pub struct Pattern {
    relation: Arc<Relation>,
    graphs: Arc<Segments>,
    looped: OnceLock<Looped>,
    loopless: OnceLock<Loopless>,
    messages: OnceLock<Messages>,
    norms: Mutex<Vec<UnitWeights>>,
}

/// The weights `[E]` that unit edges get from a normalisation.
#[derive(Debug)]
struct UnitWeights {
    norm: Norm,
    options: (Kind, Device),
    weight: Tensor,
}

/// The pattern with every self-loop present.
#[derive(Debug)]
pub(crate) struct Looped {
    pub(crate) pattern: Arc<Pattern>,
    /// For each entry of it, the entry of the original, `None` where the loop was missing.
    from: Vec<Option<u32>>,
    /// Was every loop there already?
    pub(crate) complete: bool,
}

impl Looped {
    /// For each entry, the entry of the original, or their number where the loop was missing.
    pub(crate) fn from(&self) -> Vec<i64> {
        let missing = (self.from.len() - self.from.iter().filter(|e| e.is_none()).count()) as i64;
        self.from.iter().map(|e| e.map_or(missing, i64::from)).collect()
    }

    /// The entry `(i, i)` of every node.
    pub(crate) fn diagonal(&self) -> Vec<i64> {
        let entries = self.pattern.csr().diagonal();
        entries.map(|e| e.expect("every loop is there") as i64).collect()
    }
}

/// The pattern without self-loops.
#[derive(Debug)]
pub(crate) struct Loopless {
    pub(crate) pattern: Arc<Pattern>,
    /// For each entry of it, the entry of the original.
    pub(crate) from: Vec<i64>,
}

impl Pattern {
    /// Takes the square pattern of all nodes and the nodes of each graph.
    ///
    /// # Panics
    ///
    /// When the pattern is not square, or the graphs have another number of nodes. In debug builds also when an edge joins
    /// two graphs.
    pub fn new(csr: Csr, graphs: Arc<Segments>) -> Self {
        assert_eq!(csr.rows(), csr.cols(), "an adjacency is square");
        assert_eq!(csr.rows(), graphs.rows(), "the graphs' nodes are the pattern's nodes");
        debug_assert!(stays_inside(&csr, &graphs), "no edge joins two graphs");
        Self::of_relation(Arc::new(Relation::new(csr)), graphs)
    }

    pub(crate) fn of_relation(relation: Arc<Relation>, graphs: Arc<Segments>) -> Self {
        Self {
            relation,
            graphs,
            looped: OnceLock::new(),
            loopless: OnceLock::new(),
            messages: OnceLock::new(),
            norms: Mutex::default(),
        }
    }

    /// The entries, without the division into graphs.
    pub fn relation(&self) -> &Arc<Relation> {
        &self.relation
    }

    /// The host's pattern, row by row.
    pub fn csr(&self) -> &Csr {
        self.relation.csr()
    }

    /// The nodes of each graph.
    pub fn graphs(&self) -> &Arc<Segments> {
        &self.graphs
    }

    /// Number of nodes `N` of all graphs.
    pub fn nodes(&self) -> i64 {
        self.relation.rows()
    }

    /// Number of directed edges `E`.
    pub fn edges(&self) -> i64 {
        self.relation.entries()
    }

    /// The receiving node of each edge, `[E]` Int64.
    pub fn row(&self, device: Device) -> Tensor {
        self.relation.row(device)
    }

    /// The sending node of each edge, `[E]` Int64.
    pub fn col(&self, device: Device) -> Tensor {
        self.relation.col(device)
    }

    /// How rows travel along the edges; made when first asked for.
    pub fn messages(&self) -> &Messages {
        self.messages.get_or_init(|| Messages::of(self.csr()))
    }

    /// Another pattern over the same graphs.
    fn sibling(&self, csr: Csr) -> Self {
        Self::of_relation(Arc::new(Relation::new(csr)), Arc::clone(&self.graphs))
    }

    /// The weight of every edge when unit edges are scaled by their degrees, `[E]`; made once for all layers.
    ///
    /// A degree of 0 that no floor lifts scales by 0.
    pub(crate) fn unit_weights(&self, norm: Norm, options: (Kind, Device)) -> Tensor {
        let mut made = self.norms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = made.iter().find(|w| w.norm == norm && w.options == options) {
            return found.weight.shallow_clone();
        }
        let weight = by_kind!(options.0, T => self.scaled::<T>(norm)).to_device(options.1);
        made.push(UnitWeights { norm, options, weight: weight.shallow_clone() });
        weight
    }

    fn scaled<T: Real>(&self, norm: Norm) -> Tensor {
        let csr = self.csr();
        let degrees = csr.row_ptr().windows(2).map(|ends| (ends[1] - ends[0]) as usize);
        let largest = degrees.clone().max().unwrap_or(0);
        let of_degree: Vec<f64> = (0..=largest).map(|degree| norm.scale(degree as f64)).collect();
        let scale: Vec<f64> = degrees.map(|degree| of_degree[degree]).collect();
        let of_edge = |i: usize, j: usize| match norm {
            Norm::Symmetric { .. } => scale[i] * scale[j],
            Norm::None | Norm::Row { .. } => scale[i],
            Norm::Column { .. } => scale[j],
        };
        filled(&[self.edges()], |weight: &mut [T]| {
            for i in 0..scale.len() {
                let range = csr.range(i);
                for (weight, &j) in weight[range.clone()].iter_mut().zip(&csr.col()[range]) {
                    *weight = T::real(of_edge(i, j as usize));
                }
            }
        })
    }

    pub(crate) fn looped(&self) -> &Looped {
        self.looped.get_or_init(|| {
            let csr = self.csr();
            let (with, from) = csr.with_diagonal().expect("entries and nodes are counted in 32 bits");
            let complete = with.nnz() == csr.nnz();
            Looped { pattern: Arc::new(self.sibling(with)), from, complete }
        })
    }

    pub(crate) fn loopless(&self) -> &Loopless {
        self.loopless.get_or_init(|| {
            let (without, from) = self.csr().without_diagonal();
            Loopless {
                pattern: Arc::new(self.sibling(without)),
                from: from.into_iter().map(i64::from).collect(),
            }
        })
    }
}

fn stays_inside(csr: &Csr, graphs: &Segments) -> bool {
    graphs.ptr().windows(2).all(|ends| {
        (ends[0]..ends[1]).all(|i| {
            let entries = csr.row_ptr()[i as usize] as usize..csr.row_ptr()[i as usize + 1] as usize;
            csr.col()[entries].iter().all(|j| (ends[0]..ends[1]).contains(j))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "no edge joins two graphs")]
    fn an_edge_between_graphs_is_refused() {
        let csr = Csr::from_edges(4, 4, [(0, 1), (1, 0), (2, 1)]).expect("edges in range");
        drop(Pattern::new(csr, Arc::new(Segments::of_sizes([2, 2]))));
    }
}

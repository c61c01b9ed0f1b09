//! Receptive fields of a batch, as an assignment of nodes to places.

use std::sync::Arc;

use coarsen_graph::Topology;
use coarsen_graph::fields::{FieldRule, receptive};
use tch::Tensor;

use crate::adjacency::{Adjacency, Sparse};
use crate::assignment::Assignment;
use crate::level::{Level, Planned};
use crate::segments::Segments;

/// The fields of every graph ([`receptive`]): each place a cluster of one node, or of none; a node may be in many.
///
/// `Sᵀ X` has `B · w · k` rows, field after field, 0 where a place is empty. There are no coarser edges. Weights count for nothing.
pub fn planned(a: &Sparse, rule: FieldRule) -> Planned {
    let csr = a.pattern.csr();
    let graphs = a.pattern.graphs();
    let places = rule.fields * rule.size;
    let mut entries = Vec::new();
    for (b, ends) in graphs.ptr().windows(2).enumerate() {
        let rows = &csr.row_ptr()[ends[0] as usize..=ends[1] as usize];
        let row_ptr: Vec<usize> = rows.iter().map(|&p| (p - rows[0]) as usize).collect();
        let edges = rows[0] as usize..rows[rows.len() - 1] as usize;
        let col: Vec<u32> = csr.col()[edges].iter().map(|&j| j - ends[0]).collect();
        let fields = receptive(&Topology { row_ptr: &row_ptr, col: &col }, rule);
        let first = b as u32 * places;
        let filled = (first..).zip(&fields).filter_map(|(place, node)| node.map(|i| (ends[0] + i, place)));
        entries.extend(filled);
    }
    let level = Level::new(
        Tensor::zeros([a.pattern.nodes(), 0], a.options),
        Adjacency::Sparse(Sparse::new(Arc::clone(&a.pattern), None, a.options)),
    );
    let of_graphs = Segments::of_sizes(std::iter::repeat_n(places, graphs.len()));
    Planned { s: Assignment::entries(&entries, None, Arc::new(of_graphs), &level), adj: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use coarsen_graph::fields::Labelling;
    use coarsen_sparse::Csr;
    use tch::{Device, Kind};

    #[test]
    fn fields_speak_of_their_own_graph() {
        // A single node, no node at all, and a path of three.
        let csr = Csr::from_edges(4, 4, [(1, 2), (2, 1), (2, 3), (3, 2)]).expect("edges in range");
        let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 1, 1, 4]))));
        let a = Sparse::new(pattern, None, (Kind::Double, Device::Cpu));
        let rule = FieldRule { labelling: Labelling::Degree, fields: 2, stride: 1, size: 2 };
        let x = Tensor::from_slice(&[1.0, 2.0, 3.0, 4.0]).view([4, 1]);
        let fields = Vec::<f64>::try_from(planned(&a, rule).s.reduce(&x).view(-1)).expect("reals");
        assert_eq!(fields, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 2.0, 2.0, 3.0]);
    }
}

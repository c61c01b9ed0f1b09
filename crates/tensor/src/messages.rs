//! Rows on the directed edges of a level: [`Messages`].

use std::sync::Arc;

use coarsen_sparse::Csr;
use tch::Tensor;

use crate::relation::Relation;
use crate::spmm::{Side, spmm};

/// How rows of numbers travel when they stand on directed edges instead of nodes, as in belief propagation.
///
/// Made once for a [`Pattern`](crate::Pattern) and kept there. The entry `(i, j)` of the pattern is the edge `j → i`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use coarsen_sparse::Csr;
/// use coarsen_tensor::{Pattern, Segments};
/// use tch::Tensor;
///
/// // A path 0 — 1 — 2; its edges are 1 → 0, 0 → 1, 2 → 1, 1 → 2.
/// let csr = Csr::new(3, 3, vec![0, 1, 3, 4], vec![1, 0, 2, 1])?;
/// let pattern = Pattern::new(csr, Arc::new(Segments::new(vec![0, 3])));
/// let rows = Tensor::from_slice(&[1f64, 10., 100., 1000.]).view([4, 1]);
/// let numbers = |t: Tensor| Vec::<f64>::try_from(t.view(-1));
/// assert_eq!(numbers(pattern.messages().arrive(&rows))?, [1., 110., 1000.]);
/// assert_eq!(numbers(pattern.messages().onward(&rows))?, [100., 0., 0., 10.]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Messages {
    /// `[N, E]`: the edges that arrive at each node.
    arriving: Arc<Relation>,
    /// `[E, N]`: the node each edge departs from.
    source: Arc<Relation>,
    /// `[E, E]`: the reverse of each edge, where there is one.
    reverse: Arc<Relation>,
}

impl Messages {
    pub(crate) fn of(csr: &Csr) -> Self {
        let (nodes, edges) = (csr.rows(), csr.nnz());
        let count = edges as u32;
        let mut ends = Vec::with_capacity(edges + 1);
        ends.push(0);
        let mut reverse = Vec::with_capacity(edges);
        for (i, j) in csr.entries() {
            reverse.extend(csr.find(j as usize, i).map(|edge| edge as u32));
            ends.push(reverse.len() as u32);
        }
        Self {
            arriving: relation(nodes, edges, csr.row_ptr().to_vec(), (0..count).collect()),
            source: relation(edges, nodes, (0..=count).collect(), csr.col().to_vec()),
            reverse: relation(edges, edges, ends, reverse),
        }
    }

    /// The row of the node that each edge departs from.
    ///
    /// # Shapes
    ///
    /// `[N, F]` → `[E, F]`; differentiable.
    pub fn depart(&self, nodes: &Tensor) -> Tensor {
        spmm(&self.source, Side::Rows, None, nodes)
    }

    /// The sum of the rows of the edges that arrive at each node.
    ///
    /// # Shapes
    ///
    /// `[E, F]` → `[N, F]`; differentiable.
    pub fn arrive(&self, edges: &Tensor) -> Tensor {
        spmm(&self.arriving, Side::Rows, None, edges)
    }

    /// For each edge `j → i` the sum of the rows of the edges `k → j` with `k ≠ i`; a self-loop is its own reverse.
    ///
    /// # Shapes
    ///
    /// `[E, F]` → `[E, F]`; differentiable.
    ///
    /// # Complexity
    ///
    /// `O(E F)`: the sum over all edges that arrive at `j` less the reverse edge, so that a node of degree `n` costs
    /// `O(n F)` and not `O(n² F)`.
    pub fn onward(&self, edges: &Tensor) -> Tensor {
        self.depart(&self.arrive(edges)) - spmm(&self.reverse, Side::Rows, None, edges)
    }
}

fn relation(rows: usize, cols: usize, ptr: Vec<u32>, col: Vec<u32>) -> Arc<Relation> {
    let csr = Csr::new(rows, cols, ptr, col).expect("edges and nodes are counted in 32 bits");
    Arc::new(Relation::new(csr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, ramp};
    use tch::{Device, Kind};

    #[test]
    fn onward_is_the_product_with_the_matrix_of_successive_edges() {
        // A loop at 0, 0 — 1, 1 → 2 one way, 3 alone.
        let csr = Csr::new(4, 4, vec![0, 2, 3, 4, 4], vec![0, 1, 0, 1]).expect("four edges");
        let ends: Vec<(u32, u32)> = csr.entries().collect();
        let follows = |&(i, j): &(u32, u32), &(to, from): &(u32, u32)| to == j && (from, to) != (i, j);
        let matrix: Vec<f64> =
            ends.iter().flat_map(|e| ends.iter().map(|f| f64::from(u8::from(follows(e, f))))).collect();
        let matrix = Tensor::from_slice(&matrix).view([4, 4]);
        let messages = Messages::of(&csr);
        let run = |product: &dyn Fn(&Tensor) -> Tensor| {
            let x = ramp(&[4, 3], 0.7);
            let y = product(&x);
            (&y * ramp(&[4, 3], 1.1).detach()).sum(Kind::Double).backward();
            [y.detach(), x.grad()]
        };
        assert_close(&run(&|x| messages.onward(x)), &run(&|x| matrix.matmul(x)), 1e-12);
    }

    #[test]
    fn a_level_without_edges_has_no_messages() {
        let messages = Messages::of(&Csr::empty(2, 2).expect("no entries"));
        let none = Tensor::zeros([0, 3], (Kind::Float, Device::Cpu));
        assert_eq!(messages.onward(&none).size(), [0, 3]);
        assert!(messages.arrive(&none).equal(&Tensor::zeros([2, 3], (Kind::Float, Device::Cpu))));
    }
}

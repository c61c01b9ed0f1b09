//! Connect: the edges between clusters, `Sᵀ A S`.

use std::sync::Arc;

use coarsen_sparse::{Csr, Product, spgemm};
use tch::{Kind, Tensor};

use crate::adjacency::{Adjacency, Loops, Padded, Sparse};
use crate::assignment::{Assignment, Entries};
use crate::batched;
use crate::executor::TorchPool;
use crate::grouped::contract;
use crate::pattern::Pattern;
use crate::segment;
use crate::segments::Segments;
use crate::spgemm::{Matrix, spgemm as product};

impl Adjacency {
    /// `Sᵀ A S`: the weight between two clusters is the sum over the edges between their members.
    ///
    /// The layout of the result is that of the assignment: sparse for entries, dense for rows and padded ones. Edge
    /// attributes are not carried over.
    ///
    /// # Shapes
    ///
    /// `[N, N]` and entries → `[K, K]`; `[N, N]` and rows `[N, K]` → `[B, K, K]`; `[B, N, N]` and `[B, N, K]` →
    /// `[B, K, K]`.
    ///
    /// # Complexity
    ///
    /// Entries: `O(Σ_{(i,j) ∈ A} |S_j| + Σ_{i} |S_i| |(AS)_i|)`. Rows: `O(E K + N K²)`, memory `O(N K + B K²)`. Padded:
    /// `O(B N² K)`.
    ///
    /// # Panics
    ///
    /// When the assignment was made for a level of the other layout.
    #[must_use]
    pub fn coarsen(&self, s: &Assignment) -> Self {
        match (self, s) {
            (Self::Sparse(a), Assignment::Entries(s)) => Self::Sparse(by_entries(a, s)),
            (Self::Sparse(a), Assignment::Rows { s, graphs }) => {
                debug_assert_eq!(a.pattern.graphs().ptr(), graphs.ptr(), "S is over the same graphs");
                let received = self.matmul(s);
                Self::Dense(Padded::new(contract(s, &received, graphs), None))
            }
            (Self::Dense(_), Assignment::Padded { s }) => {
                Self::Dense(Padded::new(batched::transposed_matmul(s, &self.matmul(s)), None))
            }
            _ => panic!("an assignment coarsens the layout it was made for"),
        }
    }

    /// `N^λ`: an unweighted edge `j → i` wherever `j ≠ i` is at most `λ` steps away (AdamGNN, § 3.2).
    ///
    /// # Complexity
    ///
    /// `λ − 1` products of patterns.
    #[must_use]
    pub fn hops(&self, lambda: u8) -> Self {
        match self {
            Self::Sparse(s) => {
                let one = s.pattern.looped().pattern.csr().clone();
                let mut reach = one.clone();
                for _ in 1..lambda {
                    let (next, _) = spgemm::multiply::<f32>(&TorchPool, &reach, None, &one, None)
                        .expect("the entries of a product are counted in 32 bits");
                    reach = next;
                }
                let (reach, _) = reach.without_diagonal();
                let pattern = Pattern::new(reach, Arc::clone(s.pattern.graphs()));
                Self::Sparse(Sparse::new(Arc::new(pattern), None, s.options))
            }
            Self::Dense(p) => {
                let kind = p.a.kind();
                let eye = Tensor::eye(p.a.size()[1], (kind, p.a.device()));
                let one = (p.a.ne(0.0).to_kind(kind) + &eye).clamp_max(1.0);
                let mut reach = one.shallow_clone();
                for _ in 1..lambda {
                    reach = reach.matmul(&one).gt(0.0).to_kind(kind);
                }
                let reach = reach * (Tensor::ones_like(&eye).to_kind(kind) - &eye);
                Self::Dense(Padded::new(reach, p.mask.as_ref().map(Tensor::shallow_clone)))
            }
        }
    }
}

fn by_entries(a: &Sparse, s: &Entries) -> Sparse {
    if let (Some(kept), None) = (&s.kept, &s.weight) {
        return induced(a, kept, &s.clusters);
    }
    let clone = |t: &Option<Tensor>| t.as_ref().map(Tensor::shallow_clone);
    let adjacency = Matrix { relation: Arc::clone(a.pattern.relation()), value: clone(&a.weight) };
    let assignment = Matrix { relation: Arc::clone(&s.relation), value: clone(&s.weight) };
    let received = product(&adjacency, &assignment, a.options);
    let between = product(&assignment.transposed(), &received, a.options);
    let pattern = Pattern::of_relation(between.relation, Arc::clone(&s.clusters));
    Sparse::new(Arc::new(pattern), between.value, a.options)
}

/// The edges between nodes that are kept, with the weights they have.
fn induced(a: &Sparse, kept: &[u32], clusters: &Arc<Segments>) -> Sparse {
    let (csr, edge) = a.pattern.csr().induced(kept);
    let weight = a.weight.as_ref().map(|w| {
        let edge: Vec<i64> = edge.iter().map(|&e| i64::from(e)).collect();
        w.index_select(0, &Tensor::from_slice(&edge).to_device(w.device()))
    });
    Sparse::new(Arc::new(Pattern::new(csr, Arc::clone(clusters))), weight, a.options)
}

impl Sparse {
    /// Unit edges, loops included, between clusters with members at most two steps apart: the pattern of `Sᵀ (A + I)² S`.
    ///
    /// # Complexity
    ///
    /// Three products of patterns on the host, the square never made where `S` keeps few nodes.
    #[must_use]
    pub fn within_two(&self, s: &Entries) -> Self {
        let times = |a: &Csr, b: &Csr| {
            Product::new(&TorchPool, a, b)
                .expect("the entries of a product are counted in 32 bits")
                .into_csr()
        };
        let one = &self.pattern.looped().pattern;
        let from = times(one.csr(), s.relation.csr());
        let to = times(s.relation.transposed().relation.csr(), one.csr());
        let pattern = Pattern::new(times(&to, &from), Arc::clone(&s.clusters));
        Self::new(Arc::new(pattern), None, self.options)
    }

    /// `Sᵀ (A + I)² S` without its diagonal, of `A` without its loops: the walks of at most two steps between clusters.
    ///
    /// # Complexity
    ///
    /// Three products, the square never made where `S` keeps few nodes.
    #[must_use]
    pub fn walks(&self, s: &Entries) -> Self {
        let adj = Adjacency::Sparse(Self::new(
            Arc::clone(&self.pattern),
            self.weight.as_ref().map(Tensor::shallow_clone),
            self.options,
        ));
        let Adjacency::Sparse(one) = adj.with_self_loops(Loops::Remove).with_self_loops(Loops::Fill(1.0))
        else {
            unreachable!("loops keep the layout")
        };
        let step = Matrix { relation: Arc::clone(one.pattern.relation()), value: one.weight };
        let assignment =
            Matrix { relation: Arc::clone(&s.relation), value: s.weight.as_ref().map(Tensor::shallow_clone) };
        let received = product(&step, &assignment, self.options);
        let sent = product(&assignment.transposed(), &step, self.options);
        let walks = product(&sent, &received, self.options);
        let pattern = Arc::new(Pattern::of_relation(walks.relation, Arc::clone(&s.clusters)));
        let walks = Adjacency::Sparse(Self::new(pattern, walks.value, self.options));
        match walks.with_self_loops(Loops::Remove) {
            Adjacency::Sparse(walks) => walks,
            Adjacency::Dense(_) => unreachable!("loops keep the layout"),
        }
    }

    /// The same edges, all weighing 1, without loops: how Graclus connects its clusters.
    #[must_use]
    pub fn binary(&self) -> Self {
        let pattern = Arc::clone(&self.pattern.loopless().pattern);
        Self::new(pattern, None, self.options)
    }
}

impl Adjacency {
    /// `‖A_b‖_F²` of every graph, `[B]`.
    pub fn squared_norms(&self) -> Tensor {
        match self {
            Self::Sparse(s) => {
                let graphs = s.pattern.graphs();
                let entries: Vec<u32> =
                    graphs.ptr().iter().map(|&row| s.pattern.csr().row_ptr()[row as usize]).collect();
                let by_graph = Arc::new(Segments::new(entries));
                match &s.weight {
                    Some(weight) => segment::sum(&weight.square().unsqueeze(1), &by_graph).squeeze_dim(1),
                    None => by_graph.sizes_tensor(s.options),
                }
            }
            Self::Dense(p) => p.a.square().sum_dim_intlist([1i64, 2].as_slice(), false, None::<Kind>),
        }
    }
}

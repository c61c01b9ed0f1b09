//! The edges of a level in either layout, and what convolutions do with them.

use std::sync::Arc;

use coarsen_sparse::Act;
use tch::{Device, Kind, Tensor};

use crate::batched;
use crate::epilogue::composed;
use crate::layout::{Layout, pad_rows, stack_edges, stack_rows};
use crate::pattern::Pattern;
use crate::propagate::{Edges, spmm_act, spmm_own};
use crate::spmm::{Side, spmm};
use crate::spmm_max::spmm_max;

/// `A` of one level, for a whole mini-batch. `A[i, j]` is the edge `j → i`: rows receive, in both layouts.
#[derive(Debug)]
pub enum Adjacency {
    /// Block-diagonal over all stacked nodes.
    Sparse(Sparse),
    /// One zero-padded square per graph.
    Dense(Padded),
}

/// A shared pattern with weights and attributes beside it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Sparse {
    /// The edges, shared by all layers.
    pub pattern: Arc<Pattern>,
    /// `[E]`; `None`: every edge weighs 1.
    pub weight: Option<Tensor>,
    /// `[E, D]` edge attributes.
    pub attr: Option<Tensor>,
    /// The kind and device that unit weights have.
    pub options: (Kind, Device),
}

/// Squares padded with zeros to the largest graph.
#[derive(Debug)]
#[non_exhaustive]
pub struct Padded {
    /// `[B, N, N]`.
    pub a: Tensor,
    /// `[B, N]` of the kind of `a`: 1 for a node, 0 for padding. `None`: every slot is a node.
    pub mask: Option<Tensor>,
}

/// What happens to the diagonal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loops {
    /// Nothing.
    Keep,
    /// Missing loops get this weight, loops that are there keep theirs.
    Fill(f64),
    /// This is added to every diagonal entry.
    Add(f64),
    /// Every diagonal entry becomes this.
    Overwrite(f64),
    /// No loops are left.
    Remove,
}

impl Sparse {
    /// Edges with weights, without attributes.
    ///
    /// # Shapes
    ///
    /// `weight: [E]`, of the kind and on the device in `options`.
    pub fn new(pattern: Arc<Pattern>, weight: Option<Tensor>, options: (Kind, Device)) -> Self {
        debug_assert!(weight.as_ref().is_none_or(|w| w.size() == [pattern.edges()]), "one weight an edge");
        debug_assert!(
            weight.as_ref().is_none_or(|w| (w.kind(), w.device()) == options),
            "weights of that kind"
        );
        Self { pattern, weight, attr: None, options }
    }

    /// The same edges with these attributes, `[E, D]`.
    #[must_use]
    pub fn with_attr(mut self, attr: Option<Tensor>) -> Self {
        debug_assert!(
            attr.as_ref().is_none_or(|a| a.size()[0] == self.pattern.edges()),
            "one attribute an edge"
        );
        self.attr = attr;
        self
    }

    /// The weights as a tensor `[E]`, ones where there are none.
    pub fn weights(&self) -> Tensor {
        self.weight
            .as_ref()
            .map_or_else(|| Tensor::ones([self.pattern.edges()], self.options), Tensor::shallow_clone)
    }

    pub(crate) fn edges(&self) -> Edges<'_> {
        Edges { relation: self.pattern.relation(), weight: self.weight.as_ref() }
    }

    fn looped(&self, loops: Loops) -> Self {
        let looped = self.pattern.looped();
        let nothing_to_fill = looped.complete || self.weight.is_none();
        let (missing, weight) = match loops {
            Loops::Fill(v) if nothing_to_fill && (looped.complete || is_one(v)) => {
                (None, self.weight.as_ref())
            }
            Loops::Fill(v) => (Some(v), None),
            _ => (Some(0.0), None),
        };
        let index = |v: &[i64]| Tensor::from_slice(v).to_device(self.options.1);
        let weight = match missing {
            None => weight.map(Tensor::shallow_clone),
            Some(v) => {
                let own = Tensor::cat(&[self.weights(), Tensor::full([1], v, self.options)], 0);
                Some(own.index_select(0, &index(&looped.from())))
            }
        };
        let weight = match (loops, weight) {
            (Loops::Add(v), Some(w)) => {
                let diagonal = index(&looped.diagonal());
                let added = Tensor::full([self.pattern.nodes()], v, self.options);
                Some(w.index_add(0, &diagonal, &added))
            }
            (Loops::Overwrite(v), Some(w)) => Some(w.index_fill(0, &index(&looped.diagonal()), v)),
            (_, weight) => weight,
        };
        let attr = self.attr.as_ref().map(|attr| {
            let none = Tensor::zeros([1, attr.size()[1]], (attr.kind(), attr.device()));
            Tensor::cat(&[attr, &none], 0).index_select(0, &index(&looped.from()))
        });
        Self { pattern: Arc::clone(&looped.pattern), weight, attr, options: self.options }
    }

    fn loopless(&self) -> Self {
        let loopless = self.pattern.loopless();
        let from = Tensor::from_slice(&loopless.from).to_device(self.options.1);
        let select = |t: &Option<Tensor>| t.as_ref().map(|t| t.index_select(0, &from));
        Self {
            pattern: Arc::clone(&loopless.pattern),
            weight: select(&self.weight),
            attr: select(&self.attr),
            options: self.options,
        }
    }
}

impl Padded {
    /// `A x` of every graph: `[B, N, F]` → `[B, N, F]`, `[B, N]` → `[B, N]`.
    fn matmul(&self, x: &Tensor) -> Tensor {
        if x.dim() == 3 {
            batched::matmul(&self.a, x)
        } else {
            batched::matmul(&self.a, &x.unsqueeze(-1)).squeeze_dim(-1)
        }
    }

    /// Squares and the mask of their nodes.
    ///
    /// # Shapes
    ///
    /// `a: [B, N, N]`, `mask: [B, N]` of the same kind; padded rows and columns of `a` are zero.
    pub fn new(a: Tensor, mask: Option<Tensor>) -> Self {
        debug_assert!(a.dim() == 3 && a.size()[1] == a.size()[2], "squares, got {:?}", a.size());
        debug_assert!(mask.as_ref().is_none_or(|m| m.size() == a.size()[..2]), "one mask row a graph");
        debug_assert!(mask.as_ref().is_none_or(|m| m.kind() == a.kind()), "the mask is of the kind of a");
        Self { a, mask }
    }

    fn options(&self) -> (Kind, Device) {
        (self.a.kind(), self.a.device())
    }

    fn with_self_loops(&self, loops: Loops) -> Self {
        let eye = Tensor::eye(self.a.size()[1], self.options());
        // Padding gets no loops.
        let eye = self.mask.as_ref().map_or_else(|| eye.unsqueeze(0), |m| m.unsqueeze(1) * &eye);
        let off = 1.0 - Tensor::eye(self.a.size()[1], self.options());
        let a = match loops {
            Loops::Keep => self.a.shallow_clone(),
            Loops::Fill(v) => &self.a + self.a.eq(0.0).to_kind(self.a.kind()) * eye * v,
            Loops::Add(v) => &self.a + eye * v,
            Loops::Overwrite(v) => &self.a * off + eye * v,
            Loops::Remove => &self.a * off,
        };
        Self { a, mask: self.mask.as_ref().map(Tensor::shallow_clone) }
    }
}

impl Adjacency {
    /// The layout of this value.
    pub fn layout(&self) -> Layout {
        match self {
            Self::Sparse(_) => Layout::Sparse,
            Self::Dense(_) => Layout::Dense,
        }
    }

    /// Shares the storage of everything.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        let clone = |t: &Option<Tensor>| t.as_ref().map(Tensor::shallow_clone);
        match self {
            Self::Sparse(s) => Self::Sparse(Sparse {
                pattern: Arc::clone(&s.pattern),
                weight: clone(&s.weight),
                attr: clone(&s.attr),
                options: s.options,
            }),
            Self::Dense(p) => Self::Dense(Padded { a: p.a.shallow_clone(), mask: clone(&p.mask) }),
        }
    }

    /// The kind and device of the weights.
    pub fn options(&self) -> (Kind, Device) {
        match self {
            Self::Sparse(s) => s.options,
            Self::Dense(p) => p.options(),
        }
    }

    /// `A x`: every node receives the weighted sum of its senders.
    ///
    /// # Shapes
    ///
    /// `[N, F]` → `[N, F]`, or `[B, N, F]` → `[B, N, F]`.
    ///
    /// # Complexity
    ///
    /// Time `O(E F)` sparse, `O(B N² F)` dense.
    pub fn matmul(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Sparse(s) => spmm(s.pattern.relation(), Side::Rows, s.weight.as_ref(), x),
            Self::Dense(p) => p.matmul(x),
        }
    }

    /// `act(A x + 1 bᵀ)`: a propagation with the bias and activation behind it, one pass where `A` is sparse.
    ///
    /// On a dense level padded rows get the activated bias.
    ///
    /// # Shapes
    ///
    /// As [`matmul`](Self::matmul); `bias: [F]`.
    pub fn matmul_act(&self, x: &Tensor, bias: Option<&Tensor>, act: Act) -> Tensor {
        match self {
            Self::Sparse(s) => spmm_act(s.edges(), x, bias, act),
            Self::Dense(p) => composed(p.matmul(x), bias, act),
        }
    }

    /// `own · x + A x`: GIN's sum over a node and its neighbours.
    ///
    /// # Shapes
    ///
    /// As [`matmul`](Self::matmul).
    pub fn matmul_own(&self, own: f64, x: &Tensor) -> Tensor {
        match self {
            Self::Sparse(s) => spmm_own(s.edges(), own, x),
            Self::Dense(p) => x * own + p.matmul(x),
        }
    }

    /// `max_j a_ij x_j` over the senders of each node, number by number; 0 for a node without any.
    ///
    /// An entry 0 of a dense adjacency is no edge. The gradient goes to the first sender that holds the maximum.
    ///
    /// # Shapes
    ///
    /// `[N, F]` → `[N, F]`, or `[B, N, F]` → `[B, N, F]`.
    ///
    /// # Complexity
    ///
    /// Time `O(E F)`. Dense, the edges are listed on the host first: time `O(B N² + E F)`.
    pub fn max(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Sparse(s) => spmm_max(s.pattern.relation(), s.weight.as_ref(), x),
            Self::Dense(p) => {
                let edges = stack_edges(p);
                let graphs = edges.pattern.graphs();
                let y = spmm_max(edges.pattern.relation(), edges.weight.as_ref(), &stack_rows(x, graphs));
                pad_rows(&y, graphs, p.a.size()[1])
            }
        }
    }

    /// The same edges, all of weight 1; an entry 0 of a dense adjacency is no edge.
    #[must_use]
    pub fn unweighted(&self) -> Self {
        match self {
            Self::Sparse(s) => Self::Sparse(Sparse {
                pattern: Arc::clone(&s.pattern),
                weight: None,
                attr: s.attr.as_ref().map(Tensor::shallow_clone),
                options: s.options,
            }),
            Self::Dense(p) => Self::Dense(Padded {
                a: p.a.ne(0.0).to_kind(p.a.kind()),
                mask: p.mask.as_ref().map(Tensor::shallow_clone),
            }),
        }
    }

    /// With another diagonal; see [`Loops`]. Attributes of new loops are zeros.
    #[must_use]
    pub fn with_self_loops(&self, loops: Loops) -> Self {
        match (self, loops) {
            (_, Loops::Keep) => self.shallow_clone(),
            (Self::Sparse(s), Loops::Remove) => Self::Sparse(s.loopless()),
            (Self::Sparse(s), _) => Self::Sparse(s.looped(loops)),
            (Self::Dense(p), _) => Self::Dense(p.with_self_loops(loops)),
        }
    }
}

#[allow(clippy::float_cmp)] // asks for the literal 1, whose product changes nothing
fn is_one(v: f64) -> bool {
    v == 1.0
}

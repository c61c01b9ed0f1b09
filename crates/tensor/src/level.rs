//! One level of the hierarchy: `(X, A)` of a whole mini-batch.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::adjacency::Adjacency;
use crate::assignment::Assignment;
use crate::layout::{Layout, pad_edges, pad_rows, segments, stack_edges, stack_rows};
use crate::segments::Segments;

/// `(X, A)` of one level of the hierarchy, for a whole mini-batch.
///
/// Invariants, checked by [`Level::new`] in debug builds and relied on below: `x` and `adj` have the same layout, node
/// count, kind and device; no edge joins two graphs; padded rows of `x` and `a` are zero.
///
/// # Shapes
///
/// | | sparse | dense |
/// | --- | --- | --- |
/// | `x` | `[N, F]`, all graphs stacked | `[B, N_max, F]`, zero-padded |
/// | `adj` | entries over `N` | `[B, N_max, N_max]` with a mask `[B, N_max]` |
#[derive(Debug)]
#[non_exhaustive]
pub struct Level {
    /// Features of the nodes.
    pub x: Tensor,
    /// Edges.
    pub adj: Adjacency,
    /// Coarsenings made on the host for the levels to come, the next one first.
    pub plan: Vec<Planned>,
}

/// A coarsening made on the host, before the features are known.
#[derive(Debug)]
pub struct Planned {
    /// Who goes where.
    pub s: Assignment,
    /// The coarser edges, where the plan fixes them.
    pub adj: Option<Adjacency>,
}

impl Level {
    /// A level without a plan.
    pub fn new(x: Tensor, adj: Adjacency) -> Self {
        let level = Self { x, adj, plan: Vec::new() };
        #[cfg(debug_assertions)]
        level.check();
        level
    }

    #[cfg(debug_assertions)]
    fn check(&self) {
        let size = self.x.size();
        assert_eq!(
            (self.x.kind(), self.x.device()),
            self.adj.options(),
            "x and adj are of one kind and device"
        );
        match &self.adj {
            Adjacency::Sparse(s) => {
                assert_eq!(size.len(), 2, "x of a sparse level is [N, F], got {size:?}");
                assert_eq!(size[0], s.pattern.nodes(), "x has a row for every node");
            }
            Adjacency::Dense(p) => {
                assert_eq!(size.len(), 3, "x of a dense level is [B, N, F], got {size:?}");
                assert_eq!(size[..2], p.a.size()[..2], "x has a row for every slot");
                if let Some(mask) = &p.mask {
                    let padding: Tensor = 1.0 - mask;
                    let rows = (self.x.detach().abs() * padding.unsqueeze(-1)).sum(Kind::Double);
                    let edges = (p.a.detach().abs() * padding.unsqueeze(-1)).sum(Kind::Double);
                    // NaN times 0 is NaN: a broken feature is not a broken padding.
                    assert!(!(rows + edges).double_value(&[]).gt(&0.0), "padded rows of x and a are zero");
                }
            }
        }
    }

    /// The same graphs with a plan for the levels to come.
    #[must_use]
    pub fn with_plan(mut self, plan: Vec<Planned>) -> Self {
        self.plan = plan;
        self
    }

    /// The same graphs with other features. The plan stays.
    #[must_use]
    pub fn with_x(&self, x: Tensor) -> Self {
        let plan = self.plan.iter().map(Planned::shallow_clone).collect();
        Self::new(x, self.adj.shallow_clone()).with_plan(plan)
    }

    /// The layout of both `x` and `adj`.
    pub fn layout(&self) -> Layout {
        self.adj.layout()
    }

    /// The kind and device of everything here.
    pub fn options(&self) -> (Kind, Device) {
        (self.x.kind(), self.x.device())
    }

    /// Number of graphs `B`.
    pub fn graphs(&self) -> i64 {
        match &self.adj {
            Adjacency::Sparse(s) => s.pattern.graphs().len() as i64,
            Adjacency::Dense(p) => p.a.size()[0],
        }
    }

    /// Number of features `F`.
    pub fn features(&self) -> i64 {
        *self.x.size().last().expect("x has at least two dimensions")
    }

    /// The nodes of each graph. On a dense level with a mask this reads the mask back to the host.
    pub fn segments(&self) -> Arc<Segments> {
        match &self.adj {
            Adjacency::Sparse(s) => Arc::clone(s.pattern.graphs()),
            Adjacency::Dense(p) => Arc::new(segments(p)),
        }
    }

    /// 1 for a node, 0 for padding, `[B, N]`; `None` on a sparse level or when every slot is a node.
    pub fn mask(&self) -> Option<&Tensor> {
        match &self.adj {
            Adjacency::Sparse(_) => None,
            Adjacency::Dense(p) => p.mask.as_ref(),
        }
    }

    /// Zero in the padded rows of `x`, which has the shape of this level's features but any width.
    pub fn mask_rows(&self, x: Tensor) -> Tensor {
        match self.mask() {
            Some(mask) => x * mask.unsqueeze(-1),
            None => x,
        }
    }

    /// The same level in the layout asked for; differentiable, and shallow when it is already so. The plan is for
    /// sparse levels and does not cross.
    #[must_use]
    pub fn to_layout(&self, layout: Layout) -> Self {
        match (&self.adj, layout) {
            (Adjacency::Sparse(s), Layout::Dense) => self.padded(i64::from(s.pattern.graphs().largest())),
            (Adjacency::Dense(p), Layout::Sparse) => {
                let edges = stack_edges(p);
                let x = stack_rows(&self.x, edges.pattern.graphs());
                Self::new(x, Adjacency::Sparse(edges))
            }
            _ => self.with_x(self.x.shallow_clone()),
        }
    }

    /// The dense form of a sparse level, every graph padded to `width` nodes.
    ///
    /// # Panics
    ///
    /// When the level is dense already, or a graph is larger.
    #[must_use]
    pub fn padded(&self, width: i64) -> Self {
        let Adjacency::Sparse(s) = &self.adj else { panic!("a dense level is padded already") };
        let graphs = s.pattern.graphs();
        assert!(i64::from(graphs.largest()) <= width, "{} nodes do not fit {width} slots", graphs.largest());
        Self::new(pad_rows(&self.x, graphs, width), Adjacency::Dense(pad_edges(s, width)))
    }
}

impl Planned {
    /// Shares the storage of everything.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        Self { s: self.s.shallow_clone(), adj: self.adj.as_ref().map(Adjacency::shallow_clone) }
    }
}

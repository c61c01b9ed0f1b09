//! Ego-networks: who is a member of whose, and the networks that become clusters of a coarser level.
//!
//! Length: the chosen networks are numbered by the pairs that they were chosen from.

use std::sync::Arc;

use coarsen_sparse::Csr;
use tch::{Device, Kind, Tensor};

use crate::adjacency::{Adjacency, Sparse};
use crate::assignment::{Assignment, Entries};
use crate::at_entries::{Ends, at_entries};
use crate::gathering::Members;
use crate::relation::Relation;
use crate::segment;
use crate::segments::Segments;
use crate::spmm::{Side, spmm};
use crate::view::integers;

/// Who is a member of whose ego-network: `j` of `i`'s where `j ≠ i` and a path of at most `λ` edges leads from `j` to `i`.
///
/// A number for each pair is `[pairs]`, member by member and of each member in the order of the egos.
///
/// # Examples
///
/// The two ends of a path of three nodes are two steps apart:
///
/// ```
/// use std::sync::Arc;
/// use coarsen_sparse::Csr;
/// use coarsen_tensor::{Memberships, Pattern, Segments, Sparse};
/// use tch::{Device, Kind};
///
/// let csr = Csr::new(3, 3, vec![0, 1, 3, 4], vec![1, 0, 2, 1])?;
/// let pattern = Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 3]))));
/// let adj = Sparse::new(pattern, None, (Kind::Float, Device::Cpu));
/// assert_eq!([1, 2].map(|hops| Memberships::of(&adj, hops).pairs()), [4, 6]);
/// # Ok::<(), coarsen_sparse::Error>(())
/// ```
#[derive(Debug)]
pub struct Memberships {
    /// Rows are members, columns egos.
    relation: Arc<Relation>,
    graphs: Arc<Segments>,
    options: (Kind, Device),
}

impl Memberships {
    /// The networks of `hops` steps around every node; loops do not count.
    ///
    /// # Complexity
    ///
    /// Of one step O(N), and O(E) the first time that a pattern is asked; of more, as [`Adjacency::hops`].
    pub fn of(adj: &Sparse, hops: u8) -> Self {
        let reach = if hops == 1 {
            Arc::clone(&adj.pattern.loopless().pattern)
        } else {
            let unit = Sparse::new(Arc::clone(&adj.pattern), None, adj.options);
            let Adjacency::Sparse(reach) = Adjacency::Sparse(unit).hops(hops) else {
                unreachable!("hops keep the layout")
            };
            reach.pattern
        };
        let relation = Arc::clone(&reach.relation().transposed().relation);
        Self { relation, graphs: Arc::clone(adj.pattern.graphs()), options: adj.options }
    }

    /// Every node of a graph as a member of each of the graph's `egos`, itself included: what is compared with all of them.
    ///
    /// # Shapes
    ///
    /// `egos`: Int64, ascending.
    ///
    /// # Complexity
    ///
    /// Time and memory O(N + pairs), of which there are nodes × egos in every graph; on the host.
    ///
    /// # Panics
    ///
    /// When `egos` do not ascend or one is out of range.
    pub(crate) fn of_all(graphs: &Arc<Segments>, egos: &Tensor, options: (Kind, Device)) -> Self {
        let egos = integers(egos);
        let (mut row_ptr, mut col) = (vec![0u32], Vec::new());
        for ends in graphs.ptr().windows(2) {
            let [first, end] = [ends[0], ends[1]].map(|node| egos.partition_point(|&i| i < i64::from(node)));
            for _ in ends[0]..ends[1] {
                col.extend(egos[first..end].iter().map(|&i| i as u32));
                row_ptr.push(col.len() as u32);
            }
        }
        let csr = Csr::new(graphs.rows(), graphs.rows(), row_ptr, col).expect("egos ascend and are nodes");
        let relation = Arc::new(Relation::new(csr));
        Self { relation, graphs: Arc::clone(graphs), options }
    }

    /// Rows are members, columns egos.
    pub(crate) fn relation(&self) -> &Arc<Relation> {
        &self.relation
    }

    /// How many pairs there are.
    pub fn pairs(&self) -> i64 {
        self.relation.entries()
    }

    /// The member and the ego of each pair, `[pairs]` Int64.
    pub fn ends(&self) -> [Tensor; 2] {
        [self.relation.row(self.options.1), self.relation.col(self.options.1)]
    }

    /// `u_j` of the member `j` of each pair.
    ///
    /// # Shapes
    ///
    /// `[N]` → `[pairs]`; differentiable.
    pub(crate) fn of_members(&self, u: &Tensor) -> Tensor {
        at_entries(&self.relation, Ends::Row, u)
    }

    /// `v_i` of the ego `i` of each pair.
    ///
    /// # Shapes
    ///
    /// `[N]` → `[pairs]`; differentiable.
    pub(crate) fn of_egos(&self, v: &Tensor) -> Tensor {
        at_entries(&self.relation, Ends::Col, v)
    }

    /// `⟨h_j, h_i⟩` of each pair.
    ///
    /// # Shapes
    ///
    /// `[N, F]` → `[pairs]`; differentiable.
    ///
    /// # Complexity
    ///
    /// Time O(pairs · F), memory O(pairs): no row of features is copied on a CPU.
    pub(crate) fn similarities(&self, h: &Tensor) -> Tensor {
        self.relation.products(h, h)
    }

    /// Softmax over the egos of each member.
    ///
    /// # Shapes
    ///
    /// `[pairs]`, kept; differentiable.
    pub(crate) fn softmax_over_egos(&self, score: &Tensor) -> Tensor {
        segment::softmax(score, &by_row(&self.relation))
    }

    /// Mean over the members of each ego; 0 where it has none.
    ///
    /// # Shapes
    ///
    /// `[pairs]` → `[N]`; differentiable.
    pub fn mean_over_members(&self, value: &Tensor) -> Tensor {
        let ones = Tensor::ones([self.relation.rows()], self.options);
        let sum = spmm(&self.relation, Side::Cols, Some(value), &ones);
        let ptr = self.relation.pattern().transpose().row_ptr();
        let share: Vec<f64> =
            ptr.windows(2).map(|ends| 1.0 / f64::from((ends[1] - ends[0]).max(1))).collect();
        sum * Tensor::from_slice(&share).to_kind(self.options.0).to_device(self.options.1)
    }

    /// The networks of some egos as overlapping clusters, and of every node in none of them a cluster of its own, in the order of
    /// the nodes that give them their names.
    ///
    /// # Shapes
    ///
    /// `egos: [N]`.
    ///
    /// # Complexity
    ///
    /// Time and memory O(N + pairs), on the host.
    ///
    /// # Panics
    ///
    /// When `egos` has another length.
    pub fn choose(&self, egos: &[bool]) -> Networks {
        let csr = self.relation.csr();
        let nodes = csr.rows();
        assert_eq!(egos.len(), nodes, "a choice for each node");
        let mut column = vec![None; nodes];
        let (mut named, mut rest) = (Vec::new(), Vec::new());
        for j in 0..nodes {
            let alone = !egos[j] && !csr.row(j).iter().any(|&i| egos[i as usize]);
            if egos[j] || alone {
                column[j] = Some(named.len() as u32);
                named.push(j as i64);
            }
            if alone {
                rest.push(j as i64);
            }
        }
        let own = self.pairs();
        let (mut row_ptr, mut col, mut from) = (vec![0u32], Vec::new(), Vec::new());
        for j in 0..nodes {
            let mut first = true;
            for e in csr.range(j) {
                let i = csr.col()[e] as usize;
                if first && i > j {
                    first = false;
                    push_own(column[j], own, &mut col, &mut from);
                }
                if egos[i] {
                    col.push(column[i].expect("an ego names a cluster"));
                    from.push(e as i64);
                }
            }
            if first {
                push_own(column[j], own, &mut col, &mut from);
            }
            row_ptr.push(col.len() as u32);
        }
        let before = |node: &u32| named.partition_point(|&n| n < i64::from(*node)) as u32;
        let clusters = Arc::new(Segments::new(self.graphs.ptr().iter().map(before).collect()));
        let s = Csr::new(nodes, named.len(), row_ptr, col).expect("columns ascend as the egos do");
        Networks::new(Arc::new(Relation::new(s)), &from, own, clusters, [named, rest], self.options.1)
    }
}

fn push_own(column: Option<u32>, own: i64, col: &mut Vec<u32>, from: &mut Vec<i64>) {
    if let Some(column) = column {
        col.push(column);
        from.push(own);
    }
}

/// The ego-networks that become clusters, and the nodes that remain; made by [`Memberships::choose`].
///
/// Beside `S` it looks at clusters from the other side: a number for each membership is `[entries]`, cluster by cluster.
#[derive(Debug)]
pub struct Networks {
    /// Nodes × clusters.
    relation: Arc<Relation>,
    /// For each entry its pair, or the number of pairs where a node is in the cluster that it names.
    from: Tensor,
    clusters: Arc<Segments>,
    pub(crate) members: Arc<Members>,
    named: Tensor,
    rest: Tensor,
}

impl Networks {
    fn new(
        relation: Arc<Relation>,
        from: &[i64],
        own: i64,
        clusters: Arc<Segments>,
        [named, rest]: [Vec<i64>; 2],
        device: Device,
    ) -> Self {
        let transposed = relation.transposed();
        let pair = |&e: &i64| Some(from[e as usize]).filter(|&pair| pair != own).map(|pair| pair as u32);
        let pair = transposed.entry.iter().map(pair).collect();
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        Self {
            from: tensor(from),
            clusters,
            named: tensor(&named),
            rest: tensor(&rest),
            members: Arc::new(Members { relation: Arc::clone(&transposed.relation), pair, named }),
            relation,
        }
    }

    /// The node that names each cluster, ascending: `[K]` Int64.
    pub fn named(&self) -> &Tensor {
        &self.named
    }

    /// The nodes in no network, which are clusters of their own, ascending: Int64.
    pub fn rest(&self) -> &Tensor {
        &self.rest
    }

    /// The nodes whose networks were chosen, ascending: Int64.
    pub fn egos(&self) -> Tensor {
        let chosen = Tensor::ones([self.relation.rows()], (Kind::Bool, self.named.device()));
        let among = chosen.index_fill(0, &self.rest, 0.0).index_select(0, &self.named);
        self.named.masked_select(&among)
    }

    /// How many memberships there are, the nodes that name a cluster counted.
    pub fn entries(&self) -> i64 {
        self.relation.entries()
    }

    /// The clusters of each graph.
    pub fn clusters(&self) -> &Arc<Segments> {
        &self.clusters
    }

    /// `S`: `value` of the pair where a node is a member, and 1 where it names the cluster.
    ///
    /// # Shapes
    ///
    /// `value: [pairs]`; differentiable.
    pub fn assignment(&self, value: &Tensor) -> Assignment {
        let weight = Some(with_one(value).index_select(0, &self.from));
        let (relation, clusters) = (Arc::clone(&self.relation), Arc::clone(&self.clusters));
        Assignment::Entries(Entries { relation, weight, clusters, kept: None })
    }

    /// The numbers of [`assignment`](Self::assignment), cluster by cluster: `[pairs]` → `[entries]`.
    pub(crate) fn by_cluster(&self, value: &Tensor) -> Tensor {
        let own = value.numel() as i64;
        let from: Vec<i64> = self.members.pair.iter().map(|pair| pair.map_or(own, i64::from)).collect();
        with_one(value).index_select(0, &Tensor::from_slice(&from).to_device(value.device()))
    }

    /// `u_j` of the member `j` of each membership: `[N]` → `[entries]`.
    pub(crate) fn of_members(&self, u: &Tensor) -> Tensor {
        at_entries(&self.members.relation, Ends::Col, u)
    }

    /// `v_i` of the node `i` that names the cluster of each membership: `[N]` → `[entries]`.
    pub(crate) fn of_named(&self, v: &Tensor) -> Tensor {
        at_entries(&self.members.relation, Ends::Row, &v.index_select(0, &self.named))
    }

    /// Softmax over the members of each cluster, the node that names it included.
    pub(crate) fn softmax_over_members(&self, score: &Tensor) -> Tensor {
        segment::softmax(score, &by_row(&self.members.relation))
    }

    /// The same numbers, 1 where a node names the cluster.
    pub(crate) fn with_own(&self, value: &Tensor) -> Tensor {
        let own: Vec<bool> = self.members.pair.iter().map(Option::is_none).collect();
        value.masked_fill(&Tensor::from_slice(&own).to_device(value.device()), 1.0)
    }

    /// `Σ_j w_j h_j` over the members of each cluster.
    ///
    /// # Shapes
    ///
    /// `weight: [entries]`, `h: [N, F]` → `[K, F]`; differentiable.
    ///
    /// # Complexity
    ///
    /// Time O(entries · F), memory O(K F): no row of features is copied on a CPU.
    pub fn gather(&self, weight: &Tensor, h: &Tensor) -> Tensor {
        spmm(&self.members.relation, Side::Rows, Some(weight), h)
    }
}

/// The entries of each row.
fn by_row(relation: &Relation) -> Arc<Segments> {
    Arc::new(Segments::new(relation.csr().row_ptr().to_vec()))
}

fn with_one(value: &Tensor) -> Tensor {
    Tensor::cat(&[value, &Tensor::ones([1], (value.kind(), value.device()))], 0)
}

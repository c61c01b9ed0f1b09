//! `well_formed` of a pooling operator.

use coarsen_nn::{Ctx, Dims};
use coarsen_pool::{Pool, Pooled, Scores};
use coarsen_tensor::{Adjacency, Assignment, Entries, Level};

use crate::compare::{finite, require};

/// What is wrong with a pooled level, its clusters and its losses.
pub(super) fn malformed(pool: &dyn Pool, g: &Level, dims: &Dims, ctx: Ctx) -> Result<(), String> {
    let (takes, gives) = pool.layouts(g.layout());
    let g = g.to_layout(takes);
    let pooled = pool.pool(&g, ctx);
    let layout = pooled.level.layout();
    require(layout == gives, || format!("a {layout:?} level where {gives:?} is announced"))?;
    let (graphs, had) = (pooled.level.graphs(), g.graphs());
    require(graphs == had, || format!("{graphs} graphs of {had}"))?;
    let (kind, had) = (pooled.level.options(), g.options());
    require(kind == had, || format!("{kind:?} in place of {had:?}"))?;

    announced(pool, dims, &g, &pooled)?;
    scored(pool, &g, &pooled)?;
    match &pooled.selection.s {
        Assignment::Entries(s) => clusters(s, &g, &pooled.level)?,
        Assignment::Rows { s, .. } | Assignment::Padded { s } => {
            finite("S", s)?;
            require(s.size()[..s.dim() - 1] == g.x.size()[..g.x.dim() - 1], || {
                format!("S of shape {:?}", s.size())
            })?;
        }
    }
    finite("x of the coarser level", &pooled.level.x)?;
    match &pooled.level.adj {
        Adjacency::Sparse(a) => finite("an edge weight", &a.weights())?,
        Adjacency::Dense(a) => finite("an edge weight", &a.a)?,
    }
    pooled.selection.losses.iter().try_for_each(|loss| {
        require(loss.value.numel() == 1, || format!("loss {} is no scalar", loss.name))?;
        require(loss.weight.is_finite(), || format!("loss {} weighs {}", loss.name, loss.weight))?;
        finite(&format!("loss {}", loss.name), &loss.value)
    })
}

/// The coarser level is as wide as [`Pool::coarsened`] says and no larger; no graph with nodes is lost.
fn announced(pool: &dyn Pool, dims: &Dims, g: &Level, pooled: &Pooled) -> Result<(), String> {
    let told = pool.coarsened(dims);
    let features = pooled.level.features();
    require(features == told.features, || {
        format!("{features} features where {} are announced", told.features)
    })?;
    let (before, after) = (g.segments(), pooled.level.segments());
    for (b, (k, n)) in after.sizes().zip(before.sizes()).enumerate() {
        require(k > 0 || n == 0, || format!("graph {b} of {n} nodes is lost"))?;
        let most = told.sizes.get(b).copied().unwrap_or(0);
        require(k <= most, || format!("graph {b} has {k} clusters where at most {most} are announced"))?;
    }
    let (width, z) = (pool.embeds(), pooled.selection.z.as_ref());
    let given = z.map(|z| z.size()[z.dim() - 1]);
    require(width == given, || format!("Z of width {given:?} where {width:?} is announced"))
}

/// The score has a number for what [`Pool::scores`] says.
fn scored(pool: &dyn Pool, g: &Level, pooled: &Pooled) -> Result<(), String> {
    let mut want = g.x.size();
    let last = want.pop();
    match pool.scores() {
        Scores::Nothing => want = vec![0],
        Scores::Nodes => {}
        Scores::Clusters(k) => want.extend(last.map(|_| k)),
    }
    let got = pooled.score.size();
    require(got == want, || format!("a score of shape {got:?} where {want:?} is announced"))?;
    finite("a score", &pooled.score)
}

/// Every cluster has members, and all are of its graph.
fn clusters(s: &Entries, g: &Level, coarser: &Level) -> Result<(), String> {
    if let Some(weight) = &s.weight {
        finite("a weight of S", weight)?;
    }
    let (nodes, of_clusters) = (g.segments(), coarser.segments());
    let shape = (s.relation.rows(), s.relation.cols());
    let want = (nodes.rows() as i64, of_clusters.rows() as i64);
    require(shape == want, || format!("S of shape {shape:?} in place of {want:?}"))?;
    let graph_of = |ptr: &[u32], i: usize| ptr.partition_point(|&first| first as usize <= i) - 1;
    let csr = s.relation.csr();
    let mut members = vec![0u32; csr.cols()];
    for i in 0..csr.rows() {
        for &c in &csr.col()[csr.row_ptr()[i] as usize..csr.row_ptr()[i + 1] as usize] {
            members[c as usize] += 1;
            let (own, other) = (graph_of(nodes.ptr(), i), graph_of(of_clusters.ptr(), c as usize));
            require(own == other, || format!("node {i} of graph {own} is in cluster {c} of graph {other}"))?;
        }
    }
    members.iter().position(|&n| n == 0).map_or(Ok(()), |c| Err(format!("cluster {c} has no member")))
}

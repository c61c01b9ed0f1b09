//! The rule for ties.

use coarsen_pool::{Pool, Scores};
use coarsen_tensor::{Adjacency, Assignment, Segments};
use tch::{Kind, Tensor};

use crate::compare::require;
use crate::draw::alike;
use crate::error::Broken;
use crate::laws::Laws;
use crate::subject::{Built, Make};

/// Of nodes of a graph with equal scores, to the bit, those with lower numbers stay: the rule of
/// [`Invariance::UpToTies`](coarsen_pool::Invariance::UpToTies).
///
/// It is tried on graphs whose nodes are all alike, and asked of operators that score nodes and make each that stays a cluster of its own.
/// An operator that ranks by another number than its score, such as `tanh` of it, may break it: vector code rounds the last numbers of a
/// batch differently from the others.
///
/// # Errors
///
/// [`Broken::Counterexample`] with the smallest batch found.
pub fn ties_go_by_index(make: &Make<dyn Pool>, laws: &Laws) -> Result<(), Broken> {
    laws.hold_over("ties_go_by_index", &alike(laws), |case| {
        let built = Built::new(make, &case.dims(), case.seed);
        let g = case.level();
        let g = g.to_layout(built.module.layouts(g.layout()).0);
        let pooled = built.module.pool(&g, case.ctx);
        match (built.module.scores(), &g.adj, kept(&pooled.selection.s)) {
            (Scores::Nodes, Adjacency::Sparse(a), Some(kept)) => {
                by_index(&kept, &numbers(&pooled.score), a.pattern.graphs())
            }
            _ => Ok(()),
        }
    })
}

fn numbers(score: &Tensor) -> Vec<f64> {
    Vec::try_from(score.detach().to_kind(Kind::Double).reshape(-1)).expect("real scores")
}

/// Which nodes stay, where each that does is a cluster of its own.
fn kept(s: &Assignment) -> Option<Vec<bool>> {
    let Assignment::Entries(e) = s else { return None };
    let csr = e.relation.csr();
    let mut clusters = csr.col().to_vec();
    clusters.sort_unstable();
    clusters.dedup();
    let alone = clusters.len() == csr.col().len();
    let of_node: Vec<u32> = csr.row_ptr().windows(2).map(|ends| ends[1] - ends[0]).collect();
    (alone && of_node.iter().all(|&entries| entries <= 1)).then(|| of_node.iter().map(|&n| n == 1).collect())
}

fn by_index(kept: &[bool], score: &[f64], graphs: &Segments) -> Result<(), String> {
    for ends in graphs.ptr().windows(2) {
        let nodes = ends[0] as usize..ends[1] as usize;
        for j in nodes.clone().filter(|&j| kept[j]) {
            let passed = (nodes.start..j).find(|&i| !kept[i] && score[i].to_bits() == score[j].to_bits());
            require(passed.is_none(), || {
                format!("node {j} stays and node {passed:?} does not, both with score {}", score[j])
            })?;
        }
    }
    Ok(())
}

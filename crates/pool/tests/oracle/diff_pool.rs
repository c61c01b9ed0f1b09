//! One DiffPool step on given logits against PyG's `dense_diff_pool`, its losses included.

use coarsen_fixture::Case;
use coarsen_pool::diffpool::soft_assignment;
use coarsen_pool::diffpool_loss::{Scale, pyg_entropy, pyg_link};
use coarsen_tensor::{Adjacency, Assignment};
use tch::Kind;

use crate::each;
use crate::record::{Objective, leaf, padded};

#[test]
fn agrees_with_pyg() {
    each("pool", "diff_pool_dense", &["clusters", "normalize"], &["x", "adj", "mask", "s"], check);
}

fn check(case: &Case, kind: Kind) {
    let [x, adj, logits] = ["x", "adj", "s"].map(|name| leaf(case, name, kind));
    let g = padded(case, &x, &adj);
    let s = soft_assignment(&g, &logits);
    let (Adjacency::Dense(coarse), Assignment::Padded { s: rows }) = (g.adj.coarsen(&s), &s) else {
        panic!("{case}: dense")
    };
    assert_eq!(Some(coarse.a.size()[1]), case.config["clusters"].as_i64(), "{case}");
    let scale = match case.config["normalize"].as_bool() {
        Some(true) => Scale::Entries,
        Some(false) => Scale::Plain,
        None => panic!("{case}: normalize is a flag"),
    };

    let mut objective = Objective::default();
    objective.output(case, "x", &s.reduce(&g.x));
    objective.output(case, "adj", &coarse.a);
    objective.output(case, "loss.link", &pyg_link(&adj, rows, scale));
    objective.output(case, "loss.entropy", &pyg_entropy(rows));
    objective.gradients(case, &[("x", &x), ("adj", &adj), ("s", &logits)]);
}

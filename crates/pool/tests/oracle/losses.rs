//! The auxiliary losses of DiffPool as the paper has them, on given logits.

use coarsen_fixture::Case;
use coarsen_pool::diffpool::soft_assignment;
use coarsen_pool::diffpool_loss::{entropy, link, official_link};
use coarsen_tensor::Assignment;
use tch::{Kind, Tensor};

use crate::each;
use crate::record::{Objective, leaf, padded};

#[test]
fn link_agrees() {
    each("loss", "diffpool_link_paper", &["clusters"], &["adj", "mask", "s"], |case, kind| {
        let [adj, logits] = ["adj", "s"].map(|name| leaf(case, name, kind));
        let g = padded(case, &no_features(&logits), &adj);
        let s = soft_assignment(&g, &logits);
        let mut objective = Objective::default();
        objective.output(case, "loss.link", &link(&g, &s, &g.adj.squares(&s)));
        objective.gradients(case, &[("adj", &adj), ("s", &logits)]);
    });
}

#[test]
fn the_releases_link_agrees() {
    each("loss", "diffpool_link_official", &["clusters"], &["adj", "mask", "s"], |case, kind| {
        let [adj, logits] = ["adj", "s"].map(|name| leaf(case, name, kind));
        let g = padded(case, &no_features(&logits), &adj);
        let Assignment::Padded { s } = soft_assignment(&g, &logits) else { panic!("{case}: padded") };
        let mut objective = Objective::default();
        objective.output(case, "loss.link", &official_link(&g, &s));
        objective.gradients(case, &[("adj", &adj), ("s", &logits)]);
    });
}

#[test]
fn entropy_agrees() {
    each("loss", "diffpool_entropy_paper", &["clusters"], &["mask", "s"], check_entropy);
}

fn check_entropy(case: &Case, kind: Kind) {
    let logits = leaf(case, "s", kind);
    let size = logits.size();
    let adj = Tensor::zeros([size[0], size[1], size[1]], (kind, logits.device()));
    let g = padded(case, &no_features(&logits), &adj);
    let mut objective = Objective::default();
    objective.output(case, "loss.entropy", &entropy(&g, &soft_assignment(&g, &logits)));
    objective.gradients(case, &[("s", &logits)]);
}

fn no_features(logits: &Tensor) -> Tensor {
    let size = logits.size();
    Tensor::zeros([size[0], size[1], 1], (logits.kind(), logits.device()))
}

//! AdamGNN's losses: `L_KL` of the paper in our reading, that of the released code, and its reconstruction of edges.

use std::sync::Arc;

use coarsen_fixture::Case;
use coarsen_pool::ego_loss::{dec_kl, gaussian_kl, reconstruction};
use coarsen_tensor::Segments;
use tch::Tensor;

use crate::each;
use crate::record::{Objective, edgeless, leaf};

#[test]
fn the_papers_divergence_agrees() {
    each("loss", "dec_kl", &["mu"], &["x", "ego", "ptr", "batch"], |case, kind| {
        let x = leaf(case, "x", kind);
        let egos: Vec<i64> = case.int("ego").iter().copied().collect();
        let mu = case.config["mu"].as_f64().expect("a number");
        let graphs = edgeless(case, &x).segments();
        let mut objective = Objective::default();
        objective.output(case, "loss.kl", &dec_kl(&x, &Tensor::from_slice(&egos), &graphs, mu));
        objective.gradients(case, &[("x", &x)]);
    });
}

#[test]
fn the_releases_divergence_agrees() {
    each("loss", "vae_kl", &[], &["mu", "logvar"], |case, kind| {
        let [mean, log_variance] = ["mu", "logvar"].map(|name| leaf(case, name, kind));
        let graphs = Arc::new(Segments::new(vec![0, mean.size()[0] as u32]));
        let mut objective = Objective::default();
        objective.output(case, "loss.kl", &gaussian_kl(&mean, &log_variance, &graphs));
        objective.gradients(case, &[("mu", &mean), ("logvar", &log_variance)]);
    });
}

#[test]
fn the_reconstruction_agrees() {
    each("loss", "reconstruction", &[], &["x", "edge_index", "negative_index"], |case, kind| {
        let x = leaf(case, "x", kind);
        let of = |name: &str| products(case, name, &x);
        let mut objective = Objective::default();
        objective.output(case, "loss.recon", &reconstruction(&of("edge_index"), &of("negative_index")));
        objective.gradients(case, &[("x", &x)]);
    });
}

/// `⟨x_i, x_j⟩` of recorded pairs.
fn products(case: &Case, name: &str, x: &Tensor) -> Tensor {
    let index: Vec<i64> = case.int(name).iter().copied().collect();
    let (from, to) = index.split_at(index.len() / 2);
    let row = |index: &[i64]| x.index_select(0, &Tensor::from_slice(index));
    (row(from) * row(to)).sum_dim_intlist([1i64].as_slice(), false, x.kind())
}

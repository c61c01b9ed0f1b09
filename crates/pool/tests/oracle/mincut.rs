//! One `MinCutPool` step on given logits against PyG's `dense_mincut_pool`, and its losses against their formula.

use coarsen_fixture::Case;
use coarsen_pool::diffpool::soft_assignment;
use coarsen_pool::mincut_loss::{cut, orthogonality};
use coarsen_tensor::Layout;
use coarsen_tensor::clusters::between_clusters;
use tch::{Kind, Tensor};

use crate::each;
use crate::record::{Objective, leaf, padded};

#[test]
fn agrees_with_pyg() {
    let config = ["clusters", "temp", "edgeless_graph"];
    each("pool", "mincut_dense", &config, &["x", "adj", "mask", "s"], pooling);
}

fn pooling(case: &Case, kind: Kind) {
    let [x, adj, logits] = ["x", "adj", "s"].map(|name| leaf(case, name, kind));
    let g = padded(case, &x, &adj);
    let temperature = case.config["temp"].as_f64().expect("a temperature");
    let s = soft_assignment(&g, &(&logits / temperature));
    let squares = g.adj.squares(&s);
    assert_eq!(Some(squares.between.size()[1]), case.config["clusters"].as_i64(), "{case}");

    let mut objective = Objective::default();
    objective.output(case, "x", &s.reduce(&g.x));
    objective.output(case, "adj", &between_clusters(&squares.between));
    if case.config["edgeless_graph"] == false {
        objective.output(case, "loss.cut", &cut(&squares));
    }
    objective.output(case, "loss.ortho", &orthogonality(&squares));
    objective.gradients(case, &[("x", &x), ("adj", &adj), ("s", &logits)]);
}

#[test]
fn losses_agree_in_both_layouts() {
    each("loss", "mincut_loss", &["clusters"], &["adj", "mask", "s"], |case, kind| {
        for layout in [Layout::Dense, Layout::Sparse] {
            losses(case, kind, layout);
        }
    });
}

fn losses(case: &Case, kind: Kind, layout: Layout) {
    let [adj, logits] = ["adj", "s"].map(|name| leaf(case, name, kind));
    let size = logits.size();
    let dense = padded(case, &Tensor::zeros([size[0], size[1], 1], (kind, logits.device())), &adj);
    let given = dense.with_x(dense.mask_rows(logits.shallow_clone())).to_layout(layout);
    let s = soft_assignment(&given, &given.x);
    let squares = given.adj.squares(&s);
    let mut objective = Objective::default();
    objective.output(case, "loss.cut", &cut(&squares));
    objective.output(case, "loss.ortho", &orthogonality(&squares));
    match layout {
        Layout::Dense => objective.gradients(case, &[("adj", &adj), ("s", &logits)]),
        // An absent edge has no gradient in a sparse level.
        Layout::Sparse => objective.gradients(case, &[("s", &logits)]),
    }
}

//! One `StructPool` step on given unary logits against the authors' release, guarded where that divides by 0.

use coarsen_fixture::Case;
use coarsen_pool::diffpool::soft_assignment;
use coarsen_pool::structpool::mean_field;
use coarsen_tensor::{Adjacency, Layout};
use tch::Kind;

use crate::each;
use crate::record::{Objective, leaf, padded};

#[test]
fn agrees_with_the_release_in_both_layouts() {
    // Every case is guarded here; `guard` says which of them need it.
    let config = ["in", "clusters", "iterations", "guard"];
    each("pool", "struct_pool", &config, &["x", "adj", "u"], |case, kind| {
        for layout in [Layout::Dense, Layout::Sparse] {
            check(case, kind, layout);
        }
    });
}

fn check(case: &Case, kind: Kind, layout: Layout) {
    let [x, adj, unary] = ["x", "adj", "u"].map(|name| leaf(case, name, kind));
    let dense = padded(case, &x, &adj);
    let g = dense.to_layout(layout);
    let u = dense.with_x(unary.shallow_clone()).to_layout(layout).x;
    let iterations = case.config["iterations"].as_u64().expect("a number") as u32;
    let s = soft_assignment(&g, &mean_field(&g, &u, iterations));
    let Adjacency::Dense(coarse) = g.adj.coarsen(&s) else { panic!("{case}: dense") };
    let mut objective = Objective::default();
    objective.output(case, "x", &s.reduce(&g.x));
    objective.output(case, "adj", &coarse.a);
    if !case.names().any(|name| name.starts_with("grad.")) {
        return; // Not recorded where weights cancel.
    }
    match layout {
        Layout::Dense => objective.gradients(case, &[("x", &x), ("adj", &adj), ("u", &unary)]),
        // An absent edge has no gradient in a sparse level.
        Layout::Sparse => objective.gradients(case, &[("x", &x), ("u", &unary)]),
    }
}

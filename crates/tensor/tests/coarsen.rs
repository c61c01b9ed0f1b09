//! Reduce, Connect and Lift: sparse, ragged and padded forms agree, with gradients.

mod common;

use std::sync::Arc;

use coarsen_tensor::{Adjacency, Assignment, Layout, Level, Segments};
use common::{DOUBLE, agree, close, differentiable, level, noise};
use tch::{Kind, Tensor};

/// The edges of a level as one square over all stacked nodes.
fn square(adj: &Adjacency) -> Tensor {
    match adj {
        Adjacency::Sparse(s) => {
            let n = s.pattern.nodes();
            let flat = s.pattern.row(DOUBLE.1) * n + s.pattern.col(DOUBLE.1);
            Tensor::zeros([n * n], DOUBLE).index_copy(0, &flat, &s.weights()).view([n, n])
        }
        Adjacency::Dense(p) => p.a.shallow_clone(),
    }
}

/// An `S` in which clusters overlap, a node is dropped, and entries come in no order.
fn overlapping(weight: Option<&Tensor>, g: &Level) -> Assignment {
    let entries = [(3, 1), (0, 0), (1, 1), (0, 1), (4, 2), (6, 3), (7, 4), (5, 3), (6, 4)];
    Assignment::entries(&entries, weight, Arc::new(Segments::new(vec![0, 2, 3, 3, 5])), g)
}

/// The same `S` as a dense matrix.
fn overlapping_dense(weight: &Tensor) -> Tensor {
    let entries = [(3, 1), (0, 0), (1, 1), (0, 1), (4, 2), (6, 3), (7, 4), (5, 3), (6, 4)];
    let flat: Vec<i64> = entries.iter().map(|(i, k)| i * 5 + k).collect();
    Tensor::zeros([40], DOUBLE).index_copy(0, &Tensor::from_slice(&flat), weight).view([8, 5])
}

#[test]
fn entries_are_a_sparse_matrix() {
    let (x, z, w, s) = (noise(&[8, 3], 1), noise(&[5, 3], 2), noise(&[10], 3), noise(&[9], 4));
    agree(&[&x, &s], &|t| overlapping(Some(&t[1]), &level(&x, None)).reduce(&t[0]), &|t| {
        overlapping_dense(&t[1]).tr().matmul(&t[0])
    });
    agree(&[&z, &s], &|t| overlapping(Some(&t[1]), &level(&x, None)).lift(&t[0]), &|t| {
        overlapping_dense(&t[1]).matmul(&t[0])
    });
    agree(
        &[&w, &s],
        &|t| {
            let g = level(&x, Some(&t[0]));
            square(&g.adj.coarsen(&overlapping(Some(&t[1]), &g)))
        },
        &|t| {
            let (a, s) = (square(&level(&x, Some(&t[0])).adj), overlapping_dense(&t[1]));
            s.tr().matmul(&a).matmul(&s)
        },
    );
}

#[test]
fn coarsening_is_differentiable() {
    let (x, w, s) = (noise(&[8, 1], 1), noise(&[10], 3), noise(&[9], 4));
    differentiable(&[&w, &s], &|t| {
        let g = level(&x, Some(&t[0]));
        square(&g.adj.coarsen(&overlapping(Some(&t[1]), &g)))
    });
    let rows = noise(&[8, 3], 5);
    differentiable(&[&w, &rows], &|t| {
        let g = level(&x, Some(&t[0]));
        square(&g.adj.coarsen(&Assignment::soft(t[1].shallow_clone(), &g)))
    });
}

/// The same soft assignment over both layouts.
#[test]
fn rows_equal_padded_rows() {
    let (x, w, s, z) = (noise(&[8, 2], 1), noise(&[10], 2), noise(&[8, 3], 3), noise(&[4, 3, 2], 4));
    let both = |f: &dyn Fn(&Level, &Assignment) -> Tensor| {
        let ragged = |t: &[Tensor]| {
            let g = level(&t[0], Some(&t[1]));
            f(&g, &Assignment::soft(t[2].shallow_clone(), &g))
        };
        let padded = |t: &[Tensor]| {
            let g = level(&t[0], Some(&t[1]));
            let s = g.with_x(t[2].shallow_clone()).to_layout(Layout::Dense).x;
            let g = g.to_layout(Layout::Dense);
            let s = Assignment::soft(s, &g);
            f(&g, &s)
        };
        agree(&[&x, &w, &s], &ragged, &padded);
    };
    both(&|g, s| s.reduce(&g.x) + 0.0 * square(&g.adj.coarsen(s)).sum(Kind::Double));
    both(&|g, s| square(&g.adj.coarsen(s)) + 0.0 * g.x.sum(Kind::Double));
    // Lifting gives one row a node, so the padded form is stacked again.
    let g = level(&x, None);
    let lifted = Assignment::soft(s.shallow_clone(), &g).lift(&z);
    let dense = g.to_layout(Layout::Dense);
    let padded = g.with_x(s.shallow_clone()).to_layout(Layout::Dense).x;
    let there = dense.with_x(Assignment::soft(padded, &dense).lift(&z));
    let ends = [(0, 4), (1, 1), (3, 3)].map(|(b, n)| there.x.get(b).narrow(0, 0, n));
    close(&lifted, &Tensor::cat(&ends, 0));
}

#[test]
fn kept_nodes_are_selected_in_the_order_given() {
    let (x, w) = (noise(&[8, 3], 1), noise(&[10], 2));
    let g = level(&x, Some(&w));
    let (node, gate) = (Tensor::from_slice(&[3i64, 0, 4, 7, 6]), noise(&[5], 3));
    let s = Assignment::kept(&node, Some(&gate), &g);
    close(&s.reduce(&x), &(x.index_select(0, &node) * gate.unsqueeze(1)));
    let a = square(&g.adj).index_select(0, &node).index_select(1, &node);
    close(&square(&g.adj.coarsen(&s.unweighted())), &a);
    let Assignment::Entries(e) = &s else { panic!("kept nodes are entries") };
    assert_eq!(e.clusters.ptr(), [0, 2, 3, 3, 5]);
    let lifted = s.unweighted().lift(&x.index_select(0, &node));
    close(&lifted.get(1), &Tensor::zeros([3], DOUBLE)); // a dropped node gets zeros
    close(&lifted.get(7), &x.get(7));
}

#[test]
fn the_maximum_of_a_cluster_is_over_its_members() {
    let x = noise(&[8, 2], 1);
    let g = level(&x, None);
    let s = Assignment::clusters(&[0, 1, 1, 0, 2, 3, 4, 3], &g);
    let pick = |rows: &[i64]| x.index_select(0, &Tensor::from_slice(rows)).amax([0i64].as_slice(), true);
    let want: Vec<Tensor> = [&[0, 3][..], &[1, 2], &[4], &[5, 7], &[6]].map(pick).into();
    close(&s.reduce_max(&x), &Tensor::cat(&want, 0));
}

#[test]
fn hops_are_paths_up_to_their_length() {
    let x = noise(&[8, 1], 1);
    let g = level(&x, None);
    for lambda in 1..4 {
        let a = (square(&g.adj).ne(0.0).to_kind(Kind::Double) + Tensor::eye(8, DOUBLE)).clamp_max(1.0);
        let reach = (1..lambda).fold(a.shallow_clone(), |r, _| r.matmul(&a)).gt(0.0).to_kind(Kind::Double);
        let want = reach * (1.0 - Tensor::eye(8, DOUBLE));
        close(&square(&g.adj.hops(lambda)), &want);
        let dense = g.to_layout(Layout::Dense);
        let back = Level::new(dense.x.shallow_clone(), dense.adj.hops(lambda)).to_layout(Layout::Sparse);
        close(&square(&back.adj), &want);
    }
}

/// Both against the dense square of the stacked nodes.
#[test]
fn two_steps_join_clusters() {
    let (x, w) = (noise(&[8, 1], 1), noise(&[10], 3).abs() + 0.1);
    let kept = Tensor::from_slice(&[2i64, 0, 4, 7, 5]);
    let walked = |t: &[Tensor]| {
        let g = level(&x, Some(&t[0]));
        let Assignment::Entries(s) = Assignment::kept(&kept, None, &g) else { panic!("entries") };
        let Adjacency::Sparse(a) = &g.adj else { panic!("sparse") };
        square(&Adjacency::Sparse(a.walks(&s)))
    };
    let squared = |t: &[Tensor]| {
        let eye = Tensor::eye(8, DOUBLE);
        let one: Tensor = square(&level(&x, Some(&t[0])).adj) * (1.0 - &eye) + &eye;
        let walks: Tensor = one.matmul(&one) * (1.0 - eye);
        walks.index_select(0, &kept).index_select(1, &kept)
    };
    agree(&[&w], &walked, &squared);
    differentiable(&[&w], &walked);

    let g = level(&x, None);
    let Assignment::Entries(s) = Assignment::kept(&kept, None, &g) else { panic!("entries") };
    let Adjacency::Sparse(a) = &g.adj else { panic!("sparse") };
    let near = square(&Adjacency::Sparse(a.within_two(&s)));
    let ones = Tensor::ones([10], DOUBLE);
    close(&near, &(squared(&[ones]) + Tensor::eye(5, DOUBLE)).ne(0.0).to_kind(Kind::Double));
}

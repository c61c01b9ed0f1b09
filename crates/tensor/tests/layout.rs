//! The two layouts hold the same graphs, and every operation on an adjacency agrees in both.

mod common;

use coarsen_tensor::{Adjacency, Layout, Level, Loops, Norm};
use common::{DOUBLE, agree, close, differentiable, level, noise};
use tch::{Kind, Tensor};

/// The squares of a level.
fn dense(g: &Level) -> Tensor {
    match g.to_layout(Layout::Dense).adj {
        Adjacency::Dense(p) => p.a,
        Adjacency::Sparse(_) => panic!("asked for the dense layout"),
    }
}

/// The squares of other edges over the nodes of `g`.
fn dense_of(g: &Level, adj: Adjacency) -> Tensor {
    dense(&Level::new(g.x.shallow_clone(), adj))
}

#[test]
fn there_and_back_is_where_we_were() {
    let (x, w) = (noise(&[8, 3], 1), noise(&[10], 2));
    let there = level(&x, Some(&w)).to_layout(Layout::Dense);
    assert_eq!(there.x.size(), [4, 4, 3]);
    let back = there.to_layout(Layout::Sparse);
    close(&back.x, &x);
    assert_eq!(back.segments().ptr(), [0, 4, 5, 5, 8]);
    let Adjacency::Sparse(s) = &back.adj else { panic!("asked for the sparse layout") };
    close(&s.weights(), &w);
    assert_eq!(s.pattern.csr(), common::pattern().csr());
}

#[test]
fn conversion_is_differentiable() {
    let (x, w) = (noise(&[8, 3], 1), noise(&[10], 2));
    differentiable(&[&x, &w], &|t| {
        let g = level(&t[0], Some(&t[1])).to_layout(Layout::Dense);
        g.x.sum(Kind::Double) * dense(&g)
    });
    let (x, a) = (noise(&[2, 3, 2], 1), noise(&[2, 3, 3], 2));
    differentiable(&[&x, &a], &|t| {
        let adj = Adjacency::Dense(coarsen_tensor::Padded::new(t[1].shallow_clone(), None));
        let g = Level::new(t[0].shallow_clone(), adj).to_layout(Layout::Sparse);
        g.adj.matmul(&g.x)
    });
}

/// Every way to change the diagonal and to normalise, times a vector: both layouts, values and gradients.
#[test]
fn adjacencies_agree_in_both_layouts() {
    let loops = [
        Loops::Keep,
        Loops::Fill(1.0),
        Loops::Fill(2.0),
        Loops::Add(1.0),
        Loops::Overwrite(1.0),
        Loops::Remove,
    ];
    let norms = [
        Norm::None,
        Norm::Symmetric { floor: 0.0 },
        Norm::Symmetric { floor: 1.0 },
        Norm::Row { floor: 0.0 },
        Norm::Row { floor: 1.0 },
        Norm::Column { floor: 0.0 },
        Norm::Column { floor: 1.0 },
    ];
    // Positive weights whose row sums stay away from the kink of a floor at 1.
    let (x, w) = (noise(&[8, 2], 1), noise(&[10], 2).abs() * 0.3 + 0.05);
    for l in loops {
        for n in norms {
            let sparse = |t: &[Tensor]| {
                let g = level(&t[0], Some(&t[1]));
                g.with_x(g.adj.with_self_loops(l).normalized(n).matmul(&g.x)).to_layout(Layout::Dense).x
            };
            let padded = |t: &[Tensor]| {
                let g = level(&t[0], Some(&t[1])).to_layout(Layout::Dense);
                g.adj.with_self_loops(l).normalized(n).matmul(&g.x)
            };
            agree(&[&x, &w], &sparse, &padded);
            differentiable(&[&x, &w], &sparse);
        }
    }
}

/// Without weights every edge weighs 1, whatever is done to the diagonal.
#[test]
fn no_weights_are_unit_weights() {
    let x = noise(&[8, 2], 1);
    let ones = Tensor::ones([10], DOUBLE);
    for l in [
        Loops::Keep,
        Loops::Fill(1.0),
        Loops::Fill(2.0),
        Loops::Add(0.5),
        Loops::Overwrite(3.0),
        Loops::Remove,
    ] {
        let with = |w: Option<&Tensor>| {
            let g = level(&x, w);
            dense_of(&g, g.adj.with_self_loops(l))
        };
        close(&with(None), &with(Some(&ones)));
    }
}

#[test]
fn degrees_are_row_sums() {
    let (x, w) = (noise(&[8, 2], 1), noise(&[10], 2));
    let g = level(&x, Some(&w));
    let rows = dense(&g).sum_dim_intlist([2i64].as_slice(), false, Kind::Double);
    close(&g.to_layout(Layout::Dense).adj.degree(), &rows);
    close(&g.to_layout(Layout::Dense).adj.matmul(&rows.ones_like()), &rows);
    let padded = g.with_x(g.adj.degree().unsqueeze(1)).to_layout(Layout::Dense).x.squeeze_dim(2);
    close(&padded, &rows);
}

/// Added loops carry no attributes, removed ones take theirs along.
#[test]
fn attributes_follow_their_edges() {
    let x = noise(&[8, 1], 1);
    let Adjacency::Sparse(s) = level(&x, None).adj else { panic!("a sparse level") };
    let s = Adjacency::Sparse(s.with_attr(Some(noise(&[10, 2], 3))));
    let attr = |adj: &Adjacency| match adj {
        Adjacency::Sparse(s) => s.attr.as_ref().unwrap().shallow_clone(),
        Adjacency::Dense(_) => panic!("a sparse level"),
    };
    let filled = s.with_self_loops(Loops::Fill(1.0));
    assert_eq!(attr(&filled).size(), [17, 2]);
    close(&attr(&filled.with_self_loops(Loops::Remove)), &attr(&s.with_self_loops(Loops::Remove)));
}

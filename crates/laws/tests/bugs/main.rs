//! Faults that somebody shipped: each is an operator as it was, which a named law catches on at most six nodes, beside the same operator mended.
//!
//! The sources are issue trackers, releases and papers; the operators here are written anew, as small as the fault allows.

mod conv;
mod loss;
mod pool;
mod readout;

use coarsen_laws::{Broken, Laws, Make, Subject};
use coarsen_tensor::Level;
use tch::{Kind, Tensor};

/// Nodes of the largest counter-example that counts as small.
const MOST_NODES: usize = 6;

fn laws() -> Laws {
    Laws { cases: 256, ..Laws::default() }
}

type Holds<M> = fn(&Make<M>, &Laws) -> Result<(), Broken>;

/// The law catches what was shipped and lets pass what was mended.
#[track_caller]
fn bites<M: Subject + ?Sized>(law: &str, holds: Holds<M>, shipped: &Make<M>, mended: &Make<M>) {
    let found = match holds(shipped, &laws()) {
        Err(Broken::Counterexample(found)) => found,
        other => panic!("{law} does not catch it: {other:?}"),
    };
    assert_eq!(found.law, law, "{found}");
    assert!(found.nodes() <= MOST_NODES, "{} nodes: {found}", found.nodes());
    if let Err(broken) = holds(mended, &laws()) {
        panic!("mended, it is caught: {broken}");
    }
}

/// The sum over the nodes of each graph, `[B, ·]`; padding counts as the numbers that stand there.
fn total(g: &Level, x: &Tensor) -> Tensor {
    match &g.adj {
        coarsen_tensor::Adjacency::Sparse(a) => coarsen_tensor::segment::sum(x, a.pattern.graphs()),
        coarsen_tensor::Adjacency::Dense(_) => x.sum_dim_intlist([1i64].as_slice(), false, Kind::Double),
    }
}

/// The number of nodes of each graph, 1 of none: `[B, 1]`.
fn counts(g: &Level) -> Tensor {
    let sizes: Vec<f64> = g.segments().sizes().map(|n| f64::from(n.max(1))).collect();
    Tensor::from_slice(&sizes).unsqueeze(-1)
}

/// Slots of a dense level, or nodes of a sparse batch; 1 of none.
fn rows(x: &Tensor) -> f64 {
    x.size()[x.dim() - 2].max(1) as f64
}

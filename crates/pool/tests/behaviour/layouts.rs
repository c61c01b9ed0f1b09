//! Dense operators over a sparse level give what they give over the same level padded: values and gradients.

use coarsen_nn::{Ctx, Stream};
use coarsen_pool::diffpool::soft_assignment;
use coarsen_pool::diffpool_loss::{entropy, link};
use coarsen_tensor::{Adjacency, Layout, Level, Sparse};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::batch::{EDGE, HOUSE, NOTHING, POINT, SQUARE, STAR, batch, close, operator};

/// Features, logits and edge weights, each a leaf.
struct Leaves {
    x: Tensor,
    logits: Tensor,
    weight: Tensor,
}

/// The batch with weighted edges, made of fresh leaves.
fn weighted(kind: Kind, clusters: i64) -> (Level, Leaves) {
    let g = batch(&[HOUSE, POINT, NOTHING, STAR, EDGE, SQUARE], kind);
    let Adjacency::Sparse(a) = &g.adj else { unreachable!("batches are sparse") };
    let draw = |name, shape: &[i64]| Stream::named(5, name).uniform(shape, 0.2, 1.7, (kind, Device::Cpu));
    let leaves = Leaves {
        x: g.x.set_requires_grad(true),
        logits: draw("logits", &[g.x.size()[0], clusters]).set_requires_grad(true),
        weight: draw("weight", &[a.pattern.edges()]).set_requires_grad(true),
    };
    let adj = Sparse::new(a.pattern.clone(), Some(leaves.weight.shallow_clone()), (kind, Device::Cpu));
    (Level::new(leaves.x.shallow_clone(), Adjacency::Sparse(adj)), leaves)
}

/// `X'`, `A'`, both losses, and the gradients of all leaves for fixed probes.
fn step(kind: Kind, layout: Layout) -> (Vec<Tensor>, Vec<Tensor>) {
    let (g, leaves) = weighted(kind, 3);
    let logits = g.with_x(leaves.logits.shallow_clone()).to_layout(layout).x;
    let g = g.to_layout(layout);
    let s = soft_assignment(&g, &logits);
    let squares = g.adj.squares(&s);
    let [link, entropy] = [link(&g, &s, &squares), entropy(&g, &s)];
    let values = [s.reduce(&g.x), squares.between, link, entropy];

    let probe = |t: &Tensor| Stream::new(9).normal(&t.size(), 0.0, 1.0, (kind, Device::Cpu));
    let parts: Vec<Tensor> = values.iter().map(|t| (t * probe(t)).sum(None)).collect();
    Tensor::stack(&parts, 0).sum(None).backward();
    let gradients = vec![leaves.x.grad(), leaves.logits.grad(), leaves.weight.grad()];
    (values.iter().map(Tensor::detach).collect(), gradients)
}

#[test]
fn ragged_and_padded_steps_agree() {
    for (kind, tolerance) in [(Kind::Double, 1e-9), (Kind::Float, 1e-3)] {
        let (ragged, padded) = (step(kind, Layout::Sparse), step(kind, Layout::Dense));
        for (name, (a, b)) in ["x", "adj", "link", "entropy"].iter().zip(ragged.0.iter().zip(&padded.0)) {
            close(name, a, b, tolerance);
        }
        for (name, (a, b)) in ["x", "logits", "weight"].iter().zip(ragged.1.iter().zip(&padded.1)) {
            close(&format!("gradient of {name}"), a, b, tolerance);
        }
    }
}

#[test]
fn a_perfect_assignment_has_a_loss_and_a_gradient_near_zero() {
    // One node in one cluster: A = 0 and S Sᵀ = 1, so the norm is 1; with no node at all it is 0.
    let point = batch(&[POINT], Kind::Double);
    let logits = Tensor::from_slice2(&[[800f64, 0.]]).set_requires_grad(true);
    let s = soft_assignment(&point, &logits);
    let total = link(&point, &s, &point.adj.squares(&s)) + entropy(&point, &s);
    close("one node", &total, &Tensor::from(1f64), 1e-9);
    total.backward();
    assert!(logits.grad().isfinite().all().int64_value(&[]) == 1);

    let nothing = batch(&[NOTHING], Kind::Double);
    let s = soft_assignment(&nothing, &Tensor::zeros([0, 2], (Kind::Double, Device::Cpu)));
    let total = link(&nothing, &s, &nothing.adj.squares(&s)) + entropy(&nothing, &s);
    close("no node", &total, &Tensor::from(0f64), 1e-5);
}

#[test]
fn the_whole_operator_agrees_in_both_layouts() {
    for config in [
        json!({"kind": "diffpool", "ratio": 0.5, "hidden": 4}),
        json!({"kind": "gmn", "heads": 2, "width": 4, "clusters": 3}),
        json!({"kind": "mem-pool", "heads": 1, "width": 4, "clusters": 3}),
        json!({"kind": "mincut", "mlp": [4]}),
        json!({"kind": "struct-pool", "hidden": 4}),
        json!({"kind": "mincut", "edges": "symmetric", "temperature": 0.5}),
    ] {
        agrees(&config);
    }
}

fn agrees(config: &Value) {
    let g = batch(&[HOUSE, POINT, STAR, EDGE], Kind::Double);
    for ctx in [Ctx::train(1), Ctx::eval()] {
        let run = |layout| {
            let (store, pool) = operator(config, Kind::Double);
            let pooled = pool.pool(&g.to_layout(layout), ctx);
            assert_eq!(pooled.level.layout(), Layout::Dense);
            let losses = pooled.selection.losses.iter().map(|loss| loss.value.shallow_clone());
            let Adjacency::Dense(edges) = &pooled.level.adj else { panic!("dense") };
            let level = [pooled.level.x.shallow_clone(), edges.a.shallow_clone()];
            let values: Vec<Tensor> = losses.chain(level).collect();
            let parts: Vec<Tensor> = values.iter().map(|value| value.square().sum(None)).collect();
            Tensor::stack(&parts, 0).sum(None).backward();
            let mut named: Vec<(String, Tensor)> = store.variables().into_iter().collect();
            named.sort_by(|a, b| a.0.cmp(&b.0));
            let trained = named.into_iter().filter(|(_, t)| t.requires_grad());
            values
                .into_iter()
                .map(|v| ("value".to_owned(), v))
                .chain(trained.map(|(n, t)| (n, t.grad())))
                .collect()
        };
        let (ragged, padded): (Vec<_>, Vec<_>) = (run(Layout::Sparse), run(Layout::Dense));
        for ((name, a), (_, b)) in ragged.iter().zip(&padded) {
            close(&format!("{config}: {name}"), a, b, 1e-9);
        }
    }
}

#[test]
fn the_losses_of_pyg_depend_on_the_batch_and_the_papers_do_not() {
    let link_of = |kind: &str, graphs: &[_]| {
        let (_store, pool) = operator(&json!({"kind": kind, "hidden": 4, "norm": "none"}), Kind::Double);
        let pooled = pool.pool(&batch(graphs, Kind::Double), Ctx::eval());
        pooled.selection.losses[0].value.double_value(&[])
    };
    let difference = |kind: &str| {
        let alone = f64::midpoint(link_of(kind, &[HOUSE]), link_of(kind, &[EDGE]));
        (link_of(kind, &[HOUSE, EDGE]) - alone).abs()
    };
    assert!(difference("diffpool") < 1e-9);
    assert!(difference("diffpool-pyg") > 1e-3);
}

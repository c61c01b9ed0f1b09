//! The random control around the operators.

use std::collections::BTreeMap;

use coarsen_nn::Ctx;
use coarsen_tensor::{Assignment, Layout};
use serde_json::json;
use tch::{Kind, Tensor};

use crate::batch::{HOUSE, POINT, SQUARE, batch, close, operator};

const CONTROLS: [&str; 4] = ["normal", "uniform", "bernoulli", "invariant"];

#[test]
fn a_control_starts_where_its_learned_twin_starts() {
    for kind in ["diffpool", "diffpool-pyg", "sagpool", "top-k"] {
        let (learned, _) = operator(&json!({"kind": kind}), Kind::Float);
        for control in CONTROLS {
            let (store, _pool) = operator(&json!({"kind": kind, "control": control}), Kind::Float);
            let mut variables: BTreeMap<String, Tensor> = store.variables().into_iter().collect();
            let random = variables.remove("control.random").expect("the random matrix is stored");
            assert!(!random.requires_grad(), "{kind}, {control}: never trained");
            assert_eq!(variables.len(), learned.variables().len());
            for (name, value) in learned.variables() {
                assert!(value.equal(&variables[&name]), "{kind}, {control}: {name}");
            }
        }
    }
}

#[test]
fn the_decision_is_the_operators_and_the_losses_are_gone() {
    let g = batch(&[HOUSE, POINT, SQUARE], Kind::Double);
    for control in CONTROLS {
        let (store, pool) = operator(&json!({"kind": "diffpool", "control": control}), Kind::Double);
        let pooled = pool.pool(&g, Ctx::train(1));
        assert!(pooled.selection.losses.is_empty());
        assert_eq!(pool.embeds(), Some(pooled.level.x.size()[2]), "as wide as the operator's embedding");
        let Assignment::Rows { s, .. } = &pooled.selection.s else { panic!("rows of a sparse level") };
        close("softmax of the random logits", s, &pooled.score.softmax(-1, None), 1e-12);
        pooled.level.x.sum(None).backward();
        for (name, value) in store.variables() {
            let learns = value.grad().defined() && value.grad().abs().sum(None).double_value(&[]) > 0.0;
            assert!(!(learns && name.starts_with("assign")), "{control}: {name} decides nothing");
        }

        let (_store, pool) = operator(&json!({"kind": "top-k", "control": control}), Kind::Double);
        assert_eq!(pool.pool(&g, Ctx::eval()).level.x.size()[0], 3 + 1 + 2, "{control}");
    }
}

#[test]
fn rows_go_by_position_in_both_layouts() {
    let g = batch(&[HOUSE, POINT, SQUARE], Kind::Double);
    for kind in ["diffpool", "sagpool", "top-k"] {
        let (_store, pool) = operator(&json!({"kind": kind, "control": "normal"}), Kind::Double);
        let score = pool.score(&g, Ctx::eval());
        close("the first four of two graphs", &score.narrow(0, 0, 4), &score.narrow(0, 6, 4), 0.0);
    }
    let (_store, pool) = operator(&json!({"kind": "diffpool", "control": "normal"}), Kind::Double);
    let dense = g.to_layout(Layout::Dense);
    let (sparse, padded) = (pool.pool(&g, Ctx::eval()), pool.pool(&dense, Ctx::eval()));
    close("pooled features", &sparse.level.x, &padded.level.x, 1e-12);
}

#[test]
fn a_graph_larger_than_any_known_takes_rows_from_the_start_again() {
    const LARGE: crate::batch::Graph = (8, &[]);
    let (_store, pool) = operator(&json!({"kind": "top-k", "control": "uniform"}), Kind::Double);
    let score = pool.score(&batch(&[LARGE], Kind::Double), Ctx::eval());
    close("rows 6 and 7", &score.narrow(0, 6, 2), &score.narrow(0, 0, 2), 0.0);
}

#[test]
fn the_invariant_control_projects_the_features() {
    let g = batch(&[HOUSE], Kind::Double);
    let (store, pool) = operator(&json!({"kind": "diffpool", "control": "invariant"}), Kind::Double);
    let want = g.x.matmul(&store.variables()["control.random"]);
    close("logits", &pool.score(&g, Ctx::eval()), &want, 1e-12);
}

#[test]
fn a_position_control_needs_sizes() {
    use coarsen_nn::{Dims, Params};
    use tch::{Device, nn::VarStore};

    let store = VarStore::new(Device::Cpu);
    let config = json!({"kind": "top-k", "control": "normal"});
    let message = coarsen_pool::pool(&config, &Params::new(&store.root(), 0), &Dims::new(3, 3));
    let message = message.expect_err("refused").to_string();
    assert!(message.contains("`control` must be `invariant` where no graph sizes are known"), "{message}");
}

//! gPool and gUnpool against the authors' release.

use coarsen_fixture::{Case, assert_equal};
use coarsen_nn::{Ctx, Dims, Params};
use coarsen_tensor::{Adjacency, Assignment, Layout, Level, Pattern, Segments, Sparse};
use serde_json::json;
use tch::{Device, Kind, Tensor, nn::VarStore};

use crate::each;
use crate::record::{Objective, integers, leaf, made, padded, to_tensor};

#[test]
fn pooling_agrees_with_the_release() {
    each("pool", "g_pool", &["in", "ratio"], &["x", "adj", "param.weight", "param.bias"], pools);
}

#[test]
fn unpooling_agrees_with_the_release() {
    each("pool", "g_unpool", &["nodes"], &["x", "perm"], unpools);
}

fn pools(case: &Case, kind: Kind) {
    let (x, adj) = (leaf(case, "x", kind), to_tensor(&case.real("adj"), kind));
    let g = padded(case, &x.unsqueeze(0), &adj.unsqueeze(0)).to_layout(Layout::Sparse);
    let config = json!({"kind": "g-pool", "ratio": case.config["ratio"], "edges": "columns"});
    let names = [("weight", "score.weight"), ("bias", "score.bias")];
    let (pool, parameters) = made(case, kind, &config, &names);

    let pooled = pool.pool(&g, Ctx::eval());
    let Assignment::Entries(s) = &pooled.selection.s else { panic!("{case}: entries") };
    let (node, new) = (s.relation.row(Device::Cpu), s.relation.col(Device::Cpu));
    let perm = node.zeros_like().index_copy(0, &new, &node);
    let order = recorded_order(case, &perm, &pooled.score);
    assert_equal(
        case,
        "out.perm",
        integers(&perm.index_select(0, &order)).view(),
        case.int("out.perm").view(),
    );
    let Adjacency::Dense(a) = pooled.level.to_layout(Layout::Dense).adj else { panic!("{case}: dense") };

    let mut objective = Objective::default();
    objective.output(case, "x", &pooled.level.x.index_select(0, &order));
    let a = a.a.squeeze_dim(0).index_select(0, &order).index_select(1, &order);
    objective.output(case, "adj", &a);
    let mut leaves = vec![("x", &x)];
    leaves.extend(parameters.iter().map(|(name, value)| (name.as_str(), value)));
    objective.gradients(case, &leaves);
}

/// Where the file has our new nodes: in our order, but for nodes of equal score, whose order the release leaves open.
fn recorded_order(case: &Case, perm: &Tensor, score: &Tensor) -> Tensor {
    let ours = Vec::<i64>::try_from(perm).expect("indices");
    let theirs: Vec<i64> = case.int("out.perm").iter().copied().collect();
    let place = |node: &i64| ours.iter().position(|n| n == node).expect("the same nodes are kept") as i64;
    let order = Tensor::from_slice(&theirs.iter().map(place).collect::<Vec<_>>());
    let sorted = score.index_select(0, &Tensor::from_slice(&theirs));
    let rises = sorted.narrow(0, 1, sorted.size()[0] - 1) - sorted.narrow(0, 0, sorted.size()[0] - 1);
    assert!(rises.max().double_value(&[]) < 1e-6, "{case}: scores fall along the recorded order");
    order
}

fn unpools(case: &Case, kind: Kind) {
    let nodes = case.config["nodes"].as_u64().expect("a number") as u32;
    let graphs = std::sync::Arc::new(Segments::new(vec![0, nodes]));
    let none = coarsen_sparse::Csr::empty(nodes as usize, nodes as usize).expect("no edges");
    let options = (kind, Device::Cpu);
    let adj = Sparse::new(std::sync::Arc::new(Pattern::new(none, graphs)), None, options);
    let g = Level::new(Tensor::zeros([i64::from(nodes), 1], options), Adjacency::Sparse(adj));
    let x = leaf(case, "x", kind);
    let perm: Vec<i64> = case.int("perm").iter().copied().collect();
    let s = Assignment::kept(&Tensor::from_slice(&perm), Some(&(x.select(1, 0).detach() + 3.0)), &g);

    let store = VarStore::new(Device::Cpu);
    let pool =
        coarsen_pool::pool(&json!({"kind": "g-pool"}), &Params::new(&store.root(), 0), &Dims::new(1, 1));
    let lifted = pool.expect("a configuration").lift(&x, &s.into());
    let mut objective = Objective::default();
    objective.output(case, "x", &lifted);
    objective.gradients(case, &[("x", &x)]);
}

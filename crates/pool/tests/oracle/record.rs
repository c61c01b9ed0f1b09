//! Recorded arrays as tensors and levels, and the comparison of what was computed from them.

use std::sync::Arc;

use coarsen_fixture::{Case, assert_close, assert_equal};
use coarsen_nn::{Dims, Params};
use coarsen_pool::Pool;
use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Level, Padded, Pattern, Segments, Sparse};
use ndarray::{ArrayD, IxDyn};
use serde_json::Value;
use tch::{Device, Kind, Tensor, nn::VarStore, no_grad};

/// A real tensor of the case, as a leaf that collects a gradient.
pub(crate) fn leaf(case: &Case, name: &str, kind: Kind) -> Tensor {
    to_tensor(&case.real(name), kind).set_requires_grad(true)
}

/// The operator of a configuration with the recorded parameters, which are given back as `param.<theirs>`; `names` are theirs and ours.
pub(crate) fn made(
    case: &Case,
    kind: Kind,
    config: &Value,
    names: &[(&str, &str)],
) -> (Box<dyn Pool>, Vec<(String, Tensor)>) {
    made_by(case, kind, names, |p, dims| coarsen_pool::pool(config, p, dims).expect("a configuration"))
}

/// The same of what `make` makes.
pub(crate) fn made_by<M>(
    case: &Case,
    kind: Kind,
    names: &[(&str, &str)],
    make: impl FnOnce(&Params, &Dims) -> M,
) -> (M, Vec<(String, Tensor)>) {
    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(kind);
    let dims = Dims::new(case.config["in"].as_i64().expect("a width"), 1);
    let pool = make(&Params::new(&store.root(), 0), &dims);
    let mut variables = store.variables();
    let take = |(theirs, ours): &(&str, &str)| {
        let value = variables.remove(*ours).unwrap_or_else(|| panic!("{case}: no parameter {ours}"));
        let name = format!("param.{theirs}");
        no_grad(|| value.shallow_clone().copy_(&to_tensor(&case.real(&name), kind)));
        (name, value)
    };
    let parameters = names.iter().map(take).collect();
    assert!(variables.is_empty(), "{case}: every parameter is recorded");
    (pool, parameters)
}

pub(crate) fn to_tensor(values: &ArrayD<f64>, kind: Kind) -> Tensor {
    let shape: Vec<i64> = values.shape().iter().map(|&n| n as i64).collect();
    let flat: Vec<f64> = values.iter().copied().collect();
    Tensor::from_slice(&flat).view(shape.as_slice()).to_kind(kind)
}

pub(crate) fn to_array(values: &Tensor) -> ArrayD<f64> {
    let shape: Vec<usize> = values.size().iter().map(|&n| n as usize).collect();
    let flat = Vec::<f64>::try_from(values.detach().to_kind(Kind::Double).reshape(-1)).expect("real values");
    ArrayD::from_shape_vec(IxDyn(&shape), flat).expect("as many values as the shape says")
}

/// A stacked level and what edge of the file each of its edges is.
pub(crate) struct Stacked {
    pub(crate) level: Level,
    pub(crate) x: Tensor,
    /// In the order of the file.
    pub(crate) weight: Option<Tensor>,
}

/// `x`, `edge_index`, `ptr`, `batch` and, if there, `edge_weight`.
pub(crate) fn stacked(case: &Case, kind: Kind) -> Stacked {
    let edges = case.int("edge_index");
    let ptr: Vec<u32> = case.int("ptr").iter().map(|&p| p as u32).collect();
    let graphs = Arc::new(Segments::new(ptr));
    let batch: Vec<i64> = case.int("batch").iter().copied().collect();
    assert!(graphs.index(Device::Cpu).equal(&Tensor::from_slice(&batch)), "{case}: batch and ptr agree");

    let mut order: Vec<usize> = (0..edges.shape()[1]).collect();
    order.sort_by_key(|&e| (edges[[1, e]], edges[[0, e]]));
    let nodes = graphs.rows();
    let mut row_ptr = vec![0u32; nodes + 1];
    for &e in &order {
        row_ptr[edges[[1, e]] as usize + 1] += 1;
    }
    for i in 0..nodes {
        row_ptr[i + 1] += row_ptr[i];
    }
    let col = order.iter().map(|&e| edges[[0, e]] as u32).collect();
    let csr = Csr::new(nodes, nodes, row_ptr, col).expect("edges of a graph without duplicates");

    let weight = case.try_real("edge_weight").map(|w| to_tensor(&w, kind).set_requires_grad(true));
    let order: Vec<i64> = order.into_iter().map(|e| e as i64).collect();
    let sorted = weight.as_ref().map(|w| w.index_select(0, &Tensor::from_slice(&order)));
    let adj = Sparse::new(Arc::new(Pattern::new(csr, graphs)), sorted, (kind, Device::Cpu));
    let x = leaf(case, "x", kind);
    Stacked { level: Level::new(x.shallow_clone(), Adjacency::Sparse(adj)), x, weight }
}

/// A padded level of `x` and the recorded `adj` and, if there, `mask`.
pub(crate) fn padded(case: &Case, x: &Tensor, adj: &Tensor) -> Level {
    let mask = case.try_int("mask").map(|mask| to_tensor(&mask.mapv(|m| m as f64), x.kind()));
    let x = mask.as_ref().map_or_else(|| x.shallow_clone(), |mask| x * mask.unsqueeze(-1));
    Level::new(x, Adjacency::Dense(Padded::new(adj.shallow_clone(), mask)))
}

/// The sum that was differentiated: every output with a probe, and every loss.
#[derive(Default)]
pub(crate) struct Objective(Vec<Tensor>);

impl Objective {
    /// Compares `out.<name>` and adds it, weighed by its probe if it has one.
    pub(crate) fn output(&mut self, case: &Case, name: &str, got: &Tensor) {
        let out = format!("out.{name}");
        assert_close(case, &out, to_array(got).view(), case.real(&out).view());
        if name.starts_with("loss.") {
            self.0.push(got.shallow_clone());
        } else if let Some(probe) = case.try_real(&format!("probe.{name}")) {
            self.0.push((got * to_tensor(&probe, got.kind())).sum(None));
        }
    }

    /// Differentiates and compares `grad.<name>` of every leaf that has one recorded.
    pub(crate) fn gradients(self, case: &Case, leaves: &[(&str, &Tensor)]) {
        Tensor::stack(&self.0, 0).sum(None).backward();
        for (name, leaf) in leaves {
            let grad = format!("grad.{name}");
            if let Some(want) = case.try_real(&grad) {
                assert_close(case, &grad, to_array(&leaf.grad()).view(), want.view());
            }
        }
    }
}

/// Compares the graph of each node and the edges of a stacked level; gives the weights in the order of the file.
pub(crate) fn compare_edges(case: &Case, level: &Level) -> Option<Tensor> {
    let Adjacency::Sparse(a) = &level.adj else { panic!("{case}: a sparse level") };
    let batch = integers(&a.pattern.graphs().index(Device::Cpu));
    assert_equal(case, "out.batch", batch.view(), case.int("out.batch").view());
    compare_pattern(case, a, |_, _| true)
}

/// The same of the edges alone, of those that `counts` says of source and target.
pub(crate) fn compare_pattern(case: &Case, a: &Sparse, counts: impl Fn(i64, i64) -> bool) -> Option<Tensor> {
    let source = Vec::<i64>::try_from(a.pattern.col(Device::Cpu)).expect("indices");
    let target = Vec::<i64>::try_from(a.pattern.row(Device::Cpu)).expect("indices");
    let mut order: Vec<usize> = (0..source.len()).filter(|&e| counts(source[e], target[e])).collect();
    order.sort_by_key(|&e| (source[e], target[e]));
    let flat: Vec<i64> = order.iter().map(|&e| source[e]).chain(order.iter().map(|&e| target[e])).collect();
    let got = ArrayD::from_shape_vec(IxDyn(&[2, order.len()]), flat).expect("two rows");
    assert_equal(case, "out.edge_index", got.view(), case.int("out.edge_index").view());

    let order: Vec<i64> = order.into_iter().map(|e| e as i64).collect();
    a.weight.as_ref().map(|w| w.index_select(0, &Tensor::from_slice(&order)))
}

pub(crate) fn integers(values: &Tensor) -> ArrayD<i64> {
    let shape: Vec<usize> = values.size().iter().map(|&n| n as usize).collect();
    let flat = Vec::<i64>::try_from(values.reshape(-1)).expect("integers");
    ArrayD::from_shape_vec(IxDyn(&shape), flat).expect("as many values as the shape says")
}

/// A stacked level of `x` and the recorded `ptr` and `batch`, without edges.
pub(crate) fn edgeless(case: &Case, x: &Tensor) -> Level {
    let ptr: Vec<u32> = case.int("ptr").iter().map(|&p| p as u32).collect();
    let graphs = Arc::new(Segments::new(ptr));
    let batch: Vec<i64> = case.int("batch").iter().copied().collect();
    assert!(graphs.index(Device::Cpu).equal(&Tensor::from_slice(&batch)), "{case}: batch and ptr agree");
    let nodes = graphs.rows();
    let csr = Csr::new(nodes, nodes, vec![0; nodes + 1], Vec::new()).expect("no edges");
    let adj = Sparse::new(Arc::new(Pattern::new(csr, graphs)), None, (x.kind(), x.device()));
    Level::new(x.shallow_clone(), Adjacency::Sparse(adj))
}

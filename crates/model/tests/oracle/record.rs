//! Recorded arrays as tensors and parameters, and the comparison of what was computed from them.

use std::sync::Arc;

use coarsen_fixture::{Case, assert_close};
use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Level, Pattern, Segments, Sparse};
use ndarray::{ArrayD, IxDyn};
use tch::{Device, Kind, Tensor, nn::VarStore, no_grad};

/// A store of this kind, still empty.
pub(crate) fn store(kind: Kind) -> VarStore {
    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(kind);
    store
}

pub(crate) fn tensor(values: &ArrayD<f64>, kind: Kind) -> Tensor {
    let shape: Vec<i64> = values.shape().iter().map(|&n| n as i64).collect();
    let flat: Vec<f64> = values.iter().copied().collect();
    Tensor::from_slice(&flat).view(shape.as_slice()).to_kind(kind)
}

/// A recorded input that collects a gradient.
pub(crate) fn leaf(case: &Case, name: &str, kind: Kind) -> Tensor {
    tensor(&case.real(name), kind).set_requires_grad(true)
}

pub(crate) fn width(case: &Case, field: &str) -> i64 {
    case.config[field].as_i64().unwrap_or_else(|| panic!("{case}: {field}"))
}

/// The edges of a case with weights, ones where none are recorded; the leaf is in the order of the file.
pub(crate) fn stacked(case: &Case, x: &Tensor, kind: Kind) -> (Level, Option<Tensor>) {
    let edges = case.int("edge_index");
    let ptr: Vec<u32> = case.int("ptr").iter().map(|&p| p as u32).collect();
    let graphs = Arc::new(Segments::new(ptr));
    let batch: Vec<i64> = case.int("batch").iter().copied().collect();
    assert!(graphs.index(Device::Cpu).equal(&Tensor::from_slice(&batch)), "{case}: batch and ptr agree");
    let mut order: Vec<i64> = (0..edges.shape()[1] as i64).collect();
    let end = |row: usize, e: i64| edges[[row, e as usize]] as u32;
    order.sort_by_key(|&e| (end(1, e), end(0, e)));
    let nodes = graphs.rows();
    let csr = Csr::from_edges(nodes, nodes, order.iter().map(|&e| (end(1, e), end(0, e))));
    let pattern = Arc::new(Pattern::new(csr.expect("edges without duplicates"), graphs));
    let weight = case.try_real("edge_weight").map(|w| tensor(&w, kind).set_requires_grad(true));
    let sorted = weight.as_ref().map(|w| w.index_select(0, &Tensor::from_slice(&order)));
    let adj = Adjacency::Sparse(Sparse::new(pattern, sorted, (kind, Device::Cpu)));
    (Level::new(x.shallow_clone(), adj), weight)
}

fn array(values: &Tensor) -> ArrayD<f64> {
    let shape: Vec<usize> = values.size().iter().map(|&n| n as usize).collect();
    let flat = Vec::<f64>::try_from(values.detach().to_kind(Kind::Double).reshape(-1)).expect("real values");
    ArrayD::from_shape_vec(IxDyn(&shape), flat).expect("as many values as the shape says")
}

pub(crate) fn same(case: &Case, name: &str, got: &Tensor) {
    assert_close(case, name, array(got).view(), case.real(name).view());
}

/// Gives every parameter of the store its recorded value; `renamed` is the name that a role of the file has here.
pub(crate) fn take_parameters(
    case: &Case,
    store: &VarStore,
    renamed: impl Fn(&str) -> String,
) -> Vec<(String, Tensor)> {
    let variables = store.variables();
    let roles: Vec<&str> = case.names().filter_map(|name| name.strip_prefix("param.")).collect();
    assert_eq!(roles.len(), variables.len(), "{case}: as many parameters");
    let taken = roles.into_iter().map(|role| {
        let name = renamed(role);
        let found = variables.get(&name).unwrap_or_else(|| panic!("{case}: {name} in {variables:?}"));
        let mut variable = found.shallow_clone();
        no_grad(|| variable.copy_(&tensor(&case.real(&format!("param.{role}")), variable.kind())));
        (format!("param.{role}"), variable)
    });
    taken.collect()
}

/// The sum that was differentiated.
#[derive(Default)]
pub(crate) struct Objective(Vec<Tensor>);

impl Objective {
    /// Compares `out.<name>` and adds it, weighed by its probe.
    pub(crate) fn output(&mut self, case: &Case, name: &str, got: &Tensor) {
        same(case, &format!("out.{name}"), got);
        if let Some(probe) = case.try_real(&format!("probe.{name}")) {
            self.0.push((got * tensor(&probe, got.kind())).sum(None));
        }
    }

    /// Adds a loss.
    pub(crate) fn loss(&mut self, loss: Tensor) {
        self.0.push(loss);
    }

    /// Differentiates and compares `grad.<name>` of every leaf that has one recorded.
    pub(crate) fn gradients<'a>(self, case: &Case, leaves: impl IntoIterator<Item = (&'a str, &'a Tensor)>) {
        Tensor::stack(&self.0, 0).sum(None).backward();
        for (name, leaf) in leaves {
            let grad = format!("grad.{name}");
            if case.try_real(&grad).is_some() {
                same(case, &grad, &leaf.grad());
            }
        }
    }
}

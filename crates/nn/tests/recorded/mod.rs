//! Recorded cases as levels, settings and parameters.

use std::collections::BTreeSet;
use std::sync::Arc;

use coarsen_fixture::{Case, assert_close};
use coarsen_nn::{Activation, Ctx};
use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Layout, Level, Padded, Pattern, Segments, Sparse};
use ndarray::{ArrayD, ArrayView1, Axis};
use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor, nn::VarStore, no_grad};

/// A real tensor of a case.
pub(crate) fn set(case: &Case, name: &str, kind: Kind) -> Tensor {
    try_set(case, name, kind).unwrap_or_else(|| panic!("{case}: no tensor `{name}`"))
}

fn try_set(case: &Case, name: &str, kind: Kind) -> Option<Tensor> {
    let values = case.try_real(name)?;
    Some(Tensor::try_from(&values).expect("an array is a tensor").to_kind(kind))
}

/// Compares a tensor with the recorded one of that name.
pub(crate) fn compare(case: &Case, name: &str, got: &Tensor) {
    let shape: Vec<usize> = got.size().iter().map(|&n| n as usize).collect();
    let values = Vec::<f64>::try_from(got.to_kind(Kind::Double).reshape([-1])).expect("real values");
    let got = ArrayD::from_shape_vec(shape, values).expect("as many values as the shape says");
    assert_close(case, name, got.view(), case.real(name).view());
}

/// The settings of a recorded run; each must be asked for.
pub(crate) struct Settings<'a> {
    case: &'a Case,
    fields: &'a Map<String, Value>,
    asked: BTreeSet<String>,
}

impl<'a> Settings<'a> {
    pub(crate) fn of(case: &'a Case) -> Self {
        let fields = case.config.as_object().unwrap_or_else(|| panic!("{case}: no settings"));
        Self { case, fields, asked: BTreeSet::new() }
    }

    fn get(&mut self, key: &str) -> &'a Value {
        self.asked.insert(key.to_owned());
        self.fields.get(key).unwrap_or_else(|| panic!("{}: no setting `{key}`", self.case))
    }

    pub(crate) fn flag(&mut self, key: &str) -> bool {
        self.get(key).as_bool().unwrap_or_else(|| panic!("{}: `{key}` is no truth value", self.case))
    }

    pub(crate) fn width(&mut self, key: &str) -> i64 {
        self.get(key).as_i64().unwrap_or_else(|| panic!("{}: `{key}` is no integer", self.case))
    }

    pub(crate) fn real(&mut self, key: &str) -> f64 {
        self.get(key).as_f64().unwrap_or_else(|| panic!("{}: `{key}` is no number", self.case))
    }

    pub(crate) fn text(&mut self, key: &str) -> &'a str {
        self.get(key).as_str().unwrap_or_else(|| panic!("{}: `{key}` is no text", self.case))
    }

    /// Asserts a setting that has no counterpart here.
    pub(crate) fn is(&mut self, key: &str, want: &Value) {
        assert_eq!(self.get(key), want, "{}: `{key}`", self.case);
    }

    pub(crate) fn finish(self) {
        let overlooked: Vec<&String> = self.fields.keys().filter(|key| !self.asked.contains(*key)).collect();
        assert!(overlooked.is_empty(), "{}: settings not understood: {overlooked:?}", self.case);
    }
}

/// How a recorded layer is written in this crate.
pub(crate) struct Recipe {
    pub(crate) config: Value,
    pub(crate) ctx: Ctx,
    /// What the recorded layer ends with.
    pub(crate) act: Activation,
    /// A recorded parameter that has no counterpart here, since nothing depends on it: its gradient is 0.
    pub(crate) inert: Option<&'static str>,
    /// How the recorded input is read.
    pub(crate) graph: fn(&Case, Kind) -> Graph,
    /// The output width, where it is not the setting `out`.
    pub(crate) outputs: Option<i64>,
    pub(crate) edge_features: i64,
    roles: Vec<(&'static str, &'static str)>,
    buffers: Vec<(&'static str, &'static str)>,
}

impl Recipe {
    /// A configuration, and for each recorded parameter its name here.
    pub(crate) fn new(config: Value, roles: &[(&'static str, &'static str)]) -> Self {
        Self {
            config,
            ctx: Ctx::eval(),
            act: Activation::Identity,
            inert: None,
            graph: Graph::of,
            outputs: None,
            edge_features: 0,
            roles: roles.to_vec(),
            buffers: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, roles: &[(&'static str, &'static str)]) -> Self {
        self.roles.extend(roles);
        self
    }

    pub(crate) fn with_buffers(mut self, buffers: &[(&'static str, &'static str)]) -> Self {
        self.buffers.extend(buffers);
        self
    }

    pub(crate) fn with_outputs(mut self, outputs: i64) -> Self {
        self.outputs = Some(outputs);
        self
    }

    pub(crate) fn with_edge_features(mut self, edge_features: i64) -> Self {
        self.edge_features = edge_features;
        self
    }

    pub(crate) fn without_influence(mut self, role: &'static str) -> Self {
        self.inert = Some(role);
        self
    }

    pub(crate) fn ending_with(mut self, act: Activation) -> Self {
        self.act = act;
        self
    }

    pub(crate) fn on(mut self, graph: fn(&Case, Kind) -> Graph) -> Self {
        self.graph = graph;
        self
    }

    pub(crate) fn in_context(mut self, ctx: Ctx) -> Self {
        self.ctx = ctx;
        self
    }

    /// Copies the recorded parameters into the store, and returns them by role; none may be left on either side.
    pub(crate) fn fill(&self, case: &Case, store: &VarStore) -> Vec<(&'static str, Tensor)> {
        let recorded: BTreeSet<&str> = case.names().filter_map(|name| name.strip_prefix("param.")).collect();
        let mentioned: BTreeSet<&str> = self.roles.iter().map(|(role, _)| *role).chain(self.inert).collect();
        assert_eq!(recorded, mentioned, "{case}: recorded parameters, and those of the recipe");
        let variables = store.variables();
        let made: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
        let named = self.roles.iter().chain(&self.buffers).map(|(_, name)| *name).collect();
        assert_eq!(made, named, "{case}: parameters made, and those of the recipe");

        for (recorded, name) in &self.buffers {
            copy(case, recorded, &variables[*name]);
        }
        self.roles
            .iter()
            .map(|(role, name)| {
                let variable = variables[*name].shallow_clone();
                copy(case, &format!("param.{role}"), &variable);
                (*role, variable)
            })
            .collect()
    }
}

fn copy(case: &Case, recorded: &str, variable: &Tensor) {
    let values = set(case, recorded, variable.kind());
    assert_eq!(variable.size(), values.size(), "{case}: shape of `{recorded}`");
    no_grad(|| variable.shallow_clone().copy_(&values));
}

/// A recorded input: the level, and those of its tensors that have gradients.
pub(crate) struct Graph {
    pub(crate) level: Level,
    x: Tensor,
    /// What is on the edges: the name in the file, and the tensor.
    edges: Vec<(&'static str, Tensor)>,
}

impl Graph {
    pub(crate) fn of(case: &Case, kind: Kind) -> Self {
        let x = set(case, "x", kind).set_requires_grad(true);
        match try_set(case, "adj", kind) {
            Some(adj) => Self::dense(case, x, adj.set_requires_grad(true)),
            None if x.dim() == 3 => Self::slots(x),
            None => Self::sparse(case, x, |edge| (edge[1], edge[0])),
        }
    }

    /// With the sources of recorded edges as the nodes that receive.
    pub(crate) fn reversed(case: &Case, kind: Kind) -> Self {
        Self::sparse(case, set(case, "x", kind).set_requires_grad(true), |edge| (edge[0], edge[1]))
    }

    /// The same in the dense layout.
    pub(crate) fn padded(self) -> Self {
        Self { level: self.level.to_layout(Layout::Dense), ..self }
    }

    fn dense(case: &Case, x: Tensor, adj: Tensor) -> Self {
        let mask = case
            .try_int("mask")
            .map(|mask| Tensor::try_from(&mask).expect("an array is a tensor").to_kind(x.kind()));
        let padded = Adjacency::Dense(Padded::new(adj.shallow_clone(), mask));
        Self { level: Level::new(x.shallow_clone(), padded), x, edges: vec![("adj", adj)] }
    }

    /// A padded batch without edges; every slot counts as a node.
    fn slots(x: Tensor) -> Self {
        let size = x.size();
        let a = Tensor::zeros([size[0], size[1], size[1]], (x.kind(), x.device()));
        Self {
            level: Level::new(x.shallow_clone(), Adjacency::Dense(Padded::new(a, None))),
            x,
            edges: vec![],
        }
    }

    /// Edges stand in the file in any order, row 0 the source and row 1 the target; `ends` gives receiver and sender.
    fn sparse(case: &Case, x: Tensor, ends: fn(ArrayView1<i64>) -> (i64, i64)) -> Self {
        let ptr: Vec<u32> = case.int("ptr").iter().map(|&p| u32::try_from(p).expect("an offset")).collect();
        let graphs = Segments::new(ptr);
        let batch: Vec<i64> =
            graphs.sizes().enumerate().flat_map(|(b, n)| vec![b as i64; n as usize]).collect();
        assert_eq!(batch, case.int("batch").into_raw_vec_and_offset().0, "{case}: `batch` and `ptr`");

        let edges = case.try_int("edge_index").map_or_else(Vec::new, |index| {
            let column = |(at, edge): (usize, ArrayView1<i64>)| {
                let (receiver, sender) = ends(edge);
                (receiver, sender, at as i64)
            };
            let mut edges: Vec<_> = index
                .axis_iter(Axis(1))
                .map(|edge| edge.into_dimensionality().expect("a pair"))
                .enumerate()
                .map(column)
                .collect();
            edges.sort_unstable();
            edges
        });
        let nodes = graphs.rows();
        let mut row_ptr = vec![0_u32; nodes + 1];
        for &(receiver, _, _) in &edges {
            row_ptr[receiver as usize + 1] += 1;
        }
        for i in 0..nodes {
            row_ptr[i + 1] += row_ptr[i];
        }
        let col = edges.iter().map(|&(_, sender, _)| u32::try_from(sender).expect("a node")).collect();
        let csr = Csr::new(nodes, nodes, row_ptr, col).unwrap_or_else(|error| panic!("{case}: {error}"));

        let of_edges = |name| try_set(case, name, x.kind()).map(|values| values.set_requires_grad(true));
        let (weight, attr) = (of_edges("edge_weight"), of_edges("edge_attr"));
        let order: Vec<i64> = edges.iter().map(|&(_, _, at)| at).collect();
        let sorted =
            |values: &Option<Tensor>| values.as_ref().map(|v| v.index_select(0, &Tensor::from_slice(&order)));
        let pattern = Arc::new(Pattern::new(csr, Arc::new(graphs)));
        let sparse = Sparse::new(pattern, sorted(&weight), (x.kind(), Device::Cpu)).with_attr(sorted(&attr));
        let level = Level::new(x.shallow_clone(), Adjacency::Sparse(sparse));
        let edges = [("edge_weight", weight), ("edge_attr", attr)];
        Self { level, x, edges: edges.into_iter().filter_map(|(name, t)| Some((name, t?))).collect() }
    }

    /// Compares the gradients of everything that came in. Those of a dense adjacency are not recorded where they have a kink.
    pub(crate) fn compare_gradients(&self, case: &Case) {
        compare(case, "grad.x", &self.x.grad());
        for (name, edges) in &self.edges {
            let recorded = format!("grad.{name}");
            if case.names().any(|name| name == recorded) {
                compare(case, &recorded, &edges.grad());
            }
        }
    }
}

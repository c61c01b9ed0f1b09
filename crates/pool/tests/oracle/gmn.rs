//! Memory layers against the release of *Rethinking pooling* and against PyG, their losses included.

use coarsen_fixture::Case;
use coarsen_nn::{Activation, Linear};
use coarsen_pool::diffpool::soft_assignment;
use coarsen_pool::gmn_loss::{kl, pyg_kl};
use coarsen_pool::{Kernel, Memory};
use coarsen_tensor::{Adjacency, Assignment, Layout, Level, Padded};
use tch::{Kind, Tensor};

use crate::each;
use crate::record::{Objective, edgeless, leaf, padded, to_tensor};

/// The factor of the loss in the release.
const FACTOR: f64 = 100.0;

#[test]
fn agrees_with_rethinking_in_both_layouts() {
    let config = ["in", "out", "heads", "keys", "variant", "tau", "max_queries"];
    let inputs = ["x", "mask", "random", "param.keys", "param.head_weight", "param.weight", "param.bias"];
    each("pool", "gmn_mem", &config, &inputs, |case, kind| {
        for layout in [Layout::Dense, Layout::Sparse] {
            memory(case, kind, layout);
        }
    });
}

fn parameter(case: &Case, name: &str, kind: Kind) -> Option<Tensor> {
    case.names().any(|known| known == name).then(|| leaf(case, name, kind))
}

fn memory(case: &Case, kind: Kind, layout: Layout) {
    let x = leaf(case, "x", kind);
    let size = x.size();
    let dense = padded(case, &x, &Tensor::zeros([size[0], size[1], size[1]], (kind, x.device())));
    let g = dense.to_layout(layout);
    let [keys, heads, weight, bias] =
        ["keys", "head_weight", "weight", "bias"].map(|name| parameter(case, &format!("param.{name}"), kind));
    let variant = case.config["variant"].as_str().expect("a variant");
    let logits = if variant == "random" {
        let rows = to_tensor(&case.real("random"), kind).narrow(0, 0, size[1]);
        let rows = rows.unsqueeze(0).expand([size[0], -1, -1], false);
        dense.with_x(dense.mask_rows(rows)).to_layout(layout).x
    } else {
        let memory = Memory {
            keys: keys.as_ref().expect("keys").shallow_clone(),
            heads: heads.as_ref().map(Tensor::shallow_clone),
            tau: case.config["tau"].as_f64().expect("a number"),
            kernel: if variant == "gmn" { Kernel::Student } else { Kernel::Distance },
        };
        memory.logits(&g.x)
    };
    let s = soft_assignment(&g, &logits);
    let linear = Linear {
        weight: weight.as_ref().expect("a weight").shallow_clone(),
        bias: bias.as_ref().map(Tensor::shallow_clone),
    };
    let mut objective = Objective::default();
    objective.output(case, "x", &linear.activated(&s.reduce(&g.x), Activation::LeakyRelu(0.01)));
    objective.output(case, "loss.kl", &(kl(&s) * FACTOR));
    let parameters = [("keys", keys), ("head_weight", heads), ("weight", weight), ("bias", bias)];
    compare(case, objective, &x, &parameters);
}

fn compare(case: &Case, objective: Objective, x: &Tensor, parameters: &[(&str, Option<Tensor>)]) {
    let named: Vec<(String, &Tensor)> = parameters
        .iter()
        .filter_map(|(name, leaf)| Some((format!("param.{name}"), leaf.as_ref()?)))
        .collect();
    let mut leaves = vec![("x", x)];
    leaves.extend(named.iter().map(|(name, leaf)| (name.as_str(), *leaf)));
    objective.gradients(case, &leaves);
}

#[test]
fn agrees_with_pyg_in_both_layouts() {
    let config = ["in", "out", "heads", "clusters", "tau"];
    let inputs = ["x", "ptr", "batch", "param.keys", "param.head_weight", "param.weight"];
    each("pool", "mem_pool", &config, &inputs, |case, kind| {
        for layout in [Layout::Dense, Layout::Sparse] {
            pyg(case, kind, layout);
        }
    });
}

fn pyg(case: &Case, kind: Kind, layout: Layout) {
    let x = leaf(case, "x", kind);
    let g = edgeless(case, &x).to_layout(layout);
    let [keys, heads, weight] =
        ["param.keys", "param.head_weight", "param.weight"].map(|name| leaf(case, name, kind));
    let memory = Memory {
        keys: keys.shallow_clone(),
        heads: Some(heads.shallow_clone()),
        tau: case.config["tau"].as_f64().expect("a number"),
        kernel: Kernel::Student,
    };
    let s = soft_assignment(&g, &memory.logits(&g.x));
    let linear = Linear { weight: weight.shallow_clone(), bias: None };
    let rows = match &s {
        Assignment::Rows { s, .. } => g.with_x(s.shallow_clone()).to_layout(Layout::Dense).x,
        Assignment::Padded { s } => s.shallow_clone(),
        Assignment::Entries(_) => panic!("{case}: soft"),
    };
    let mut objective = Objective::default();
    objective.output(case, "x", &linear.forward(&s.reduce(&g.x)));
    objective.output(case, "s", &rows);
    objective.output(case, "loss.kl", &(pyg_kl(&s) / g.graphs() as f64));
    let parameters = [("keys", Some(keys)), ("head_weight", Some(heads)), ("weight", Some(weight))];
    compare(case, objective, &x, &parameters);
}

#[test]
fn losses_agree_in_both_layouts() {
    each("loss", "gmn_kl", &["clusters"], &["mask", "s"], |case, kind| {
        loss(case, kind, |s, _| kl(s) * FACTOR);
    });
    each("loss", "mem_pool_kl", &["clusters"], &["mask", "s"], |case, kind| {
        loss(case, kind, |s, g| pyg_kl(s) / g.graphs() as f64);
    });
}

fn loss(case: &Case, kind: Kind, of: impl Fn(&Assignment, &Level) -> Tensor) {
    for layout in [Layout::Dense, Layout::Sparse] {
        let logits = leaf(case, "s", kind);
        let size = logits.size();
        let mask = to_tensor(&case.int("mask").mapv(|m| m as f64), kind);
        let a = Tensor::zeros([size[0], size[1], size[1]], (kind, logits.device()));
        let rows = &logits * mask.unsqueeze(-1);
        let g = Level::new(rows, Adjacency::Dense(Padded::new(a, Some(mask)))).to_layout(layout);
        let mut objective = Objective::default();
        objective.output(case, "loss.kl", &of(&soft_assignment(&g, &g.x), &g));
        objective.gradients(case, &[("s", &logits)]);
    }
}

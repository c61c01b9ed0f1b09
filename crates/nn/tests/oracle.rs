//! Every layer against recorded values and gradients of the reference implementations.
//!
//! Each case runs in `f64` at the tolerance of the fixture and in `f32` at [`SINGLE`], by the kernels and by LibTorch's operations. A key of a
//! configuration or a parameter that a layer's recipe does not mention fails the case, and so does a recorded gradient that is not compared.

mod pairs;
mod recipes;
mod recorded;

use coarsen_fixture::{Case, cases, ops};
use coarsen_nn::{Ctx, Dims, Params, conv, readout};
use coarsen_tensor::{by_libtorch, segment};
use recipes::{CONVS, READOUTS, Read};
use recorded::{Graph, Settings, compare, set};
use serde_json::json;
use tch::{Device, Kind, Tensor, nn::VarStore};

/// The tolerance in `f32`.
const SINGLE: f64 = 1e-4;

/// Recorded operations on pairs of nodes, compared in `pairs`.
const PAIRS: &[&str] = &["ppgn_block", "ppgn_suffix"];

/// Recorded operations that no layer of this crate answers to.
const ABSENT: &[&str] = &[];

fn check_conv(case: &Case, kind: Kind, read: Read) {
    let mut settings = Settings::of(case);
    let recipe = read(&mut settings);
    // A recorded width is that of a head, where heads stand side by side.
    let side_by_side = recipe.config["merge"] == "concat";
    let heads = if side_by_side { recipe.config["heads"].as_i64().expect("a number of heads") } else { 1 };
    let outputs = recipe.outputs.unwrap_or_else(|| settings.width("out") * heads);
    let dims = Dims::new(settings.width("in"), outputs).with_edge_features(recipe.edge_features);
    settings.finish();

    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(kind);
    let layer = conv(&recipe.config, &Params::new(&store.root(), 0), &dims)
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    let parameters = recipe.fill(case, &store);

    let graph = (recipe.graph)(case, kind);
    let y = layer.activated(&graph.level, recipe.act, recipe.ctx);
    let probed: Vec<Tensor> = ["x", "node", "graph"]
        .into_iter()
        .filter_map(|name| {
            case.try_real(&format!("out.{name}"))?;
            let value = match name {
                "graph" => segment::sum(&y, &graph.level.segments()).relu(),
                _ => y.shallow_clone(),
            };
            compare(case, &format!("out.{name}"), &value.detach());
            // Where neighbours tie, no gradient is recorded.
            case.try_real(&format!("probe.{name}"))?;
            Some((value * set(case, &format!("probe.{name}"), kind)).sum(kind))
        })
        .collect();
    let Some(probed) = probed.into_iter().reduce(|sum, part| sum + part) else { return case.finish() };
    probed.backward();
    graph.compare_gradients(case);
    for (role, parameter) in parameters {
        compare(case, &format!("grad.param.{role}"), &parameter.grad());
    }
    if let Some(role) = recipe.inert {
        let nothing = Tensor::zeros_like(&set(case, &format!("param.{role}"), kind));
        compare(case, &format!("grad.param.{role}"), &nothing);
    }
    case.finish();
}

fn check_readout(case: &Case, kind: Kind, read: Read) {
    let mut settings = Settings::of(case);
    let features = set(case, "x", kind).size().pop().expect("features");
    if case.config.get("in").is_some() {
        settings.is("in", &json!(features));
    }
    let recipe = read(&mut settings);
    settings.finish();
    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(kind);
    let layer = readout(&recipe.config, &Params::new(&store.root(), 0), &Dims::new(features, features))
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    let parameters = recipe.fill(case, &store);
    for graph in [Graph::of(case, kind), Graph::of(case, kind).padded()] {
        let y = layer.forward(&graph.level, Ctx::eval());
        compare(case, "out.x", &y.detach());
        (y * set(case, "probe.x", kind)).sum(kind).backward();
        graph.compare_gradients(case);
        for (role, parameter) in &parameters {
            // A single step has no use for the weights of a state.
            let gradient = parameter.grad();
            let gradient = if gradient.defined() { gradient } else { parameter.zeros_like() };
            compare(case, &format!("grad.param.{role}"), &gradient);
            parameter.shallow_clone().zero_grad();
        }
    }
    case.finish();
}

fn all(family: &str, op: &str, kind: Kind) -> Vec<Case> {
    let mut cases = cases(env!("CARGO_MANIFEST_DIR"), family, op);
    if kind == Kind::Float {
        for case in &mut cases {
            case.tolerance = SINGLE;
        }
    }
    cases
}

fn check_convs(kind: Kind) {
    for (op, read) in CONVS {
        for case in all("conv", op, kind) {
            check_conv(&case, kind, *read);
            by_libtorch(|| check_conv(&case, kind, *read));
        }
    }
}

fn check_readouts(kind: Kind) {
    for (op, read) in READOUTS {
        for case in all("readout", op, kind) {
            check_readout(&case, kind, *read);
            by_libtorch(|| check_readout(&case, kind, *read));
        }
    }
}

#[test]
fn convolutions_agree_in_double_precision() {
    check_convs(Kind::Double);
}

#[test]
fn convolutions_agree_in_single_precision() {
    check_convs(Kind::Float);
}

#[test]
fn readouts_agree_in_double_precision() {
    check_readouts(Kind::Double);
}

#[test]
fn readouts_agree_in_single_precision() {
    check_readouts(Kind::Float);
}

#[test]
fn every_recorded_operation_is_compared_or_named_as_absent() {
    let known: [Vec<&str>; 2] = [CONVS, READOUTS].map(|rows| rows.iter().map(|(op, _)| *op).collect());
    for (family, known) in ["conv", "readout"].into_iter().zip(known) {
        let recorded = ops(env!("CARGO_MANIFEST_DIR"), family);
        let overlooked: Vec<&String> = recorded
            .iter()
            .filter(|op| ![&known[..], PAIRS, ABSENT].iter().any(|ops| ops.contains(&op.as_str())))
            .collect();
        assert!(overlooked.is_empty(), "{family}: recorded, but neither compared nor absent: {overlooked:?}");
        let lost: Vec<&&str> = known.iter().filter(|op| !recorded.contains(**op)).collect();
        assert!(lost.is_empty(), "{family}: compared, but not recorded: {lost:?}");
    }
}

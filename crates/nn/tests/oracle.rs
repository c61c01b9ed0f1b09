//! Every layer against recorded values and gradients of the reference implementations.
//!
//! Each case runs twice: in `f64` at the tolerance of the fixture, in `f32` at [`SINGLE`]. A key of a configuration or a parameter
//! that a layer's recipe does not mention fails the case, and so does a recorded gradient that is not compared.

mod recorded;

use coarsen_fixture::{Case, cases, ops};
use coarsen_nn::{Ctx, Dims, Params, conv, readout};
use coarsen_tensor::segment;
use recorded::{Graph, Recipe, Settings, compare, set};
use serde_json::json;
use tch::{Device, Kind, Tensor, nn::VarStore};

/// The tolerance in `f32`.
const SINGLE: f64 = 1e-4;

/// From the settings of a recorded run to a layer of this crate.
type Read = fn(&mut Settings) -> Recipe;

/// How each recorded convolution is written here.
const CONVS: &[(&str, Read)] = &[
    ("dense_gcn", dense_gcn),
    ("dense_gin", dense_gin),
    ("dense_sage", dense_sage),
    ("dense_sage_legacy14", dense_sage_legacy14),
    ("ecc", ecc),
    ("gcn", gcn),
    ("gin", gin),
    ("s2v_loopy_bp", s2v_loopy),
    ("s2v_mean_field", s2v),
    ("sage_legacy14", sage_legacy14),
    ("sage_mean", sage_mean),
];

/// The recorded readouts that this crate has; names and configurations are the same here.
const READOUTS: &[&str] = &["max", "mean", "sum"];

/// Recorded operations that no layer of this crate answers to.
const ABSENT: &[&str] = &[
    "dense_graph_conv",
    "dgcnn_conv",
    "diffpool_graph_conv",
    "gat",
    "graph_conv",
    "le_conv",
    "le_conv_official",
    "ppgn_block",
    "ppgn_suffix",
    "sage_max",
    "set2set",
    "set2set_official",
    "sort",
];

fn gcn(settings: &mut Settings) -> Recipe {
    let config = json!({"kind": "gcn", "improved": settings.flag("improved")});
    Recipe::new(config, &[("weight", "weight"), ("bias", "bias")])
}

fn dense_gcn(settings: &mut Settings) -> Recipe {
    let loops = if settings.flag("add_loop") { "overwrite" } else { "none" };
    let improved = settings.flag("improved");
    let config = json!({"kind": "gcn", "improved": improved, "loops": loops, "degree_floor": 1.0});
    Recipe::new(config, &[("weight", "weight"), ("bias", "bias")])
}

fn sage_mean(settings: &mut Settings) -> Recipe {
    settings.is("aggr", &json!("mean"));
    settings.is("project", &json!(false));
    let config = json!({"kind": "sage", "averaging": "unweighted", "normalize": settings.flag("normalize")});
    let roles = [
        ("neighbour_weight", "neighbour.weight"),
        ("neighbour_bias", "neighbour.bias"),
        ("root_weight", "root.weight"),
    ];
    Recipe::new(config, &roles)
}

fn dense_sage(settings: &mut Settings) -> Recipe {
    let config = json!({"kind": "sage", "averaging": "floored", "normalize": settings.flag("normalize")});
    let roles = [
        ("neighbour_weight", "neighbour.weight"),
        ("root_bias", "neighbour.bias"),
        ("root_weight", "root.weight"),
    ];
    Recipe::new(config, &roles)
}

fn sage_legacy14(settings: &mut Settings) -> Recipe {
    let normalize = settings.flag("normalize");
    let config =
        json!({"kind": "sage", "semantics": "legacy14", "averaging": "count", "normalize": normalize});
    Recipe::new(config, &[("weight", "weight"), ("bias", "bias")])
}

fn dense_sage_legacy14(settings: &mut Settings) -> Recipe {
    let config = json!({
        "kind": "sage",
        "semantics": "legacy14",
        "averaging": "floored",
        "loops": if settings.flag("add_loop") { "overwrite" } else { "none" },
        "normalize": settings.flag("normalize"),
    });
    Recipe::new(config, &[("weight", "weight"), ("bias", "bias")])
}

const MLP: [(&str, &str); 4] = [
    ("mlp_0_weight", "mlp.0.weight"),
    ("mlp_0_bias", "mlp.0.bias"),
    ("mlp_1_weight", "mlp.1.weight"),
    ("mlp_1_bias", "mlp.1.bias"),
];

fn gin(settings: &mut Settings) -> Recipe {
    let batch_norm = settings.flag("batch_norm");
    let config = json!({
        "kind": "gin",
        "eps": {"learned": 0.0},
        "hidden": settings.width("hidden"),
        "batch_norm": batch_norm,
        "semantics": if settings.flag("legacy14") { "legacy14" } else { "modern" },
    });
    let mut recipe = Recipe::new(config, &MLP).with(&[("eps", "eps")]);
    if batch_norm {
        recipe =
            recipe.with(&[("bn_weight", "mlp.norm0.weight"), ("bn_bias", "mlp.norm0.bias")]).with_buffers(&[
                ("bn_running_mean", "mlp.norm0.running_mean"),
                ("bn_running_var", "mlp.norm0.running_var"),
            ]);
    }
    if settings.flag("train") { recipe.in_context(Ctx::train(0)) } else { recipe }
}

fn dense_gin(settings: &mut Settings) -> Recipe {
    let hidden = settings.width("hidden");
    if settings.flag("add_loop") {
        let config = json!({"kind": "gin", "eps": {"learned": 0.0}, "hidden": hidden});
        Recipe::new(config, &MLP).with(&[("eps", "eps")])
    } else {
        let config = json!({"kind": "gin", "eps": {"fixed": -1.0}, "hidden": hidden});
        Recipe::new(config, &MLP).without_influence("eps")
    }
}

const S2V: [(&str, &str); 4] = [
    ("node_weight", "node.weight"),
    ("node_bias", "node.bias"),
    ("conv_weight", "conv.weight"),
    ("conv_bias", "conv.bias"),
];

fn s2v(settings: &mut Settings) -> Recipe {
    embedding("s2v", settings)
}

fn s2v_loopy(settings: &mut Settings) -> Recipe {
    embedding("s2v-loopy", settings)
}

/// An output width of 0 stands for no output layer.
fn embedding(kind: &str, settings: &mut Settings) -> Recipe {
    let (hidden, edge) = (settings.width("hidden"), settings.width("edge"));
    let steps = settings.width("steps");
    let recipe = if settings.width("out") == 0 {
        Recipe::new(json!({"kind": kind, "steps": steps}), &S2V).with_outputs(hidden)
    } else {
        Recipe::new(json!({"kind": kind, "steps": steps, "hidden": hidden}), &S2V)
            .with(&[("out_weight", "out.weight"), ("out_bias", "out.bias")])
    };
    if edge == 0 {
        return recipe;
    }
    recipe.with(&[("edge_weight", "edge.weight"), ("edge_bias", "edge.bias")]).with_edge_features(edge)
}

fn ecc(settings: &mut Settings) -> Recipe {
    let bias = settings.flag("bias");
    let config = json!({"kind": "ecc", "hidden": settings.width("hidden"), "loops": "none", "bias": bias});
    let filter = [
        ("filter_0_weight", "filter.0.weight"),
        ("filter_0_bias", "filter.0.bias"),
        ("filter_1_weight", "filter.1.weight"),
        ("filter_1_bias", "filter.1.bias"),
    ];
    let recipe = Recipe::new(config, &filter).with_edge_features(settings.width("edge"));
    if bias { recipe.with(&[("bias", "bias")]) } else { recipe }
}

fn check_conv(case: &Case, kind: Kind, read: Read) {
    let mut settings = Settings::of(case);
    let recipe = read(&mut settings);
    let outputs = recipe.outputs.unwrap_or_else(|| settings.width("out"));
    let dims = Dims::new(settings.width("in"), outputs).with_edge_features(recipe.edge_features);
    settings.finish();

    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(kind);
    let layer = conv(&recipe.config, &Params::new(&store.root(), 0), &dims)
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    let parameters = recipe.fill(case, &store);

    let graph = Graph::of(case, kind);
    let y = layer.forward(&graph.level, recipe.ctx);
    let probed = ["x", "node", "graph"].into_iter().filter_map(|name| {
        case.try_real(&format!("out.{name}"))?;
        let value = match name {
            "graph" => segment::sum(&y, &graph.level.segments()).relu(),
            _ => y.shallow_clone(),
        };
        compare(case, &format!("out.{name}"), &value.detach());
        Some((value * set(case, &format!("probe.{name}"), kind)).sum(kind))
    });
    probed.reduce(|sum, part| sum + part).expect("an output is recorded").backward();
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

fn check_readout(case: &Case, kind: Kind, name: &str) {
    let mut settings = Settings::of(case);
    let features = settings.width("in");
    settings.finish();
    let store = VarStore::new(Device::Cpu);
    let layer =
        readout(&json!({"kind": name}), &Params::new(&store.root(), 0), &Dims::new(features, features))
            .unwrap_or_else(|error| panic!("{case}: {error}"));
    for graph in [Graph::of(case, kind), Graph::of(case, kind).padded()] {
        let y = layer.forward(&graph.level, Ctx::eval());
        compare(case, "out.x", &y.detach());
        (y * set(case, "probe.x", kind)).sum(kind).backward();
        graph.compare_gradients(case);
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
        }
    }
}

fn check_readouts(kind: Kind) {
    for name in READOUTS {
        for case in all("readout", name, kind) {
            check_readout(&case, kind, name);
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
    let known: [Vec<&str>; 2] = [CONVS.iter().map(|(op, _)| *op).collect(), READOUTS.to_vec()];
    for (family, known) in ["conv", "readout"].into_iter().zip(known) {
        let recorded = ops(env!("CARGO_MANIFEST_DIR"), family);
        let overlooked: Vec<&String> = recorded
            .iter()
            .filter(|op| !known.contains(&op.as_str()) && !ABSENT.contains(&op.as_str()))
            .collect();
        assert!(overlooked.is_empty(), "{family}: recorded, but neither compared nor absent: {overlooked:?}");
        let lost: Vec<&&str> = known.iter().filter(|op| !recorded.contains(**op)).collect();
        assert!(lost.is_empty(), "{family}: compared, but not recorded: {lost:?}");
    }
}

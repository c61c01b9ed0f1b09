//! How each recorded layer is written here: configuration, names of parameters.

use coarsen_nn::{Activation, Ctx};
use serde_json::json;

use super::recorded::{Graph, Recipe, Settings};

/// From the settings of a recorded run to a layer of this crate.
pub(crate) type Read = fn(&mut Settings) -> Recipe;

/// How each recorded convolution is written here.
pub(crate) const CONVS: &[(&str, Read)] = &[
    ("dense_gcn", dense_gcn),
    ("dense_gin", dense_gin),
    ("dense_graph_conv", dense_graph_conv),
    ("dense_sage", dense_sage),
    ("dense_sage_legacy14", dense_sage_legacy14),
    ("dgcnn_conv", dgcnn),
    ("diffpool_graph_conv", raw),
    ("ecc", ecc),
    ("gat", gat),
    ("gcn", gcn),
    ("gin", gin),
    ("graph_conv", graph_conv),
    ("le_conv", le_conv),
    ("le_conv_official", le_conv_official),
    ("s2v_loopy_bp", s2v_loopy),
    ("s2v_mean_field", s2v),
    ("sage_legacy14", sage_legacy14),
    ("sage_max", sage_max),
    ("sage_mean", sage_mean),
];

/// How each recorded readout is written here.
pub(crate) const READOUTS: &[(&str, Read)] = &[
    ("max", |_| Recipe::new(json!({"kind": "max"}), &[])),
    ("mean", |_| Recipe::new(json!({"kind": "mean"}), &[])),
    ("set2set", set2set),
    ("set2set_official", set2set_official),
    ("sort", |settings| Recipe::new(json!({"kind": "sort", "k": {"fixed": settings.width("k")}}), &[])),
    ("sum", |_| Recipe::new(json!({"kind": "sum"}), &[])),
];

fn gat(settings: &mut Settings) -> Recipe {
    let config = json!({
        "kind": "gat",
        "heads": settings.width("heads"),
        "merge": if settings.flag("concat") { "concat" } else { "mean" },
        "slope": settings.real("negative_slope"),
    });
    let roles = [("weight", "weight"), ("bias", "bias"), ("att_src", "att_src"), ("att_dst", "att_dst")];
    Recipe::new(config, &roles)
}

fn dgcnn(_: &mut Settings) -> Recipe {
    Recipe::new(json!({"kind": "dgcnn"}), &[("weight", "weight"), ("bias", "bias")])
        .ending_with(Activation::Tanh)
}

const LSTM: [(&str, &str); 4] = [
    ("lstm_weight_ih", "weight_ih"),
    ("lstm_weight_hh", "weight_hh"),
    ("lstm_bias_ih", "bias_ih"),
    ("lstm_bias_hh", "bias_hh"),
];

fn set2set(settings: &mut Settings) -> Recipe {
    Recipe::new(json!({"kind": "set2set", "steps": settings.width("steps")}), &LSTM)
}

fn set2set_official(_: &mut Settings) -> Recipe {
    let pred = [("pred_weight", "pred.weight"), ("pred_bias", "pred.bias")];
    Recipe::new(json!({"kind": "set2set-official"}), &LSTM).with(&pred)
}

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

const NEIGHBOUR_AND_ROOT: [(&str, &str); 3] = [
    ("neighbour_weight", "neighbour.weight"),
    ("neighbour_bias", "neighbour.bias"),
    ("root_weight", "root.weight"),
];

fn graph_conv(settings: &mut Settings) -> Recipe {
    graph_conv_with("count", settings)
}

fn dense_graph_conv(settings: &mut Settings) -> Recipe {
    graph_conv_with("floored", settings)
}

fn graph_conv_with(mean: &str, settings: &mut Settings) -> Recipe {
    let aggregation = match settings.text("aggr") {
        "add" => json!("sum"),
        "mean" => json!({"mean": mean}),
        other => json!(other),
    };
    Recipe::new(json!({"kind": "graph-conv", "aggregation": aggregation}), &NEIGHBOUR_AND_ROOT)
}

const LE_CONV: [(&str, &str); 4] = [
    ("lin1_weight", "neighbour.weight"),
    ("lin2_weight", "degree.weight"),
    ("lin3_weight", "root.weight"),
    ("lin3_bias", "root.bias"),
];

fn le_conv(_: &mut Settings) -> Recipe {
    Recipe::new(json!({"kind": "le-conv"}), &LE_CONV).with(&[("lin1_bias", "neighbour.bias")])
}

fn le_conv_official(_: &mut Settings) -> Recipe {
    let roles = [
        ("lin1_weight", "degree.weight"),
        ("lin1_bias", "degree.bias"),
        ("lin2_weight", "root.weight"),
        ("lin2_bias", "root.bias"),
        ("neighbour_weight", "neighbour.weight"),
    ];
    Recipe::new(json!({"kind": "le-conv", "form": "official"}), &roles).on(Graph::reversed)
}

fn raw(settings: &mut Settings) -> Recipe {
    let (add_self, normalize) = (settings.flag("add_self"), settings.flag("normalize"));
    let config = json!({"kind": "raw", "add_self": add_self, "normalize": normalize});
    Recipe::new(config, &[("weight", "weight"), ("bias", "bias")])
}

fn sage_max(settings: &mut Settings) -> Recipe {
    settings.is("aggr", &json!("max"));
    let (project, normalize) = (settings.flag("project"), settings.flag("normalize"));
    let config = json!({"kind": "sage-max", "project": project, "normalize": normalize});
    let recipe = Recipe::new(config, &NEIGHBOUR_AND_ROOT);
    if project {
        recipe.with(&[("project_weight", "project.weight"), ("project_bias", "project.bias")])
    } else {
        recipe
    }
}

fn sage_mean(settings: &mut Settings) -> Recipe {
    settings.is("aggr", &json!("mean"));
    settings.is("project", &json!(false));
    let config = json!({"kind": "sage", "averaging": "unweighted", "normalize": settings.flag("normalize")});
    Recipe::new(config, &NEIGHBOUR_AND_ROOT)
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

//! Every row of `MODELS` obeys the laws of networks, and so do hierarchical ones over every row of `POOLS`.

use coarsen_laws::{Laws, Passes, config, model};
use coarsen_model::MODELS;
use coarsen_nn::{Dims, Params};
use coarsen_pool::{Invariance, POOLS, invariance};
use serde_json::{Value, json};

/// Every network is tried before any is complained of.
fn obey(networks: impl IntoIterator<Item = (Value, Invariance)>, laws: &Laws) {
    let verdict = |(config, guarantee): (Value, Invariance)| {
        let make =
            |p: &Params, dims: &Dims| coarsen_model::model(&config, p, dims).expect("a valid configuration");
        model::check(make, guarantee, laws).err().map(|broken| format!("{config}: {broken}"))
    };
    let broken: Vec<String> = networks.into_iter().filter_map(verdict).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

fn laws() -> Laws {
    Laws::default().remembered(file!())
}

/// With biases that start at 0 its first block is homogeneous, so that its values at (i, j) and (j, i) may be equal but for rounding,
/// which then decides where the gradient of their maximum goes. Its values obey the law, see [`the_values_of_three_wl_have_no_order`];
/// gradients away from such ties are tested beside the network.
const STARTS_ON_TIES: &str = "three-wl";

/// Held to the laws by [`adamgnn`].
const DEEP: [&str; 2] = ["adamgnn", "adamgnn-official"];

#[test]
fn every_row() {
    let rows = MODELS.iter().filter(|spec| spec.name != STARTS_ON_TIES && !DEEP.contains(&spec.name));
    obey(rows.map(|spec| ((spec.example)(), spec.invariance)), &laws());
}

fn three_wl() -> [Value; 2] {
    [
        json!({"kind": STARTS_ON_TIES, "widths": [6, 5]}),
        json!({"kind": STARTS_ON_TIES, "widths": [6], "depth": 1, "last": "relu"}),
    ]
}

#[test]
fn three_wl_obeys_the_other_laws() {
    obey(three_wl().map(|config| (config, Invariance::Exact)), &laws().without("invariant"));
}

#[test]
fn the_values_of_three_wl_have_no_order() {
    let laws = Laws { gradient_tolerance: f64::INFINITY, ..laws() };
    for config in three_wl() {
        let make =
            |p: &Params, dims: &Dims| coarsen_model::model(&config, p, dims).expect("a valid configuration");
        model::invariant(&make, &laws).unwrap_or_else(|broken| panic!("{config}: {broken}"));
    }
}

#[test]
fn every_variant() {
    let variants = [
        json!({"kind": "flat", "conv": {"kind": "gcn"}, "hidden": 6, "norm": "none", "jump": "last"}),
        json!({"kind": "flat", "conv": {"kind": "gcn"}, "hidden": 6, "jump": "max"}),
        json!({"kind": "flat", "conv": {"kind": "gin"}, "hidden": 6, "layers": 1, "jump": "per-layer", "norm": "before"}),
        json!({"kind": "flat", "conv": {"kind": "s2v", "steps": 2}, "hidden": 6, "layers": 1, "jump": "last", "norm": "none",
               "readout": [{"kind": "sum"}]}),
        json!({"kind": "flat", "conv": {"kind": "ecc", "hidden": 3}, "hidden": 6, "layers": 2, "jump": "last",
               "readout": [{"kind": "mean"}]}),
        json!({"kind": "gin", "eps": {"learned": 0.0}, "layers": 3, "hidden": 6, "dropout": 0.0, "readout": {"kind": "mean"}}),
    ];
    obey(variants.map(|config| (config, Invariance::Exact)), &laws());
}

/// In graphs as small as those here a third level is often one node, whose parameters learn nothing; that they do in larger ones is
/// tested beside the network. Without a third level the attention over levels has nothing to choose from.
#[test]
fn adamgnn() {
    let shallow = [
        json!({"kind": "adamgnn", "hidden": 6, "levels": 2, "flyback": "off", "kl": "none"}),
        json!({"kind": "adamgnn", "hidden": 6, "levels": 2, "flyback": "off", "kl": "gaussian", "ego": {"hops": 2}}),
        json!({"kind": "adamgnn-official", "hidden": 6, "levels": 2, "flyback": "off", "kl": "dec", "ego": {"ties": "lower-index"}}),
    ];
    obey(shallow.map(|config| (config, Invariance::UpToTies)), &laws());
    let tanh = json!({"kind": "adamgnn", "hidden": 6, "levels": 3, "flyback": "unit", "kl": "gaussian", "activation": "tanh", "ego": {"hops": 2}});
    let rows = MODELS.iter().filter(|spec| DEEP.contains(&spec.name)).map(|spec| (spec.example)());
    let deep = rows.chain([tanh]).map(|config| (config, Invariance::UpToTies));
    obey(deep, &laws().without("every_parameter_learns"));
    let dropping = json!({"kind": "adamgnn-official", "hidden": 6, "levels": 3, "dropout": 0.5});
    let evaluated = Laws { passes: Passes::Evaluation, ..laws() }.without("every_parameter_learns");
    obey([(dropping, Invariance::UpToTies)], &evaluated);
}

/// Over other operators and with other convolutions, without ReLU, behind which few features leave nodes of equal score; the released network under a control and, in evaluation, with its dropout.
#[test]
fn u_nets() {
    let over =
        |pools: Value| json!({"kind": "graph-unet", "pools": pools, "hidden": 6, "activation": "tanh"});
    let exact = [
        (over(json!([{"kind": "g-pool"}, {"kind": "top-k"}])), Invariance::UpToTies),
        (over(json!([{"kind": "graclus"}])), Invariance::Seeded),
        (
            json!({"kind": "graph-unet", "hidden": 6, "skip": "concat", "activation": "tanh", "conv": {"kind": "graph-conv"}}),
            Invariance::UpToTies,
        ),
    ];
    obey(exact, &laws());
    let dropping = json!({"kind": "g-unet-official", "hidden": 6, "ratios": [0.8, 0.5], "dropout": 0.3});
    obey([(dropping, Invariance::UpToTies)], &Laws { passes: Passes::Evaluation, ..laws() });
    let controlled = json!({"kind": "g-unet-official", "hidden": 6, "ratios": [0.5], "control": "normal"});
    obey([(controlled, Invariance::Seeded)], &laws().without("every_parameter_learns"));
}

#[test]
fn hierarchies_read_behind_convolutions() {
    let over =
        |pool: Value| json!({"kind": "hierarchical", "pool": pool, "levels": 2, "hidden": 6, "post": 2});
    hierarchies(over);
}

/// Straight behind a pooling, a channel that the ReLU has shut is 0 in every cluster, and the gradient of its maximum goes to any of them.
/// Where clusters gather their members with weights of their own sum, it matters to which: the bias of the norm in front of the pooling
/// is weighed by that sum.
const GATHERS_WITH_ANY_SUM: &str = "ego";

fn read_at_the_poolings(pool: &Value) -> Value {
    json!({"kind": "hierarchical", "pool": pool, "levels": 2, "hidden": 6, "post": 1, "conv": {"kind": "gcn"},
           "read": "pools", "merge": "last"})
}

#[test]
fn hierarchies_read_at_the_poolings() {
    let over = |pool: Value| {
        let of_means = pool["kind"] == GATHERS_WITH_ANY_SUM;
        let mut network = read_at_the_poolings(&pool);
        if of_means {
            network["readout"] = json!([{"kind": "mean"}]);
        }
        network
    };
    hierarchies(over);
}

#[test]
fn maxima_straight_behind_ego_networks_have_no_order() {
    let config = read_at_the_poolings(&small(GATHERS_WITH_ANY_SUM));
    let make =
        |p: &Params, dims: &Dims| coarsen_model::model(&config, p, dims).expect("a valid configuration");
    let values = Laws { gradient_tolerance: f64::INFINITY, ..laws() };
    model::invariant(&make, &values).unwrap_or_else(|broken| panic!("{broken}"));
    model::check(make, Invariance::UpToTies, &laws().without("invariant"))
        .unwrap_or_else(|broken| panic!("{broken}"));
}

/// A network `over` each row of `POOLS`.
fn hierarchies(over: impl Fn(Value) -> Value) {
    obey(POOLS.iter().map(|spec| (over(small(spec.name)), spec.invariance)), &laws());
}

/// The row with few hidden features where it has any.
fn small(name: &str) -> Value {
    let mut pool = json!({"kind": name});
    if name.starts_with("diffpool") {
        pool["hidden"] = json!(6);
        pool["ratio"] = json!(0.5);
    }
    pool
}

/// Scores tie where a neighbourhood is the same for several nodes, as in complete graphs, which small coarser ones often are.
#[test]
fn most_hierarchies_are_held_to_the_order() {
    let laws = Laws { cases: 200, ..Laws::default() };
    for (pool, most) in [("top-k", 20), ("asap", 120), ("sagpool", 120)] {
        let config =
            json!({"kind": "hierarchical", "pool": small(pool), "levels": 2, "hidden": 6, "post": 2});
        let make =
            |p: &Params, dims: &Dims| coarsen_model::model(&config, p, dims).expect("a valid configuration");
        let tied = model::ties(&make, &laws).expect("nothing is asked");
        assert!(tied <= most, "{pool}: {tied} of 200 batches are left out");
    }
}

#[test]
fn hierarchies_of_controls() {
    let controlled = |name, control| {
        let mut pool = small(name);
        pool["control"] = json!(control);
        let guarantee = invariance(&pool).expect("a known kind");
        (json!({"kind": "hierarchical", "pool": pool, "hidden": 6, "post": 1}), guarantee)
    };
    let networks =
        ["diffpool", "top-k"].map(|name| ["normal", "invariant"].map(|control| controlled(name, control)));
    // The parameters of a score that is drawn at random learn nothing.
    obey(networks.into_iter().flatten(), &laws().without("every_parameter_learns"));
}

/// The release's statistics are those of slots over the batch: the order of the nodes and the graphs beside one change its logits.
#[test]
fn the_released_diffpool_is_not_exact() {
    let config = json!({"kind": "diffpool-official", "hidden": 4, "embed": 4, "ratio": 0.5, "link": "on"});
    let set2set = json!({"kind": "diffpool-official", "hidden": 4, "embed": 4, "pools": 0, "head": [], "read": "set2set"});
    let broken = Invariance::Broken(&["batch", "permutation"]);
    obey([(config.clone(), broken), (set2set, broken)], &laws());
    let make =
        |p: &Params, dims: &Dims| coarsen_model::model(&config, p, dims).expect("a valid configuration");
    let broken = model::check(make, Invariance::Exact, &Laws { cases: 64, ..Laws::default() })
        .expect_err("it breaks laws")
        .to_string();
    assert!(broken.starts_with("invariant does not hold"), "{broken}");
}

#[test]
fn every_configuration() {
    for spec in MODELS {
        config::check(spec.name, &(spec.example)(), &spec.build).unwrap_or_else(|broken| panic!("{broken}"));
    }
}

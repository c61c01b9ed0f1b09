//! The networks on a small batch: shapes, losses, plans, gradients, and what configurations are refused.
//!
//! Length: one list of networks is held to everything here.

use std::sync::Arc;

use coarsen_model::{HierarchicalConfig, Model, Operator, model};
use coarsen_nn::{Ctx, Dims, Params, Stream};
use coarsen_pool::{POOLS, PlanSpec};
use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Laplacian, Layout, Level, Pattern, Reduction, Segments, Sparse};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor, nn::VarStore};

/// Rings of these sizes; the features of a ring do not depend on the others.
fn rings(sizes: &[u32]) -> Level {
    let graphs = Arc::new(Segments::of_sizes(sizes.iter().copied()));
    let ring = |(&n, &first): (&u32, &u32)| {
        (0..n).flat_map(move |i| [(first + i, first + (i + 1) % n), (first + (i + 1) % n, first + i)])
    };
    let mut edges: Vec<(u32, u32)> = sizes.iter().zip(graphs.ptr()).flat_map(ring).collect();
    edges.retain(|(i, j)| i != j);
    edges.sort_unstable();
    edges.dedup();
    let nodes = graphs.rows();
    let csr = Csr::from_edges(nodes, nodes, edges).expect("simple graphs");
    let options = (Kind::Double, Device::Cpu);
    let of_ring = |&n: &u32| Stream::new(n.into()).normal(&[n.into(), 3], 0.0, 1.0, options);
    let x = Tensor::cat(&sizes.iter().map(of_ring).collect::<Vec<_>>(), 0);
    Level::new(x, Adjacency::Sparse(Sparse::new(Arc::new(Pattern::new(csr, graphs)), None, options)))
}

fn dims() -> Dims {
    Dims::new(3, 2).with_sizes([7, 5, 1, 4])
}

fn make(config: &Value) -> (VarStore, Box<dyn Model>) {
    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(Kind::Double);
    let made = model(config, &Params::new(&store.root(), 3), &dims());
    (store, made.unwrap_or_else(|e| panic!("{config}: {e}")))
}

fn refusal(config: &Value) -> String {
    let store = VarStore::new(Device::Cpu);
    model(config, &Params::new(&store.root(), 3), &dims()).expect_err("refused").to_string()
}

/// Networks of every kind that are not plain examples.
fn networks() -> Vec<Value> {
    let mut all = vec![
        json!({"kind": "adamgnn", "hidden": 6}),
        json!({"kind": "adamgnn", "hidden": 6, "levels": 2, "flyback": "off", "kl": "none", "ego": {"hops": 2, "width": 4}}),
        json!({"kind": "adamgnn-official", "hidden": 6, "levels": 3}),
        json!({"kind": "dgcnn"}),
        json!({"kind": "dgcnn", "conv": {"kind": "gcn"}, "widths": [6, 1], "k": {"fixed": 11}, "dense": 5, "dropout": 0.0}),
        json!({"kind": "flat", "hidden": 6, "jump": "last"}),
        json!({"kind": "flat", "hidden": 6, "jump": "last", "readout": [{"kind": "set2set"}, {"kind": "sort"}]}),
        json!({"kind": "flat", "hidden": 6, "jump": "cat", "dropout": 0.3}),
        json!({"kind": "flat", "hidden": 6, "jump": "max"}),
        json!({"kind": "hierarchical", "hidden": 6, "join": "max", "pool": {"kind": "graclus"}}),
        json!({"kind": "flat", "hidden": 6, "jump": "per-layer", "conv": {"kind": "gcn"}, "norm": "none"}),
        json!({"kind": "g-unet-official", "hidden": 6, "head": 5, "dropout": 0.3}),
        json!({"kind": "g-unet-official", "hidden": 6, "ratios": [0.5], "control": "normal"}),
        json!({"kind": "gin", "hidden": 6}),
        json!({"kind": "patchy-san"}),
        json!({"kind": "patchy-san", "labelling": "degree", "fields": 12, "stride": 2, "size": 3, "activation": "identity", "dropout": 0.0}),
        json!({"kind": "graph-unet", "hidden": 6, "out": 4, "dropout": 0.3}),
        json!({"kind": "graph-unet", "hidden": 6, "skip": "concat", "conv": {"kind": "sage"},
               "pools": [{"kind": "g-pool"}, {"kind": "graclus"}, {"kind": "asap"}]}),
        json!({"kind": "graph-unet", "hidden": 6, "pools": [{"kind": "top-k", "control": "uniform"}]}),
        json!({"kind": "hierarchical", "hidden": 6, "levels": 3, "pre": 1, "post": 1, "read": "pools", "merge": "sum",
               "pool": {"kind": "top-k", "keep": {"ratio": 0.8}}}),
        json!({"kind": "hierarchical", "hidden": 6, "pre": 2, "post": 1, "read": "pools", "merge": "last",
               "levels": 2, "pool": {"kind": "graclus"}, "readout": [{"kind": "mean"}]}),
        json!({"kind": "hierarchical", "hidden": 6, "levels": 2, "pre": 2, "post": 2, "last": 1, "join": "last", "merge": "last",
               "conv": {"kind": "ecc", "hidden": 4}, "pool": {"kind": "kron"}, "readout": [{"kind": "mean"}]}),
        json!({"kind": "hierarchical", "hidden": 6, "join": "last", "dropout": 0.2,
               "pools": [{"kind": "graclus"}, {"kind": "diffpool", "hidden": 5}, {"kind": "top-k"}]}),
    ];
    all.push(json!({"kind": "three-wl", "widths": [6, 5]}));
    all.push(json!({"kind": "three-wl", "widths": [6], "depth": 1, "last": "relu", "edges": "attributes"}));
    for spec in POOLS {
        for levels in 1..3 {
            let pool = json!({"kind": spec.name});
            all.push(json!({"kind": "hierarchical", "hidden": 6, "levels": levels, "pool": pool}));
        }
    }
    for control in ["normal", "uniform", "bernoulli", "invariant"] {
        let pool = json!({"kind": "diffpool", "control": control});
        all.push(json!({"kind": "hierarchical", "hidden": 6, "pool": pool}));
    }
    all
}

/// What a network answers for a batch: its logits, or its representation of the graphs.
fn answer(model: &dyn Model, g: &Level, ctx: Ctx) -> Tensor {
    let output = model.forward(&g.to_layout(model.needs().layout), ctx);
    output.logits.or(output.graphs).expect("an answer for every graph")
}

#[test]
fn every_network_answers_with_its_width() {
    for config in networks() {
        let (_store, model) = make(&config);
        for ctx in [Ctx::train(1), Ctx::eval()] {
            let y = answer(&*model, &rings(&[7, 5, 1, 4]), ctx);
            assert_eq!(y.size(), [4, model.out_features()], "{config}");
            assert!(y.isfinite().all().int64_value(&[]) == 1, "{config}");
        }
    }
}

#[test]
fn a_pass_is_a_function_of_its_context() {
    for config in networks() {
        let (_store, model) = make(&config);
        let y = |seed| answer(&*model, &rings(&[7, 5, 1, 4]), Ctx::train(seed));
        assert!(y(5).equal(&y(5)), "{config}");
    }
}

#[test]
fn in_evaluation_a_graph_is_answered_alike_in_any_batch() {
    for config in networks() {
        let (_store, model) = make(&config);
        let alone = answer(&*model, &rings(&[5]), Ctx::eval());
        let among = answer(&*model, &rings(&[7, 5, 1]), Ctx::eval()).narrow(0, 1, 1);
        let error = (alone - among).abs().max().double_value(&[]);
        assert!(error < 1e-9, "{config}: {error:e}");
    }
}

#[test]
fn every_parameter_of_the_default_network_learns() {
    // With one cluster a softmax learns nothing: a tenth of seven nodes is one.
    let hierarchical =
        json!({"kind": "hierarchical", "levels": 2, "pool": {"kind": "diffpool", "ratio": 0.5}});
    let plain = ["flat", "gin", "dgcnn", "graph-unet", "g-unet-official", "patchy-san", "three-wl"]
        .map(|kind| json!({"kind": kind}));
    for config in plain.into_iter().chain([hierarchical]) {
        let (store, model) = make(&config);
        let output = model.forward(&rings(&[7, 5, 1, 4]), Ctx::train(1));
        let y = output.logits.or(output.graphs).expect("an answer");
        let weights = Stream::new(4).normal(&y.size(), 0.0, 1.0, (Kind::Double, Device::Cpu));
        let mut parts: Vec<Tensor> = output.losses.iter().map(|loss| &loss.value * loss.weight).collect();
        parts.push((y * weights).sum(None));
        Tensor::stack(&parts, 0).sum(None).backward();
        for (name, value) in store.variables() {
            if value.requires_grad() {
                let learns = value.grad().defined() && value.grad().abs().max().double_value(&[]) > 0.0;
                assert!(
                    learns,
                    "{config}: {name}: {:?}",
                    value.grad().defined().then(|| value.grad().abs().max())
                );
            }
        }
    }
}

#[test]
fn the_losses_of_all_levels_are_passed_on() {
    let (_store, model) = make(&json!({"kind": "hierarchical", "levels": 2}));
    let losses = model.forward(&rings(&[7, 5]), Ctx::eval()).losses;
    let names: Vec<_> = losses.iter().map(|loss| loss.name).collect();
    assert_eq!(names, ["link", "entropy", "link", "entropy"]);
}

#[test]
fn plans_are_asked_for_as_far_as_they_reach() {
    let plans = |pools: Value| make(&json!({"kind": "hierarchical", "pools": pools})).1.needs().plans;
    let (graclus, top_k) = (json!({"kind": "graclus"}), json!({"kind": "top-k"}));
    assert_eq!(plans(json!([graclus, graclus, top_k])), [PlanSpec::Graclus; 2]);
    assert_eq!(plans(json!([top_k, graclus])), []);
    let kron = json!({"kind": "kron", "least": 0.1});
    let rule = PlanSpec::Kron(Reduction { laplacian: Laplacian::Normalized, least: 0.1 });
    assert_eq!(plans(json!([kron, graclus, top_k])), [rule, PlanSpec::Graclus]);
    let random = json!({"kind": "kron", "control": "normal"});
    assert_eq!(plans(json!([graclus, random, graclus])), [PlanSpec::Graclus]);
}

/// Nodes are answered in the order they came in, with the width asked for; a graph without nodes has an answer too.
#[test]
fn a_u_net_answers_for_nodes() {
    let (_store, model) = make(&json!({"kind": "graph-unet", "hidden": 6, "out": 4}));
    let output = model.forward(&rings(&[5, 0, 1]), Ctx::eval());
    assert_eq!(output.nodes.expect("nodes").size(), [6, 4]);
    assert_eq!(output.graphs.expect("graphs").size(), [3, model.out_features()]);
    assert_eq!(model.node_features(), Some(4));
}

#[test]
fn adamgnn_answers_for_nodes_and_graphs_and_shows_what_its_nodes_look_at() {
    for (kind, weight) in [("adamgnn", 0.1), ("adamgnn-official", 1.0)] {
        let (_store, model) = make(&json!({"kind": kind, "hidden": 4, "levels": 3}));
        let output = model.forward(&rings(&[5, 0, 1]), Ctx::eval().traced());
        assert_eq!(output.nodes.expect("nodes").size(), [6, 4]);
        assert_eq!(output.graphs.expect("graphs").size(), [3, model.out_features()]);
        assert_eq!(model.node_features(), Some(4));
        let losses: Vec<_> = output.losses.iter().map(|loss| (loss.name, loss.weight)).collect();
        assert_eq!(losses, [("kl", weight)]);
        let beta = output.traces.iter().find(|trace| trace.name == "flyback.beta").expect("a trace");
        assert_eq!(beta.value.size(), [2, 6]);
        let sums = beta.value.sum_dim_intlist([0i64].as_slice(), false, Kind::Double);
        assert!(sums.allclose(&sums.ones_like(), 1e-12, 1e-12, false));
    }
}

/// On rings large enough to be pooled three times. The bias in front of a leaky ReLU counts where scores of both signs meet in one
/// softmax, which not every ring has.
#[test]
fn every_parameter_of_the_deep_levels_of_adamgnn_learns() {
    for kind in ["adamgnn", "adamgnn-official"] {
        let (store, model) = make(&json!({"kind": kind, "hidden": 6}));
        for nodes in (60..120).step_by(10) {
            let output = model.forward(&rings(&[nodes]), Ctx::train(1));
            let losses = output.losses.iter().map(|loss| loss.value.sum(None));
            let answers = [output.nodes, output.graphs].into_iter().flatten().map(|y| y.square().sum(None));
            losses.chain(answers).reduce(|sum, loss| sum + loss).expect("answers").backward();
        }
        for (name, parameter) in store.variables() {
            assert!(parameter.grad().abs().max().double_value(&[]) > 1e-12, "{kind}: {name}");
        }
    }
}

/// Behind the last convolution of representations there is nothing: their products have both signs.
#[test]
fn a_flat_network_answers_for_nodes() {
    for conv in ["gcn", "sage", "gat", "gin"] {
        let config = json!({"kind": "flat", "conv": {"kind": conv}, "hidden": 5, "layers": 2, "jump": "last",
                            "norm": "none", "ending": "plain"});
        let (_store, model) = make(&config);
        let nodes = model.forward(&rings(&[5, 0, 1]), Ctx::eval()).nodes.expect("nodes");
        assert_eq!((nodes.size(), model.node_features()), (vec![6, 5], Some(5)), "{conv}");
        assert!(nodes.min().double_value(&[]) < 0.0, "{conv}");
    }
    assert_eq!(make(&json!({"kind": "hierarchical"})).1.node_features(), None);
}

#[test]
fn a_padded_preset_asks_for_padded_batches() {
    let layout = |kind: &str| make(&json!({"kind": "hierarchical", "pool": {"kind": kind}})).1.needs().layout;
    assert_eq!(
        ["diffpool", "diffpool-pyg", "top-k"].map(layout),
        [Layout::Sparse, Layout::Dense, Layout::Sparse]
    );
}

#[test]
fn traces_are_kept_when_asked_for() {
    let (_store, model) = make(&json!({"kind": "hierarchical"}));
    assert!(model.forward(&rings(&[4]), Ctx::eval()).traces.is_empty());
    let traces = model.forward(&rings(&[4]), Ctx::eval().traced()).traces;
    let names: Vec<_> = traces.iter().map(|trace| trace.name.as_str()).collect();
    assert_eq!(names, ["level0.x", "level0.score", "level0.s", "level1.x"]);
}

#[test]
fn the_depth_is_the_same_with_every_operator() {
    let convs = |pool: &str| {
        let (store, _model) = make(&json!({"kind": "hierarchical", "levels": 2, "pool": {"kind": pool}}));
        let mut names: Vec<String> = store.variables().into_keys().collect();
        names.retain(|name| name.ends_with("neighbour.weight") && !name.contains(".assign."));
        names.len()
    };
    assert_eq!(["diffpool", "graclus", "identity", "top-k"].map(convs), [2 + 3 + 3; 4]);
}

#[test]
fn an_operator_of_the_callers_goes_in() {
    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(Kind::Double);
    let make = |p: &Params, dims: &Dims| coarsen_pool::pool(&json!({"kind": "identity"}), p, dims);
    let own = [Operator { depth: 0, make: Box::new(make) }];
    let built = HierarchicalConfig::default().build_with(&own, &Params::new(&store.root(), 0), &dims());
    let model = built.expect("a network");
    assert_eq!(answer(&model, &rings(&[4]), Ctx::eval()).size(), [1, model.out_features()]);
}

#[test]
fn refusals_of_adamgnn_name_its_row() {
    let message = refusal(&json!({"kind": "adamgnn-official", "levels": 1}));
    assert_eq!(message, "adamgnn-official: `levels` must be at least 2, got 1");
    assert!(
        refusal(&json!({"kind": "adamgnn", "ego": {"dropout": 0.1}})).starts_with("adamgnn: `ego.dropout`")
    );
    assert!(refusal(&json!({"kind": "adamgnn-official", "ego": {"hobs": 2}})).contains("`hobs`"));
    assert!(refusal(&json!({"kind": "adamgnn", "ego": {"hops": 0}})).starts_with("ego: `hops`"));
}

#[test]
fn refusals_name_what_is_wrong() {
    let of = |mut config: Value| {
        config["kind"] = "hierarchical".into();
        refusal(&config)
    };
    assert_eq!(of(json!({"levels": 0})), "hierarchical: `levels` must be at least 1, got 0");
    assert!(of(json!({"pool": {"kind": "top-k"}, "pools": []})).contains("absent where `pools` is given"));
    assert!(of(json!({"merge": "sum"})).contains("unless all levels have one width"));
    assert!(of(json!({"readout": []})).contains("`readout` must be at least one readout"));
    assert!(
        of(json!({"pool": {"kind": "diffpool", "ratio": 2.0}}))
            .contains("diffpool: `ratio` must be in (0, 1], got 2")
    );
    assert!(of(json!({"conv": {"kind": "sag"}})).starts_with("unknown convolution `sag`"));
    let dense = refusal(&json!({"kind": "graph-unet", "pools": [{"kind": "diffpool"}]}));
    assert!(
        dense.starts_with("graph-unet: `pools` must be operators from sparse levels to sparse levels"),
        "{dense}"
    );
    assert_eq!(
        refusal(&json!({"kind": "g-unet-official", "ratios": [1.5]})),
        "g-pool: `ratio` must be in (0, 1], got 1.5"
    );
    assert_eq!(
        refusal(&json!({"kind": "diffpool-official", "read": "set2set"})),
        "diffpool-official: `read` must be max unless there is no pooling, got set2set"
    );
    assert_eq!(
        refusal(&json!({"kind": "gin", "layers": 1})),
        "gin: `layers` must be at least 2, the input being one, got 1"
    );
}

/// Attributes reach the convolutions of the input graph; behind a coarsening its weights take their place.
#[test]
fn edge_attributes_end_at_a_coarsening() {
    for (conv, before, behind) in [("ecc", "filter.0.weight", Some(1)), ("s2v", "edge.weight", None)] {
        for pool in ["graclus", "top-k", "diffpool", "diffpool-pyg"] {
            let config = json!({"kind": "hierarchical", "hidden": 6, "levels": 1, "pre": 3, "post": 1,
                                "conv": {"kind": conv}, "pool": {"kind": pool}});
            let mut level = rings(&[7, 5, 1, 4]);
            let Adjacency::Sparse(adj) = level.adj else { panic!("rings are sparse") };
            let attr = Stream::new(8).normal(&[adj.pattern.edges(), 2], 0.0, 1.0, adj.options);
            level.adj = Adjacency::Sparse(adj.with_attr(Some(attr)));
            let mut store = VarStore::new(Device::Cpu);
            store.set_kind(Kind::Double);
            let params = Params::new(&store.root(), 3);
            let network = model(&config, &params, &dims().with_edge_features(2))
                .unwrap_or_else(|error| panic!("{config}: {error}"));
            let level = level.to_layout(network.needs().layout);
            let y = network.forward(&level, Ctx::train(1)).graphs.expect("a row a graph");
            y.square().sum(Kind::Double).backward();
            let variables = store.variables();
            let width = |stage: &str| {
                let name = variables.keys().find(|name| name.contains(stage) && name.ends_with(before));
                name.map(|name| variables[name].size()[1])
            };
            assert_eq!(
                (width("convs0"), width("convs1")),
                (Some(2), behind),
                "{config}: {:?}",
                variables.keys()
            );
            for (name, variable) in &variables {
                let finite =
                    !variable.grad().defined() || variable.grad().isfinite().all().int64_value(&[]) == 1;
                assert!(finite, "{config}: {name}");
            }
        }
    }
}

/// With the attributes of edges asked for, the first block of 3WL-GNN has a channel for each.
#[test]
fn pairs_have_the_attributes_of_their_edges() {
    let mut level = rings(&[7, 5, 1, 5]);
    let Adjacency::Sparse(adj) = level.adj else { panic!("rings are sparse") };
    let attr = Stream::new(8).normal(&[adj.pattern.edges(), 2], 0.0, 1.0, adj.options);
    level.adj = Adjacency::Sparse(adj.with_attr(Some(attr)));
    for (edges, channels) in [("weights", 4), ("attributes", 6)] {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let params = Params::new(&store.root(), 3);
        let config = json!({"kind": "three-wl", "widths": [5], "edges": edges});
        let network = model(&config, &params, &dims().with_edge_features(2)).expect("a network");
        assert_eq!(store.variables()["block0.mlp1.0.weight"].size(), [5, channels]);
        assert!(network.needs().equal_sizes);
        let y = network.forward(&level, Ctx::eval()).logits.expect("a head of its own");
        assert_eq!(y.size(), [4, 2]);
    }
}

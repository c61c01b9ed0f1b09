//! AdamGNN's ego-networks against the released code and our reading of the paper, and features back from them.

use std::sync::Arc;

use coarsen_fixture::{Case, assert_equal, cases};
use coarsen_nn::{Config, Ctx, Dims, Params, Stream};
use coarsen_pool::ego_features::Rows;
use coarsen_pool::{EgoConfig, Pool, Unpool};
use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Assignment, Level, Pattern, Segments, Sparse};
use ndarray::{ArrayD, Axis};
use tch::{Device, Kind, Tensor, nn::VarStore};

use crate::record::{Objective, compare_edges, compare_pattern, integers, leaf, made_by, stacked};
use crate::{HERE, each};

const STACKED: [&str; 5] = ["x", "edge_index", "edge_weight", "ptr", "batch"];

fn run(op: &str, config: &[&str], names: &[(&str, &str)], of: impl Fn(&Case) -> EgoConfig) {
    let parameters: Vec<String> = names.iter().map(|(theirs, _)| format!("param.{theirs}")).collect();
    let inputs: Vec<&str> = STACKED.into_iter().chain(parameters.iter().map(String::as_str)).collect();
    each("pool", op, config, &inputs, |case, kind| check(case, kind, &of(case), names));
}

#[test]
fn agrees_with_the_released_code() {
    let names = [
        ("score_weight", "fitness.weight"),
        ("score_bias", "fitness.bias"),
        ("pool_weight", "features.weight"),
        ("pool_bias", "features.bias"),
    ];
    run("ego_official", &["in", "range"], &names, |case| EgoConfig {
        hops: hops(case, "range"),
        rows: Rows::Raw, // the network around the operator does that
        ..EgoConfig::official()
    });
}

#[test]
fn agrees_with_the_paper() {
    let names = [
        ("fitness_weight", "fitness.weight"),
        ("fitness_att", "fitness.vector"),
        ("pool_weight", "features.weight"),
        ("pool_att", "features.vector"),
    ];
    run("ego_paper", &["in", "slope", "hops", "att"], &names, |case| EgoConfig {
        hops: hops(case, "hops"),
        slope: case.config["slope"].as_f64().expect("a slope"),
        width: case.config["att"].as_i64(),
        ..EgoConfig::default()
    });
}

fn hops(case: &Case, name: &str) -> u8 {
    case.config[name].as_u64().expect("a number of steps").try_into().expect("few steps")
}

fn check(case: &Case, kind: Kind, config: &EgoConfig, names: &[(&str, &str)]) {
    config.check().expect("a configuration");
    let g = stacked(case, kind);
    let (ego, parameters) = made_by(case, kind, names, |p, dims| config.init(p, dims));
    let formed = ego.form(&g.level);
    let networks = ego.choose(&g.level, &formed, &formed.fitness);
    let pooled = ego.pool(&g.level, Ctx::eval());

    let same = |name: &str, got: &Tensor| {
        assert_equal(case, name, integers(got).view(), case.int(name).view());
    };
    same("out.phi_index", &Tensor::stack(&formed.pairs.ends(), 0));
    same("out.ego", &networks.egos());
    same("out.rest", networks.rest());
    if case.names().any(|name| name == "out.hyper") {
        same("out.hyper", networks.named());
    }
    let Assignment::Entries(s) = networks.assignment(&formed.phi) else { panic!("{case}: entries") };
    same("out.s_index", &Tensor::stack(&[s.relation.row(Device::Cpu), s.relation.col(Device::Cpu)], 0));

    let mut objective = Objective::default();
    objective.output(case, "phi", &formed.phi);
    objective.output(case, "phi_node", &formed.fitness);
    objective.output(case, "s_value", s.weight.as_ref().expect("weights"));
    objective.output(case, "x", &pooled.level.x);
    objective.output(case, "edge_weight", &edges(case, &pooled.level));
    let mut leaves = vec![("x", &g.x)];
    leaves.extend(parameters.iter().map(|(name, value)| (name.as_str(), value)));
    leaves.extend(g.weight.as_ref().map(|w| ("edge_weight", w)));
    objective.gradients(case, &leaves);
}

/// The released code takes the number of hyper-nodes from the edges between them, so that those behind the last one with an edge get
/// no loop. Here they do, of weight 1.
fn edges(case: &Case, level: &Level) -> Tensor {
    if case.names().any(|name| name == "out.batch") {
        return compare_edges(case, level).expect("weights");
    }
    let Adjacency::Sparse(a) = &level.adj else { panic!("{case}: a sparse level") };
    let last: i64 = case.int("out.edge_index").iter().copied().max().unwrap_or(-1);
    let beyond = a.pattern.col(Device::Cpu).gt(last);
    let added = a.weights().masked_select(&beyond);
    assert!(added.eq(1.0).all().int64_value(&[]) == 1, "{case}: loops of weight 1, got {added}");
    compare_pattern(case, a, |source, target| source <= last || source != target).expect("weights")
}

#[test]
fn features_come_back_as_a_product_and_as_a_mean() {
    for (op, unpool) in [("unpool_product", Unpool::Product), ("unpool_mean", Unpool::Mean)] {
        each("pool", op, &["nodes"], &["x", "s_index", "s_value"], |case, kind| lifts(case, kind, unpool));
    }
}

fn lifts(case: &Case, kind: Kind, unpool: Unpool) {
    let nodes = case.config["nodes"].as_u64().expect("a number") as usize;
    let (x, value) = (leaf(case, "x", kind), leaf(case, "s_value", kind));
    let none = Csr::empty(nodes, nodes).expect("no edges");
    let graphs = Arc::new(Segments::new(vec![0, nodes as u32]));
    let adj = Sparse::new(Arc::new(Pattern::new(none, graphs)), None, (kind, Device::Cpu));
    let g = Level::new(Tensor::zeros([nodes as i64, 1], (kind, Device::Cpu)), Adjacency::Sparse(adj));
    let index: ArrayD<i64> = case.int("s_index");
    let [node, cluster] = [0, 1].map(|side| index.index_axis(Axis(0), side).mapv(|i| i as u32));
    let entries: Vec<(u32, u32)> = node.iter().copied().zip(cluster.iter().copied()).collect();
    let clusters = Arc::new(Segments::new(vec![0, x.size()[0] as u32]));
    let s = Assignment::entries(&entries, Some(&value), clusters, &g);

    let mut objective = Objective::default();
    objective.output(case, "x", &unpool.lift(&x, &s));
    objective.gradients(case, &[("x", &x), ("s_value", &value)]);
}

/// The fitness of the released code is nearly fixed by the degrees, and so is what it selects.
#[test]
fn the_karate_club_has_three_egos_whatever_the_initialisation() {
    let club = cases(HERE, "pool", "ego_official").into_iter().find(|case| case.name == "karate");
    let club = club.expect("a recorded case");
    let g = stacked(&club, Kind::Double).level;
    for seed in 0..20 {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let (p, width) = (Params::new(&store.root(), seed), 16);
        let features = Stream::new(seed).normal(&[34, width], 0.0, 1.0, (Kind::Double, Device::Cpu));
        for g in [g.with_x(g.x.shallow_clone()), g.with_x(features)] {
            let dims = Dims::new(g.features(), 1);
            let ego = EgoConfig::official().init(&p.sub(g.features()), &dims);
            let formed = ego.form(&g);
            let networks = ego.choose(&g, &formed, &formed.fitness);
            let egos = Vec::<i64>::try_from(networks.egos()).expect("indices");
            assert_eq!((egos, networks.rest().size()), (vec![0, 24, 33], vec![1]), "seed {seed}");
        }
    }
}

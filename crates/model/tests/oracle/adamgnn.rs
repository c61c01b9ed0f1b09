//! AdamGNN and its flyback against the released code and our reading of the paper.

use std::sync::Arc;

use coarsen_fixture::{Case, assert_equal};
use coarsen_model::{AdamGnnConfig, Divergence, Flyback, FlybackForm, Model};
use coarsen_nn::{Ctx, Dims, Linear, Params};
use coarsen_pool::EgoConfig;
use coarsen_pool::ego_loss::gaussian_kl;
use coarsen_tensor::Segments;
use ndarray::arr1;
use tch::{Kind, Tensor};

use crate::each;
use crate::record::{Objective, leaf, stacked, store, take_parameters, width};

fn slope(case: &Case) -> f64 {
    case.config["slope"].as_f64().unwrap_or(0.01)
}

#[test]
fn the_flyback_agrees_with_the_release() {
    each("flyback_official", |case, kind| flyback(case, kind, FlybackForm::Unit));
}

#[test]
fn the_flyback_agrees_with_the_paper() {
    each("flyback_paper", |case, kind| flyback(case, kind, FlybackForm::Raw));
}

fn flyback(case: &Case, kind: Kind, form: FlybackForm) {
    let (store, levels) = (store(kind), leaf(case, "xs", kind));
    let sizes = (width(case, "in"), case.config["att"].as_i64().unwrap_or(1));
    let flyback = Flyback::new(form, &Params::new(&store.root(), 0), sizes, slope(case), 0.0);
    let parameters = take_parameters(case, &store, |role| match role {
        "att" => "vector".to_owned(),
        role => role.trim_start_matches("att_").to_owned(),
    });
    let rows: Vec<Tensor> = (0..width(case, "levels")).map(|l| levels.select(0, l)).collect();
    let (x, beta) = flyback.forward(&rows[0], &rows[1..], Ctx::train(0));

    let mut objective = Objective::default();
    objective.output(case, "x", &x);
    objective.output(case, "beta", &beta.expect("an attention"));
    let leaves = [("xs", &levels)].into_iter();
    objective.gradients(case, leaves.chain(parameters.iter().map(|(n, v)| (n.as_str(), v))));
}

/// `score0_weight` and `fitness0_att` are of the fitness of `pool0`, `pool0_bias` of its features.
fn renamed(role: &str) -> String {
    let (place, field) = role.rsplit_once('_').expect("a place and a field");
    let field = if field == "att" { "vector" } else { field };
    let of = |name: &str| place.strip_prefix(name);
    match (of("score").or_else(|| of("fitness")), of("pool")) {
        (Some(level), _) => format!("pool{level}.fitness.{field}"),
        (_, Some(level)) => format!("pool{level}.features.{field}"),
        _ => format!("{place}.{field}"),
    }
}

fn same_sizes(case: &Case, sizes: &[Arc<Segments>]) {
    let sizes: Vec<i64> = sizes.iter().map(|graphs| graphs.rows() as i64).collect();
    assert_equal(case, "out.level_sizes", arr1(&sizes).into_dyn().view(), case.int("out.level_sizes").view());
}

#[test]
fn the_network_agrees_with_the_release() {
    each("adamgnn_official", |case, kind| {
        let hidden = width(case, "hidden");
        let levels = width(case, "levels") as usize;
        let config = AdamGnnConfig { levels, hidden, ..AdamGnnConfig::official() };
        let x = leaf(case, "x", kind);
        let (g, weight) = stacked(case, &x, kind);
        let store = store(kind);
        let p = Params::new(&store.root(), 0);
        let network = config.build("adamgnn", &p, &Dims::new(width(case, "in"), 1)).expect("a configuration");
        let head = Linear::new(&p.sub("head"), hidden, width(case, "out"));
        let parameters = take_parameters(case, &store, renamed);

        let passed = network.pass(&g, Ctx::train(0));
        same_sizes(case, &passed.sizes);
        let mut objective = Objective::default();
        objective.output(case, "logits", &head.forward(&passed.nodes));
        // The release takes a batch for one graph.
        let one = Arc::new(Segments::new(vec![0, passed.nodes.size()[0] as u32]));
        let kl = gaussian_kl(&passed.nodes, &passed.levels[0], &one);
        objective.output(case, "loss.kl", &kl);
        let own = network.forward(&g, Ctx::train(0)).losses.remove(0);
        if g.graphs() == 1 {
            assert!(own.value.allclose(&kl, 1e-6, 1e-6, false), "{case}: {} {kl}", own.value);
        }
        objective.loss(kl);
        let leaves = [("x", &x)].into_iter().chain(weight.as_ref().map(|w| ("edge_weight", w)));
        objective.gradients(case, leaves.chain(parameters.iter().map(|(n, v)| (n.as_str(), v))));
    });
}

#[test]
fn the_network_agrees_with_the_paper() {
    each("adamgnn_paper", |case, kind| {
        let hops = u8::try_from(width(case, "hops")).expect("few steps");
        let ego =
            EgoConfig { hops, slope: slope(case), width: Some(width(case, "att")), ..EgoConfig::default() };
        let config = AdamGnnConfig {
            levels: width(case, "levels") as usize,
            hidden: width(case, "hidden"),
            ego,
            kl: Divergence::None,
            ..AdamGnnConfig::default()
        };
        let x = leaf(case, "x", kind);
        let (g, weight) = stacked(case, &x, kind);
        let store = store(kind);
        let p = Params::new(&store.root(), 0);
        let network = config.build("adamgnn", &p, &Dims::new(width(case, "in"), 1)).expect("a configuration");
        let parameters = take_parameters(case, &store, renamed);

        let passed = network.pass(&g, Ctx::train(0));
        same_sizes(case, &passed.sizes);
        let mut objective = Objective::default();
        objective.output(case, "x", &passed.nodes);
        objective.output(case, "beta", &passed.beta.expect("an attention"));
        for (l, level) in passed.levels.iter().enumerate() {
            objective.output(case, &format!("level{l}"), level);
        }
        let leaves = [("x", &x)].into_iter().chain(weight.as_ref().map(|w| ("edge_weight", w)));
        objective.gradients(case, leaves.chain(parameters.iter().map(|(n, v)| (n.as_str(), v))));
    });
}

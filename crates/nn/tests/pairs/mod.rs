//! The layers on pairs against recorded values and gradients, and their law: equivariance on pairs.

use crate::recorded::{Settings, compare, set};
use coarsen_fixture::{Case, cases};
use coarsen_nn::pair::{PairLayer, PpgnConfig, diagonal_maxima};
use coarsen_nn::{Config, Dims, Params, Stream};
use coarsen_tensor::by_libtorch;
use tch::{Device, Kind, Tensor, nn::VarStore, no_grad};

/// The name of a recorded parameter here: `mlp1_0_weight` is `mlp1.0.weight`.
fn own(role: &str) -> String {
    role.replace('_', ".")
}

fn check_block(case: &Case, kind: Kind) {
    let mut settings = Settings::of(case);
    let dims = Dims::new(settings.width("in"), settings.width("out"));
    let config = PpgnConfig { depth: settings.width("depth") as usize, ..PpgnConfig::default() };
    settings.finish();
    let mut store = VarStore::new(Device::Cpu);
    store.set_kind(kind);
    let block = config.init(&Params::new(&store.root(), 0), &dims);
    let roles: Vec<String> =
        case.names().filter_map(|name| name.strip_prefix("param.")).map(str::to_owned).collect();
    let variables = store.variables();
    assert_eq!(roles.len(), variables.len(), "{case}: recorded parameters, and those made");
    for role in &roles {
        let values = set(case, &format!("param.{role}"), kind);
        no_grad(|| variables[&own(role)].shallow_clone().copy_(&values));
    }

    let t = set(case, "t", kind).set_requires_grad(true);
    let y = block.forward(&t);
    compare(case, "out.t", &y.detach());
    (y * set(case, "probe.t", kind)).sum(kind).backward();
    compare(case, "grad.t", &t.grad());
    for role in &roles {
        compare(case, &format!("grad.param.{role}"), &variables[&own(role)].grad());
    }
    case.finish();
}

fn check_suffix(case: &Case, kind: Kind) {
    let t = set(case, "t", kind).set_requires_grad(true);
    let y = diagonal_maxima(&t);
    compare(case, "out.x", &y.detach());
    (y * set(case, "probe.x", kind)).sum(kind).backward();
    compare(case, "grad.t", &t.grad());
    case.finish();
}

/// All cases of an operation, in both precisions and either way.
fn every(family: &str, op: &str, check: fn(&Case, Kind)) {
    for kind in [Kind::Double, Kind::Float] {
        for mut case in cases(env!("CARGO_MANIFEST_DIR"), family, op) {
            if kind == Kind::Float {
                case.tolerance = 1e-4;
            }
            check(&case, kind);
            by_libtorch(|| check(&case, kind));
        }
    }
}

#[test]
fn blocks_agree() {
    every("conv", "ppgn_block", check_block);
}

#[test]
fn suffixes_agree() {
    every("readout", "ppgn_suffix", check_suffix);
}

/// As many random blocks and batches as the laws have cases: renumbered pairs give renumbered pairs, and graph vectors do not change.
#[test]
fn renumbering_the_nodes_renumbers_the_pairs() {
    let cases = std::env::var("COARSEN_LAW_CASES").map_or(64, |n| n.parse().expect("a number of cases"));
    for seed in 0..cases {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let (nodes, channels) = (1 + seed as i64 % 7, 1 + seed as i64 % 3);
        let config = PpgnConfig { depth: 1 + seed as usize % 3, ..PpgnConfig::default() };
        let block = config.init(&Params::new(&store.root(), seed), &Dims::new(channels, 4));
        let draw = |name: &str, shape: &[i64]| {
            Stream::named(seed, name).normal(shape, 0.0, 1.0, (Kind::Double, Device::Cpu))
        };
        let t = draw("t", &[2, channels, nodes, nodes]);
        let order = draw("order", &[nodes]).argsort(0, false);
        let renumbered = |t: &Tensor| t.index_select(2, &order).index_select(3, &order);

        let (y, other) = (block.forward(&t), block.forward(&renumbered(&t)));
        assert!(renumbered(&y).allclose(&other, 1e-10, 1e-10, false), "seed {seed}");
        assert!(diagonal_maxima(&y).allclose(&diagonal_maxima(&other), 1e-10, 1e-10, false), "seed {seed}");
        let alone = block.forward(&t.narrow(0, 1, 1));
        assert!(alone.allclose(&y.narrow(0, 1, 1), 1e-10, 1e-10, false), "seed {seed}");
    }
}

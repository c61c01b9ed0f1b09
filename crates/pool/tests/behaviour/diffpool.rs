//! What a configuration of DiffPool makes.

use coarsen_nn::{Ctx, Dims, Params};
use coarsen_pool::Pooled;
use coarsen_tensor::{Adjacency, Assignment, Layout};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor, nn::VarStore};

use crate::batch::{FEATURES, HOUSE, POINT, STAR, batch, close, dims, operator};

/// The largest graph has 6 nodes, so `K = 3`.
#[test]
fn the_last_assigning_layer_is_as_wide_as_asked_for() {
    for (width, last, joined) in [(json!("hidden"), 7, 21), (json!("clusters"), 3, 17)] {
        let config =
            json!({"kind": "diffpool", "ratio": 0.5, "layers": 3, "hidden": 7, "assign_width": width});
        let (store, pool) = operator(&config, Kind::Float);
        let size = |name: &str| store.variables()[name].size();
        assert_eq!(size("assign.conv1.neighbour.weight"), [7, 7], "{width}");
        assert_eq!(size("assign.conv2.neighbour.weight"), [last, 7], "{width}");
        assert_eq!(size("assign.norm2.weight"), [last], "{width}");
        assert_eq!(size("assign.linear.weight"), [3, joined], "{width}");
        assert_eq!(size("embed.conv2.neighbour.weight"), [7, 7], "{width}");
        let pooled = pool.pool(&batch(&[HOUSE, STAR, POINT], Kind::Float), Ctx::train(1));
        assert_eq!(pooled.level.x.size(), [3, 3, 21], "{width}");
    }
    let usual = json!({"kind": "diffpool", "ratio": 0.5, "layers": 3, "hidden": 7});
    let (store, _) = operator(&usual, Kind::Float);
    assert_eq!(store.variables()["assign.linear.weight"].size(), [3, 21], "the default");
}

#[test]
fn a_ratio_is_in_the_unit_interval() {
    for ratio in [0.0, -0.5, 1.5] {
        let store = VarStore::new(Device::Cpu);
        let config = json!({"kind": "diffpool", "ratio": ratio});
        let made = coarsen_pool::pool(&config, &Params::new(&store.root(), 1), &dims());
        let message = made.expect_err("refused").to_string();
        assert_eq!(message, format!("diffpool: `ratio` must be in (0, 1], got {ratio}"));
    }
}

#[test]
fn a_batch_is_kept_together_by_the_losses_of_pyg_alone() {
    for (kind, divides) in [("diffpool", true), ("diffpool-pyg", false)] {
        assert_eq!(operator(&json!({"kind": kind}), Kind::Float).1.divides(), divides, "{kind}");
    }
}

#[test]
fn without_the_link_loss_the_entropy_stays() {
    let g = batch(&[HOUSE, STAR, POINT], Kind::Double);
    let losses = |config: &Value| {
        let (_store, pool) = operator(config, Kind::Double);
        pool.pool(&g, Ctx::train(1)).selection.losses
    };
    let both = losses(&json!({"kind": "diffpool", "ratio": 0.5}));
    let no_link = losses(&json!({"kind": "diffpool", "ratio": 0.5, "losses": "entropy"}));
    assert_eq!(both.iter().map(|loss| loss.name).collect::<Vec<_>>(), ["link", "entropy"]);
    let [entropy] = no_link.as_slice() else { panic!("{no_link:?}") };
    assert_eq!((entropy.name, entropy.weight), ("entropy", 1.0));
    assert!(entropy.value.equal(&both[1].value));
}

/// structure2vec embeds, GraphSAGE assigns.
#[test]
fn the_two_networks_can_be_of_different_convolutions() {
    let config = json!({
        "kind": "diffpool", "ratio": 0.5, "layers": 1, "hidden": 7, "norm": "none",
        "conv": {"kind": "s2v", "steps": 1}, "assign": {"layers": 2},
    });
    let (store, pool) = operator(&config, Kind::Float);
    let size = |name: &str| store.variables()[name].size();
    assert_eq!(size("embed.conv0.node.weight"), [7, FEATURES]);
    assert_eq!(size("assign.conv1.neighbour.weight"), [7, 7]);
    assert_eq!(size("assign.linear.weight"), [3, 14]);
    assert!(!store.variables().contains_key("embed.conv1.node.weight"));
    let pooled = pool.pool(&batch(&[HOUSE, STAR, POINT], Kind::Float), Ctx::train(1));
    assert_eq!(pooled.level.x.size(), [3, 3, 7]);
    assert_eq!(coarsen_pool::depth(&config).expect("a configuration"), 1, "convolutions that embed");
}

/// `X' = Sᵀ Z` and `A' = Sᵀ A S` of one-hot rows, with columns of zeros for the clusters that a smaller graph does not have.
#[test]
fn a_clustering_is_a_masked_assignment_of_ones() {
    let g = batch(&[HOUSE, POINT, STAR], Kind::Double);
    let (_store, pool) = operator(&json!({"kind": "diffpool-det", "ratio": 0.5, "hidden": 4}), Kind::Double);
    let Pooled { level, selection, .. } = pool.pool(&g, Ctx::eval());
    assert!(selection.losses.is_empty());
    assert_eq!(level.segments().sizes().collect::<Vec<_>>(), [3, 1, 3], "half of 5, 1 and 6");

    // House: 0 takes 3, 1 takes 2. Star: leaf 1 takes 0; 5 has no edge; then 2 takes {0, 1}, and 3 that.
    let clusters = [vec![0, 1, 1, 0, 2], vec![0], vec![0, 0, 0, 0, 1, 2]];
    let mut s = vec![0f64; 3 * 6 * 3];
    for (b, of_graph) in clusters.iter().enumerate() {
        for (i, c) in of_graph.iter().enumerate() {
            s[(b * 6 + i) * 3 + c] = 1.0;
        }
    }
    let s = Tensor::from_slice(&s).view([3, 6, 3]);
    let dense = g.with_x(selection.z.expect("an embedding")).to_layout(Layout::Dense);
    let Adjacency::Dense(a) = &dense.adj else { panic!("asked for a dense level") };
    let padded = level.to_layout(Layout::Dense);
    let Adjacency::Dense(coarse) = &padded.adj else { panic!("asked for a dense level") };
    close("X'", &padded.x, &s.transpose(1, 2).matmul(&dense.x), 1e-12);
    close("A'", &coarse.a, &s.transpose(1, 2).matmul(&a.a).matmul(&s), 1e-12);
    let mask = padded.mask().expect("graphs of different sizes");
    close("the mask", mask, &Tensor::from_slice2(&[[1f64, 1., 1.], [1., 0., 0.], [1., 1., 1.]]), 0.0);
}

#[test]
fn a_clustering_of_clusters_goes_by_the_edges_between_them() {
    let det = |dims: &Dims| {
        let mut store = VarStore::new(Device::Cpu);
        store.set_kind(Kind::Double);
        let config = json!({"kind": "diffpool-det", "ratio": 0.6, "hidden": 4, "layers": 1});
        coarsen_pool::pool(&config, &Params::new(&store.root(), 1), dims).expect("an operator")
    };
    let first = det(&dims());
    let once = first.pool(&batch(&[HOUSE], Kind::Double), Ctx::eval());
    let twice = det(&first.coarsened(&dims())).pool(&once.level, Ctx::eval());
    // Two edges join {0, 3} and {1, 2}, and one goes from each to 4.
    let Assignment::Entries(s) = &twice.selection.s else { panic!("a clustering") };
    assert_eq!(s.relation.csr().col(), [0, 0, 1]);
    close("degrees", &twice.level.adj.degree(), &Tensor::from_slice(&[10f64, 2.]), 0.0);
}

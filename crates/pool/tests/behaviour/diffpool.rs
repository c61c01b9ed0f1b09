//! What a configuration of DiffPool makes.

use coarsen_nn::Ctx;
use serde_json::json;
use tch::Kind;

use crate::batch::{HOUSE, POINT, STAR, batch, operator};

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

//! What is declared is taken at its word.

use coarsen_laws::{Laws, pool};
use coarsen_nn::{Dims, Params};
use coarsen_pool::{Invariance, Pool};
use serde_json::{Value, json};

use crate::laws;

fn verdict(config: &Value, guarantee: Invariance, laws: &Laws) -> Result<(), String> {
    let make = |p: &Params, dims: &Dims| -> Box<dyn Pool> {
        coarsen_pool::pool(config, p, dims).expect("a valid configuration")
    };
    pool::check(make, guarantee, laws).map_err(|broken| broken.to_string())
}

#[test]
fn a_broken_law_must_break() {
    let top_k = json!({"kind": "top-k"});
    let message = verdict(&top_k, Invariance::Broken(&["padding"]), &laws()).expect_err("it holds");
    assert_eq!(message, "padding_inert is declared broken, but holds in 64 cases");
}

#[test]
fn seeded_lets_off_nothing_but_the_order() {
    let by_position = json!({"kind": "top-k", "control": "normal"});
    let unlearned = laws().without("every_parameter_learns");
    assert_eq!(verdict(&by_position, Invariance::Seeded, &unlearned), Ok(()));
    let message = verdict(&by_position, Invariance::Exact, &unlearned).expect_err("positions are an order");
    assert!(message.starts_with("invariant does not hold: "), "{message}");
    let message = verdict(&by_position, Invariance::Seeded, &laws()).expect_err("the score is not learned");
    assert!(message.contains("nothing but 0 is the gradient of p\n"), "{message}");
}

#[test]
fn a_mistyped_law_is_named() {
    let top_k = json!({"kind": "top-k"});
    let message = verdict(&top_k, Invariance::Exact, &laws().without("padding")).expect_err("there is none");
    assert!(message.starts_with("unknown law `padding`; known are well_formed, finite, "), "{message}");
    let message = verdict(&top_k, Invariance::Broken(&["batches"]), &laws()).expect_err("there is none");
    assert_eq!(message, "unknown law `batches`; known are permutation, padding, batch");
}

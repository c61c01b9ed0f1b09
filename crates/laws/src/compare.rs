//! When two tensors agree.

use coarsen_graph::counterexample::agree;
use tch::{Kind, Tensor};

/// Compares `got` with `want`: equal shapes and `max|got − want| ≤ tolerance · max(1, max|want|)`. NaN and infinity agree with nothing.
///
/// # Errors
///
/// Where they differ first, both values, and how much was allowed; `what` names the value.
pub fn close(what: &str, got: &Tensor, want: &Tensor, tolerance: f64) -> Result<(), String> {
    if got.size() != want.size() {
        return Err(format!("{what} has shape {:?} in place of {:?}", got.size(), want.size()));
    }
    if want.numel() == 0 || largest(&(got - want)) <= tolerance * largest(want).max(1.0) {
        return Ok(());
    }
    let shape: Vec<usize> = want.size().iter().map(|&width| width as usize).collect();
    agree(what, &numbers(got), &numbers(want), &shape, tolerance)
}

fn numbers(t: &Tensor) -> Vec<f64> {
    Vec::try_from(t.detach().to_kind(Kind::Double).reshape(-1)).expect("double precision")
}

/// Whether two nodes of a graph have equal scores, up to rounding.
///
/// # Panics
///
/// When `score` has not one number for each of the nodes that `sizes` counts.
pub fn tied(score: &Tensor, sizes: &[u32]) -> bool {
    const ROUNDING: f64 = 1e-9;
    let score = Vec::<f64>::try_from(score.detach().to_kind(Kind::Double).reshape(-1)).expect("real scores");
    let mut rest = score.as_slice();
    sizes.iter().any(|&n| {
        let (graph, others) = rest.split_at(n as usize);
        rest = others;
        let mut graph = graph.to_vec();
        graph.sort_by(f64::total_cmp);
        graph.windows(2).any(|pair| pair[1] - pair[0] < ROUNDING)
    })
}

/// Checks that every number is one.
///
/// # Errors
///
/// When `t` holds NaN or an infinity; `what` names it.
pub fn finite(what: &str, t: &Tensor) -> Result<(), String> {
    require(t.numel() == 0 || largest(t).is_finite(), || format!("{what} is not finite"))
}

/// Checks that every number is 0.
///
/// # Errors
///
/// When one is not; `what` names the tensor.
pub fn zero(what: &str, t: &Tensor) -> Result<(), String> {
    close(what, t, &t.zeros_like(), 0.0)
}

/// `Ok` where `holds`, otherwise `what`.
///
/// # Errors
///
/// Unless `holds`.
pub(crate) fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// Largest magnitude of a tensor that is not empty; NaN where there is one.
pub(crate) fn largest(t: &Tensor) -> f64 {
    t.detach().to_kind(Kind::Double).abs().max().double_value(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Tensor {
        Tensor::from_slice(values)
    }

    #[test]
    fn the_tolerance_is_relative_from_one_on() {
        assert!(close("x", &of(&[1000.0, 0.0]), &of(&[1000.5, 0.0]), 1e-3).is_ok());
        assert!(close("x", &of(&[0.0]), &of(&[0.5]), 1e-3).is_err());
        let message = close("x", &of(&[1.0]), &of(&[3.0]), 1e-3).unwrap_err();
        let want =
            "x differs first at [0]: 1.0 in place of 3.0; off by up to 2.000e0 where 3.0e-3 is allowed";
        assert_eq!(message, want);
    }

    #[test]
    fn shapes_and_numbers_that_are_none_never_agree() {
        assert!(close("x", &of(&[1.0]), &of(&[1.0, 1.0]), 1.0).is_err());
        assert!(close("x", &of(&[f64::NAN]), &of(&[f64::NAN]), 1.0).is_err());
        assert!(close("x", &of(&[f64::INFINITY]), &of(&[f64::INFINITY]), 1.0).is_err());
        assert!(close("x", &of(&[]), &of(&[]), 0.0).is_ok());
        assert!(finite("x", &of(&[1.0, f64::NAN])).is_err() && finite("x", &of(&[])).is_ok());
        assert!(zero("x", &of(&[0.0, -0.0])).is_ok() && zero("x", &of(&[1e-300])).is_err());
    }
}

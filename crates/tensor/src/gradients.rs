//! Gradients of one set of parameters, computed on several.
#![allow(unsafe_code)] // one call into C++

use std::ffi::{c_char, c_int};

use tch::Tensor;

use crate::error::Error;
use crate::foreign::told;

type Raw = *const torch_sys::C_tensor;

unsafe extern "C" {
    fn coarsen_move_gradients(
        to: *const Raw,
        from: *const Raw,
        n: i64,
        message: *mut c_char,
        room: usize,
    ) -> c_int;
}

/// Adds the gradients of `from` to those of `to`, pair by pair, and drops them; where one has none, the other's is the sum.
///
/// # Errors
///
/// When LibTorch refuses, as for two shapes.
///
/// # Panics
///
/// When there are not as many of both.
pub fn move_gradients(to: &[Tensor], from: &[Tensor]) -> Result<(), Error> {
    assert_eq!(to.len(), from.len(), "gradients are moved pair by pair");
    let raw = |tensors: &[Tensor]| tensors.iter().map(Tensor::as_ptr).collect::<Vec<Raw>>();
    let (to, from) = (raw(to), raw(from));
    // SAFETY: both lists hold as many live tensors as counted, and nothing is kept after the call.
    told(|message, room| unsafe {
        coarsen_move_gradients(to.as_ptr(), from.as_ptr(), to.len() as i64, message, room)
    })
    .map_err(|message| Error::Libtorch { what: "a sum of gradients", message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn sums_and_lonely_gradients_by_hand() {
        let leaf = || Tensor::from_slice(&[1.0f64, 2.0]).set_requires_grad(true);
        let (to, from) = ([leaf(), leaf(), leaf(), leaf()], [leaf(), leaf(), leaf(), leaf()]);
        let learn = |x: &Tensor, slope: f64| (x * slope).sum(Kind::Double).backward();
        learn(&to[0], 1.0);
        learn(&from[0], 2.0);
        learn(&to[1], 4.0);
        learn(&from[2], 8.0);
        move_gradients(&to, &from).unwrap();
        for (to, want) in to.iter().zip([3.0, 4.0, 8.0]) {
            assert_eq!(Vec::<f64>::try_from(to.grad()).unwrap(), [want, want]);
        }
        assert!(!to[3].grad().defined());
        assert!(from.iter().all(|from| !from.grad().defined()));
    }

    #[test]
    fn two_shapes_are_refused() {
        let (a, b) = (Tensor::from_slice(&[1.0f64, 2.0, 3.0]), Tensor::from_slice(&[1.0f64, 2.0]));
        let leaves = [a, b].map(|t| t.set_requires_grad(true));
        for leaf in &leaves {
            leaf.sum(Kind::Double).backward();
        }
        let error = move_gradients(&leaves[..1], &leaves[1..]).unwrap_err().to_string();
        assert!(error.starts_with("a sum of gradients: LibTorch refused: "), "{error}");
    }
}

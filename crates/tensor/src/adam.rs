//! The Adam optimiser in one call a step.
#![allow(unsafe_code)] // one call into C++

use std::ffi::{c_char, c_int};

use tch::{Device, Kind, Tensor};

use crate::error::Error;
use crate::foreign::told;

type Raw = *mut torch_sys::C_tensor;

unsafe extern "C" {
    fn coarsen_adam(
        tensors: *const Raw,
        n: i64,
        step: Raw,
        lr: f64,
        beta1: f64,
        beta2: f64,
        eps: f64,
        weight_decay: f64,
        message: *mut c_char,
        room: usize,
    ) -> c_int;
}

/// Adam (Kingma and Ba 2015, algorithm 1) by LibTorch's fused kernel: all parameters in one call.
///
/// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, `θ ← θ − lr · m̂ / (√v̂ + ε)` with the bias-corrected `m̂`, `v̂`; the weight
/// decay is added to the gradient (`L₂`, not decoupled), as PyTorch's `Adam` does.
///
/// # Complexity
///
/// Time O(numbers), and the memory of two moments a parameter.
#[derive(Debug)]
pub struct Adam {
    /// Parameters, then first moments, then second moments.
    tensors: Vec<Tensor>,
    /// Steps taken, counted for all parameters together.
    steps: Tensor,
    weight_decay: f64,
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;

impl Adam {
    /// An optimiser of these parameters with `β = (0.9, 0.999)` and `ε = 1e-8`.
    pub fn new(parameters: Vec<Tensor>, weight_decay: f64) -> Self {
        let device = parameters.first().map_or(Device::Cpu, Tensor::device);
        let moments: Vec<Tensor> = parameters.iter().chain(&parameters).map(Tensor::zeros_like).collect();
        let tensors = parameters.into_iter().chain(moments.into_iter().map(|m| m.set_requires_grad(false)));
        Self { tensors: tensors.collect(), steps: Tensor::zeros([], (Kind::Float, device)), weight_decay }
    }

    fn parameters(&self) -> &[Tensor] {
        &self.tensors[..self.tensors.len() / 3]
    }

    /// Scales the gradients so that their Euclidean norm, taken over all parameters, is at most `most`.
    pub fn clip_norm(&self, most: f64) {
        tch::no_grad(|| {
            let grads: Vec<Tensor> =
                self.parameters().iter().map(Tensor::grad).filter(Tensor::defined).collect();
            let norms: Vec<Tensor> = grads.iter().map(Tensor::norm).collect();
            if norms.is_empty() {
                return;
            }
            let factor = (most / (Tensor::stack(&norms, 0).norm() + 1e-6)).clamp_max(1.0);
            for mut grad in grads {
                let _ = grad.g_mul_(&factor);
            }
        });
    }

    /// One step along the gradients, which are dropped. A parameter without a gradient stays as it is.
    ///
    /// # Errors
    ///
    /// When LibTorch refuses, as for parameters of an integer kind.
    pub fn step(&mut self, lr: f64) -> Result<(), Error> {
        let raw: Vec<Raw> = self.tensors.iter().map(|t| t.as_ptr().cast_mut()).collect();
        let (parameters, steps) = (self.parameters().len() as i64, self.steps.as_mut_ptr());
        let (raw, decay) = (raw.as_ptr(), self.weight_decay);
        // SAFETY: `raw` holds three live tensors for each parameter counted. Nothing is kept after the call.
        told(|message, room| unsafe {
            coarsen_adam(raw, parameters, steps, lr, BETA1, BETA2, EPS, decay, message, room)
        })
        .map_err(|message| Error::Libtorch { what: "a step of Adam", message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two steps against algorithm 1 worked in double precision.
    #[test]
    fn two_steps_by_hand() {
        for weight_decay in [0.0, 0.1] {
            let start = [0.5f64, -2.0, 3.0];
            let theta = Tensor::from_slice(&start).set_requires_grad(true);
            let idle = Tensor::from_slice(&[7.0f64]).set_requires_grad(true);
            let mut adam = Adam::new(vec![theta.shallow_clone(), idle.shallow_clone()], weight_decay);
            let (mut want, mut m, mut v) = (start, [0.0; 3], [0.0; 3]);
            for step in 1..=2 {
                (&theta * &theta).sum(Kind::Double).backward();
                adam.step(0.1).unwrap();
                for i in 0..3 {
                    let g = 2.0 * want[i] + weight_decay * want[i];
                    m[i] = BETA1 * m[i] + (1.0 - BETA1) * g;
                    v[i] = BETA2 * v[i] + (1.0 - BETA2) * g * g;
                    let (mh, vh) = (m[i] / (1.0 - BETA1.powi(step)), v[i] / (1.0 - BETA2.powi(step)));
                    want[i] -= 0.1 * mh / (vh.sqrt() + EPS);
                }
                let got = Vec::<f64>::try_from(theta.detach()).unwrap();
                assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-9), "{got:?}, want {want:?}");
                assert!(!theta.grad().defined(), "the gradient is dropped");
            }
            assert_eq!(Vec::<f64>::try_from(idle.detach()).unwrap(), [7.0]);
        }
    }

    #[test]
    fn clipping_keeps_the_direction() {
        let a = Tensor::from_slice(&[0.0f64, 0.0]).set_requires_grad(true);
        let b = Tensor::from_slice(&[0.0f64]).set_requires_grad(true);
        let adam = Adam::new(vec![a.shallow_clone(), b.shallow_clone()], 0.0);
        (&a * Tensor::from_slice(&[3.0f64, 0.0])).sum(Kind::Double).backward();
        (&b * 4.0).sum(Kind::Double).backward();
        adam.clip_norm(10.0);
        assert_eq!(Vec::<f64>::try_from(b.grad()).unwrap(), [4.0]);
        adam.clip_norm(1.0);
        let got = [a.grad().double_value(&[0]), b.grad().double_value(&[0])];
        assert!((got[0] - 0.6).abs() < 1e-6 && (got[1] - 0.8).abs() < 1e-6, "{got:?}");
    }
}

//! Levels and checks shared by the tests of this crate.
#![allow(dead_code)] // each test file uses some of them

use std::sync::Arc;

use coarsen_sparse::Csr;
use coarsen_tensor::{Adjacency, Level, Pattern, Segments, Sparse};
use tch::{Device, Kind, Tensor};

pub(crate) const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Numbers in (-1, 1) without any pattern that a mistake could keep.
pub(crate) fn noise(shape: &[i64], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let n: i64 = shape.iter().product();
    let numbers: Vec<f64> = (0..n)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
        .collect();
    Tensor::from_slice(&numbers).view(shape)
}

/// Graphs of 4, 1, 0 and 3 nodes: directed edges, a self-loop, an isolated node, a graph without nodes.
pub(crate) fn pattern() -> Arc<Pattern> {
    let edges = [(0, 1), (0, 3), (1, 0), (2, 2), (3, 0), (3, 1), (5, 6), (6, 5), (6, 7), (7, 6)];
    let csr = Csr::from_edges(8, 8, edges).unwrap();
    Arc::new(Pattern::new(csr, Arc::new(Segments::new(vec![0, 4, 5, 5, 8]))))
}

/// A level over [`pattern`] with these weights.
pub(crate) fn level(x: &Tensor, weight: Option<&Tensor>) -> Level {
    let sparse = Sparse::new(pattern(), weight.map(Tensor::shallow_clone), DOUBLE);
    Level::new(x.shallow_clone(), Adjacency::Sparse(sparse))
}

pub(crate) fn close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.size(), b.size());
    let far = (a - b).abs().max().double_value(&[]);
    assert!(far < 1e-9, "differ by {far}:\n{a}\n{b}");
}

/// Value and gradients of `⟨f(inputs), noise⟩` for fresh leaves.
pub(crate) fn with_gradients(inputs: &[&Tensor], f: &dyn Fn(&[Tensor]) -> Tensor) -> (Tensor, Vec<Tensor>) {
    let leaves: Vec<Tensor> = inputs.iter().map(|t| t.detach().copy().set_requires_grad(true)).collect();
    let y = f(&leaves);
    (&y * noise(&y.size(), 99)).sum(Kind::Double).backward();
    (y.detach(), leaves.iter().map(Tensor::grad).collect())
}

/// Two ways to compute the same thing agree in value and in every gradient.
pub(crate) fn agree(inputs: &[&Tensor], f: &dyn Fn(&[Tensor]) -> Tensor, g: &dyn Fn(&[Tensor]) -> Tensor) {
    let ((a, da), (b, db)) = (with_gradients(inputs, f), with_gradients(inputs, g));
    close(&a, &b);
    for (x, y) in da.iter().zip(&db) {
        close(x, y);
    }
}

/// The gradients are those of finite differences along a direction of every input.
pub(crate) fn differentiable(inputs: &[&Tensor], f: &dyn Fn(&[Tensor]) -> Tensor) {
    let (_, gradients) = with_gradients(inputs, f);
    let step = 1e-6;
    for (i, gradient) in gradients.iter().enumerate() {
        let direction = noise(&inputs[i].size(), 7 + i as u64);
        let value = |sign: f64| {
            let moved: Vec<Tensor> = inputs
                .iter()
                .enumerate()
                .map(|(j, t)| if i == j { *t + &direction * (sign * step) } else { t.shallow_clone() })
                .collect();
            let y = f(&moved);
            (&y * noise(&y.size(), 99)).sum(Kind::Double).double_value(&[])
        };
        let want = (value(1.0) - value(-1.0)) / (2.0 * step);
        let got = (gradient * direction).sum(Kind::Double).double_value(&[]);
        assert!(
            (got - want).abs() <= 1e-6 * want.abs().max(1.0),
            "input {i}: got {got}, finite difference {want}"
        );
    }
}

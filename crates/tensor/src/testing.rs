//! What the tests of several files use.

use tch::{Device, Kind, Tensor};

use crate::by_libtorch;

/// Different numbers of both signs, in double precision, with a gradient.
pub(crate) fn ramp(shape: &[i64], step: f64) -> Tensor {
    let n: i64 = shape.iter().product();
    let t = (Tensor::arange(n, (Kind::Double, Device::Cpu)) + 1.0) * step;
    t.sin().view(shape).set_requires_grad(true)
}

/// What `ours` gives agrees with `theirs` pair by pair: by the kernels, and by LibTorch's operations in their place.
pub(crate) fn assert_both_close<A: AsRef<[Tensor]>>(ours: impl Fn() -> A, theirs: &[Tensor], tolerance: f64) {
    assert_close(ours().as_ref(), theirs, tolerance);
    assert_close(by_libtorch(ours).as_ref(), theirs, tolerance);
}

/// The tensors agree pair by pair.
pub(crate) fn assert_close(ours: &[Tensor], theirs: &[Tensor], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(a.size(), b.size(), "tensor {i}");
        let apart = if a.numel() == 0 { 0.0 } else { (a - b).abs().max().double_value(&[]) };
        assert!(apart <= tolerance, "tensor {i} differs by {apart}:\n{a}\n{b}");
    }
}

//! What the tests of several files use.

use tch::{Device, Kind, Tensor};

/// Different numbers of both signs, in double precision, with a gradient.
pub(crate) fn ramp(shape: &[i64], step: f64) -> Tensor {
    let n: i64 = shape.iter().product();
    let t = (Tensor::arange(n, (Kind::Double, Device::Cpu)) + 1.0) * step;
    t.sin().view(shape).set_requires_grad(true)
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

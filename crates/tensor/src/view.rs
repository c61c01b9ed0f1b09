//! CPU tensors as slices of numbers, which is what the kernels of `coarsen-sparse` work on.
#![allow(unsafe_code)] // reads and writes tensor memory as slices: each block states why it is sound

use std::slice;

use coarsen_sparse::Scalar;
use tch::{Device, Kind, Tensor};

use crate::by_libtorch::is_chosen;

/// A number that both LibTorch and `coarsen-sparse` compute with.
pub(crate) trait Real: Scalar + tch::kind::Element {
    /// The nearest number to a double.
    fn real(value: f64) -> Self;
}

impl Real for f32 {
    fn real(value: f64) -> Self {
        value as Self
    }
}

impl Real for f64 {
    fn real(value: f64) -> Self {
        value
    }
}

/// Runs `$body` with `$T` the Rust type of `$kind`, which is `Float` or `Double`.
macro_rules! by_kind {
    ($kind:expr, $T:ident => $body:expr) => {
        match $kind {
            tch::Kind::Float => {
                type $T = f32;
                $body
            }
            tch::Kind::Double => {
                type $T = f64;
                $body
            }
            other => panic!("sparse products are computed in Float or Double, got {other:?}"),
        }
    };
}
pub(crate) use by_kind;

/// Whether the kernels serve this tensor: one of 32 or 64 bit reals on a CPU, outside of [`by_libtorch`](crate::by_libtorch()).
pub fn on_host(t: &Tensor) -> bool {
    !is_chosen() && t.device() == Device::Cpu && matches!(t.kind(), Kind::Float | Kind::Double)
}

/// A contiguous CPU tensor, readable as a slice.
pub(crate) struct Dense(Tensor);

impl Dense {
    /// Shares the storage of `t` where it is contiguous, else copies it.
    pub(crate) fn new(t: &Tensor) -> Self {
        debug_assert_eq!(t.device(), Device::Cpu, "slices are read on the CPU");
        Self(if t.is_contiguous() { t.shallow_clone() } else { t.detach().contiguous() })
    }

    /// Its shape.
    pub(crate) fn size(&self) -> Vec<i64> {
        self.0.size()
    }

    /// How many numbers there are.
    pub(crate) fn numel(&self) -> i64 {
        self.0.numel() as i64
    }

    /// The tensor the numbers are in.
    pub(crate) fn into_tensor(self) -> Tensor {
        self.0
    }

    /// The numbers, row-major.
    pub(crate) fn slice<T: Real>(&self) -> &[T] {
        assert_eq!(self.0.kind(), T::KIND, "the kinds of the operands differ");
        let length = self.0.numel();
        if length == 0 {
            return &[];
        }
        // SAFETY: contiguous CPU memory of `length` elements of kind `T`, kept alive by `self`; nothing writes to a tensor
        // while the kernel that reads this slice runs (the operators of this crate never work in place on their inputs).
        unsafe { slice::from_raw_parts(self.0.data_ptr().cast::<T>().cast_const(), length) }
    }
}

/// A new CPU tensor of `shape`, filled by `fill`, which must write every element.
pub(crate) fn filled<T: Real>(shape: &[i64], fill: impl FnOnce(&mut [T])) -> Tensor {
    let out = Tensor::empty(shape, (T::KIND, Device::Cpu));
    let length = out.numel();
    if length == 0 {
        fill(&mut []);
    } else {
        // SAFETY: freshly allocated contiguous memory of `length` elements of a plain number type, seen by nobody else;
        // LibTorch's allocator returns initialised-or-not bytes, all of which are valid numbers of `T`.
        fill(unsafe { slice::from_raw_parts_mut(out.data_ptr().cast::<T>(), length) });
    }
    out
}

/// Two new CPU tensors, filled together by `fill`, which must write every element of both.
pub(crate) fn filled_beside<T: Real>(
    first: &[i64],
    second: &[i64],
    fill: impl FnOnce(&mut [T], &mut [T]),
) -> (Tensor, Tensor) {
    let mut other = None;
    let one = filled(first, |a| other = Some(filled(second, |b| fill(a, b))));
    (one, other.expect("made by the closure"))
}

/// The numbers of a contiguous CPU tensor that the caller has just made, to be written: nobody else holds its memory.
pub(crate) fn fresh<T: Real>(t: &mut Tensor) -> &mut [T] {
    assert!(
        t.is_contiguous() && t.kind() == T::KIND && t.device() == Device::Cpu,
        "a new contiguous CPU tensor"
    );
    let length = t.numel();
    if length == 0 {
        return &mut [];
    }
    // SAFETY: contiguous CPU memory of `length` elements of kind `T`; the caller vouches that it is the only holder, and the
    // borrow of the tensor lasts as long as the slice.
    unsafe { slice::from_raw_parts_mut(t.data_ptr().cast::<T>(), length) }
}

/// The numbers of an integer tensor, copied to the host.
pub(crate) fn integers(t: &Tensor) -> Vec<i64> {
    let t = t.to_device(Device::Cpu).to_kind(Kind::Int64).contiguous().view(-1);
    Vec::<i64>::try_from(&t).expect("a one-dimensional integer tensor")
}

/// The numbers of a real tensor, copied to the host.
pub(crate) fn reals(t: &Tensor) -> Vec<f64> {
    let t = t.detach().to_device(Device::Cpu).to_kind(Kind::Double).contiguous().view(-1);
    Vec::<f64>::try_from(&t).expect("a one-dimensional real tensor")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::by_libtorch;

    #[test]
    fn reals_of_32_and_64_bits_are_served_and_nothing_else() {
        let served = |kind| on_host(&Tensor::zeros([2], (kind, Device::Cpu)));
        let kinds = [Kind::Float, Kind::Double, Kind::Half, Kind::BFloat16, Kind::Int64];
        assert_eq!(kinds.map(served), [true, true, false, false, false]);
        assert_eq!(by_libtorch(|| kinds.map(served)), [false; 5]);
    }
}

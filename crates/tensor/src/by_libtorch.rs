//! LibTorch's operations in the place of the kernels: what a GPU computes, on a CPU.

use std::cell::Cell;

thread_local! {
    static CHOSEN: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` without the kernels of `coarsen-sparse`, as on a device that they do not serve: what it computes is composed of LibTorch's
/// operations, which derive the gradients themselves.
///
/// So a test on a CPU sees the formulas that a GPU uses. On this thread alone, and slower.
///
/// # Examples
///
/// ```
/// use coarsen_tensor::{by_libtorch, unit_rows};
/// use tch::Tensor;
///
/// let x = Tensor::from_slice2(&[[3f64, 4.0], [0.0, 2.0]]);
/// assert!(unit_rows(&x).allclose(&by_libtorch(|| unit_rows(&x)), 0.0, 1e-15, false));
/// ```
pub fn by_libtorch<R>(f: impl FnOnce() -> R) -> R {
    let _before = Before(CHOSEN.replace(true));
    f()
}

/// Whether this thread runs inside of [`by_libtorch`].
pub(crate) fn is_chosen() -> bool {
    CHOSEN.get()
}

/// What was chosen before, also where `f` panics.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        CHOSEN.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn the_choice_ends_with_the_function_even_where_it_panics() {
        assert!(by_libtorch(|| {
            by_libtorch(|| ());
            is_chosen()
        }));
        assert!(!is_chosen());
        assert!(catch_unwind(|| by_libtorch(|| panic!("on purpose"))).is_err());
        assert!(!is_chosen());
    }
}

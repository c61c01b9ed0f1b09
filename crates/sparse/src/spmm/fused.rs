//! Products with what a convolution does next to them, in the same pass.

use super::walk::{Finish, Start, Table, Walk, Weights};
use super::{check, plain};
use crate::act::Act;
use crate::csr::Csr;
use crate::parallel::Executor;
use crate::pattern::Pattern;
use crate::rows;
use crate::scalar::Scalar;

/// `y = act(A x + 1 biasᵀ)`: a convolution's product, bias and activation. Without values, all are 1.
///
/// Its backward is [`rows::act_backward`](crate::rows::act_backward), then that of [`spmm`](super::spmm).
///
/// # Shapes
///
/// `values: [nnz]`, `x: [cols, width]`, `bias: [width]`, `y: [rows, width]`.
///
/// # Complexity
///
/// O(nnz · width), no allocation beyond the list of tasks.
///
/// # Panics
///
/// On a slice of another length.
#[expect(clippy::too_many_arguments, reason = "the operands of the equation")]
pub fn spmm_act<T: Scalar>(
    exec: &dyn Executor,
    a: &Csr,
    values: Option<&[T]>,
    x: &[T],
    width: usize,
    bias: Option<&[T]>,
    act: Act,
    y: &mut [T],
) {
    check("spmm_act", a, values, x, width, y);
    if let Some(bias) = bias {
        assert_eq!(bias.len(), width, "spmm_act: `bias` must be [{width}]");
    }
    finished(plain(a, Weights::of(values), x, width), bias, act, exec, y);
}

/// Runs a walk with a bias and an activation behind it.
fn finished<T: Scalar>(walk: Walk<'_, T>, bias: Option<&[T]>, act: Act, exec: &dyn Executor, y: &mut [T]) {
    // What takes an exponential is a pass of its own: most of a row's registers would hold its constants.
    let (inside, behind) = match act {
        Act::Identity | Act::Relu => (act, Act::Identity),
        Act::Elu | Act::Tanh => (Act::Identity, act),
    };
    let width = walk.width;
    Walk { finish: Finish::Act { bias, act: inside }, ..walk }.run(exec, y);
    if behind != Act::Identity {
        rows::bias_act(exec, width, None, behind, y);
    }
}

/// `y = own x + A x`: a node's own row beside its neighbours' sum, as in GIN with `own = 1 + ε`.
///
/// # Shapes
///
/// `A` square; `values: [nnz]`, `x, y: [rows, width]`.
///
/// # Complexity
///
/// O(nnz · width), no allocation beyond the list of tasks.
///
/// # Panics
///
/// If `A` is not square, or on a slice of another length.
pub fn spmm_own<T: Scalar>(
    exec: &dyn Executor,
    a: &Csr,
    values: Option<&[T]>,
    own: T,
    x: &[T],
    width: usize,
    y: &mut [T],
) {
    square("spmm_own", a);
    check("spmm_own", a, values, x, width, y);
    let start = Start::Row { factor: own, rows: Table::new(x, width) };
    Walk { start, ..plain(a, Weights::of(values), x, width) }.run(exec, y);
}

/// Gradient of [`spmm_own`] for `x`: `dx = own grad + Aᵀ grad`.
///
/// # Shapes
///
/// `A` square; `values: [nnz]` in the edge order of `A`, `grad, dx: [rows, width]`.
///
/// # Complexity
///
/// O(nnz · width), no allocation beyond the list of tasks and a group of weights for each.
///
/// # Panics
///
/// If `A` is not square, or on a slice of another length.
pub fn spmm_own_transposed<T: Scalar>(
    exec: &dyn Executor,
    a: &Pattern,
    values: Option<&[T]>,
    own: T,
    grad: &[T],
    width: usize,
    dx: &mut [T],
) {
    square("spmm_own_transposed", a.csr());
    check("spmm_own_transposed", a.transpose(), values, grad, width, dx);
    let start = Start::Row { factor: own, rows: Table::new(grad, width) };
    Walk { start, ..plain(a.transpose(), Weights::transposed(a, values), grad, width) }.run(exec, dx);
}

/// `y = [A x | x]`: the neighbours' sum and the node itself side by side, as in `GraphSAGE`.
///
/// # Shapes
///
/// `A` square; `values: [nnz]`, `x: [rows, width]`, `y: [rows, 2 width]`.
///
/// # Complexity
///
/// O(nnz · width), no allocation beyond the list of tasks.
///
/// # Panics
///
/// If `A` is not square, or on a slice of another length.
pub fn spmm_beside<T: Scalar>(
    exec: &dyn Executor,
    a: &Csr,
    values: Option<&[T]>,
    x: &[T],
    width: usize,
    y: &mut [T],
) {
    square("spmm_beside", a);
    check("spmm_beside", a, values, x, width, x);
    assert_eq!(y.len(), a.rows() * 2 * width, "spmm_beside: `y` must be [{}, {}]", a.rows(), 2 * width);
    Walk { beside: Some(x), ..plain(a, Weights::of(values), x, width) }.run(exec, y);
}

/// Gradient of [`spmm_beside`] for `x`: `dx = Aᵀ grad[:, ..width] + grad[:, width..]`.
///
/// # Shapes
///
/// `A` square; `values: [nnz]` in the edge order of `A`, `grad: [rows, 2 width]`, `dx: [rows, width]`.
///
/// # Complexity
///
/// O(nnz · width), no allocation beyond the list of tasks and a group of weights for each.
///
/// # Panics
///
/// If `A` is not square, or on a slice of another length.
pub fn spmm_beside_backward<T: Scalar>(
    exec: &dyn Executor,
    a: &Pattern,
    values: Option<&[T]>,
    grad: &[T],
    width: usize,
    dx: &mut [T],
) {
    square("spmm_beside_backward", a.csr());
    check("spmm_beside_backward", a.transpose(), values, dx, width, dx);
    let (rows, both) = (a.rows(), 2 * width);
    assert_eq!(grad.len(), rows * both, "spmm_beside_backward: `grad` must be [{rows}, {both}]");
    let half = |from| Table { data: grad, stride: both, from };
    let start = Start::Row { factor: T::ONE, rows: half(width) };
    let weights = Weights::transposed(a, values);
    Walk { x: half(0), start, ..plain(a.transpose(), weights, grad, width) }.run(exec, dx);
}

/// `y = act(A x[:, ..width] + x[:, width..] + 1 biasᵀ)`: what the neighbours send and what the node keeps, which stand side by side.
///
/// # Shapes
///
/// `A` square; `values: [nnz]`, `x: [rows, 2 width]`, `bias: [width]`, `y: [rows, width]`.
///
/// # Complexity
///
/// O(nnz · width), no allocation beyond the list of tasks.
///
/// # Panics
///
/// If `A` is not square, or on a slice of another length.
#[expect(clippy::too_many_arguments, reason = "the operands of the equation")]
pub fn spmm_halves<T: Scalar>(
    exec: &dyn Executor,
    a: &Csr,
    values: Option<&[T]>,
    x: &[T],
    width: usize,
    bias: Option<&[T]>,
    act: Act,
    y: &mut [T],
) {
    square("spmm_halves", a);
    check("spmm_halves", a, values, y, width, y);
    let (rows, both) = (a.rows(), 2 * width);
    assert_eq!(x.len(), rows * both, "spmm_halves: `x` must be [{rows}, {both}]");
    if let Some(bias) = bias {
        assert_eq!(bias.len(), width, "spmm_halves: `bias` must be [{width}]");
    }
    let half = |from| Table { data: x, stride: both, from };
    let start = Start::Row { factor: T::ONE, rows: half(width) };
    let walk = Walk { x: half(0), start, ..plain(a, Weights::of(values), x, width) };
    finished(walk, bias, act, exec, y);
}

/// Gradient of [`spmm_halves`] for `x`, from that before the activation: `dx = [Aᵀ grad | grad]`.
///
/// # Shapes
///
/// `A` square; `values: [nnz]` in the edge order of `A`, `grad: [rows, width]`, `dx: [rows, 2 width]`.
///
/// # Complexity
///
/// O(nnz · width), no allocation beyond the list of tasks and a group of weights for each.
///
/// # Panics
///
/// If `A` is not square, or on a slice of another length.
pub fn spmm_halves_backward<T: Scalar>(
    exec: &dyn Executor,
    a: &Pattern,
    values: Option<&[T]>,
    grad: &[T],
    width: usize,
    dx: &mut [T],
) {
    square("spmm_halves_backward", a.csr());
    check("spmm_halves_backward", a.transpose(), values, grad, width, grad);
    let (rows, both) = (a.rows(), 2 * width);
    assert_eq!(dx.len(), rows * both, "spmm_halves_backward: `dx` must be [{rows}, {both}]");
    let weights = Weights::transposed(a, values);
    Walk { beside: Some(grad), ..plain(a.transpose(), weights, grad, width) }.run(exec, dx);
}

fn square(kernel: &str, a: &Csr) {
    assert_eq!(a.rows(), a.cols(), "{kernel}: `a` must be square");
}

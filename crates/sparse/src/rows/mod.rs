//! Dense rows `[n, width]`: bias, activation, normalisation, rows of length 1 or of sum 1, entropy and weighed sums of rows, one fused pass each.
//!
//! A sum over all rows goes over blocks of rows of a fixed size; what the blocks give is added in their order, in `f64`.
//! So any executor and any number of threads give the same bits.

mod entropy;
mod norm;
mod project;
mod share;
mod sweep;
mod unit;
mod weigh;

pub use entropy::{entropy, entropy_backward};
pub use norm::{Beside, Norm, Sums, normalize, normalize_backward, normalize_sums};
pub use project::{project, project_backward};
pub use share::{share, share_backward};
pub use unit::{SHORTEST, unit, unit_backward};
pub use weigh::{weigh, weigh_backward};

use crate::act::{Act, by_act};
use crate::parallel::{Executor, Rows};
use crate::scalar::Scalar;
use sweep::Grid;

/// In place `y = act(y + 1 biasᵀ)`.
///
/// # Shapes
///
/// `bias: [width]`, `y: [n, width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn bias_act<T: Scalar>(exec: &dyn Executor, width: usize, bias: Option<&[T]>, act: Act, y: &mut [T]) {
    let rows = whole("bias_act", width, y.len());
    if let Some(bias) = bias {
        assert_eq!(bias.len(), width, "rows::bias_act: `bias` must be [{width}]");
    }
    let Some(grid) = rows else { return };
    match bias {
        Some(bias) => {
            let bias = grid.tiled(|column| bias[column]);
            by_act!(act, A => grid.update(exec, [&bias], y, |y, [bias]| A.of(y + bias)));
        }
        None => by_act!(act, A => grid.update(exec, [], y, |y, []| A.of(y))),
    }
}

/// Gradient of an activation and of a bias before it: `dx = grad act'(x)`, `bias_grad = dxᵀ 1`.
///
/// `y = act(x)` is the output of the activation.
///
/// # Shapes
///
/// `y, grad, dx: [n, width]`, `bias_grad: [width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn act_backward<T: Scalar>(
    exec: &dyn Executor,
    width: usize,
    act: Act,
    y: &[T],
    grad: &[T],
    dx: &mut [T],
    bias_grad: Option<&mut [T]>,
) {
    same("act_backward", y.len(), &[grad.len(), dx.len()]);
    if let Some(bias_grad) = &bias_grad {
        assert_eq!(bias_grad.len(), width, "rows::act_backward: `bias_grad` must be [{width}]");
    }
    let Some(grid) = whole("act_backward", width, y.len()) else { return };
    let Some(bias_grad) = bias_grad else {
        return by_act!(act, A => grid.map(exec, [y, grad], [], dx, |[y, grad], []| A.gradient(y, grad)));
    };
    let [sums] = grid.total(exec, grid.pieces(dx), |block, [sum], dx| {
        by_act!(act, A => grid.map_block(block, [y, grad], [], dx.data, |[y, grad], []| A.gradient(y, grad)));
        grid.sum_within([&*dx.data], [], [sum], |[dx], []| [dx]);
    });
    put(&sums, bias_grad);
}

/// Sum of each column.
///
/// # Shapes
///
/// `x: [n, width]`, `out: [width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn column_sums<T: Scalar>(exec: &dyn Executor, width: usize, x: &[T], out: &mut [T]) {
    assert_eq!(out.len(), width, "rows::column_sums: `out` must be [{width}]");
    let Some(grid) = whole("column_sums", width, x.len()) else { return };
    let [sums] = grid.total(exec, (), |block, sum, ()| grid.sum_block(block, [x], [], sum, |[x], []| [x]));
    put(&sums, out);
}

/// Mean and biased variance of each column of `act(x)`; of no rows, 0 and 0.
///
/// A block's squares are taken about its own mean, and blocks are joined by the difference of their means, so nothing
/// cancels when the mean is far from 0 (Chan, Golub & `LeVeque` 1983).
///
/// # Shapes
///
/// `x: [n, width]`, `mean, var: [width]`.
///
/// # Panics
///
/// On a slice of another length.
pub fn moments<T: Scalar>(
    exec: &dyn Executor,
    width: usize,
    x: &[T],
    act: Act,
    mean: &mut [T],
    var: &mut [T],
) {
    assert_eq!((mean.len(), var.len()), (width, width), "rows::moments: `mean`, `var` must be [{width}]");
    let Some(grid) = whole("moments", width, x.len()) else { return };
    let mut partial = vec![T::ZERO; grid.blocks() * 2 * width];
    grid.each_block(exec, Rows { data: &mut partial, width: 2 * width }, |block, partial| {
        let (mean, squares) = partial.data.split_at_mut(width);
        let rows = T::from_count(grid.block(block).len() / width);
        by_act!(act, A => grid.sum_block(block, [x], [], [mean], |[x], []| [A.of(x)]));
        for mean in &mut *mean {
            *mean /= rows;
        }
        let about = grid.tiled(|column| mean[column]);
        by_act!(act, A => grid.sum_block(block, [x], [&about], [squares], |[x], [mean]| {
            let apart = A.of(x) - mean;
            [apart * apart]
        }));
    });
    let mut total = vec![(0.0, 0.0); width];
    let mut before = 0.0;
    for (block, partial) in partial.chunks_exact(2 * width).enumerate() {
        let rows = (grid.block(block).len() / width) as f64;
        let (means, squares) = partial.split_at(width);
        for ((total, mean), squares) in total.iter_mut().zip(means).zip(squares) {
            let apart = mean.to_f64() - total.0;
            total.0 += apart * rows / (before + rows);
            total.1 += squares.to_f64() + apart * apart * before * rows / (before + rows);
        }
        before += rows;
    }
    for ((mean, var), total) in mean.iter_mut().zip(var).zip(total) {
        *mean = T::from_f64(total.0);
        *var = T::from_f64(total.1 / before.max(1.0));
    }
}

/// The grid of `len` numbers in rows of `width`; none if the rows are empty.
fn whole(kernel: &str, width: usize, len: usize) -> Option<Grid> {
    if width == 0 {
        assert_eq!(len, 0, "rows::{kernel}: a matrix of width 0 holds no numbers");
        return None;
    }
    assert_eq!(len % width, 0, "rows::{kernel}: a matrix must be [_, {width}], got {len} numbers");
    Some(Grid::new(width, len))
}

fn same(kernel: &str, len: usize, others: &[usize]) {
    for &other in others {
        assert_eq!(other, len, "rows::{kernel}: matrices must have the same length");
    }
}

fn put<T: Scalar>(sums: &[f64], out: &mut [T]) {
    for (out, &sum) in out.iter_mut().zip(sums) {
        *out = T::from_f64(sum);
    }
}

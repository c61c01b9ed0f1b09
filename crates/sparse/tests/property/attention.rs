//! Attention against its equation, edge by edge, and its gradients against finite differences.

use crate::support::{Matrix, assert_close, inner, matrix, narrow, numbers, run, size, slopes, widen};
use coarsen_sparse::attention::{Attention, attend, attend_backward};
use coarsen_sparse::{Csr, Executor, Pattern, Scalar, Serial};
use proptest::prelude::*;

const SLOPE: f64 = 0.2;

#[derive(Debug, Clone)]
struct Operands {
    a: Csr,
    a_row: Vec<f64>,
    a_col: Vec<f64>,
    keep: Option<Vec<f64>>,
    x: Vec<f64>,
    grad: Vec<f64>,
    heads: usize,
    width: usize,
}

fn operands() -> impl Strategy<Value = Operands> {
    let shape = (size(), size(), 0_usize..4, prop_oneof![3 => 0_usize..6, 1 => 6_usize..40]);
    shape.prop_flat_map(|(n, m, heads, width)| (matrix(n, m), Just((heads, width)))).prop_flat_map(
        |(Matrix { csr: a, .. }, (heads, width))| {
            let (n, m, all) = (a.rows(), a.cols(), heads * width);
            let keep = prop::option::of(numbers(a.nnz() * heads));
            (numbers(n * heads), numbers(m * heads), keep, numbers(m * all), numbers(n * all)).prop_map(
                move |(a_row, a_col, keep, x, grad)| Operands {
                    a: a.clone(),
                    a_row,
                    a_col,
                    keep,
                    x,
                    grad,
                    heads,
                    width,
                },
            )
        },
    )
}

impl Operands {
    fn attention(&self) -> Attention<'_, f64> {
        let keep = self.keep.as_deref();
        let Self { a_row, a_col, x, heads, width, .. } = self;
        Attention { a_row, a_col, slope: SLOPE, keep, x, heads: *heads, width: *width }
    }

    /// `α` and `y` by the equation.
    fn expected(&self) -> (Vec<f64>, Vec<f64>) {
        let (heads, width) = (self.heads, self.width);
        let score = |row: usize, col: u32, head: usize| {
            let sum = self.a_row[row * heads + head] + self.a_col[col as usize * heads + head];
            if sum > 0.0 { sum } else { SLOPE * sum }
        };
        let (mut alpha, mut y) = (vec![0.0; self.a.nnz() * heads], vec![0.0; self.grad.len()]);
        for (edge, (row, col)) in self.a.entries().enumerate() {
            for head in 0..heads {
                let row = row as usize;
                let total: f64 = self.a.row(row).iter().map(|&col| score(row, col, head).exp()).sum();
                let weight = score(row, col, head).exp() / total;
                let place = edge * heads + head;
                alpha[place] = weight;
                for c in head * width..(head + 1) * width {
                    let keep = self.keep.as_ref().map_or(1.0, |keep| keep[place]);
                    y[row * heads * width + c] += weight * keep * self.x[col as usize * heads * width + c];
                }
            }
        }
        (alpha, y)
    }

    fn loss(&self) -> f64 {
        inner(&self.grad, &self.expected().1)
    }
}

/// `α`, then `y`.
fn forward<T: Scalar>(exec: &dyn Executor, a: &Csr, operands: &Attention<'_, T>, out: &mut [T]) {
    let (alpha, y) = out.split_at_mut(a.nnz() * operands.heads);
    attend(exec, a, operands, alpha, y);
}

proptest! {
    #[test]
    fn attend_is_its_equation(o in operands()) {
        let (alpha, y) = o.expected();
        let len = alpha.len() + y.len();
        let got = run(len, |exec, out| forward(exec, &o.a, &o.attention(), out));
        assert_close(&got[..alpha.len()], alpha.iter().copied(), 1e-13);
        assert_close(&got[alpha.len()..], y.iter().copied(), 1e-13);

        let (a_row, a_col, x) = (narrow(&o.a_row), narrow(&o.a_col), narrow(&o.x));
        let keep = o.keep.as_deref().map(narrow);
        let (heads, width, keep) = (o.heads, o.width, keep.as_deref());
        let operands = Attention { a_row: &a_row, a_col: &a_col, slope: 0.2, keep, x: &x, heads, width };
        let got = run(len, |exec, out| forward(exec, &o.a, &operands, out));
        assert_close(&widen(&got[..alpha.len()]), alpha.iter().copied(), 1e-5);
        assert_close(&widen(&got[alpha.len()..]), y, 1e-5);
    }

    #[test]
    fn attend_backward_is_its_slope(o in operands()) {
        // A difference quotient says nothing across the corner of the leaky ReLU.
        let sums = o.a.entries().flat_map(|(i, j)| (0..o.heads).map(move |h| (i as usize, j as usize, h)));
        prop_assume!(sums.into_iter().all(|(i, j, h)| {
            (o.a_row[i * o.heads + h] + o.a_col[j * o.heads + h]).abs() > 1e-3
        }));
        let pattern = Pattern::new(o.a.clone());
        let (alpha, _) = o.expected();
        let (dx, da_row) = (o.x.len(), o.a_row.len());
        let got = run(dx + da_row + o.a_col.len(), |exec, out| {
            let (dx, rest) = out.split_at_mut(dx);
            let (da_row, da_col) = rest.split_at_mut(da_row);
            attend_backward(exec, &pattern, &o.attention(), &alpha, &o.grad, dx, da_row, da_col);
        });
        assert_close(&got[..dx], slopes(&o.x, |x| Operands { x: x.to_vec(), ..o.clone() }.loss()), 1e-7);
        let by_row = slopes(&o.a_row, |a_row| Operands { a_row: a_row.to_vec(), ..o.clone() }.loss());
        assert_close(&got[dx..dx + da_row], by_row, 1e-7);
        let by_col = slopes(&o.a_col, |a_col| Operands { a_col: a_col.to_vec(), ..o.clone() }.loss());
        assert_close(&got[dx + da_row..], by_col, 1e-7);
    }
}

#[test]
fn large_scores_stay_finite() {
    let a = Csr::from_edges(1, 2, [(0, 0), (0, 1)]).unwrap();
    let operands = Attention {
        a_row: &[1000.0_f32],
        a_col: &[0.0, -2000.0],
        slope: 0.2,
        keep: None,
        x: &[3.0, 5.0],
        heads: 1,
        width: 1,
    };
    let (mut alpha, mut y) = ([7.0; 2], [7.0]);
    attend(&Serial, &a, &operands, &mut alpha, &mut y);
    assert_eq!((alpha, y), ([1.0, 0.0], [3.0]));
}

#[test]
#[should_panic(expected = "attend: `x` must be [1, 2]")]
fn a_wrong_length_is_named() {
    let a = Csr::identity(1).unwrap();
    let operands =
        Attention { a_row: &[0.0], a_col: &[0.0], slope: 0.2, keep: None, x: &[0.0], heads: 1, width: 2 };
    attend(&Serial, &a, &operands, &mut [0.0], &mut [0.0; 2]);
}

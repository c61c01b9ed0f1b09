//! Kernels on the instruction sets this machine has, from none at all: the same bits.

use std::fmt::Debug;

use crate::attention::{Attention, attend, attend_backward};
use crate::lanes::tests::{machines, on};
use crate::rows::{self, Beside, Norm};
use crate::segment;
use crate::{
    Act, Csr, Pattern, Scalar, Serial, sddmm, spmm_act, spmm_beside_backward, spmm_halves,
    spmm_own_transposed,
};

/// What `kernel` writes over `len` stale numbers; fails if the instruction set shows.
fn same<T: Scalar + Debug>(len: usize, kernel: impl Fn(&mut [T])) {
    let outcome = || {
        let mut out = vec![T::from_count(77); len];
        kernel(&mut out);
        out
    };
    let want = outcome();
    for machine in machines() {
        assert_eq!(on(machine, outcome), want, "{machine:?}");
    }
}

/// Numbers whose products and sums are rounded.
fn numbers<T: Scalar>(count: usize, seed: usize) -> Vec<T> {
    (0..count).map(|k| T::from_f64((((k + seed) * 7919 % 1013) as f64 - 506.0) / 253.0)).collect()
}

fn every_kernel<T: Scalar>(width: usize) {
    let n = 50;
    let edges = (0..n as u32).flat_map(|i| (0..i % 7).map(move |k| (i, (i * 31 + k * 17) % 50)));
    let a = Pattern::new(Csr::from_edges(n, n, edges).unwrap());
    let values = numbers::<T>(a.nnz(), 3);
    let (x, g) = (numbers::<T>(n * width, 0), numbers::<T>(2 * n * width, 11));
    let (bias, weight) = (numbers::<T>(width, 5), numbers::<T>(width, 7));
    same(n * width, |y| {
        spmm_act(&Serial, a.csr(), Some(&values), &x, width, Some(&bias), Act::Relu, y);
    });
    same(a.nnz(), |out| sddmm(&Serial, a.csr(), &x, &g[..n * width], width, out));
    same(n * width, |dx| spmm_own_transposed(&Serial, &a, Some(&values), bias[0], &x, width, dx));
    same(n * width, |dx| spmm_beside_backward(&Serial, &a, None, &g, width, dx));
    same(n * width, |y| spmm_halves(&Serial, a.csr(), Some(&values), &g, width, None, Act::Relu, y));
    let (mut mean, mut var) = (bias.clone(), bias.clone());
    same(2 * width, |out| {
        let (mean, var) = out.split_at_mut(width);
        rows::moments(&Serial, width, &x, Act::Relu, mean, var);
    });
    rows::moments(&Serial, width, &x, Act::Identity, &mut mean, &mut var);
    let norm = Norm { mean: &mean, var: &var, weight: &weight, bias: &bias, eps: T::from_f64(1e-5) };
    let beside = Beside::Behind(Act::Relu);
    same(n * width, |y| rows::normalize(&Serial, width, &x, &norm, beside, y));
    let (y, grad) = (&x, &g[..n * width]);
    same((n + 2) * width, |out| {
        let (dx, rest) = out.split_at_mut(n * width);
        let sums = rows::normalize_sums(&Serial, width, &x, y, grad, &norm, beside);
        for (out, sum) in rest.iter_mut().zip(sums.bias.iter().chain(&sums.weight)) {
            *out = T::from_f64(*sum);
        }
        rows::normalize_backward(&Serial, width, &x, y, grad, &norm, beside, &sums, dx);
    });
}

fn every_attention<T: Scalar>(heads: usize, width: usize) {
    let n = 40;
    let edges = (0..n as u32).flat_map(|i| (0..i % 9).map(move |k| (i, (i * 31 + k * 17) % 40)));
    let a = Pattern::new(Csr::from_edges(n, n, edges).unwrap());
    let (of_nodes, of_edges, all) = (n * heads, a.nnz() * heads, n * heads * width);
    let (a_row, a_col, keep) = (numbers(of_nodes, 0), numbers(of_nodes, 5), numbers(of_edges, 7));
    let (x, grad, slope) = (numbers::<T>(all, 2), numbers::<T>(all, 9), T::from_f64(0.2));
    let operands = Attention { a_row: &a_row, a_col: &a_col, slope, keep: Some(&keep), x: &x, heads, width };
    same(of_edges + all, |out| {
        let (alpha, y) = out.split_at_mut(of_edges);
        attend(&Serial, a.csr(), &operands, alpha, y);
    });
    let alpha = numbers::<T>(of_edges, 3);
    same(all + 2 * of_nodes, |out| {
        let (dx, rest) = out.split_at_mut(all);
        let (da_row, da_col) = rest.split_at_mut(of_nodes);
        attend_backward(&Serial, &a, &operands, &alpha, &grad, dx, da_row, da_col);
    });
}

fn every_segment<T: Scalar>(width: usize) {
    let ptr = [0, 3, 3, 4, 40, 50];
    let (segments, n) = (ptr.len() - 1, 50);
    let (x, g) = (numbers::<T>(n * width, 0), numbers::<T>(n * width, 11));
    same(segments * width, |out| segment::mean(&Serial, &ptr, &x, width, out));
    same(n * width, |out| segment::mean_backward(&Serial, &ptr, &g[..segments * width], width, out));
    same(segments * width, |out| {
        segment::max(&Serial, &ptr, &x, width, out, &mut vec![0; segments * width]);
    });
    same(n * width, |out| segment::softmax(&Serial, &ptr, &x, width, out));
    same(n * width, |out| segment::softmax_backward(&Serial, &ptr, &x, &g, width, out));
}

#[test]
fn the_instruction_set_does_not_show_in_attention() {
    for (heads, width) in [(1, 1), (1, 64), (4, 16), (8, 8), (3, 7), (2, 33)] {
        every_attention::<f32>(heads, width);
        every_attention::<f64>(heads, width);
    }
}

#[test]
fn the_instruction_set_does_not_show() {
    for width in [1, 2, 7, 8, 15, 16, 31, 64, 65, 127, 129, 200, 257] {
        every_kernel::<f32>(width);
        every_kernel::<f64>(width);
        every_segment::<f32>(width);
        every_segment::<f64>(width);
    }
}

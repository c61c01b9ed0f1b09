//! Products with their neighbours in one pass, against the same steps one by one.

use crate::support::{Fused, array, assert_close, at_edges, dense, fused, inner, narrow, run, slopes, widen};
use coarsen_sparse::{
    Act, Pattern, Scalar, Serial, sddmm, spmm, spmm_act, spmm_beside, spmm_beside_backward, spmm_halves,
    spmm_halves_backward, spmm_own, spmm_own_transposed, spmm_transposed,
};
use proptest::prelude::*;

const TIGHT: f64 = 1e-13;
const LOOSE: f64 = 1e-5;

fn relu(x: f64) -> f64 {
    x.max(0.0)
}

proptest! {
    #[test]
    fn spmm_act_adds_the_bias_then_activates(Fused { a, x, bias, width, .. } in fused()) {
        let n = a.csr.rows();
        let sums = a.dense().dot(&array(n, width, &x));
        let shifted = (sums.clone() + array(1, width, &bias)).mapv(relu);
        let got = run(n * width, |exec, y| {
            spmm_act(exec, &a.csr, Some(&a.values), &x, width, Some(&bias), Act::Relu, y);
        });
        assert_close(&got, shifted.iter().copied(), TIGHT);
        let got = run(n * width, |exec, y| {
            spmm_act(exec, &a.csr, Some(&a.values), &x, width, None, Act::Relu, y);
        });
        assert_close(&got, sums.mapv(relu), TIGHT);
        let got = run(n * width, |exec, y| {
            spmm_act(exec, &a.csr, Some(&a.values), &x, width, Some(&bias), Act::Elu, y);
        });
        let elu = |x: f64| x.max(x.min(0.0).exp_m1());
        assert_close(&got, (sums.clone() + array(1, width, &bias)).mapv(elu), TIGHT);
        let (v, x, bias) = (a.values_f32(), narrow(&x), narrow(&bias));
        let got = run(n * width, |exec, y| {
            spmm_act(exec, &a.csr, Some(&v), &x, width, Some(&bias), Act::Relu, y);
        });
        assert_close(&widen(&got), shifted, LOOSE);
    }

    #[test]
    fn spmm_own_adds_the_row_itself(Fused { a, x, g, width, own, .. } in fused()) {
        let n = a.csr.rows();
        let pattern = Pattern::new(a.csr.clone());
        let x_array = array(n, width, &x);
        let got = run(n * width, |exec, y| spmm_own(exec, &a.csr, Some(&a.values), own, &x, width, y));
        assert_close(&got, own * &x_array + a.dense().dot(&x_array), TIGHT);
        let ones = dense(&a.csr, &vec![1.0; a.csr.nnz()]);
        let x32 = narrow(&x);
        let got = run(n * width, |exec, y| spmm_own(exec, &a.csr, None, own as f32, &x32, width, y));
        assert_close(&widen(&got), own * &x_array + ones.dot(&x_array), LOOSE);

        let got = run(n * width, |exec, dx| {
            spmm_own_transposed(exec, &pattern, Some(&a.values), own, &g, width, dx);
        });
        let g_array = array(n, width, &g);
        assert_close(&got, own * &g_array + a.dense().t().dot(&g_array), TIGHT);
        let loss = |x: &[f64]| {
            let mut y = vec![0.0; n * width];
            spmm_own(&Serial, &a.csr, Some(&a.values), own, x, width, &mut y);
            inner(&g, &y)
        };
        assert_close(&got, slopes(&x, loss), 1e-8);
    }

    #[test]
    fn spmm_beside_keeps_the_row_itself(Fused { a, x, g, g_beside, width, .. } in fused()) {
        let n = a.csr.rows();
        let pattern = Pattern::new(a.csr.clone());
        let mut sums = vec![0.0; n * width];
        spmm(&Serial, &a.csr, Some(&a.values), &x, width, &mut sums);
        let got =
            run(n * 2 * width, |exec, y| spmm_beside(exec, &a.csr, Some(&a.values), &x, width, y));
        for row in 0..n {
            let y = &got[row * 2 * width..][..2 * width];
            prop_assert_eq!(&y[..width], &sums[row * width..][..width]);
            prop_assert_eq!(&y[width..], &x[row * width..][..width]);
        }

        let both = array(n, 2 * width, &g_beside);
        let (left, right) = both.view().split_at(ndarray::Axis(1), width);
        let want = a.dense().t().dot(&left) + right;
        let got = run(n * width, |exec, dx| {
            spmm_beside_backward(exec, &pattern, Some(&a.values), &g_beside, width, dx);
        });
        assert_close(&got, want.iter().copied(), TIGHT);
        let (v, g32) = (a.values_f32(), narrow(&g_beside));
        let got = run(n * width, |exec, dx| {
            spmm_beside_backward(exec, &pattern, Some(&v), &g32, width, dx);
        });
        assert_close(&widen(&got), want, LOOSE);
        let loss = |values: &[f64]| {
            let mut y = vec![0.0; n * width];
            spmm(&Serial, &a.csr, Some(values), &x, width, &mut y);
            inner(&g, &y)
        };
        let got = run(a.csr.nnz(), |exec, out| sddmm(exec, &a.csr, &g, &x, width, out));
        assert_close(&got, slopes(&a.values, loss), 1e-8);
    }

    #[test]
    fn spmm_halves_adds_what_is_sent_to_what_is_there(Fused { a, x, g_beside, bias, width, .. } in fused()) {
        let n = a.csr.rows();
        let pattern = Pattern::new(a.csr.clone());
        let both = array(n, 2 * width, &g_beside);
        let (sent, own) = both.view().split_at(ndarray::Axis(1), width);
        let sums = a.dense().dot(&sent) + own + array(1, width, &bias);
        let got = run(n * width, |exec, y| {
            spmm_halves(exec, &a.csr, Some(&a.values), &g_beside, width, Some(&bias), Act::Relu, y);
        });
        assert_close(&got, sums.iter().copied().map(relu), TIGHT);

        let (v, x32) = (a.values_f32(), narrow(&x));
        let received = a.dense().t().dot(&array(n, width, &x));
        let want = ndarray::concatenate![ndarray::Axis(1), received, array(n, width, &x)];
        let got = run(n * 2 * width, |exec, dx| {
            spmm_halves_backward(exec, &pattern, Some(&a.values), &x, width, dx);
        });
        assert_close(&got, want.iter().copied(), TIGHT);
        let got = run(n * 2 * width, |exec, dx| {
            spmm_halves_backward(exec, &pattern, Some(&v), &x32, width, dx);
        });
        assert_close(&widen(&got), want, LOOSE);
    }
}

/// A graph of `n` nodes with empty rows, long rows and about three entries in the others.
fn graph(n: u32) -> Pattern {
    let edges = (0..n).flat_map(|i| {
        let count = if i % 7 == 3 {
            0
        } else if i % 41 == 0 {
            n / 2
        } else {
            1 + i % 5
        };
        (0..count).map(move |k| (i, (i * 31 + k * 17 + k * k) % n))
    });
    Pattern::new(coarsen_sparse::Csr::from_edges(n as usize, n as usize, edges).unwrap())
}

fn every_width<T: Scalar>(tolerance: f64) {
    let a = graph(61);
    let (n, csr) = (61, a.csr());
    let values: Vec<T> = (0..a.nnz()).map(|e| T::from_f64(((e * 37 % 23) as f64 - 11.0) / 7.0)).collect();
    let wide = |numbers: &[T]| numbers.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
    let matrix = dense(csr, &wide(&values));
    for width in 1..=257 {
        let x: Vec<T> = (0..n * width).map(|k| T::from_f64(((k * 29 % 31) as f64 - 15.0) / 9.0)).collect();
        let x_array = array(n, width, &wide(&x));
        let got = run(n * width, |exec, y| spmm(exec, csr, Some(&values), &x, width, y));
        assert_close(&wide(&got), matrix.dot(&x_array), tolerance);
        let got = run(n * width, |exec, y| spmm_transposed(exec, &a, Some(&values), &x, width, y));
        assert_close(&wide(&got), matrix.t().dot(&x_array), tolerance);
        let got = run(a.nnz(), |exec, out| sddmm(exec, csr, &x, &x, width, out));
        assert_close(&wide(&got), at_edges(csr, &x_array.dot(&x_array.t())), tolerance);
        let got = run(n * width, |exec, y| {
            spmm_act(exec, csr, None, &x, width, Some(&x[..width]), Act::Relu, y);
        });
        let ones = dense(csr, &vec![1.0; a.nnz()]);
        let bias = array(1, width, &wide(&x[..width]));
        assert_close(&wide(&got), (ones.dot(&x_array) + bias).mapv(relu), tolerance);
    }
}

#[test]
fn every_width_in_f32() {
    every_width::<f32>(1e-5);
}

#[test]
fn every_width_in_f64() {
    every_width::<f64>(1e-13);
}

#[test]
fn relu_keeps_nan() {
    let a = coarsen_sparse::Csr::identity(20).unwrap();
    let x = [f32::NAN; 20];
    let mut y = [0.0; 20];
    spmm_act(&Serial, &a, None, &x, 1, None, Act::Relu, &mut y);
    assert!(y.iter().all(|y| y.is_nan()));
    let (a, mut y) = (coarsen_sparse::Csr::identity(1).unwrap(), [0.0; 20]);
    spmm_act(&Serial, &a, None, &x, 20, None, Act::Relu, &mut y);
    assert!(y.iter().all(|y| y.is_nan()));
}

#[test]
fn far_rows_are_asked_for_and_nothing_changes() {
    // 9000 rows of 64 numbers are past the size from which on rows are fetched ahead.
    let (n, width) = (9000_usize, 64);
    let edges = (0..n as u32).flat_map(|i| (0..4).map(move |k| (i, (i * 7919 + k * 2711) % 9000)));
    let a = Pattern::new(coarsen_sparse::Csr::from_edges(n, n, edges).unwrap());
    let values: Vec<f32> = (0..a.nnz()).map(|e| (e % 9) as f32 - 4.0).collect();
    let x: Vec<f32> = (0..n * width).map(|k| (k % 13) as f32 - 6.0).collect();
    let mut want = vec![0.0; n * width];
    for ((i, j), &value) in a.csr().entries().zip(&values) {
        for c in 0..width {
            want[i as usize * width + c] += value * x[j as usize * width + c];
        }
    }
    let got = run(n * width, |exec, y| spmm(exec, a.csr(), Some(&values), &x, width, y));
    assert_eq!(got, want);
}

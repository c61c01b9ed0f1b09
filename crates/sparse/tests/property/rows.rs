//! Fused passes over dense rows against plain loops over columns, gradients against finite differences.

use crate::support::{assert_close, inner, narrow, numbers, run, slopes, widen};
use coarsen_sparse::rows::{self, Beside, Norm};
use coarsen_sparse::{Act, Scalar, Serial};
use proptest::prelude::*;

const TIGHT: f64 = 1e-12;
const LOOSE: f64 = 1e-4;

/// Rows, two matrices of them, a bias, a weight, an activation.
#[derive(Debug, Clone)]
struct Operands {
    width: usize,
    x: Vec<f64>,
    g: Vec<f64>,
    bias: Vec<f64>,
    weight: Vec<f64>,
    act: Act,
}

fn operands(most: usize) -> impl Strategy<Value = Operands> {
    let act = prop_oneof![Just(Act::Identity), Just(Act::Relu), Just(Act::Elu), Just(Act::Tanh)];
    (0..most, prop_oneof![3 => 0_usize..12, 1 => 12_usize..80], act).prop_flat_map(|(n, width, act)| {
        let matrix = || numbers(n * width);
        (matrix(), matrix(), numbers(width), numbers(width)).prop_map(move |(x, g, bias, weight)| Operands {
            width,
            x,
            g,
            bias,
            weight,
            act,
        })
    })
}

fn apply(act: Act, x: f64) -> f64 {
    match act {
        Act::Identity => x,
        Act::Relu => x.max(0.0),
        Act::Elu => x.max(x.min(0.0).exp_m1()),
        Act::Tanh => x.tanh(),
    }
}

/// The slope of an activation where it gives `y`.
fn slope(act: Act, y: f64) -> f64 {
    match act {
        Act::Identity => 1.0,
        Act::Relu => f64::from(y > 0.0),
        Act::Elu => 1.0 + y.min(0.0),
        Act::Tanh => 1.0 - y * y,
    }
}

/// Bit for bit, but where an exponential is ours and that of the definition the standard library's.
fn applied(act: Act, got: &[f64], want: Vec<f64>) {
    match act {
        Act::Identity | Act::Relu => assert_eq!(got, want),
        Act::Elu | Act::Tanh => assert_close(got, want, TIGHT),
    }
}

/// `fold` of each column.
fn columns(width: usize, x: &[f64], fold: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    (0..width).map(|c| fold(&x.iter().skip(c).step_by(width).copied().collect::<Vec<_>>())).collect()
}

fn mean(column: &[f64]) -> f64 {
    column.iter().sum::<f64>() / column.len().max(1) as f64
}

fn variance(column: &[f64]) -> f64 {
    let mean = mean(column);
    column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / column.len().max(1) as f64
}

/// Batch normalisation by its definition.
fn normal(width: usize, beside: Beside, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let (before, behind) = beside.sides();
    let x: Vec<f64> = x.iter().map(|&x| apply(before, x)).collect();
    let (m, v) = (columns(width, &x, mean), columns(width, &x, variance));
    let of = |(k, x): (usize, &f64)| {
        let c = k % width;
        apply(behind, (x - m[c]) / (v[c] + 0.1).sqrt() * weight[c] + bias[c])
    };
    x.iter().enumerate().map(of).collect()
}

proptest! {
    #[test]
    fn bias_then_activation(o in operands(40)) {
        let want = |bias: &[f64]| o.x.iter().enumerate().map(|(k, x)| apply(o.act, x + bias[k % o.width])).collect::<Vec<_>>();
        let got = run(o.x.len(), |exec, y| {
            y.copy_from_slice(&o.x);
            rows::bias_act(exec, o.width, Some(&o.bias), o.act, y);
        });
        applied(o.act, &got, want(&o.bias));
        let got = run(o.x.len(), |exec, y| {
            y.copy_from_slice(&o.x);
            rows::bias_act(exec, o.width, None, o.act, y);
        });
        applied(o.act, &got, want(&vec![0.0; o.width]));
    }

    #[test]
    fn activation_backward_with_the_sum_for_the_bias(o in operands(40)) {
        let y: Vec<f64> = o.x.iter().map(|&x| apply(o.act, x)).collect();
        let want: Vec<f64> = y.iter().zip(&o.g).map(|(&y, &g)| g * slope(o.act, y)).collect();
        let got = run(y.len(), |exec, dx| rows::act_backward(exec, o.width, o.act, &y, &o.g, dx, None));
        prop_assert_eq!(&got, &want);
        let mut dx = vec![7.0; y.len()];
        let sums = run(o.width, |exec, sums| {
            let mut dx = vec![7.0; y.len()];
            rows::act_backward(exec, o.width, o.act, &y, &o.g, &mut dx, Some(sums));
            assert_eq!(dx, got);
        });
        assert_close(&sums, columns(o.width, &want, |column| column.iter().sum()), TIGHT);
        rows::act_backward(&Serial, o.width, o.act, &y, &o.g, &mut dx, None);
        prop_assert_eq!(dx, got);
    }

    #[test]
    fn sums_and_moments(o in operands(400)) {
        let sum = |column: &[f64]| column.iter().sum();
        let got = run(o.width, |exec, out| rows::column_sums(exec, o.width, &o.x, out));
        assert_close(&got, columns(o.width, &o.x, sum), TIGHT);
        let x32 = narrow(&o.x);
        let got = run(o.width, |exec, out| rows::column_sums(exec, o.width, &x32, out));
        assert_close(&widen(&got), columns(o.width, &o.x, sum), LOOSE);
        let got = run(2 * o.width, |exec, out| {
            let (mean, var) = out.split_at_mut(o.width);
            rows::moments(exec, o.width, &o.x, o.act, mean, var);
        });
        let y: Vec<f64> = o.x.iter().map(|&x| apply(o.act, x)).collect();
        assert_close(&got[..o.width], columns(o.width, &y, mean), TIGHT);
        assert_close(&got[o.width..], columns(o.width, &y, variance), TIGHT);
    }

    #[test]
    fn entropy_and_its_backward(o in operands(24)) {
        let p: Vec<f64> = o.x.iter().map(|x| x * x).collect();
        let sum = |p: &[f64]| p.iter().map(|p| -p * (p + 0.1).ln()).sum::<f64>();
        let got = run(1, |exec, out| out[0] = rows::entropy(exec, o.width, &p, 0.1));
        assert_close(&got, [sum(&p)], 1e-11);
        let got = run(p.len(), |exec, dp| rows::entropy_backward(exec, o.width, &p, 0.1, 1.5, dp));
        assert_close(&got, slopes(&p, |p| 1.5 * sum(p)), 1e-7);
    }

    #[test]
    fn normalisation_and_its_backward(o in operands(24), behind in any::<bool>()) {
        let beside = if behind { Beside::Behind(o.act) } else { Beside::Before(o.act) };
        let (n, w) = (o.x.len(), o.width);
        let normal = |x: &[f64], weight: &[f64], bias: &[f64]| normal(w, beside, x, weight, bias);
        let flat = if behind { self::normal(w, Beside::Behind(Act::Identity), &o.x, &o.weight, &o.bias) } else { o.x.clone() };
        // Near the corner of the ReLU a difference quotient says nothing.
        prop_assume!(o.act == Act::Identity || flat.iter().all(|y| y.abs() > 1e-3));
        let x: Vec<f64> = o.x.iter().map(|&x| apply(beside.sides().0, x)).collect();
        let (m, v) = (columns(w, &x, mean), columns(w, &x, variance));
        let norm = Norm { mean: &m, var: &v, weight: &o.weight, bias: &o.bias, eps: 0.1 };
        let y = run(n, |exec, y| rows::normalize(exec, w, &o.x, &norm, beside, y));
        assert_close(&y, normal(&o.x, &o.weight, &o.bias), TIGHT);

        let got = run(n + 2 * w, |exec, out| {
            let (dx, rest) = out.split_at_mut(n);
            let (dweight, dbias) = rest.split_at_mut(w);
            let sums = rows::normalize_sums(exec, w, &o.x, &y, &o.g, &norm, beside);
            dweight.copy_from_slice(&sums.weight);
            dbias.copy_from_slice(&sums.bias);
            rows::normalize_backward(exec, w, &o.x, &y, &o.g, &norm, beside, &sums, dx);
        });
        assert_close(&got[..n], slopes(&o.x, |x| inner(&o.g, &normal(x, &o.weight, &o.bias))), 1e-7);
        let dweight = slopes(&o.weight, |weight| inner(&o.g, &normal(&o.x, weight, &o.bias)));
        assert_close(&got[n..n + w], dweight, 1e-7);
        let dbias = slopes(&o.bias, |bias| inner(&o.g, &normal(&o.x, &o.weight, bias)));
        assert_close(&got[n + w..], dbias, 1e-7);
    }
}

/// More than one block of rows, on both sides of every register.
fn many_widths<T: Scalar>(tolerance: f64) {
    for width in (1..=257).filter(|width| width % 16 < 3 || *width < 20) {
        let n = 70_000 / width + 3;
        let x: Vec<f64> = (0..n * width).map(|k| ((k * 7919 % 1013) as f64 - 506.0) / 253.0).collect();
        let short: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
        let x: Vec<f64> = short.iter().map(|x| x.to_f64()).collect();
        let got = run(3 * width, |exec, out| {
            let (mean, rest) = out.split_at_mut(width);
            let (var, sums) = rest.split_at_mut(width);
            rows::moments(exec, width, &short, Act::Identity, mean, var);
            rows::column_sums(exec, width, &short, sums);
        });
        let got: Vec<f64> = got.into_iter().map(Scalar::to_f64).collect();
        assert_close(&got[..width], columns(width, &x, mean), tolerance);
        assert_close(&got[width..2 * width], columns(width, &x, variance), tolerance);
        let share = |sum: f64| sum / n as f64;
        let means: Vec<f64> = got[2 * width..].iter().map(|&sum| share(sum)).collect();
        assert_close(&means, columns(width, &x, mean), tolerance);
    }
}

#[test]
fn many_widths_in_f32() {
    many_widths::<f32>(1e-5);
}

#[test]
fn many_widths_in_f64() {
    many_widths::<f64>(1e-12);
}

#[test]
fn moments_do_not_cancel_far_from_zero() {
    // Mean 10⁴, deviation 1: E[x²] − E[x]² in f32 would have no digit left.
    let n = 100_000;
    let x: Vec<f32> = (0..n).map(|k| 10_000.0 + if k % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let (mut mean, mut var) = ([0.0], [0.0]);
    rows::moments(&Serial, 1, &x, Act::Identity, &mut mean, &mut var);
    assert!((mean[0] - 10_000.0).abs() < 1e-2 && (var[0] - 1.0).abs() < 1e-3, "{mean:?} {var:?}");
}

#[test]
fn no_rows_have_moments_zero() {
    let (mut mean, mut var, mut sums) = ([7.0; 3], [7.0; 3], [7.0; 3]);
    rows::moments::<f64>(&Serial, 3, &[], Act::Identity, &mut mean, &mut var);
    rows::column_sums(&Serial, 3, &[], &mut sums);
    assert_eq!((mean, var, sums), ([0.0; 3], [0.0; 3], [0.0; 3]));
}

#[test]
#[should_panic(expected = "rows::bias_act: a matrix must be [_, 4], got 6 numbers")]
fn a_wrong_length_is_named() {
    rows::bias_act(&Serial, 4, None, Act::Relu, &mut [0.0; 6]);
}

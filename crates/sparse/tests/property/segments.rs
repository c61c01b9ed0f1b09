//! Segment reductions against plain loops over columns, and their backward against finite differences.

use crate::support::{assert_close, inner, narrow, numbers, run, segments, slopes, widen, width};
use coarsen_sparse::segment::{self, NO_ROW, Queries};
use coarsen_sparse::{Executor, Serial};
use proptest::prelude::*;

const TIGHT: f64 = 1e-13;

/// Segments, rows `[n, width]`, an incoming gradient per segment and one per row, the width.
type Operands = (Vec<u32>, Vec<f64>, Vec<f64>, Vec<f64>, usize);

fn operands() -> impl Strategy<Value = Operands> {
    (segments(), width()).prop_flat_map(|(ptr, width)| {
        let (rows, count) = (ptr[ptr.len() - 1] as usize, ptr.len() - 1);
        (Just(ptr), numbers(rows * width), numbers(count * width), numbers(rows * width), Just(width))
    })
}

/// `fold` of each column of each segment.
fn columns(ptr: &[u32], x: &[f64], width: usize, fold: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let segments = ptr.windows(2).map(|ends| ends[0] as usize..ends[1] as usize);
    segments
        .flat_map(|rows| (0..width).map(move |column| (rows.clone(), column)))
        .map(|(rows, column)| fold(&rows.map(|row| x[row * width + column]).collect::<Vec<_>>()))
        .collect()
}

fn forward(len: usize, kernel: impl Fn(&dyn Executor, &mut [f64])) -> Vec<f64> {
    let mut out = vec![f64::NAN; len];
    kernel(&Serial, &mut out);
    out
}

proptest! {
    #[test]
    fn sum_and_mean((ptr, x, g, _, width) in operands()) {
        let (n, s) = (x.len(), g.len());
        let total = |column: &[f64]| column.iter().sum::<f64>();
        let mean = |column: &[f64]| total(column) / column.len().max(1) as f64;

        let got = run(s, |exec, out| segment::sum(exec, &ptr, &x, width, out));
        assert_close(&got, columns(&ptr, &x, width, total), TIGHT);
        let got = run(s, |exec, out| segment::mean(exec, &ptr, &x, width, out));
        assert_close(&got, columns(&ptr, &x, width, mean), TIGHT);
        let x32 = narrow(&x);
        let got = run(s, |exec, out| segment::mean(exec, &ptr, &x32, width, out));
        assert_close(&widen(&got), columns(&ptr, &x, width, mean), 1e-5);

        let got = run(n, |exec, out| segment::sum_backward(exec, &ptr, &g, width, out));
        let loss = |x: &[f64]| inner(&g, &forward(s, |exec, out| segment::sum(exec, &ptr, x, width, out)));
        assert_close(&got, slopes(&x, loss), 1e-8);
        let got = run(n, |exec, out| segment::mean_backward(exec, &ptr, &g, width, out));
        let loss = |x: &[f64]| inner(&g, &forward(s, |exec, out| segment::mean(exec, &ptr, x, width, out)));
        assert_close(&got, slopes(&x, loss), 1e-8);
    }

    #[test]
    fn max_and_its_row((ptr, x, g, _, width) in operands()) {
        // Coarse numbers, so that ties happen.
        let x: Vec<f64> = x.iter().map(|x| x.round()).collect();
        let largest = |column: &[f64]| column.iter().copied().reduce(f64::max).unwrap_or(0.0);
        let mut argmax = vec![3; g.len()];
        segment::max(&Serial, &ptr, &x, width, &mut vec![0.0; g.len()], &mut argmax);
        let got = run(g.len(), |exec, out| {
            let mut rows = vec![3; g.len()];
            segment::max(exec, &ptr, &x, width, out, &mut rows);
            assert_eq!(rows, argmax);
        });
        assert_close(&got, columns(&ptr, &x, width, largest), 0.0);
        for (place, &row) in argmax.iter().enumerate() {
            let (segment, column) = (place / width, place % width);
            let rows = ptr[segment]..ptr[segment + 1];
            let first = { rows }.find(|&row| x[row as usize * width + column] >= got[place]);
            prop_assert_eq!(row, first.unwrap_or(NO_ROW));
        }

        let got = run(x.len(), |exec, out| segment::max_backward(exec, &ptr, &g, &argmax, width, out));
        let mut want = vec![0.0; x.len()];
        for (place, (&row, &g)) in argmax.iter().zip(&g).enumerate() {
            if row != NO_ROW {
                want[row as usize * width + place % width] += g;
            }
        }
        prop_assert_eq!(got, want);
    }

    #[test]
    fn softmax_is_normalised_and_differentiable((ptr, x, _, g, width) in operands()) {
        let x: Vec<f64> = x.iter().map(|x| x * 3.0).collect();
        let n = x.len();
        let y = run(n, |exec, out| segment::softmax(exec, &ptr, &x, width, out));
        let expected = |x: &[f64]| {
            let sums = columns(&ptr, x, width, |column| column.iter().map(|x| x.exp()).sum());
            let segment = |row: usize| ptr.partition_point(|&end| end as usize <= row) - 1;
            (0..n).map(|place| x[place].exp() / sums[segment(place / width) * width + place % width]).collect::<Vec<_>>()
        };
        assert_close(&y, expected(&x), TIGHT);
        let x32 = narrow(&x);
        let y32 = run(n, |exec, out| segment::softmax(exec, &ptr, &x32, width, out));
        assert_close(&widen(&y32), expected(&widen(&x32)), 1e-6);

        let got = run(n, |exec, out| segment::softmax_backward(exec, &ptr, &y, &g, width, out));
        let loss = |x: &[f64]| inner(&g, &forward(n, |exec, out| segment::softmax(exec, &ptr, x, width, out)));
        assert_close(&got, slopes(&x, loss), 1e-8);
    }
}

proptest! {
    #[test]
    fn attention_is_its_formula_and_differentiable((ptr, x, q, g, width) in operands().prop_flat_map(|(ptr, x, q, _, width)| {
        let g = numbers(q.len());
        (Just(ptr), Just(x), Just(q), g, Just(width))
    })) {
        let n = ptr[ptr.len() - 1] as usize;
        let expected = |q: &[f64], x: &[f64]| {
            let mut y = vec![0.0; q.len()];
            for (s, ends) in ptr.windows(2).enumerate() {
                let rows: Vec<usize> = (ends[0] as usize..ends[1] as usize).collect();
                let row = |r: usize| &x[r * width..][..width];
                let e: Vec<f64> = rows.iter().map(|&r| inner(row(r), &q[s * width..][..width]).exp()).collect();
                let sum: f64 = e.iter().sum();
                for (&r, e) in rows.iter().zip(&e) {
                    for c in 0..width {
                        y[s * width + c] += e / sum * row(r)[c];
                    }
                }
            }
            y
        };
        let (mut a, mut y) = (vec![f64::NAN; n], vec![f64::NAN; q.len()]);
        segment::attend(&Serial, &Queries { ptr: &ptr, q: &q, x: &x, width }, &mut a, &mut y);
        assert_close(&y, expected(&q, &x), 1e-12);
        let parallel = run(q.len(), |exec, out| {
            segment::attend(exec, &Queries { ptr: &ptr, q: &q, x: &x, width }, &mut vec![0.0; n], out);
        });
        prop_assert_eq!(&parallel, &y);
        let (q32, x32) = (narrow(&q), narrow(&x));
        let got = run(q.len(), |exec, out| {
            segment::attend(exec, &Queries { ptr: &ptr, q: &q32, x: &x32, width }, &mut vec![0.0; n], out);
        });
        assert_close(&widen(&got), expected(&widen(&q32), &widen(&x32)), 1e-4);

        let queries = Queries { ptr: &ptr, q: &q, x: &x, width };
        let dq = run(q.len(), |exec, dq| segment::attend_backward(exec, &queries, &a, &g, dq, &mut vec![0.0; x.len()]));
        let dx = run(x.len(), |exec, dx| segment::attend_backward(exec, &queries, &a, &g, &mut vec![0.0; q.len()], dx));
        assert_close(&dq, slopes(&q, |q| inner(&g, &expected(q, &x))), 1e-7);
        assert_close(&dx, slopes(&x, |x| inner(&g, &expected(&q, x))), 1e-7);
    }
}

/// The rows that a full sort puts first.
fn best(ptr: &[u32], score: &[f64], count: impl Fn(usize) -> usize) -> Vec<u32> {
    let of_segment = |ends: &[u32]| {
        let mut rows: Vec<u32> = (ends[0]..ends[1]).collect();
        let k = count(rows.len());
        // Stable: of equal scores the lower row stays first.
        rows.sort_by(|&a, &b| {
            let key = |row: u32| score[row as usize].max(f64::NEG_INFINITY);
            let nan = |row: u32| score[row as usize].is_nan();
            nan(b).cmp(&nan(a)).then(key(b).total_cmp(&key(a)))
        });
        rows.truncate(k);
        rows
    };
    ptr.windows(2).flat_map(of_segment).collect()
}

proptest! {
    #[test]
    fn top_is_the_start_of_a_full_sort(
        (ptr, score) in segments().prop_flat_map(|ptr| {
            let rows = ptr[ptr.len() - 1] as usize;
            let special = [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0];
            let score = prop_oneof![3 => -3_i32..3, 1 => 10..16]
                .prop_map(move |k| if k < 10 { f64::from(k) / 2.0 } else { special[k as usize - 10] });
            (Just(ptr), prop::collection::vec(score, rows))
        }),
        k in 0_usize..8,
    ) {
        for count in [|_, k| k, |n: usize, _| n.div_ceil(2), |n, k| n + k] {
            let want = best(&ptr, &score, |n| count(n, k));
            prop_assert_eq!(&segment::top(&ptr, &score, |n| count(n, k)), &want);
            prop_assert_eq!(&segment::top(&ptr, &narrow(&score), |n| count(n, k)), &want);
        }
    }

    #[test]
    fn long_segments_and_wide_rows(width in prop_oneof![1_usize..20, 60_usize..70, 120_usize..135], seed in 0_usize..1000) {
        let ptr = [0, 0, 90, 91, 300, 300];
        let x: Vec<f64> = (0..300 * width).map(|k| (((k + seed) * 7919 % 1013) as f64 - 506.0) / 200.0).collect();
        let s = 5 * width;
        let total = |column: &[f64]| column.iter().sum::<f64>();
        let got = run(s, |exec, out| segment::sum(exec, &ptr, &x, width, out));
        assert_close(&got, columns(&ptr, &x, width, total), TIGHT);
        let largest = |column: &[f64]| column.iter().copied().reduce(f64::max).unwrap_or(0.0);
        let got = run(s, |exec, out| segment::max(exec, &ptr, &x, width, out, &mut vec![0; s]));
        assert_close(&got, columns(&ptr, &x, width, largest), 0.0);
        let y = run(x.len(), |exec, out| segment::softmax(exec, &ptr, &narrow(&x), width, out));
        let ones = columns(&ptr, &widen(&y), width, |column| if column.is_empty() { 1.0 } else { total(column) });
        assert_close(&ones, vec![1.0; s], 1e-5);
    }
}

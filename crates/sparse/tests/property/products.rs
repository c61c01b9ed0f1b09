//! Products against dense arithmetic, for any executor.

use crate::support::{
    Matrix, array, assert_close, at_edges, dense, inner, matrix, narrow, numbers, run, size, slopes, widen,
    width,
};
use coarsen_sparse::segment::NO_ROW;
use coarsen_sparse::spgemm::multiply;
use coarsen_sparse::{
    Pattern, Product, Serial, row_sums, sddmm, spmm, spmm_max, spmm_max_backward, spmm_max_values, spmm_mean,
    spmm_mean_backward, spmm_transposed,
};
use ndarray::Axis;
use proptest::prelude::*;

const TIGHT: f64 = 1e-13;
const LOOSE: f64 = 1e-5;

/// A matrix, a right factor `[cols, width]`, an incoming gradient `[rows, width]`, the width.
fn operands() -> impl Strategy<Value = (Matrix, Vec<f64>, Vec<f64>, usize)> {
    (size(), size(), width()).prop_flat_map(|(rows, cols, width)| {
        (matrix(rows, cols), numbers(cols * width), numbers(rows * width), Just(width))
    })
}

/// Two matrices whose shapes chain.
fn factors() -> impl Strategy<Value = (Matrix, Matrix)> {
    (size(), size(), size()).prop_flat_map(|(n, k, m)| (matrix(n, k), matrix(k, m)))
}

proptest! {
    #[test]
    fn spmm_is_dense_product((a, x, _, width) in operands()) {
        let (rows, cols) = (a.csr.rows(), a.csr.cols());
        let want = a.dense().dot(&array(cols, width, &x));
        let got = run(rows * width, |exec, y| spmm(exec, &a.csr, Some(&a.values), &x, width, y));
        assert_close(&got, want.iter().copied(), TIGHT);

        let (values, x32) = (a.values_f32(), narrow(&x));
        let got = run(rows * width, |exec, y| spmm(exec, &a.csr, Some(&values), &x32, width, y));
        assert_close(&widen(&got), want, LOOSE);

        let ones = dense(&a.csr, &vec![1.0; a.csr.nnz()]);
        let got = run(rows * width, |exec, y| spmm(exec, &a.csr, None, &x, width, y));
        assert_close(&got, ones.dot(&array(cols, width, &x)), TIGHT);
    }

    #[test]
    fn spmm_transposed_is_dense_product((a, _, g, width) in operands()) {
        let (rows, cols) = (a.csr.rows(), a.csr.cols());
        let pattern = Pattern::new(a.csr.clone());
        let want = a.dense().t().dot(&array(rows, width, &g));
        let got =
            run(cols * width, |exec, y| spmm_transposed(exec, &pattern, Some(&a.values), &g, width, y));
        assert_close(&got, want.iter().copied(), TIGHT);

        let mut values = vec![0.0; a.csr.nnz()];
        pattern.transpose_values(&a.values, &mut values);
        let same = run(cols * width, |exec, y| spmm(exec, pattern.transpose(), Some(&values), &g, width, y));
        prop_assert_eq!(got, same);

        let ones = dense(&a.csr, &vec![1.0; a.csr.nnz()]);
        let got = run(cols * width, |exec, y| spmm_transposed(exec, &pattern, None, &g, width, y));
        assert_close(&got, ones.t().dot(&array(rows, width, &g)), TIGHT);
    }

    #[test]
    fn sddmm_is_dense_product_at_the_edges((a, x, g, width) in operands()) {
        let (rows, cols) = (a.csr.rows(), a.csr.cols());
        let want = at_edges(&a.csr, &array(rows, width, &g).dot(&array(cols, width, &x).t()));
        let got = run(a.csr.nnz(), |exec, out| sddmm(exec, &a.csr, &g, &x, width, out));
        assert_close(&got, want.iter().copied(), TIGHT);

        let (g, x) = (narrow(&g), narrow(&x));
        let got = run(a.csr.nnz(), |exec, out| sddmm(exec, &a.csr, &g, &x, width, out));
        assert_close(&widen(&got), want, LOOSE);
    }

    #[test]
    fn spmm_mean_divides_by_the_row_length((a, x, g, width) in operands()) {
        let (rows, cols) = (a.csr.rows(), a.csr.cols());
        let pattern = Pattern::new(a.csr.clone());
        let share = |row: u32| 1.0 / a.csr.row(row as usize).len() as f64;
        let mean = dense(&a.csr, &a.csr.entries().map(|(row, _)| share(row)).collect::<Vec<_>>());
        let got = run(rows * width, |exec, y| spmm_mean(exec, &a.csr, &x, width, y));
        assert_close(&got, mean.dot(&array(cols, width, &x)), TIGHT);
        let got = run(cols * width, |exec, out| spmm_mean_backward(exec, &pattern, &g, width, out));
        assert_close(&got, mean.t().dot(&array(rows, width, &g)), TIGHT);
    }

    #[test]
    fn spmm_max_takes_the_first_largest_and_its_gradient_goes_there((a, x, g, width) in operands()) {
        let (rows, pattern) = (a.csr.rows(), Pattern::new(a.csr.clone()));
        for values in [None, Some(&a.values[..])] {
            let value = |edge: usize| values.map_or(1.0, |values| values[edge]);
            let (mut from, mut dx) = (vec![NO_ROW; rows * width], vec![0.0; x.len()]);
            let mut dvalues = vec![0.0; a.csr.nnz()];
            let want: Vec<f64> = (0..rows * width)
                .map(|place| {
                    let (row, column) = (place / width, place % width);
                    let at = |(edge, col): (usize, u32)| value(edge) * x[col as usize * width + column];
                    let edges = a.csr.range(row).zip(a.csr.row(row).iter().copied());
                    let best = edges.reduce(|best, edge| if at(edge) > at(best) { edge } else { best });
                    if let Some((edge, col)) = best {
                        from[place] = col;
                        dx[col as usize * width + column] += value(edge) * g[place];
                        dvalues[edge] += g[place] * x[col as usize * width + column];
                    }
                    best.map_or(0.0, at)
                })
                .collect();
            let mut argmax = vec![7; from.len()];
            let y = run(want.len(), |exec, y| {
                spmm_max(exec, &a.csr, values, &x, width, y, &mut vec![7; from.len()]);
            });
            spmm_max(&Serial, &a.csr, values, &x, width, &mut vec![0.0; want.len()], &mut argmax);
            prop_assert_eq!((y, &argmax), (want, &from));
            let got = run(dx.len(), |exec, out| {
                spmm_max_backward(exec, &pattern, values, &g, &argmax, width, out);
            });
            assert_close(&got, dx, TIGHT);
            let got = run(dvalues.len(), |exec, out| {
                spmm_max_values(exec, &a.csr, &g, &argmax, &x, width, out);
            });
            assert_close(&got, dvalues, TIGHT);
        }
    }

    #[test]
    fn row_sums_are_dense_row_sums(a in (size(), size()).prop_flat_map(|(n, m)| matrix(n, m))) {
        let got = run(a.csr.rows(), |exec, out| row_sums(exec, &a.csr, Some(&a.values), out));
        assert_close(&got, a.dense().sum_axis(Axis(1)), TIGHT);
        let got = run(a.csr.rows(), |exec, out| row_sums::<f64>(exec, &a.csr, None, out));
        assert_close(&got, (0..a.csr.rows()).map(|row| a.csr.row(row).len() as f64), TIGHT);
    }

    #[test]
    fn spgemm_is_dense_product((a, b) in factors()) {
        let (csr, values) = multiply(&Serial, &a.csr, Some(&a.values), &b.csr, Some(&b.values)).unwrap();
        let want = a.dense().dot(&b.dense());
        assert_close(dense(&csr, &values).as_slice().unwrap(), want.iter().copied(), TIGHT);

        let (a32, b32) = (a.values_f32(), b.values_f32());
        let (same, values) = multiply(&Serial, &a.csr, Some(&a32), &b.csr, Some(&b32)).unwrap();
        prop_assert_eq!(&same, &csr);
        assert_close(&widen(&values), at_edges(&csr, &want), LOOSE);
    }

    #[test]
    fn spgemm_pattern_holds_every_path_and_no_more((a, b) in factors()) {
        let product = Product::new(&crate::support::Adversary, &a.csr, &b.csr).unwrap();
        prop_assert_eq!(&product, &Product::new(&Serial, &a.csr, &b.csr).unwrap());
        prop_assert_eq!(&product, &Product::new(&crate::support::Fine, &a.csr, &b.csr).unwrap());
        let c = product.csr();
        prop_assert!(coarsen_sparse::Csr::new(c.rows(), c.cols(), c.row_ptr().to_vec(), c.col().to_vec()).is_ok());
        let paths = run(c.nnz(), |exec, out| product.values::<f64>(exec, &a.csr, None, &b.csr, None, out));
        prop_assert!(paths.iter().all(|&paths| paths >= 1.0));
        let all = dense(&a.csr, &vec![1.0; a.csr.nnz()]).dot(&dense(&b.csr, &vec![1.0; b.csr.nnz()]));
        assert_close(dense(c, &paths).as_slice().unwrap(), all, TIGHT);
    }

    #[test]
    fn spgemm_backward_is_dense_backward(
        (a, b, grad) in factors().prop_flat_map(|(a, b)| {
            let nnz = Product::new(&Serial, &a.csr, &b.csr).unwrap().csr().nnz();
            (Just(a), Just(b), numbers(nnz))
        })
    ) {
        let pattern = Pattern::new(a.csr.clone());
        let product = Product::new(&Serial, &a.csr, &b.csr).unwrap();
        let g = dense(product.csr(), &grad);

        let got = run(a.csr.nnz(), |exec, out| {
            product.backward_left(exec, &a.csr, &b.csr, Some(&b.values), &grad, out);
        });
        assert_close(&got, at_edges(&a.csr, &g.dot(&b.dense().t())), TIGHT);
        let loss = |av: &[f64]| {
            inner(&grad, &multiply(&Serial, &a.csr, Some(av), &b.csr, Some(&b.values)).unwrap().1)
        };
        assert_close(&got, slopes(&a.values, loss), 1e-8);

        let got = run(b.csr.nnz(), |exec, out| {
            product.backward_right(exec, &pattern, Some(&a.values), &b.csr, &grad, out);
        });
        assert_close(&got, at_edges(&b.csr, &a.dense().t().dot(&g)), TIGHT);
        let loss = |bv: &[f64]| {
            inner(&grad, &multiply(&Serial, &a.csr, Some(&a.values), &b.csr, Some(bv)).unwrap().1)
        };
        assert_close(&got, slopes(&b.values, loss), 1e-8);
    }

    #[test]
    fn pooled_adjacency_is_the_dense_triple_product(
        (a, s) in (size(), size()).prop_flat_map(|(n, k)| (matrix(n, n), matrix(n, k)))
    ) {
        let left = Pattern::new(s.csr.clone());
        let mut transposed = vec![0.0; s.csr.nnz()];
        left.transpose_values(&s.values, &mut transposed);
        let (half, values) = multiply(&Serial, &a.csr, Some(&a.values), &s.csr, Some(&s.values)).unwrap();
        let (pooled, values) =
            multiply(&Serial, left.transpose(), Some(&transposed), &half, Some(&values)).unwrap();
        let want = s.dense().t().dot(&a.dense()).dot(&s.dense());
        assert_close(dense(&pooled, &values).as_slice().unwrap(), want, TIGHT);
    }
}

#[test]
fn long_rows_are_reduced_in_order_too() {
    // A star of 500 nodes: one row of C spans all columns, and the rows of B are far longer than any group of edges.
    let n = 500;
    let star = (1..n).flat_map(|i| [(0, i), (i, 0), (i, i)]);
    let csr = coarsen_sparse::Csr::from_edges(n as usize, n as usize, star).unwrap();
    let values: Vec<f64> = (0..csr.nnz()).map(|edge| ((edge * 37 % 101) as f64 - 50.0) / 17.0).collect();
    let a = Matrix { csr, values };
    let x: Vec<f64> = (0..n * 3).map(|place| f64::from(place % 13) - 6.0).collect();
    let got = run(n as usize * 3, |exec, y| spmm(exec, &a.csr, Some(&a.values), &x, 3, y));
    assert_close(&got, a.dense().dot(&array(n as usize, 3, &x)), TIGHT);

    let product = Product::new(&Serial, &a.csr, &a.csr).unwrap();
    let grad: Vec<f64> = (0..product.csr().nnz()).map(|edge| (edge % 7) as f64 - 3.0).collect();
    let got = run(a.csr.nnz(), |exec, out| {
        product.backward_right(exec, &Pattern::new(a.csr.clone()), Some(&a.values), &a.csr, &grad, out);
    });
    assert_close(&got, at_edges(&a.csr, &a.dense().t().dot(&dense(product.csr(), &grad))), TIGHT);
}

#[test]
fn few_entries_among_many_columns() {
    // Rows of 0 to 60 products over 30 000 columns: listed when few, looked up when many.
    let a =
        coarsen_sparse::Csr::from_edges(61, 80, (0..61).flat_map(|i| (0..i).map(move |k| (i, k)))).unwrap();
    let b =
        coarsen_sparse::Csr::from_edges(80, 30_000, (0..80).flat_map(|k| [(k, k * 7919 % 30_000), (k, k)]))
            .unwrap();
    for narrow in [30_000, 80] {
        let entries = b.entries().filter(|&(_, col)| col < narrow);
        let b = coarsen_sparse::Csr::from_edges(80, narrow as usize, entries).unwrap();
        let (c, paths) = multiply::<f64>(&Serial, &a, None, &b, None).unwrap();
        for row in 0..61 {
            let mut want = std::collections::BTreeMap::new();
            for &middle in a.row(row) {
                for &col in b.row(middle as usize) {
                    *want.entry(col).or_insert(0.0) += 1.0;
                }
            }
            assert_eq!(c.row(row), want.keys().copied().collect::<Vec<_>>());
            assert_eq!(&paths[c.range(row)], want.into_values().collect::<Vec<_>>());
        }
    }
}

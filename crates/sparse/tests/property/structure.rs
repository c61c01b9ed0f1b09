//! Structures against their dense twins, and what the constructors refuse.

use std::collections::BTreeSet;

use crate::support::{edges, matrix, size};
use coarsen_sparse::{Block, Csr, Pattern, block_diagonal};
use proptest::prelude::*;

fn rebuilt(csr: &Csr) -> Result<Csr, coarsen_sparse::Error> {
    Csr::new(csr.rows(), csr.cols(), csr.row_ptr().to_vec(), csr.col().to_vec())
}

fn structure() -> impl Strategy<Value = Csr> {
    (size(), size()).prop_flat_map(|(n, m)| matrix(n, m)).prop_map(|matrix| matrix.csr)
}

fn square() -> impl Strategy<Value = Csr> {
    size().prop_flat_map(|n| matrix(n, n)).prop_map(|matrix| matrix.csr)
}

proptest! {
    #[test]
    fn from_edges_is_the_sorted_set(
        (rows, cols, edges) in (size(), size()).prop_flat_map(|(n, m)| (Just(n), Just(m), edges(n, m)))
    ) {
        let csr = Csr::from_edges(rows, cols, edges.clone()).unwrap();
        let set: BTreeSet<_> = edges.into_iter().collect();
        prop_assert_eq!(csr.entries().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
        prop_assert_eq!(rebuilt(&csr), Ok(csr.clone()));
        prop_assert_eq!(csr.row_of_edges(), csr.entries().map(|entry| entry.0).collect::<Vec<_>>());
        for row in 0..rows as u32 {
            for col in 0..cols as u32 {
                prop_assert_eq!(csr.find(row as usize, col), csr.entries().position(|entry| entry == (row, col)));
            }
        }
    }

    #[test]
    fn transpose_turns_every_edge(csr in structure()) {
        let pattern = Pattern::new(csr.clone());
        let set: BTreeSet<_> = csr.entries().collect();
        let turned: BTreeSet<_> = set.iter().map(|&(row, col)| (col, row)).collect();
        prop_assert_eq!(pattern.transpose().entries().collect::<BTreeSet<_>>(), turned.clone());
        prop_assert_eq!(rebuilt(pattern.transpose()), Ok(pattern.transpose().clone()));
        prop_assert_eq!(pattern.is_symmetric(), csr.rows() == csr.cols() && set == turned);
        let entries: Vec<_> = csr.entries().collect();
        for (&edge, (row, col)) in pattern.transposed_edge().iter().zip(pattern.transpose().entries()) {
            prop_assert_eq!(entries[edge as usize], (col, row));
        }

        prop_assert_eq!(pattern.transposed(), Pattern::new(pattern.transpose().clone()));
        let values: Vec<f64> = (0..csr.nnz()).map(|edge| edge as f64).collect();
        let (mut there, mut back) = (vec![0.0; csr.nnz()], vec![0.0; csr.nnz()]);
        pattern.transpose_values(&values, &mut there);
        pattern.untranspose_values(&there, &mut back);
        prop_assert_eq!(back, values);
    }

    #[test]
    fn contraction_keeps_the_edges_between_clusters(
        (csr, cluster) in square().prop_flat_map(|csr| {
            let n = csr.rows();
            (Just(csr), prop::collection::vec(0..4_u32, n))
        })
    ) {
        let coarse = csr.contracted(&cluster, 4);
        let of = |node: u32| cluster[node as usize];
        let between: BTreeSet<_> = csr.entries().map(|(i, j)| (of(i), of(j))).filter(|(c, d)| c != d).collect();
        prop_assert_eq!(coarse.entries().collect::<Vec<_>>(), between.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(rebuilt(&coarse), Ok(coarse.clone()));
    }

    #[test]
    fn symmetric_structure_is_kept_once(csr in square()) {
        let both = csr.entries().flat_map(|(row, col)| [(row, col), (col, row)]).collect::<Vec<_>>();
        let pattern = Pattern::new(Csr::from_edges(csr.rows(), csr.cols(), both).unwrap());
        prop_assert!(pattern.is_symmetric());
        prop_assert_eq!(pattern.transpose(), pattern.csr());
        for (edge, (row, col)) in pattern.csr().entries().enumerate() {
            prop_assert_eq!(pattern.transposed_edge()[edge] as usize, pattern.csr().find(col as usize, row).unwrap());
        }
    }

    #[test]
    fn induced_keeps_the_edges_among_the_kept(
        (csr, kept) in square().prop_flat_map(|csr| {
            let nodes: Vec<u32> = (0..csr.rows() as u32).collect();
            let count = 0..=nodes.len();
            (Just(csr), prop::sample::subsequence(nodes, count).prop_shuffle())
        })
    ) {
        let (new, old_edges) = csr.induced(&kept);
        prop_assert_eq!(rebuilt(&new), Ok(new.clone()));
        let entries: Vec<_> = csr.entries().collect();
        let old = new.entries().map(|(row, col)| (kept[row as usize], kept[col as usize]));
        for (entry, &edge) in old.zip(&old_edges) {
            prop_assert_eq!(entries[edge as usize], entry);
        }
        let inside = entries.iter().filter(|(row, col)| kept.contains(row) && kept.contains(col)).count();
        prop_assert_eq!((new.nnz(), old_edges.len()), (inside, inside));
    }

    #[test]
    fn select_rows_copies_rows(
        (csr, rows) in structure().prop_flat_map(|csr| {
            let n = csr.rows() as u32;
            let rows = if n == 0 { Just(vec![]).boxed() } else { prop::collection::vec(0..n, 0..9).boxed() };
            (Just(csr), rows)
        })
    ) {
        let (new, old_edges) = csr.select_rows(&rows).unwrap();
        prop_assert_eq!(rebuilt(&new), Ok(new.clone()));
        prop_assert_eq!(new.rows(), rows.len());
        let entries: Vec<_> = csr.entries().collect();
        for ((row, col), &edge) in new.entries().zip(&old_edges) {
            prop_assert_eq!(entries[edge as usize], (rows[row as usize], col));
        }
        prop_assert_eq!(new.nnz(), rows.iter().map(|&row| csr.row(row as usize).len()).sum::<usize>());
    }

    #[test]
    fn diagonal_comes_and_goes(csr in structure()) {
        let (with, old) = csr.with_diagonal().unwrap();
        prop_assert_eq!(rebuilt(&with), Ok(with.clone()));
        prop_assert!(with.diagonal().all(|edge| edge.is_some()));
        let entries: Vec<_> = csr.entries().collect();
        for ((row, col), old) in with.entries().zip(&old) {
            match old {
                Some(edge) => prop_assert_eq!(entries[*edge as usize], (row, col)),
                None => prop_assert!(row == col && csr.find(row as usize, col).is_none()),
            }
        }
        prop_assert_eq!(old.iter().flatten().count(), csr.nnz());

        let (without, old) = csr.without_diagonal();
        prop_assert_eq!(rebuilt(&without), Ok(without.clone()));
        prop_assert!(without.entries().all(|(row, col)| row != col));
        prop_assert_eq!(&without, &with.without_diagonal().0);
        for (entry, &edge) in without.entries().zip(&old) {
            prop_assert_eq!(entries[edge as usize], entry);
        }
    }

    #[test]
    fn blocks_land_on_the_diagonal(parts in prop::collection::vec((structure(), 0_usize..50), 0..5)) {
        let whole = block_diagonal(&parts.iter().map(|(csr, _)| Block::from(csr)).collect::<Vec<_>>()).unwrap();
        prop_assert_eq!(rebuilt(&whole), Ok(whole.clone()));
        let (mut row, mut col, mut want) = (0, 0, Vec::new());
        for (part, _) in &parts {
            want.extend(part.entries().map(|(i, j)| (i + row, j + col)));
            row += part.rows() as u32;
            col += part.cols() as u32;
        }
        prop_assert_eq!((whole.rows(), whole.cols()), (row as usize, col as usize));
        prop_assert_eq!(whole.entries().collect::<Vec<_>>(), want);

        // Offsets in usize that start anywhere give the same.
        let shifted: Vec<Vec<usize>> = parts
            .iter()
            .map(|(csr, base)| csr.row_ptr().iter().map(|&start| start as usize + base).collect())
            .collect();
        let blocks: Vec<_> = parts
            .iter()
            .zip(&shifted)
            .map(|((csr, _), ptr)| Block::with_cols(ptr, csr.col(), csr.cols()))
            .collect();
        prop_assert_eq!(block_diagonal(&blocks), Ok(whole));
    }
}

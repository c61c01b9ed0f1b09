//! From indices to batches.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use coarsen_graph::Dataset;
use coarsen_model::Needs;
use coarsen_pool::PlanSpec;
use coarsen_tensor::{Adjacency, Among, Layout, Level, Planned, Sparse, collate, fields, kron, matching};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tch::Device;

use crate::task::Order;

/// The graphs of `index` by batches, each in parts, in the order asked for.
pub(crate) fn batches(
    data: &dyn Dataset,
    index: &[usize],
    order: Order,
    needs: &Needs,
) -> Vec<Vec<Vec<usize>>> {
    let index = match order.shuffle {
        Some(seed) => shuffled(index, seed),
        None => index.to_vec(),
    };
    let batches = cut(data, &index, order.batch, needs.equal_sizes);
    batches.iter().map(|batch| parts(data, batch, order.parts)).collect()
}

/// Splits `index` into batches of at most `batch` samples, in order; with `equal_sizes` a batch holds graphs of one size.
///
/// Graphs of one size keep their order. A batch of them comes when its last graph does, and those that stay small come at the end:
/// sizes are as mixed as `index` is.
fn cut(data: &dyn Dataset, index: &[usize], batch: usize, equal_sizes: bool) -> Vec<Vec<usize>> {
    if !equal_sizes {
        return index.chunks(batch).map(<[usize]>::to_vec).collect();
    }
    let mut batches = Vec::new();
    let mut open: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &i in index {
        let of_size = open.entry(data.sample(i).topology.nodes()).or_default();
        of_size.push(i);
        if of_size.len() == batch {
            batches.push(std::mem::take(of_size));
        }
    }
    batches.extend(open.into_values().filter(|of_size| !of_size.is_empty()));
    batches
}

/// Deals a batch out to `parts` parts of about as many nodes each; a batch of fewer samples stays whole.
///
/// The largest graphs come first, and each goes where the fewest nodes are. So parts hold about as many graphs as well, which is what
/// their work goes by once they are pooled.
fn parts(data: &dyn Dataset, index: &[usize], parts: usize) -> Vec<Vec<usize>> {
    if parts == 1 || index.len() < parts {
        return vec![index.to_vec()];
    }
    let nodes = |i: &usize| data.sample(*i).topology.nodes();
    let mut falling: Vec<(usize, usize)> = index.iter().map(|i| (nodes(i), *i)).collect();
    falling.sort_by_key(|&(nodes, _)| Reverse(nodes));
    let mut dealt = vec![(0, Vec::new()); parts];
    for (nodes, sample) in falling {
        let (sum, part) = dealt.iter_mut().min_by_key(|(sum, part)| (*sum, part.len())).expect("a part");
        *sum += nodes;
        part.push(sample);
    }
    dealt.into_iter().map(|(_, part)| part).collect()
}

/// `index` in the order of this seed.
fn shuffled(index: &[usize], seed: u64) -> Vec<usize> {
    let mut order = index.to_vec();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order
}

/// One batch as the network needs it; `cluster` seeds its host plans.
pub(crate) fn level(
    data: &dyn Dataset,
    index: &[usize],
    needs: &Needs,
    cluster: u64,
    device: Device,
) -> Level {
    prepared(collate(data, index, device), needs, cluster)
}

/// A collated batch as the network needs it.
pub(crate) fn prepared(level: Level, needs: &Needs, cluster: u64) -> Level {
    if needs.layout == Layout::Dense {
        return match needs.pad_to {
            Some(width) => level.padded(width),
            None => level.to_layout(Layout::Dense),
        };
    }
    let plan = match &level.adj {
        Adjacency::Sparse(input) => planned(input, &needs.plans, cluster),
        Adjacency::Dense(_) => Vec::new(),
    };
    level.with_plan(plan)
}

/// A plan speaks of the levels in order, so it ends before the first one whose edges are not made on the host.
fn planned(input: &Sparse, plans: &[PlanSpec], seed: u64) -> Vec<Planned> {
    let mut made: Vec<Planned> = Vec::with_capacity(plans.len());
    for (level, plan) in (0u64..).zip(plans) {
        let a = match made.last().map(|planned| &planned.adj) {
            None => input,
            Some(Some(Adjacency::Sparse(a))) => a,
            Some(_) => break,
        };
        let matched = |among| matching::planned(&a.pattern, a.options, among, seed.wrapping_add(level));
        let next = match plan {
            PlanSpec::Graclus => matched(Among::Neighbours),
            PlanSpec::Complement => matched(Among::Strangers),
            PlanSpec::Kron(rule) => kron::planned(a, *rule),
            PlanSpec::Fields(rule) => fields::planned(a, *rule),
            _ => break,
        };
        made.push(next);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_graph::{DataDir, FeatureRule};
    use coarsen_tensor::{Assignment, Laplacian, Reduction};

    #[test]
    fn batches_of_equal_sizes_hold_every_sample_once() {
        let data = DataDir::new("none").load("TRIANGLES", &FeatureRule::default()).expect("a built-in set");
        let index: Vec<usize> = (0..100).rev().collect();
        let batches = cut(&data, &index, 7, true);
        let size = |i: &usize| data.sample(*i).topology.nodes();
        assert!(batches.iter().all(|b| b.len() <= 7 && b.iter().all(|i| size(i) == size(&b[0]))));
        let mut all: Vec<usize> = batches.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100));
        let full: Vec<usize> = batches.iter().filter(|b| b.len() == 7).map(|b| b[6]).collect();
        assert!(
            full.len() > 1 && full.is_sorted_by(|a, b| a > b),
            "a full batch comes with its last graph: {full:?}"
        );
    }

    #[test]
    fn a_plan_speaks_of_the_level_before_it() {
        let data = DataDir::new("none").load("TRIANGLES", &FeatureRule::default()).expect("a built-in set");
        let plans = vec![
            PlanSpec::Graclus,
            PlanSpec::Kron(Reduction { laplacian: Laplacian::Normalized, least: 0.0 }),
            PlanSpec::Graclus,
        ];
        let needs = Needs { plans, ..Needs::layout(Layout::Sparse) };
        let level = level(&data, &[0, 1, 2, 3], &needs, 5, Device::Cpu);
        let mut nodes = level.x.size()[0];
        assert_eq!(level.plan.len(), 3);
        for planned in &level.plan {
            let Assignment::Entries(s) = &planned.s else { panic!("entries") };
            assert_eq!(s.relation.rows(), nodes);
            let clusters = s.clusters.rows() as i64;
            assert!(clusters < nodes, "{clusters} of {nodes}");
            nodes = clusters;
        }
    }

    #[test]
    fn parts_hold_every_sample_once_and_about_as_many_nodes_and_graphs() {
        let data = DataDir::new("none").load("TRIANGLES", &FeatureRule::default()).expect("a built-in set");
        let nodes = |part: &[usize]| part.iter().map(|&i| data.sample(i).topology.nodes()).sum::<usize>();
        let index: Vec<usize> = (3..67).rev().collect();
        let smallest = index.iter().map(|&i| nodes(&[i])).min().expect("samples");
        assert_eq!(parts(&data, &index, 1), [&index[..]], "in the order of the batch");
        for count in 2..=5 {
            let dealt = parts(&data, &index, count);
            assert_eq!(dealt.len(), count);
            let mut all = dealt.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(3..67));
            let range = |of: &dyn Fn(&[usize]) -> usize| {
                let sizes = dealt.iter().map(|part| of(part));
                sizes.clone().max().expect("parts") - sizes.min().expect("parts")
            };
            assert!(range(&nodes) <= 2 * smallest && range(&|part| part.len()) <= 2, "{dealt:?}");
        }
        assert_eq!(parts(&data, &index[..3], 3).len(), 3);
        assert_eq!(parts(&data, &index[..2], 3), [index[..2].to_vec()]);
    }

    #[test]
    fn an_order_is_a_permutation_of_its_seed() {
        let index: Vec<usize> = (10..60).collect();
        let mut order = shuffled(&index, 3);
        assert_eq!(order, shuffled(&index, 3));
        assert_ne!(order, shuffled(&index, 4));
        order.sort_unstable();
        assert_eq!(order, index);
    }
}

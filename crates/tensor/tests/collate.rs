//! Samples become a level and come back; host clusterings are those of each graph alone.

mod common;

use std::sync::Arc;

use coarsen_graph::arbitrary::batch;
use coarsen_graph::{Dataset, InMemory, Sample, Target, TopologyBuf};
use coarsen_tensor::{Adjacency, Among, Level, Pattern, classes, collate, matching, matching::plan};
use ndarray::Array2;
use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

fn data(samples: Vec<Sample>) -> InMemory {
    InMemory::from_samples("drawn", samples, 2).unwrap()
}

fn pattern(g: &Level) -> &Arc<Pattern> {
    match &g.adj {
        Adjacency::Sparse(s) => &s.pattern,
        Adjacency::Dense(_) => panic!("collation gives a sparse level"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every sample stands in its rows, in the order asked for, repeated where it was asked for twice.
    #[test]
    fn samples_come_back(samples in batch(1..=5, 1..=8)) {
        let data = data(samples);
        let order: Vec<usize> = (0..data.len()).rev().chain([0]).collect();
        let g = collate(&data, &order, Device::Cpu);
        let p = pattern(&g);
        prop_assert_eq!(p.graphs().len(), order.len());
        for (b, &i) in order.iter().enumerate() {
            let sample = data.sample(i);
            let (from, to) = (p.graphs().ptr()[b], p.graphs().ptr()[b + 1]);
            prop_assert_eq!((to - from) as usize, sample.topology.nodes());
            let x = g.x.narrow(0, i64::from(from), i64::from(to - from)).contiguous().view(-1);
            prop_assert_eq!(Vec::<f32>::try_from(x).unwrap(), sample.x.iter().copied().collect::<Vec<_>>());
            for v in 0..sample.topology.nodes() {
                let there: Vec<u32> = sample.topology.neighbours(v).iter().map(|&u| u + from).collect();
                prop_assert_eq!(p.csr().row(from as usize + v), &there[..]);
            }
        }
        let want: Vec<i64> = order.iter().map(|&i| match data.sample(i).y {
            Target::Class(c) => i64::from(c),
            Target::Real(_) => panic!("samples have classes"),
        }).collect();
        prop_assert_eq!(Vec::<i64>::try_from(classes(&data, &order, Device::Cpu)).unwrap(), want);
    }

    /// Clusters hold at most two adjacent nodes, and a graph's do not depend on its batch.
    #[test]
    fn a_matching_is_that_of_each_graph(samples in batch(1..=5, 1..=8), seed: u64) {
        let data = data(samples);
        let all: Vec<usize> = (0..data.len()).collect();
        let g = collate(&data, &all, Device::Cpu);
        let cluster = matching(pattern(&g), Among::Neighbours, seed);
        let mut end = 0;
        for (b, &i) in all.iter().enumerate() {
            let alone = matching(pattern(&collate(&data, &[i], Device::Cpu)), Among::Neighbours, seed);
            let ends = [0, 1].map(|k| pattern(&g).graphs().ptr()[b + k] as usize);
            let here: Vec<u32> = cluster[ends[0]..ends[1]].iter().map(|c| c - end).collect();
            prop_assert_eq!(&here, &alone);
            end += alone.iter().max().map_or(0, |c| c + 1);
        }
        for c in 0..end {
            let members: Vec<usize> = (0..cluster.len()).filter(|&v| cluster[v] == c).collect();
            let joined = |u: usize, v: usize| pattern(&g).csr().find(u, v as u32).is_some();
            match members[..] {
                [_] => {}
                [u, v] => prop_assert!(joined(u, v) || joined(v, u)),
                _ => prop_assert!(false, "cluster {} has members {:?}", c, members),
            }
        }
    }
}

#[test]
fn a_plan_fits_the_levels_it_speaks_of() {
    let ring = |n: u32| (0..n).flat_map(move |i| [(i, (i + 1) % n), ((i + 1) % n, i)]);
    let sample = |n: u32| {
        let topology = TopologyBuf::from_edges(n as usize, ring(n)).unwrap();
        Sample::new(topology, ndarray::Array2::ones((n as usize, 1)), Target::Class(0)).unwrap()
    };
    let g = collate(&data(vec![sample(8), sample(3)]), &[0, 1], Device::Cpu);
    let options = (Kind::Float, Device::Cpu);
    let mut x = Tensor::ones([11, 1], options);
    for planned in plan(pattern(&g), options, &[Among::Neighbours; 3], 7) {
        x = planned.s.reduce(&x);
        let Some(Adjacency::Sparse(coarser)) = &planned.adj else { panic!("a plan fixes the edges") };
        assert_eq!(x.size()[0], coarser.pattern.nodes());
        assert!(coarser.pattern.csr().diagonal().all(|loops| loops.is_none()), "no loops");
        assert_eq!(coarser.pattern.graphs().len(), 2);
    }
    // Every node is counted once, on whatever level.
    assert_eq!(x.sum(Kind::Float).double_value(&[]) as i64, 11);
}

#[test]
fn a_graph_without_nodes_keeps_its_place() {
    let empty =
        Sample::new(TopologyBuf::edgeless(0), ndarray::Array2::ones((0, 2)), Target::Class(1)).unwrap();
    let one = Sample::new(TopologyBuf::edgeless(1), ndarray::Array2::ones((1, 2)), Target::Class(0)).unwrap();
    let g = collate(&data(vec![empty, one]), &[0, 1, 0], Device::Cpu);
    assert_eq!(g.segments().ptr(), [0, 0, 1, 1]);
    assert_eq!((g.graphs(), g.x.size()), (3, vec![1, 2]));
}

/// Attributes stand in the order of the batch's edges, whatever the order of the samples.
#[test]
fn attributes_follow_their_sample() {
    let sample = |edges: &[(u32, u32)], first: f32| {
        let topology = TopologyBuf::from_undirected(3, edges.iter().copied()).unwrap();
        let attr = Array2::from_shape_fn((2 * edges.len(), 2), |(e, d)| first + 10.0 * e as f32 + d as f32);
        Sample::new(topology, Array2::zeros((3, 1)), Target::Class(0)).unwrap().with_edge_attr(attr).unwrap()
    };
    let data = data(vec![sample(&[(0, 1), (1, 2)], 100.0), sample(&[(0, 2)], 500.0)]);
    assert_eq!(data.info().edge_features, 2);
    let g = collate(&data, &[1, 0, 1], Device::Cpu);
    let Adjacency::Sparse(adj) = &g.adj else { panic!("collation gives a sparse level") };
    let attr = adj.attr.as_ref().unwrap();
    assert_eq!((attr.size(), attr.kind()), (vec![8, 2], Kind::Float));
    let first = Vec::<f32>::try_from(attr.select(1, 0).contiguous()).unwrap();
    assert_eq!(first, [500.0, 510.0, 100.0, 110.0, 120.0, 130.0, 500.0, 510.0]);
}

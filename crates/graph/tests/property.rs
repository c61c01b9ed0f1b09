//! Laws of graphs as data, over the strategies of [`coarsen_graph::arbitrary`].

use coarsen_graph::arbitrary::{batch, digraph, empty_graph, graph, graph_and_permutation, permutation};
use coarsen_graph::cluster::graclus::{Work, coarsened, matching, matching_into};
use coarsen_graph::cluster::heavy_edge;
use coarsen_graph::{
    Dataset, FeaturePart, FeatureRule, InMemory, Permutation, Sample, Topology, TopologyBuf,
};
use petgraph::graph::DiGraph;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

fn members(cluster: &[u32]) -> Vec<Vec<usize>> {
    let clusters = cluster.iter().max().map_or(0, |&last| last as usize + 1);
    let mut members = vec![Vec::new(); clusters];
    for (node, &c) in cluster.iter().enumerate() {
        members[c as usize].push(node);
    }
    members
}

/// What is left of the counterexamples of 32 runs with fixed seeds: nodes and directed edges.
fn shrunk(rule: impl Fn(&Sample) -> bool) -> Vec<(usize, usize)> {
    let run = |seed: u8| {
        let config = Config { failure_persistence: None, ..Config::default() };
        let mut runner =
            TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]));
        let kept = |sample: Sample| {
            prop_assert!(rule(&sample));
            Ok(())
        };
        let Err(TestError::Fail(_, sample)) = runner.run(&graph(1..=12), kept) else {
            panic!("no counterexample in 256 graphs");
        };
        assert!(!rule(&sample), "what is left breaks the rule still");
        (sample.view().nodes(), sample.view().edges())
    };
    (0..32).map(run).collect()
}

/// A rule about nodes is broken by the least number of nodes, without edges.
#[test]
fn nodes_shrink_to_the_least() {
    assert_eq!(shrunk(|sample| sample.view().nodes() < 5), vec![(5, 0); 32]);
}

/// A rule about edges is broken by the fewest edges, on the nodes that they join: three, or four where the edges left have no node in common.
#[test]
fn edges_shrink_to_the_fewest() {
    let left = shrunk(|sample| sample.view().edges() < 2 * 2);
    assert!(left.iter().all(|left| [(3, 2 * 2), (4, 2 * 2)].contains(left)), "{left:?}");
    assert!(left.contains(&(3, 2 * 2)), "{left:?}");
}

proptest! {
    #[test]
    fn samples_are_well_formed(sample in prop_oneof![graph(1..=12), digraph(0..=12), empty_graph()]) {
        let view = sample.view();
        prop_assert!(Topology::new(view.topology.row_ptr, view.topology.col).is_ok());
        prop_assert_eq!(view.topology.self_loops(), 0);
        let mut values: Vec<f32> = view.x.iter().copied().collect();
        values.sort_unstable_by(f32::total_cmp);
        prop_assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "features tie");
    }

    #[test]
    fn undirected_graphs_are_symmetric(sample in graph(1..=12)) {
        let t = sample.view().topology;
        prop_assert!(t.is_symmetric());
        prop_assert_eq!(2 * t.undirected_edges(), t.edges());
        prop_assert_eq!(t.to_undirected().edge_count(), t.undirected_edges());
        let lonely = (0..t.nodes()).filter(|&node| t.degree(node) == 0).count();
        prop_assert_eq!(t.isolated_nodes(), lonely);
    }

    #[test]
    fn counting_agrees_with_trying_all_pairs(sample in digraph(1..=8)) {
        let t = sample.view().topology;
        let has = |a: usize, b: usize| t.neighbours(b).contains(&(a as u32));
        let pairs = || (0..t.nodes()).flat_map(|b| (0..b).map(move |a| (a, b)));
        prop_assert_eq!(t.undirected_edges(), pairs().filter(|&(a, b)| has(a, b) || has(b, a)).count());
        prop_assert_eq!(t.is_symmetric(), pairs().all(|(a, b)| has(a, b) == has(b, a)));
    }

    #[test]
    fn edges_in_any_order_give_the_same_rows(
        edges in proptest::collection::vec((0u32..9, 0u32..9), 0..40).prop_flat_map(|e| (Just(e.clone()), Just(e).prop_shuffle()))
    ) {
        let (one, other) = edges;
        let topology = TopologyBuf::from_edges(9, one.clone()).unwrap();
        prop_assert_eq!(&topology, &TopologyBuf::from_edges(9, other).unwrap());
        let mut want = one;
        want.sort_unstable_by_key(|&(source, target)| (target, source));
        want.dedup();
        prop_assert_eq!(topology.view().pairs().collect::<Vec<_>>(), want);
    }

    #[test]
    fn petgraph_and_back(sample in digraph(0..=10)) {
        let bare = TopologyBuf::from(&sample.view().topology.to_petgraph());
        prop_assert_eq!(bare.view(), sample.view().topology);
        let graph = DiGraph::<Vec<f32>, Vec<f32>>::from(&sample);
        if sample.view().nodes() > 0 {
            let back = Sample::from_petgraph(&graph, Clone::clone, Clone::clone, sample.view().y).unwrap();
            prop_assert_eq!(back, sample);
        }
    }

    #[test]
    fn a_permutation_and_its_inverse((sample, p) in graph_and_permutation(1..=12)) {
        let moved = sample.permuted(&p).unwrap();
        prop_assert_eq!(&moved.permuted(&p.inverse()).unwrap(), &sample);
        let (old, new) = (sample.view(), moved.view());
        for (source, target) in old.topology.pairs() {
            let row = new.topology.neighbours(p.to(target as usize));
            prop_assert!(row.contains(&(p.to(source as usize) as u32)));
        }
        for node in 0..old.nodes() {
            prop_assert_eq!(old.x.row(node), new.x.row(p.to(node)));
        }
        prop_assert_eq!(old.edges(), new.edges());
    }

    #[test]
    fn permutations_are_permutations(p in (0usize..20).prop_flat_map(permutation), seed: u64) {
        prop_assert_eq!(&Permutation::new(p.as_slice().to_vec()).unwrap(), &p);
        prop_assert_eq!(p.inverse().inverse(), p.clone());
        let drawn = Permutation::random(p.len(), seed);
        prop_assert_eq!(&Permutation::new(drawn.as_slice().to_vec()).unwrap(), &drawn);
    }

    #[test]
    fn a_set_gives_back_its_samples(samples in batch(1..=6, 1..=8)) {
        let set = InMemory::from_samples("batch", samples.clone(), 2).unwrap();
        prop_assert_eq!(set.len(), samples.len());
        for (index, sample) in samples.iter().enumerate() {
            prop_assert_eq!(set.sample(index), sample.view());
            prop_assert!(set.sample(index).x.is_standard_layout());
        }
        let edges: usize = samples.iter().map(|sample| sample.view().topology.undirected_edges()).sum();
        prop_assert!((set.info().stats.edges_mean * samples.len() as f64 - edges as f64).abs() < 1e-9);
    }

    #[test]
    fn other_features_of_the_same_set(samples in batch(1..=4, 1..=8), cap in 0usize..5) {
        let set = InMemory::from_samples("batch", samples, 2).unwrap();
        let rule = FeatureRule::Parts(vec![FeaturePart::Degree { cap }, FeaturePart::Attributes]);
        let other = set.with_features(&rule).unwrap();
        prop_assert_eq!(&other.info().content_hash, &set.info().content_hash);
        for index in 0..set.len() {
            let (old, new) = (set.sample(index), other.sample(index));
            for node in 0..old.nodes() {
                let slot = old.topology.degree(node).min(cap);
                let row: Vec<f32> = (0..=cap).map(|k| f32::from(u8::from(k == slot))).chain(old.x.row(node).to_vec()).collect();
                prop_assert_eq!(new.x.row(node).to_vec(), row);
            }
        }
    }

    #[test]
    fn graclus_matches_maximally(sample in graph(1..=14), seed: u64, weighted: bool) {
        let t = sample.view().topology;
        let weights: Vec<f32> = t.pairs().map(|(a, b)| (a.max(b) * 7 % 5) as f32).collect();
        let weights = weighted.then_some(weights.as_slice());
        let cluster = matching(&t, weights, seed);
        prop_assert_eq!(&cluster, &matching(&t, weights, seed), "not a function of its seed");
        let clusters = members(&cluster);
        let mut alone = vec![false; t.nodes()];
        for nodes in &clusters {
            match nodes.as_slice() {
                [one] => alone[*one] = true,
                [a, b] => prop_assert!(t.neighbours(*a).contains(&(*b as u32)), "{a} and {b} are no neighbours"),
                other => prop_assert!(false, "a cluster of {}", other.len()),
            }
        }
        prop_assert!(clusters.windows(2).all(|pair| pair[0][0] < pair[1][0]), "not in order of the smaller member");
        for (source, target) in t.pairs() {
            prop_assert!(!(alone[source as usize] && alone[target as usize]), "{source} and {target} stayed alone");
        }
    }

    #[test]
    fn heavy_edges_make_as_many_clusters_as_asked_for(sample in digraph(0..=14), most in 1usize..16, weighted: bool) {
        let t = sample.view().topology;
        let weights: Vec<f64> = t.pairs().map(|(a, b)| f64::from(a.max(b) * 7 % 5)).collect();
        let weights = weighted.then_some(weights.as_slice());
        let cluster = heavy_edge::clusters(&t, weights, most);
        let clusters = members(&cluster);
        prop_assert_eq!(clusters.len(), t.nodes().min(most));
        prop_assert!(clusters.windows(2).all(|pair| pair[0][0] < pair[1][0]), "not in order of the smallest member");
    }

    /// One work space for graphs and seeds that follow each other says what a new one for each would say.
    #[test]
    fn a_work_space_leaves_no_trace(
        samples in proptest::collection::vec((digraph(0..=12), 0u64..3, any::<bool>()), 1..8)
    ) {
        let mut work = Work::default();
        for (sample, seed, weighted) in samples {
            let t = sample.view().topology;
            let weights: Vec<f32> = t.pairs().map(|(a, b)| (a * 5 + b * 3) as f32).collect();
            let weights = weighted.then_some(weights.as_slice());
            let mut cluster = vec![9; t.nodes()];
            let clusters = matching_into(&t, weights, seed, &mut cluster, &mut work);
            prop_assert_eq!(&cluster, &matching(&t, weights, seed));
            prop_assert_eq!(clusters, members(&cluster).len());
        }
    }

    #[test]
    fn levels_shrink_and_stay_simple(sample in graph(1..=14), seed: u64) {
        let mut level = sample.view().topology.to_owned();
        for depth in 0..5 {
            let cluster = matching(&level.view(), None, seed ^ depth);
            let pooled = coarsened(&level.view(), &cluster);
            prop_assert!(Topology::new(pooled.view().row_ptr, pooled.view().col).is_ok());
            prop_assert!(pooled.view().is_symmetric());
            prop_assert_eq!(pooled.view().self_loops(), 0);
            prop_assert!(pooled.view().nodes() <= level.view().nodes());
            prop_assert!(pooled.view().nodes() < level.view().nodes() || level.view().edges() == 0);
            for (source, target) in level.view().pairs() {
                let (a, b) = (cluster[source as usize], cluster[target as usize]);
                prop_assert!(a == b || pooled.view().neighbours(b as usize).contains(&a));
            }
            level = pooled;
        }
    }
}

//! The real data sets, where they are: set `COARSEN_DATA_FROM` to a folder with the published files.

use coarsen_graph::{
    DATASETS, Dataset, Family, FeatureRule, InMemory, SampleRef, Target, TopologyBuf, generate, registry,
};
use ndarray::ArrayView1;
use std::path::PathBuf;
use std::time::Instant;

#[test]
#[allow(clippy::print_stdout)]
fn real_sets_are_as_the_registry_says() {
    let Some(folder) = std::env::var_os("COARSEN_DATA_FROM").map(PathBuf::from) else {
        println!("skipped: COARSEN_DATA_FROM is not set");
        return;
    };
    let mut wrong = Vec::new();
    for spec in DATASETS.iter().filter(|spec| spec.family != Family::Generated) {
        let Some(path) = spec.find_in(&folder).unwrap() else {
            println!("skipped: {} is not in {}", spec.name, folder.display());
            continue;
        };
        let start = Instant::now();
        let raw = spec.read(&path).unwrap();
        let read_seconds = start.elapsed().as_secs_f64();
        let hash = raw.content_hash().to_owned();
        let stats = raw.stats();
        println!("{}: {read_seconds:.2} s, hash {hash}, {stats:?}", spec.name);
        wrong.extend(spec.check(&stats).iter().map(ToString::to_string));
        if spec.content_hash.is_some_and(|want| want != hash) {
            wrong.push(format!("{}: content hash is {hash}", spec.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const WIKI_MEMBERS: [usize; 17] =
    [92, 406, 203, 103, 10, 361, 157, 53, 109, 11, 269, 179, 9, 30, 77, 228, 108];

/// What is known of sets of one graph besides what papers print: isolated nodes, self-loops, members of the classes.
const NODE_SETS: [(&str, usize, usize, &[usize]); 7] = [
    ("cora", 0, 0, &[351, 217, 418, 818, 426, 298, 180]),
    ("citeseer", 48, 124, &[249 + 15, 590, 668, 701, 596, 508]),
    ("acm", 561, 0, &[1061, 965, 999]),
    ("dblp", 1466, 0, &[1197, 745, 1109, 1006]),
    ("wiki", 42, 1165, &WIKI_MEMBERS),
    ("wiki-as-published", 42, 1165, &WIKI_MEMBERS),
    ("emails", 32, 520, &[49, 65, 109, 28, 51, 32, 39, 29, 26, 92, 55, 25, 35, 29, 61, 25, 27, 22]),
];

/// A set of one graph with features by `auto`, if the data is there.
fn one_graph(name: &str) -> Option<InMemory> {
    let folder = PathBuf::from(std::env::var_os("COARSEN_DATA_FROM")?);
    let spec = registry::find(name).unwrap();
    let path = spec.find_in(&folder).unwrap()?;
    Some(spec.read(&path).unwrap().into_dataset(&FeatureRule::Auto).unwrap())
}

#[test]
#[allow(clippy::print_stdout)]
fn sets_of_one_graph_have_the_known_classes_and_isolated_nodes() {
    for (name, isolated, loops, members) in NODE_SETS {
        let Some(set) = one_graph(name) else {
            println!("skipped: {name} is not in COARSEN_DATA_FROM");
            continue;
        };
        let stats = set.info().stats;
        assert_eq!((stats.isolated_nodes, stats.self_loops), (isolated, loops), "{name}");
        let sample = set.sample(0);
        assert!(sample.topology.is_symmetric() && sample.y == Target::Class(0), "{name}");
        let mut count = vec![0; set.info().classes as usize];
        sample.node_class.unwrap().iter().for_each(|&class| count[class as usize] += 1);
        assert_eq!(count, members, "{name}");
        let off = |row: ArrayView1<'_, f32>| row.sum() != 0.0 && (row.sum() - 1.0).abs() > 1e-5;
        assert!(!sample.x.rows().into_iter().any(off), "{name}: rows sum to 0 or 1");
    }
}

/// Of all nodes of Wiki one keeps its own features in the published reading; the graphs are the same but for their numbers.
#[test]
#[allow(clippy::print_stdout)]
fn wiki_as_published_has_the_features_of_other_nodes() {
    let (Some(fixed), Some(published)) = (one_graph("wiki"), one_graph("wiki-as-published")) else {
        println!("skipped: wiki is not in COARSEN_DATA_FROM");
        return;
    };
    let (fixed, published) = (fixed.sample(0), published.sample(0));
    assert_eq!(fixed.x, published.x);
    let degrees = |sample: &SampleRef<'_>| {
        let topology = sample.topology;
        let class = sample.node_class.unwrap();
        let mut of: Vec<_> = (0..topology.nodes()).map(|node| (class[node], topology.degree(node))).collect();
        let unsorted = of.clone();
        of.sort_unstable();
        (of, unsorted)
    };
    let (a, b) = (degrees(&fixed), degrees(&published));
    assert_eq!(a.0, b.0);
    assert_ne!(a.1, b.1);
    // The first line of `graph.txt` is `1397 1470`.
    assert_eq!((a.1[1397], a.1[1470]), (b.1[0], b.1[1]));
}

/// The built-in karate club against the file of the same name.
#[test]
#[allow(clippy::print_stdout)]
fn the_karate_club_is_zacharys() {
    let file = std::env::var_os("COARSEN_DATA_FROM").map(|folder| PathBuf::from(folder).join("karate.gml"));
    let Some(text) = file.and_then(|file| std::fs::read_to_string(file).ok()) else {
        println!("skipped: COARSEN_DATA_FROM is not set or holds no karate.gml");
        return;
    };
    let number = |line: &str| line.rsplit(' ').next().and_then(|id| id.parse::<u32>().ok());
    let after = |key: &'static str| text.lines().map(str::trim).filter(move |line| line.starts_with(key));
    let edges = after("source ").filter_map(number).zip(after("target ").filter_map(number));
    let clubs: Vec<u32> = after("club ").map(|line| u32::from(line.contains("Officer"))).collect();
    let club = generate::karate();
    let want = TopologyBuf::from_undirected(34, edges).unwrap();
    assert_eq!(club.view().topology, want.view());
    assert_eq!(club.view().node_class.unwrap(), clubs);
}

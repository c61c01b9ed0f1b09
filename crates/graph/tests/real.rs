//! The real data sets, where they are: set `COARSEN_DATA_FROM` to a folder with `<NAME>.zip` files.

use coarsen_graph::{DATASETS, Family, TopologyBuf, generate, read};
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
    for spec in DATASETS.iter().filter(|spec| spec.family == Family::Tu) {
        let path = folder.join(format!("{}.zip", spec.name));
        if !path.is_file() {
            println!("skipped: {} is not in {}", spec.name, folder.display());
            continue;
        }
        let start = Instant::now();
        let raw = read::tu::read(&path, None).unwrap();
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

//! What is done with batches of real data sets, and how these are read.

use std::fs;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, Result};
use coarsen_graph::{DataDir, FeatureRule};
use coarsen_tensor::top_k::top_k;
use coarsen_tensor::{Adjacency, Among, Assignment, Pattern, collate, matching, segment};
use tch::{Device, no_grad};

use crate::bench::ops::products::{WIDTH, normal_numbers};
use crate::bench::ops::runner::{Runner, Work};

/// Graphs of a batch.
const GRAPHS: usize = 128;

/// Collation, readouts, selections and coarsenings of the first graphs of each data set.
pub(super) fn graph(runner: &mut Runner, folder: &Path, datasets: &[String]) -> Result<()> {
    const GROUP: &str = "graph";
    for dataset in datasets {
        let data = DataDir::new(folder).load(dataset, &FeatureRule::Auto)?;
        let index: Vec<usize> = (0..GRAPHS).collect();
        let level = collate(&data, &index, Device::Cpu);
        let Adjacency::Sparse(adj) = &level.adj else { unreachable!("collation gives a sparse level") };
        let (pattern, graphs) = (&adj.pattern, level.segments());
        let (nodes, nothing) = (pattern.nodes(), Work::default());
        let name = |what: &str| format!("{dataset} b{GRAPHS} n={nodes} e={} {what}", pattern.edges());

        runner.time(GROUP, &name("collate, with transpose"), nothing, || {
            let level = collate(&data, &index, Device::Cpu);
            if let Adjacency::Sparse(adj) = &level.adj {
                transpose(&adj.pattern);
            }
        })?;
        let x = normal_numbers("x", &[nodes, WIDTH]);
        runner.time_both(GROUP, &name("segment mean fb"), nothing, &x, |x| segment::mean(x, &graphs))?;
        runner.time_both(GROUP, &name("segment max fb"), nothing, &x, |x| segment::max(x, &graphs))?;

        let score = normal_numbers("score", &[nodes]);
        let best = || top_k(&score, &graphs, |n| n.div_ceil(2));
        runner.time(GROUP, &name("topk select 0.5"), nothing, || drop(best()))?;
        let kept = best();
        runner.time(GROUP, &name("filter to the kept"), nothing, || {
            let s = Assignment::kept(&kept, None, &level);
            drop(no_grad(|| level.adj.coarsen(&s)));
        })?;
        runner.time(GROUP, &name("graclus matching"), nothing, || {
            drop(matching(pattern, Among::Neighbours, 1));
        })?;
        let cluster = matching(pattern, Among::Neighbours, 1);
        runner.time(GROUP, &name("max pool by clusters f"), nothing, || {
            no_grad(|| {
                let s = Assignment::clusters(&cluster, &level);
                drop((s.reduce_max(&x), level.adj.coarsen(&s)));
            });
        })?;
    }
    Ok(())
}

/// Makes the transpose, which layers share, where it is not made yet.
fn transpose(pattern: &Pattern) {
    let _ = std::hint::black_box(pattern.relation().pattern().transpose());
}

/// TU text, or an archive of it, to graphs with features in memory; the content hash is computed too.
pub(super) fn parse(runner: &mut Runner, folder: &Path, datasets: &[String]) -> Result<()> {
    let dir = DataDir::new(folder);
    for dataset in datasets {
        let path =
            dir.locate(dataset).with_context(|| format!("{dataset}: not in {}", dir.raw().display()))?;
        let how = if path.is_dir() { "text" } else { "zip" };
        let bytes = text_bytes(&path)?;
        let name = format!("{dataset} {how} {:.1} MB of text", bytes / 1e6);
        dir.load(dataset, &FeatureRule::Auto)?;
        runner.time("parse", &name, Work { bytes, ..Work::default() }, || {
            drop(dir.load(dataset, &FeatureRule::Auto).expect("it was read a moment ago"));
        })?;
    }
    Ok(())
}

/// The bytes of the text files in a folder or archive, uncompressed.
fn text_bytes(path: &Path) -> Result<f64> {
    let is_text = |name: &str| Path::new(name).extension().is_some_and(|end| end == "txt");
    let named = |error| anyhow::Error::from(error).context(path.display().to_string());
    let mut bytes = 0;
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(named)? {
            let entry = entry.map_err(named)?;
            if is_text(&entry.file_name().to_string_lossy()) {
                bytes += entry.metadata().map_err(named)?.len();
            }
        }
    } else {
        let file = BufReader::new(fs::File::open(path).map_err(named)?);
        let mut archive = zip::ZipArchive::new(file).with_context(|| path.display().to_string())?;
        for i in 0..archive.len() {
            let member = archive.by_index_raw(i)?;
            bytes += if is_text(&member.name()?) { member.size() } else { 0 };
        }
    }
    Ok(bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_files_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("X_A.txt"), "1, 2\n").unwrap();
        fs::write(folder.path().join("notes.md"), "a page").unwrap();
        assert!((text_bytes(folder.path()).unwrap() - 5.0).abs() < 1e-9);
    }
}

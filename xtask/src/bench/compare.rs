//! Pairs of runs to ratios, and what the ratios should be.
//!
//! A pair is a run of the peer and one of ours straight behind it, so that both saw the machine in one state. The peer counts as it is
//! fastest: of its variants the one with the least median. The ratio is the median of the ratios of that variant's pairs.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

/// `benches/targets.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Targets {
    /// The least ratio to reach, by data set and network.
    pub(super) ratios: BTreeMap<String, BTreeMap<String, f64>>,
    /// Networks that the peer's environment cannot run.
    scaled: BTreeMap<String, Scaled>,
}

/// A network that was measured elsewhere once: its time now is `own` times what another network takes now over what it took then.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scaled {
    /// The other network.
    pub(super) by: String,
    /// Seconds an epoch then, by data set.
    pub(super) seconds: BTreeMap<String, Then>,
}

/// Seconds an epoch of a network and of the other one, in one sitting.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Then {
    own: f64,
    other: f64,
}

impl Targets {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// How the peer's time for a network is derived, where its environment cannot run it.
    pub(super) fn scaled(&self, model: &str) -> Option<&Scaled> {
        self.scaled.get(model)
    }
}

/// What one program measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) seconds: f64,
    /// Clean epochs of the timed ones.
    pub(super) clean: [u64; 2],
    /// Peak of memory and graphs a second at inference; nothing where the time is that of another network.
    pub(super) megabytes: Option<f64>,
    pub(super) inference: Option<f64>,
}

impl Run {
    /// Out of the JSON of either program.
    pub(super) fn of(report: &Value) -> Result<Self> {
        let seconds = report["epoch_s"]["median"].as_f64().context("no `epoch_s.median`")?;
        let clean = ["clean_epochs", "timed_epochs"].map(|key| report[key].as_u64().unwrap_or(0));
        let inference = report["infer_graphs_per_s"]["median"].as_f64();
        Ok(Self { seconds, clean, megabytes: report["peak_rss_mb"].as_f64(), inference })
    }

    /// The time of a network by that of another.
    fn scaled(&self, then: Then) -> Self {
        let seconds = then.own * self.seconds / then.other;
        Self { seconds, clean: self.clean, megabytes: None, inference: None }
    }
}

/// A run of the peer and the run of ours behind it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) peer: Run,
    pub(super) ours: Run,
}

/// The name of the file of a run: `NCI1.gcn.csr.0.peer.json`.
pub(super) fn file_name(dataset: &str, model: &str, variant: &str, turn: u32, who: &str) -> String {
    format!("{dataset}.{model}.{variant}.{turn}.{who}.json")
}

/// Pairs by data set and network, and by variant of the peer.
pub(super) type Pairs = BTreeMap<(String, String), BTreeMap<String, Vec<Pair>>>;

/// The pairs in a folder. A run without its counterpart is passed over.
pub(super) fn pairs(folder: &Path, targets: &Targets) -> Result<Pairs> {
    let read = |name: &str| -> Result<Option<(Value, Run)>> {
        let path = folder.join(name);
        let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
        let report = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let run = Run::of(&report).with_context(|| path.display().to_string())?;
        Ok(Some((report, run)))
    };
    let mut pairs = Pairs::new();
    let mut names: Vec<String> = fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    for name in names {
        let parts: Vec<&str> = name.split('.').collect();
        let [dataset, model, variant, turn, "peer", "json"] = parts[..] else { continue };
        let ours = format!("{dataset}.{model}.{variant}.{turn}.coarsen.json");
        let (Some((report, mut peer)), Some((_, ours))) = (read(&name)?, read(&ours)?) else { continue };
        if report["args"]["model"] != model {
            let then = targets.scaled(model).and_then(|scaled| scaled.seconds.get(dataset));
            let then = then.with_context(|| format!("{name}: no scale for {model} on {dataset}"))?;
            peer = peer.scaled(*then);
        }
        let variants = pairs.entry((dataset.to_owned(), model.to_owned())).or_default();
        variants.entry(variant.to_owned()).or_default().push(Pair { peer, ours });
    }
    Ok(pairs)
}

/// A network on a data set, compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) dataset: String,
    pub(super) model: String,
    /// The peer's fastest variant.
    pub(super) variant: String,
    /// The variants it was chosen from.
    pub(super) tried: usize,
    pub(super) pairs: Vec<Pair>,
    pub(super) target: Option<f64>,
}

impl Row {
    /// `None` without a pair.
    pub(super) fn new(
        (dataset, model): (&str, &str),
        variants: &BTreeMap<String, Vec<Pair>>,
        target: Option<f64>,
    ) -> Option<Self> {
        let seconds = |pairs: &[Pair]| median(pairs.iter().map(|pair| pair.peer.seconds));
        let known = || variants.iter().filter_map(|(name, pairs)| Some((name, pairs, seconds(pairs)?)));
        let (variant, pairs, _) = known().min_by(|a, b| a.2.total_cmp(&b.2))?;
        let (dataset, model, variant) = (dataset.to_owned(), model.to_owned(), variant.clone());
        Some(Self { dataset, model, variant, tried: known().count(), pairs: pairs.clone(), target })
    }

    fn ratios(&self) -> impl Iterator<Item = f64> {
        self.pairs.iter().map(|pair| pair.peer.seconds / pair.ours.seconds)
    }

    /// How many times the peer's time is ours: the median over the pairs.
    pub(super) fn ratio(&self) -> f64 {
        median(self.ratios()).unwrap_or(f64::NAN)
    }

    /// The least and the greatest ratio of a pair.
    pub(super) fn spread(&self) -> (f64, f64) {
        (self.ratios().fold(f64::INFINITY, f64::min), self.ratios().fold(0.0, f64::max))
    }

    /// Whether the ratio is what it should be, where that is said.
    pub(super) fn reached(&self) -> Option<bool> {
        self.target.map(|target| self.ratio() >= target)
    }

    /// The median of a number over the pairs; nothing where a pair does not have it.
    pub(super) fn middle(&self, of: impl Fn(&Pair) -> Option<f64>) -> Option<f64> {
        median(self.pairs.iter().map(of).collect::<Option<Vec<f64>>>()?)
    }
}

/// The rows of all pairs.
pub(super) fn rows(pairs: &Pairs, targets: &Targets) -> Vec<Row> {
    let row = |((dataset, model), variants): (&(String, String), &BTreeMap<_, _>)| {
        let target = targets.ratios.get(dataset).and_then(|ratios| ratios.get(model));
        Row::new((dataset, model), variants, target.copied())
    };
    pairs.iter().filter_map(row).collect()
}

fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    Some(f64::midpoint(sorted[(sorted.len() - 1) / 2], upper))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::workspace;

    pub(in crate::bench) fn pair(peer: f64, ours: f64) -> Pair {
        let run = |seconds| Run {
            seconds,
            clean: [3, 4],
            megabytes: Some(200.0),
            inference: Some(100.0 / seconds),
        };
        Pair { peer: run(peer), ours: run(ours) }
    }

    fn targets() -> Targets {
        Targets::read(&workspace::root().join("benches/targets.json")).expect("targets")
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn the_peer_counts_as_it_is_fastest_and_the_ratio_is_that_of_its_pairs() {
        let variants = BTreeMap::from([
            ("csr".to_owned(), vec![pair(2.0, 0.5), pair(3.0, 0.5), pair(2.5, 0.5)]),
            ("default".to_owned(), vec![pair(4.0, 0.1), pair(4.0, 0.1), pair(4.0, 0.1)]),
            ("malloc".to_owned(), Vec::new()),
        ]);
        let row = Row::new(("NCI1", "gcn"), &variants, Some(5.0)).expect("a row");
        assert_eq!((row.variant.as_str(), row.tried), ("csr", 2), "a variant that did not run is missing");
        assert!(close(row.ratio(), 5.0) && row.reached() == Some(true));
        assert_eq!(row.spread(), (4.0, 6.0));
        let short = Row { target: Some(5.1), ..row.clone() };
        assert_eq!((short.reached(), Row { target: None, ..row }.reached()), (Some(false), None));
    }

    #[test]
    fn without_a_pair_there_is_no_row() {
        assert_eq!(Row::new(("NCI1", "gcn"), &BTreeMap::from([("csr".to_owned(), Vec::new())]), None), None);
    }

    #[test]
    fn files_become_pairs_and_a_network_that_cannot_run_is_scaled() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: String, model: &str, seconds: f64| {
            let report = json!({"args": {"model": model}, "epoch_s": {"median": seconds}, "peak_rss_mb": 7.5,
                                "clean_epochs": 1, "timed_epochs": 2});
            fs::write(folder.path().join(name), report.to_string()).unwrap();
        };
        write(file_name("NCI1", "graclus", "scaled", 0, "peer"), "gcn", 0.786);
        write(file_name("NCI1", "graclus", "scaled", 0, "coarsen"), "graclus", 0.1);
        write(file_name("NCI1", "gcn", "csr", 1, "peer"), "gcn", 0.5);
        write(file_name("NCI1", "gcn", "csr", 0, "peer"), "gcn", 0.6);
        write(file_name("NCI1", "gcn", "csr", 0, "coarsen"), "gcn", 0.2);
        let pairs = pairs(folder.path(), &targets()).unwrap();
        let rows = rows(&pairs, &targets());
        let [gcn, graclus] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((gcn.pairs.len(), gcn.pairs[0].ours.clean), (1, [1, 2]));
        assert!(close(gcn.ratio(), 3.0) && gcn.reached() == Some(false));
        assert!(close(graclus.pairs[0].peer.seconds, 0.944) && graclus.reached() == Some(true));
        assert_eq!(graclus.middle(|pair| pair.peer.megabytes), None);
        assert_eq!(graclus.middle(|pair| pair.ours.megabytes), Some(7.5));
    }

    #[test]
    fn a_report_without_its_time_is_refused() {
        assert!(Run::of(&json!({"epoch_s": null})).is_err());
    }
}

//! What a trained network does to the nodes of a graph, and its record.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use coarsen_eval::Environment;
use coarsen_graph::{Dataset, InMemory, Topology};
use coarsen_model::Output;
use coarsen_nn::{ConfigError, Ctx};
use coarsen_train::{Checked, EpochScores, Observer, RunError, Streams, Task, TaskConfig, Trained, fit};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, no_grad};

use crate::environment::Machine;
use crate::figure::coverage::{Coverage, covered};

/// Of the files that are written and read here.
const FORMAT: u32 = 1;

/// One run of an experiment, at its first epoch of the best validation value, in evaluation mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    format: u32,
    experiment: serde_json::Value,
    /// Content hash of the data set.
    data: String,
    pub(super) dataset: String,
    /// Counted from 1.
    epoch: u32,
    valid: f64,
    /// Nodes of each class.
    pub(super) classes: Vec<usize>,
    /// The mean of `β` over the nodes of each class, level by level; empty where the network has no flyback.
    pub(super) beta: Vec<Vec<f64>>,
    /// As the parameters began.
    pub(super) untrained: Coverage,
    pub(super) trained: Coverage,
    environment: Environment,
}

/// Trains the first run of an experiment and looks at it.
pub(super) fn watch(
    experiment: &Checked,
    data: &InMemory,
    machine: &Machine,
    see: &mut dyn Observer,
) -> Result<Seen, RunError> {
    let plan = experiment.experiment();
    let kind = plan.model["kind"].as_str().unwrap_or_default();
    let fits = kind.starts_with("adamgnn") && matches!(plan.task, TaskConfig::NodeClassification(_));
    ConfigError::require(fits, "figure", "experiment", "node classification with AdamGNN", kind)?;
    let task = plan.task.on(data)?;
    let splits = task.splits(&plan.protocol, plan.seed)?;
    let split = splits.first().ok_or_else(|| RunError::Parse("the protocol has no run".to_owned()))?;
    let (streams, compute) = (Streams::new(plan.seed, split.index), machine.compute());
    let view = View { task: task.as_ref(), topology: data.sample(0).topology, streams };
    let before = Trained::new(&plan.model, task.as_ref(), streams.init(), compute.device)?;
    let untrained = view.coverage(&view.of(&before));

    let mut best: Option<(u32, f64, Output)> = None;
    see.run_started(split.index, 1, plan.train.epochs);
    let mut each_epoch = |epoch: u32, scores: &EpochScores, network: &Trained| {
        if best.as_ref().is_none_or(|(_, valid, _)| task.metric().better(scores.valid, *valid)) {
            best = Some((epoch, scores.valid, view.of(network)));
        }
        see.epoch(split.index, epoch, scores);
        !see.interrupted()
    };
    fit(&plan.model, &plan.train, task.as_ref(), split, streams, compute, &mut each_epoch)?;
    let (epoch, valid, output) =
        best.ok_or_else(|| RunError::Parse("no epoch has a validation value".to_owned()))?;
    let classes: Vec<u32> = data.sample(0).node_class.unwrap_or_default().to_vec();
    let (counts, beta) = by_class(trace(&output, "flyback.beta"), &classes, data.info().classes as usize);
    Ok(Seen {
        format: FORMAT,
        experiment: experiment.explicit().clone(),
        data: data.info().content_hash.clone(),
        dataset: plan.dataset.clone(),
        epoch,
        valid,
        classes: counts,
        beta,
        untrained,
        trained: view.coverage(&output),
        environment: machine.environment(),
    })
}

/// The graph, as a network is given it in evaluation.
struct View<'a> {
    task: &'a dyn Task,
    topology: Topology<'a>,
    streams: Streams,
}

impl View<'_> {
    /// What a network says of it, with everything on its way.
    fn of(&self, network: &Trained) -> Output {
        let (needs, device) = (network.model.needs(), network.vars.device());
        let batch = self.task.batch(&[], self.streams.cluster_eval(), &needs, device);
        no_grad(|| network.model.forward(&batch.level, Ctx::eval().traced()))
    }

    /// What the ego-networks of the first level cover.
    fn coverage(&self, output: &Output) -> Coverage {
        let fitness = numbers(trace(output, "level0.score").expect("the network pools"));
        let egos = numbers(trace(output, "level0.egos").expect("the network pools"));
        let egos: Vec<usize> = egos.into_iter().map(|ego| ego as usize).collect();
        covered(self.topology, &fitness, &egos)
    }
}

fn trace<'a>(output: &'a Output, name: &str) -> Option<&'a Tensor> {
    output.traces.iter().find(|trace| trace.name == name).map(|trace| &trace.value)
}

fn numbers(values: &Tensor) -> Vec<f64> {
    let values = values.to_device(tch::Device::Cpu).to_kind(Kind::Double).contiguous();
    values.reshape(-1).try_into().expect("a vector of doubles")
}

/// Nodes of each class, and the mean over them of each row of `beta: [levels, nodes]`.
fn by_class(beta: Option<&Tensor>, class: &[u32], classes: usize) -> (Vec<usize>, Vec<Vec<f64>>) {
    let mut counts = vec![0; classes];
    for &class in class {
        counts[class as usize] += 1;
    }
    let Some(beta) = beta else { return (counts, Vec::new()) };
    let levels = beta.size()[0] as usize;
    let mut sums = vec![vec![0.0; levels]; classes];
    for (place, value) in numbers(beta).into_iter().enumerate() {
        sums[class[place % class.len()] as usize][place / class.len()] += value;
    }
    let mean = |(sums, &count): (Vec<f64>, &usize)| sums.into_iter().map(|sum| sum / count as f64).collect();
    let means = sums.into_iter().zip(&counts).map(mean).collect();
    (counts, means)
}

/// Records of what was seen, in the folder of the figures.
pub(super) struct Archive(PathBuf);

impl Archive {
    pub(super) fn new(results: &Path) -> Self {
        Self(results.join("figures"))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    fn path(&self, experiment: &Checked) -> PathBuf {
        let name = experiment.experiment().id.replace('/', "-");
        self.0.join(format!("{name}-{}.json", experiment.hash()))
    }

    /// What is known of an experiment on this data, if it was seen.
    pub(super) fn find(&self, experiment: &Checked, data: &InMemory) -> Result<Option<Seen>> {
        let path = self.path(experiment);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        let seen: Seen = serde_json::from_slice(&text)
            .with_context(|| format!("{} is no record of a figure: remove it", path.display()))?;
        Ok(Some(seen).filter(|seen| seen.format == FORMAT && seen.data == data.info().content_hash))
    }

    /// Writes what was seen.
    pub(super) fn keep(&self, experiment: &Checked, seen: &Seen) -> Result<()> {
        let path = self.path(experiment);
        fs::create_dir_all(&self.0).with_context(|| self.0.display().to_string())?;
        fs::write(&path, serde_json::to_string(seen)? + "\n").with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_the_nodes_of_each_class() {
        let beta = Tensor::from_slice2(&[[0.25, 0.5, 0.75], [0.75, 0.5, 0.25]]);
        let (counts, means) = by_class(Some(&beta), &[1, 0, 1], 2);
        assert_eq!((counts, means), (vec![1, 2], vec![vec![0.5, 0.5], vec![0.5, 0.5]]));
        let (_, means) = by_class(Some(&beta), &[0, 1, 1], 2);
        assert_eq!(means, [vec![0.25, 0.75], vec![0.625, 0.375]]);
        assert_eq!(by_class(None, &[0, 0], 1), (vec![2], vec![]));
    }
}

//! Experiments by name: a JSON file, or one of a suite by its id.

use std::path::Path;

use anyhow::{Result, bail};
use clap::ValueEnum as _;
use coarsen_train::Checked;

use crate::flags;
use crate::plan::{Choice, Extent, Plan};
use crate::suite;

/// So many names are told where one is unknown.
const TOLD: usize = 8;

/// The experiment of a file or of a suite, with changes and with an id.
pub(crate) fn experiment(named: &str, changes: &[String]) -> Result<Checked> {
    let mut experiment = self::named(named)?;
    for change in changes {
        experiment = flags::set(&experiment, change)?;
    }
    if experiment.experiment().id.is_empty() {
        experiment = experiment.with("id", flags::id(&experiment.name()))?;
    }
    Ok(experiment)
}

/// The experiment of a file or of a suite, as it is there.
pub(crate) fn named(named: &str) -> Result<Checked> {
    let path = Path::new(named);
    let file = path.is_file() || path.extension().is_some_and(|extension| extension == "json");
    if file { flags::from_file(path) } else { of_suites(named) }
}

/// The experiment of this id.
fn of_suites(id: &str) -> Result<Checked> {
    let mut near = Vec::new();
    for suite in suite::Name::value_variants() {
        for builtin in [false, true] {
            let plan = Plan::new(Choice { suite: *suite, builtin, seeds: None, extent: Extent::Whole })?;
            for experiment in plan.trained() {
                if experiment.experiment().id == id {
                    return Ok(experiment.clone());
                }
                near.push(experiment.experiment().id.clone());
            }
        }
    }
    let part = id.rsplit('/').find(|part| near.iter().any(|name| name.contains(part))).unwrap_or_default();
    near.retain(|name| name.contains(part));
    near.dedup();
    let more = near.len().saturating_sub(TOLD);
    near.truncate(TOLD);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    bail!("`{id}` is no file and no experiment of a suite, as these are:\n  {}{more}", near.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_of_a_suite_is_found_by_its_id() {
        let id = "nodes/adamgnn-table2-nodes/cora/nodes-adamgnn";
        let found =
            experiment(id, &["train.epochs=7".to_owned()]).expect("an experiment").experiment().clone();
        assert_eq!((found.id.as_str(), found.dataset.as_str(), found.train.epochs), (id, "cora", 7));
        assert_eq!((found.model["kind"].as_str(), found.train.reconstruction), (Some("adamgnn"), 0.01));
    }

    #[test]
    fn what_is_unknown_is_told_with_what_there_is() {
        let message =
            experiment("nodes/adamgnn-table2-nodes/cora/nodes-adamgn", &[]).expect_err("refused").to_string();
        assert!(
            message.starts_with("`nodes/adamgnn-table2-nodes/cora/nodes-adamgn` is no file and no"),
            "{message}"
        );
        assert!(message.contains("\n  nodes/adamgnn-table2-nodes/acm/nodes-adamgnn"), "{message}");
        let message = format!("{:#}", experiment("there-is-none.json", &[]).expect_err("refused"));
        assert!(message.starts_with("there-is-none.json: "), "{message}");
    }
}

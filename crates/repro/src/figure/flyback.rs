//! What each class of nodes looks at: the attention of the flyback over the levels.

use anyhow::{Result, bail};
use coarsen_eval::figure::heat::{self, Panel};

use crate::figure::seen::Seen;

/// A panel an experiment: classes by levels, each number the mean of `β` over the nodes of the class.
pub(super) fn svg(seen: &[Seen]) -> Result<String> {
    if let Some(without) = seen.iter().find(|one| one.beta.is_empty()) {
        bail!("{}: the network has no flyback to look at", without.dataset);
    }
    let panel = |one: &Seen| Panel {
        title: one.dataset.clone(),
        rows: one
            .classes
            .iter()
            .enumerate()
            .map(|(class, nodes)| format!("class {class} ({nodes} nodes)"))
            .collect(),
        columns: (1..=one.beta[0].len()).map(|level| format!("level {level}")).collect(),
        values: one.beta.clone(),
    };
    Ok(heat::svg("Attention of each class over the levels", &seen.iter().map(panel).collect::<Vec<_>>()))
}

//! `cargo xtask bench --growth`: epochs and memory of AdamGNN on graphs of several sizes.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    bench::{
        quiet,
        record::{self, Folder},
    },
    workspace::{self, Metadata, shown},
};

/// The flags of the measurement.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Growth of AdamGNN")]
pub(super) struct Measurement {
    /// Measure training epochs of AdamGNN and their memory against the size of a generated graph
    #[arg(long, conflicts_with_all = ["save", "more", "peers"])]
    pub(super) growth: bool,
    /// Nodes of the graphs
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1000, 10_000, 100_000, 1_000_000], requires = "growth")]
    sizes: Vec<u32>,
    /// The most nodes with the text's `L_KL` too, whose memory grows with their square
    #[arg(long, value_name = "N", default_value_t = 10_000, requires = "growth")]
    dec_until: u32,
}

/// Runs each size in a process of its own and writes the record.
pub(super) fn run(flags: &Measurement) -> Result<()> {
    workspace::run(workspace::cargo().args(["build", "--release", "-p", "coarsen-repro"]))?;
    let binary = Metadata::load()?.target_directory.join("release/coarsen");
    let Folder { path: folder, date } = Folder::today()?;
    let part = folder.join("adamgnn-growth.part");
    let mut reports = Vec::new();
    for &nodes in &flags.sizes {
        let divergences = if nodes <= flags.dec_until { &["none", "dec"][..] } else { &["none"] };
        for kl in divergences {
            reports.push(measured(&binary, nodes, kl, &part)?);
            let machine = record::machine("cargo xtask bench --growth", "1");
            fs::write(folder.join("adamgnn-growth.json"), serde_json::to_string_pretty(&reports)? + "\n")?;
            fs::write(folder.join("adamgnn-growth.md"), page(&date, &machine, &reports))?;
        }
    }
    fs::remove_file(&part).with_context(|| shown(&part))?;
    eprintln!("{}", shown(&folder.join("adamgnn-growth.md")));
    Ok(())
}

fn measured(binary: &Path, nodes: u32, kl: &str, json: &Path) -> Result<Value> {
    let mut command = workspace::in_root(binary);
    command.args(["bench", "growth", "--kl", kl, "--nodes", &nodes.to_string(), "--json"]).arg(json);
    // The program sets the number of threads itself; ours for tests must not be in its way.
    command.env_remove("OMP_NUM_THREADS");
    quiet::wait();
    workspace::run(&mut command)?;
    Ok(serde_json::from_str(&fs::read_to_string(json)?)?)
}

/// The record for readers.
fn page(date: &str, machine: &str, reports: &[Value]) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let row = |report: &Value| {
        let levels = report["sizes"].as_array().into_iter().flatten().map(Value::to_string);
        format!(
            "| {} | {} | {} | {} | {:.3} | {:.4} | {:.1} | {:.0} | {:.0} |\n",
            report["nodes"],
            report["edges_directed"],
            levels.collect::<Vec<_>>().join(", "),
            report["args"]["kl"].as_str().unwrap_or_default(),
            number(&report["epoch_s"]["median"]),
            number(&report["spmm_s"]["median"]),
            number(&report["epoch_over_spmm"]),
            number(&report["peak_rss_mb"]),
            number(&report["bytes_per_edge"]),
        )
    };
    format!(
        "# AdamGNN against the size of a graph, {date}\n\n{machine}\n\
         One step of node classification on one generated graph: edges between pairs of nodes drawn uniformly, ten to a node on average, 64\n\
         features, width 64, three levels, λ = 1, L_R with fresh non-edges, one thread. The product is forward and backward of `A x`. A process\n\
         measures one size; its peak counts the generated data too. `dec` is the text's L_KL, which compares all nodes with all egos:\n\
         its memory grows with the square of the nodes, so that it is measured on the smaller graphs alone.\n\n\
         | nodes | directed edges | nodes of the levels pooled | L_KL | epoch, s | product, s | epoch ÷ product | peak, MB | bytes an edge |\n\
         | ---: | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |\n{}",
        reports.iter().map(row).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::page;

    #[test]
    fn a_report_is_a_row() {
        let report = json!({
            "nodes": 1000, "edges_directed": 9990, "sizes": [1000, 400], "args": {"kl": "none"},
            "epoch_s": {"median": 0.0125}, "spmm_s": {"median": 0.0005}, "epoch_over_spmm": 25.0,
            "peak_rss_mb": 210.4, "bytes_per_edge": 1800.6,
        });
        let page = page("2026-11-21", "- processor: x\n", &[report]);
        assert!(
            page.ends_with("| 1000 | 9990 | 1000, 400 | none | 0.013 | 0.0005 | 25.0 | 210 | 1801 |\n"),
            "{page}"
        );
    }
}

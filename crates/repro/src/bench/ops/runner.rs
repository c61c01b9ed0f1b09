//! How an operation is timed, printed and kept.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;
use coarsen_tensor::{Function, attach};
use serde_json::{Map, Value, json};
use tch::{Tensor, no_grad};

use crate::bench::measure::{Foreign, Summary};
use crate::output::say;

/// Blocks of repetitions.
const BLOCKS: u32 = 5;
/// Rounds of five blocks, of which the quietest counts.
const ROUNDS: u32 = 3;
/// No further round begins after this many seconds.
const PATIENCE: f64 = 20.0;
/// A round is quiet where other programs used fewer cores.
const QUIET: f64 = 0.12;

/// Times operations and keeps what it measured.
pub(super) struct Runner {
    threads: Vec<u32>,
    seconds: f64,
    groups: Map<String, Value>,
}

/// What an operation does, for rates.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Work {
    /// Multiplications and additions.
    pub(super) flops: f64,
    /// Bytes of text.
    pub(super) bytes: f64,
}

impl Runner {
    pub(super) fn new(threads: &[u32], seconds: f64) -> Self {
        Self { threads: threads.to_vec(), seconds, groups: Map::new() }
    }

    /// Times `f` with each number of threads; the medians.
    pub(super) fn time(
        &mut self,
        group: &str,
        name: &str,
        work: Work,
        mut f: impl FnMut(),
    ) -> Result<Vec<f64>> {
        let (mut row, mut medians) = (Map::new(), Vec::new());
        let mut line = format!("{group:10} {name:50}");
        for &threads in &self.threads {
            tch::set_num_threads(threads as i32);
            let (summary, foreign) = quietest(self.seconds, &mut f);
            let Summary { median, min, max, n } = summary;
            let _ = write!(line, "  t{threads} {:9.3} ms ({:.3}-{:.3})", median * 1e3, min * 1e3, max * 1e3);
            let mut kept = json!({"median": median, "min": min, "max": max, "n": n, "foreign": foreign});
            for (key, unit, amount) in
                [("gflops", "GFLOP/s", work.flops / 1e9), ("mbs", "MB/s", work.bytes / 1e6)]
            {
                if amount > 0.0 {
                    kept[key] = (amount / median).into();
                    let _ = write!(line, " {:.1} {unit}", amount / median);
                }
            }
            row.insert(threads.to_string(), kept);
            medians.push(median);
        }
        self.keep(group, name, row.into());
        say(line)?;
        Ok(medians)
    }

    /// Times forward and backward of `f` at `x`, with a fixed gradient of the output.
    pub(super) fn time_both(
        &mut self,
        group: &str,
        name: &str,
        work: Work,
        x: &Tensor,
        f: impl Fn(&Tensor) -> Tensor,
    ) -> Result<Vec<f64>> {
        let gradient = no_grad(|| f(x).cos()); // any numbers will do
        self.time(group, name, work, || {
            // A fresh leaf has no gradient to be added to.
            let leaf = x.detach().set_requires_grad(true);
            push_back(&f(&leaf), &gradient);
        })
    }

    /// Keeps what was measured elsewhere.
    pub(super) fn keep(&mut self, group: &str, name: &str, value: Value) {
        let group = self.groups.entry(group).or_insert_with(|| json!({}));
        group[name] = value;
    }

    /// Groups, in them names, in them numbers of threads.
    pub(super) fn into_report(self) -> Value {
        self.groups.into()
    }

    pub(super) fn threads(&self) -> &[u32] {
        &self.threads
    }
}

/// The least median of up to [`ROUNDS`] rounds, ended by a quiet one, and the cores that others used meanwhile.
fn quietest(seconds: f64, f: &mut impl FnMut()) -> (Summary, f64) {
    let began = Instant::now();
    f();
    f();
    let mut best: Option<(Summary, f64)> = None;
    for _ in 0..ROUNDS {
        let mut foreign = Foreign::new();
        let summary = blocks(seconds, f);
        foreign.repeated();
        let foreign = foreign.cores().into_iter().next().unwrap_or(f64::NAN);
        if best.is_none_or(|(best, _)| summary.median < best.median) {
            best = Some((summary, foreign));
        }
        if foreign < QUIET || began.elapsed().as_secs_f64() > PATIENCE {
            break;
        }
    }
    best.expect("there is at least one round")
}

/// Seconds a call, of blocks that take `seconds` together.
fn blocks(seconds: f64, f: &mut impl FnMut()) -> Summary {
    let mut timed = |calls: u32| {
        let now = Instant::now();
        (0..calls).for_each(|_| f());
        now.elapsed().as_secs_f64() / f64::from(calls)
    };
    let calls = (seconds / f64::from(BLOCKS) / timed(1).max(1e-7)).max(1.0) as u32;
    let of_blocks: Vec<f64> = (0..BLOCKS).map(|_| timed(calls)).collect();
    Summary::of(&of_blocks).expect("there is at least one block")
}

/// Runs the backward pass of `y` with this gradient, at no cost of its own.
pub(super) fn push_back(y: &Tensor, gradient: &Tensor) {
    struct Given(Tensor);
    impl Function for Given {
        const NAME: &'static CStr = c"given gradient";
        fn backward(&self, _: &[Option<Tensor>], _: &[bool]) -> Vec<Option<Tensor>> {
            vec![Some(self.0.shallow_clone())]
        }
    }
    let scalar = Tensor::zeros([0i64; 0], (y.kind(), y.device()));
    let given = attach(&[y], &[scalar], Given(gradient.shallow_clone()));
    given.expect("a real number has a history")[0].backward();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn the_given_gradient_arrives() {
        let x = Tensor::ones([2, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let gradient = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]);
        push_back(&(&x * 2.0), &gradient);
        assert!(x.grad().equal(&(&gradient * 2.0)));
    }

    #[test]
    fn what_was_timed_is_kept_by_group_name_and_threads() {
        let mut runner = Runner::new(&[1], 1e-4);
        let work = Work { flops: 10.0, ..Work::default() };
        let medians =
            runner.time("group", "name", work, || drop(std::hint::black_box(vec![0u8; 64]))).unwrap();
        let report = runner.into_report();
        let kept = &report["group"]["name"]["1"];
        assert_eq!(kept["median"].as_f64(), medians.first().copied());
        assert!(kept["gflops"].as_f64().is_some_and(|rate| rate > 0.0) && kept["mbs"].is_null());
    }
}

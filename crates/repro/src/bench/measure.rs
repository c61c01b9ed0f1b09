//! Medians, what other programs took of the machine meanwhile, and memory.

use std::fs;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

/// Ticks a second of the times in `/proc`, on every architecture that Linux has.
const TICKS: f64 = 100.0;
/// `/proc` counts in hundredths of a second: over less than this its differences mean little.
const WINDOW: Duration = Duration::from_millis(500);

/// A number measured several times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) n: usize,
}

impl Summary {
    /// `None` of nothing.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let n = sorted.len();
        Some(Self { median: f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]), min, max, n })
    }
}

/// The processor's work since the start: `(of the whole machine, of this process)` in seconds.
fn work() -> Option<(f64, f64)> {
    let machine = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> =
        machine.lines().next()?.split_whitespace().skip(1).take(8).filter_map(|t| t.parse().ok()).collect();
    let [_, _, _, idle, waiting, ..] = ticks[..] else { return None };
    let busy = ticks.iter().sum::<f64>() - idle - waiting;
    Some((busy / TICKS, process_seconds()?))
}

/// Seconds of processor time that this process took, all threads together.
pub(super) fn process_seconds() -> Option<f64> {
    let process = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold blanks; user and system time are the fields 14 and 15.
    let mut fields = process[process.rfind(')')? + 1..].split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / TICKS)
}

/// How many cores other programs used while something was repeated.
///
/// A repetition is often shorter than what the kernel's clock can tell, so the measure is over as many as fill half a second.
#[derive(Debug)]
pub(super) struct Foreign {
    began: Instant,
    before: Option<(f64, f64)>,
    open: usize,
    cores: Vec<f64>,
}

impl Foreign {
    /// From now on.
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), before: work(), open: 0, cores: Vec::new() }
    }

    /// A repetition has ended.
    pub(super) fn repeated(&mut self) {
        self.open += 1;
        if self.began.elapsed() >= WINDOW {
            self.close();
        }
    }

    fn close(&mut self) {
        let (now, seconds) = (work(), self.began.elapsed().as_secs_f64());
        let cores = self
            .before
            .zip(now)
            .map_or(f64::NAN, |(before, now)| ((now.0 - before.0 - (now.1 - before.1)) / seconds).max(0.0));
        self.cores.extend(std::iter::repeat_n(cores, self.open));
        *self = Self { began: Instant::now(), before: now, open: 0, cores: std::mem::take(&mut self.cores) };
    }

    /// For each repetition; not a number where the system does not tell.
    pub(super) fn cores(mut self) -> Vec<f64> {
        if self.open > 0 {
            self.close();
        }
        self.cores
    }
}

/// Which repetitions count: those during which other programs used little of the machine, or the three fastest where there are fewer than
/// three such. Also how many were clean.
pub(super) fn clean(seconds: &[f64], foreign: &[f64], threads: u32) -> (Vec<usize>, usize) {
    // Several threads wait for each other: the slowest decides.
    let limit = if threads > 1 { 0.12 } else { 0.6 };
    let clean: Vec<usize> = (0..seconds.len()).filter(|&i| foreign[i] < limit).collect();
    let count = clean.len();
    if count >= 3 {
        return (clean, count);
    }
    let mut fastest: Vec<usize> = (0..seconds.len()).collect();
    fastest.sort_by(|&i, &j| seconds[i].total_cmp(&seconds[j]));
    fastest.truncate(3);
    (fastest, count)
}

/// The most memory this process has had, in units of 2²⁰ bytes.
pub(super) fn peak_rss_mb() -> Option<f64> {
    status("VmHWM:")
}

/// The memory this process has, in units of 2²⁰ bytes.
pub(super) fn rss_mb() -> Option<f64> {
    status("VmRSS:")
}

fn status(field: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// The processor and how busy it is.
pub(super) fn machine() -> Value {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| cpuinfo.lines().find_map(|line| line.strip_prefix(name)?.split_once(": "));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "cpu": field("model name").map(|(_, model)| model.trim()),
        "cpu_capability": field("flags").map(|(_, flags)| capability(flags)),
        "loadavg": load.split_whitespace().next().and_then(|load| load.parse::<f64>().ok()),
    })
}

/// The instructions that LibTorch chooses on a processor with these flags, unless `ATEN_CPU_CAPABILITY` says less.
fn capability(flags: &str) -> String {
    if let Ok(told) = std::env::var("ATEN_CPU_CAPABILITY") {
        return told.to_uppercase();
    }
    let has = |wanted: &[&str]| wanted.iter().all(|flag| flags.split_whitespace().any(|f| f == *flag));
    let name = if has(&["avx512f", "avx512vl", "avx512bw", "avx512dq", "fma"]) {
        "AVX512"
    } else if has(&["avx2", "fma"]) {
        "AVX2"
    } else {
        "DEFAULT"
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle() {
        let of = |values: &[f64]| Summary::of(values);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0, 1.0, 2.0]), Some(Summary { median: 2.0, min: 1.0, max: 3.0, n: 3 }));
        assert_eq!(of(&[4.0, 1.0, 2.0, 9.0]), Some(Summary { median: 3.0, min: 1.0, max: 9.0, n: 4 }));
    }

    #[test]
    fn clean_repetitions_count_or_the_three_fastest() {
        let seconds = [1.0, 5.0, 2.0, 4.0, 3.0];
        assert_eq!(clean(&seconds, &[0.0, 0.2, 0.1, 0.0, 0.9], 2), (vec![0, 2, 3], 3));
        assert_eq!(clean(&seconds, &[0.0, 0.2, 0.1, 0.0, 0.9], 1), (vec![0, 1, 2, 3], 4));
        assert_eq!(clean(&seconds, &[0.5, 0.0, 0.5, 0.5, 0.5], 2), (vec![0, 2, 4], 1));
        assert_eq!(clean(&seconds, &[f64::NAN; 5], 1), (vec![0, 2, 4], 0));
    }

    #[test]
    fn every_repetition_has_its_share() {
        let mut foreign = Foreign::new();
        (0..3).for_each(|_| foreign.repeated());
        assert_eq!(foreign.cores().len(), 3);
        assert!(Foreign::new().cores().is_empty());
    }

    #[test]
    fn instructions_are_told_by_flags() {
        assert_eq!(capability("fpu sse2"), "DEFAULT");
        assert_eq!(capability("fma avx avx2 avx512f"), "AVX2");
        assert_eq!(capability("fma avx2 avx512f avx512vl avx512bw avx512dq"), "AVX512");
    }
}

//! Waiting for a machine that others leave alone: threads that wait for each other crawl beside another busy program.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// The machine is quiet where fewer cores are used.
const CORES: f64 = 0.15;
/// For so long.
const LOOK: Duration = Duration::from_secs(2);
/// Nobody waits longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Ticks a second of the times in `/proc`.
const TICKS: f64 = 100.0;

/// Waits until the machine is quiet, or for two minutes; says so where it waits. Does not wait where the system does not tell.
pub(super) fn wait() {
    let started = Instant::now();
    let mut said = false;
    while let Some(cores) = used(LOOK).filter(|&cores| cores >= CORES) {
        if started.elapsed() >= PATIENCE {
            eprintln!("the machine stays busy ({cores:.1} cores); going on");
            return;
        }
        if !said {
            eprintln!("waiting for a quiet machine ({cores:.1} cores are used)");
            said = true;
        }
    }
}

/// How many cores were used while this thread slept.
fn used(time: Duration) -> Option<f64> {
    let before = busy(&fs::read_to_string("/proc/stat").ok()?)?;
    thread::sleep(time);
    let after = busy(&fs::read_to_string("/proc/stat").ok()?)?;
    Some((after - before) / time.as_secs_f64())
}

/// Seconds of work of all cores, out of `/proc/stat`.
fn busy(stat: &str) -> Option<f64> {
    let ticks: Vec<f64> =
        stat.lines().next()?.split_whitespace().skip(1).take(8).filter_map(|t| t.parse().ok()).collect();
    let [_, _, _, idle, waiting, ..] = ticks[..] else { return None };
    Some((ticks.iter().sum::<f64>() - idle - waiting) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::busy;

    #[test]
    fn idle_and_waiting_are_no_work() {
        let stat = "cpu  100 20 30 5000 700 0 40 10 900 900\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy(stat), Some(2.0));
        assert_eq!(busy("cpu  100 20\n"), None);
        assert_eq!(busy(""), None);
    }
}

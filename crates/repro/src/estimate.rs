//! How long is left: work in units, and how fast each kind of work went so far.

use std::collections::BTreeMap;
use std::time::Duration;

/// Work of several kinds. A unit costs the same wherever it is of the same kind.
#[derive(Debug, Default)]
pub(crate) struct Estimate {
    kinds: BTreeMap<String, Work>,
}

#[derive(Debug, Default)]
struct Work {
    open: f64,
    done: f64,
    seconds: f64,
}

impl Estimate {
    /// Adds work that is to be done.
    pub(crate) fn plan(&mut self, kind: &str, units: f64) {
        self.kinds.entry(kind.to_owned()).or_default().open += units;
    }

    /// Some of it is done.
    pub(crate) fn done(&mut self, kind: &str, units: f64, seconds: f64) {
        let work = self.kinds.entry(kind.to_owned()).or_default();
        work.open = (work.open - units).max(0.0);
        work.done += units;
        work.seconds += seconds;
    }

    /// Some of it will not be done: training stopped early.
    pub(crate) fn forgo(&mut self, kind: &str, units: f64) {
        if let Some(work) = self.kinds.get_mut(kind) {
            work.open = (work.open - units).max(0.0);
        }
    }

    /// The part that is done, in [0, 1].
    pub(crate) fn fraction(&self) -> f64 {
        let (done, open) =
            self.kinds.values().fold((0.0, 0.0), |(d, o), work| (d + work.done, o + work.open));
        if done + open > 0.0 { done / (done + open) } else { 1.0 }
    }

    /// The time that is left; `None` until something is done. A kind that was not seen yet is taken to be as fast as the mean.
    pub(crate) fn left(&self) -> Option<Duration> {
        let (seconds, done) =
            self.kinds.values().fold((0.0, 0.0), |(s, d), work| (s + work.seconds, d + work.done));
        let mean = (done > 0.0).then(|| seconds / done)?;
        let pace = |work: &Work| if work.done > 0.0 { work.seconds / work.done } else { mean };
        let left: f64 = self.kinds.values().map(|work| work.open * pace(work)).sum();
        Duration::try_from_secs_f64(left).ok()
    }
}

/// `about 3 min`, `45 s`, `2 h 10 min`.
pub(crate) fn rough(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds {
        0..100 => format!("{seconds} s"),
        100..5400 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_pace() {
        let mut estimate = Estimate::default();
        assert_eq!((estimate.left(), estimate.fraction()), (None, 1.0));
        estimate.plan("fast", 10.0);
        estimate.plan("slow", 10.0);
        assert_eq!(estimate.left(), None);
        estimate.done("fast", 5.0, 5.0);
        assert_eq!(estimate.left(), Some(Duration::from_secs(15)), "the other kind at the mean pace");
        estimate.done("slow", 5.0, 50.0);
        assert_eq!(estimate.left(), Some(Duration::from_secs(55)));
        assert!((estimate.fraction() - 0.5).abs() < 1e-12);
        estimate.forgo("slow", 5.0);
        assert_eq!(estimate.left(), Some(Duration::from_secs(5)));
    }

    #[test]
    fn times_are_rough() {
        let shown = |seconds| rough(Duration::from_secs(seconds));
        assert_eq!(
            [shown(99), shown(100), shown(5399), shown(7800)],
            ["99 s", "2 min", "90 min", "2 h 10 min"]
        );
    }
}

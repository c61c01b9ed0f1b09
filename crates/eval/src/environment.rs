//! Where a record was made.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The software and the machine that made a record. It names no host: a record may be published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Version of this workspace.
    pub version: String,
    /// Commit it was built from, if that is known.
    pub commit: Option<String>,
    /// Whether the working tree had changes that are not in the commit, if that is known.
    pub dirty: Option<bool>,
    /// Version of LibTorch.
    pub libtorch: String,
    /// The device, as in `cpu` or `cuda:0 (name of the card)`.
    pub device: String,
    /// Threads within an operation.
    pub threads: u32,
    /// When the first run started: UTC, as in `2001-02-03T04:05:06Z`.
    pub started: String,
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
}

impl Environment {
    /// This machine, now; the commit is left open.
    pub fn host(version: &str, libtorch: &str, device: &str, threads: u32) -> Self {
        Self {
            version: version.to_owned(),
            commit: None,
            dirty: None,
            libtorch: libtorch.to_owned(),
            device: device.to_owned(),
            threads,
            started: timestamp(SystemTime::now()),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
        }
    }
}

/// A time in UTC, as in `2001-02-03T04:05:06Z`. Times before 1970 are printed as 1970.
pub fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The Gregorian date of a number of days after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut left) = (1970, days);
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    (year, month as u64 + 1, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_agree_with_known_ones() {
        let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_234_567_890), "2009-02-13T23:31:30Z");
        assert_eq!(at(4_102_444_800), "2100-01-01T00:00:00Z");
    }
}

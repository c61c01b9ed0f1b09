//! Progress of something measured in bytes: a bar on a terminal, plain lines elsewhere.

use std::{
    io::{self, IsTerminal as _, Read, Write},
    time::Instant,
};

use indicatif::{ProgressBar, ProgressStyle};

/// Bytes done out of a total that may be unknown.
pub(crate) struct Progress {
    label: String,
    total: Option<u64>,
    done: u64,
    started: Instant,
    bar: Option<ProgressBar>,
    next_line: u64,
}

impl Progress {
    /// Starts to show `label`; `total` is in bytes.
    pub(crate) fn start(label: impl Into<String>, total: Option<u64>) -> Self {
        let label = label.into();
        let bar = io::stderr().is_terminal().then(|| {
            let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
            let template = match total {
                Some(_) => "{msg}  {bar:32} {decimal_bytes}/{decimal_total_bytes}  {eta} left",
                None => "{msg}  {decimal_bytes}  {elapsed}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(label.clone());
            bar
        });
        if bar.is_none() {
            match total {
                Some(total) => eprintln!("{label}: {}", megabytes(total)),
                None => eprintln!("{label}"),
            }
        }
        let next_line = total.map_or(u64::MAX, |total| total / 4);
        Self { label, total, done: 0, started: Instant::now(), bar, next_line }
    }

    /// Copies everything from `from` to `to`, counting.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub(crate) fn copy(&mut self, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 18];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    to.write_all(&buffer[..read])?;
                    self.add(read as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Counts `bytes` more.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            return;
        }
        // A quarter at a time, and only what takes long enough for anyone to wonder.
        let Some(total) = self.total.filter(|&total| self.done >= self.next_line && self.done < total) else {
            return;
        };
        if self.started.elapsed().as_secs() >= 5 {
            eprintln!("{}: {} % of {}", self.label, 100 * self.done / total.max(1), megabytes(total));
        }
        self.next_line = self.done + total / 4;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `540 MB`, `3.6 GB`.
pub(crate) fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, megabytes};

    #[test]
    fn sizes_are_readable() {
        assert_eq!(megabytes(24_244), "25 kB");
        assert_eq!(megabytes(530_604_548), "530 MB");
        assert_eq!(megabytes(3_600_000_000), "3.6 GB");
    }

    #[test]
    fn copying_counts_and_keeps_every_byte() {
        let from = vec![7_u8; 600_000];
        let mut to = Vec::new();
        let mut progress = Progress::start("copying", Some(from.len() as u64));
        progress.copy(&mut from.as_slice(), &mut to).unwrap();
        assert_eq!((progress.done, to), (600_000, from));
    }
}

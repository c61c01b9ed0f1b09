//! Ctrl-C: the first one stops after the running epoch, the second at once.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

/// What a shell expects of a process that SIGINT ended.
pub(crate) const EXIT_STATUS: u8 = 130;

/// Whether the user asked to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. A process can do this once.
    pub(crate) fn install() -> Result<Self> {
        let interrupt = Self::default();
        let asked = interrupt.0.clone();
        let handler = move || {
            if asked.swap(true, Ordering::Relaxed) {
                eprintln!("stopped; the running epoch is lost, finished runs are saved");
                quit();
            }
            eprintln!(
                "\nstopping after the running epoch; finished runs are saved. Ctrl-C again stops at once"
            );
        };
        ctrlc::set_handler(handler).context("Ctrl-C cannot be handled")?;
        Ok(interrupt)
    }

    /// Whether Ctrl-C was pressed.
    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ends the process while its threads compute. Leaving by `exit` would destroy what LibTorch's threads still use, and crash;
/// becoming another program ends them all first.
fn quit() -> ! {
    let _ = Command::new("sh").args(["-c", &format!("exit {EXIT_STATUS}")]).exec(); // returns only if there is no `sh`
    std::process::abort()
}

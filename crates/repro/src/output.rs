//! The standard output, which a reader may close before the end: `coarsen data MUTAG | head -3`.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _, stdout};

use anyhow::{Context as _, Result};

/// Prints a line. A closed pipe is the reader's choice and no error; a full disk is one.
pub(crate) fn say(line: impl Display) -> Result<()> {
    match writeln!(stdout().lock(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

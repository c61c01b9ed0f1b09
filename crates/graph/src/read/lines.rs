//! The lines of a raw file, block by block.

use super::number::Cursor;
use crate::Error;
use std::io::Read;
use std::sync::mpsc;
use std::thread;

/// What the lines of a file mean.
pub(crate) trait Row {
    /// Takes one line without surrounding blanks; the error is the rule it breaks.
    fn by_rule(&mut self, line: &[u8]) -> Result<(), String>;

    /// Takes the line that begins here, its end included, as [`Row::by_rule`] would, if it is in a usual form and breaks no
    /// rule; otherwise takes nothing at all, whatever becomes of the cursor. As here, for files that are small.
    fn quickly(&mut self, _text: &mut Cursor<'_>) -> Option<()> {
        None
    }
}

/// The lines of a file, numbered from 1, without surrounding blanks; empty lines are allowed at the end only.
///
/// Memory is a few blocks and the longest line, however long the file is (and whatever an archive says about that).
pub(crate) struct Lines<'r> {
    reader: Box<dyn Read + Send + 'r>,
    file: String,
    /// What was read behind the last line end.
    begun: Vec<u8>,
    broken: Option<std::io::Error>,
}

const BLOCK: u64 = 1 << 18;
/// Zeros behind each block, so that eight bytes can be read at any place of it; a zero is part of no line that is taken.
const SLACK: [u8; 8] = [0; 8];
/// How many blocks may wait.
const AHEAD: usize = 2;

impl<'r> Lines<'r> {
    pub(crate) fn new(file: String, reader: Box<dyn Read + Send + 'r>) -> Self {
        Self { reader, file, begun: Vec::new(), broken: None }
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Hands every line to `row`; returns the number of lines, blank ones at the end left out. Where there is more than one
    /// block, another thread reads ahead.
    pub(crate) fn each(mut self, row: &mut impl Row) -> Result<u64, Error> {
        let mut count = Count { file: self.file.clone(), lines: 0, blank: None };
        let mut first = Vec::new();
        if !self.fill(&mut first)? {
            count.block(&first, row)?;
            return Ok(count.total());
        }
        thread::scope(|scope| {
            let (full, blocks) = mpsc::sync_channel(AHEAD);
            let (used, free) = mpsc::channel();
            scope.spawn(move || {
                let mut more = true;
                while more {
                    let mut block = free.try_recv().unwrap_or_default();
                    let filled = self.fill(&mut block);
                    more = matches!(filled, Ok(true));
                    // Nobody waits for the rest of a file that broke a rule.
                    more &= full.send(filled.map(|_| block)).is_ok();
                }
            });
            count.block(&first, row)?;
            for block in blocks {
                let block = block?;
                count.block(&block, row)?;
                // The thread has ended if this is the last block.
                let _ = used.send(block);
            }
            Ok(count.total())
        })
    }

    /// Reads a block of whole lines and the slack; says if there is more. What was read before an error comes before it.
    fn fill(&mut self, block: &mut Vec<u8>) -> Result<bool, Error> {
        block.clear();
        block.append(&mut self.begun);
        loop {
            let from = block.len();
            if let Some(source) = self.broken.take() {
                return Err(Error::Io { path: self.file.clone(), source });
            }
            match self.reader.by_ref().take(BLOCK).read_to_end(block) {
                Ok(read) if (read as u64) < BLOCK => {
                    block.extend_from_slice(&SLACK);
                    return Ok(false);
                }
                Ok(_) => {}
                Err(error) => self.broken = Some(error),
            }
            if let Some(last) = block[from..].iter().rposition(|&byte| byte == b'\n') {
                self.begun.extend_from_slice(&block[from + last + 1..]);
                block.truncate(from + last + 1);
                block.extend_from_slice(&SLACK);
                return Ok(true);
            }
        }
    }
}

struct Count {
    file: String,
    lines: u64,
    /// The first of the blank lines that were the last ones so far.
    blank: Option<u64>,
}

impl Count {
    fn block(&mut self, block: &[u8], row: &mut impl Row) -> Result<(), Error> {
        let end = block.len() - SLACK.len();
        let mut start = 0;
        while start < end {
            if self.blank.is_none() {
                let mut text = Cursor::new(&block[start..]);
                if row.quickly(&mut text).is_some() {
                    start = block.len() - text.left();
                    self.lines += 1;
                    continue;
                }
            }
            let rest = &block[start..end];
            let line = rest.split(|&byte| byte == b'\n').next().unwrap_or(rest);
            start += line.len() + 1;
            self.line(line.trim_ascii(), row)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], row: &mut impl Row) -> Result<(), Error> {
        self.lines += 1;
        let broken = match self.blank {
            _ if line.is_empty() => {
                self.blank.get_or_insert(self.lines);
                return Ok(());
            }
            Some(first) => {
                Err((first, "must not be blank (only the end of a file may be)".to_owned(), &b""[..]))
            }
            None => row.by_rule(line).map_err(|rule| (self.lines, rule, line)),
        };
        broken.map_err(|(line, rule, got)| Error::Line {
            file: self.file.clone(),
            line,
            rule,
            got: excerpt(got),
        })
    }

    fn total(&self) -> u64 {
        self.blank.map_or(self.lines, |first| first - 1)
    }
}

/// At most 40 bytes for a message.
pub(crate) fn excerpt(got: &[u8]) -> String {
    const LONGEST: usize = 40;
    let text = String::from_utf8_lossy(&got[..got.len().min(LONGEST)]).escape_debug().to_string();
    if got.len() > LONGEST { text + "…" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io;

    /// Keeps the text of lines, and takes those of one digit quickly.
    #[derive(Default)]
    struct Texts(Vec<String>);

    impl Row for Texts {
        fn by_rule(&mut self, line: &[u8]) -> Result<(), String> {
            self.0.push(String::from_utf8_lossy(line).into_owned());
            if line == b"bad" { Err("must be good".to_owned()) } else { Ok(()) }
        }

        fn quickly(&mut self, text: &mut Cursor<'_>) -> Option<()> {
            let (value, _) = text.digits().filter(|&(_, count)| count == 1)?;
            text.line_end()?;
            self.0.push(value.to_string());
            Some(())
        }
    }

    fn lines(text: impl Read + Send) -> Result<(Vec<String>, u64), Error> {
        let mut out = Texts::default();
        let count = Lines::new("F.txt".to_owned(), Box::new(text)).each(&mut out)?;
        Ok((out.0, count))
    }

    /// Gives its bytes a few at a time, then an error.
    struct Broken<'t>(&'t [u8]);

    impl Read for Broken<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let some = self.0.len().min(out.len()).min(1000);
            if some == 0 {
                return Err(io::Error::other("it broke"));
            }
            let (now, rest) = self.0.split_at(some);
            out[..some].copy_from_slice(now);
            self.0 = rest;
            Ok(some)
        }
    }

    #[test]
    fn line_ends_of_every_kind() {
        let want = (vec!["1".to_owned(), "2, 3".to_owned()], 2);
        for text in ["1\n2, 3\n", "1\n2, 3", "1\r\n2, 3\r\n", " 1\t\n  2, 3 \n\n \r\n", "1\n2, 3\n\n\n"] {
            assert_eq!(lines(text.as_bytes()).unwrap(), want, "{text:?}");
        }
        assert_eq!(lines(&b""[..]).unwrap(), (vec![], 0));
        assert_eq!(lines(&b"\n\n"[..]).unwrap(), (vec![], 0));
        assert_eq!(
            lines(&b"1\n\n\n2\n"[..]).unwrap_err().to_string(),
            "F.txt, line 2: must not be blank (only the end of a file may be), got ``"
        );
    }

    #[test]
    fn lines_longer_than_a_block() {
        let long = "7".repeat(3 * BLOCK as usize + 5);
        let text = format!("1\n{long}\n2");
        let (got, count) = lines(text.as_bytes()).unwrap();
        assert_eq!((got[1].len(), got[2].as_str(), count), (long.len(), "2", 3));
    }

    /// Line numbers count over blocks, and the file is not read to its end.
    #[test]
    fn errors_far_inside() {
        let many = 3 * BLOCK / 2;
        let text =
            ["1\n".repeat(many as usize), "bad\n".to_owned(), "1\n".repeat(4 * BLOCK as usize)].concat();
        let error = lines(Broken(text.as_bytes())).unwrap_err().to_string();
        assert_eq!(error, format!("F.txt, line {}: must be good, got `bad`", many + 1));
    }

    /// Of a rule broken and a reader broken the earlier one is told.
    #[test]
    fn a_broken_reader() {
        for blocks in [0, 1, 2, 5] {
            let text = "1\n".repeat(blocks * BLOCK as usize / 2 + 3);
            let error = lines(Broken(text.as_bytes())).unwrap_err().to_string();
            assert_eq!(error, "F.txt: it broke");
            let text = text + "bad\n1";
            let error = lines(Broken(text.as_bytes())).unwrap_err().to_string();
            assert!(error.ends_with("must be good, got `bad`"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn lines_are_those_of_the_standard_library(text in "([0-9]|[a-c]{0,2}|[ \t]|\r?\n|\n){0,40}", far in 0usize..3) {
            // Enough lines before to bring the text over the end of a block.
            let before = (far * BLOCK as usize).saturating_sub(20) / 2;
            let text = "5\n".repeat(before) + &text;
            let want: Vec<&str> = text.trim_end().lines().map(str::trim).collect();
            match lines(text.as_bytes()) {
                Ok((got, count)) => {
                    prop_assert_eq!(count as usize, want.len());
                    prop_assert!(got == want);
                }
                Err(Error::Line { line, .. }) => prop_assert_eq!(want[line as usize - 1], ""),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}

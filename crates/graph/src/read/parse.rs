//! Lines and numbers of the TU format, read from bytes.

use crate::Error;
use std::io::Read;

/// The lines of a file, numbered from 1, without surrounding blanks; empty lines are allowed at the end only.
///
/// Memory is one block and the longest line, however long the file is (and whatever an archive says about that).
pub(crate) struct Lines<'r> {
    reader: Box<dyn Read + 'r>,
    file: String,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

const BLOCK: usize = 1 << 16;

impl<'r> Lines<'r> {
    pub(crate) fn new(file: String, reader: Box<dyn Read + 'r>) -> Self {
        Self { reader, file, buffer: vec![0; BLOCK], start: 0, end: 0, ended: false }
    }

    /// Hands every line to `parse`, which says what rule a line breaks; returns the number of lines, blank ones at the
    /// end left out.
    pub(crate) fn each(&mut self, mut parse: impl FnMut(&[u8]) -> Result<(), String>) -> Result<u64, Error> {
        let mut blank = None;
        let mut number = 0;
        while let Some((from, to)) = self.next_span()? {
            number += 1;
            let line = self.buffer[from..to].trim_ascii();
            let broken = match blank {
                _ if line.is_empty() => {
                    blank.get_or_insert(number);
                    continue;
                }
                Some(first) => {
                    Err((first, "must not be blank (only the end of a file may be)".to_owned(), &b""[..]))
                }
                None => parse(line).map_err(|rule| (number, rule, line)),
            };
            if let Err((line, rule, got)) = broken {
                return Err(Error::Line { file: self.file.clone(), line, rule, got: excerpt(got) });
            }
        }
        Ok(blank.map_or(number, |first: u64| first - 1))
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    fn next_span(&mut self) -> Result<Option<(usize, usize)>, Error> {
        let mut searched = self.start;
        loop {
            if let Some(at) = self.buffer[searched..self.end].iter().position(|&byte| byte == b'\n') {
                let span = (self.start, searched + at);
                self.start = span.1 + 1;
                return Ok(Some(span));
            }
            if self.ended {
                let span = (self.start, self.end);
                self.start = self.end;
                return Ok((span.0 < span.1).then_some(span));
            }
            searched = self.refill()?;
        }
    }

    /// Moves the unfinished line to the front and reads on behind it; returns where the new bytes begin.
    fn refill(&mut self) -> Result<usize, Error> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let from = self.end;
        loop {
            match self.reader.read(&mut self.buffer[from..]) {
                Ok(read) => {
                    self.end += read;
                    self.ended = read == 0;
                    return Ok(from);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Io { path: self.file.clone(), source }),
            }
        }
    }
}

/// At most 40 bytes for a message.
fn excerpt(got: &[u8]) -> String {
    const LONGEST: usize = 40;
    let text = String::from_utf8_lossy(&got[..got.len().min(LONGEST)]).escape_debug().to_string();
    if got.len() > LONGEST { text + "…" } else { text }
}

/// The fields between commas, without surrounding blanks.
pub(crate) fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// A signed integer; the error is the rule it breaks.
pub(crate) fn integer(field: &[u8]) -> Result<i64, &'static str> {
    let (negative, digits) = match field {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err("must be an integer");
    }
    let value = digits.iter().try_fold(0i64, |value, &digit| {
        let digit = i64::from(digit - b'0');
        let tens = value.checked_mul(10)?;
        if negative { tens.checked_sub(digit) } else { tens.checked_add(digit) }
    });
    value.ok_or("must be an integer of 64 bits")
}

/// A finite number within the range of 32-bit floats, in which features are kept; the error is the rule it breaks.
pub(crate) fn real(field: &[u8]) -> Result<f64, &'static str> {
    let value: f64 =
        std::str::from_utf8(field).ok().and_then(|text| text.parse().ok()).ok_or("must be a number")?;
    if !value.is_finite() {
        return Err("must be a finite number");
    }
    if value.abs() > f64::from(f32::MAX) {
        return Err("must be a number within the range of 32-bit floats");
    }
    Ok(value)
}

/// An id counted from 1, returned counted from 0.
pub(crate) fn id(field: &[u8], what: &str, limit: usize) -> Result<u32, String> {
    let value = integer(field).map_err(|rule| format!("{what} {rule}"))?;
    if value < 1 {
        return Err(format!("{what} must be at least 1"));
    }
    if value > limit as i64 {
        return Err(format!("{what} must be at most {limit}"));
    }
    Ok((value - 1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Result<(Vec<String>, u64), Error> {
        let mut out = Vec::new();
        let count = Lines::new("F.txt".to_owned(), Box::new(text)).each(|line| {
            out.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        })?;
        Ok((out, count))
    }

    #[test]
    fn line_ends_of_every_kind() {
        let want = (vec!["1".to_owned(), "2, 3".to_owned()], 2);
        for text in ["1\n2, 3\n", "1\n2, 3", "1\r\n2, 3\r\n", " 1\t\n  2, 3 \n\n \r\n", "1\n2, 3\n\n\n"] {
            assert_eq!(lines(text.as_bytes()).unwrap(), want, "{text:?}");
        }
        assert_eq!(lines(b"").unwrap(), (vec![], 0));
        assert_eq!(lines(b"\n\n").unwrap(), (vec![], 0));
        assert_eq!(
            lines(b"1\n\n\n2\n").unwrap_err().to_string(),
            "F.txt, line 2: must not be blank (only the end of a file may be), got ``"
        );
    }

    #[test]
    fn lines_longer_than_a_block() {
        let long = "7".repeat(3 * BLOCK + 5);
        let text = format!("1\n{long}\n2");
        let (got, count) = lines(text.as_bytes()).unwrap();
        assert_eq!((got[1].len(), got[2].as_str(), count), (long.len(), "2", 3));
    }

    #[test]
    fn integers() {
        for (text, want) in
            [("0", 0), ("+12", 12), ("-7", -7), ("007", 7), ("-9223372036854775808", i64::MIN)]
        {
            assert_eq!(integer(text.as_bytes()), Ok(want));
        }
        for text in ["", "+", "-", "1.0", "1 2", "x", "--1", "1e3"] {
            assert_eq!(integer(text.as_bytes()), Err("must be an integer"), "{text}");
        }
        assert_eq!(integer(b"9223372036854775808"), Err("must be an integer of 64 bits"));
    }

    #[test]
    fn reals() {
        for (text, want) in [("1.5", 1.5), ("-2e3", -2000.0), ("+0.25", 0.25), ("3", 3.0), (".5", 0.5)] {
            assert_eq!(real(text.as_bytes()), Ok(want));
        }
        for text in ["nan", "inf", "-Infinity", "1e999"] {
            assert_eq!(real(text.as_bytes()), Err("must be a finite number"), "{text}");
        }
        assert_eq!(real(b"1e39"), Err("must be a number within the range of 32-bit floats"));
        for text in ["", "1,5", "0x1", "abc"] {
            assert_eq!(real(text.as_bytes()), Err("must be a number"), "{text}");
        }
    }

    #[test]
    fn ids_count_from_one() {
        assert_eq!(id(b"1", "node id", 3), Ok(0));
        assert_eq!(id(b"0", "node id", 3).unwrap_err(), "node id must be at least 1");
        assert_eq!(id(b"4", "node id", 3).unwrap_err(), "node id must be at most 3");
        assert_eq!(id(b"a", "node id", 3).unwrap_err(), "node id must be an integer");
    }
}

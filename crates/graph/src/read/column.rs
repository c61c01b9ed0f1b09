//! Files with numbers alone: one per line, or several between commas.

use super::lines::Row;
use super::number::{Cursor, Number, id};

/// The largest number of nodes, edge lines or graphs.
pub(crate) const LIMIT: usize = u32::MAX as usize;

/// One more line is too many.
pub(crate) fn room(lines: usize) -> Result<(), String> {
    if lines < LIMIT { Ok(()) } else { Err(format!("must be among the first {LIMIT} lines")) }
}

/// One number per line.
pub(crate) struct Column<T> {
    pub(crate) values: Vec<T>,
    what: &'static str,
}

impl<T> Column<T> {
    /// `what` is what messages call a value.
    pub(crate) fn of(what: &'static str) -> Self {
        Self { values: Vec::new(), what }
    }
}

impl<T: Number> Row for Column<T> {
    fn by_rule(&mut self, line: &[u8]) -> Result<(), String> {
        let value = T::by_rule(line).map_err(|rule| format!("{} {rule}", self.what))?;
        room(self.values.len())?;
        self.values.push(value);
        Ok(())
    }

    fn quickly(&mut self, text: &mut Cursor<'_>) -> Option<()> {
        let value = T::quickly(text)?;
        text.line_end()?;
        if self.values.len() == LIMIT {
            return None;
        }
        self.values.push(value);
        Some(())
    }
}

/// Equally many numbers per line, with commas between.
pub(crate) struct Columns<T> {
    /// 0 before the first line.
    pub(crate) width: usize,
    /// Line by line.
    pub(crate) values: Vec<T>,
    what: &'static str,
}

impl<T> Columns<T> {
    /// `what` is what messages call a value.
    pub(crate) fn of(what: &'static str) -> Self {
        Self { width: 0, values: Vec::new(), what }
    }
}

impl<T: Number> Row for Columns<T> {
    fn by_rule(&mut self, line: &[u8]) -> Result<(), String> {
        let before = self.values.len();
        for field in line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            self.values.push(T::by_rule(field).map_err(|rule| format!("{} {rule}", self.what))?);
        }
        let got = self.values.len() - before;
        if before == 0 {
            self.width = got;
        }
        if got == self.width {
            return Ok(());
        }
        Err(format!("must have as many values as the first line ({} and not {got})", self.width))
    }

    fn quickly(&mut self, text: &mut Cursor<'_>) -> Option<()> {
        let before = self.values.len();
        let taken = self.fields(text).filter(|()| self.values.len() - before == self.width);
        if taken.is_none() {
            self.values.truncate(before);
        }
        taken
    }
}

impl<T: Number> Columns<T> {
    fn fields(&mut self, text: &mut Cursor<'_>) -> Option<()> {
        loop {
            text.blanks();
            self.values.push(T::quickly(text)?);
            if !text.skip(b',') {
                return text.line_end();
            }
        }
    }
}

/// The graph of each node.
pub(crate) struct Indicator {
    /// Counted from 0.
    pub(crate) graph_of: Vec<u32>,
    graphs: usize,
    /// The graph of the line before, 0 before the first.
    last: u32,
}

impl Indicator {
    pub(crate) fn over(graphs: usize) -> Self {
        Self { graph_of: Vec::new(), graphs, last: 0 }
    }
}

impl Row for Indicator {
    fn by_rule(&mut self, line: &[u8]) -> Result<(), String> {
        let graph = id(line, "graph id", self.graphs)?;
        if graph < self.last {
            return Err(format!("graph ids must not decrease (the line before says {})", self.last + 1));
        }
        room(self.graph_of.len())?;
        self.last = graph;
        self.graph_of.push(graph);
        Ok(())
    }

    fn quickly(&mut self, text: &mut Cursor<'_>) -> Option<()> {
        let (id, _) = text.digits()?;
        text.line_end()?;
        if id <= u64::from(self.last) || id > self.graphs as u64 || self.graph_of.len() == LIMIT {
            return None;
        }
        self.last = (id - 1) as u32;
        self.graph_of.push(self.last);
        Some(())
    }
}

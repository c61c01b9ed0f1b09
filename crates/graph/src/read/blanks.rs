//! Files with blanks or tabs between the numbers of a line, ids counted from 0.

use super::lines::Row;
use super::number::Number;
use super::single::{WIDEST, room_for};
use crate::raw::Table;

/// The most edges or nodes; a set keeps each edge twice.
const LIMIT: usize = (u32::MAX / 2) as usize;

/// The fields of a line, if there are exactly so many.
fn fields<const N: usize>(line: &[u8]) -> Result<[&[u8]; N], String> {
    let mut found = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let mut fields = [&line[..0]; N];
    for field in &mut fields {
        *field = found.next().unwrap_or_default();
    }
    if fields[N - 1].is_empty() || found.next().is_some() {
        return Err(format!("must be {N} values with blanks between"));
    }
    Ok(fields)
}

/// An id counted from 0.
pub(crate) fn id(field: &[u8], what: &str, limit: usize) -> Result<u32, String> {
    let value = i64::by_rule(field).map_err(|rule| format!("{what} {rule}"))?;
    match u32::try_from(value).ok().filter(|&id| (id as usize) < limit) {
        Some(id) => Ok(id),
        None => Err(format!("{what} must be at least 0 and below {limit}")),
    }
}

/// `node node`, an edge a line.
pub(crate) struct Edges {
    pub(crate) pairs: Vec<(u32, u32)>,
    nodes: usize,
}

impl Edges {
    pub(crate) fn between(nodes: usize) -> Self {
        Self { pairs: Vec::new(), nodes }
    }
}

impl Row for Edges {
    fn by_rule(&mut self, line: &[u8]) -> Result<(), String> {
        let [a, b] = fields(line)?;
        let pair = (id(a, "node id", self.nodes)?, id(b, "node id", self.nodes)?);
        if self.pairs.len() == LIMIT {
            return Err(format!("must be among the first {LIMIT} lines"));
        }
        self.pairs.push(pair);
        Ok(())
    }
}

/// `node class`, a node a line, the nodes in turn.
#[derive(Default)]
pub(crate) struct ClassOfEach {
    pub(crate) class: Vec<i64>,
}

impl Row for ClassOfEach {
    fn by_rule(&mut self, line: &[u8]) -> Result<(), String> {
        let [node, class] = fields(line)?;
        let here = self.class.len();
        if i64::by_rule(node).map_err(|rule| format!("node id {rule}"))? != here as i64 {
            return Err(format!("node ids must count up from 0 (here to {here})"));
        }
        let class = i64::by_rule(class).map_err(|rule| format!("class {rule}"))?;
        if here == LIMIT {
            return Err(format!("must be among the first {LIMIT} lines"));
        }
        self.class.push(class);
        Ok(())
    }
}

/// Equally many reals a line, a node a line.
#[derive(Default)]
pub(crate) struct Reals {
    pub(crate) table: Table,
}

impl Row for Reals {
    fn by_rule(&mut self, line: &[u8]) -> Result<(), String> {
        let Table { width, values } = &mut self.table;
        let before = values.len();
        for field in line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()) {
            values.push(f64::by_rule(field).map_err(|rule| format!("feature {rule}"))?);
        }
        let got = values.len() - before;
        if before == 0 {
            *width = got;
        }
        if got != *width {
            return Err(format!("must have as many values as the first line ({width} and not {got})"));
        }
        room_for(values.len() / *width, *width)
    }
}

/// `node feature value`, ascending by node and then by feature; what is not there is 0.
pub(crate) struct Entries {
    nonzero: Vec<(u32, u32, f64)>,
    nodes: usize,
    width: usize,
}

impl Entries {
    pub(crate) fn of(nodes: usize) -> Self {
        Self { nonzero: Vec::new(), nodes, width: 0 }
    }

    /// All features, as many as the largest number says.
    pub(crate) fn table(self) -> Table {
        let Self { nonzero, nodes, width } = self;
        let mut values = vec![0.0; nodes * width];
        for (node, feature, value) in nonzero {
            values[node as usize * width + feature as usize] = value;
        }
        Table { width, values }
    }
}

impl Row for Entries {
    fn by_rule(&mut self, line: &[u8]) -> Result<(), String> {
        let [node, feature, value] = fields(line)?;
        let (node, feature) = (id(node, "node id", self.nodes)?, id(feature, "feature", WIDEST)?);
        let value = f64::by_rule(value).map_err(|rule| format!("value {rule}"))?;
        if self.nonzero.last().is_some_and(|last| (last.0, last.1) >= (node, feature)) {
            return Err("lines must ascend by node and then by feature".to_owned());
        }
        self.width = self.width.max(feature as usize + 1);
        room_for(self.nodes, self.width)?;
        self.nonzero.push((node, feature, value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted() {
        assert_eq!(fields::<2>(b"1\t 22"), Ok([&b"1"[..], b"22"]));
        for line in ["1", "1 2 3", ""] {
            assert_eq!(fields::<2>(line.as_bytes()).unwrap_err(), "must be 2 values with blanks between");
        }
    }

    #[test]
    fn ids_count_from_zero() {
        assert_eq!((id(b"0", "node id", 3), id(b"2", "node id", 3)), (Ok(0), Ok(2)));
        for text in ["-1", "3", "99999999999"] {
            let rule = id(text.as_bytes(), "node id", 3).unwrap_err();
            assert_eq!(rule, "node id must be at least 0 and below 3");
        }
    }

    #[test]
    fn entries_fill_a_table() {
        let mut entries = Entries::of(3);
        for line in ["0 1 0.5", "2\t0\t7"] {
            entries.by_rule(line.as_bytes()).unwrap();
        }
        for again in ["2 0 7", "1 3 1"] {
            let rule = entries.by_rule(again.as_bytes()).unwrap_err();
            assert_eq!(rule, "lines must ascend by node and then by feature");
        }
        let Table { width, values } = entries.table();
        assert_eq!((width, values), (2, vec![0.0, 0.5, 0.0, 0.0, 7.0, 0.0]));
    }
}

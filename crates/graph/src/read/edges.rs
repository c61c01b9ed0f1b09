//! The `_A.txt` file: lines to rows, graph by graph as they come.

use super::column::{LIMIT, room};
use super::lines::Row;
use super::number::{Cursor, id};
use crate::sorted::{Sorted, Work};
use std::ops::Range;

/// Takes lines `source, target`, ids counted from 1 over the set.
///
/// In published sets the lines of a graph stand together, graphs ascending. As long as they do, only the lines of one graph
/// are held: when the next graph begins, they become rows. Lines of a graph whose turn has passed are kept to the end, with
/// all that follow, and everything is sorted once more.
pub(crate) struct Edges<'g> {
    graph_of: &'g [u32],
    node_ptr: &'g [usize],
    /// The nodes of the graph whose lines come in; none before the first, and none any more once lines are late.
    nodes: Range<usize>,
    /// `source, target` of each of its lines, inside the graph.
    pairs: Vec<(u32, u32)>,
    rows: Rows,
    late: Vec<(u32, u32)>,
    work: Work,
}

/// The edges of a set, self-loops taken out.
pub(crate) struct Rows {
    /// The number of lines.
    pub(crate) lines: usize,
    /// One offset per node and one more.
    pub(crate) row_ptr: Vec<usize>,
    /// Sources, numbered inside their graph.
    pub(crate) col: Vec<u32>,
    /// For each entry its first line, if that is asked for.
    pub(crate) origin: Option<Vec<u32>>,
    /// The nodes of self-loops, numbered over the set, ascending.
    pub(crate) loops: Vec<usize>,
}

impl<'g> Edges<'g> {
    /// Nodes are of the graph that `graph_of` says, those of graph `g` being `node_ptr[g]..node_ptr[g + 1]`. Says of each
    /// edge from which line it is if `origin` is some.
    pub(crate) fn over(graph_of: &'g [u32], node_ptr: &'g [usize], origin: Option<Vec<u32>>) -> Self {
        let row_ptr = vec![0; graph_of.len() + 1];
        let rows = Rows { lines: 0, row_ptr, col: Vec::new(), origin, loops: Vec::new() };
        let (pairs, late, work) = (Vec::new(), Vec::new(), Work::default());
        Self { graph_of, node_ptr, nodes: 0..0, pairs, rows, late, work }
    }

    /// The rows, after the last line.
    pub(crate) fn finish(mut self) -> Rows {
        self.close();
        let row_ptr = &mut self.rows.row_ptr;
        for node in 1..row_ptr.len() {
            row_ptr[node] += row_ptr[node - 1];
        }
        if !self.late.is_empty() {
            self.merge();
        }
        self.rows.col.shrink_to_fit();
        self.rows
    }

    /// Takes an edge whose nodes are of one graph.
    fn edge(&mut self, source: u32, target: u32) {
        let node = source as usize;
        if !self.late.is_empty() {
            self.late.push((source, target));
        } else if node < self.nodes.start {
            self.close();
            self.nodes = 0..0;
            self.late.push((source, target));
        } else {
            if node >= self.nodes.end {
                self.close();
                let graph = self.graph_of[node] as usize;
                self.nodes = self.node_ptr[graph]..self.node_ptr[graph + 1];
            }
            let first = self.nodes.start as u32;
            self.pairs.push((source - first, target - first));
        }
    }

    /// Turns the lines of the graph into rows.
    fn close(&mut self) {
        let key = |&(source, target): &(u32, u32)| (target, source);
        let ascending = self.pairs.windows(2).all(|two| key(&two[0]) < key(&two[1]));
        let (pairs, first) = (self.pairs.as_slice(), self.nodes.start);
        if ascending {
            self.rows.append(pairs, first, 0..pairs.len() as u32);
        } else {
            let order = self.work.order(self.nodes.len(), pairs);
            self.rows.append(pairs, first, order.iter().copied());
        }
        self.rows.lines += pairs.len();
        self.pairs.clear();
    }

    /// Sorts the rows so far and the late lines behind them once more.
    fn merge(&mut self) {
        let Rows { lines, row_ptr, col, origin, loops } = &mut self.rows;
        let first_of = |node: usize| self.node_ptr[self.graph_of[node] as usize] as u32;
        let mut pairs = Vec::with_capacity(col.len() + self.late.len());
        for target in 0..self.graph_of.len() {
            let sources = &col[row_ptr[target]..row_ptr[target + 1]];
            pairs.extend(sources.iter().map(|source| (source + first_of(target), target as u32)));
        }
        let early = pairs.len();
        pairs.append(&mut self.late);
        let mut sorted = Sorted::from_pairs(self.graph_of.len(), &pairs);
        loops.extend(sorted.remove_loops().into_iter().map(|node| node as usize));
        loops.sort_unstable();
        loops.dedup();
        if let Some(origin) = origin {
            let line =
                |&at: &u32| origin.get(at as usize).copied().unwrap_or((*lines + at as usize - early) as u32);
            *origin = sorted.origin.iter().map(line).collect();
        }
        *lines += pairs.len() - early;
        (*row_ptr, *col) = sorted.topology.into_arrays();
        for target in 0..self.graph_of.len() {
            let first = first_of(target);
            col[row_ptr[target]..row_ptr[target + 1]].iter_mut().for_each(|source| *source -= first);
        }
    }

    fn lines(&self) -> usize {
        self.rows.lines + self.pairs.len() + self.late.len()
    }
}

impl Rows {
    /// Counts in `row_ptr`, and puts behind `col`, the pairs of a graph in this order.
    fn append(&mut self, pairs: &[(u32, u32)], first: usize, order: impl Iterator<Item = u32>) {
        for at in order {
            let (source, target) = pairs[at as usize];
            let node = first + target as usize;
            if source == target {
                self.loops.push(node);
                continue;
            }
            self.row_ptr[node + 1] += 1;
            self.col.push(source);
            if let Some(origin) = &mut self.origin {
                origin.push(self.lines as u32 + at);
            }
        }
    }
}

impl Row for Edges<'_> {
    fn by_rule(&mut self, line: &[u8]) -> Result<(), String> {
        let comma =
            line.iter().position(|&byte| byte == b',').ok_or("must be two node ids with a comma between")?;
        let node = |field: &[u8]| id(field.trim_ascii(), "node id", self.graph_of.len());
        let (source, target) = (node(&line[..comma])?, node(&line[comma + 1..])?);
        let (from, to) = (self.graph_of[source as usize], self.graph_of[target as usize]);
        if from != to {
            return Err(format!(
                "an edge must stay inside a graph (these nodes are in {} and {})",
                from + 1,
                to + 1
            ));
        }
        room(self.lines())?;
        self.edge(source, target);
        Ok(())
    }

    fn quickly(&mut self, text: &mut Cursor<'_>) -> Option<()> {
        let (source, _) = text.digits()?;
        if !text.skip(b',') {
            return None;
        }
        text.blanks();
        let (target, _) = text.digits()?;
        text.line_end()?;
        if self.lines() == LIMIT {
            return None;
        }
        // Ids below the first of the graph wrap to numbers above the last.
        let local = |id: u64| id.wrapping_sub(self.nodes.start as u64 + 1);
        let (s, t, nodes) = (local(source), local(target), self.nodes.len() as u64);
        if s < nodes && t < nodes {
            self.pairs.push((s as u32, t as u32));
            return Some(());
        }
        let graph = |id: u64| self.graph_of.get(usize::try_from(id.checked_sub(1)?).ok()?);
        if graph(source)? != graph(target)? {
            return None;
        }
        self.edge((source - 1) as u32, (target - 1) as u32);
        Some(())
    }
}

//! Hierarchical networks: convolutions, pooling, convolutions, pooling, …, and what is read of the levels.

use std::fmt;

use coarsen_nn::{Ctx, Dims, Params};
use coarsen_pool::{Made, Pool, Pooled, Stack};
use coarsen_tensor::{Assignment, Layout, Level};
use tch::Tensor;

use crate::hierarchical::{Merge, ReadAt};
use crate::model::{Model, Needs, Output, Schedule, Trace};
use crate::readouts::{Readouts, beside};

/// What makes an operator from the place of its parameters and what is known of its input.
pub type Make<'a> = dyn Fn(&Params, &Dims) -> Made + 'a;

/// A pooling operator to be made, once the width of its input is known.
pub struct Operator<'a> {
    /// Convolutions inside the operator, which the network leaves out of its own.
    pub depth: usize,
    /// Makes the operator.
    pub make: Box<Make<'a>>,
}

impl fmt::Debug for Operator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("depth", &self.depth).finish_non_exhaustive()
    }
}

/// A network over the levels of a hierarchy; made by [`HierarchicalConfig`](crate::HierarchicalConfig).
///
/// `X ← convs_l(A, X)`, `(A, X) ← pool_l(A, X)` for every level, then the last convolutions; each level is read by a readout over
/// its nodes (over `Z` where the operator embeds them itself) and the readings are merged. The auxiliary losses of all levels are
/// passed on.
///
/// # Shapes
///
/// A batch of `B` graphs → `[B, out_features]`.
#[derive(Debug)]
pub struct Hierarchical {
    pub(crate) stages: Vec<Stage>,
    /// The convolutions behind the last pooling; `None` where levels are read at the poolings.
    pub(crate) last: Option<Stack>,
    pub(crate) read: ReadAt,
    /// One for each level that can be read.
    pub(crate) readings: Vec<Option<Readouts>>,
    pub(crate) merge: Merge,
}

/// Convolutions and the pooling behind them.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) stack: Stack,
    pub(crate) pool: Box<dyn Pool>,
}

const STACK: u64 = 0;
const POOL: u64 = 1;
const READ: u64 = 2;

impl Hierarchical {
    fn reading(&self, level: usize, g: &Level, ctx: Ctx) -> Option<Tensor> {
        self.readings[level].as_ref().map(|readouts| readouts.forward(g, ctx.child(READ)))
    }

    fn merged(&self, readings: Vec<Tensor>) -> Tensor {
        match self.merge {
            Merge::Last | Merge::Concat => beside(readings),
            Merge::Sum => Tensor::stack(&readings, 0).sum_dim_intlist([0i64].as_slice(), false, None),
        }
    }
}

impl Model for Hierarchical {
    fn needs(&self) -> Needs {
        let layout = self.stages[0].pool.layouts(Layout::Sparse).0;
        let plans = self.stages.iter().map_while(|stage| stage.pool.plan()).collect();
        Needs { plans, ..Needs::layout(layout) }
    }

    fn schedule(&self) -> Schedule {
        let apart = self.stages.iter().find_map(|stage| stage.pool.apart());
        apart.map_or(Schedule::Joint, Schedule::Alternating)
    }

    fn divides(&self) -> bool {
        // Dense batches are padded to their largest graph, which only one part has.
        self.needs().layout == Layout::Sparse && self.stages.iter().all(|stage| stage.pool.divides())
    }

    fn forward(&self, g: &Level, ctx: Ctx) -> Output {
        let mut output = Output::default();
        let mut readings = Vec::with_capacity(self.readings.len());
        let mut level = g.with_x(g.x.shallow_clone());
        for (l, stage) in self.stages.iter().enumerate() {
            let ctx = ctx.child(l as u64);
            let x = stage.stack.forward(&level, ctx.child(STACK));
            let here = level.with_x(x).to_layout(stage.pool.layouts(level.layout()).0);
            let pooled = stage.pool.pool(&here, ctx.child(POOL));
            readings.extend(match (self.read, &pooled.selection.z) {
                (ReadAt::Convs, Some(z)) => self.reading(l, &here.with_x(z.shallow_clone()), ctx),
                (ReadAt::Convs, None) => self.reading(l, &here, ctx),
                (ReadAt::Pools | ReadAt::Coarse, _) => self.reading(l, &pooled.level, ctx),
            });
            if ctx.trace {
                output.traces.extend(traces(l, &here, &pooled));
            }
            output.losses.extend(pooled.selection.losses);
            level = pooled.level;
        }
        if let Some(last) = &self.last {
            let l = self.stages.len();
            let ctx = ctx.child(l as u64);
            level = level.with_x(last.forward(&level, ctx.child(STACK)));
            readings.extend(self.reading(l, &level, ctx));
        }
        if ctx.trace {
            output.traces.push(trace(self.stages.len(), "x", &level.x));
        }
        Output { graphs: Some(self.merged(readings)), ..output }
    }

    fn out_features(&self) -> i64 {
        let mut widths = self.readings.iter().flatten().map(Readouts::out_features);
        match self.merge {
            Merge::Last | Merge::Sum => widths.next_back().unwrap_or(0),
            Merge::Concat => widths.sum(),
        }
    }
}

fn traces(level: usize, g: &Level, pooled: &Pooled) -> Vec<Trace> {
    let mut traces = vec![trace(level, "x", &g.x), trace(level, "score", &pooled.score)];
    if let Assignment::Rows { s, .. } | Assignment::Padded { s } = &pooled.selection.s {
        traces.push(trace(level, "s", s));
    }
    traces
}

fn trace(level: usize, what: &str, value: &Tensor) -> Trace {
    Trace { name: format!("level{level}.{what}"), value: value.shallow_clone() }
}

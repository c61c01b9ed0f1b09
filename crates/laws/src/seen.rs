//! What an operator gives, sorted by what a law may compare.

use coarsen_graph::Permutation;
use coarsen_pool::{Loss, Over};
use tch::{Kind, Tensor};

use crate::block::Block;
use crate::compare::{close, finite, require, zero};
use crate::rounding::Tolerance;

/// What an operator gave for a batch, sorted by what renumbering its nodes does to it.
#[derive(Debug, Default)]
pub struct Seen {
    /// A row per node of the input, graph by graph, padding taken out.
    pub nodes: Vec<(String, Tensor)>,
    /// A row per graph.
    pub graphs: Vec<(String, Tensor)>,
    /// The coarser graphs.
    pub blocks: Vec<Block>,
    /// Auxiliary losses.
    pub losses: Vec<Loss>,
    /// What losses over nodes and over edges are means of; `None` where they may speak of another level than the input's.
    pub counted: Option<Counted>,
    /// Whether two nodes of a graph have one score, as twins have whatever scores them: then their order decides, and renumbering may
    /// change everything: the law of order leaves such graphs out.
    pub tied: bool,
    /// What must be 0: padded rows.
    pub zeros: Vec<(String, Tensor)>,
    /// Gradients of the features, as [`nodes`](Self::nodes).
    pub node_gradients: Vec<(String, Tensor)>,
    /// The gradient of the edge weights, summed: edges are renumbered with their nodes.
    pub edge_gradients: Vec<(String, Tensor)>,
    /// Gradients of the parameters.
    pub gradients: Vec<(String, Tensor)>,
}

/// How much a batch holds.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Nodes of the input, without padding.
    pub nodes: i64,
    /// Directed edges of the input.
    pub edges: i64,
}

impl Seen {
    /// A smooth number that everything enters and that the order of nodes, graphs and clusters does not: what gradients are of.
    pub(crate) fn objective(&self) -> Tensor {
        let rows = self.nodes.iter().chain(&self.graphs).map(|(_, t)| probed(t));
        let coarse = self.blocks.iter().map(|b| probed(&b.x) + (&b.a + b.a.square() * 0.3).sum(Kind::Double));
        let losses = self.losses.iter().map(|loss| &loss.value * loss.weight);
        rows.chain(coarse).chain(losses).fold(Tensor::from(0f64), |sum, part| sum + part.sum(Kind::Double))
    }

    /// The same as seen with node `i` of graph `b` called `permutations[b].to(i)`, taken back.
    pub(crate) fn taken_back(mut self, permutations: &[Permutation]) -> Self {
        let mut to = Vec::new();
        let mut first = 0;
        for permutation in permutations {
            to.extend(permutation.as_slice().iter().map(|&i| first + i64::from(i)));
            first += permutation.len() as i64;
        }
        let to = Tensor::from_slice(&to);
        for (_, rows) in self.nodes.iter_mut().chain(&mut self.node_gradients) {
            *rows = rows.index_select(0, &to);
        }
        for (block, permutation) in self.blocks.iter_mut().zip(permutations) {
            block.take_back(permutation);
        }
        self
    }

    /// Everything that order does not touch put into the order of members: sparse clusters have no order of their own.
    pub(crate) fn canonical(&self) -> Self {
        let mut sorted = self.shallow_clone();
        sorted.blocks.iter_mut().for_each(Block::sort);
        sorted
    }

    fn shallow_clone(&self) -> Self {
        let shared = |list: &[(String, Tensor)]| {
            list.iter().map(|(name, t)| (name.clone(), t.shallow_clone())).collect::<Vec<_>>()
        };
        Self {
            nodes: shared(&self.nodes),
            graphs: shared(&self.graphs),
            blocks: self.blocks.iter().map(Block::shallow_clone).collect(),
            losses: self.losses.iter().map(shared_loss).collect(),
            zeros: shared(&self.zeros),
            node_gradients: shared(&self.node_gradients),
            edge_gradients: shared(&self.edge_gradients),
            gradients: shared(&self.gradients),
            ..*self
        }
    }

    /// What was seen of graph `b`, whose nodes are `rows`; without losses and gradients.
    pub(crate) fn of_graph(&self, b: usize, rows: std::ops::Range<i64>) -> Self {
        let narrowed = |from: &[(String, Tensor)], first, count| {
            from.iter().map(|(name, t)| (name.clone(), t.narrow(0, first, count))).collect()
        };
        Self {
            nodes: narrowed(&self.nodes, rows.start, rows.end - rows.start),
            graphs: narrowed(&self.graphs, b as i64, 1),
            blocks: self.blocks.get(b).map(Block::shallow_clone).into_iter().collect(),
            ..Self::default()
        }
    }

    /// Everything but losses agrees.
    pub(crate) fn agrees(&self, want: &Self, tolerance: Tolerance) -> Result<(), String> {
        self.zeros.iter().try_for_each(|(name, t)| zero(name, t))?;
        all(&self.nodes, &want.nodes, tolerance.values)?;
        all(&self.graphs, &want.graphs, tolerance.values)?;
        let counts = (self.blocks.len(), want.blocks.len());
        require(counts.0 == counts.1, || format!("{} coarser graphs in place of {}", counts.0, counts.1))?;
        for (b, (got, want)) in self.blocks.iter().zip(&want.blocks).enumerate() {
            got.agrees(want, tolerance.values).map_err(|how| format!("coarser graph {b}: {how}"))?;
        }
        all(&self.node_gradients, &want.node_gradients, tolerance.gradients)?;
        all(&self.edge_gradients, &want.edge_gradients, tolerance.gradients)?;
        all(&self.gradients, &want.gradients, tolerance.gradients)
    }

    /// The losses agree one by one.
    pub(crate) fn losses_agree(&self, want: &Self, tolerance: f64) -> Result<(), String> {
        let names = |seen: &Self| seen.losses.iter().map(|loss| (loss.name, loss.over)).collect::<Vec<_>>();
        require(names(self) == names(want), || {
            format!("losses {:?} in place of {:?}", names(self), names(want))
        })?;
        self.losses.iter().zip(&want.losses).try_for_each(|(got, want)| {
            close(&format!("loss {}", got.name), &got.value, &want.value, tolerance)
        })
    }

    /// The losses of a batch are what their [`Over`] makes of those of its graphs.
    pub(crate) fn losses_gather(&self, alone: &[Self], tolerance: f64) -> Result<(), String> {
        for (l, loss) in self.losses.iter().enumerate() {
            let one = |part: &Self| {
                let same = part.losses.get(l).filter(|other| other.name == loss.name);
                same.map(|other| other.value.double_value(&[]))
                    .ok_or(format!("a graph alone has no loss {}", loss.name))
            };
            let parts = alone.iter().map(one).collect::<Result<Vec<f64>, String>>()?;
            let got = loss.value.double_value(&[]);
            let Some(want) = expected(loss.over, &parts, alone) else {
                within(loss.name, got, &parts, tolerance)?;
                continue;
            };
            close(
                &format!("loss {} of the batch", loss.name),
                &Tensor::from(got),
                &Tensor::from(want),
                tolerance,
            )?;
        }
        Ok(())
    }

    /// All that is no gradient.
    pub(crate) fn values(&self) -> Vec<&Tensor> {
        let rows = self.nodes.iter().chain(&self.graphs).map(|(_, t)| t);
        let blocks = self.blocks.iter().flat_map(Block::values);
        rows.chain(blocks).chain(self.losses.iter().map(|loss| &loss.value)).collect()
    }

    /// The gradients.
    pub(crate) fn all_gradients(&self) -> Vec<&Tensor> {
        let lists = [&self.node_gradients, &self.edge_gradients, &self.gradients];
        lists.into_iter().flatten().map(|(_, t)| t).collect()
    }

    /// Every number is one.
    pub(crate) fn is_finite(&self) -> Result<(), String> {
        let lists = [&self.nodes, &self.graphs, &self.node_gradients, &self.edge_gradients, &self.gradients];
        lists.into_iter().flatten().try_for_each(|(name, t)| finite(name, t))?;
        self.blocks.iter().try_for_each(Block::is_finite)?;
        self.losses.iter().try_for_each(|loss| finite(&format!("loss {}", loss.name), &loss.value))
    }
}

fn shared_loss(loss: &Loss) -> Loss {
    Loss { value: loss.value.shallow_clone(), ..*loss }
}

/// What a loss of the whole should be. `None`: a mean, and over what is not known.
///
/// A number of the batch as a whole keeps no such law; it is held to the mean over graphs, as the task's loss is.
fn expected(over: Over, parts: &[f64], alone: &[Seen]) -> Option<f64> {
    let weights: Option<Vec<f64>> = match over {
        Over::Graphs | Over::Batch => Some(vec![1.0; parts.len()]),
        Over::Nodes => alone.iter().map(|seen| Some(seen.counted?.nodes as f64)).collect(),
        Over::Edges => alone.iter().map(|seen| Some(seen.counted?.edges as f64)).collect(),
        Over::Sum => return Some(parts.iter().sum()),
    };
    let weights = weights?;
    let total: f64 = weights.iter().sum();
    let sum: f64 = weights.iter().zip(parts).map(|(weight, part)| weight * part).sum();
    Some(if total == 0.0 { 0.0 } else { sum / total })
}

/// A mean lies between what it is a mean of.
fn within(name: &str, got: f64, parts: &[f64], tolerance: f64) -> Result<(), String> {
    let least = parts.iter().copied().fold(f64::INFINITY, f64::min);
    let most = parts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let slack = tolerance * most.abs().max(1.0);
    let inside = got >= least - slack && got <= most + slack;
    require(inside, || format!("loss {name} of the batch is {got}, outside of its graphs' {least} to {most}"))
}

fn all(got: &[(String, Tensor)], want: &[(String, Tensor)], tolerance: f64) -> Result<(), String> {
    let names = |list: &[(String, Tensor)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    require(names(got) == names(want), || format!("{:?} in place of {:?}", names(got), names(want)))?;
    got.iter().zip(want).try_for_each(|((name, got), (_, want))| close(name, got, want, tolerance))
}

/// A sum over rows that tells columns apart, linear and quadratic.
fn probed(rows: &Tensor) -> Tensor {
    let width = *rows.size().last().unwrap_or(&1);
    let column = Tensor::arange(width, (Kind::Double, rows.device()));
    let (first, second) = ((&column * 1.7 + 0.3).sin(), (column * 0.9 + 1.1).cos());
    (rows * first + rows.square() * second * 0.5).sum(Kind::Double)
}

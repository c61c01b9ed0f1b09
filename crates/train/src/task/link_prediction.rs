//! Whether two nodes of one graph are joined.

use coarsen_eval::{Metric, Protocol, Split, stream};
use coarsen_graph::{Dataset, Topology, TopologyBuf};
use coarsen_model::{Needs, Output};
use coarsen_nn::{Ctx, Dims, Params};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::RunError;
use crate::task::head::rows;
use crate::task::one_graph::{OneGraph, Rows};
use crate::task::{Batch, Head, Of, Order, Task, measure, non_edges};

/// Which edges may be held out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    /// Those whose two ends keep another edge, one edge after the other: no node is left alone (P-GNN, AdamGNN).
    #[default]
    Degree,
    /// All: AdamGNN's baselines. A node may lose its last edge.
    Uniform,
}

/// How edges are held out, and what is done to the features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkPredictionConfig {
    /// Which edges may be held out.
    pub removal: Removal,
    /// What is done to the features of each node.
    pub rows: Rows,
}

/// Link prediction on one graph: `P(u, v) = σ(z_u · z_v)`, ROC-AUC.
///
/// Loops are removed and edges have no direction and no attributes. The samples are the edges, and behind them, as `E + u n + v`, the pairs
/// `u < v` that are not joined. A split holds out edges by the [`Removal`] rule, and beside them as many pairs that are not
/// joined in the whole graph, the same in every epoch. Messages pass along the training edges alone. A training epoch sees these
/// and as many pairs drawn anew (the stream `negatives`), none of which is joined in the whole graph or used to validate or test.
///
/// The loss is `mean −ln σ(z_u · z_v)` over edges + `mean −ln (1 − σ(z_u · z_v))` over the others.
///
/// # Paper and code
///
/// AdamGNN's code also draws a node with itself and the reverse of a training edge. Its own rows hold out by `degree` and its baselines
/// by `uniform`.
pub struct LinkPrediction {
    config: LinkPredictionConfig,
    /// With the edges along which messages pass.
    graph: OneGraph,
    whole: TopologyBuf,
    /// `u < v`, ascending.
    edges: Vec<(u32, u32)>,
    /// Pairs that validate or test without being edges, ascending.
    apart: Vec<(u32, u32)>,
}

impl LinkPrediction {
    /// The task on this data set; before it is told of a split, messages pass along all edges.
    ///
    /// # Errors
    ///
    /// When it has not one graph, or the nodes have no features.
    pub fn new(data: &dyn Dataset, config: LinkPredictionConfig) -> Result<Self, RunError> {
        let given = OneGraph::of(data, config.rows)?;
        let joined = data.sample(0).topology.pairs().filter(|(a, b)| a != b);
        let whole = undirected(given.nodes(), joined);
        let edges = whole.view().pairs().filter(|(source, target)| target < source);
        let mut edges: Vec<(u32, u32)> = edges.map(|(source, target)| (target, source)).collect();
        edges.sort_unstable();
        Ok(Self { config, graph: given.with_edges(whole.clone()), whole, edges, apart: Vec::new() })
    }

    /// The same task with messages along the training edges of a split alone.
    #[must_use]
    pub fn within(&self, split: &Split) -> Self {
        let trained = split.train.iter().map(|&sample| self.pair(sample));
        let others = split.valid.iter().chain(&split.test).filter(|&&sample| !self.is_edge(sample));
        let mut apart: Vec<(u32, u32)> = others.map(|&sample| self.pair(sample)).collect();
        apart.sort_unstable();
        Self {
            config: self.config,
            graph: self.graph.with_edges(undirected(self.graph.nodes(), trained)),
            whole: self.whole.clone(),
            edges: self.edges.clone(),
            apart,
        }
    }

    /// The nodes of a sample, the lower first.
    pub fn pair(&self, sample: usize) -> (u32, u32) {
        let n = self.graph.nodes();
        match sample.checked_sub(self.edges.len()) {
            None => self.edges[sample],
            Some(code) => ((code / n) as u32, (code % n) as u32),
        }
    }

    /// Whether a sample is an edge.
    pub fn is_edge(&self, sample: usize) -> bool {
        sample < self.edges.len()
    }

    /// Pairs that are not joined and not in `taken`, as samples.
    fn negatives(
        &self,
        count: usize,
        taken: &[(u32, u32)],
        seed: u64,
    ) -> impl Iterator<Item = usize> + use<> {
        let (n, edges) = (self.graph.nodes(), self.edges.len());
        let pairs = non_edges(self.whole.view(), count, taken, seed);
        pairs.into_iter().map(move |(u, v)| edges + u as usize * n + v as usize)
    }

    /// Edges of `order` that the rule lets go, `count` of them at most.
    fn held(&self, order: &[usize], count: usize) -> Vec<usize> {
        let mut degree: Vec<usize> =
            (0..self.graph.nodes()).map(|node| self.whole.view().degree(node)).collect();
        let mut goes = |edge: &usize| {
            let (u, v) = self.edges[*edge];
            let ends = [u as usize, v as usize];
            let may = self.config.removal == Removal::Uniform || ends.iter().all(|&end| degree[end] > 1);
            if may {
                for end in ends {
                    degree[end] -= 1;
                }
            }
            may
        };
        order.iter().copied().filter(|edge| goes(edge)).take(count).collect()
    }
}

fn undirected(nodes: usize, pairs: impl Iterator<Item = (u32, u32)>) -> TopologyBuf {
    TopologyBuf::from_undirected(nodes, pairs).expect("the nodes of a graph that is there")
}

impl Task for LinkPrediction {
    fn metric(&self) -> Metric {
        Metric::RocAuc
    }

    fn of(&self) -> Of {
        Of::Nodes
    }

    /// The outputs are those of one pair.
    fn dims(&self) -> Dims {
        self.graph.dims(1)
    }

    fn splits(&self, protocol: &Protocol, seed: u64) -> Result<Vec<Split>, RunError> {
        let mut splits = protocol.held_out(self.edges.len(), seed, |order, count| self.held(order, count))?;
        for split in &mut splits {
            let own = stream(seed, "negatives", u64::from(split.index));
            let mut taken = Vec::new();
            for (name, part) in [("valid", &mut split.valid), ("test", &mut split.test)] {
                let others: Vec<usize> = self.negatives(part.len(), &taken, stream(own, name, 0)).collect();
                taken.extend(others.iter().map(|&sample| self.pair(sample)));
                taken.sort_unstable();
                part.extend(others);
            }
        }
        Ok(splits)
    }

    fn on_split(&self, split: &Split) -> Option<Box<dyn Task + '_>> {
        Some(Box::new(self.within(split)))
    }

    fn blind(&self, _: &Split) -> Result<f64, RunError> {
        Ok(0.5)
    }

    fn head(&self, _: &Params, _: i64) -> Box<dyn Head> {
        Box::new(Products)
    }

    /// One batch; a training epoch has as many pairs that are not joined as there are edges.
    fn cut(&self, index: &[usize], order: Order, _: &Needs) -> Vec<Vec<Vec<usize>>> {
        let mut samples = index.to_vec();
        if let Some(seed) = order.fresh {
            samples.extend(self.negatives(index.len(), &self.apart, seed));
        }
        vec![vec![samples]]
    }

    fn graphs(&self, _: &[usize]) -> Vec<(usize, Topology<'_>)> {
        vec![(0, self.graph.sample(0).topology)]
    }

    fn batch(&self, samples: &[usize], cluster: u64, needs: &Needs, device: Device) -> Batch {
        let pairs = samples.iter().map(|&sample| self.pair(sample));
        let (us, vs): (Vec<i64>, Vec<i64>) = pairs.map(|(u, v)| (i64::from(u), i64::from(v))).unzip();
        let joined: Vec<f32> = samples.iter().map(|&s| f32::from(u8::from(self.is_edge(s)))).collect();
        Batch {
            level: self.graph.level(needs, cluster, device),
            target: Tensor::from_slice(&joined).to_device(device),
            at: Some(Tensor::from_slice(&[us, vs].concat()).view([2, -1]).to_device(device)),
            reconstruction: None,
        }
    }

    fn measure(&self, predictions: &Tensor, targets: &Tensor) -> Result<f64, RunError> {
        measure::roc_auc(predictions, targets)
    }
}

/// `z_u · z_v`, the logit of an edge.
#[derive(Debug)]
struct Products;

impl Head for Products {
    fn predict(&self, out: &Output, at: Option<&Tensor>, _: Ctx) -> Tensor {
        let (z, at) = (rows(out), at.expect("pairs are asked about"));
        let of = |end: i64| z.index_select(0, &at.select(0, end));
        (of(0) * of(1)).sum_dim_intlist([-1i64].as_slice(), false, None)
    }

    fn loss(&self, predictions: &Tensor, targets: &Tensor) -> Tensor {
        let mean = |logits: &Tensor, of: &Tensor| {
            -(logits.log_sigmoid() * of).sum(Kind::Float) / of.sum(Kind::Float).clamp_min(1.0)
        };
        // 1 − σ(x) = σ(−x).
        mean(predictions, targets) + mean(&-predictions, &(1.0 - targets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coarsen_graph::{DataDir, FeatureRule, InMemory};
    use std::collections::BTreeSet;

    fn karate() -> InMemory {
        DataDir::new("none").load("KARATE", &FeatureRule::default()).expect("a built-in set")
    }

    fn task(removal: Removal) -> LinkPrediction {
        let config = LinkPredictionConfig { removal, ..LinkPredictionConfig::default() };
        LinkPrediction::new(&karate(), config).expect("one graph")
    }

    fn pairs<'a>(task: &LinkPrediction, samples: impl IntoIterator<Item = &'a usize>) -> Vec<(u32, u32)> {
        samples.into_iter().map(|&sample| task.pair(sample)).collect()
    }

    const FRESH: Order = Order { shuffle: None, fresh: Some(9), batch: 1, parts: 1 };

    #[test]
    fn messages_pass_along_training_edges_alone() {
        for removal in [Removal::Degree, Removal::Uniform] {
            let task = task(removal);
            let splits = task.splits(&Protocol::default(), 5).expect("enough edges");
            for split in &splits {
                // Of 78 friendships 15 are held out.
                assert_eq!([&split.train, &split.valid, &split.test].map(Vec::len), [63, 14, 16]);
                let within = task.within(split);
                let topology = within.graph.sample(0).topology.to_owned();
                assert_eq!(topology.view().edges(), 2 * 63);
                for (u, v) in pairs(&task, split.valid.iter().chain(&split.test)) {
                    let joined = |a: u32, b: u32| topology.view().neighbours(a as usize).contains(&b);
                    assert!(!joined(u, v) && !joined(v, u), "{u} and {v}");
                }
                for (u, v) in pairs(&task, &split.train) {
                    assert!(topology.view().neighbours(u as usize).contains(&v));
                }
                let alone = topology.view().isolated_nodes();
                assert!(alone == 0 || removal == Removal::Uniform, "{alone} nodes without an edge");
            }
            let alone = |split: &Split| task.within(split).graph.sample(0).topology.isolated_nodes();
            let any = splits.iter().map(alone).any(|alone| alone > 0);
            assert_eq!(any, removal == Removal::Uniform, "the club has a member with one friend");
        }
    }

    #[test]
    fn negatives_are_no_edges_and_nothing_evaluated_is_trained_on() {
        let task = task(Removal::Degree);
        let split = &task.splits(&Protocol::default(), 5).expect("enough edges")[0];
        let karate = karate();
        let club = karate.sample(0).topology;
        let negatives = |part: &[usize]| pairs(&task, part.iter().filter(|&&sample| !task.is_edge(sample)));
        let (valid, test) = (negatives(&split.valid), negatives(&split.test));
        assert_eq!((valid.len(), test.len()), (7, 8));
        let within = task.within(split);
        let batches = within.cut(&split.train, FRESH, &Needs::layout(coarsen_tensor::Layout::Sparse));
        let trained = negatives(&batches[0][0]);
        assert_eq!((batches.len(), batches[0].len(), trained.len()), (1, 1, 63));
        let all = [valid, test, trained].concat();
        for &(u, v) in &all {
            assert!(u < v && !club.neighbours(u as usize).contains(&v), "{u} and {v}");
        }
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "all are distinct");

        let again = |seed: u64| {
            let order = Order { fresh: Some(seed), ..FRESH };
            within.cut(&split.train, order, &Needs::layout(coarsen_tensor::Layout::Sparse))
        };
        assert!(batches == again(9) && batches != again(10), "each epoch draws its own, by its seed");
        let evaluated = Order { fresh: None, ..FRESH };
        let needs = Needs::layout(coarsen_tensor::Layout::Sparse);
        assert_eq!(within.cut(&split.valid, evaluated, &needs), [vec![split.valid.clone()]]);
    }

    #[test]
    fn loops_go_and_directions_do_not_count() {
        let edges = [(0, 1), (1, 0), (2, 1), (2, 2), (3, 0)];
        let topology = TopologyBuf::from_edges(4, edges).expect("a graph");
        let x = ndarray::Array2::ones((4, 1));
        let sample =
            coarsen_graph::Sample::new(topology, x, coarsen_graph::Target::Class(0)).expect("a sample");
        let data = InMemory::from_samples("loopy", vec![sample], 1).expect("a set");
        let task = LinkPrediction::new(&data, LinkPredictionConfig::default()).expect("one graph");
        assert_eq!(task.edges, [(0, 1), (0, 3), (1, 2)]);
        assert_eq!((task.pair(3 + 4 + 3), task.is_edge(2), task.is_edge(3)), ((1, 3), true, false));
    }

    #[test]
    fn the_loss_is_a_mean_over_edges_and_one_over_the_others() {
        let (logits, targets) =
            (Tensor::from_slice(&[0.5f32, -1.0, 2.0]), Tensor::from_slice(&[1f32, 0.0, 0.0]));
        let log = |x: f64| (1.0 + (-x).exp()).ln();
        let want = log(0.5) + f64::midpoint(log(1.0), log(-2.0));
        let got = Products.loss(&logits, &targets).double_value(&[]);
        assert!((got - want).abs() < 1e-6, "{got}, want {want}");
        let none = Products.loss(&logits, &Tensor::ones_like(&logits)).double_value(&[]);
        assert!(none.is_finite());
    }
}

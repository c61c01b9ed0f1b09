//! The random control of *Rethinking pooling in graph neural networks*: any operator with its score drawn at random.
//!
//! Mesquita, Souza and Kaski ask whether what a pooling operator learns matters, by replacing it. [`Controlled`] wraps an operator:
//! its score becomes random numbers drawn once, from the stream of their own name, and kept with the parameters but never
//! trained. Everything decided from a score stays: the softmax of DiffPool is still applied, Top-k still ranks and gates. The
//! auxiliary losses, which would train a score that is not there, are dropped. The operator's own parameters are made all the same,
//! so that a control and its learned twin start equal where they are equal.

use coarsen_nn::{ConfigError, Ctx, Dims, Params, Stream};
use coarsen_tensor::{Adjacency, Layout, Level};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::pool::{PlanSpec, Pool, RowSums, Scores, Selection};
use crate::registry::Invariance;

/// What the score is replaced with: the value of `control` in a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// A fixed matrix of N(0, 1), a row for each position of a node in its graph.
    Normal,
    /// The same of U\[0, 1).
    Uniform,
    /// The same of zeros and ones, a one with probability 0.3.
    Bernoulli,
    /// `X R` with a fixed matrix `R` of N(0, 1), gradients stopped at `X`: invariant, unlike the others (Remark 1).
    Invariant,
}

impl Control {
    /// The guarantee of an operator under this control: rows taken by position depend on the order of the nodes.
    pub fn invariance(self, inner: Invariance) -> Invariance {
        match (self, inner) {
            (Self::Invariant, _) | (_, Invariance::Broken(_)) => inner,
            _ => Invariance::Seeded,
        }
    }

    fn draw(self, shape: &[i64], p: &Params) -> Tensor {
        let mut stream = Stream::new(p.seed(NAME));
        let options = (p.kind(), p.device());
        let values = match self {
            Self::Normal | Self::Invariant => stream.normal(shape, 0.0, 1.0, options),
            Self::Uniform => stream.uniform(shape, 0.0, 1.0, options),
            Self::Bernoulli => stream.bernoulli(shape, 0.3, options),
        };
        p.buffer_from(NAME, &values)
    }
}

const NAME: &str = "random";

/// An operator whose score is random.
#[derive(Debug)]
pub struct Controlled {
    control: Control,
    inner: Box<dyn Pool>,
    /// `[N_max, K]`, or `[F, K]` of the invariant control; `K = 1` where nodes are scored.
    random: Tensor,
}

impl Controlled {
    /// Puts `inner`, the operator `name`, under a control. The matrix is `control.random` below `p`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] when the operator scores nothing, or when rows go by position and no graph sizes are known.
    pub fn new(
        control: Control,
        name: &'static str,
        inner: Box<dyn Pool>,
        p: &Params,
        dims: &Dims,
    ) -> Result<Self, ConfigError> {
        let shown = serde_json::to_value(control).unwrap_or_default();
        let shown = shown.as_str().unwrap_or_default();
        let width = match inner.scores() {
            Scores::Clusters(k) => k,
            Scores::Nodes => 1,
            Scores::Nothing => return Err(ConfigError::value(name, "control", NO_SCORE, shown)),
        };
        let rows = if control == Control::Invariant { dims.features } else { dims.max_nodes() };
        ConfigError::require(rows > 0, name, "control", "`invariant` where no graph sizes are known", shown)?;
        Ok(Self { control, inner, random: control.draw(&[rows, width], &p.sub("control")) })
    }

    /// Row `i` of the matrix for the `i`-th node of each graph, from the start again in a graph larger than any known.
    fn by_position(&self, g: &Level) -> Tensor {
        let rows = self.random.size()[0];
        let taken = |positions: Vec<i64>| {
            self.random.index_select(0, &Tensor::from_slice(&positions).to_device(self.random.device()))
        };
        match g.layout() {
            Layout::Sparse => {
                taken(g.segments().sizes().flat_map(|n| (0..i64::from(n)).map(|i| i % rows)).collect())
            }
            Layout::Dense => {
                let size = g.x.size();
                let one = taken((0..size[1]).map(|i| i % rows).collect());
                one.unsqueeze(0).expand([size[0], -1, -1], false)
            }
        }
    }
}

const NO_SCORE: &str = "absent, since the operator scores nothing that could be drawn at random; \
                        it already draws its matching from a seed or takes one from the host";

impl Pool for Controlled {
    fn layouts(&self, given: Layout) -> (Layout, Layout) {
        self.inner.layouts(given)
    }

    fn scores(&self) -> Scores {
        self.inner.scores()
    }

    fn score(&self, g: &Level, _: Ctx) -> Tensor {
        let score = match self.control {
            Control::Invariant => g.x.detach().matmul(&self.random),
            Control::Normal | Control::Uniform | Control::Bernoulli => self.by_position(g),
        };
        match self.inner.scores() {
            Scores::Clusters(_) => score,
            Scores::Nodes | Scores::Nothing => score.squeeze_dim(-1),
        }
    }

    fn select(&self, g: &Level, score: &Tensor, ctx: Ctx) -> Selection {
        Selection { losses: Vec::new(), ..self.inner.select(g, score, ctx) }
    }

    fn row_sums(&self) -> RowSums {
        self.inner.row_sums()
    }

    fn coarsened(&self, dims: &Dims) -> Dims {
        self.inner.coarsened(dims)
    }

    fn embeds(&self) -> Option<i64> {
        self.inner.embeds()
    }

    /// A plan would stand in for the score that is drawn here.
    fn plan(&self) -> Option<PlanSpec> {
        None
    }

    fn reduce(&self, g: &Level, sel: &Selection, ctx: Ctx) -> Tensor {
        self.inner.reduce(g, sel, ctx)
    }

    fn connect(&self, g: &Level, sel: &Selection) -> Adjacency {
        self.inner.connect(g, sel)
    }

    fn lift(&self, x: &Tensor, sel: &Selection) -> Tensor {
        self.inner.lift(x, sel)
    }
}

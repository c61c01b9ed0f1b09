//! One case put to an operator, and what was seen of it so far.

use std::cell::OnceCell;

use coarsen_nn::Ctx;
use coarsen_tensor::{Layout, Level};

use crate::case::Case;
use crate::laws::Laws;
use crate::rounding::{self, Tolerance};
use crate::seen::Seen;
use crate::subject::{Built, Make, Subject, as_it_is};

/// A case put to an operator. What several laws ask for is made once: the operator, and its passes over the batch in either layout.
///
/// A pass may move running statistics, so passes in evaluation are compared with each other only where none in training lies between.
pub(crate) struct Trial<'a, M: ?Sized> {
    pub(crate) make: &'a Make<'a, M>,
    pub(crate) case: &'a Case,
    pub(crate) laws: &'a Laws,
    built: OnceCell<Built<'a, M>>,
    level: OnceCell<Level>,
    sparse: OnceCell<Seen>,
    dense: OnceCell<Seen>,
}

impl<'a, M: Subject + ?Sized> Trial<'a, M> {
    pub(crate) fn new(make: &'a Make<'a, M>, case: &'a Case, laws: &'a Laws) -> Self {
        let (built, level) = (OnceCell::new(), OnceCell::new());
        Self { make, case, laws, built, level, sparse: OnceCell::new(), dense: OnceCell::new() }
    }

    /// The operator, with the parameters of the case's seed.
    pub(crate) fn built(&self) -> &Built<'a, M> {
        self.built.get_or_init(|| self.made_again())
    }

    /// The same operator, made once more.
    pub(crate) fn made_again(&self) -> Built<'a, M> {
        Built::new(self.make, &self.case.dims(), self.case.seed)
    }

    /// The batch as one sparse level.
    pub(crate) fn level(&self) -> &Level {
        self.level.get_or_init(|| self.case.level())
    }

    /// What the operator gives for the sparse level, with gradients.
    pub(crate) fn sparse(&self) -> &Seen {
        self.sparse.get_or_init(|| self.observed(&as_it_is))
    }

    /// What it gives for the dense level, padded no further than to the largest graph.
    pub(crate) fn dense(&self) -> &Seen {
        self.dense.get_or_init(|| self.observed(&|g| g.to_layout(Layout::Dense)))
    }

    /// What it gives for `door` of the level, with gradients.
    pub(crate) fn observed(&self, door: &dyn Fn(&Level) -> Level) -> Seen {
        self.built().observe(self.level(), door, self.case.ctx)
    }

    /// What it gives in evaluation, without gradients.
    pub(crate) fn evaluated(&self, g: &Level) -> Seen {
        self.built().see(g, self.evaluation())
    }

    fn evaluation(&self) -> Ctx {
        Ctx { train: false, ..self.case.ctx }
    }

    /// `compare` has nothing to say, given what rounding may do to this case.
    pub(crate) fn agree(&self, compare: impl Fn(Tolerance) -> Result<(), String>) -> Result<(), String> {
        rounding::agree((self.built(), self.level(), self.case.ctx), self.laws, compare)
    }

    /// The same in evaluation.
    pub(crate) fn agree_in_evaluation(
        &self,
        compare: impl Fn(Tolerance) -> Result<(), String>,
    ) -> Result<(), String> {
        rounding::agree((self.built(), self.level(), self.evaluation()), self.laws, compare)
    }
}

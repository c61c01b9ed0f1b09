//! How laws are run: how many cases, how exact, and where failing ones are kept.

use coarsen_graph::counterexample::Counterexample;
use coarsen_graph::search::{Found, Search};
use proptest::strategy::{Just, Strategy};

use crate::case::{Case, Direction, cases};
use crate::draw::From;
use crate::error::Broken;

/// How laws are run. Everything is computed in double precision.
///
/// # Examples
///
/// ```
/// use coarsen_laws::{Laws, Passes};
///
/// let laws = Laws { cases: 8, passes: Passes::Evaluation, ..Laws::default() }.without("every_parameter_learns");
/// assert_eq!(laws.tolerance, 1e-8);
/// ```
#[derive(Debug, Clone)]
pub struct Laws {
    /// Cases of each law; by default the variable `COARSEN_LAW_CASES`, or 64.
    pub cases: u32,
    /// Values agree when `max|got − want| ≤ τ · max(1, max|want|)`. What `τ` is follows from the size of the operator and from what rounding
    /// takes from it on the batch (`docs/LAWS.md`); however much that is, `τ` is no more than this, 1e-8 by default.
    pub tolerance: f64,
    /// The same for gradients, 1e-6 by default. Where this is infinite, they are not compared.
    pub gradient_tolerance: f64,
    /// Whether training passes are held to the laws, too.
    pub passes: Passes,
    /// Whether batches hold graphs without nodes.
    pub empty_graphs: EmptyGraphs,
    /// Laws that the operator does not promise, by name.
    pub without: Vec<&'static str>,
    /// The source file of the test (`file!()`): seeds of failing cases are kept beside it, in a file with the extension
    /// `proptest-regressions`, and tried first from then on. Commit that file.
    pub regressions: Option<&'static str>,
    /// A failing case is made smaller in at most so many steps; 1000 by default.
    pub shrink_steps: u32,
    /// Cases to be tried in place of drawn ones: counter-examples from earlier.
    pub given: Vec<Case>,
}

/// Which passes are held to the laws.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Passes {
    /// Training and evaluation.
    #[default]
    Both,
    /// Evaluation alone: for operators that draw a number per node in training (dropout), where the order of the nodes matters.
    Evaluation,
}

/// Whether batches hold graphs without nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EmptyGraphs {
    /// Some do.
    #[default]
    Drawn,
    /// None does: the operator does not promise to cope with them.
    Never,
}

impl Default for Laws {
    /// # Panics
    ///
    /// When `COARSEN_LAW_CASES` is set and not a number from 1.
    fn default() -> Self {
        let search = Search::default();
        Self {
            cases: search.cases,
            tolerance: 1e-8,
            gradient_tolerance: 1e-6,
            passes: Passes::default(),
            empty_graphs: EmptyGraphs::default(),
            without: Vec::new(),
            regressions: search.regressions,
            shrink_steps: search.shrink_steps,
            given: Vec::new(),
        }
    }
}

impl Laws {
    /// The same, but for the law of this name.
    #[must_use]
    pub fn without(mut self, law: &'static str) -> Self {
        self.without.push(law);
        self
    }

    /// The same, keeping failing seeds beside the test `file!()`.
    #[must_use]
    pub fn remembered(self, file: &'static str) -> Self {
        Self { regressions: Some(file), ..self }
    }

    /// For laws that are expected to break: any counterexample will do, and it is not worth keeping.
    pub(crate) fn any_counterexample(&self) -> Self {
        Self { shrink_steps: 0, regressions: None, ..self.clone() }
    }

    /// The same on this case alone: a counter-example from earlier.
    #[must_use]
    pub fn on(mut self, case: Case) -> Self {
        self.given.push(case);
        self
    }

    /// Looks for a case that `property` has something to say against.
    pub(crate) fn hold(
        &self,
        law: &'static str,
        direction: Direction,
        property: impl Fn(&Case) -> Result<(), String>,
    ) -> Result<(), Broken> {
        self.hold_over(law, &cases(self, direction), property)
    }

    /// The same among other cases.
    pub(crate) fn hold_over(
        &self,
        law: &'static str,
        strategy: &impl Strategy<Value = Case>,
        property: impl Fn(&Case) -> Result<(), String>,
    ) -> Result<(), Broken> {
        self.seek(strategy, property).map_err(|found| counterexample(law, *found))
    }

    /// Looks for a case among those drawn, or among those given, that `property` has something to say against.
    pub(crate) fn seek(
        &self,
        strategy: &impl Strategy<Value = Case>,
        property: impl Fn(&Case) -> Result<(), String>,
    ) -> Result<(), Box<Found<Case>>> {
        if self.given.is_empty() {
            return self.search().hold(strategy, property).map_err(Box::new);
        }
        self.given.iter().try_for_each(|case| self.ask(&Just(case.clone()), &property))
    }

    /// Asks `property` about one case and, where it has something to say, about smaller ones.
    pub(crate) fn ask_from(
        &self,
        law: &'static str,
        case: Case,
        property: impl Fn(&Case) -> Result<(), String>,
    ) -> Result<(), Broken> {
        self.ask(&From(case), property).map_err(|found| counterexample(law, *found))
    }

    /// Asks `property` about the one case that a strategy begins with, which has no seed.
    fn ask(
        &self,
        strategy: &impl Strategy<Value = Case>,
        property: impl Fn(&Case) -> Result<(), String>,
    ) -> Result<(), Box<Found<Case>>> {
        let once = Search { cases: 1, regressions: None, ..self.search() };
        once.hold(strategy, property).map_err(|found| Box::new(Found { seed: None, ..found }))
    }

    fn search(&self) -> Search {
        Search { cases: self.cases, shrink_steps: self.shrink_steps, regressions: self.regressions }
    }
}

pub(crate) fn counterexample(law: &'static str, Found { case, how, seed }: Found<Case>) -> Broken {
    let literal = format!("Laws::default().on({})", case.literal());
    let setting = case.setting();
    let bare = Counterexample::new(law, how, case.graphs);
    Broken::Counterexample(Box::new(Counterexample { setting, literal, seed, ..bare }))
}

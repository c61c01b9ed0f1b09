//! How laws are run: how many cases, how exact, and where failing ones are kept.

use std::env;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};

use crate::error::Broken;

/// Cases of each law where nothing else is said.
const CASES: u32 = 64;
/// The variable that says something else.
const CASES_VARIABLE: &str = "COARSEN_LAW_CASES";
/// How often a failing case is made smaller where nothing else is said.
const SHRINK_STEPS: u32 = 400;

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
#[derive(Debug, Clone, PartialEq)]
pub struct Laws {
    /// Cases of each law; by default the variable `COARSEN_LAW_CASES`, or 64.
    pub cases: u32,
    /// Values agree when `max|got − want| ≤ tolerance · max(1, max|want|)`; 1e-8 by default.
    pub tolerance: f64,
    /// The same for gradients, which pass through the inverse roots of batch norm; 1e-6 by default.
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
    /// A failing case is made smaller in at most so many steps; 400 by default.
    pub shrink_steps: u32,
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
        Self {
            cases: cases(),
            tolerance: 1e-8,
            gradient_tolerance: 1e-6,
            passes: Passes::default(),
            empty_graphs: EmptyGraphs::default(),
            without: Vec::new(),
            regressions: None,
            shrink_steps: SHRINK_STEPS,
        }
    }
}

fn cases() -> u32 {
    match env::var(CASES_VARIABLE) {
        Err(_) => CASES,
        Ok(given) => match given.parse() {
            Ok(cases) if cases >= 1 => cases,
            _ => panic!("{CASES_VARIABLE} must be a number from 1, got {given}"),
        },
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

    fn config(&self) -> Config {
        let kept = self.regressions.map(|_| {
            Box::new(FileFailurePersistence::WithSource("proptest-regressions"))
                as Box<dyn proptest::test_runner::FailurePersistence>
        });
        Config {
            cases: self.cases,
            failure_persistence: kept,
            source_file: self.regressions,
            max_shrink_iters: self.shrink_steps,
            ..Config::default()
        }
    }

    /// Looks for a value of `strategy` that `property` has something to say against.
    pub(crate) fn hold<S: Strategy>(
        &self,
        law: &'static str,
        strategy: &S,
        property: impl Fn(&S::Value) -> Result<(), String>,
    ) -> Result<(), Broken> {
        let mut runner = TestRunner::new(self.config());
        let outcome = runner.run(strategy, |case| property(&case).map_err(TestCaseError::fail));
        outcome.map_err(|error| match error {
            TestError::Fail(how, case) => Broken::counterexample(law, how.to_string(), format!("{case:?}")),
            TestError::Abort(why) => {
                Broken::counterexample(law, why.to_string(), "no case: proptest gave up")
            }
        })
    }
}

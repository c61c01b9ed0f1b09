//! Looking for a case that breaks a property (feature `proptest`).

use std::any::Any;
use std::env;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use proptest::strategy::Strategy;
use proptest::test_runner::{
    Config, FailurePersistence, FileFailurePersistence, PersistedSeed, TestCaseError, TestError, TestRunner,
};

/// Cases where nothing else is said.
const CASES: u32 = 64;
/// The variable that says something else.
const CASES_VARIABLE: &str = "COARSEN_LAW_CASES";
/// How often a failing case is made smaller where nothing else is said.
const SHRINK_STEPS: u32 = 1000;

/// How cases are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// How many are tried; by default the variable `COARSEN_LAW_CASES`, or 64.
    pub cases: u32,
    /// A failing case is made smaller in at most so many steps; 1000 by default.
    pub shrink_steps: u32,
    /// The source file of the test (`file!()`): seeds of failing cases are kept beside it, in a file with the extension
    /// `proptest-regressions`, and tried first from then on. Commit that file.
    pub regressions: Option<&'static str>,
}

impl Default for Search {
    /// # Panics
    /// When `COARSEN_LAW_CASES` is set and not a number from 1.
    fn default() -> Self {
        Self { cases: cases(), shrink_steps: SHRINK_STEPS, regressions: None }
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

/// A case that breaks a property.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The smallest that shrinking came to.
    pub case: T,
    /// What the property says against it.
    pub how: String,
    /// The line of a `proptest-regressions` file that draws it again; `None` where it came from there.
    pub seed: Option<String>,
}

impl Search {
    /// Looks for a value of `strategy` that `property` has something to say against; a panic is something.
    ///
    /// # Errors
    /// What was found.
    ///
    /// # Panics
    /// When the strategy rejects nearly all it draws.
    pub fn hold<S: Strategy>(
        &self,
        strategy: &S,
        property: impl Fn(&S::Value) -> Result<(), String>,
    ) -> Result<(), Found<S::Value>> {
        let seed = Arc::new(Mutex::new(None));
        let kept = self.regressions.map(|_| FileFailurePersistence::WithSource("proptest-regressions"));
        let config = Config {
            cases: self.cases,
            failure_persistence: Some(Box::new(Noted { kept, seed: Arc::clone(&seed) })),
            source_file: self.regressions,
            max_shrink_iters: self.shrink_steps,
            ..Config::default()
        };
        let outcome =
            TestRunner::new(config).run(strategy, |case| property(&case).map_err(TestCaseError::fail));
        outcome.map_err(|error| match error {
            TestError::Fail(how, case) => {
                let seed = seed.lock().unwrap_or_else(PoisonError::into_inner).take();
                Found { case, how: how.to_string(), seed }
            }
            TestError::Abort(why) => panic!("no case could be drawn: {why}"),
        })
    }
}

/// Keeps seeds where they are kept anyway, and remembers the last.
#[derive(Debug)]
struct Noted {
    kept: Option<FileFailurePersistence>,
    seed: Arc<Mutex<Option<String>>>,
}

impl FailurePersistence for Noted {
    fn load_persisted_failures2(&self, file: Option<&'static str>) -> Vec<PersistedSeed> {
        self.kept.map_or_else(Vec::new, |kept| kept.load_persisted_failures2(file))
    }

    fn save_persisted_failure2(&mut self, file: Option<&'static str>, seed: PersistedSeed, case: &dyn Debug) {
        *self.seed.lock().unwrap_or_else(PoisonError::into_inner) = Some(seed.to_string());
        if let Some(kept) = &mut self.kept {
            kept.save_persisted_failure2(file, seed, case);
        }
    }

    fn box_clone(&self) -> Box<dyn FailurePersistence> {
        Box::new(Self { kept: self.kept, seed: Arc::clone(&self.seed) })
    }

    fn eq(&self, other: &dyn FailurePersistence) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self.kept == other.kept)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(limit: u32) -> Result<(), Found<u32>> {
        let search = Search { cases: 200, ..Search::default() };
        search.hold(&(0..1000u32), |&n| if n < limit { Ok(()) } else { Err(format!("{n} is too large")) })
    }

    #[test]
    fn what_is_found_is_the_smallest_with_its_reason_and_its_seed() {
        assert!(below(1000).is_ok());
        let found = below(500).unwrap_err();
        assert_eq!((found.case, found.how.as_str()), (500, "500 is too large"));
        assert!(found.seed.is_some_and(|seed| seed.starts_with("cc ") && seed.len() == 3 + 64));
    }

    #[test]
    fn a_panic_is_a_reason() {
        let found = Search::default().hold(&(0..9u32), |n| panic!("the fault of {n}")).unwrap_err();
        assert!(found.how.contains("the fault of 0"), "{}", found.how);
    }
}

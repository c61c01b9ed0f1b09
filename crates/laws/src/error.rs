//! What a law says when it does not hold.

use coarsen_graph::counterexample::Counterexample;

/// Why an operator does not keep what it promises.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// A case was found that breaks the law; it is the smallest that shrinking came to.
    #[error(transparent)]
    Counterexample(Box<Counterexample>),
    /// The operator declares that it breaks a law, and no case breaks it.
    #[error("{law} is declared broken, but holds in {cases} cases")]
    Kept {
        /// The law.
        law: &'static str,
        /// How many were tried.
        cases: u32,
    },
    /// A law is named that there is not.
    #[error("unknown law `{name}`; known are {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The laws of this contract.
        known: Vec<&'static str>,
    },
}

impl Broken {
    /// Something that is wrong of no graph in particular.
    pub(crate) fn in_setting(law: &'static str, how: impl Into<String>, setting: impl Into<String>) -> Self {
        let of_no_graph = Counterexample::new(law, how, Vec::new());
        let (setting, literal) = (setting.into(), String::new());
        Self::Counterexample(Box::new(Counterexample { setting, literal, ..of_no_graph }))
    }
}

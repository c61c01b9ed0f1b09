//! What a law says when it does not hold.

/// Why an operator does not keep what it promises.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// A case was found that breaks the law; it is the smallest that shrinking came to.
    #[error("{law} does not hold: {how}\n  of {case}")]
    Counterexample {
        /// The law.
        law: &'static str,
        /// What differs, or what is missing.
        how: String,
        /// The graphs and the pass.
        case: String,
    },
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
    pub(crate) fn counterexample(law: &'static str, how: impl Into<String>, case: impl Into<String>) -> Self {
        Self::Counterexample { law, how: how.into(), case: case.into() }
    }
}

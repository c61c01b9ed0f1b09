//! What can be wrong with a configuration.

use std::fmt::Display;

/// What can be wrong with a configuration.
///
/// It is the only error of this crate: behind a checked configuration, `forward` is infallible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value breaks the rule of its field.
    #[error("{operator}: `{field}` must be {rule}, got {got}")]
    Value {
        /// The operator the configuration is for.
        operator: &'static str,
        /// The field, with dots for nesting: `keep.ratio`.
        field: String,
        /// What the value must be: `in (0, 1]`.
        rule: String,
        /// What it is.
        got: String,
    },
    /// A configuration names an operator that is not registered.
    #[error("unknown {what} `{name}`; known are {}", known.join(", "))]
    Unknown {
        /// What was looked for: `convolution`, `readout`.
        what: &'static str,
        /// The name that is not known.
        name: String,
        /// The names that are.
        known: Vec<&'static str>,
    },
    /// A configuration is not an object with a text `kind`.
    #[error("a {what} needs {{\"kind\": …}} with one of {}, got {got}", known.join(", "))]
    Kind {
        /// What was to be made: `convolution`, `readout`.
        what: &'static str,
        /// The names that `kind` may have.
        known: Vec<&'static str>,
        /// The configuration as it was given.
        got: String,
    },
    /// A configuration does not have the fields of its operator.
    #[error("{operator}: {source}")]
    Parse {
        /// The operator the configuration is for.
        operator: &'static str,
        /// What was expected; it names the key.
        source: serde_json::Error,
    },
}

impl ConfigError {
    /// A value that breaks the rule of its field.
    pub fn value(operator: &'static str, field: &str, rule: &str, got: impl Display) -> Self {
        Self::Value { operator, field: field.to_owned(), rule: rule.to_owned(), got: got.to_string() }
    }

    /// `Ok` where `holds`, otherwise [`ConfigError::value`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] unless `holds`.
    ///
    /// # Examples
    ///
    /// ```
    /// use coarsen_nn::ConfigError;
    /// let ratio = 1.5;
    /// let error = ConfigError::require(ratio <= 1.0, "top-k", "ratio", "in (0, 1]", ratio).unwrap_err();
    /// assert_eq!(error.to_string(), "top-k: `ratio` must be in (0, 1], got 1.5");
    /// ```
    pub fn require(
        holds: bool,
        operator: &'static str,
        field: &str,
        rule: &str,
        got: impl Display,
    ) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::value(operator, field, rule, got)) }
    }
}

//! What a row says of its operator beside its code: [`Steps`], and named configurations, [`Preset`].
//!
//! `docs/operators.md` is written from it.

use serde_json::Value;

/// The textbook's Reduce.
pub const REDUCE: &str = "`Sᵀ X`";
/// The textbook's Connect.
pub const CONNECT: &str = "`Sᵀ A S`";
/// The textbook's Lift.
pub const LIFT: &str = "`S X'`";

/// What an operator does in each of the four steps, in the symbols of its paper.
///
/// A step with the words of the textbook is the textbook's, and any other is not: the behaviour tests of this crate try it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// How `S` is made.
    pub select: &'static str,
    /// Features of the pooled level, `X'`.
    pub reduce: &'static str,
    /// Edges of the pooled level, `A'`.
    pub connect: &'static str,
    /// Features back on the nodes.
    pub lift: &'static str,
}

impl Steps {
    /// [`REDUCE`], [`CONNECT`] and [`LIFT`] behind a Select of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use coarsen_pool::Steps;
    /// let steps = Steps { lift: "nothing", ..Steps::textbook("all nodes in one cluster") };
    /// assert_eq!(steps.connect, "`Sᵀ A S`");
    /// ```
    pub const fn textbook(select: &'static str) -> Self {
        Self { select, reduce: REDUCE, connect: CONNECT, lift: LIFT }
    }
}

/// A configuration that somebody published, by a name.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Whose it is, in few words.
    pub name: &'static str,
    /// The fields that differ from the default.
    pub fields: fn() -> Value,
}

impl Preset {
    /// The configuration for the row `kind`.
    pub fn config(&self, kind: &str) -> Value {
        let mut config = (self.fields)();
        config["kind"] = kind.into();
        config
    }
}

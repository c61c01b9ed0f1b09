//! Python pickles of protocol 2, as far as the published files of Planetoid need them.
//!
//! [`Pickle::load`] makes a tree of plain values. Nothing is called and nothing is looked up: six names may stand where Python
//! would look one up, and what Python would make by a call is kept as the call and its arguments ([`Value::Made`]), for the
//! caller to take apart. A value that is used twice is stored once, so that no file makes more values than it has bytes.

mod machine;

use crate::Error;
use std::fmt;

/// The number of a value in its pickle.
type Id = u32;

/// What a pickle holds.
pub(crate) struct Pickle<'b> {
    file: &'b str,
    values: Vec<(usize, Value<'b>)>,
    root: Id,
}

/// A value; those inside it are numbers.
pub(crate) enum Value<'b> {
    /// `None`.
    Nothing,
    /// `True` or `False`.
    Truth(bool),
    /// An integer.
    Integer(i64),
    /// A string of Python 2.
    Bytes(&'b [u8]),
    /// A name that Python would look up.
    Name(Name),
    /// A list.
    List(Vec<Id>),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A dictionary, with or without a default.
    Dict(Vec<(Id, Id)>),
    /// What Python would make by calling `by` with a tuple of arguments, and then change by a state.
    Made {
        /// What would be called.
        by: Name,
        /// With what.
        arguments: Id,
        /// What would be handed over afterwards.
        state: Option<Id>,
    },
}

/// The names that may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A sparse matrix by rows.
    CsrMatrix,
    /// The function that makes an empty array.
    Reconstruct,
    /// An array.
    Array,
    /// A type of numbers.
    Dtype,
    /// A dictionary with a default.
    DefaultDict,
    /// The type of lists.
    List,
}

impl Name {
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::CsrMatrix, "scipy.sparse.csr", "csr_matrix"),
        (Self::Reconstruct, "numpy.core.multiarray", "_reconstruct"),
        (Self::Array, "numpy", "ndarray"),
        (Self::Dtype, "numpy", "dtype"),
        (Self::DefaultDict, "collections", "defaultdict"),
        (Self::List, "__builtin__", "list"),
    ];
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, module, name) = Self::ALL[*self as usize];
        write!(out, "{module}.{name}")
    }
}

impl<'b> Pickle<'b> {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`Error::Pickle`] with file, byte, rule and value.
    ///
    /// # Complexity
    /// O(bytes) time; at most 2²² values.
    pub(crate) fn load(file: &'b str, bytes: &'b [u8]) -> Result<Self, Error> {
        machine::run(bytes)
            .map(|(values, root)| Self { file, values, root })
            .map_err(|broken| broken.of(file))
    }

    /// The value that the whole file stands for.
    pub(crate) fn root(&self) -> Place<'_, 'b> {
        Place { pickle: self, id: self.root }
    }
}

/// A rule that a pickle breaks.
struct Broken {
    at: usize,
    rule: String,
    got: String,
}

impl Broken {
    fn of(self, file: &str) -> Error {
        let Self { at, rule, got } = self;
        Error::Pickle { file: file.to_owned(), byte: at as u64, rule, got }
    }
}

/// A value in its pickle.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p, 'b> {
    pickle: &'p Pickle<'b>,
    id: Id,
}

impl<'p, 'b> Place<'p, 'b> {
    fn value(self) -> &'p Value<'b> {
        &self.pickle.values[self.id as usize].1
    }

    fn at(self, id: Id) -> Self {
        Self { id, ..self }
    }

    /// The error that a rule is broken here.
    pub(crate) fn broken(self, rule: impl Into<String>, got: impl Into<String>) -> Error {
        let at = self.pickle.values[self.id as usize].0;
        Broken { at, rule: rule.into(), got: got.into() }.of(self.pickle.file)
    }

    fn refused(self, what: &str, rule: &str) -> Error {
        self.broken(format!("{what} must be {rule}"), self.value().to_string())
    }

    /// An integer in `0..=most`; `what` is what messages call it.
    pub(crate) fn count(self, what: &str, most: usize) -> Result<usize, Error> {
        let own = match self.value() {
            Value::Integer(value) => usize::try_from(*value).ok().filter(|&value| value <= most),
            _ => None,
        };
        own.ok_or_else(|| self.refused(what, &format!("an integer in 0..={most}")))
    }

    /// A string.
    pub(crate) fn bytes(self, what: &str) -> Result<&'b [u8], Error> {
        match self.value() {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.refused(what, "a string")),
        }
    }

    /// Exactly this value.
    pub(crate) fn is(self, what: &str, want: &Value<'_>) -> Result<(), Error> {
        let same = match (self.value(), want) {
            (Value::Truth(own), Value::Truth(want)) => own == want,
            (Value::Integer(own), Value::Integer(want)) => own == want,
            (Value::Bytes(own), Value::Bytes(want)) => own == want,
            (Value::Name(own), Value::Name(want)) => own == want,
            _ => false,
        };
        if same { Ok(()) } else { Err(self.refused(what, &want.to_string())) }
    }

    /// The items of a tuple of this length.
    pub(crate) fn tuple<const N: usize>(self, what: &str) -> Result<[Self; N], Error> {
        let items = match self.value() {
            Value::Tuple(items) => <[Id; N]>::try_from(items.as_slice()).ok(),
            _ => None,
        };
        items
            .map(|items| items.map(|id| self.at(id)))
            .ok_or_else(|| self.refused(what, &format!("a tuple of {N}")))
    }

    /// The items of a list.
    pub(crate) fn list(self, what: &str) -> Result<impl Iterator<Item = Self> + use<'p, 'b>, Error> {
        match self.value() {
            Value::List(items) => Ok(items.iter().map(move |&id| self.at(id))),
            _ => Err(self.refused(what, "a list")),
        }
    }

    /// The keys and values of a dictionary.
    pub(crate) fn dict(
        self,
        what: &str,
    ) -> Result<impl ExactSizeIterator<Item = (Self, Self)> + use<'p, 'b>, Error> {
        match self.value() {
            Value::Dict(items) => Ok(items.iter().map(move |&(key, value)| (self.at(key), self.at(value)))),
            _ => Err(self.refused(what, "a dictionary")),
        }
    }

    /// The arguments and the state of what a name would make.
    pub(crate) fn made(self, what: &str, name: Name) -> Result<(Self, Self), Error> {
        match self.value() {
            Value::Made { by, arguments, state: Some(state) } if *by == name => {
                Ok((self.at(*arguments), self.at(*state)))
            }
            _ => Err(self.refused(what, &format!("made by {name} and then given a state"))),
        }
    }
}

/// Short, for messages.
impl fmt::Display for Value<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => out.write_str("None"),
            Self::Truth(true) => out.write_str("True"),
            Self::Truth(false) => out.write_str("False"),
            Self::Integer(value) => write!(out, "{value}"),
            Self::Bytes(bytes) => write!(out, "'{}'", super::lines::excerpt(bytes)),
            Self::Name(name) => write!(out, "{name}"),
            Self::List(items) => write!(out, "a list of {}", items.len()),
            Self::Tuple(items) => write!(out, "a tuple of {}", items.len()),
            Self::Dict(items) => write!(out, "a dictionary of {}", items.len()),
            Self::Made { by, state: Some(_), .. } => write!(out, "made by {by} and then given a state"),
            Self::Made { by, state: None, .. } => write!(out, "made by {by}"),
        }
    }
}

//! Published tables: numbers from papers, as data with a source.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Metric, Unit};

/// The tables of one paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// The short name that experiments use, as in `diffpool`.
    pub paper: String,
    /// The title.
    pub title: String,
    /// Where the numbers were read.
    pub source: String,
    /// The tables.
    pub tables: Vec<PublishedTable>,
}

/// One table as it was printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedTable {
    /// Its number.
    pub id: String,
    /// What it shows.
    pub caption: String,
    /// What its values measure.
    pub metric: Metric,
    /// The unit of its values.
    pub unit: Unit,
    /// How the values came about, as far as paper and code say.
    pub protocol: String,
    /// Names of the columns, as printed.
    pub columns: Vec<String>,
    /// The rows, as printed.
    pub rows: Vec<PublishedRow>,
    /// Printed columns that follow from others.
    #[serde(default)]
    pub derived: Vec<Derived>,
    /// What is wrong in print.
    #[serde(default)]
    pub errata: Vec<Erratum>,
    /// What a reader of the numbers should know.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// One row as it was printed; a blank is `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedRow {
    /// Name of the method, as printed.
    pub method: String,
    /// One value for every column.
    pub values: Vec<Option<f64>>,
    /// One spread for every column, if any was printed.
    pub std: Option<Vec<Option<f64>>>,
    /// Number of runs behind a value, if it is known.
    pub n: Option<u32>,
    /// What is special about the row.
    #[serde(default)]
    pub note: Option<String>,
}

/// A printed column whose entries are differences of row means to a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// Its name.
    pub name: String,
    /// The row that is subtracted.
    pub baseline: String,
    /// The printed entries.
    pub values: Vec<DerivedValue>,
}

/// An entry of a [`Derived`] column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedValue {
    /// The row.
    pub method: String,
    /// The printed entry.
    pub printed: f64,
}

/// Something that is wrong in print.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erratum {
    /// The row it is about, if it is about one.
    #[serde(default)]
    pub method: Option<String>,
    /// The column it is about, if it is about one.
    #[serde(default)]
    pub column: Option<String>,
    /// What stands there.
    #[serde(default)]
    pub printed: Option<f64>,
    /// What should.
    #[serde(default)]
    pub recomputed: Option<f64>,
    /// The explanation.
    pub text: String,
}

impl Paper {
    /// Reads and checks the tables of a paper.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read, [`Error::Broken`] if it does not parse or [`Paper::check`] finds a fault.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|reason| Error::Broken {
            path: path.to_owned(),
            expected: "published paper",
            reason,
        })
    }

    /// Parses and checks JSON; the error is what is wrong with it.
    ///
    /// # Errors
    ///
    /// The message of the parser, or the first fault of [`Paper::check`].
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let paper: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        paper.check()?;
        Ok(paper)
    }

    /// Whether every row has an entry for every column, names are unique, and names that are referred to exist.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub fn check(&self) -> Result<(), String> {
        distinct("table", self.tables.iter().map(|table| table.id.as_str()))?;
        for table in &self.tables {
            table.check().map_err(|fault| format!("table {}: {fault}", table.id))?;
        }
        Ok(())
    }

    /// The table of a number.
    pub fn table(&self, id: &str) -> Option<&PublishedTable> {
        self.tables.iter().find(|table| table.id == id)
    }
}

impl PublishedTable {
    /// The row of a method.
    pub fn row(&self, method: &str) -> Option<&PublishedRow> {
        self.rows.iter().find(|row| row.method == method)
    }

    /// The printed value of a cell; `None` for a blank and for a cell the table does not have.
    pub fn value(&self, method: &str, column: &str) -> Option<f64> {
        let place = self.columns.iter().position(|name| name == column)?;
        self.row(method)?.values.get(place).copied().flatten()
    }

    /// The mean of `method − baseline` over the columns in which both have a value.
    pub fn mean_difference(&self, method: &str, baseline: &str) -> Option<f64> {
        let pairs = self.row(method)?.values.iter().zip(&self.row(baseline)?.values);
        let differences: Vec<f64> = pairs.filter_map(|(a, b)| Some((*a)? - (*b)?)).collect();
        (!differences.is_empty()).then(|| differences.iter().sum::<f64>() / differences.len() as f64)
    }

    fn check(&self) -> Result<(), String> {
        distinct("column", self.columns.iter().map(String::as_str))?;
        distinct("method", self.rows.iter().map(|row| row.method.as_str()))?;
        let columns = self.columns.len();
        for row in &self.rows {
            let lengths = [Some(row.values.len()), row.std.as_ref().map(Vec::len)];
            if let Some(wrong) = lengths.into_iter().flatten().find(|length| *length != columns) {
                return Err(format!("row `{}` has {wrong} entries for {columns} columns", row.method));
            }
        }
        let derived = self.derived.iter().flat_map(|derived| {
            std::iter::once(&derived.baseline).chain(derived.values.iter().map(|value| &value.method))
        });
        let mut methods = derived.chain(self.errata.iter().filter_map(|erratum| erratum.method.as_ref()));
        if let Some(unknown) = methods.find(|method| self.row(method).is_none()) {
            return Err(format!("no row `{unknown}`"));
        }
        let known =
            |name: &String| self.columns.contains(name) || self.derived.iter().any(|d| d.name == *name);
        match self.errata.iter().filter_map(|erratum| erratum.column.as_ref()).find(|name| !known(name)) {
            Some(unknown) => Err(format!("no column `{unknown}`")),
            None => Ok(()),
        }
    }
}

fn distinct<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("{what} `{name}` twice"));
        }
    }
    Ok(())
}

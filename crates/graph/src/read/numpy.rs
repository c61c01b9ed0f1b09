//! Arrays of numpy and sparse matrices of scipy, as they lie in pickles.

use super::pickle::{Name, Place, Value};
use super::single::room_for;
use crate::Error;

/// The most rows, columns or entries.
const LIMIT: usize = u32::MAX as usize;

/// A number of an array.
pub(crate) trait Item: Copy {
    /// What numpy calls its type.
    const CODE: &'static str;

    /// From four bytes, the lowest first; the error is the rule that the number breaks.
    fn of(bytes: [u8; 4]) -> Result<Self, &'static str>;
}

impl Item for i32 {
    const CODE: &'static str = "i4";

    fn of(bytes: [u8; 4]) -> Result<Self, &'static str> {
        Ok(Self::from_le_bytes(bytes))
    }
}

impl Item for f32 {
    const CODE: &'static str = "f4";

    fn of(bytes: [u8; 4]) -> Result<Self, &'static str> {
        Some(Self::from_le_bytes(bytes)).filter(|value| value.is_finite()).ok_or("a finite number")
    }
}

/// Numbers of an array, row by row.
pub(crate) struct Array<T, const D: usize> {
    pub(crate) shape: [usize; D],
    pub(crate) values: Vec<T>,
}

impl<T: Item, const D: usize> Array<T, D> {
    /// Takes apart what is pickled for an array of `D` axes.
    ///
    /// # Errors
    /// [`Error::Pickle`] for another type, another order of bytes or axes, a shape that does not fit the bytes, or a number
    /// that is not finite.
    pub(crate) fn read(place: Place<'_, '_>, what: &str) -> Result<Self, Error> {
        let (arguments, state) = place.made(what, Name::Reconstruct)?;
        let [of, _, _] = arguments.tuple("the arguments of an array")?;
        of.is("what is made", &Value::Name(Name::Array))?;
        let [version, sizes, dtype, by_column, bytes] = state.tuple("the state of an array")?;
        version.is("the version of an array", &Value::Integer(1))?;
        by_column.is("the order by columns", &Value::Truth(false))?;
        check_type::<T>(dtype)?;
        let mut shape = [0; D];
        for (size, at) in shape.iter_mut().zip(sizes.tuple::<D>("the shape of an array")?) {
            *size = at.count("an axis", LIMIT)?;
        }
        let data = bytes.bytes("the numbers of an array")?;
        let want = shape.iter().try_fold(size_of::<[u8; 4]>(), |sum, &size| sum.checked_mul(size));
        let (numbers, []) = data.as_chunks::<4>() else {
            return Err(bytes.broken("numbers must have four bytes each", data.len().to_string()));
        };
        if want != Some(data.len()) {
            let rule = format!("{what} of shape {shape:?} must have four bytes for each number");
            return Err(bytes.broken(rule, data.len().to_string()));
        }
        let value = |(at, &number): (usize, &[u8; 4])| {
            T::of(number)
                .map_err(|rule| bytes.broken(format!("number {at} of {what} must be {rule}"), "another"))
        };
        let values = numbers.iter().enumerate().map(value).collect::<Result<_, _>>()?;
        Ok(Self { shape, values })
    }
}

fn check_type<T: Item>(place: Place<'_, '_>) -> Result<(), Error> {
    let (arguments, state) = place.made("the type of an array", Name::Dtype)?;
    let [code, _, _] = arguments.tuple("the arguments of a type")?;
    code.is("the type of an array", &Value::Bytes(T::CODE.as_bytes()))?;
    let [_, order, ..] = state.tuple::<8>("the state of a type")?;
    order.is("the order of bytes", &Value::Bytes(b"<"))
}

/// A sparse matrix by rows, its columns strictly ascending inside a row.
pub(crate) struct SparseRows {
    /// The number of columns.
    pub(crate) width: usize,
    row_ptr: Vec<usize>,
    col: Vec<usize>,
    values: Vec<f32>,
}

impl SparseRows {
    /// Takes apart what is pickled for a matrix.
    ///
    /// # Errors
    /// [`Error::Pickle`] as for arrays, and where the parts do not make rows of a matrix that fits memory.
    pub(crate) fn read(place: Place<'_, '_>) -> Result<Self, Error> {
        let (_, state) = place.made("a file of features", Name::CsrMatrix)?;
        entry(state, "format")?.is("the format of a matrix", &Value::Bytes(b"csr"))?;
        let sizes = entry(state, "_shape")?;
        let [rows, width] = sizes.tuple("the shape of a matrix")?;
        let (rows, width) =
            (rows.count("the number of rows", LIMIT)?, width.count("the number of columns", LIMIT)?);
        room_for(rows, width).map_err(|rule| sizes.broken(rule, format!("{rows} rows of {width}")))?;

        let (ends, columns, data) =
            (entry(state, "indptr")?, entry(state, "indices")?, entry(state, "data")?);
        let Array { values: row_ptr, .. } = Array::<i32, 1>::read(ends, "indptr")?;
        let Array { values: col, .. } = Array::<i32, 1>::read(columns, "indices")?;
        let Array { values, .. } = Array::<f32, 1>::read(data, "data")?;
        if values.len() != col.len() {
            let rule = format!("data must have one number per index ({})", col.len());
            return Err(data.broken(rule, values.len().to_string()));
        }
        let good = row_ptr.len() == rows + 1
            && row_ptr.first() == Some(&0)
            && row_ptr.is_sorted()
            && row_ptr.last().is_some_and(|&last| last as usize == col.len());
        if !good {
            let rule = format!("indptr must ascend from 0 to {} in {} numbers", col.len(), rows + 1);
            let ends_of = row_ptr.first().zip(row_ptr.last());
            let got =
                ends_of.map_or("none".to_owned(), |(a, b)| format!("{} from {a} to {b}", row_ptr.len()));
            return Err(ends.broken(rule, got));
        }
        let row_ptr: Vec<usize> = row_ptr.into_iter().map(|at| at as usize).collect();
        for (row, ends) in row_ptr.windows(2).enumerate() {
            let own = &col[ends[0]..ends[1]];
            let ascending = own.windows(2).all(|two| two[0] < two[1]);
            let inside = own.iter().all(|&at| usize::try_from(at).is_ok_and(|at| at < width));
            if !(ascending && inside) {
                let rule = format!("indices must be below {width} and strictly ascending inside a row");
                return Err(columns.broken(rule, format!("other ones in row {row}")));
            }
        }
        Ok(Self { width, row_ptr, col: col.into_iter().map(|at| at as usize).collect(), values })
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.row_ptr.len() - 1
    }

    /// Writes a row over zeros.
    pub(crate) fn put(&self, row: usize, over: &mut [f64]) {
        for at in self.row_ptr[row]..self.row_ptr[row + 1] {
            over[self.col[at]] = f64::from(self.values[at]);
        }
    }
}

/// What stands under a key that must be there once.
fn entry<'p, 'b>(state: Place<'p, 'b>, key: &str) -> Result<Place<'p, 'b>, Error> {
    let mut found = state
        .dict("the state of a matrix")?
        .filter(|(own, _)| own.is("a key", &Value::Bytes(key.as_bytes())).is_ok())
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(value), None) => Ok(value),
        (first, _) => {
            let got = if first.is_none() { "none" } else { "several" };
            Err(state.broken(format!("a matrix must have one `{key}`"), got))
        }
    }
}

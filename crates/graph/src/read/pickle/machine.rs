//! The stack machine that pickles are programs of, without the operations that no published file needs.

use super::super::lines::excerpt;
use super::{Broken, Id, Name, Value};
use std::collections::BTreeMap;

/// The most values of a file.
const MOST: usize = 1 << 22;
/// How a pickle of protocol 2 begins.
const MAGIC: &[u8] = b"\x80\x02";

type Values<'b> = Vec<(usize, Value<'b>)>;

/// The values of a pickle, each with the place of the operation that made it, and which is the result.
pub(super) fn run(bytes: &[u8]) -> Result<(Values<'_>, Id), Broken> {
    let mut machine = Machine { bytes, ..Machine::default() };
    if !bytes.starts_with(MAGIC) {
        let got = excerpt(&bytes[..bytes.len().min(MAGIC.len())]);
        return machine.broken("must begin with protocol 2, the bytes 80 02", got);
    }
    machine.at = MAGIC.len();
    while machine.step()? {}
    let root = machine.pop()?;
    let left = bytes.len() - machine.at;
    if left + machine.stack.len() > 0 {
        let got = format!("{left} bytes and {} values", machine.stack.len());
        return machine.broken("nothing may be left when a pickle stops", got);
    }
    Ok((machine.values, root))
}

#[derive(Default)]
struct Machine<'b> {
    bytes: &'b [u8],
    /// Where the next byte is.
    at: usize,
    /// Where the operation began.
    operation: usize,
    values: Values<'b>,
    stack: Vec<Id>,
    /// Heights of the stack that were marked.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl<'b> Machine<'b> {
    /// Does one operation; says whether there is another.
    fn step(&mut self) -> Result<bool, Broken> {
        self.operation = self.at;
        let [operation] = self.fixed()?;
        match operation {
            b'.' => return Ok(false),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Value::Nothing)?,
            0x88 => self.push(Value::Truth(true))?,
            0x89 => self.push(Value::Truth(false))?,
            b'K' => {
                let [value] = self.fixed()?;
                self.push(Value::Integer(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.fixed()?);
                self.push(Value::Integer(value.into()))?;
            }
            b'J' => {
                let value = i32::from_le_bytes(self.fixed()?);
                self.push(Value::Integer(value.into()))?;
            }
            b'U' => {
                let [length] = self.fixed()?;
                self.string(length.into())?;
            }
            b'T' => {
                let length = i32::from_le_bytes(self.fixed()?);
                self.string(length.into())?;
            }
            b'c' => self.name()?,
            b'q' => {
                let [slot] = self.fixed()?;
                self.remember(slot.into())?;
            }
            b'r' => {
                let slot = u32::from_le_bytes(self.fixed()?);
                self.remember(slot)?;
            }
            b'h' => {
                let [slot] = self.fixed()?;
                match self.memo.get(&slot.into()) {
                    Some(&id) => self.stack.push(id),
                    None => return self.broken("must recall what was remembered", slot.to_string()),
                }
            }
            b']' => self.push(Value::List(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b')' => self.push(Value::Tuple(Vec::new()))?,
            0x85..=0x87 => {
                let first = self.height(usize::from(operation - 0x84))?;
                self.tuple(first)?;
            }
            b't' => {
                let first = self.marked()?;
                self.tuple(first)?;
            }
            b'a' => self.append(1)?,
            b'e' => {
                let first = self.marked()?;
                self.append(self.stack.len() - first)?;
            }
            b's' => self.set(2)?,
            b'u' => {
                let first = self.marked()?;
                self.set(self.stack.len() - first)?;
            }
            b'R' | 0x81 => self.call()?,
            b'b' => self.build()?,
            other => {
                let rule = "must be an operation that Planetoid's files have, and is another";
                return self.broken(rule, format!("{other:#04x}"));
            }
        }
        Ok(true)
    }

    fn broken<T>(&self, rule: impl Into<String>, got: impl Into<String>) -> Result<T, Broken> {
        Err(Broken { at: self.operation, rule: rule.into(), got: got.into() })
    }

    /// The next bytes.
    fn take(&mut self, length: usize) -> Result<&'b [u8], Broken> {
        let rest = &self.bytes[self.at..];
        let Some(taken) = rest.get(..length) else {
            let rule = format!("an operation that needs {length} more bytes must have them");
            return self.broken(rule, format!("{} at the end of the file", rest.len()));
        };
        self.at += length;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn string(&mut self, length: i64) -> Result<(), Broken> {
        let Ok(length) = usize::try_from(length) else {
            return self.broken("a length must not be negative", length.to_string());
        };
        let bytes = self.take(length)?;
        self.push(Value::Bytes(bytes))
    }

    /// The text up to the end of a line.
    fn line(&mut self) -> Result<&'b [u8], Broken> {
        const LONGEST: usize = 64;
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().take(LONGEST).position(|&byte| byte == b'\n') else {
            return self.broken(format!("a name must end within {LONGEST} bytes"), excerpt(rest));
        };
        let text = self.take(length)?;
        self.at += 1;
        Ok(text)
    }

    fn name(&mut self) -> Result<(), Broken> {
        let (module, name) = (self.line()?, self.line()?);
        let known = |known: &&(Name, &str, &str)| (known.1.as_bytes(), known.2.as_bytes()) == (module, name);
        if let Some((known, ..)) = Name::ALL.iter().find(known) {
            return self.push(Value::Name(*known));
        }
        let names: Vec<String> = Name::ALL.iter().map(|(name, ..)| name.to_string()).collect();
        let rule = format!("a name must be one of {}", names.join(", "));
        self.broken(rule, format!("{}.{}", excerpt(module), excerpt(name)))
    }

    fn push(&mut self, value: Value<'b>) -> Result<(), Broken> {
        if self.values.len() == MOST {
            return self.broken(format!("a pickle may hold {MOST} values"), "one more");
        }
        self.stack.push(self.values.len() as Id);
        self.values.push((self.operation, value));
        Ok(())
    }

    /// The height of the stack below its uppermost `count` values, none of them below a mark.
    fn height(&self, count: usize) -> Result<usize, Broken> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let height = self.stack.len().checked_sub(count).filter(|&height| height >= floor);
        height.map_or_else(
            || {
                let rule = format!("an operation on {count} values must have them");
                self.broken(rule, (self.stack.len() - floor).to_string())
            },
            Ok,
        )
    }

    fn pop(&mut self) -> Result<Id, Broken> {
        let top = self.height(1)?;
        let id = self.stack[top];
        self.stack.truncate(top);
        Ok(id)
    }

    /// Takes the last mark away and says where it was.
    fn marked(&mut self) -> Result<usize, Broken> {
        match self.marks.pop() {
            Some(height) => Ok(height),
            None => self.broken("an operation on all values above a mark must have a mark", "none"),
        }
    }

    fn remember(&mut self, slot: u32) -> Result<(), Broken> {
        let top = self.height(1)?;
        self.memo.insert(slot, self.stack[top]);
        Ok(())
    }

    fn tuple(&mut self, first: usize) -> Result<(), Broken> {
        let items = self.stack.split_off(first);
        self.push(Value::Tuple(items))
    }

    /// Moves the uppermost values into the list below them.
    fn append(&mut self, count: usize) -> Result<(), Broken> {
        let first = self.height(count + 1)? + 1;
        let list = self.stack[first - 1] as usize;
        match &mut self.values[list].1 {
            Value::List(items) => items.extend(self.stack.drain(first..)),
            other => {
                let got = other.to_string();
                return self.broken("what is appended to must be a list", got);
            }
        }
        Ok(())
    }

    /// Moves the uppermost values, key by value, into the dictionary below them.
    fn set(&mut self, count: usize) -> Result<(), Broken> {
        let first = self.height(count + 1)? + 1;
        if !count.is_multiple_of(2) {
            return self.broken("there must be as many values as keys", format!("{count} of both"));
        }
        let dict = self.stack[first - 1] as usize;
        match &mut self.values[dict].1 {
            Value::Dict(items) => {
                items.extend(self.stack[first..].chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            other => {
                let got = other.to_string();
                return self.broken("what items are set in must be a dictionary", got);
            }
        }
        self.stack.truncate(first);
        Ok(())
    }

    /// Writes down the call of a name with a tuple. A dictionary with a default is a dictionary.
    fn call(&mut self) -> Result<(), Broken> {
        let (arguments, called) = (self.pop()?, self.pop()?);
        let value = |id: Id| &self.values[id as usize].1;
        let made = match (value(called), value(arguments)) {
            (Value::Name(Name::DefaultDict), Value::Tuple(items)) => {
                let of = items.iter().map(|&id| value(id)).collect::<Vec<_>>();
                if !matches!(of.as_slice(), [Value::Name(Name::List)]) {
                    return self.broken("the default of a dictionary must be a list", "another");
                }
                Value::Dict(Vec::new())
            }
            (&Value::Name(by), Value::Tuple(_)) => Value::Made { by, arguments, state: None },
            (called, arguments) => {
                let got = format!("{called} with {arguments}");
                return self.broken("what is called must be a name, with a tuple", got);
            }
        };
        self.push(made)
    }

    /// Gives a state to what was made, once.
    fn build(&mut self) -> Result<(), Broken> {
        let given = self.pop()?;
        let top = self.height(1)?;
        let made = self.stack[top] as usize;
        match &mut self.values[made].1 {
            Value::Made { state: state @ None, .. } => *state = Some(given),
            other => {
                let got = other.to_string();
                return self.broken("what gets a state must have been made and have none", got);
            }
        }
        Ok(())
    }
}

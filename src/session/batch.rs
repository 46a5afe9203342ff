//! Rows in bulk, for callers in process: one buffer for many rows rather than a vector a row.

use crate::model::{Date, DateTime, Time, Value};

/// Some rows of a result set, encoded one after the other in a single buffer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowBatch {
    width: usize,
    rows: usize,
    data: Vec<u8>,
}

const NULL: u8 = 0;
const INT: u8 = 1;
const UINT: u8 = 2;
const FLOAT: u8 = 3;
const DOUBLE: u8 = 4;
const TEXT: u8 = 5;
const BYTES: u8 = 6;
const DECIMAL: u8 = 7;
const DATE: u8 = 8;
const DATE_TIME: u8 = 9;
const TIME: u8 = 10;

impl RowBatch {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, rows: 0, data: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: &[Value<'_>]) {
        if self.data.capacity() == 0 {
            // Room for a row of numbers: one allocation for a result of one row.
            self.data = Vec::with_capacity(16 * self.width);
        }
        for value in row {
            match value {
                Value::Null => self.data.push(NULL),
                Value::Int(v) => self.put(INT, &v.to_le_bytes()),
                Value::UInt(v) => self.put(UINT, &v.to_le_bytes()),
                Value::Float(v) => self.put(FLOAT, &v.to_le_bytes()),
                Value::Double(v) => self.put(DOUBLE, &v.to_le_bytes()),
                Value::Decimal(v) => self.put_long(DECIMAL, v.as_bytes()),
                Value::Date(v) => self.put(DATE, &date_bytes(*v)),
                Value::DateTime(v) => {
                    self.put(DATE_TIME, &date_bytes(v.date));
                    self.data.extend_from_slice(&[v.hour, v.minute, v.second]);
                    self.data.extend_from_slice(&v.micros.to_le_bytes());
                }
                Value::Time(v) => {
                    self.put(TIME, &[u8::from(v.negative), v.minutes, v.seconds]);
                    self.data.extend_from_slice(&v.hours.to_le_bytes());
                    self.data.extend_from_slice(&v.micros.to_le_bytes());
                }
                Value::Text(v) => self.put_long(TEXT, v.as_bytes()),
                Value::Bytes(v) => self.put_long(BYTES, v),
            }
        }
        self.rows += 1;
    }

    fn put(&mut self, kind: u8, fixed: &[u8]) {
        self.data.push(kind);
        self.data.extend_from_slice(fixed);
    }

    fn put_long(&mut self, kind: u8, bytes: &[u8]) {
        self.put(kind, &bytes.len().to_le_bytes());
        self.data.extend_from_slice(bytes);
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many values a row has.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The size of the buffer, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The rows, one after the other, each with as many values as the result set has columns.
    pub fn rows(&self) -> impl Iterator<Item = Vec<Value<'_>>> {
        let mut rest = self.data.as_slice();
        (0..self.rows).map(move |_| (0..self.width).map(|_| take(&mut rest)).collect())
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Value<'a> {
    match fixed::<1>(rest)[0] {
        NULL => Value::Null,
        INT => Value::Int(i64::from_le_bytes(fixed(rest))),
        UINT => Value::UInt(u64::from_le_bytes(fixed(rest))),
        FLOAT => Value::Float(f32::from_le_bytes(fixed(rest))),
        DOUBLE => Value::Double(f64::from_le_bytes(fixed(rest))),
        TEXT => Value::Text(text(rest)),
        DECIMAL => Value::Decimal(text(rest)),
        DATE => Value::Date(date(rest)),
        DATE_TIME => {
            let (date, [hour, minute, second]) = (date(rest), fixed(rest));
            Value::DateTime(DateTime { date, hour, minute, second, micros: u32::from_le_bytes(fixed(rest)) })
        }
        TIME => {
            let [negative, minutes, seconds] = fixed(rest);
            let (hours, micros) = (u32::from_le_bytes(fixed(rest)), u32::from_le_bytes(fixed(rest)));
            Value::Time(Time { negative: negative != 0, hours, minutes, seconds, micros })
        }
        BYTES => Value::Bytes(long(rest)),
        other => unreachable!("no value is written with tag {other}"),
    }
}

fn date_bytes(date: Date) -> [u8; 4] {
    let [low, high] = date.year.to_le_bytes();
    [low, high, date.month, date.day]
}

fn date(rest: &mut &[u8]) -> Date {
    let [low, high, month, day] = fixed(rest);
    Date { year: u16::from_le_bytes([low, high]), month, day }
}

fn text<'a>(rest: &mut &'a [u8]) -> &'a str {
    std::str::from_utf8(long(rest)).expect("only the bytes of a str are written as text")
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().expect("a batch holds whole values");
    *rest = tail;
    *head
}

fn long<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let length = usize::from_le_bytes(fixed(rest));
    let (head, tail) = rest.split_at(length);
    *rest = tail;
    head
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{OwnedValue, any_value};

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            rows in prop::collection::vec(prop::collection::vec(any_value(u32::MAX), 3), 0..20)
        ) {
            let mut batch = RowBatch::new(3);
            for row in &rows {
                batch.push(&row.iter().map(OwnedValue::borrow).collect::<Vec<_>>());
            }
            prop_assert_eq!(batch.len(), rows.len());
            let back: Vec<Vec<OwnedValue>> =
                batch.rows().map(|row| row.into_iter().map(Value::to_owned).collect()).collect();
            prop_assert_eq!(back, rows);
        }
    }
}

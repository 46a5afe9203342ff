//! Rows in the binary format, which results of prepared statements have: what a client reads is decided by the columns'
//! types, so every value is brought into its column's type, or refused.

use bytes::BufMut;

use super::packet::{packet, text_value};
use crate::model::{Column, ColumnType, Date, DateTime, ErrorKind, SqlError, Time, Value};

/// The bit of the first column in the map of NULLs.
const FIRST_BIT: usize = 2;

/// Adds a row.
///
/// # Errors
/// 1366: a value does not fit the type that its column was announced with. Nothing is added then.
pub(super) fn row(
    out: &mut Vec<u8>,
    sequence: &mut u8,
    columns: &[Column],
    values: &[Value<'_>],
) -> Result<(), SqlError> {
    let (start, before) = (out.len(), *sequence);
    let mut misfit = None;
    packet(out, sequence, |out| {
        out.put_u8(0);
        let nulls = out.len();
        out.put_bytes(0, (columns.len() + FIRST_BIT).div_ceil(8));
        for (place, (column, value)) in columns.iter().zip(values).enumerate() {
            if *value == Value::Null {
                let bit = place + FIRST_BIT;
                out[nulls + bit / 8] |= 1 << (bit % 8);
            } else if put(out, column, *value).is_none() {
                misfit = Some(column);
                return;
            }
        }
    });
    match misfit {
        None => Ok(()),
        Some(column) => {
            out.truncate(start);
            *sequence = before;
            Err(SqlError::of(
                ErrorKind::WrongValueForType,
                format!("Incorrect {:?} value for column '{}'", column.kind, column.name),
            ))
        }
    }
}

/// Adds a value that is not NULL; `None` if it does not fit.
fn put(out: &mut Vec<u8>, column: &Column, value: Value<'_>) -> Option<()> {
    match (column.kind, column.unsigned) {
        (ColumnType::TinyInt, false) => out.put_i8(whole(value)?.try_into().ok()?),
        (ColumnType::TinyInt, true) => out.put_u8(whole(value)?.try_into().ok()?),
        (ColumnType::SmallInt, false) => out.put_i16_le(whole(value)?.try_into().ok()?),
        (ColumnType::SmallInt, true) => out.put_u16_le(whole(value)?.try_into().ok()?),
        (ColumnType::Int, false) => out.put_i32_le(whole(value)?.try_into().ok()?),
        (ColumnType::Int, true) => out.put_u32_le(whole(value)?.try_into().ok()?),
        (ColumnType::BigInt, false) => out.put_i64_le(whole(value)?.try_into().ok()?),
        (ColumnType::BigInt, true) => out.put_u64_le(whole(value)?.try_into().ok()?),
        #[allow(clippy::cast_possible_truncation)] // a FLOAT has as many digits as it has
        (ColumnType::Float, _) => out.put_f32_le(match value {
            Value::Float(v) => v,
            other => fraction(other)? as f32,
        }),
        (ColumnType::Double, _) => out.put_f64_le(fraction(value)?),
        (ColumnType::Decimal | ColumnType::VarChar | ColumnType::Text | ColumnType::Blob, _) => text_value(out, &value),
        (ColumnType::Date, _) => match value {
            Value::Date(v) => put_date(out, v.midnight()),
            other => put_date(out, point(other).filter(|point| *point == point.date.midnight())?),
        },
        (ColumnType::DateTime, _) => put_date(out, point(value)?),
        (ColumnType::Time, _) => put_time(out, span(value)?),
        (ColumnType::Null, _) => return None,
    }
    Some(())
}

fn text(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(v) | Value::Decimal(v) => Some(v),
        Value::Bytes(v) => std::str::from_utf8(v).ok(),
        _ => None,
    }
}

/// A whole number. Fractions are never cut off.
fn whole(value: Value<'_>) -> Option<i128> {
    match value {
        Value::Int(v) => Some(v.into()),
        Value::UInt(v) => Some(v.into()),
        Value::Float(v) => exact(v.into()),
        Value::Double(v) => exact(v),
        other => text(other)?.parse().ok(),
    }
}

#[allow(clippy::cast_possible_truncation)] // it is a whole number within the range
fn exact(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() < 1e30).then_some(value as i128)
}

#[allow(clippy::cast_precision_loss)] // what a column of floats asks for
fn fraction(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Int(v) => Some(v as f64),
        Value::UInt(v) => Some(v as f64),
        Value::Float(v) => Some(v.into()),
        Value::Double(v) => Some(v),
        other => text(other)?.parse().ok(),
    }
}

fn point(value: Value<'_>) -> Option<DateTime> {
    match value {
        Value::DateTime(v) => Some(v),
        Value::Date(v) => Some(v.midnight()),
        other => text(other)?.parse().ok(),
    }
}

fn span(value: Value<'_>) -> Option<Time> {
    match value {
        Value::Time(v) => Some(v),
        other => text(other)?.parse().ok(),
    }
}

/// As short as it can be said: nothing, the day, with the time, with the microseconds.
pub(crate) fn put_date(out: &mut Vec<u8>, value: DateTime) {
    let DateTime { date: Date { year, month, day }, hour, minute, second, micros } = value;
    let length = match (value == DateTime::default(), value == value.date.midnight(), micros) {
        (true, ..) => 0,
        (_, true, _) => 4,
        (.., 0) => 7,
        _ => 11,
    };
    out.put_u8(length);
    if length >= 4 {
        out.put_u16_le(year);
        out.put_slice(&[month, day]);
    }
    if length >= 7 {
        out.put_slice(&[hour, minute, second]);
    }
    if length >= 11 {
        out.put_u32_le(micros);
    }
}

pub(crate) fn put_time(out: &mut Vec<u8>, value: Time) {
    let Time { negative, hours, minutes, seconds, micros } = value;
    let length = match (hours, minutes, seconds, micros) {
        (0, 0, 0, 0) => 0,
        (.., 0) => 8,
        _ => 12,
    };
    out.put_u8(length);
    if length >= 8 {
        out.put_u8(negative.into());
        out.put_u32_le(hours / 24);
        // A remainder of 24 is a byte.
        out.put_slice(&[u8::try_from(hours % 24).unwrap_or_default(), minutes, seconds]);
    }
    if length >= 12 {
        out.put_u32_le(micros);
    }
}

#[cfg(test)]
mod tests {
    use mysql_common::{
        io::ParseBuf,
        packets::Column as Definition,
        proto::{Binary, MyDeserialize, Text},
        row::RowDeserializer,
        value::{ServerSide, Value as Read},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::{
        model::{CharacterSet, OwnedValue},
        wire::packet,
    };

    /// The columns as `mysql_common` reads our definitions of them.
    fn definitions(columns: &[Column]) -> Vec<Definition> {
        let read = |column| {
            let mut out = Vec::new();
            packet::column(&mut out, &mut 0, column, CharacterSet::Utf8mb4);
            Definition::deserialize((), &mut ParseBuf(&out[4..])).unwrap()
        };
        columns.iter().map(read).collect()
    }

    fn read_binary(columns: &[Column], bytes: &[u8]) -> Vec<Read> {
        let row =
            RowDeserializer::<ServerSide, Binary>::deserialize(definitions(columns).into(), &mut ParseBuf(&bytes[4..]));
        row.unwrap().into_inner().unwrap()
    }

    fn read_text(columns: &[Column], bytes: &[u8]) -> Vec<Read> {
        let row = RowDeserializer::<(), Text>::deserialize(definitions(columns).into(), &mut ParseBuf(&bytes[4..]));
        row.unwrap().into_inner().unwrap()
    }

    /// A column and a value of its type.
    fn any_column() -> impl Strategy<Value = (Column, OwnedValue)> {
        use ColumnType as T;
        let number = |kind, low: i64, high: i64| {
            (low..=high).prop_map(move |v| (Column::new("n", kind), OwnedValue::Int(v))).boxed()
        };
        let unsigned = |kind, high: u64| {
            (0..=high).prop_map(move |v| (Column::new("u", kind).unsigned(), OwnedValue::UInt(v))).boxed()
        };
        let of = |kind, value: BoxedStrategy<OwnedValue>| {
            value.prop_map(move |value| (Column::new("c", kind), value)).boxed()
        };
        let date = (0u16..=9999, 0u8..=12, 0u8..=31).prop_map(|(year, month, day)| Date { year, month, day });
        let instant = (date.clone(), 0u8..24, 0u8..60, 0u8..60, prop_oneof![Just(0u32), 0u32..1_000_000]);
        let time = (any::<bool>(), 0u32..839, 0u8..60, 0u8..60, prop_oneof![Just(0u32), 0u32..1_000_000]);
        let typed = prop_oneof![
            number(T::TinyInt, i8::MIN.into(), i8::MAX.into()),
            number(T::SmallInt, i16::MIN.into(), i16::MAX.into()),
            number(T::Int, i32::MIN.into(), i32::MAX.into()),
            number(T::BigInt, i64::MIN, i64::MAX),
            unsigned(T::TinyInt, u8::MAX.into()),
            unsigned(T::SmallInt, u16::MAX.into()),
            unsigned(T::Int, u32::MAX.into()),
            unsigned(T::BigInt, u64::MAX),
            of(T::Float, (-1e30f32..1e30).prop_map(OwnedValue::Float).boxed()),
            of(T::Double, (-1e300f64..1e300).prop_map(OwnedValue::Double).boxed()),
            of(T::Decimal, "-?[0-9]{1,30}\\.[0-9]{1,10}".prop_map(OwnedValue::Decimal).boxed()),
            of(T::VarChar, ".{0,300}".prop_map(OwnedValue::Text).boxed()),
            of(T::Text, ".*".prop_map(OwnedValue::Text).boxed()),
            of(T::Blob, prop::collection::vec(any::<u8>(), 0..300).prop_map(OwnedValue::Bytes).boxed()),
            of(T::Date, date.prop_map(OwnedValue::Date).boxed()),
            of(
                T::DateTime,
                instant
                    .prop_map(|(date, hour, minute, second, micros)| {
                        OwnedValue::DateTime(DateTime { date, hour, minute, second, micros })
                    })
                    .boxed()
            ),
            of(
                T::Time,
                time.prop_map(|(negative, hours, minutes, seconds, micros)| {
                    let negative = negative && (hours, minutes, seconds, micros) != (0, 0, 0, 0);
                    OwnedValue::Time(Time { negative, hours, minutes, seconds, micros })
                })
                .boxed()
            ),
        ];
        (typed, prop::bool::weighted(0.2)).prop_map(|((column, value), null)| {
            let value = if null { OwnedValue::Null } else { value };
            (column, value)
        })
    }

    /// What a client makes of a value.
    fn as_read(value: &OwnedValue) -> Read {
        match value {
            OwnedValue::Null => Read::NULL,
            OwnedValue::Int(v) => Read::Int(*v),
            OwnedValue::UInt(v) => i64::try_from(*v).map_or(Read::UInt(*v), Read::Int),
            OwnedValue::Float(v) => Read::Float(*v),
            OwnedValue::Double(v) => Read::Double(*v),
            OwnedValue::Decimal(v) | OwnedValue::Text(v) => Read::Bytes(v.clone().into_bytes()),
            OwnedValue::Bytes(v) => Read::Bytes(v.clone()),
            OwnedValue::Date(v) => Read::Date(v.year, v.month, v.day, 0, 0, 0, 0),
            OwnedValue::DateTime(v) => {
                Read::Date(v.date.year, v.date.month, v.date.day, v.hour, v.minute, v.second, v.micros)
            }
            OwnedValue::Time(v) => {
                let hours = u8::try_from(v.hours % 24).unwrap();
                Read::Time(v.negative, v.hours / 24, hours, v.minutes, v.seconds, v.micros)
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_is_read_back_equal_in_both_formats(row in prop::collection::vec(any_column(), 1..20)) {
            let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
            let borrowed: Vec<Value<'_>> = values.iter().map(OwnedValue::borrow).collect();
            let (mut binary, mut text, mut sequence) = (Vec::new(), Vec::new(), 7);
            super::row(&mut binary, &mut sequence, &columns, &borrowed).unwrap();
            prop_assert_eq!(sequence, 8);
            let expected: Vec<Read> = values.iter().map(as_read).collect();
            prop_assert_eq!(read_binary(&columns, &binary), expected);
            packet::text_row(&mut text, &mut sequence, &borrowed);
            for (read, value) in read_text(&columns, &text).iter().zip(&values) {
                let Read::Bytes(bytes) = read else {
                    prop_assert_eq!(value, &OwnedValue::Null);
                    continue;
                };
                let shown = String::from_utf8_lossy(bytes);
                match value {
                    OwnedValue::Null => prop_assert!(false, "NULL came back as {shown}"),
                    OwnedValue::Int(v) => prop_assert_eq!(shown.parse(), Ok(*v)),
                    OwnedValue::UInt(v) => prop_assert_eq!(shown.parse(), Ok(*v)),
                    OwnedValue::Float(v) => prop_assert_eq!(shown.parse(), Ok(*v)),
                    OwnedValue::Double(v) => prop_assert_eq!(shown.parse(), Ok(*v)),
                    OwnedValue::Date(v) => prop_assert_eq!(shown.parse(), Ok(*v)),
                    OwnedValue::DateTime(v) => prop_assert_eq!(shown.parse(), Ok(*v)),
                    OwnedValue::Time(v) => prop_assert_eq!(shown.parse(), Ok(*v)),
                    OwnedValue::Decimal(v) | OwnedValue::Text(v) => prop_assert_eq!(&shown, v),
                    OwnedValue::Bytes(v) => prop_assert_eq!(bytes, v),
                }
            }
        }

        /// Whatever an engine pushes, a client reads as many values as there are columns, or the row is refused whole.
        #[test]
        fn a_value_of_another_type_fits_or_leaves_no_trace((column, _) in any_column(), (_, value) in any_column()) {
            let (mut out, mut sequence) = (b"before".to_vec(), 3);
            match super::row(&mut out, &mut sequence, std::slice::from_ref(&column), &[value.borrow()]) {
                Ok(()) => prop_assert_eq!(read_binary(&[column], &out[6..]).len(), 1),
                Err(error) => {
                    prop_assert_eq!((out.as_slice(), sequence), (b"before".as_slice(), 3));
                    prop_assert_eq!(error.code(), 1366);
                }
            }
        }
    }

    #[test]
    fn text_becomes_what_its_column_says() {
        let one = |kind, value| {
            let mut out = Vec::new();
            super::row(&mut out, &mut 0, &[Column::new("c", kind)], &[value]).map(|()| out[6..].to_vec())
        };
        assert_eq!(one(ColumnType::Int, Value::Text("-2")).unwrap(), (-2i32).to_le_bytes());
        assert_eq!(one(ColumnType::Date, Value::Text("2024-02-29")).unwrap(), [4, 0xe8, 7, 2, 29]);
        assert_eq!(one(ColumnType::DateTime, Value::Text("0000-00-00 00:00:00")).unwrap(), [0]);
        assert_eq!(one(ColumnType::Time, Value::Text("-25:00:01")).unwrap(), [8, 1, 1, 0, 0, 0, 1, 0, 1]);
        for (kind, value) in [
            (ColumnType::TinyInt, Value::Int(128)),
            (ColumnType::Int, Value::Double(0.5)),
            (ColumnType::Int, Value::Text("many")),
            (ColumnType::Date, Value::Text("2024-02-29 00:00:01")),
            (ColumnType::Null, Value::Int(0)),
        ] {
            assert_eq!(one(kind, value).unwrap_err().code(), 1366, "{kind:?} {value:?}");
        }
    }
}

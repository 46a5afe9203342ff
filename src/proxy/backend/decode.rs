//! Definitions of columns, and rows, for those whom they are not passed on to as they are: callers in process, and clients
//! that read another character set.

use std::borrow::Cow;

use bytes::Buf;
use mysql_common::constants::{ColumnFlags, ColumnType as WireType};

use super::BackendError;
use crate::{
    model::{CharacterSet, Column, ColumnType, Date, DateTime, OwnedValue, Time},
    wire::{HEADER, MAX_CHUNK, Reader},
};

/// The collation of what is no text.
const BINARY: u16 = 63;

/// A value of a text row that is NULL.
const NULL: u8 = 0xfb;

/// The bit of the first column in a binary row's map of NULLs.
const FIRST_BIT: usize = 2;

/// Decodes a column's definition.
///
/// # Errors
/// It is cut short, or of a type that nobody knows.
pub(in crate::proxy) fn column(definition: &[u8]) -> Result<Column, BackendError> {
    read_column(definition).ok_or_else(|| BackendError::Lost("a column of no known kind".into()))
}

fn read_column(definition: &[u8]) -> Option<Column> {
    let mut rest = Reader::new(definition);
    let mut name = || rest.counted().map(|name| Cow::Owned(String::from_utf8_lossy(name).into_owned()));
    let [_catalog, schema, table, _its_table, column, _its_name] =
        [name()?, name()?, name()?, name()?, name()?, name()?];
    let [_length, c0, c1, l0, l1, l2, l3, kind, f0, f1, decimals] = *rest.array()?;
    let collation = u16::from_le_bytes([c0, c1]);
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let flags = ColumnFlags::from_bits_truncate(u16::from_le_bytes([f0, f1]));
    let kind = column_type(kind, collation == BINARY)?;
    let is_text = matches!(kind, ColumnType::VarChar | ColumnType::Text);
    let longest = if is_text { CharacterSet::of_collation(collation).longest() } else { 1 };
    Some(Column {
        name: column,
        kind,
        unsigned: flags.contains(ColumnFlags::UNSIGNED_FLAG),
        nullable: !flags.contains(ColumnFlags::NOT_NULL_FLAG),
        width: (length != u32::MAX).then_some(length / longest),
        decimals: (!is_text && kind != ColumnType::Blob).then_some(decimals),
        table,
        schema,
    })
}

fn column_type(kind: u8, binary: bool) -> Option<ColumnType> {
    use WireType as W;
    let text = |text| if binary { ColumnType::Blob } else { text };
    Some(match W::try_from(kind).ok()? {
        W::MYSQL_TYPE_TINY => ColumnType::TinyInt,
        W::MYSQL_TYPE_SHORT | W::MYSQL_TYPE_YEAR => ColumnType::SmallInt,
        W::MYSQL_TYPE_LONG | W::MYSQL_TYPE_INT24 => ColumnType::Int,
        W::MYSQL_TYPE_LONGLONG => ColumnType::BigInt,
        W::MYSQL_TYPE_FLOAT => ColumnType::Float,
        W::MYSQL_TYPE_DOUBLE => ColumnType::Double,
        W::MYSQL_TYPE_DECIMAL | W::MYSQL_TYPE_NEWDECIMAL => ColumnType::Decimal,
        W::MYSQL_TYPE_DATE | W::MYSQL_TYPE_NEWDATE => ColumnType::Date,
        W::MYSQL_TYPE_DATETIME | W::MYSQL_TYPE_TIMESTAMP => ColumnType::DateTime,
        W::MYSQL_TYPE_TIME => ColumnType::Time,
        W::MYSQL_TYPE_NULL => ColumnType::Null,
        W::MYSQL_TYPE_VARCHAR | W::MYSQL_TYPE_VAR_STRING | W::MYSQL_TYPE_STRING => text(ColumnType::VarChar),
        W::MYSQL_TYPE_ENUM | W::MYSQL_TYPE_SET => text(ColumnType::VarChar),
        W::MYSQL_TYPE_TINY_BLOB | W::MYSQL_TYPE_BLOB => text(ColumnType::Text),
        W::MYSQL_TYPE_MEDIUM_BLOB | W::MYSQL_TYPE_LONG_BLOB => text(ColumnType::Text),
        // Its collation is said to be none.
        W::MYSQL_TYPE_JSON => ColumnType::Text,
        W::MYSQL_TYPE_BIT | W::MYSQL_TYPE_GEOMETRY | W::MYSQL_TYPE_VECTOR => ColumnType::Blob,
        _ => return None,
    })
}

/// Decodes a row in the text format. A value becomes one of its column's type if that reads the same again; if not, it stays
/// the text that it is (`00042`, `1e2`).
///
/// # Errors
/// It has not as many values as there are columns.
pub(in crate::proxy) fn text_row(columns: &[Column], payload: &[u8]) -> Result<Vec<OwnedValue>, BackendError> {
    let mut rest = Reader::new(payload);
    let values = columns.iter().map(|column| {
        if rest.rest().first() == Some(&NULL) {
            rest.array::<1>()?;
            return Some(OwnedValue::Null);
        }
        Some(of_text(column, rest.counted()?))
    });
    let values: Option<Vec<_>> = values.collect();
    values.filter(|_| rest.is_empty()).ok_or_else(misfit)
}

/// Decodes a row in the binary format, as results of prepared statements are.
///
/// # Errors
/// It does not fit its columns.
pub(in crate::proxy) fn binary_row(columns: &[Column], payload: &[u8]) -> Result<Vec<OwnedValue>, BackendError> {
    read_binary(columns, payload).ok_or_else(misfit)
}

fn misfit() -> BackendError {
    BackendError::Lost("a row does not fit its columns".into())
}

fn read_binary(columns: &[Column], payload: &[u8]) -> Option<Vec<OwnedValue>> {
    let mut rest = Reader::new(payload);
    let [0] = *rest.array()? else { return None };
    let nulls = rest.take((columns.len() + FIRST_BIT).div_ceil(8))?;
    let values = columns.iter().enumerate().map(|(place, column)| {
        let bit = place + FIRST_BIT;
        let null = nulls[bit / 8] & (1 << (bit % 8)) != 0;
        if null { Some(OwnedValue::Null) } else { of_binary(column, &mut rest) }
    });
    let values: Option<Vec<_>> = values.collect();
    values.filter(|_| rest.is_empty())
}

fn of_binary(column: &Column, rest: &mut Reader<'_>) -> Option<OwnedValue> {
    let (int, uint) = (|v: i64| OwnedValue::Int(v), |v: u64| OwnedValue::UInt(v));
    Some(match (column.kind, column.unsigned) {
        (ColumnType::TinyInt, false) => int(i8::from_le_bytes(*rest.array()?).into()),
        (ColumnType::TinyInt, true) => uint(u8::from_le_bytes(*rest.array()?).into()),
        (ColumnType::SmallInt, false) => int(i16::from_le_bytes(*rest.array()?).into()),
        (ColumnType::SmallInt, true) => uint(u16::from_le_bytes(*rest.array()?).into()),
        (ColumnType::Int, false) => int(i32::from_le_bytes(*rest.array()?).into()),
        (ColumnType::Int, true) => uint(u32::from_le_bytes(*rest.array()?).into()),
        (ColumnType::BigInt, false) => int(i64::from_le_bytes(*rest.array()?)),
        (ColumnType::BigInt, true) => uint(u64::from_le_bytes(*rest.array()?)),
        (ColumnType::Float, _) => OwnedValue::Float(f32::from_le_bytes(*rest.array()?)),
        (ColumnType::Double, _) => OwnedValue::Double(f64::from_le_bytes(*rest.array()?)),
        (ColumnType::Date, _) => OwnedValue::Date(point(rest)?.date),
        (ColumnType::DateTime, _) => OwnedValue::DateTime(point(rest)?),
        (ColumnType::Time, _) => OwnedValue::Time(span(rest)?),
        (ColumnType::Decimal | ColumnType::VarChar | ColumnType::Text, _) => as_text(column, rest.counted()?),
        (ColumnType::Blob, _) => OwnedValue::Bytes(rest.counted()?.to_vec()),
        (ColumnType::Null, _) => return None,
    })
}

/// As much of it as is there: nothing, the day, with the time, with the microseconds.
fn point(rest: &mut Reader<'_>) -> Option<DateTime> {
    let [length] = *rest.array()?;
    let mut fields = rest.take(length.into())?;
    let mut date = Date::default();
    if length >= 4 {
        date = Date::new(fields.get_u16_le(), fields.get_u8(), fields.get_u8()).ok()?;
    }
    let (hour, minute, second) =
        if length >= 7 { (fields.get_u8(), fields.get_u8(), fields.get_u8()) } else { (0, 0, 0) };
    let micros = if length >= 11 { fields.get_u32_le() } else { 0 };
    if fields.has_remaining() {
        return None;
    }
    DateTime::new(date, hour, minute, second, micros).ok()
}

fn span(rest: &mut Reader<'_>) -> Option<Time> {
    let [length] = *rest.array()?;
    let mut fields = rest.take(length.into())?;
    let (negative, days, hours, minutes, seconds) = match length {
        0 => (0, 0, 0, 0, 0),
        8.. => (fields.get_u8(), fields.get_u32_le(), fields.get_u8(), fields.get_u8(), fields.get_u8()),
        _ => return None,
    };
    let micros = if length >= 12 { fields.get_u32_le() } else { 0 };
    if fields.has_remaining() {
        return None;
    }
    let hours = days.checked_mul(24)?.checked_add(hours.into())?;
    Time::new(negative != 0, hours, minutes, seconds, micros).ok()
}

/// A value of a text row.
fn of_text(column: &Column, bytes: &[u8]) -> OwnedValue {
    if column.kind == ColumnType::Blob {
        return OwnedValue::Bytes(bytes.to_vec());
    }
    let typed = std::str::from_utf8(bytes).ok().and_then(|text| {
        let value = match (column.kind, column.unsigned) {
            (ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt, false) => {
                OwnedValue::Int(text.parse().ok()?)
            }
            (ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt, true) => {
                OwnedValue::UInt(text.parse().ok()?)
            }
            (ColumnType::Float, _) => OwnedValue::Float(text.parse().ok()?),
            (ColumnType::Double, _) => OwnedValue::Double(text.parse().ok()?),
            (ColumnType::Date, _) => OwnedValue::Date(text.parse().ok()?),
            (ColumnType::DateTime, _) => OwnedValue::DateTime(text.parse().ok()?),
            (ColumnType::Time, _) => OwnedValue::Time(text.parse().ok()?),
            _ => return None,
        };
        let mut again = Vec::with_capacity(bytes.len() + 1);
        crate::wire::text_value(&mut again, &value.borrow());
        (again.get(1..) == Some(bytes)).then_some(value)
    });
    typed.unwrap_or_else(|| as_text(column, bytes))
}

/// Text, if it is some.
fn as_text(column: &Column, bytes: &[u8]) -> OwnedValue {
    match std::str::from_utf8(bytes) {
        Ok(text) if column.kind == ColumnType::Decimal => OwnedValue::Decimal(text.to_owned()),
        Ok(text) => OwnedValue::Text(text.to_owned()),
        Err(_) => OwnedValue::Bytes(bytes.to_vec()),
    }
}

/// The payload of each row in `packets`, which are whole rows as [`super::Rows::Some`] gives them.
pub(in crate::proxy) fn payloads(packets: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let mut rest = packets;
    std::iter::from_fn(move || {
        let (part, mut last) = part(&mut rest)?;
        let mut payload = Cow::Borrowed(part);
        while !last {
            let (part, is_last) = self::part(&mut rest)?;
            payload.to_mut().extend_from_slice(part);
            last = is_last;
        }
        Some(payload)
    })
}

/// The next packet's payload, and whether it does not go on in another.
fn part<'a>(packets: &mut &'a [u8]) -> Option<(&'a [u8], bool)> {
    let (&[a, b, c, _sequence], rest) = packets.split_first_chunk::<HEADER>()?;
    let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
    let (part, rest) = rest.split_at_checked(length)?;
    *packets = rest;
    Some((part, length < MAX_CHUNK))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{packet, test_packets};

    fn decoded(column: &Column) -> Column {
        self::column(&test_packets::definition(column)).unwrap()
    }

    #[test]
    fn what_we_define_is_read_back() {
        use ColumnType as C;
        for kind in [C::TinyInt, C::SmallInt, C::Int, C::BigInt, C::Float, C::Double, C::Decimal] {
            let sent = Column::new("n", kind).width(5).decimals(2).unsigned().not_null();
            assert_eq!(decoded(&sent), sent);
        }
        for kind in [C::Date, C::DateTime, C::Time] {
            let sent =
                Column { table: "t".into(), schema: "s".into(), ..Column::new("at", kind).width(26).decimals(6) };
            assert_eq!(decoded(&sent), sent);
        }
        let text = Column { table: "t".into(), ..Column::new("é", C::VarChar).width(255) };
        assert_eq!(decoded(&text), text);
        let long = Column { table: "t".into(), ..Column::new("text", C::Text) };
        assert_eq!(decoded(&long), long);
        let bytes = Column { table: "t".into(), ..Column::new("bytes", C::Blob) };
        assert_eq!(decoded(&bytes), bytes);
    }

    #[test]
    fn a_column_of_mariadbs_is_read() {
        let of = |definition: &'static [u8]| column(definition).unwrap();
        let text = of(b"\x03def\0\0\0\x04text\0\x0c-\0\x10\0\0\0\xfd\x01\0'\0\0");
        assert_eq!(text, Column::new("text", ColumnType::VarChar).width(4).not_null());
        let number = of(b"\x03def\0\0\0\x031.5\0\x0c?\0\x04\0\0\0\xf6\x81\0\x01\0\0");
        assert_eq!(number, Column::new("1.5", ColumnType::Decimal).width(4).decimals(1).not_null());
        let null = of(b"\x03def\0\0\0\x04NULL\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0");
        assert_eq!(null, Column::new("NULL", ColumnType::Null).width(0).decimals(0));
        // MySQL 9: four numbers of four bytes.
        let vector = of(b"\x03def\0\0\0\x01v\0\x0c?\0\x10\0\0\0\xf2\x90\0\x1f\0\0");
        assert_eq!(vector, Column::new("v", ColumnType::Blob).width(16));
        assert!(column(b"\x03def\0\0\0\x04NULL").is_err());
        assert!(column(b"\x03def\0\0\0\x04NULL\0\x0c?\0\0\0\0\0\x99\x80\0\0\0\0").is_err(), "a type that is none");
    }

    #[test]
    fn a_text_that_its_type_would_write_otherwise_stays_a_text() {
        let read = |kind, text: &str| {
            let row = [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            text_row(&[Column::new("c", kind)], &row).unwrap().remove(0)
        };
        assert_eq!(read(ColumnType::Int, "42"), OwnedValue::Int(42));
        assert_eq!(read(ColumnType::Int, "00042"), OwnedValue::Text("00042".into()));
        assert_eq!(read(ColumnType::Double, "0.5"), OwnedValue::Double(0.5));
        assert_eq!(read(ColumnType::Double, "5e-1"), OwnedValue::Text("5e-1".into()));
        assert_eq!(read(ColumnType::Decimal, "1.50"), OwnedValue::Decimal("1.50".into()));
        assert_eq!(read(ColumnType::Time, "12:00:00.500"), OwnedValue::Text("12:00:00.500".into()));
        assert!(matches!(read(ColumnType::Time, "-838:59:59"), OwnedValue::Time(_)));
        assert!(matches!(read(ColumnType::Date, "0000-00-00"), OwnedValue::Date(_)));
        assert_eq!(read(ColumnType::Blob, "1"), OwnedValue::Bytes(b"1".into()));
    }

    #[test]
    fn a_row_that_does_not_fit_is_refused() {
        let columns = [Column::new("a", ColumnType::Int), Column::new("b", ColumnType::VarChar)];
        for row in [&b""[..], b"\x011", b"\x011\x02x", b"\x011\x01x\x01y"] {
            assert!(text_row(&columns, row).is_err(), "{row:?}");
        }
        for row in [&b""[..], b"\0", b"\0\0\x01\0\0", b"\0\0\x01\0\0\0\x02x", b"\0\0\x01\0\0\0\x01xy", b"\x01\x0c"] {
            assert!(binary_row(&columns, row).is_err(), "{row:?}");
        }
    }

    #[test]
    fn a_row_of_several_packets_is_one() {
        let (mut out, mut sequence) = (Vec::new(), 0);
        let long = vec![7; MAX_CHUNK + 3];
        for payload in [&b"one"[..], &long, b"two"] {
            packet(&mut out, &mut sequence, |out| out.extend_from_slice(payload));
        }
        let rows: Vec<_> = payloads(&out).collect();
        assert!(rows.len() == 3 && *rows[0] == *b"one" && rows[1] == long && *rows[2] == *b"two");
    }

    fn any_column() -> impl Strategy<Value = (Column, OwnedValue)> {
        let date = (0u16..=9999, 0u8..=12, 0u8..=31).prop_map(|(y, m, d)| Date::new(y, m, d).unwrap());
        let clock = (0u8..24, 0u8..60, 0u8..60, prop_oneof![Just(0), 0u32..1_000_000]);
        let of = |kind| move |value| (Column::new("c", kind), value);
        let typed = prop_oneof![
            any::<i8>().prop_map(|v| OwnedValue::Int(v.into())).prop_map(of(ColumnType::TinyInt)),
            any::<i16>().prop_map(|v| OwnedValue::Int(v.into())).prop_map(of(ColumnType::SmallInt)),
            any::<i32>().prop_map(|v| OwnedValue::Int(v.into())).prop_map(of(ColumnType::Int)),
            any::<i64>().prop_map(OwnedValue::Int).prop_map(of(ColumnType::BigInt)),
            any::<u64>().prop_map(|v| (Column::new("c", ColumnType::BigInt).unsigned(), OwnedValue::UInt(v))),
            any::<u8>().prop_map(|v| (Column::new("c", ColumnType::TinyInt).unsigned(), OwnedValue::UInt(v.into()))),
            (-1e30f32..1e30).prop_map(OwnedValue::Float).prop_map(of(ColumnType::Float)),
            (-1e300f64..1e300).prop_map(OwnedValue::Double).prop_map(of(ColumnType::Double)),
            Just(OwnedValue::Decimal("-1.50".to_owned())).prop_map(of(ColumnType::Decimal)),
            date.clone().prop_map(OwnedValue::Date).prop_map(of(ColumnType::Date)),
            (date, clock)
                .prop_map(|(date, (h, m, s, u))| OwnedValue::DateTime(DateTime::new(date, h, m, s, u).unwrap()))
                .prop_map(of(ColumnType::DateTime)),
            (any::<bool>(), 1u32..=838, 0u8..60, 0u8..60, 0u32..1_000_000)
                .prop_map(|(negative, h, m, s, u)| OwnedValue::Time(Time::new(negative, h, m, s, u).unwrap()))
                .prop_map(of(ColumnType::Time)),
            ".{0,300}".prop_map(OwnedValue::Text).prop_map(of(ColumnType::VarChar)),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(OwnedValue::Bytes).prop_map(of(ColumnType::Blob)),
        ];
        (typed, 0..5u8).prop_map(|((column, value), dice)| (column, if dice == 0 { OwnedValue::Null } else { value }))
    }

    proptest! {
        #[test]
        fn rows_are_read_back_in_both_formats(row in prop::collection::vec(any_column(), 1..20)) {
            let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
            let binary = test_packets::binary_row(&columns, &values);
            prop_assert_eq!(binary_row(&columns, &binary).unwrap(), values.clone());
            let text = test_packets::text_row(&values);
            let read = text_row(&columns, &text).unwrap();
            prop_assert_eq!(&read, &values);
            prop_assert_eq!(test_packets::text_row(&read), text);
        }

        #[test]
        fn any_bytes_are_answered(
            row in prop::collection::vec(any_column(), 1..5),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let columns: Vec<_> = row.into_iter().map(|(column, _)| column).collect();
            let _ = (column(&bytes), binary_row(&columns, &bytes), binary_row(&columns, &[&[0; 2], &bytes[..]].concat()));
            // Whatever text is read is written again as it was.
            if let Ok(values) = text_row(&columns, &bytes) {
                let written = test_packets::text_row(&values);
                prop_assert!(written.len() <= bytes.len());
            }
            prop_assert!(payloads(&bytes).map(|payload| payload.len()).sum::<usize>() <= bytes.len());
        }
    }
}

//! The parameters of a prepared statement, as COM_STMT_EXECUTE brings them.

use std::borrow::Cow;

use bytes::{Buf, Bytes};
use mysql_common::{
    constants::{ColumnFlags, ColumnType as WireType},
    io::ParseBuf,
    proto::MyDeserialize,
    value::{BinValue, Value as Wired, ValueDeserializer},
};

use crate::model::{CharacterSet, Date, DateTime, ErrorKind, OwnedValue, Params, SqlError, Time};

/// The type that a client gives a parameter: MySQL's type and whether it has no sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ParamType {
    kind: WireType,
    unsigned: bool,
}

/// Reads the parameters behind the fixed part of a COM_STMT_EXECUTE: a map of NULLs, whether types follow, the types, the
/// values.
///
/// `set`: what the client writes its text in. `types`: as the last execution had them; a client that executes again with the same ones leaves them out. `long`: what
/// came ahead by COM_STMT_SEND_LONG_DATA; such a parameter has no value here.
///
/// # Errors
/// 1210 for what is cut short or makes no sense, or has more behind it than it says. `types` may have changed then.
pub(super) fn read(
    payload: &Bytes,
    count: usize,
    types: &mut Vec<ParamType>,
    set: CharacterSet,
    long: impl FnMut(usize) -> Option<Vec<u8>>,
) -> Result<Params, SqlError> {
    parse(payload, count, types, set, long).ok_or_else(wrong)
}

/// What is told of an execution that makes no sense.
pub(super) fn wrong() -> SqlError {
    SqlError::of(ErrorKind::WrongArguments, "Incorrect arguments to mysqld_stmt_execute")
}

fn parse(
    mut payload: &[u8],
    count: usize,
    types: &mut Vec<ParamType>,
    set: CharacterSet,
    mut long: impl FnMut(usize) -> Option<Vec<u8>>,
) -> Option<Params> {
    if count == 0 {
        // Some clients send the flag for no types, too.
        return Some(Params::default());
    }
    let (nulls, rest) = payload.split_at_checked(count.div_ceil(8))?;
    payload = rest;
    if payload.try_get_u8().ok()? == 1 {
        let (given, rest) = payload.split_at_checked(2 * count)?;
        payload = rest;
        types.clear();
        for pair in given.chunks_exact(2) {
            types.push(ParamType { kind: kind(pair[0])?, unsigned: pair[1] & 0x80 != 0 });
        }
    }
    if types.len() != count {
        return None;
    }
    let mut rest = ParseBuf(payload);
    let mut values = Vec::with_capacity(count);
    for (place, given) in types.iter().enumerate() {
        let null = nulls[place / 8] & (1 << (place % 8)) != 0;
        values.push(match long(place) {
            Some(bytes) => given.of_bytes(bytes, set),
            None if null => OwnedValue::Null,
            None => given.read(&mut rest, set)?,
        });
    }
    rest.is_empty().then_some(Params(values))
}

/// The types that a client may give a parameter: those that a value of it can be read by.
fn kind(byte: u8) -> Option<WireType> {
    use WireType as W;
    let kind = W::try_from(byte).ok()?;
    matches!(
        kind,
        W::MYSQL_TYPE_DECIMAL
            | W::MYSQL_TYPE_NEWDECIMAL
            | W::MYSQL_TYPE_TINY
            | W::MYSQL_TYPE_SHORT
            | W::MYSQL_TYPE_YEAR
            | W::MYSQL_TYPE_INT24
            | W::MYSQL_TYPE_LONG
            | W::MYSQL_TYPE_LONGLONG
            | W::MYSQL_TYPE_FLOAT
            | W::MYSQL_TYPE_DOUBLE
            | W::MYSQL_TYPE_NULL
            | W::MYSQL_TYPE_TIMESTAMP
            | W::MYSQL_TYPE_DATE
            | W::MYSQL_TYPE_NEWDATE
            | W::MYSQL_TYPE_DATETIME
            | W::MYSQL_TYPE_TIME
            | W::MYSQL_TYPE_VARCHAR
            | W::MYSQL_TYPE_VAR_STRING
            | W::MYSQL_TYPE_STRING
            | W::MYSQL_TYPE_ENUM
            | W::MYSQL_TYPE_SET
            | W::MYSQL_TYPE_BIT
            | W::MYSQL_TYPE_JSON
            | W::MYSQL_TYPE_GEOMETRY
            | W::MYSQL_TYPE_TINY_BLOB
            | W::MYSQL_TYPE_BLOB
            | W::MYSQL_TYPE_MEDIUM_BLOB
            | W::MYSQL_TYPE_LONG_BLOB
    )
    .then_some(kind)
}

impl ParamType {
    fn read(self, rest: &mut ParseBuf<'_>, set: CharacterSet) -> Option<OwnedValue> {
        let mut flags = ColumnFlags::empty();
        flags.set(ColumnFlags::UNSIGNED_FLAG, self.unsigned);
        let read = ValueDeserializer::<BinValue>::deserialize((self.kind, flags), rest).ok()?.0;
        Some(match read {
            Wired::NULL => OwnedValue::Null,
            Wired::Int(v) if self.unsigned => OwnedValue::UInt(u64::try_from(v).ok()?),
            Wired::Int(v) => OwnedValue::Int(v),
            Wired::UInt(v) => OwnedValue::UInt(v),
            Wired::Float(v) => OwnedValue::Float(v),
            Wired::Double(v) => OwnedValue::Double(v),
            Wired::Bytes(bytes) => self.of_bytes(bytes, set),
            Wired::Date(year, month, day, hour, minute, second, micros) => {
                let date = Date::new(year, month, day).ok()?;
                let point = DateTime::new(date, hour, minute, second, micros).ok()?;
                match self.kind {
                    WireType::MYSQL_TYPE_DATE | WireType::MYSQL_TYPE_NEWDATE => OwnedValue::Date(date),
                    _ => OwnedValue::DateTime(point),
                }
            }
            Wired::Time(negative, days, hours, minutes, seconds, micros) => {
                let hours = days.checked_mul(24)?.checked_add(hours.into())?;
                OwnedValue::Time(Time::new(negative, hours, minutes, seconds, micros).ok()?)
            }
        })
    }

    /// Bytes are what the type says of them, and text only if they are.
    fn of_bytes(self, bytes: Vec<u8>, set: CharacterSet) -> OwnedValue {
        use WireType as W;
        let text = |bytes: Vec<u8>, of: fn(String) -> OwnedValue| {
            String::from_utf8(bytes).map_or_else(|error| OwnedValue::Bytes(error.into_bytes()), of)
        };
        match self.kind {
            W::MYSQL_TYPE_DECIMAL | W::MYSQL_TYPE_NEWDECIMAL => text(bytes, OwnedValue::Decimal),
            W::MYSQL_TYPE_TINY_BLOB
            | W::MYSQL_TYPE_BLOB
            | W::MYSQL_TYPE_MEDIUM_BLOB
            | W::MYSQL_TYPE_LONG_BLOB
            | W::MYSQL_TYPE_BIT
            | W::MYSQL_TYPE_GEOMETRY => OwnedValue::Bytes(bytes),
            _ => match set.decode(&bytes) {
                Cow::Borrowed(_) => text(bytes, OwnedValue::Text),
                Cow::Owned(decoded) => text(decoded, OwnedValue::Text),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;
    use mysql_common::packets::ComStmtExecuteRequestBuilder;
    use proptest::prelude::*;

    use super::*;

    /// What stands before the map of NULLs.
    const FIXED: usize = 1 + 4 + 1 + 4;

    /// The parameters as `mysql_common`'s client writes them.
    fn written(params: &[Wired]) -> Bytes {
        let mut out = Vec::new();
        let (body, _) = ComStmtExecuteRequestBuilder::new(7).build(params);
        mysql_common::proto::MySerialize::serialize(&body, &mut out);
        Bytes::from(out).slice(FIXED..)
    }

    fn none(_: usize) -> Option<Vec<u8>> {
        None
    }

    #[test]
    fn what_a_client_writes_is_read() {
        let params = [
            Wired::NULL,
            Wired::Int(-5),
            Wired::UInt(u64::MAX),
            Wired::Double(0.5),
            Wired::Float(-1.5),
            Wired::Bytes(b"text".to_vec()),
            Wired::Bytes(vec![0xff, 0]),
            Wired::Date(2024, 2, 29, 23, 59, 58, 7),
            Wired::Time(true, 2, 3, 4, 5, 6),
        ];
        let read = read(&written(&params), params.len(), &mut Vec::new(), CharacterSet::Utf8mb4, none).unwrap();
        let expected = [
            OwnedValue::Null,
            OwnedValue::Int(-5),
            OwnedValue::UInt(u64::MAX),
            OwnedValue::Double(0.5),
            OwnedValue::Float(-1.5),
            OwnedValue::Text("text".into()),
            OwnedValue::Bytes(vec![0xff, 0]),
            OwnedValue::DateTime("2024-02-29 23:59:58.000007".parse().unwrap()),
            OwnedValue::Time("-51:04:05.000006".parse().unwrap()),
        ];
        assert_eq!(read.0, expected);
    }

    #[test]
    fn types_are_remembered_and_asked_for_if_they_never_came() {
        let mut types = Vec::new();
        let first =
            read(&Bytes::from_static(&[0, 1, 1, 0x80, 0xfe]), 1, &mut types, CharacterSet::Utf8mb4, none).unwrap();
        assert_eq!(first.0, [OwnedValue::UInt(0xfe)]);
        let again = read(&Bytes::from_static(&[0, 0, 0x01]), 1, &mut types, CharacterSet::Utf8mb4, none).unwrap();
        assert_eq!(again.0, [OwnedValue::UInt(1)]);
        assert_eq!(
            read(&Bytes::from_static(&[0, 0, 0x01]), 1, &mut Vec::new(), CharacterSet::Utf8mb4, none)
                .unwrap_err()
                .code(),
            1210
        );
    }

    #[test]
    fn long_data_takes_the_place_of_the_value() {
        let blob = |place| (place == 0).then(|| b"long".to_vec());
        let mut types = Vec::new();
        let both =
            read(&Bytes::from_static(&[0, 1, 252, 0, 3, 0, 9, 0, 0, 0]), 2, &mut types, CharacterSet::Utf8mb4, blob)
                .unwrap();
        assert_eq!(both.0, [OwnedValue::Bytes(b"long".to_vec()), OwnedValue::Int(9)]);
    }

    #[test]
    fn text_is_read_in_the_clients_character_set_and_bytes_are_not() {
        for (kind, expected) in [(253, OwnedValue::Text("é".into())), (252, OwnedValue::Bytes(vec![0xe9]))] {
            let payload = Bytes::copy_from_slice(&[0, 1, kind, 0, 1, 0xe9]);
            let read = read(&payload, 1, &mut Vec::new(), CharacterSet::Latin1, none).unwrap();
            assert_eq!(read.0, [expected]);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (bytes, why) in [
            (&[][..], "no map of NULLs"),
            (&[0], "no flag"),
            (&[0, 1, 3], "half a type"),
            (&[0, 1, 3, 0, 1, 2, 3], "a cut integer"),
            (&[0, 1, 253, 0, 5, b'x'], "a cut text"),
            (&[0, 1, 3, 0, 1, 2, 3, 4, 5], "more than it says"),
            (&[0, 1, 0xf0, 0, 1], "no type"),
            (&[0, 1, 10, 0, 4, 0xe8, 7, 13, 1], "month 13"),
            (&[0, 1, 11, 0, 8, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0], "days without end"),
        ] {
            assert_eq!(
                read(&Bytes::from_static(bytes), 1, &mut Vec::new(), CharacterSet::Utf8mb4, none).unwrap_err().code(),
                1210,
                "{why}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            count in 0usize..40,
            plausible in any::<bool>(),
        ) {
            let mut payload = bytes::BytesMut::new();
            if plausible {
                payload.put_bytes(0, count.div_ceil(8));
                payload.put_u8(1);
            }
            payload.put_slice(&bytes);
            let arrived = payload.len();
            if let Ok(Params(values)) = read(&payload.freeze(), count, &mut Vec::new(), CharacterSet::Utf8mb4, none) {
                let kept: usize = values
                    .iter()
                    .map(|value| match value {
                        OwnedValue::Text(v) | OwnedValue::Decimal(v) => v.len(),
                        OwnedValue::Bytes(v) => v.len(),
                        _ => 0,
                    })
                    .sum();
                prop_assert!(kept <= arrived);
                prop_assert_eq!(values.len(), count);
            }
        }
    }
}

//! The parameters of a prepared statement on their way to a server.

use mysql_common::constants::ColumnType as WireType;

use crate::{
    model::{OwnedValue, Params},
    wire::{lenenc_bytes, put_date, put_time},
};

/// Says of a type that it has no sign.
const UNSIGNED: u8 = 0x80;

/// What follows the number of `COM_STMT_EXECUTE`: the statement's id, no cursor, once, then which parameters are NULL, the
/// types of all of them, and the values. There must be as many as the statement has.
pub(in crate::proxy) fn execute_payload(id: u32, params: &Params) -> Vec<u8> {
    let Params(values) = params;
    let mut out = Vec::with_capacity(16 + 16 * values.len());
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&[0, 1, 0, 0, 0]);
    if values.is_empty() {
        return out;
    }
    let nulls = out.len();
    out.resize(nulls + values.len().div_ceil(8), 0);
    out.push(1);
    for (place, value) in values.iter().enumerate() {
        let (kind, sign) = wire_type(value);
        out.extend_from_slice(&[kind as u8, sign]);
        if *value == OwnedValue::Null {
            out[nulls + place / 8] |= 1 << (place % 8);
        }
    }
    values.iter().for_each(|value| put(&mut out, value));
    out
}

fn wire_type(value: &OwnedValue) -> (WireType, u8) {
    match value {
        OwnedValue::Null => (WireType::MYSQL_TYPE_NULL, 0),
        OwnedValue::Int(_) => (WireType::MYSQL_TYPE_LONGLONG, 0),
        OwnedValue::UInt(_) => (WireType::MYSQL_TYPE_LONGLONG, UNSIGNED),
        OwnedValue::Float(_) => (WireType::MYSQL_TYPE_FLOAT, 0),
        OwnedValue::Double(_) => (WireType::MYSQL_TYPE_DOUBLE, 0),
        OwnedValue::Decimal(_) => (WireType::MYSQL_TYPE_NEWDECIMAL, 0),
        OwnedValue::Date(_) => (WireType::MYSQL_TYPE_DATE, 0),
        OwnedValue::DateTime(_) => (WireType::MYSQL_TYPE_DATETIME, 0),
        OwnedValue::Time(_) => (WireType::MYSQL_TYPE_TIME, 0),
        OwnedValue::Text(_) => (WireType::MYSQL_TYPE_VAR_STRING, 0),
        OwnedValue::Bytes(_) => (WireType::MYSQL_TYPE_BLOB, 0),
    }
}

fn put(out: &mut Vec<u8>, value: &OwnedValue) {
    match value {
        OwnedValue::Null => {}
        OwnedValue::Int(v) => out.extend_from_slice(&v.to_le_bytes()),
        OwnedValue::UInt(v) => out.extend_from_slice(&v.to_le_bytes()),
        OwnedValue::Float(v) => out.extend_from_slice(&v.to_le_bytes()),
        OwnedValue::Double(v) => out.extend_from_slice(&v.to_le_bytes()),
        OwnedValue::Date(v) => put_date(out, v.midnight()),
        OwnedValue::DateTime(v) => put_date(out, *v),
        OwnedValue::Time(v) => put_time(out, *v),
        OwnedValue::Decimal(v) | OwnedValue::Text(v) => lenenc_bytes(out, v.as_bytes()),
        OwnedValue::Bytes(v) => lenenc_bytes(out, v),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        model::{Time, any_value},
        wire::test_packets,
    };

    #[test]
    fn a_statement_without_parameters_is_its_id_and_that_it_runs_once() {
        assert_eq!(execute_payload(0x0102_0304, &Params::default()), [4, 3, 2, 1, 0, 1, 0, 0, 0]);
    }

    proptest! {
        /// Whatever a client may have sent is read back by a server as it is.
        #[test]
        fn what_is_written_is_read_back(values in prop::collection::vec(any_value(838), 1..20)) {
            let params = Params(values);
            let read = test_packets::params(&execute_payload(7, &params)[9..], params.0.len()).unwrap();
            for (read, sent) in read.0.iter().zip(&params.0) {
                // No time has no sign.
                let zero = |value: &OwnedValue| matches!(value, OwnedValue::Time(t) if *t == Time { negative: t.negative, ..Time::default() });
                prop_assert!(read == sent || zero(read) && zero(sent), "{:?} of {:?}", read, sent);
            }
        }
    }
}

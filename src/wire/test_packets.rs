//! What the other side makes and reads, for the tests of the proxy: it is a client of servers, and we are one.

use bytes::Bytes;
use mysql_common::constants::CapabilityFlags;

use super::{binary, hello, packet, params};
use crate::model::{CharacterSet, Column, Done, OwnedValue, Params, SqlError, Value};

/// What an answer to a greeting says: user, database, proof, and the collation's number.
pub(crate) fn hello(payload: Vec<u8>) -> (String, Option<String>, Bytes, u16) {
    let read = hello::read_answer(&Bytes::from(payload), CapabilityFlags::all()).unwrap();
    (read.user, read.database, read.claim.response, read.charset)
}

/// A greeting by which a server says that it can do this.
pub(crate) fn greeting(id: u32, nonce: &[u8; 20], capabilities: CapabilityFlags, plugin: &str) -> Vec<u8> {
    payload(|out| packet::greeting(out, &mut 0, "8.0.36", id, nonce, capabilities, plugin))
}

/// An OK.
pub(crate) fn ok(done: &Done, more: bool) -> Vec<u8> {
    payload(|out| packet::ok(out, &mut 0, done, more))
}

/// An error.
pub(crate) fn error(error: &SqlError) -> Vec<u8> {
    payload(|out| packet::error(out, &mut 0, packet::Peer(CapabilityFlags::CLIENT_PROTOCOL_41), error))
}

/// The definition of a column.
pub(crate) fn definition(column: &Column) -> Vec<u8> {
    payload(|out| packet::column(out, &mut 0, column, CharacterSet::Utf8mb4))
}

/// A row in the text format.
pub(crate) fn text_row(values: &[OwnedValue]) -> Vec<u8> {
    let values: Vec<Value<'_>> = values.iter().map(OwnedValue::borrow).collect();
    payload(|out| packet::text_row(out, &mut 0, &values))
}

/// A row in the binary format.
pub(crate) fn binary_row(columns: &[Column], values: &[OwnedValue]) -> Vec<u8> {
    let values: Vec<Value<'_>> = values.iter().map(OwnedValue::borrow).collect();
    payload(|out| binary::row(out, &mut 0, columns, &values).unwrap())
}

/// The parameters of an execution, behind its fixed part.
pub(crate) fn params(payload: &[u8], count: usize) -> Result<Params, SqlError> {
    params::read(&Bytes::copy_from_slice(payload), count, &mut Vec::new(), CharacterSet::Utf8mb4, |_| None)
}

/// As a packet with this number.
pub(crate) fn framed(mut sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    packet::packet(&mut out, &mut sequence, |out| out.extend_from_slice(payload));
    out
}

/// The payload of the packet that `put` adds.
fn payload(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out);
    out.split_off(super::HEADER)
}

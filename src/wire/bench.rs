//! Rows as they go to clients, for `benches/`: see [`crate::bench`].

use super::{binary, packet};
use crate::model::{Column, SqlError, Value};

/// Adds a row's packet in the text format.
pub fn text_row(out: &mut Vec<u8>, values: &[Value<'_>]) {
    packet::text_row(out, &mut 0, values);
}

/// Adds a row's packet in the binary format.
///
/// # Errors
/// A value does not fit its column.
pub fn binary_row(out: &mut Vec<u8>, columns: &[Column], values: &[Value<'_>]) -> Result<(), SqlError> {
    binary::row(out, &mut 0, columns, values)
}

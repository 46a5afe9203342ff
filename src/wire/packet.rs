//! The packets that we send, byte by byte.

use bytes::BufMut;
use mysql_common::constants::{CapabilityFlags, ColumnFlags, ColumnType as WireType, StatusFlags};

use super::frame::{HEADER, MAX_CHUNK};
use crate::model::{CharacterSet, Column, ColumnType, Digits, Done, Prepared, SqlError, Value};

/// `utf8mb4_0900_ai_ci` is 255; clients older than it know `utf8mb4_general_ci`.
const UTF8MB4: u16 = 45;
const BINARY: u16 = 63;

/// Whose packets: what the client can do decides how some of them look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) CapabilityFlags);

impl Peer {
    pub(super) fn deprecates_eof(self) -> bool {
        self.0.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    }

    fn has(self, flag: CapabilityFlags) -> bool {
        self.0.contains(flag)
    }
}

/// Adds a packet; `fill` writes its payload.
pub(crate) fn packet(out: &mut Vec<u8>, sequence: &mut u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_u32(0);
    fill(out);
    let length = out.len() - start - HEADER;
    if length < MAX_CHUNK {
        out[start..start + HEADER].copy_from_slice(&header(length, sequence));
    } else {
        split(out, start, sequence);
    }
}

/// Adds whole packets with their headers, which get numbers of ours.
#[cfg(feature = "proxy")]
pub(super) fn renumbered(out: &mut Vec<u8>, sequence: &mut u8, packets: &[u8]) {
    let mut at = out.len();
    out.extend_from_slice(packets);
    while let Some([a, b, c, number]) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<HEADER>) {
        *number = *sequence;
        *sequence = sequence.wrapping_add(1);
        at += HEADER + (usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16);
    }
}

/// Adds the beginning of a packet, with its header, by its number.
#[cfg(feature = "proxy")]
pub(super) fn begun(out: &mut Vec<u8>, sequence: &mut u8, packet: &[u8]) {
    let at = out.len();
    out.extend_from_slice(packet);
    if let Some(number) = out.get_mut(at + HEADER - 1) {
        *number = *sequence;
        *sequence = sequence.wrapping_add(1);
    }
}

fn header(length: usize, sequence: &mut u8) -> [u8; HEADER] {
    let [a, b, c, ..] = length.to_le_bytes();
    let number = *sequence;
    *sequence = number.wrapping_add(1);
    [a, b, c, number]
}

/// A payload that is too long for one packet: it goes on in further ones, the last of them shorter than the longest.
#[cold]
fn split(out: &mut Vec<u8>, start: usize, sequence: &mut u8) {
    let payload = out.split_off(start + HEADER);
    out.truncate(start);
    let mut rest = &payload[..];
    loop {
        let (part, tail) = rest.split_at(rest.len().min(MAX_CHUNK));
        out.put_slice(&header(part.len(), sequence));
        out.put_slice(part);
        rest = tail;
        if part.len() < MAX_CHUNK {
            return;
        }
    }
}

/// The status flags that go with OK and EOF.
pub(super) fn status(done: &Done, more: bool) -> StatusFlags {
    let mut flags = StatusFlags::empty();
    flags.set(StatusFlags::SERVER_STATUS_IN_TRANS, done.in_transaction);
    flags.set(StatusFlags::SERVER_STATUS_AUTOCOMMIT, done.autocommit);
    flags.set(StatusFlags::SERVER_MORE_RESULTS_EXISTS, more);
    flags.set(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES, done.no_backslash_escapes);
    flags
}

/// OK.
pub(super) fn ok(out: &mut Vec<u8>, sequence: &mut u8, done: &Done, more: bool) {
    packet(out, sequence, |out| ok_payload(out, 0x00, done, more));
}

/// The end of the rows: EOF, or for newer clients an OK that is marked as one.
pub(super) fn end_of_rows(out: &mut Vec<u8>, sequence: &mut u8, peer: Peer, done: &Done, more: bool) {
    if peer.deprecates_eof() {
        packet(out, sequence, |out| ok_payload(out, 0xfe, done, more));
    } else {
        eof(out, sequence, done, more);
    }
}

/// EOF, after the columns or the rows, for clients that still want it.
pub(super) fn eof(out: &mut Vec<u8>, sequence: &mut u8, done: &Done, more: bool) {
    packet(out, sequence, |out| {
        out.put_u8(0xfe);
        out.put_u16_le(done.warnings);
        out.put_u16_le(status(done, more).bits());
    });
}

/// What an OK says behind its numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail<'a> {
    /// A text for people.
    pub(super) info: &'a [u8],
    /// What changed in the session: for clients that track it.
    pub(super) changes: &'a [u8],
}

/// OK, or the end of the rows as newer clients get it, with more than its numbers.
pub(super) fn ok_with(out: &mut Vec<u8>, sequence: &mut u8, rows: bool, done: &Done, more: bool, tail: Tail<'_>) {
    let Tail { info, changes } = tail;
    let mut status = status(done, more);
    status.set(StatusFlags::SERVER_SESSION_STATE_CHANGED, !changes.is_empty());
    packet(out, sequence, |out| {
        out.put_u8(if rows { 0xfe } else { 0x00 });
        lenenc_int(out, done.affected);
        lenenc_int(out, done.last_insert_id);
        out.put_u16_le(status.bits());
        out.put_u16_le(done.warnings);
        lenenc_bytes(out, info);
        if !changes.is_empty() {
            lenenc_bytes(out, changes);
        }
    });
}

fn ok_payload(out: &mut Vec<u8>, marker: u8, done: &Done, more: bool) {
    let [s0, s1] = status(done, more).bits().to_le_bytes();
    let [w0, w1] = done.warnings.to_le_bytes();
    if done.affected == 0 && done.last_insert_id == 0 {
        // As after every SELECT.
        return out.put_slice(&[marker, 0, 0, s0, s1, w0, w1]);
    }
    out.put_u8(marker);
    lenenc_int(out, done.affected);
    lenenc_int(out, done.last_insert_id);
    out.put_slice(&[s0, s1, w0, w1]);
}

/// An error.
pub(super) fn error(out: &mut Vec<u8>, sequence: &mut u8, peer: Peer, error: &SqlError) {
    error_in(out, sequence, peer, error, CharacterSet::Utf8mb4);
}

/// An error whose text is read in this character set.
pub(super) fn error_in(out: &mut Vec<u8>, sequence: &mut u8, peer: Peer, error: &SqlError, set: CharacterSet) {
    packet(out, sequence, |out| {
        out.put_u8(0xff);
        out.put_u16_le(error.code());
        if peer.has(CapabilityFlags::CLIENT_PROTOCOL_41) {
            out.put_u8(b'#');
            out.put_slice(error.state().as_bytes());
        }
        out.put_slice(&set.encode(error.message()));
    });
}

/// Asks the client to prove its password in another way.
pub(super) fn auth_switch(out: &mut Vec<u8>, sequence: &mut u8, plugin: &str, nonce: &[u8]) {
    packet(out, sequence, |out| {
        out.put_u8(0xfe);
        out.put_slice(plugin.as_bytes());
        out.put_u8(0);
        out.put_slice(nonce);
        out.put_u8(0);
    });
}

/// The first packet: who we are and what we can do.
pub(super) fn greeting(
    out: &mut Vec<u8>,
    sequence: &mut u8,
    version: &str,
    connection_id: u32,
    nonce: &[u8; 20],
    capabilities: CapabilityFlags,
    plugin: &str,
) {
    let [low0, low1, high0, high1] = capabilities.bits().to_le_bytes();
    packet(out, sequence, |out| {
        out.put_u8(10);
        out.put_slice(version.as_bytes());
        out.put_u8(0);
        out.put_u32_le(connection_id);
        out.put_slice(&nonce[..8]);
        out.put_u8(0);
        out.put_slice(&[low0, low1]);
        out.put_u8(UTF8MB4.to_le_bytes()[0]);
        out.put_u16_le(StatusFlags::SERVER_STATUS_AUTOCOMMIT.bits());
        out.put_slice(&[high0, high1]);
        out.put_u8(21);
        out.put_bytes(0, 10);
        out.put_slice(&nonce[8..]);
        out.put_u8(0);
        out.put_slice(plugin.as_bytes());
        out.put_u8(0);
    });
}

/// What a client is told first of a statement that it prepared: its id, and how many parameters and columns it has.
pub(super) fn prepared(out: &mut Vec<u8>, sequence: &mut u8, id: u32, prepared: &Prepared) {
    // There are never more: the session has refused what has.
    let count = |columns: &[Column]| u16::try_from(columns.len()).unwrap_or(u16::MAX);
    packet(out, sequence, |out| {
        out.put_u8(0x00);
        out.put_u32_le(id);
        out.put_u16_le(count(&prepared.columns));
        out.put_u16_le(count(&prepared.params));
        out.put_u8(0);
        out.put_u16_le(0);
    });
}

/// A column of a table, as COM_FIELD_LIST gives it: with its default, of which nothing is known.
pub(super) fn field(out: &mut Vec<u8>, sequence: &mut u8, column: &Column, set: CharacterSet) {
    packet(out, sequence, |out| {
        definition(out, column, set);
        out.put_u8(0xfb);
    });
}

/// How many columns follow.
pub(super) fn column_count(out: &mut Vec<u8>, sequence: &mut u8, count: usize) {
    packet(out, sequence, |out| lenenc_int(out, count as u64));
}

/// One column; text is read in this character set.
///
/// As MySQL has it, `NUM_FLAG` is for clients to set, and `BLOB_FLAG` for columns of tables; the type of what an
/// expression makes, text or bytes, goes by its length.
pub(super) fn column(out: &mut Vec<u8>, sequence: &mut u8, column: &Column, set: CharacterSet) {
    packet(out, sequence, |out| definition(out, column, set));
}

fn definition(out: &mut Vec<u8>, column: &Column, set: CharacterSet) {
    let (mut kind, character_set, natural, decimals) = wire_type(column.kind);
    let bytes_per_char = if character_set == BINARY { 1 } else { set.longest() };
    let natural = match natural {
        u32::MAX => natural,
        _ if character_set == BINARY => natural,
        _ => natural / CharacterSet::Utf8mb4.longest() * bytes_per_char,
    };
    let length = column.width.map_or(natural, |width| width.saturating_mul(bytes_per_char));
    let decimals = column.decimals.unwrap_or(decimals);
    let blob = matches!(column.kind, ColumnType::Text | ColumnType::Blob);
    if column.table.is_empty() && (blob || column.kind == ColumnType::VarChar) {
        kind = match length {
            0..0x1_0000 => WireType::MYSQL_TYPE_VAR_STRING,
            0x1_0000..0x100_0000 => WireType::MYSQL_TYPE_MEDIUM_BLOB,
            _ => WireType::MYSQL_TYPE_LONG_BLOB,
        };
    }
    let mut flags = ColumnFlags::empty();
    flags.set(ColumnFlags::UNSIGNED_FLAG, column.unsigned);
    flags.set(ColumnFlags::NOT_NULL_FLAG, !column.nullable);
    flags.set(ColumnFlags::BINARY_FLAG, character_set == BINARY);
    flags.set(ColumnFlags::BLOB_FLAG, blob && !column.table.is_empty());
    lenenc_bytes(out, b"def");
    lenenc_bytes(out, &set.encode(&column.schema));
    lenenc_bytes(out, &set.encode(&column.table));
    lenenc_bytes(out, &set.encode(&column.table));
    lenenc_bytes(out, &set.encode(&column.name));
    // The name of the column behind an alias: ours have none of their own.
    lenenc_bytes(out, &set.encode(if column.table.is_empty() { "" } else { &column.name }));
    let [cs0, cs1] = if character_set == BINARY { BINARY } else { set.collation() }.to_le_bytes();
    let [l0, l1, l2, l3] = length.to_le_bytes();
    let [f0, f1] = flags.bits().to_le_bytes();
    out.put_slice(&[0x0c, cs0, cs1, l0, l1, l2, l3, kind as u8, f0, f1, decimals, 0, 0]);
}

/// Type, character set, length in bytes and decimals as MySQL gives them.
fn wire_type(kind: ColumnType) -> (WireType, u16, u32, u8) {
    match kind {
        ColumnType::TinyInt => (WireType::MYSQL_TYPE_TINY, BINARY, 4, 0),
        ColumnType::SmallInt => (WireType::MYSQL_TYPE_SHORT, BINARY, 6, 0),
        ColumnType::Int => (WireType::MYSQL_TYPE_LONG, BINARY, 11, 0),
        ColumnType::BigInt => (WireType::MYSQL_TYPE_LONGLONG, BINARY, 21, 0),
        ColumnType::Float => (WireType::MYSQL_TYPE_FLOAT, BINARY, 12, 31),
        ColumnType::Double => (WireType::MYSQL_TYPE_DOUBLE, BINARY, 23, 31),
        ColumnType::Decimal => (WireType::MYSQL_TYPE_NEWDECIMAL, BINARY, 67, 30),
        ColumnType::VarChar => (WireType::MYSQL_TYPE_VAR_STRING, UTF8MB4, 1020, 31),
        ColumnType::Text => (WireType::MYSQL_TYPE_BLOB, UTF8MB4, u32::MAX, 31),
        ColumnType::Blob => (WireType::MYSQL_TYPE_BLOB, BINARY, u32::MAX, 31),
        ColumnType::Date => (WireType::MYSQL_TYPE_DATE, BINARY, 10, 0),
        ColumnType::Time => (WireType::MYSQL_TYPE_TIME, BINARY, 17, 6),
        ColumnType::DateTime => (WireType::MYSQL_TYPE_DATETIME, BINARY, 26, 6),
        ColumnType::Null => (WireType::MYSQL_TYPE_NULL, BINARY, 0, 0),
    }
}

/// A row in the text format.
pub(super) fn text_row(out: &mut Vec<u8>, sequence: &mut u8, values: &[Value<'_>]) {
    packet(out, sequence, |out| {
        for value in values {
            text_value(out, value);
        }
    });
}

/// A value in the text format. Within the loop over a row's values, with calls for what takes more than a few instructions:
/// of a call for each value, to begin and to end it would be half.
#[inline(always)]
pub(crate) fn text_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Null => out.push(0xfb),
        Value::Int(v @ 0..) => decimal(out, v.unsigned_abs()),
        Value::Int(v) => negative(out, v.unsigned_abs()),
        Value::UInt(v) => decimal(out, v),
        Value::Decimal(v) | Value::Text(v) => lenenc_bytes(out, v.as_bytes()),
        Value::Bytes(v) => lenenc_bytes(out, v),
        Value::Float(v) => float(out, v.into(), v),
        Value::Double(v) => float(out, v, v),
        Value::Date(v) => formatted(out, v),
        Value::DateTime(v) => formatted(out, v),
        Value::Time(v) => formatted(out, v),
    }
}

#[inline(never)]
fn decimal(out: &mut Vec<u8>, value: u64) {
    Digits::of(value).add_counted(out);
}

#[inline(never)]
fn negative(out: &mut Vec<u8>, value: u64) {
    let digits = Digits::of(value);
    out.extend_from_slice(&[digits.count() + 1, b'-']);
    out.extend_from_slice(&digits.padded()[..digits.count().into()]);
}

/// A number with a fraction, in as many digits as read back the same (MySQL: no exponent below 1e15).
#[inline(never)]
fn float(out: &mut Vec<u8>, size: f64, value: impl std::fmt::Display + std::fmt::LowerExp) {
    let exponent = size != 0.0 && !(1e-15..1e15).contains(&size.abs());
    let text = if exponent { format!("{value:e}") } else { format!("{value}") };
    lenenc_bytes(out, text.as_bytes());
}

#[inline(never)]
fn formatted(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    lenenc_bytes(out, value.to_string().as_bytes());
}

#[inline]
pub(crate) fn lenenc_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        length @ 0..0xfb => out.push(length as u8),
        length => lenenc_int(out, length as u64),
    }
    out.extend_from_slice(bytes);
}

fn lenenc_int(out: &mut Vec<u8>, value: u64) {
    let [a, b, c, ..] = value.to_le_bytes();
    match value {
        0..0xfb => out.put_u8(a),
        0xfb..0x1_0000 => out.put_slice(&[0xfc, a, b]),
        0x1_0000..0x100_0000 => out.put_slice(&[0xfd, a, b, c]),
        _ => {
            out.put_u8(0xfe);
            out.put_u64_le(value);
        }
    }
}

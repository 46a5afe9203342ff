//! The variables that a client has set, as they are written, within bounds.

use std::collections::BTreeMap;

use crate::control::Text;

/// How many variables of one client are kept.
pub(super) const MOST_VARIABLES: usize = 1_000;

/// How many bytes one client's variables may have, names included.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// The variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// By name in lower case, without its signs.
    pub(super) system: BTreeMap<Box<str>, Value>,
    pub(super) user: BTreeMap<Box<str>, Value>,
    /// What both cost together.
    bytes: usize,
}

/// A variable's value.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// As it is written behind the sign of an assignment.
    pub(super) written: Box<[u8]>,
    /// The version that came with it.
    pub(super) version: u64,
}

impl Kept {
    /// Whether there was room.
    pub(super) fn insert(&mut self, system: bool, name: &str, written: &[u8], version: u64) -> bool {
        self.take(system, name);
        let cost = name.len() + written.len();
        if self.system.len() + self.user.len() == MOST_VARIABLES || self.bytes + cost > MOST_BYTES {
            return false;
        }
        self.bytes += cost;
        let value = Value { written: written.into(), version };
        if system { &mut self.system } else { &mut self.user }.insert(name.into(), value);
        true
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.take(true, name);
    }

    pub(super) fn remove_user(&mut self, name: &str) {
        self.take(false, name);
    }

    /// Forgets all user variables.
    pub(super) fn remove_users(&mut self) {
        for (name, value) in std::mem::take(&mut self.user) {
            self.bytes -= name.len() + value.written.len();
        }
    }

    fn take(&mut self, system: bool, name: &str) {
        if let Some(old) = if system { &mut self.system } else { &mut self.user }.remove(name) {
            self.bytes -= name.len() + old.written.len();
        }
    }
}

/// A value that a server has told, as a literal: servers take no number in quotes.
pub(super) fn literal(value: &str) -> Vec<u8> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let mut parts = digits.splitn(2, '.');
    let number = parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if number {
        return value.as_bytes().to_vec();
    }
    quoted(value.as_bytes()).unwrap_or_default()
}

/// What stands before the hexadecimal digits of a text.
const HEX: &[u8] = b"_utf8mb4 0x";

/// A text as a literal that means the same whatever `sql_mode` it is read in: without backslashes, and not in double quotes.
/// `None`: it is no UTF-8, and has a byte that needs a backslash.
pub(super) fn quoted(text: &[u8]) -> Option<Vec<u8>> {
    if !text.iter().any(|byte| matches!(byte, b'\\' | 0 | 0x1a)) {
        let mut out = vec![b'\''];
        for byte in text {
            if *byte == b'\'' {
                out.push(b'\'');
            }
            out.push(*byte);
        }
        out.push(b'\'');
        return Some(out);
    }
    std::str::from_utf8(text).ok()?;
    let mut out = HEX.to_vec();
    text.iter().for_each(|byte| out.extend_from_slice(format!("{byte:02X}").as_bytes()));
    Some(out)
}

/// A literal without its quotes.
pub(super) fn bare_value(written: &[u8]) -> String {
    if let Some(digits) = written.strip_prefix(HEX) {
        let byte = |two: &[u8]| std::str::from_utf8(two).ok().and_then(|two| u8::from_str_radix(two, 16).ok());
        let bytes: Vec<u8> = digits.chunks(2).filter_map(byte).collect();
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let text = match written {
        [quote @ (b'\'' | b'"'), raw @ .., _] => Text { raw, quote: Some(*quote) },
        raw => Text { raw, quote: None },
    };
    text.to_string_lossy()
}

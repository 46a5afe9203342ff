//! Values as literals, which mean the same wherever they are read.

use crate::control::Text;

/// A value that a server has told, as a literal: servers take no number in quotes.
pub(super) fn told(value: &str) -> Vec<u8> {
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
pub(super) fn bare(written: &[u8]) -> String {
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

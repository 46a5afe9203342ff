//! How SQLite writes names, strings and numbers.

use crate::control::Number;

/// A name in quotes. No name has a zero byte.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}

/// A string. It compares without case, as in MySQL.
pub(super) fn text(text: &str) -> String {
    format!("({} COLLATE NOCASE)", plain(text))
}

/// A string where no expression may stand.
pub(super) fn plain(text: &str) -> String {
    if text.contains('\0') {
        // SQLite's text ends there, its strings do not.
        return format!("CAST(x'{}' AS TEXT)", digits(text.as_bytes()));
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Bytes as hexadecimal digits.
fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether it is an integer beyond 63 bits, of which SQLite would make a double or a negative one.
pub(super) fn is_too_great(number: Number<'_>) -> bool {
    let value = |digits: &[u8], radix| i64::from_str_radix(&String::from_utf8_lossy(digits), radix);
    match number {
        Number::Integer(digits) => value(digits, 10).is_err(),
        Number::Bits(digits) => !digits.is_empty() && value(digits, 2).is_err(),
        _ => false,
    }
}

/// A number; of a hexadecimal one, which is a string to MySQL, its value too, where it has one.
pub(super) fn number(number: Number<'_>, limit: bool) -> (String, Option<Option<u64>>) {
    let ascii = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match number {
        Number::Integer(bytes) => {
            let digits = ascii(bytes);
            // A common way to say that there is no limit.
            let endless = limit && digits.parse::<i64>().is_err();
            (if endless { i64::MAX.to_string() } else { digits }, None)
        }
        Number::Fractional(bytes) => (ascii(bytes), None),
        Number::Bits(bytes) => {
            (u64::from_str_radix(&ascii(bytes), 2).map_or("0".into(), |bits| bits.to_string()), None)
        }
        Number::Hex(bytes) => {
            let digits = ascii(bytes);
            let even = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits };
            let value = u64::from_str_radix(&even, 16).ok();
            (format!("CAST(x'{even}' AS TEXT)"), Some(value))
        }
    }
}

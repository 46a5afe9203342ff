//! The text within quotes, decoded when asked for.

use std::borrow::Cow;

/// The name or text of a token as it stands in the statement, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// What stands between the quotes, not decoded.
    pub raw: &'a [u8],
    /// The quote, `'`, `"` or a backquote; `None` for a bare name.
    pub quote: Option<u8>,
}

impl<'a> Text<'a> {
    /// The bytes that are meant: doubled quotes become one and, except between backquotes, a backslash escapes
    /// (MySQL's `\0 \b \n \r \t \Z`; `\%` and `\_` keep theirs; before anything else the backslash is dropped).
    pub fn decode(&self) -> Cow<'a, [u8]> {
        let Some(quote) = self.quote else { return Cow::Borrowed(self.raw) };
        let escapes = quote != b'`';
        if !self.raw.iter().any(|&b| b == quote || (escapes && b == b'\\')) {
            return Cow::Borrowed(self.raw);
        }
        let mut out = Vec::with_capacity(self.raw.len());
        let mut bytes = self.raw.iter().copied().peekable();
        while let Some(b) = bytes.next() {
            if b == quote {
                bytes.next_if_eq(&quote);
                out.push(quote);
            } else if escapes && b == b'\\' {
                match bytes.next() {
                    Some(b'0') => out.push(0),
                    Some(b'b') => out.push(8),
                    Some(b'n') => out.push(b'\n'),
                    Some(b'r') => out.push(b'\r'),
                    Some(b't') => out.push(b'\t'),
                    Some(b'Z') => out.push(26),
                    Some(wild @ (b'%' | b'_')) => out.extend([b'\\', wild]),
                    Some(other) => out.push(other),
                    None => out.push(b'\\'),
                }
            } else {
                out.push(b);
            }
        }
        Cow::Owned(out)
    }

    /// The decoded bytes as a string; those that are no UTF-8 are replaced by U+FFFD.
    pub fn to_string_lossy(&self) -> String {
        String::from_utf8_lossy(&self.decode()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_are_decoded_as_mysql_does() {
        for (quote, raw, meant) in [
            (b'\'', r"plain", "plain"),
            (b'\'', r#"it''s "x" `y`"#, r#"it's "x" `y`"#),
            (b'\'', r"it\'s\\", r"it's\"),
            (b'"', r#"a""b\"c'd"#, r#"a"b"c'd"#),
            (b'`', r"a``b\n'", r"a`b\n'"),
            (b'\'', r"\0\b\n\r\t\Z\q\%\_", "\0\u{8}\n\r\t\u{1a}q\\%\\_"),
        ] {
            let text = Text { raw: raw.as_bytes(), quote: Some(quote) };
            assert_eq!(text.to_string_lossy(), meant, "{raw}");
        }
        assert!(matches!(Text { raw: b"a\\b'", quote: None }.decode(), Cow::Borrowed(b"a\\b'")));
    }
}

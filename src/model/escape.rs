//! What clients write, as lists and logs may show it: text that cannot upset a terminal, reorder what stands around it, or
//! pass for a line of its own. Pure; the one place where it is decided what is escaped, and how.

use std::{borrow::Cow, fmt::Write};

/// What becomes of newlines and tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// They stay, as in the Info of MySQL's lists: a statement has several lines.
    Kept,
    /// They are escaped: a name has none, and what is logged is not to forge a line.
    Escaped,
}

/// The text with each byte of these shown as `\xNN`, the bytes of a character one after the other:
/// - what is no UTF-8;
/// - control characters: U+0000 to U+001F (newline and tab as `lines` has it), U+007F, U+0080 to U+009F;
/// - separators of lines and paragraphs: U+2028, U+2029;
/// - what changes the direction of the text around it: U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069.
///
/// Backslashes stay as they are, so that what was escaped is not escaped again. Borrows if there is nothing to do.
pub(crate) fn escaped(bytes: &[u8], lines: Lines) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_clean(text, lines) => Cow::Borrowed(text),
        _ => {
            let mut out = String::with_capacity(bytes.len() + 16);
            escape_into(&mut out, bytes, lines);
            Cow::Owned(out)
        }
    }
}

/// Whether a text can be shown as it is.
pub(crate) fn is_clean(text: &str, lines: Lines) -> bool {
    // Printable ASCII is nearly all that there is.
    text.bytes().all(|b| matches!(b, b' '..=b'~')) || !text.chars().any(|c| is_unprintable(c, lines))
}

fn is_unprintable(c: char, lines: Lines) -> bool {
    match c {
        '\n' | '\t' => lines == Lines::Escaped,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

/// Adds the text to `out`, escaped.
pub(crate) fn escape_into(out: &mut String, bytes: &[u8], lines: Lines) {
    let hex = |out: &mut String, bytes: &[u8]| {
        for b in bytes {
            write!(out, "\\x{b:02X}").expect("a String takes whatever is written");
        }
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_unprintable(c, lines) {
                hex(out, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                out.push(c);
            }
        }
        hex(out, chunk.invalid());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_upset_a_reader_is_shown_in_hexadecimal() {
        for (bytes, expected) in [
            (&b"plain 'text'; \\x00 \\n"[..], "plain 'text'; \\x00 \\n"),
            ("äöü 漢字 👩‍🔬".as_bytes(), "äöü 漢字 👩‍🔬"),
            (b"a\0\r\x1b[0m\x7f", "a\\x00\\x0D\\x1B[0m\\x7F"),
            ("\u{80}\u{85}\u{9b}ä\u{a0}".as_bytes(), "\\xC2\\x80\\xC2\\x85\\xC2\\x9Bä\u{a0}"),
            ("a\u{202e}b\u{2066}c\u{2069}d\u{61c}e\u{200f}".as_bytes(), {
                "a\\xE2\\x80\\xAEb\\xE2\\x81\\xA6c\\xE2\\x81\\xA9d\\xD8\\x9Ce\\xE2\\x80\\x8F"
            }),
            ("a\u{2028}b\u{2029}".as_bytes(), "a\\xE2\\x80\\xA8b\\xE2\\x80\\xA9"),
            (b"\xff\xc3 \xed\xaf\xb3", "\\xFF\\xC3 \\xED\\xAF\\xB3"),
        ] {
            assert_eq!(escaped(bytes, Lines::Kept), expected);
            assert_eq!(escaped(bytes, Lines::Escaped), expected);
        }
        assert!(matches!(escaped(b"a\n\tb", Lines::Kept), Cow::Borrowed("a\n\tb")));
        assert_eq!(escaped(b"a\n\tb", Lines::Escaped), "a\\x0A\\x09b");
    }

    proptest! {
        #[test]
        fn any_bytes_become_clean_text_once(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "\\PC*\\p{C}*.*") {
            for bytes in [&bytes[..], text.as_bytes()] {
                for lines in [Lines::Kept, Lines::Escaped] {
                    let once = escaped(bytes, lines);
                    prop_assert!(is_clean(&once, lines));
                    prop_assert!(once.chars().all(|c| !c.is_control() || (lines == Lines::Kept && "\n\t".contains(c))));
                    prop_assert_eq!(escaped(once.as_bytes(), lines), once.clone(), "a second time changes nothing");
                }
            }
        }
    }
}

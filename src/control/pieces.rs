//! Statements, and the pieces of some, in strings and comments: what dynamic SQL is made of.

use super::{
    lexer::is_space,
    secrets::is_any,
    sensitive::{is_name, is_secret, keyword},
};

/// Whether a string or a comment seems to hold a statement with a secret: a keyword, and a literal after it, or an
/// `IDENTIFIED BY` with more behind it than a `?`.
pub(super) fn holds_statement(text: &[u8]) -> bool {
    keyword(text).is_some_and(|at| {
        let rest = &text[at..];
        rest.iter().any(|b| matches!(b, b'\'' | b'"' | b'\\'))
            || rest.windows(2).any(|two| two == b"0x")
            || identified(rest).is_some_and(has_secret)
    })
}

/// Whether a string ends where a secret is to follow: in an `IDENTIFIED … BY`, or in the name of a secret and an equals
/// sign or a parenthesis.
pub(super) fn opens_clause(text: &[u8]) -> bool {
    let is_sign = |b: &u8| is_space(*b) || matches!(b, b'\'' | b'"' | b'`' | b'\\' | b'=' | b':' | b'(');
    let signs = text.iter().rev().take_while(|b| is_sign(b)).count();
    let (text, signs) = text.split_at(text.len() - signs);
    let name = text.iter().rev().take_while(|b| is_name(**b)).count();
    let name = &text[text.len() - name..];
    let named = is_secret(name);
    (named && signs.iter().any(|b| matches!(b, b'=' | b':' | b'(')))
        || ((named || is_any(name, &["BY", "AS", "USING"])) && identified(text).is_some())
}

/// What follows the first `IDENTIFIED`.
fn identified(text: &[u8]) -> Option<&[u8]> {
    const WORD: &[u8] = b"identified";
    let at = text.windows(WORD.len()).position(|window| window.eq_ignore_ascii_case(WORD))?;
    Some(&text[at + WORD.len()..])
}

/// Whether a secret follows a `BY`.
fn has_secret(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    let Some((by, rest)) = rest.split_at_checked(2) else { return false };
    let secret = rest.trim_ascii_start();
    by.eq_ignore_ascii_case(b"by") && rest.first().is_some_and(|b| is_space(*b)) && !matches!(secret, [] | [b'?', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_that_end_before_a_secret_are_known() {
        for text in [
            "CREATE USER u IDENTIFIED BY ",
            "CREATE USER u IDENTIFIED BY '",
            "CREATE USER u identified with p as",
            "CREATE USER u IDENTIFIED BY PASSWORD ",
            "SET PASSWORD = ",
            "SET PASSWORD=PASSWORD(\"",
            "x password:",
        ] {
            assert!(opens_clause(text.as_bytes()), "{text}");
        }
        for text in ["", "password", " = ", "n = ", "token_type = ", "GROUP BY ", "a password ", "IDENTIFIED BY x"] {
            assert!(!opens_clause(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn strings_with_a_secret_of_a_statement_are_known() {
        for (text, holds) in [
            ("SET PASSWORD = 'a'", true),
            ("SET PASSWORD = 0x61", true),
            ("CREATE USER u IDENTIFIED  BY a", true),
            ("CREATE USER u IDENTIFIED BY ?", false),
            ("CREATE USER u IDENTIFIED BY ", false),
            ("CREATE USER u IDENTIFIED", false),
            ("SELECT 'a'", false),
        ] {
            assert_eq!(holds_statement(text.as_bytes()), holds, "{text}");
        }
    }
}

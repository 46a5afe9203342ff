//! Parameters put into a statement's text, for servers whose engine knows no parameters.

use crate::{
    control::{Escapes, Lexer, Syntax, TokenKind},
    model::{OwnedValue, SqlError},
};

/// So many parameters a statement may have: an answer to its preparation counts them in two bytes.
const MOST: usize = 0xffff;

/// How an engine reads strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strings {
    /// A backslash escapes what follows it, and a quote is doubled: MySQL and MariaDB by default.
    BackslashEscapes,
    /// A backslash is a character as any other, and a quote is doubled: the standard, SQLite, PostgreSQL, and MySQL with
    /// `NO_BACKSLASH_ESCAPES`.
    Standard,
}

impl Strings {
    fn lexer<'a>(self, sql: &'a [u8], syntax: &Syntax) -> Lexer<'a> {
        Lexer::new(sql, syntax).escapes(match self {
            Strings::BackslashEscapes => Escapes::All,
            Strings::Standard => Escapes::None,
        })
    }
}

/// Where the parameters of a statement stand: each `?` outside of strings, names and comments, by its byte. `strings`:
/// how the engine reads those of the statement.
///
/// # Errors
/// 1390 if there are more than 65,535. It is found before a place is kept for them.
pub fn placeholders(sql: &[u8], syntax: &Syntax, strings: Strings) -> Result<Vec<usize>, SqlError> {
    let mut lexer = strings.lexer(sql, syntax);
    let mut places = Vec::new();
    loop {
        let token = lexer.next_token();
        match token.kind {
            TokenKind::End => return Ok(places),
            TokenKind::Symbol(b'?') if places.len() == MOST => return Err(SqlError::too_many_placeholders()),
            TokenKind::Symbol(b'?') => places.push(token.start),
            _ => {}
        }
    }
}

/// The statement with a literal in the place of each parameter. Those for which there is no value are left.
///
/// A value stays within its literal, and a literal stands apart from its neighbours, for every engine that reads strings
/// as `strings` says: a wrong choice there lets a text out of its quotes. A negative number is in parentheses, so that a
/// minus before it makes no comment; for the same reason two minus signs of the statement's own, which MySQL reads as
/// such (`1--x`), are set apart.
///
/// Everything else of the statement stays as it is, and is up to the engine, which must see the same strings, names and
/// comments in it that MySQL sees. A `'` in a comment after `#` or in a name between backquotes, for example, begins a
/// string where these are none, and then what follows is turned inside out. Of the literals, `x'…'` is a string of bytes to
/// MySQL, MariaDB and SQLite, but one of bits to PostgreSQL. A NUL in a text stays: SQLite ends the statement there, which
/// is then an error.
pub fn bind(sql: &[u8], values: &[OwnedValue], syntax: &Syntax, strings: Strings) -> Vec<u8> {
    let mut out = Vec::with_capacity(sql.len() + 8 * values.len());
    let (mut lexer, mut values, mut from) = (strings.lexer(sql, syntax), values.iter(), 0);
    loop {
        let token = lexer.next_token();
        let rest = &sql[token.end..];
        match token.kind {
            TokenKind::End => break,
            TokenKind::Symbol(b'-') if rest.starts_with(b"-") => {
                out.extend_from_slice(&sql[from..token.end]);
                out.push(b' ');
                from = token.end;
            }
            TokenKind::Symbol(b'?') => {
                let Some(value) = values.next() else { continue };
                out.extend_from_slice(&sql[from..token.start]);
                from = token.end;
                if out.last().is_some_and(|b| !b.is_ascii_whitespace() && !matches!(b, b'(' | b',')) {
                    out.push(b' ');
                }
                literal(&mut out, value, strings, lexer.in_executable_comment());
                if rest.first().is_some_and(|b| !b.is_ascii_whitespace() && !matches!(b, b')' | b',' | b';')) {
                    out.push(b' ');
                }
            }
            _ => {}
        }
    }
    out.extend_from_slice(&sql[from..]);
    out
}

/// A value as SQL writes it.
fn literal(out: &mut Vec<u8>, value: &OwnedValue, strings: Strings, in_comment: bool) {
    match value {
        OwnedValue::Null => out.extend_from_slice(b"NULL"),
        OwnedValue::Int(v) => number(out, &v.to_string()),
        OwnedValue::UInt(v) => number(out, &v.to_string()),
        OwnedValue::Float(v) if v.is_finite() => number(out, &format!("{v:e}")),
        OwnedValue::Double(v) if v.is_finite() => number(out, &format!("{v:e}")),
        // SQL has none of these.
        OwnedValue::Float(_) | OwnedValue::Double(_) => out.extend_from_slice(b"NULL"),
        OwnedValue::Decimal(v) if is_number(v) => number(out, v),
        OwnedValue::Decimal(v) | OwnedValue::Text(v) => text(out, v.as_bytes(), strings, in_comment),
        OwnedValue::Date(v) => text(out, v.to_string().as_bytes(), strings, in_comment),
        OwnedValue::DateTime(v) => text(out, v.to_string().as_bytes(), strings, in_comment),
        OwnedValue::Time(v) => text(out, v.to_string().as_bytes(), strings, in_comment),
        OwnedValue::Bytes(v) => bytes(out, v),
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().filter(|b| *b == b'.').count() <= 1
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Bare where it can be: MySQL allows no parentheses after `LIMIT`, and no negative number either.
fn number(out: &mut Vec<u8>, digits: &str) {
    let negative = digits.starts_with('-');
    out.extend(negative.then_some(b'('));
    out.extend_from_slice(digits.as_bytes());
    out.extend(negative.then_some(b')'));
}

/// `in_comment`: the literal stands in an executable comment, which is an ordinary one to others than MySQL and must not
/// end for them, nor another begin, in the middle of the text. Two strings side by side are one to MySQL.
fn text(out: &mut Vec<u8>, text: &[u8], strings: Strings, in_comment: bool) {
    out.reserve(text.len() + 2);
    out.push(b'\'');
    let mut before = 0;
    for &byte in text {
        match (before, byte) {
            (_, b'\'') => out.push(b'\''),
            (_, b'\\') if strings == Strings::BackslashEscapes => out.push(b'\\'),
            (b'*', b'/') | (b'/', b'*') if in_comment => out.extend_from_slice(b"' '"),
            _ => {}
        }
        out.push(byte);
        before = byte;
    }
    out.push(b'\'');
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |half: u8| DIGITS[usize::from(half)];
    out.reserve(2 * bytes.len() + 3);
    out.extend_from_slice(b"x'");
    bytes.iter().for_each(|byte| out.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]));
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use Strings::{BackslashEscapes, Standard};
    use proptest::prelude::*;
    use sqlparser::{
        dialect::{Dialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect},
        tokenizer::{Token, Tokenizer},
    };

    use super::*;

    fn bound_for(sql: &str, values: &[OwnedValue], strings: Strings) -> String {
        String::from_utf8(bind(sql.as_bytes(), values, &Syntax::default(), strings)).unwrap()
    }

    fn bound(sql: &str, values: &[OwnedValue]) -> String {
        bound_for(sql, values, BackslashEscapes)
    }

    #[test]
    fn parameters_stand_outside_of_strings_names_and_comments() {
        let sql = "SELECT ?, '?', \"?\", `?` /* ? */ -- ?\n + ?";
        for strings in [BackslashEscapes, Standard] {
            assert_eq!(placeholders(sql.as_bytes(), &Syntax::default(), strings).unwrap(), [7, sql.len() - 1]);
        }
        assert_eq!(
            bound(sql, &[OwnedValue::Int(1), OwnedValue::Null]),
            "SELECT 1, '?', \"?\", `?` /* ? */ -- ?\n + NULL"
        );
    }

    #[test]
    fn the_strings_of_the_statement_end_where_the_engine_ends_them() {
        let (sql, x) = (r"SELECT '\', ?, ' \' ?", [OwnedValue::Text("x".into())]);
        assert_eq!(bound_for(sql, &x, Standard), r"SELECT '\', 'x', ' \' ?");
        assert_eq!(bound_for(sql, &x, BackslashEscapes), r"SELECT '\', ?, ' \' ?", "a string that does not end");
        assert_eq!(bound_for(r"'\'' ?", &x, BackslashEscapes), r"'\'' 'x'");
    }

    #[test]
    fn a_statement_has_as_many_parameters_as_can_be_counted() {
        let count = |most: usize| placeholders(&vec![b'?'; most], &Syntax::default(), Standard);
        assert_eq!(count(MOST).unwrap().len(), 65_535);
        assert_eq!(count(MOST + 1).unwrap_err().code(), 1390);
    }

    #[test]
    fn literals_are_sqls() {
        for (value, literal) in [
            (OwnedValue::UInt(u64::MAX), "18446744073709551615"),
            (OwnedValue::Int(i64::MIN), "(-9223372036854775808)"),
            (OwnedValue::Double(0.5), "5e-1"),
            (OwnedValue::Double(-0.0), "(-0e0)"),
            (OwnedValue::Double(f64::NAN), "NULL"),
            (OwnedValue::Decimal("-1.50".into()), "(-1.50)"),
            (OwnedValue::Decimal("1 OR 1".into()), "'1 OR 1'"),
            (OwnedValue::Text("it's \\ \0".into()), "'it''s \\\\ \0'"),
            (OwnedValue::Bytes(vec![0, 0xff, 0x5c]), "x'00ff5c'"),
            (OwnedValue::Date("2024-02-29".parse().unwrap()), "'2024-02-29'"),
        ] {
            assert_eq!(bound("?", &[value]), literal);
        }
        assert_eq!(bound_for("?", &[OwnedValue::Text("it's \\ \0".into())], Standard), "'it''s \\ \0'");
        assert_eq!(bound("? ?", &[OwnedValue::Int(1)]), "1 ?");
    }

    #[test]
    fn literals_stand_apart_from_their_neighbours() {
        let (one, minus, x) = (OwnedValue::Int(1), OwnedValue::Int(-1), OwnedValue::Text("x".into()));
        for (sql, value, expected) in [
            ("SELECT -?, ?", &minus, "SELECT - (-1), (-1)"),
            ("SELECT?", &one, "SELECT 1"),
            ("SELECT 1--?", &one, "SELECT 1- - 1"),
            ("SELECT 1---?--?", &minus, "SELECT 1- - - (-1) - - (-1)"),
            ("SELECT N?", &x, "SELECT N 'x'"),
            ("SELECT 'a'?'b'", &x, "SELECT 'a' 'x' 'b'"),
            ("x=?AND y", &one, "x= 1 AND y"),
            ("/*!?*/", &one, "/*! 1 */"),
            ("x IN (?,?)", &x, "x IN ('x','x')"),
            ("LIMIT ?, ?;", &one, "LIMIT 1, 1;"),
            ("INTERVAL ? DAY", &minus, "INTERVAL (-1) DAY"),
            ("??", &one, "1 1"),
        ] {
            assert_eq!(bound(sql, &[value.clone(), value.clone()]), expected);
        }
    }

    /// MySQL's with `NO_BACKSLASH_ESCAPES`.
    #[derive(Debug)]
    struct PlainMySql;

    impl Dialect for PlainMySql {
        fn dialect(&self) -> TypeId {
            MySqlDialect {}.dialect()
        }

        fn is_identifier_start(&self, c: char) -> bool {
            MySqlDialect {}.is_identifier_start(c)
        }

        fn is_identifier_part(&self, c: char) -> bool {
            MySqlDialect {}.is_identifier_part(c)
        }

        fn is_delimited_identifier_start(&self, c: char) -> bool {
            MySqlDialect {}.is_delimited_identifier_start(c)
        }
    }

    fn read(dialect: &dyn Dialect, sql: &str) -> Vec<Token> {
        let tokens = Tokenizer::new(dialect, sql).tokenize().unwrap_or_else(|error| panic!("{error}: {sql:?}"));
        tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect()
    }

    /// What the standard sees outside of comments: strings, with their contents, and the bytes around them.
    #[derive(Clone, Debug, PartialEq)]
    enum Seen {
        Byte(u8),
        Blank,
        String(String),
        /// A string or a comment that does not end.
        Open,
    }

    fn scan(sql: &str, nested: bool) -> Vec<Seen> {
        let (mut rest, mut seen) = (sql, Vec::new());
        while let Some(first) = rest.chars().next() {
            if let Some(mut inside) = rest.strip_prefix('\'') {
                let mut content = String::new();
                loop {
                    let Some((part, after)) = inside.split_once('\'') else { return vec![Seen::Open] };
                    content += part;
                    match after.strip_prefix('\'') {
                        Some(more) => (content, inside) = (content + "'", more),
                        None => break rest = after,
                    }
                }
                seen.push(Seen::String(content));
            } else if rest.starts_with("--") {
                rest = rest.split_once('\n').map_or("", |(_, after)| after);
                seen.push(Seen::Blank);
            } else if let Some(inside) = rest.strip_prefix("/*") {
                let (mut depth, mut at) = (1, inside);
                while depth > 0 {
                    (depth, at) = match at {
                        "" => return vec![Seen::Open],
                        _ if at.starts_with("*/") => (depth - 1, &at[2..]),
                        _ if nested && at.starts_with("/*") => (depth + 1, &at[2..]),
                        _ => (depth, &at[at.chars().next().map_or(0, char::len_utf8)..]),
                    };
                }
                rest = at;
                seen.push(Seen::Blank);
            } else {
                rest = &rest[first.len_utf8()..];
                let byte = u8::try_from(first).unwrap();
                seen.push(if byte.is_ascii_whitespace() { Seen::Blank } else { Seen::Byte(byte) });
            }
        }
        seen.retain(|one| *one != Seen::Blank);
        seen
    }

    /// `plain`, with what stands for each `?` in its place.
    fn spliced<T: Clone>(plain: Vec<T>, is_place: impl Fn(&T) -> bool, literals: &[Vec<T>; 2]) -> Vec<T> {
        let mut literals = literals.iter().cycle();
        let put = |one: T| if is_place(&one) { literals.next().unwrap().clone() } else { vec![one] };
        plain.into_iter().flat_map(put).collect()
    }

    fn value() -> impl Strategy<Value = OwnedValue> {
        prop_oneof![
            4 => "[?'\"`\\\\/* \\-\n\0a#;$]{0,30}".prop_map(OwnedValue::Text),
            1 => "-?[0-9'\\-]{0,4}\\.?[0-9\\-]{0,3}".prop_map(OwnedValue::Decimal),
            1 => any::<i64>().prop_map(OwnedValue::Int),
            1 => any::<f64>().prop_map(OwnedValue::Double),
            1 => prop::collection::vec(any::<u8>(), 0..5).prop_map(OwnedValue::Bytes),
        ]
    }

    /// Statements, and the same with blanks wherever they can be.
    const STATEMENTS: [(&str, &str); 9] = [
        ("SELECT -?, ?", "SELECT - ? , ?"),
        ("SELECT?AND?", "SELECT ? AND ?"),
        ("SELECT 1--?\n, 2---?", "SELECT 1 - - ? , 2 - - - ?"),
        ("SELECT N?, E?", "SELECT N ? , E ?"),
        ("SELECT x?,b?", "SELECT x ? , b ?"),
        ("x IN(?,?)-1", "x IN ( ? , ? ) - 1"),
        ("x=?-?", "x = ? - ?"),
        ("'a'?/ 'b'?;", "'a' ? / 'b' ? ;"),
        ("f(?)LIMIT ?", "f ( ? ) LIMIT ?"),
    ];

    proptest! {
        /// Whatever reads the statement, it sees the statement's own tokens around the literals, and a text in its
        /// literal alone.
        #[test]
        fn values_do_not_get_out_of_their_places(values in [value(), value()], statement in 0..STATEMENTS.len()) {
            let (sql, plain) = STATEMENTS[statement];
            let dialects: [(&dyn Dialect, Strings); 4] = [
                (&MySqlDialect {}, BackslashEscapes),
                (&PlainMySql, Standard),
                (&SQLiteDialect {}, Standard),
                (&PostgreSqlDialect {}, Standard),
            ];
            for (dialect, strings) in dialects {
                let alone = values.clone().map(|value| read(dialect, &bound_for("?", &[value], strings)));
                for (value, alone) in values.iter().zip(&alone) {
                    if let OwnedValue::Text(text) = value {
                        prop_assert_eq!(alone, &[Token::SingleQuotedString(text.clone())]);
                    }
                }
                let expected = spliced(read(dialect, plain), |token| token.to_string() == "?", &alone);
                prop_assert_eq!(read(dialect, &bound_for(sql, &values, strings)), expected, "{:?}", dialect);
            }
            for nested in [false, true] {
                let alone = values.clone().map(|value| scan(&bound_for("?", &[value], Standard), nested));
                let expected = spliced(scan(plain, nested), |seen| *seen == Seen::Byte(b'?'), &alone);
                prop_assert_eq!(scan(&bound_for(sql, &values, Standard), nested), expected);
            }
        }

        /// An executable comment stays one comment to those to whom it is none of theirs, and the text is whole to MySQL.
        #[test]
        fn a_text_in_an_executable_comment_stays_there(text in "[/*'\\\\ab\n\\-]{0,20}") {
            let value = [OwnedValue::Text(text.clone())];
            for strings in [BackslashEscapes, Standard] {
                let bound = bound_for("DO /*!40101 ?*/ 1", &value, strings);
                for nested in [false, true] {
                    prop_assert_eq!(scan(&bound, nested), scan("DO 1", nested));
                }
            }
            let bound = bound_for("/*!40101 ?*/", &value, BackslashEscapes);
            let (mut lexer, mut read) = (Lexer::new(bound.as_bytes(), &Syntax::default()), Vec::new());
            loop {
                match lexer.next_token().kind {
                    TokenKind::Str(string) => read.extend_from_slice(&string.decode()),
                    end => break prop_assert_eq!(end, TokenKind::End),
                }
            }
            prop_assert_eq!(read, text.into_bytes());
        }
    }
}

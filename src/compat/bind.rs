//! Parameters put into a statement's text, for servers whose engine knows no parameters.

use crate::{
    control::{Lexer, Syntax, TokenKind},
    model::{OwnedValue, SqlError},
};

/// So many parameters a statement may have: an answer to its preparation counts them in two bytes.
const MOST: usize = 0xffff;

/// Where the parameters of a statement stand: each `?` outside of strings, names and comments, by its byte.
///
/// # Errors
/// 1390 if there are more than 65,535. It is found before a place is kept for them.
pub fn placeholders(sql: &[u8], syntax: &Syntax) -> Result<Vec<usize>, SqlError> {
    let mut lexer = Lexer::new(sql, syntax);
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
pub fn bind(sql: &[u8], values: &[OwnedValue], syntax: &Syntax) -> Vec<u8> {
    let mut out = Vec::with_capacity(sql.len() + 8 * values.len());
    let (mut lexer, mut values, mut from) = (Lexer::new(sql, syntax), values.iter(), 0);
    loop {
        let token = lexer.next_token();
        match token.kind {
            TokenKind::End => break,
            TokenKind::Symbol(b'?') => {
                let Some(value) = values.next() else { break };
                out.extend_from_slice(&sql[from..token.start]);
                literal(&mut out, value);
                from = token.end;
            }
            _ => {}
        }
    }
    out.extend_from_slice(&sql[from..]);
    out
}

/// A value as SQL writes it. A literal never runs into what stands beside it, and nothing in it ends it.
fn literal(out: &mut Vec<u8>, value: &OwnedValue) {
    let plain = match value {
        OwnedValue::Null => "NULL".to_owned(),
        OwnedValue::Int(v) => v.to_string(),
        OwnedValue::UInt(v) => v.to_string(),
        OwnedValue::Float(v) if v.is_finite() => format!("{v:e}"),
        OwnedValue::Double(v) if v.is_finite() => format!("{v:e}"),
        // SQL has none of these.
        OwnedValue::Float(_) | OwnedValue::Double(_) => "NULL".to_owned(),
        OwnedValue::Decimal(v) if is_number(v) => v.clone(),
        OwnedValue::Decimal(v) | OwnedValue::Text(v) => return quoted(out, v.as_bytes()),
        OwnedValue::Date(v) => format!("'{v}'"),
        OwnedValue::DateTime(v) => format!("'{v}'"),
        OwnedValue::Time(v) => format!("'{v}'"),
        OwnedValue::Bytes(v) => v.iter().fold("x'".to_owned(), |hex, byte| hex + &format!("{byte:02x}")) + "'",
    };
    out.extend_from_slice(plain.as_bytes());
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().filter(|b| *b == b'.').count() <= 1
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'\'');
    for byte in text {
        match byte {
            b'\'' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            0 => out.extend_from_slice(b"\\0"),
            other => out.push(*other),
        }
    }
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bound(sql: &str, values: &[OwnedValue]) -> String {
        String::from_utf8(bind(sql.as_bytes(), values, &Syntax::default())).unwrap()
    }

    #[test]
    fn parameters_stand_outside_of_strings_names_and_comments() {
        let sql = "SELECT ?, '?', \"?\", `?` /* ? */ -- ?\n + ?";
        assert_eq!(placeholders(sql.as_bytes(), &Syntax::default()).unwrap(), [7, sql.len() - 1]);
        assert_eq!(
            bound(sql, &[OwnedValue::Int(-1), OwnedValue::Null]),
            "SELECT -1, '?', \"?\", `?` /* ? */ -- ?\n + NULL"
        );
    }

    #[test]
    fn a_statement_has_as_many_parameters_as_can_be_counted() {
        let most = vec![b'?'; MOST];
        assert_eq!(placeholders(&most, &Syntax::default()).unwrap().len(), 65_535);
        let more = vec![b'?'; MOST + 1];
        assert_eq!(placeholders(&more, &Syntax::default()).unwrap_err().code(), 1390);
    }

    #[test]
    fn literals_are_sqls() {
        for (value, literal) in [
            (OwnedValue::UInt(u64::MAX), "18446744073709551615"),
            (OwnedValue::Double(0.5), "5e-1"),
            (OwnedValue::Double(f64::NAN), "NULL"),
            (OwnedValue::Decimal("-1.50".into()), "-1.50"),
            (OwnedValue::Decimal("1 OR 1".into()), "'1 OR 1'"),
            (OwnedValue::Text("it's \\ \0".into()), "'it\\'s \\\\ \\0'"),
            (OwnedValue::Bytes(vec![0, 0xff]), "x'00ff'"),
            (OwnedValue::Date("2024-02-29".parse().unwrap()), "'2024-02-29'"),
        ] {
            assert_eq!(bound("?", &[value]), literal);
        }
        assert_eq!(bound("? ?", &[OwnedValue::Int(1)]), "1 ?");
    }

    proptest! {
        /// No text, however made, gets out of its quotes.
        #[test]
        fn a_text_stays_one_string(text in "[?'\"`\\\\/* \\-\n\0a#;]{0,30}") {
            let bound = bind(b"DO ?", &[OwnedValue::Text(text.clone())], &Syntax::default());
            let mut lexer = Lexer::new(&bound, &Syntax::default());
            lexer.next_token();
            let TokenKind::Str(string) = lexer.next_token().kind else { panic!("a string") };
            prop_assert_eq!(string.decode().into_owned(), text.into_bytes());
            prop_assert_eq!(lexer.next_token().kind, TokenKind::End);
        }
    }
}

//! A statement as SQLite is to read it.
//!
//! It is passed on as typed but for what SQLite reads in another way than the client meant it. That is no nicety: a
//! client that puts values into its statements escapes the quotes in them with backslashes, which SQLite does not know. A
//! text would get out of its quotes.

use killdeer::{
    SqlError,
    control::{Lexer, Syntax, TokenKind, syntax_error},
};

/// The statement with strings as the standard writes them (`'it\'s'` and `"it's"` are `'it''s'`; what is no UTF-8, or comes
/// after `_binary`, is a blob), without comments (`#` begins none in SQLite), and with what MySQL's executable comments
/// hold.
///
/// # Errors
/// 1064: a quote or a comment is not closed, or there are bytes outside of strings that are no text.
pub fn for_sqlite(sql: &[u8]) -> Result<String, SqlError> {
    let mut lexer = Lexer::new(sql, &Syntax::default());
    let mut out = Vec::with_capacity(sql.len());
    let (mut from, mut binary) = (0, false);
    loop {
        let token = lexer.next_token();
        let typed = &sql[token.start..token.end];
        let between = &sql[from..token.start];
        match between.iter().all(u8::is_ascii_whitespace) {
            true => out.extend_from_slice(between),
            false => out.push(b' '),
        }
        from = token.end;
        match token.kind {
            TokenKind::End => break,
            TokenKind::Unterminated => return Err(syntax_error(sql, token.start)),
            TokenKind::Str(text) => {
                let plain = text.quote == Some(b'\'') && typed.starts_with(b"'") && !text.raw.contains(&b'\\');
                if binary || !plain || std::str::from_utf8(text.raw).is_err() || text.raw.contains(&0) {
                    out.push(b' ');
                    string(&mut out, &text.decode(), binary);
                } else {
                    out.extend_from_slice(typed);
                }
            }
            // `1--1` is no comment to MySQL.
            TokenKind::Symbol(b'-') if out.last() == Some(&b'-') => out.extend_from_slice(b" -"),
            TokenKind::Word(word) if word.eq_ignore_ascii_case(b"_binary") && string_next(lexer) => {
                binary = true;
                continue;
            }
            _ => out.extend_from_slice(typed),
        }
        binary = false;
    }
    // A NUL would be the end of the statement to SQLite.
    match String::from_utf8(out) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(syntax_error(sql, 0)),
    }
}

fn string_next(mut lexer: Lexer<'_>) -> bool {
    matches!(lexer.next_token().kind, TokenKind::Str(_))
}

fn string(out: &mut Vec<u8>, bytes: &[u8], binary: bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !binary && !text.contains('\0') => {
            out.push(b'\'');
            out.extend_from_slice(text.replace('\'', "''").as_bytes());
            out.push(b'\'');
        }
        Ok(_) if !binary => {
            out.extend_from_slice(b"CAST(");
            blob(out, bytes);
            out.extend_from_slice(b" AS TEXT)");
        }
        _ => blob(out, bytes),
    }
}

fn blob(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"x'");
    for byte in bytes {
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out.push(b'\'');
}

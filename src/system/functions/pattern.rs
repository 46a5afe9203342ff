//! `LIKE` and `REGEXP`.

use std::sync::Arc;

use regex_lite::{Regex, RegexBuilder};
use rusqlite::{Result, types::Value};

use super::call::Call;
use crate::model::{ErrorKind, SqlError};

/// The longest regular expression, in bytes.
const LONGEST: usize = 1 << 10;

/// What a regular expression may cost: bytes of it times bytes of the text. Beyond a second or so.
const COST: usize = 1 << 27;

/// So many steps of a comparison come between two looks at whether it is to end.
const STEPS: u64 = 1 << 16;

/// `like(pattern, text [, escape])`, as SQLite calls it. A backslash escapes, unless another character is said to.
pub(super) fn like(call: &Call<'_, '_>) -> Result<Value> {
    let (Some(pattern), Some(text)) = (call.text(0), call.text(1)) else { return Ok(Value::Null) };
    let escape = if call.count() == 3 { call.text(2).unwrap_or_default() } else { "\\".into() };
    let mut escapes = escape.chars();
    let (escape, None) = (escapes.next(), escapes.next()) else {
        return Err(call.refuse(SqlError::of(ErrorKind::WrongArguments, "Incorrect arguments to ESCAPE")));
    };
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            _ if Some(c) == escape => Piece::Is(fold(chars.next().unwrap_or(c))),
            '%' => Piece::Any,
            '_' => Piece::One,
            c => Piece::Is(fold(c)),
        });
    }
    let text: Vec<char> = text.chars().map(fold).collect();
    let check = |steps| {
        call.environment.works(8 * steps);
        call.check()
    };
    Ok(Value::Integer(i64::from(matches(&pieces, &text, check)?)))
}

/// A character of a pattern.
#[derive(Clone, Copy)]
enum Piece {
    Is(char),
    One,
    Any,
}

/// Letters of both cases are the same.
fn fold(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

/// Goes back to the last `%` only: what an earlier one left over, the last one can leave over too.
fn matches(pattern: &[Piece], text: &[char], check: impl Fn(u64) -> Result<()>) -> Result<bool> {
    let (mut p, mut t, mut back, mut steps) = (0, 0, None, 0u64);
    while t < text.len() {
        steps += 1;
        if steps.is_multiple_of(STEPS) {
            check(STEPS)?;
        }
        match pattern.get(p) {
            Some(Piece::Any) => {
                p += 1;
                back = Some((p, t));
            }
            Some(Piece::One) => (p, t) = (p + 1, t + 1),
            Some(Piece::Is(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match &mut back {
                None => return Ok(false),
                Some((after, from)) => {
                    *from += 1;
                    (p, t) = (*after, *from);
                }
            },
        }
    }
    Ok(pattern[p..].iter().all(|piece| matches!(piece, Piece::Any)))
}

/// `regexp(expression, text)`, as SQLite calls it.
pub(super) fn regexp(call: &Call<'_, '_>) -> Result<Value> {
    search(call, 0, 1, true)
}

/// `REGEXP_LIKE(text, expression [, flags])`.
pub(super) fn regexp_like(call: &Call<'_, '_>) -> Result<Value> {
    let flags = if call.count() == 3 { call.text(2) } else { Some("".into()) };
    let Some(flags) = flags else { return Ok(Value::Null) };
    search(call, 1, 0, !flags.contains('c'))
}

fn search(call: &Call<'_, '_>, expression: usize, text: usize, insensitive: bool) -> Result<Value> {
    let (Some(source), Some(text)) = (call.text(expression), call.text(text)) else { return Ok(Value::Null) };
    if source.len() > LONGEST || source.len().saturating_mul(text.len()) > COST {
        return Err(call.refuse(SqlError::of(ErrorKind::RegexTimeout, "Timeout exceeded in regular expression match.")));
    }
    call.environment.works(source.len().saturating_mul(text.len()) as u64);
    call.check()?;
    let regex: Arc<Regex> = call.kept(expression, || {
        RegexBuilder::new(&source).case_insensitive(insensitive).size_limit(1 << 20).build().map_err(|error| {
            SqlError::of(ErrorKind::RegexError, format!("Illegal argument to a regular expression: {error}"))
        })
    })?;
    Ok(Value::Integer(i64::from(regex.is_match(&text))))
}

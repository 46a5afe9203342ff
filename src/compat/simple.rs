//! Simple forms of SELECT that a server may want to recognise for functions of its own, without a parser of its own.

use sqlparser::{ast::Expr, tokenizer::Token};

use super::{
    cursor::Cursor,
    expression::literal,
    prefilter::{behind_quote, body, first_word, skip_blanks},
    select::limit,
    stop::{Found, Stop},
};
use crate::model::OwnedValue;

/// A SELECT of one of the simple forms.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Simple {
    /// `SELECT name(arguments) [AS alias] [, literal [AS alias]] …`.
    Call {
        /// The function's name as typed.
        name: String,
        /// What stands between its parentheses.
        args: Vec<Argument>,
        /// What MySQL would call the column: the call as typed, or the alias.
        header: String,
        /// The literals behind the call, each with what MySQL would call its column.
        beside: Vec<(String, OwnedValue)>,
    },
    /// `SELECT * FROM name(arguments) [AS alias] [LIMIT n]`.
    TableFunction {
        /// The function's name as typed.
        name: String,
        /// What stands between its parentheses.
        args: Vec<Argument>,
        /// How many rows are wanted at most.
        limit: Option<u64>,
    },
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A literal.
    Value(OwnedValue),
    /// Anything else, as typed: [`ClientState::evaluate`](super::ClientState::evaluate) may know what it is worth.
    Expression(String),
}

impl Argument {
    /// The literal, if it is one.
    pub fn value(&self) -> Option<&OwnedValue> {
        match self {
            Argument::Value(value) => Some(value),
            Argument::Expression(_) => None,
        }
    }
}

/// Recognises `SELECT f(…)`, with literals behind it or without, and `SELECT * FROM f(…)`. `None` for everything else, which costs a few nanoseconds unless
/// it begins like one of them.
pub fn parse_simple(sql: &str) -> Option<Simple> {
    if sql.len() > 64 << 10 {
        return None;
    }
    let body = body(sql);
    let (word, rest) = first_word(body);
    if !word.eq_ignore_ascii_case("SELECT") || !promising(rest) {
        return None;
    }
    Cursor::new(body).and_then(parse).ok()
}

/// Whether a call follows and no table, or `* FROM` and a call.
fn promising(rest: &str) -> bool {
    let start = behind_blanks(rest);
    let Some(after) = start.strip_prefix('*') else {
        return behind_call(start).is_some_and(|tail| {
            let (word, after) = first_word(tail);
            match word {
                "" => tail.is_empty() || tail.starts_with([';', ',', '`', '\'', '"']),
                _ if word.eq_ignore_ascii_case("FROM") => {
                    first_word(behind_blanks(after)).0.eq_ignore_ascii_case("DUAL")
                }
                _ => true,
            }
        });
    };
    let (word, after) = first_word(behind_blanks(after));
    word.eq_ignore_ascii_case("FROM") && behind_call(behind_blanks(after)).is_some()
}

/// What follows `name(…)`.
fn behind_call(text: &str) -> Option<&str> {
    let (name, after) = first_word(text.strip_prefix('`').unwrap_or(text));
    let call = behind_blanks(after.strip_prefix('`').unwrap_or(after));
    if name.is_empty() || !call.starts_with('(') {
        return None;
    }
    let (bytes, mut at, mut depth) = (call.as_bytes(), 0, 0usize);
    while let Some(&b) = bytes.get(at) {
        match b {
            b'\'' | b'"' | b'`' => {
                at = behind_quote(bytes, at);
                continue;
            }
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return call.get(at..).map(behind_blanks);
        }
    }
    None
}

fn behind_blanks(text: &str) -> &str {
    &text[skip_blanks(text.as_bytes(), 0)..]
}

fn parse(mut cursor: Cursor<'_>) -> Found<Simple> {
    cursor.expect_word("SELECT")?;
    if cursor.take(&Token::Mul) {
        cursor.expect_word("FROM")?;
        let name = cursor.name()?;
        let args = arguments(&mut cursor)?;
        if cursor.word("AS") || !(cursor.sees("LIMIT") || cursor.at_end()) {
            cursor.name()?;
        }
        let limited = cursor.sees("LIMIT");
        let (offset, count) = limit(&mut cursor)?;
        cursor.end()?;
        if offset != 0 {
            return Err(Stop::NotOurs);
        }
        let limit = limited.then(|| u64::try_from(count).unwrap_or(u64::MAX));
        return Ok(Simple::TableFunction { name, args, limit });
    }
    let mark = cursor.mark();
    let name = cursor.name()?;
    let args = arguments(&mut cursor)?;
    let typed = cursor.since(mark).ok_or(Stop::NotOurs)?.to_owned();
    let header = alias(&mut cursor)?.unwrap_or(typed);
    let mut beside = Vec::new();
    while cursor.take(&Token::Comma) {
        let mark = cursor.mark();
        let expr = cursor.expression()?;
        let typed = cursor.since(mark).ok_or(Stop::NotOurs)?;
        let Argument::Value(value) = argument(&expr, typed) else { return Err(Stop::NotOurs) };
        // A text names its column by itself, without the quotes.
        let name = if let OwnedValue::Text(text) = &value { text.clone() } else { typed.to_owned() };
        beside.push((alias(&mut cursor)?.unwrap_or(name), value));
    }
    cursor.words(&["FROM", "DUAL"]);
    let (offset, count) = limit(&mut cursor)?;
    cursor.end()?;
    if offset != 0 || count == 0 {
        return Err(Stop::NotOurs);
    }
    Ok(Simple::Call { name, args, header, beside })
}

/// What a column is to be called, if the statement says so.
fn alias(cursor: &mut Cursor<'_>) -> Found<Option<String>> {
    let ends = *cursor.peek() == Token::Comma || cursor.at_end() || cursor.sees("FROM") || cursor.sees("LIMIT");
    if cursor.word("AS") || !ends { cursor.text_or_name().map(Some) } else { Ok(None) }
}

fn arguments(cursor: &mut Cursor<'_>) -> Found<Vec<Argument>> {
    cursor.expect(&Token::LParen)?;
    let mut args = Vec::new();
    if cursor.take(&Token::RParen) {
        return Ok(args);
    }
    loop {
        let mark = cursor.mark();
        let expr = cursor.expression()?;
        let typed = cursor.since(mark).ok_or(Stop::NotOurs)?;
        args.push(argument(&expr, typed));
        if !cursor.take(&Token::Comma) {
            cursor.expect(&Token::RParen)?;
            return Ok(args);
        }
    }
}

fn argument(expr: &Expr, typed: &str) -> Argument {
    use sqlparser::ast::UnaryOperator::{Minus, Plus};
    let value = match expr {
        Expr::Value(value) => literal(&value.value).ok(),
        Expr::UnaryOp { op: op @ (Minus | Plus), expr } => match (op, &**expr) {
            (op, Expr::Value(value)) => match (literal(&value.value).ok(), op) {
                (Some(OwnedValue::Int(v)), Minus) => Some(OwnedValue::Int(-v)),
                (Some(OwnedValue::Double(v)), Minus) => Some(OwnedValue::Double(-v)),
                (value @ Some(OwnedValue::Int(_) | OwnedValue::Double(_)), Plus) => value,
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    value.map_or_else(|| Argument::Expression(typed.to_owned()), Argument::Value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use OwnedValue::{Double, Int, Null, Text};

    fn call(name: &str, args: Vec<Argument>, header: &str) -> Option<Simple> {
        beside(name, args, header, vec![])
    }

    fn beside(name: &str, args: Vec<Argument>, header: &str, beside: Vec<(&str, OwnedValue)>) -> Option<Simple> {
        let beside = beside.into_iter().map(|(header, value)| (header.to_owned(), value)).collect();
        Some(Simple::Call { name: name.into(), args, header: header.into(), beside })
    }

    fn table(name: &str, n: i64, limit: Option<u64>) -> Option<Simple> {
        Some(Simple::TableFunction { name: name.into(), args: vec![Argument::Value(Int(n))], limit })
    }

    #[test]
    fn calls_and_table_functions_are_recognised() {
        let value = Argument::Value;
        let typed = |text: &str| Argument::Expression(text.into());
        for (sql, expected) in [
            ("SELECT SLEEP(0.5)", call("SLEEP", vec![value(Double(0.5))], "SLEEP(0.5)")),
            ("/* app */ select sleep ( 10 ) ;", call("sleep", vec![value(Int(10))], "sleep ( 10 )")),
            ("SELECT SLEEP(1) AS `zzz`", call("SLEEP", vec![value(Int(1))], "zzz")),
            ("SELECT SLEEP(1) zzz FROM DUAL LIMIT 1", call("SLEEP", vec![value(Int(1))], "zzz")),
            (
                "SELECT f(-1, 'a''b', NULL)",
                call("f", vec![value(Int(-1)), value(Text("a'b".into())), value(Null)], "f(-1, 'a''b', NULL)"),
            ),
            ("SELECT f()", call("f", vec![], "f()")),
            ("SELECT /*+ X */ `f`(@x)", call("f", vec![typed("@x")], "`f`(@x)")),
            (
                "SELECT BENCHMARK(1000, MD5('a'))",
                call("BENCHMARK", vec![value(Int(1000)), typed("MD5('a')")], "BENCHMARK(1000, MD5('a'))"),
            ),
            (
                "select sleep(30), 'foo'",
                beside("sleep", vec![value(Int(30))], "sleep(30)", vec![("foo", Text("foo".into()))]),
            ),
            (
                "SELECT f() a, -1, 0.5 AS half, \"b\" `c`, NULL FROM DUAL LIMIT 1",
                beside(
                    "f",
                    vec![],
                    "a",
                    vec![("-1", Int(-1)), ("half", Double(0.5)), ("c", Text("b".into())), ("NULL", Null)],
                ),
            ),
            ("SELECT f(), 'foo' AS", None),
            ("SELECT f(),", None),
            ("SELECT f(), x", None),
            ("SELECT f(), 1 FROM t", None),
            ("SELECT 1, f()", None),
            ("SELECT * FROM seq(100)", table("seq", 100, None)),
            ("select*from seq(100)t limit 5;", table("seq", 100, Some(5))),
            ("SELECT * FROM seq(100) AS t", table("seq", 100, None)),
            ("SELECT 1", None),
            ("SELECT * FROM t", None),
            ("SELECT * FROM seq(1), seq(2)", None),
            ("SELECT * FROM seq(1) WHERE n = 2", None),
            ("SELECT f(1), f(2)", None),
            ("SELECT f(1) + 1", None),
            ("SELECT f(1) FROM t", None),
            ("SELECT COUNT(*) FROM t", None),
            ("SELECT (1)", None),
            ("SELECT f(", None),
            ("INSERT INTO t VALUES (1)", None),
            ("SELECT * FROM seq(100) LIMIT 5, 5", None),
            ("", None),
        ] {
            assert_eq!(parse_simple(sql), expected, "{sql}");
        }
    }
}

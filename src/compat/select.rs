//! `SELECT`: its list of items, and its answer where no table is read. With one, `query.rs` goes on.

use sqlparser::{ast::Expr, tokenizer::Token};

use super::{
    Answer, Facts,
    cursor::Cursor,
    expression::Scope,
    function,
    query::from_catalogue,
    set::check_name,
    shape,
    state::{Change, ClientState},
    stop::{Found, Stop},
};
use crate::model::OwnedValue;

/// One item of the list behind SELECT.
pub(super) struct Item {
    pub header: String,
    pub what: What,
    /// It contains the name of an aggregate.
    pub aggregate: bool,
}

/// What an item is.
pub(super) enum What {
    /// `*` or `t.*`.
    All,
    Expression(Expr),
    /// `@name := expression`; the name in lower case.
    Assignment(String, Expr),
}

/// Words that end an item and are no alias.
pub(super) const ENDS: [&str; 13] = [
    "FROM",
    "LIMIT",
    "WHERE",
    "INTO",
    "UNION",
    "ORDER",
    "GROUP",
    "HAVING",
    "FOR",
    "LOCK",
    "PROCEDURE",
    "EXCEPT",
    "INTERSECT",
];

/// Answers `SELECT …`.
///
/// # Errors
/// Not ours, if it reads a table of the server's, or contains what is not understood, or needs nothing of what only
/// this module knows; otherwise 1193 and 1238 for system variables, 1109 for a table that no catalogue has.
pub(super) fn answer(state: &mut ClientState, facts: &Facts<'_>, mut cursor: Cursor<'_>) -> Found<Answer> {
    cursor.expect_word("SELECT")?;
    let mut distinct = false;
    while let Some(word) =
        cursor.any_word(&["ALL", "DISTINCT", "HIGH_PRIORITY", "SQL_NO_CACHE", "SQL_CACHE", "SQL_CALC_FOUND_ROWS"])
    {
        distinct |= word == "DISTINCT";
    }
    let mut items = vec![item(&mut cursor)?];
    while cursor.take(&Token::Comma) {
        items.push(item(&mut cursor)?);
    }
    if cursor.words(&["FROM", "DUAL"]) || !cursor.sees("FROM") {
        let limit = limit(&mut cursor)?;
        cursor.end()?;
        return scalars(state, facts, &items, limit);
    }
    cursor.skip();
    let relation = from_catalogue(state, facts, cursor, &items, distinct)?;
    state.clear_warnings();
    Ok(relation.answer())
}

fn item(cursor: &mut Cursor<'_>) -> Found<Item> {
    let mark = cursor.mark();
    if cursor.take(&Token::Mul) {
        return Ok(Item { header: String::new(), what: What::All, aggregate: false });
    }
    if let (Token::Word(_), Token::Assignment) = (cursor.peek(), cursor.peek_second()) {
        let name = cursor.name()?;
        let name = name.strip_prefix('@').filter(|name| !name.is_empty() && !name.starts_with('@'));
        let name = name.ok_or(Stop::NotOurs)?.to_lowercase();
        check_name(&name)?;
        cursor.expect(&Token::Assignment)?;
        let expr = cursor.expression()?;
        let header = header(cursor.since(mark), &expr)?;
        let header = alias(cursor)?.unwrap_or(header);
        return Ok(Item { header, what: What::Assignment(name, expr), aggregate: false });
    }
    if let (Token::Word(_), Token::Period) = (cursor.peek(), cursor.peek_second()) {
        // `t.*`; anything else behind the dot is an expression, which the parser reads from here.
        if *cursor.peek_nth(2) == Token::Mul {
            (0..3).for_each(|_| cursor.skip());
            return Ok(Item { header: String::new(), what: What::All, aggregate: false });
        }
    }
    let expr = cursor.expression()?;
    let typed = cursor.since(mark);
    let header = header(typed, &expr)?;
    let aggregate = function::aggregates(&expr) || typed.is_none_or(names_aggregate);
    let header = alias(cursor)?.unwrap_or(header);
    Ok(Item { header, what: What::Expression(expr), aggregate })
}

/// Whether a text has the name of an aggregate before a parenthesis. It may say so of one in quotes; then the item is
/// not understood, and left to the server.
fn names_aggregate(typed: &str) -> bool {
    let upper = typed.to_ascii_uppercase();
    ["COUNT", "MAX", "MIN", "SUM", "AVG", "GROUP_CONCAT", "ANY_VALUE", "STD", "VAR", "BIT_", "JSON_"].iter().any(
        |name| {
            upper.match_indices(name).any(|(at, _)| {
                upper[at..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').trim_start().starts_with('(')
            })
        },
    )
}

/// MySQL names a column by the expression as typed; a text literal by its text, a column by its name alone.
fn header(typed: Option<&str>, expr: &Expr) -> Found<String> {
    match expr {
        Expr::Value(value) => match super::expression::literal(&value.value) {
            Ok(OwnedValue::Text(text)) => return Ok(text),
            _ => return typed.map(str::to_owned).ok_or(Stop::NotOurs),
        },
        Expr::Identifier(name) => return Ok(name.value.clone()),
        Expr::CompoundIdentifier(names) => {
            if let Some(last) = names.last().filter(|_| names.first().is_some_and(|n| !n.value.starts_with('@'))) {
                return Ok(last.value.clone());
            }
        }
        _ => {}
    }
    typed.map(str::to_owned).ok_or(Stop::NotOurs)
}

fn alias(cursor: &mut Cursor<'_>) -> Found<Option<String>> {
    if cursor.word("AS") {
        return cursor.text_or_name().map(Some);
    }
    if ENDS.iter().any(|end| cursor.sees(end)) {
        return Ok(None);
    }
    match cursor.peek() {
        Token::Word(_) => cursor.name().map(Some),
        _ => Ok(cursor.text()),
    }
}

/// `LIMIT [offset,] count`, `LIMIT count OFFSET offset`: the offset and the count.
pub(super) fn limit(cursor: &mut Cursor<'_>) -> Found<(usize, usize)> {
    if !cursor.word("LIMIT") {
        return Ok((0, usize::MAX));
    }
    let first = cursor.number()?;
    let (offset, count) = if cursor.take(&Token::Comma) {
        (first, cursor.number()?)
    } else if cursor.word("OFFSET") {
        (cursor.number()?, first)
    } else {
        (0, first)
    };
    let fit = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Ok((fit(offset), fit(count)))
}

/// A SELECT without a table.
fn scalars(
    state: &mut ClientState,
    facts: &Facts<'_>,
    items: &[Item],
    (offset, count): (usize, usize),
) -> Found<Answer> {
    let mut scope = Scope::new(state, facts);
    let (mut columns, mut row) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    for item in items {
        let (value, expr) = match &item.what {
            What::All => return Err(Stop::NotOurs),
            What::Expression(expr) => (scope.value(expr)?, expr),
            What::Assignment(name, expr) => {
                let value = scope.value(expr)?;
                scope.needed = true;
                scope.assigned.push((name.clone(), value.clone()));
                (value, expr)
            }
        };
        let (column, value) = shape::column(item.header.clone(), expr, value);
        columns.push(column);
        row.push(value);
    }
    if !scope.needed {
        return Err(Stop::NotOurs);
    }
    let (diagnostic, assigned) = (scope.diagnostic, scope.assigned);
    state.apply(assigned.into_iter().map(|(name, value)| Change::User(name, value)).collect())?;
    if diagnostic {
        state.note_diagnostic();
    } else {
        state.clear_warnings();
    }
    let rows = if offset == 0 && count > 0 { vec![row] } else { Vec::new() };
    Ok(Answer::Rows { columns, rows })
}

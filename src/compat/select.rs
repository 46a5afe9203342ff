//! `SELECT` of scalar expressions, and of the catalogue's tables.

use std::cmp::Ordering;

use sqlparser::{
    ast::{Expr, JoinOperator, ObjectName, OrderBySort, TableFactor},
    tokenizer::Token,
};

use super::{
    Answer, Facts, catalogue,
    cursor::Cursor,
    expression::{Scope, compare},
    function,
    prefilter::is_catalogue,
    relation::Relation,
    set::check_name,
    state::{Change, ClientState},
    stop::{Found, Stop},
    variable::shown,
};
use crate::model::{Column, ColumnType, OwnedValue};

/// One item of the list behind SELECT.
struct Item {
    header: String,
    what: What,
    /// It contains the name of an aggregate.
    aggregate: bool,
}

enum What {
    /// `*` or `t.*`.
    All,
    Expression(Expr),
    /// `@name := expression`; the name in lower case.
    Assignment(String, Expr),
}

/// What a value costs beside its bytes: wide rows of nothing are an answer, too.
const VALUE_OVERHEAD: usize = 32;

/// Words that end an item and are no alias.
const ENDS: [&str; 13] = [
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
    let answer = from_catalogue(state, facts, cursor, items, distinct)?;
    state.clear_warnings();
    Ok(answer)
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
        let parser = cursor.parser();
        if parser.peek_nth_token_ref(2).token == Token::Mul {
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
        let (value, kind) = match &item.what {
            What::All => return Err(Stop::NotOurs),
            What::Expression(expr) => (scope.value(expr)?, kind_of(expr)),
            What::Assignment(name, expr) => {
                let value = scope.value(expr)?;
                scope.needed = true;
                scope.assigned.push((name.clone(), value.clone()));
                (value, kind_of(expr))
            }
        };
        columns.push(column(item.header.clone(), &value, kind));
        row.push(value);
    }
    if !scope.needed {
        return Err(Stop::NotOurs);
    }
    let (diagnostic, assigned) = (scope.diagnostic, scope.assigned);
    state.apply(assigned.into_iter().map(|(name, value)| Change::User(name, value)).collect())?;
    if !diagnostic {
        state.clear_warnings();
    }
    let rows = if offset == 0 && count > 0 { vec![row] } else { Vec::new() };
    Ok(Answer::Rows { columns, rows })
}

/// The type that the expression alone decides.
fn kind_of(expr: &Expr) -> Option<ColumnType> {
    match expr {
        Expr::Value(value) if value.value == sqlparser::ast::Value::Null => Some(ColumnType::Null),
        other => function::kind(other),
    }
}

fn column(header: String, value: &OwnedValue, kind: Option<ColumnType>) -> Column {
    let by_value = match value {
        OwnedValue::Int(_) | OwnedValue::UInt(_) => ColumnType::BigInt,
        OwnedValue::Float(_) | OwnedValue::Double(_) => ColumnType::Double,
        OwnedValue::Bytes(_) => ColumnType::Blob,
        OwnedValue::Null | OwnedValue::Text(_) => ColumnType::VarChar,
    };
    let column = Column::new(header, kind.unwrap_or(by_value));
    if matches!(value, OwnedValue::UInt(_)) { column.unsigned() } else { column }
}

/// A SELECT from tables of the catalogue; the cursor is behind FROM.
fn from_catalogue(
    state: &ClientState,
    facts: &Facts<'_>,
    mut cursor: Cursor<'_>,
    items: Vec<Item>,
    distinct: bool,
) -> Found<Answer> {
    let mut relation = source(state, facts, &mut cursor)?;
    let condition = if cursor.word("WHERE") { Some(cursor.expression()?) } else { None };
    let grouped = cursor.words(&["GROUP", "BY"]);
    if grouped {
        expressions(&mut cursor)?;
    }
    let having = if cursor.word("HAVING") { Some(cursor.expression()?) } else { None };
    let mut order = Vec::new();
    if cursor.words(&["ORDER", "BY"]) {
        loop {
            let by = cursor.parser().parse_order_by_expr().map_err(|_| Stop::NotOurs)?;
            order.push((by.expr, by.options.sort == Some(OrderBySort::Desc)));
            if !cursor.take(&Token::Comma) {
                break;
            }
        }
    }
    let (offset, count) = limit(&mut cursor)?;
    cursor.end()?;

    // Of nothing, no condition leaves more, whatever it says.
    if let Some(condition) = &condition {
        relation.keep_where(condition, state, facts)?;
    }
    let aggregate = items.iter().any(|item| item.aggregate) && !grouped;
    if having.is_some() && (aggregate || !relation.rows.is_empty()) || grouped && !relation.rows.is_empty() {
        return Err(Stop::NotOurs);
    }
    let mut answer = if aggregate {
        aggregated(state, facts, &relation, &items)?
    } else {
        sort(&mut relation, &order, &items, state, facts)?;
        projected(state, facts, &relation, &items)?
    };
    if distinct {
        let mut kept: Vec<Vec<OwnedValue>> = Vec::new();
        for row in std::mem::take(&mut answer.rows) {
            if !kept.contains(&row) {
                kept.push(row);
            }
        }
        answer.rows = kept;
    }
    answer.rows = answer.rows.into_iter().skip(offset).take(count).collect();
    Ok(answer.answer())
}

fn expressions(cursor: &mut Cursor<'_>) -> Found<()> {
    loop {
        cursor.expression()?;
        if !cursor.take(&Token::Comma) {
            return Ok(());
        }
    }
}

/// What is behind FROM. More than one table is understood only where the outcome must be empty.
fn source(state: &ClientState, facts: &Facts<'_>, cursor: &mut Cursor<'_>) -> Found<Relation> {
    let mut all = Relation::default();
    let (mut tables, mut first_empty, mut empty) = (0, false, false);
    loop {
        let joined = cursor.parser().parse_table_and_joins().map_err(|_| Stop::NotOurs)?;
        let mut take = |factor: &TableFactor| -> Found<bool> {
            let relation = table(state, facts, factor)?;
            let nothing = relation.rows.is_empty();
            all.columns.extend(relation.columns);
            all.rows = relation.rows;
            tables += 1;
            Ok(nothing)
        };
        let nothing = take(&joined.relation)?;
        // A list with commas is an inner join: one empty side suffices.
        empty |= nothing;
        first_empty |= nothing;
        for join in &joined.joins {
            let inner = match join.join_operator {
                JoinOperator::Join(_)
                | JoinOperator::Inner(_)
                | JoinOperator::CrossJoin(_)
                | JoinOperator::StraightJoin(_) => true,
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => false,
                _ => return Err(Stop::NotOurs),
            };
            let nothing = take(&join.relation)?;
            empty |= nothing && inner;
        }
        if !cursor.take(&Token::Comma) {
            break;
        }
    }
    if tables > 1 {
        if !(empty || first_empty) {
            return Err(Stop::NotOurs);
        }
        all.rows.clear();
    }
    Ok(all)
}

fn table(state: &ClientState, facts: &Facts<'_>, factor: &TableFactor) -> Found<Relation> {
    let TableFactor::Table { name: ObjectName(parts), args: None, .. } = factor else { return Err(Stop::NotOurs) };
    let parts: Vec<&str> = parts.iter().filter_map(|part| part.as_ident().map(|ident| ident.value.as_str())).collect();
    match (parts.as_slice(), facts.database) {
        ([database, table], _) => catalogue::table(state, facts, database, table),
        ([table], Some(database)) if is_catalogue(database) => catalogue::table(state, facts, database, table),
        _ => Err(Stop::NotOurs),
    }
}

/// One row of counts.
fn aggregated(state: &ClientState, facts: &Facts<'_>, relation: &Relation, items: &[Item]) -> Found<Relation> {
    let mut scope = Scope::new(state, facts);
    scope.count = Some(relation.rows.len());
    let mut one = Relation::default();
    let mut row = Vec::with_capacity(items.len());
    for item in items {
        let What::Expression(expr) = &item.what else { return Err(Stop::NotOurs) };
        let value = scope.value(expr)?;
        one.columns.push(column(item.header.clone(), &value, None));
        row.push(value);
    }
    one.rows.push(row);
    Ok(one)
}

/// The columns that are asked for, of every row.
fn projected(state: &ClientState, facts: &Facts<'_>, relation: &Relation, items: &[Item]) -> Found<Relation> {
    let mut wanted = Relation { columns: Vec::new(), rows: vec![Vec::new(); relation.rows.len()] };
    let mut scope = Scope::new(state, facts);
    for item in items {
        let expr = match &item.what {
            What::All => {
                wanted.columns.extend(relation.columns.iter().cloned());
                for (to, from) in wanted.rows.iter_mut().zip(&relation.rows) {
                    scope.spend(from.iter().map(|value| shown(value).len() + VALUE_OVERHEAD).sum())?;
                    to.extend(from.iter().cloned());
                }
                continue;
            }
            What::Expression(expr) => expr,
            What::Assignment(..) => return Err(Stop::NotOurs),
        };
        let mut head = None;
        for (to, from) in wanted.rows.iter_mut().zip(&relation.rows) {
            scope.row = Some((&relation.columns, from));
            let value = scope.value(expr)?;
            head.get_or_insert_with(|| column(item.header.clone(), &value, kind_of(expr)));
            to.push(value);
        }
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(names) => names.last(),
            _ => None,
        };
        let known = name.and_then(|n| relation.columns.iter().find(|c| c.name.eq_ignore_ascii_case(&n.value)));
        let known = known.map(|c| Column { name: item.header.clone().into(), ..c.clone() });
        let column = known.or(head).unwrap_or_else(|| Column::new(item.header.clone(), ColumnType::VarChar));
        wanted.columns.push(column);
    }
    Ok(wanted)
}

/// Puts the rows in order; a name may be an alias, a number the place of an item.
fn sort(
    relation: &mut Relation,
    order: &[(Expr, bool)],
    items: &[Item],
    state: &ClientState,
    facts: &Facts<'_>,
) -> Found<()> {
    if order.is_empty() || relation.rows.len() < 2 {
        return Ok(());
    }
    let mut scope = Scope::new(state, facts);
    let rows = std::mem::take(&mut relation.rows);
    let mut keyed = Vec::with_capacity(rows.len());
    for row in &rows {
        scope.row = Some((&relation.columns, row));
        let mut keys = Vec::with_capacity(order.len());
        for (expr, _) in order {
            keys.push(scope.value(aliased(expr, items))?);
        }
        keyed.push(keys);
    }
    let mut places: Vec<usize> = (0..rows.len()).collect();
    places.sort_by(|a, b| {
        let pairs = keyed[*a].iter().zip(&keyed[*b]).zip(order);
        let compared = pairs.map(|((a, b), (_, down))| if *down { ranked(b, a) } else { ranked(a, b) });
        compared.fold(Ordering::Equal, Ordering::then)
    });
    let mut rows: Vec<Option<Vec<OwnedValue>>> = rows.into_iter().map(Some).collect();
    relation.rows = places.into_iter().filter_map(|at| rows[at].take()).collect();
    Ok(())
}

fn aliased<'e>(expr: &'e Expr, items: &'e [Item]) -> &'e Expr {
    let found = match expr {
        Expr::Identifier(name) => items.iter().find(|item| item.header.eq_ignore_ascii_case(&name.value)),
        Expr::Value(value) => match super::expression::literal(&value.value) {
            Ok(OwnedValue::Int(at)) => usize::try_from(at - 1).ok().and_then(|at| items.get(at)),
            _ => None,
        },
        _ => None,
    };
    match found.map(|item| &item.what) {
        Some(What::Expression(inner)) => inner,
        _ => expr,
    }
}

/// NULL first, as MySQL sorts it; what does not compare stays where it is.
fn ranked(a: &OwnedValue, b: &OwnedValue) -> Ordering {
    match (a, b) {
        (OwnedValue::Null, OwnedValue::Null) => Ordering::Equal,
        (OwnedValue::Null, _) => Ordering::Less,
        (_, OwnedValue::Null) => Ordering::Greater,
        _ => compare(a, b).ok().flatten().unwrap_or(Ordering::Equal),
    }
}

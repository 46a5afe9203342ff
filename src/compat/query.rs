//! A SELECT's clauses behind FROM, for the catalogue's tables: filtered, counted, sorted, projected.

use std::cmp::Ordering;

use sqlparser::{
    ast::{Expr, OrderBySort},
    tokenizer::Token,
};

use super::{
    Facts, catalogue,
    cursor::Cursor,
    expression::{Scope, compare},
    prefilter::is_catalogue,
    relation::Relation,
    select::{ENDS, Item, What, limit},
    shape,
    state::ClientState,
    stop::{Found, Stop},
    variable::shown,
};
use crate::model::{Column, ColumnType, OwnedValue};

/// What a value costs beside its bytes: wide rows of nothing are an answer, too.
const VALUE_OVERHEAD: usize = 32;

/// The words between two tables that are joined so that nothing beside anything is nothing.
const INNER_JOINS: [&[&str]; 4] = [&["JOIN"], &["INNER", "JOIN"], &["CROSS", "JOIN"], &["STRAIGHT_JOIN"]];

/// Words behind a table that are no alias, beside those that end an item.
const BEHIND_TABLE: [&str; 10] =
    ["JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "NATURAL", "ON", "USING", "STRAIGHT_JOIN", "FULL"];

/// What a SELECT from tables of the catalogue gives; the cursor is behind FROM.
///
/// # Errors
/// Not ours, if the outcome depends on more than is understood; 1109 for a table that is not there.
pub(super) fn from_catalogue(
    state: &ClientState,
    facts: &Facts<'_>,
    mut cursor: Cursor<'_>,
    items: &[Item],
    distinct: bool,
) -> Found<Relation> {
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
            let by = cursor.order_by()?;
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
        aggregated(state, facts, &relation, items)?
    } else {
        sort(&mut relation, &order, items, state, facts)?;
        projected(state, facts, &relation, items)?
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
    Ok(answer)
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
    let mut all = table(state, facts, cursor)?;
    let (mut tables, mut empty) = (1, all.rows.is_empty());
    loop {
        let inner = cursor.take(&Token::Comma) || INNER_JOINS.iter().any(|words| cursor.words(words));
        if !inner && !cursor.words(&["LEFT", "JOIN"]) && !cursor.words(&["LEFT", "OUTER", "JOIN"]) {
            break;
        }
        let joined = table(state, facts, cursor)?;
        // Nothing beside anything is nothing; only to the right of a LEFT JOIN it may be.
        empty |= inner && joined.rows.is_empty();
        all.columns.extend(joined.columns);
        tables += 1;
        if cursor.any_word(&["ON", "USING"]).is_some() {
            cursor.expression()?;
        }
    }
    if tables > 1 {
        if !empty {
            return Err(Stop::NotOurs);
        }
        all.rows.clear();
    }
    Ok(all)
}

/// `[database.]table [[AS] alias]`.
fn table(state: &ClientState, facts: &Facts<'_>, cursor: &mut Cursor<'_>) -> Found<Relation> {
    let first = cursor.name()?;
    let (database, name) = if cursor.take(&Token::Period) {
        (first, cursor.name()?)
    } else {
        let current = facts.database.filter(|current| is_catalogue(current)).ok_or(Stop::NotOurs)?;
        (current.to_owned(), first)
    };
    let ended = ENDS.iter().chain(&BEHIND_TABLE).any(|word| cursor.sees(word));
    if cursor.word("AS") || (!ended && matches!(cursor.peek(), Token::Word(_))) {
        cursor.name()?;
    }
    catalogue::table(state, facts, &database, &name)
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
        one.columns.push(shape::by_value(item.header.clone(), &value));
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
            let (column, value) = shape::column(item.header.clone(), expr, value);
            // The widest of them is the column's.
            head = Some(match head {
                Some(Column { width, .. }) => Column { width: column.width.max(width), ..column },
                None => column,
            });
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
